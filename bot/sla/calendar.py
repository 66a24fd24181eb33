"""When an association is open, which days count, and what a local clock time means.

The only module that thinks in local time. Instants go in and come out as aware UTC.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

import holidays

from bot.sla.errors import YearNotCovered

ZONE: Final = ZoneInfo("Europe/London")
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
END_OF_DAY: Final = time(23, 59, 59)

Hol = Literal["org", "stat"]
"""Which days a working-day count leaves out: the association's closures, or Scotland's statutory days alone."""

STATUTORY: Final[Mapping[str, str]] = {
    "new_year": "New Year's Day",
    "second_january": "2 January",
    "good_friday": "Good Friday",
    "early_may": "Early May bank holiday",
    "spring": "Spring bank holiday",
    "summer": "Summer bank holiday",
    "st_andrews": "St Andrew's Day",
    "christmas": "Christmas Day",
    "boxing": "Boxing Day",
    "one_off": "One-off bank holiday",
}
"""Scotland's statutory days by id (Banking and Financial Dealings Act 1971, Sch. 1; St Andrew's Day Bank Holiday
(Scotland) Act 2007). `one_off` is any day added by proclamation for one year."""

_LIBRARY_NAMES: Final = {
    "New Year's Day": "new_year",
    "New Year Holiday": "second_january",
    "Good Friday": "good_friday",
    "May Day": "early_may",
    "Spring Bank Holiday": "spring",
    "Summer Bank Holiday": "summer",
    "Saint Andrew's Day": "st_andrews",
    "Christmas Day": "christmas",
    "Boxing Day": "boxing",
}
_OBSERVED: Final = re.compile(r" \((observed|substitute day)\)$")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A stretch of one day in which the office is open, by local time: `opens` counts as open, `closes` does not."""

    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class StatutoryDay:
    """One statutory day of one year. `id` is a key of `STATUTORY`."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A day that differs from its week: closed (no periods), a half day, or open where it would not be."""

    periods: tuple[Period, ...]
    reason: str


def statutory_days(years: Sequence[int]) -> dict[date, StatutoryDay]:
    """Scotland's statutory days of these years, substitute days and one-off days included.

    A day that falls on a weekend appears twice: on its own date and on its substitute.
    """
    days = {}
    for day, name in holidays.country_holidays("GB", subdiv="SCT", years=list(years), language="en_GB").items():
        if day.year not in years:
            continue
        # Two holidays on one date come joined with "; ": the first one names the day.
        plain = _OBSERVED.sub("", str(name).split("; ")[0])
        known = _LIBRARY_NAMES.get(plain)
        words = STATUTORY[known] if known else f"Bank holiday: {plain}"
        if plain != str(name).split("; ")[0]:
            words += " (substitute day)"
        days[day] = StatutoryDay(known or "one_off", words)
    return days


def at_local(day: date, clock: time) -> datetime:
    """The instant of a local clock time. An hour that autumn repeats means the first one; one that spring leaves out is
    shifted forward by as much as the clocks were (01:30 on 28 March 2027 is 02:30)."""
    return datetime.combine(day, clock.replace(fold=0), tzinfo=ZONE).astimezone(UTC)


