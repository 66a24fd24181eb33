"""The on-call ladder at work: alerts people rung by rung until one of them takes an emergency (`docs/handover.md`).

What comes next, and what has been taken, is decided by `bot.desk.handover` in transactions; this package sends what is leased
there, outside any transaction, and reads what comes back: keys pressed, codes replied, buttons on signed pages.
"""

from bot.handover.climb import Handovers
from bot.handover.pages import Pages

__all__ = ["Handovers", "Pages"]
