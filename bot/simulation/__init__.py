"""A year of an association's life through the real intake, dialogue, desk, sweeps and outbox, on a clock moved by hand.

outcome = simulate(Plan(policy="berwickshire", days=365, contacts=1000, seed=1))
outcome.as_json()
"""

from bot.simulation.year import Outcome, Plan, simulate

__all__ = ["Outcome", "Plan", "simulate"]
