"""After the safety advice: what whoever comes has to know, one question at a time.

The case is open already (triage opened it with the message itself). Every answer is added to it at once, so that
nothing is lost if the tenant has to leave the phone.
"""

from collections.abc import Mapping
from typing import Any, Final

from rasa_sdk.executor import CollectingDispatcher

from bot.flows import slots
from bot.flows.about_you import ADDRESS, NAME, PHONE, words
from bot.flows.form import Flow, Found, Question, utter
from bot.flows.heard import CONTACT_SLOTS, Heard
from bot.messages import AddToCase, Command, RememberContact, Say

PERSON_AT_RISK: Final = frozenset({"self_harm", "domestic_abuse", "child_at_risk", "violence", "medical"})
"""Hazards of a person, not of a building: no address is asked for, and whether it is safe to write comes early."""

TAKES_PHOTOS: Final = frozenset({"whatsapp", "telegram"})
"""Channels on which a photo can be sent to us."""

_BOOKKEEPING: Final = frozenset({"misses", "reask", "unread", "kept", "handed_over", "danger"})


class Emergency(Flow):
    """Where, whether it can be made safe, on what number, how to get in, who; and a photo if that is safe."""

    subject = "emergency"
    own_intents = frozenset({"emergency"})

    def __init__(self) -> None:
        super().__init__([
            ADDRESS,
            words("make_safe"),
            Question("safe_to_message", _safe_to_message, free=True, asked_back=True),
            NAME,
            PHONE,
            words("way_in", asked_back=False),
            words("photo", asked_back=False),
        ])  # fmt: skip

    def needed(self, heard: Heard) -> list[str]:
        phone = [] if heard.has_phone else ["contact_phone"]
        if _danger(heard).get("hazard") in PERSON_AT_RISK:
            if slots.yes_no(str(heard.slots.get("safe_to_message") or "")) == "no":
                return ["make_safe", "safe_to_message"]
            return ["make_safe", "safe_to_message", *phone]
        # A photo is asked for last: whoever comes can do without it, and not without the rest.
        photo = ["photo"] if heard.facts.get("channel") in TAKES_PHOTOS else []
        return ["address", "make_safe", *phone, "way_in", "contact_name", *photo]

    def ask_make_safe(self, heard: Heard, responses: Mapping[str, Any]) -> Say:
        """The question of this hazard, if it has one of its own."""
        key = f"utter_ask_make_safe_{_danger(heard).get('hazard')}"
        return Say(key if key in responses else "utter_ask_make_safe_any")

    def _begin(self, heard: Heard) -> Found:
        return {**self._volunteered(heard), "danger": dict(heard.hazard) or None, "misses": 0}

    def _answer(self, heard: Heard, dispatcher: CollectingDispatcher, domain: dict[str, Any]) -> Found:
        if heard.intent == "emergency":
            # The same or another danger: triage has dealt with it. What it says besides is still taken.
            found = self._begin(heard) | {"misses": heard.slots.get("misses") or 0}
        else:
            found = super()._answer(heard, dispatcher, domain)
        answers = {slot: value for slot, value in found.items() if slot not in _BOOKKEEPING and value is not None}
        if answers:
            self._keep(heard, answers, dispatcher)
        return found

    def _missed(
        self, heard: Heard, question: Question, dispatcher: CollectingDispatcher, domain: dict[str, Any]
    ) -> Found:
        """Nobody in an emergency is asked three times: the second time their words are taken as they are."""
        if heard.slots.get("misses"):
            return {question.slot: heard.text, "misses": 0}
        self._keep(heard, {}, dispatcher)
        return super()._missed(heard, question, dispatcher, domain)

    def _kept(self, intent: str, heard: Heard, dispatcher: CollectingDispatcher) -> Found:
        """Whatever else comes up belongs to this case."""
        self._keep(heard, {}, dispatcher)
        dispatcher.utter_message(response="utter_noted")
        return {"misses": heard.slots.get("misses") or 0}

    def _keep(self, heard: Heard, answers: Found, dispatcher: CollectingDispatcher) -> None:
        reference = _danger(heard).get("case") or heard.last_case
        if reference and heard.text:
            utter(dispatcher, AddToCase(str(reference), heard.text, answers))
        contact = RememberContact(**{
            field: answers.get(slot)
            for slot, field in CONTACT_SLOTS.items()
            if answers.get(slot) != slots.NOT_GIVEN
        })  # fmt: skip
        if contact != RememberContact():
            utter(dispatcher, contact)

    def finish(self, heard: Heard) -> list[Say | Command]:
        if _danger(heard).get("hazard") in PERSON_AT_RISK:
            silent = slots.yes_no(str(heard.slots.get("safe_to_message") or "")) == "no"
            return [Say("utter_emergency_no_messages" if silent else "utter_emergency_person_noted")]
        return [Say("utter_emergency_noted")]


def _danger(heard: Heard) -> Mapping[str, Any]:
    """The danger this is about: as it is now, or as it was when the questions began."""
    return heard.hazard or heard.slots.get("danger") or {}


def _safe_to_message(heard: Heard) -> Found | None:
    return {"safe_to_message": slots.yes_no(heard.text) or heard.text} if heard.text else None
