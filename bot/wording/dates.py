"""Dates and times as a tenant reads them: "Tuesday 24 November", "5:10am on Saturday 26 December".

The words are English; the instants are local (`sla.calendar` converts them).
"""

from datetime import date, datetime, time
from typing import Final

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def day_in_words(day: date, today: date | None = None) -> str:
    """ "Tuesday 24 November"; with its year when that is not the year of `today`."""
    words = f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"
    return words if today is None or day.year == today.year else f"{words} {day.year}"


def time_in_words(moment: time) -> str:
    """ "2pm", "5:10am", "noon", "midnight"."""
    if (moment.hour, moment.minute) in ((0, 0), (12, 0)):
        return "midnight" if moment.hour == 0 else "noon"
    minutes = f":{moment.minute:02}" if moment.minute else ""
    return f"{moment.hour % 12 or 12}{minutes}{'am' if moment.hour < 12 else 'pm'}"


def moment_in_words(moment: datetime, today: date | None = None) -> str:
    """ "5:10am on Saturday 26 December". `moment` is local time."""
    return f"{time_in_words(moment.timetz())} on {day_in_words(moment.date(), today)}"
