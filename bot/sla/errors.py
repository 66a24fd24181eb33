"""What can go wrong in `bot.sla`.

SlaError (a ValueError)
├── PolicyError         a policy file is refused; every fault on a line of its own, `file:line: reason`
├── YearNotCovered      a date falls in a year that the calendar was never given
└── UnknownCommitment   no commitment of that id in this policy
"""

from collections.abc import Iterable


class SlaError(ValueError):
    """Anything this package refuses."""


class PolicyError(SlaError):
    """A policy file is refused. The message is `faults`, one a line, each `file:line: reason`."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class YearNotCovered(SlaError):
    """The calendar does not know this year's holidays, so no date in it can be proved."""

    def __init__(self, year: int, first: int, last: int) -> None:
        self.year = year
        super().__init__(
            f"the year {year} is not covered: the policy's calendar knows {first} to {last}. "
            f"Check {year}'s holidays, then widen [calendar] years in the policy file"
        )


class UnknownCommitment(SlaError):
    """No commitment of that id in this policy."""
