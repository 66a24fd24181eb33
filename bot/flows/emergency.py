"""After the safety advice: what whoever comes has to know, one question at a time.

Where it is, whether it can be made safe, who is in the home, how far it goes, whether the home is secure, then how to
reach the tenant and get in. Only what matters for the hazard is asked, and nothing that the first message told already.

The case is open already (triage opened it with the message itself). Every answer is added to it at once, so that
nothing is lost if the tenant has to leave the phone.
"""

from collections.abc import Mapping
from dataclasses import replace
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
"""Channels on which a photo can be sent to us; on all others a link leads to a page that takes it (`facts["photo_link"]`)."""

_FURTHER: Final[Mapping[str, tuple[str, ...]]] = {
    "gas_leak": ("who_is_home", "only_yours"),
    "carbon_monoxide": ("who_is_home", "only_yours"),
    "fire": ("who_is_home", "only_yours", "secure"),
    "electrical_danger": ("who_is_home",),
    "flooding": ("who_is_home", "only_yours"),
    "structural": ("who_is_home", "only_yours", "secure"),
    "no_water": ("who_is_home",),
    "no_power": ("who_is_home",),
    "no_heating": ("who_is_home",),
    "security": ("who_is_home", "secure"),
    "sewage": ("who_is_home", "only_yours"),
    "storm_damage": ("who_is_home", "secure"),
}
"""What else is asked of a hazard, in this order, beside whether it can be made safe (whose words may ask some of it)."""

_BOOKKEEPING: Final = frozenset({"misses", "reask", "unread", "kept", "handed_over", "danger"})


class Emergency(Flow):
    """Where, whether it can be made safe, on what number, how to get in, who; and a photo if that is safe."""

    subject = "emergency"
    own_intents = frozenset({"emergency"})

    def __init__(self) -> None:
        super().__init__([
            ADDRESS,
            words("make_safe"),
            replace(_yes_no_or_words("who_is_home"), volunteered=slots.who_is_home),
            _yes_no_or_words("only_yours"),
            _yes_no_or_words("secure"),
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
        photo = ["photo"] if heard.facts.get("channel") in TAKES_PHOTOS or heard.facts.get("photo_link") else []
        further = _FURTHER.get(str(_danger(heard).get("hazard")), ())
        return ["address", "make_safe", *further, *phone, "way_in", "contact_name", *photo]

    def ask_make_safe(self, heard: Heard, responses: Mapping[str, Any]) -> Say:
        """The question of this hazard, if it has one of its own."""
        key = f"utter_ask_make_safe_{_danger(heard).get('hazard')}"
        return Say(key if key in responses else "utter_ask_make_safe_any")

    def ask_photo(self, heard: Heard, _responses: Mapping[str, Any]) -> Say:
        """Here, or by link where this channel carries no pictures."""
        if heard.facts.get("channel") in TAKES_PHOTOS:
            return Say("utter_ask_photo")
        return Say("utter_ask_photo_by_link", {"link": heard.facts.get("photo_link")})

    def _begin(self, heard: Heard) -> Found:
        return {**self._volunteered(heard), "danger": dict(heard.hazard) or None, "misses": 0}

    def _answer(self, heard: Heard, dispatcher: CollectingDispatcher, domain: dict[str, Any]) -> Found:
        if heard.intent == "emergency":
            # The same or another danger: triage has dealt with it. What it says besides is still taken.
            found = self._begin(heard) | {"misses": heard.slots.get("misses") or 0}
            if heard.requested == "safe_to_message" and (said := slots.yes_no(heard.text)):
                found["safe_to_message"] = said  # "no, they check my phone" is told of the danger, and answers
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


def _yes_no_or_words(slot: str) -> Question:
    """A question that yes or no answers, and so does whatever else the tenant says to it: "no, but my mother is 80"."""

    def read(heard: Heard) -> Found | None:
        plain = slots.yes_no(heard.text) if slots.words_in(heard.text) <= 2 else None
        return {slot: plain or heard.text} if heard.text else None

    return Question(slot, read, free=True, asked_back=True)


def _safe_to_message(heard: Heard) -> Found | None:
    """Yes or no above all: whatever we send later depends on it ("no, they are in the next room")."""
    return {"safe_to_message": slots.yes_no(heard.text) or heard.text} if heard.text else None
