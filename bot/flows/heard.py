"""What a flow is given: the message as understood, what is remembered, and the facts of this moment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rasa_sdk import Tracker

PHONE_CHANNELS: Final = frozenset({"sms", "whatsapp"})
"""Where the address is a telephone number already."""

_DIGIT: Final = re.compile(
    r"\W*(?:(?:reply|option|number|press)\s+)?(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten)\W*",
    re.IGNORECASE,
)

CONTACT_SLOTS: Final = {"contact_name": "name", "address": "address", "postcode": "postcode", "contact_phone": "phone"}
"""Slots that the contact's record may answer, by its field there."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of a tenant, as flows see it."""

    text: str
    """As typed; empty where a choice stood for an intent."""
    intent: str
    confidence: float
    requested: str | None
    """The slot asked for last, if its form is the active one."""
    active_form: str | None
    slots: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, tracker: Tracker) -> "Heard":
        """From rasa-sdk's tracker, tolerant of what a Rasa server leaves out."""
        message = tracker.latest_message or {}
        intent = message.get("intent") or {}
        text = str(message.get("text") or "")
        loop = tracker.active_loop or {}
        facts = (message.get("metadata") or {}).get("facts") or {}
        # A digit that stood for a choice that begins something says nothing besides.
        if text.startswith("/") or (
            _DIGIT.fullmatch(text) and f"/{intent.get('name')}" in (facts.get("offered") or ())
        ):
            text = ""
        return cls(
            text=text.strip(),
            intent=str(intent.get("name") or ""),
            confidence=float(intent.get("confidence") or 0.0),
            requested=tracker.slots.get("requested_slot") if loop.get("name") else None,
            active_form=loop.get("name"),
            slots=dict(tracker.slots),
            facts=facts,
        )

    @property
    def pressed(self) -> bool:
        """Whether a choice of ours stood for an intent, with no words of the tenant's own."""
        return not self.text

    @property
    def cases(self) -> list[Mapping[str, Any]]:
        """Open cases that may be spoken about, newest first."""
        return list(self.facts.get("cases") or ())

    @property
    def last_case(self) -> str | None:
        """The reference of the case opened in this conversation, if it is still open."""
        last = self.facts.get("last_case")
        return str(last) if last else None

    @property
    def hazard(self) -> Mapping[str, Any]:
        """The danger that triage found in this conversation; empty if none."""
        return self.facts.get("hazard") or {}

    @property
    def has_phone(self) -> bool:
        """Whether we can ring this tenant already."""
        return self.facts.get("channel") in PHONE_CHANNELS or self.known("contact_phone") is not None

    @property
    def today(self) -> datetime | None:
        """Local time, for naming days."""
        return instant(self.facts.get("now"))

    def known(self, slot: str) -> Any:
        """The answer to `slot`: given in this conversation, or already on the contact's record."""
        value = self.slots.get(slot)
        if value is None and slot in CONTACT_SLOTS:
            value = (self.facts.get("contact") or {}).get(CONTACT_SLOTS[slot])
        return value


def instant(text: Any) -> datetime | None:
    """An ISO instant of the facts, or None."""
    return datetime.fromisoformat(str(text)) if text else None