def local(instant: datetime) -> datetime:
    """The instant as a clock in Scotland shows it. Raises ValueError for a naive one."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone; instants are aware")
    return instant.astimezone(ZONE)


@dataclass(frozen=True, slots=True)
class _Day:
    periods: tuple[Period, ...]
    closed: str | None
    """Why the association does not work on this day; None if it does."""
    statutory: str | None
    """Why a statutory count leaves this day out; None if it counts."""


class Calendar:
    """An association's days: its week, its special days and Scotland's statutory days, for the years it knows.

    Every question about a day in another year raises YearNotCovered, which names the year.
    """

    zone = ZONE

    def __init__(
        self,
        *,
        years: range,
        week: Sequence[tuple[Period, ...]],
        statutory: Mapping[date, StatutoryDay],
        closed_on: frozenset[str] = frozenset(STATUTORY),
        special: Mapping[date, SpecialDay] | None = None,
    ) -> None:
        if len(week) != 7:
            raise ValueError("a week has seven days, Monday first")
        if not any(week):
            raise ValueError("an office that never opens has no working days")
        self.years = years
        self.week = tuple(tuple(sorted(periods)) for periods in week)
        self.statutory = dict(statutory)
        self.closed_on = closed_on
        self.special = dict(special or {})
        self._days: dict[date, _Day] = {}

    # --- opening hours

    def is_open(self, instant: datetime) -> bool:
        """Whether the office is open: from the moment it opens until the moment it closes, that one excluded."""
        here = local(instant)
        return any(
            at_local(here.date(), period.opens) <= instant < at_local(here.date(), period.closes)
            for period in self._day(here.date()).periods
        )

    def next_opening(self, instant: datetime) -> datetime:
        """The start of the first open period that begins at or after `instant`."""
        day = local(instant).date()
        while True:
            for period in self._day(day).periods:
                opens = at_local(day, period.opens)
                if opens >= instant:
                    return opens
            day += timedelta(days=1)

    def deemed_received(self, instant: datetime) -> datetime:
        """When something that arrived at `instant` counts as received: at once if open, else at the next opening."""
        return instant.astimezone(UTC) if self.is_open(instant) else self.next_opening(instant)

    def periods(self, day: date) -> tuple[Period, ...]:
        """The open periods of a day, in order; none if the office stays closed."""
        return self._day(day).periods

    def closing(self, day: date) -> datetime:
        """When the office closes for the day. Raises ValueError if it does not open on it."""
        periods = self._day(day).periods
        if not periods:
            raise ValueError(f"the office does not open on {day}")
        return at_local(day, periods[-1].closes)

    # --- days

    def skipped(self, day: date, hol: Hol) -> str | None:
        """Why a working-day count leaves this day out, in words; None if the day counts."""
        known = self._day(day)
        return known.closed if hol == "org" else known.statutory

    def works(self, day: date, hol: Hol = "org") -> bool:
        return self.skipped(day, hol) is None

    def add_working_days(self, day: date, n: int, hol: Hol = "org") -> date:
        """The nth working day after `day` (before it, if n is negative). With 0, `day` itself, working or not."""
        step = timedelta(days=1 if n > 0 else -1)
        left = abs(n)
        while left:
            day += step
            left -= self.works(day, hol)
        return day

    def this_or_next_working_day(self, day: date, hol: Hol = "org") -> date:
        return day if self.works(day, hol) else self.add_working_days(day, 1, hol)

    def working_days_between(self, after: date, until: date, hol: Hol = "org") -> int:
        """How many working days lie after the one date, up to and including the other: the regulator's measure."""
        return sum(self.works(after + timedelta(days=i), hol) for i in range(1, (until - after).days + 1))

    def skipped_between(self, first: date, last: date, hol: Hol) -> tuple[tuple[date, str], ...]:
        """Every day from `first` to `last`, both included, that a count leaves out, with the reason."""
        days = (first + timedelta(days=i) for i in range((last - first).days + 1))
        return tuple((day, reason) for day in days if (reason := self.skipped(day, hol)) is not None)

    def _day(self, day: date) -> _Day:
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = self._work_out(day)
        return known

    def _work_out(self, day: date) -> _Day:
        if day.year not in self.years:
            raise YearNotCovered(day.year, self.years[0], self.years[-1])
        weekday = WEEKDAYS[day.weekday()]
        holiday = self.statutory.get(day)
        statutory: str | None = holiday.name if holiday else None
        if day.weekday() >= 5:
            statutory = f"{weekday} ({holiday.name})" if holiday else weekday
        if special := self.special.get(day):
            return _Day(special.periods, None if special.periods else special.reason, statutory)
        if holiday and holiday.id in self.closed_on:
            usual = self.week[day.weekday()]
            return _Day((), holiday.name if usual else f"{weekday} ({holiday.name})", statutory)
        periods = self.week[day.weekday()]
        return _Day(periods, None if periods else weekday, statutory)
