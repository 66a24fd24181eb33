"""What each intent is about: the kind and category of the case it ends in."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bot.flows import slots
from bot.messages import Command, OpenCase

SERVICE_REQUEST_OF: Final[Mapping[str, str]] = {
    "request_callback": "callback",
    "request_home_visit": "home_visit",
    "request_format": "format",
    "subject_access_request": "subject_access",
    "freedom_of_information": "freedom_of_information",
    "housing_application": "housing_application",
    "gas_safety": "gas_safety",
    "change_appointment": "appointment",
    "report_antisocial_behaviour": "antisocial_behaviour",
    "give_praise": "praise",
    "arrived_at_office": "office_arrival",
    "authorise_representative": "representative",
    "update_details": "details_change",
    "safeguarding": "safeguarding",
}
"""Intent to category of service request."""

_OTHER: Final[Mapping[str, tuple[str, str]]] = {
    "report_repair": ("repair", "other"),
    "make_complaint": ("complaint", "general"),
    "make_enquiry": ("enquiry", "general"),
    "rent_and_payments": ("enquiry", "rent"),
}

KEPT_FOR_LATER: Final = frozenset({*_OTHER, *SERVICE_REQUEST_OF} - {"safeguarding"})
"""Intents that open a case of their own when they come up in the middle of something else."""


def open_kept(kept: Iterable[Mapping[str, Any]]) -> list[Command]:
    """A case for each matter that came up in the middle of another: short, but never lost."""
    commands: list[Command] = []
    for matter in kept:
        intent, words = str(matter["intent"]), str(matter["words"])
        kind, category = _OTHER.get(intent) or ("service_request", SERVICE_REQUEST_OF[intent])
        commands.append(OpenCase(kind, category, words, slots.shorten(words), details={"mentioned_in_passing": True}))
    return commands
