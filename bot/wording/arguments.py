"""What a response may name in braces. A name that is not here is a slip of the pen, and `doorstep check` says so.

`{number_<id>}` stands for an entry of `nlu_data/directory.yml`.
"""

from typing import Final

STANDING: Final = frozenset({
    "association", "short_name", "service_name", "phone", "office_phone", "emergency_phone", "hours", "next_opening",
    "privacy_url", "complaints_url",
})  # fmt: skip
"""Always there; None where it is not known or not yet verified, and then its line is left out."""

CASES: Final = frozenset({
    "reference", "understood", "team", "handler", "promises", "due", "soonest", "day", "counted_from", "days", "last_day",
    "summary", "opened", "cases", "more", "hazard",
})  # fmt: skip
"""What is said about cases and their clocks."""

PEOPLE: Final = frozenset({
    "name", "role", "text", "advocacy", "advocacy_phone", "ombudsman", "ombudsman_phone", "stage",
})  # fmt: skip
"""Staff, and those who help with a complaint."""

READ_BACK: Final = frozenset({
    "problem", "where", "access_times", "happened", "wanted", "question", "about", "time", "your_name", "your_address",
    "your_phone", "value",
})  # fmt: skip
"""What the tenant told us, said back."""

SHAPE: Final = frozenset({"digit", "label"})
"""The menu of a text message."""

HANDOVER: Final = frozenset({
    "spoken_reference", "place", "from_phone", "spoken_phone", "made_safe", "at_home", "only_home", "locks",
    "access", "words", "code", "link", "taker", "reason", "priority", "told_at", "concerns", "photos", "state",
    "attended_at", "made_safe_at", "asker", "rung",
})  # fmt: skip
"""What people on call are told about an emergency, and tenants about who has it."""

PROMISES: Final = frozenset({
    "what", "next_step", "expected", "waits", "who", "asked", "next", "promise", "content", "until", "before", "outcome",
    "months", "date", "address", "postcode", "dear", "staff",
})  # fmt: skip
"""What is said about promises: updates, apologies, later dates, the end of a case, and the letter that carries them."""

_ALL: Final = STANDING | CASES | PEOPLE | READ_BACK | SHAPE | HANDOVER | PROMISES


def is_known(name: str) -> bool:
    """Whether anything ever fills `{name}`."""
    return name in _ALL or name.startswith("number_")
