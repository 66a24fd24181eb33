"""Offices to count in, and moments as a clock in Scotland shows them."""

from datetime import date, datetime, time

from bot.sla import Calendar, Period
from bot.sla.calendar import STATUTORY, ZONE, SpecialDay, statutory_days

NINE_TO_FIVE = (Period(time(9), time(17)),)
YEARS = range(2024, 2036)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def office(
    *,
    week: tuple[tuple[Period, ...], ...] = (NINE_TO_FIVE,) * 5 + ((),) * 2,
    special: dict[date, SpecialDay] | None = None,
    open_on: frozenset[str] = frozenset(),
    years: range = YEARS,
) -> Calendar:
    """An office open 9 to 5 on weekdays, closed on statutory days except those named in `open_on`."""
    closed_on = frozenset(STATUTORY) - open_on
    return Calendar(years=years, week=week, statutory=statutory_days(years), closed_on=closed_on, special=special)


def shown(instant: datetime) -> str:
    """Local date and time, such as `2026-12-02 17:00`."""
    text = instant.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")
    return text.removesuffix(":00")
