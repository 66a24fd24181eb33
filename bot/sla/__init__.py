"""What an association promises, when it is open, and when each promise falls due. Pure: no database, no network, no clock.

policy = load_policy("berwickshire")
policy.explain("text_response", received).due
"""

from bot.sla.calendar import Calendar, Period
from bot.sla.commitment import REPAIR_CATEGORIES, Applies, Commitment
from bot.sla.errors import PolicyError, SlaError, UnknownCommitment, YearNotCovered
from bot.sla.loading import load_policy, parse_policy, restore_policy, shipped_policies
from bot.sla.policy import Contact, Explanation, Link, Phone, Policy, Repair, Rung, Team

__all__ = [
    "REPAIR_CATEGORIES",
    "Applies",
    "Calendar",
    "Commitment",
    "Contact",
    "Explanation",
    "Link",
    "Period",
    "Phone",
    "Policy",
    "PolicyError",
    "Repair",
    "Rung",
    "SlaError",
    "Team",
    "UnknownCommitment",
    "YearNotCovered",
    "load_policy",
    "parse_policy",
    "restore_policy",
    "shipped_policies",
]
