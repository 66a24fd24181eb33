"""Everything else that a tenant may ask of a landlord: a service request of its own kind, with its own commitment.

One question of its own for each (`utter_ask_more_<category>`), then who and where as far as it matters.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from bot.flows import slots
from bot.flows.about_you import ADDRESS, NAME, PHONE, phone_in_words, told, words
from bot.flows.form import Flow, Found, Question
from bot.flows.heard import Heard
from bot.flows.subjects import SERVICE_REQUEST_OF
from bot.flows.wishes import Spoken
from bot.messages import Command, OpenCase, RememberContact, Say

_WITHOUT_ADDRESS: Final = frozenset({"freedom_of_information", "praise", "office_arrival"})
_NEEDS_PHONE: Final = frozenset({"home_visit", "appointment", "gas_safety", "housing_application"})
_PLENTY: Final = 12
"""A first message of so many words has said what the one question would ask, where nothing particular is needed."""
_PARTICULAR: Final = frozenset(
    {"format", "home_visit", "appointment", "gas_safety", "subject_access", "representative"}
)


class MakeRequest(Flow):
    """One form for all of them; the category comes from the intent that began it."""

    subject = "request"
    own_intents = frozenset(SERVICE_REQUEST_OF) - {"request_callback", "safeguarding"}
    takes_additions = True
    changeable: ClassVar = {
        "more": ("request", "what", "details"),
        "address": ("address", "street", "house number"),
        "contact_name": ("name",),
        "contact_phone": ("phone", "number", "mobile"),
    }

    def __init__(self, spoken: Spoken) -> None:
        self._spoken = spoken
        super().__init__([
            words("more", may_ask=True),
            ADDRESS,
            NAME,
            PHONE,
            Question("confirm", self.confirm),
            Question("change_which", self.change_which),
        ])  # fmt: skip

    def first(self, heard: Heard) -> Found:
        category = SERVICE_REQUEST_OF.get(heard.intent)
        if category is None:
            return {}
        found: Found = {"request": category}
        if not heard.pressed:
            found["request_words"] = heard.text
            enough = 4 if category == "praise" else _PLENTY
            if category not in _PARTICULAR and slots.words_in(heard.text) >= enough:
                found["more"] = heard.text
        return found

    def another_answer(self, heard: Heard) -> Found | None:
        if slots.words_in(heard.text) < 3:
            return None
        return {"more": f"{heard.slots.get('more')}. {slots.correction(heard.text) or heard.text}"}

    def needed(self, heard: Heard) -> list[str]:
        category = heard.slots.get("request")
        if category == "office_arrival":
            return ["contact_name"]  # Someone is waiting at the desk: no read-back.
        needed = ["more"]
        if category == "praise":
            return [*needed, "confirm"]
        needed.append("contact_name")
        if category not in _WITHOUT_ADDRESS:
            needed.append("address")
        if (category in _NEEDS_PHONE and not heard.has_phone) or "contact_phone" in (heard.slots.get("reask") or ()):
            needed.append("contact_phone")
        return [*needed, "confirm"]

    def read_back(self, heard: Heard) -> Say:
        return Say("utter_read_back_request", {
            "about": {"say": f"utter_label_request_{heard.slots.get('request')}"},
            "wanted": told(heard.slots.get("more")),
            "your_address": told(heard.known("address")),
            "your_name": told(heard.known("contact_name")),
            "your_phone": phone_in_words(heard),
        })  # fmt: skip

    def ask_more(self, heard: Heard, _responses: Mapping[str, Any]) -> Say:
        """The one question of the category."""
        return Say(f"utter_ask_more_{heard.slots.get('request')}")

    def finish(self, heard: Heard) -> list[Say | Command]:
        first, more = heard.slots.get("request_words"), heard.slots.get("more")
        said = [str(part) for part in (first, more) if part not in (None, slots.NOT_GIVEN)]
        unread = heard.slots.get("unread") or []
        words_ = ". ".join(dict.fromkeys([*said, *unread]))
        summary = slots.shorten(str(said[-1] if said else words_))
        category = str(heard.slots.get("request"))
        return [
            self._wished(self.contact(heard), category, words_),
            OpenCase("service_request", category, words_, summary, details=self.answers(heard)),
        ]

    def _wished(self, told: RememberContact, category: str, said: str) -> RememberContact:
        """What they told us, and how they want to be reached, as far as their own words leave no doubt."""
        if category == "format":
            return replace(
                told, preferred_format=self._spoken.format_in(said), preferred_channel=self._spoken.way_in(said)
            )
        return replace(told, preferred_channel=self._spoken.way_in(said)) if category == "details_change" else told
