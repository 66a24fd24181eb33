"""From a moment and a figure to the moment it is due. Pure arithmetic over a calendar."""

import calendar as gregorian
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bot.sla.calendar import END_OF_DAY, Calendar, Hol, at_local, local
from bot.sla.commitment import Mode


@dataclass(frozen=True, slots=True)
class Count:
    """The result of counting: when it is due, and every day that was left out on the way, with its reason."""

    due: datetime
    skipped: tuple[tuple[date, str], ...]
    first_day: date | None
    """The day that counts as day 1; None for elapsed time and months."""


def count(calendar: Calendar, n: int, mode: Mode, hol: Hol | None, received: datetime, start: datetime) -> Count:
    """Count `n` in `mode` from `start`, the moment at which something that came at `received` counts as received.

    Raises YearNotCovered when a day of a year that the calendar does not know would have to be judged. Elapsed time
    and plain calendar days need no calendar, so they never do.
    """
    day = local(start).date()
    if mode == "hours":
        return Count(start.astimezone(UTC) + timedelta(hours=n), (), None)
    if mode == "minutes":
        return Count(start.astimezone(UTC) + timedelta(minutes=n), (), None)
    if mode == "days":
        return Count(at_local(day + timedelta(days=n), END_OF_DAY), (), day + timedelta(days=1))
    if mode == "days_incl":
        return Count(at_local(day + timedelta(days=n - 1), END_OF_DAY), (), day)
    if mode == "month_hard":
        return Count(at_local(add_months(day, n), END_OF_DAY), (), None)
    if hol is None:
        raise ValueError(f"mode {mode} leaves days out: hol must say which")
    if mode == "month":
        target = add_months(day, n)
        last = calendar.this_or_next_working_day(target, hol)
        return Count(at_local(last, END_OF_DAY), calendar.skipped_between(target, last, hol), None)
    first = calendar.add_working_days(day, 1, hol) if mode == "after" else calendar.this_or_next_working_day(day, hol)
    last = calendar.add_working_days(first, n - 1, hol)
    due = _end(calendar, last, hol)
    if due < start:
        # An event after closing time whose own day was to be the last one: nobody can act before the next open day.
        last = calendar.add_working_days(last, 1, hol)
        due = _end(calendar, last, hol)
    return Count(due, calendar.skipped_between(local(received).date(), last, hol), first)


def add_months(day: date, n: int) -> date:
    """The same date `n` months on, or that month's last day if it has no such date."""
    months = day.year * 12 + day.month - 1 + n
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, gregorian.monthrange(year, month + 1)[1]))


def _end(calendar: Calendar, day: date, hol: Hol) -> datetime:
    """A promise of the association ends when its office closes; the law's day ends at midnight."""
    return calendar.closing(day) if hol == "org" else at_local(day, END_OF_DAY)
