"""What every flow has in common: one question a message, and an ear for everything that is not its answer.

A flow is a rasa-sdk form. It lists its questions; this module reads each message against the question that was asked:
an answer (and whatever else the message gave), a correction of something said before, a question why, another matter to
be kept for later, a digression that a rule answers, or a miss. Two misses lead to choices, a third to a person, with a
case opened from what is known by then, so that nothing said is lost.

rasa-sdk's reading of a form is kept: `get_extraction_events` finds values, `validate_<slot>` accepts them,
`required_slots` says what is still to be asked. Nothing found at all rejects the form, and then a rule answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rasa_sdk import Action, FormValidationAction, Tracker
from rasa_sdk.events import AllSlotsReset, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.flows import progress, slots
from bot.flows.heard import CONTACT_SLOTS, Heard
from bot.flows.subjects import KEPT_FOR_LATER, open_kept
from bot.messages import AddToCase, CallStaff, Command, OpenCase, RememberContact, Say, command_payload

Found = dict[str, Any]

SKIP: Final = "skip"
"""The value of the choice to leave a question out."""
_MISSES_TO_PERSON: Final = 3

_AT_ONCE: Final = frozenset({"emergency"})
"""Intents that leave a form whatever was asked."""
_SMALL_TALK: Final = frozenset({"greet", "thank", "goodbye"})
_DIGRESSIONS: Final[Mapping[str, tuple[float, int]]] = {
    "safeguarding": (0.7, 60),
    "cancel": (0.6, 6),
    "talk_to_person": (0.7, 12),
    "help": (0.6, 6),
    "ask_opening_hours": (0.7, 12),
    "check_progress": (0.8, 12),
    "abusive": (2.0, 0),
}
"""Intents that are answered in between. While a question wants the tenant's own words, the classifier must be at least
so sure and the message no longer than so many words: a long answer that sounds like something else is still an answer,
and anger is part of a complaint."""
_SURE_ENOUGH: Final = 0.6
_SURE_OF_A_NEW_MATTER: Final = 0.7


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a flow, named by the slot that keeps its answer."""

    slot: str
    read: Callable[[Heard], Mapping[str, Any] | None]
    """What the message answers: this slot, and any other; None if it does not answer."""
    free: bool = False
    """It wants the tenant's own words, so nearly everything is an answer."""
    certain: bool = False
    """What it finds cannot be anything else (a telephone number, an address)."""
    optional: bool = False
    """"I don't know" is an answer."""
    may_ask: bool = False
    """The answer may well be a question itself."""
    asked_back: bool = False
    """A question in return may be its answer ("can you not send someone?"). Otherwise it is kept for a person."""
    volunteered: Callable[[str], Any] | None = None
    """What a message that was not asked for it may still say."""


class Flow(FormValidationAction):
    """A form with the ear described above. A subject says what it asks (`questions`), what is still needed (`needed`), and
    what follows (`finish`)."""

    subject: ClassVar[str]
    """The form is `<subject>_form`, the action after it `action_finish_<subject>`."""
    own_intents: ClassVar[frozenset[str]] = frozenset()
    takes_additions: ClassVar[bool] = False
    """Whether "also the window" after a case was opened belongs to that case and not to a new one."""
    one_case_each: ClassVar[bool] = False
    """Whether the same kind of matter coming up again is a case of its own (a second repair), not more of the first."""
    changeable: ClassVar[Mapping[str, Sequence[str]]] = {}
    """What "change something" may mean: slot to the words for it."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = {question.slot: question for question in questions}
        for slot in self.questions:
            setattr(self, f"validate_{slot}", _accept(slot))

    def name(self) -> str:
        return f"validate_{self.subject}_form"

    # --- for subjects to say ------------------------------------------------------------------------------------------

    def first(self, heard: Heard) -> Found:
        """What the message that began the flow gives, beyond what any message may volunteer."""
        return {}

    def needed(self, heard: Heard) -> list[str]:
        """The slots that have to be asked for, in order, those already known included."""
        raise NotImplementedError

    def finish(self, heard: Heard) -> list[Say | Command]:
        """What follows when everything is known."""
        raise NotImplementedError

    def read_back(self, heard: Heard) -> Say:
        """What was understood, to be confirmed."""
        raise NotImplementedError

    def another_answer(self, heard: Heard) -> Found | None:
        """What a message changes that came in place of a confirmation; None if nothing."""
        return None

    # --- rasa-sdk's hooks ---------------------------------------------------------------------------------------------

    async def required_slots(
        self, domain_slots: list[str], dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[str]:
        heard = Heard.read(tracker)
        if heard.slots.get("addition") or heard.slots.get("handed_over"):
            return []
        again = heard.slots.get("reask") or []
        needed = self.needed(heard)
        if heard.slots.get("changing") and "confirm" in needed:
            needed.insert(needed.index("confirm"), "change_which")
        missing = [slot for slot in needed if slot in again or heard.known(slot) is None]
        return [slot for slot in missing if slot in domain_slots]

    async def get_extraction_events(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        heard = Heard.read(tracker)
        begins = heard.requested is None or heard.requested not in self.questions
        found = self._begin(heard) if begins else self._answer(heard, dispatcher, domain)
        return [SlotSet(slot, value) for slot, value in found.items()]

    async def get_validation_events(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        found = tracker.slots_to_validate()
        for slot, value in list(found.items()):
            if slot in self.questions:
                found.update(getattr(self, f"validate_{slot}")(value, dispatcher, tracker, domain))
        tracker.slots.update(found)
        return [SlotSet(slot, value) for slot, value in found.items()]

    # --- the ear ------------------------------------------------------------------------------------------------------

    def _begin(self, heard: Heard) -> Found:
        if heard.pressed:
            return {**self.first(heard), "misses": 0}
        if self.takes_additions and heard.last_case and is_addition(heard.text):
            return {"addition": heard.text}
        return {**self._volunteered(heard), **self.first(heard), "misses": 0}

    def _answer(self, heard: Heard, dispatcher: CollectingDispatcher, domain: dict[str, Any]) -> Found:
        question = self.questions[str(heard.requested)]
        if heard.pressed or heard.intent in _AT_ONCE:
            return {}
        if corrected := self._corrected(heard, question):
            dispatcher.utter_message(response="utter_corrected", value=next(iter(corrected.values())))
            return {**corrected, "misses": 0}
        if slots.asks_why(heard.text):
            key = f"utter_why_{question.slot}"
            dispatcher.utter_message(response=key if key in domain["responses"] else "utter_why")
            return {"misses": heard.slots.get("misses") or 0}
        answer = question.read(heard)
        if self._digresses(heard, question, answer):
            return self._in_between(heard, dispatcher)
        if slots.asks_back(heard.text) and not question.asked_back and (answer is None or question.free):
            return self._kept("make_enquiry", heard, dispatcher)
        if answer is None and ((question.optional and slots.skips(heard.text)) or self._skipped(heard)):
            answer = {question.slot: slots.NOT_GIVEN}
        volunteered = self._volunteered(heard) if not question.free else self._volunteered(heard, certain_only=True)
        if answer is not None:
            return self._taken({**volunteered, **answer}, heard)
        if self._is_new_matter(heard, question):
            if heard.intent in self.own_intents and not self.one_case_each:
                dispatcher.utter_message(response="utter_noted")
                return {"unread": [*(heard.slots.get("unread") or []), heard.text]}
            return self._kept(heard.intent, heard, dispatcher)
        if volunteered:
            return self._taken(volunteered, heard)
        return self._missed(heard, question, dispatcher, domain)

    def _taken(self, found: Found, heard: Heard) -> Found:
        again = [slot for slot in heard.slots.get("reask") or [] if slot not in found]
        return {"reask": again or None, "misses": 0, **found}

    def _volunteered(self, heard: Heard, *, certain_only: bool = False) -> Found:
        found = {}
        for question in self.questions.values():
            wanted = question.slot != heard.requested and heard.known(question.slot) is None
            if wanted and question.volunteered and (question.certain or not certain_only):
                value = question.volunteered(heard.text)
                if value is not None:
                    found[question.slot] = value
        if "address" in found and (code := slots.postcode(heard.text)):
            found["postcode"] = code
        return found

    def _corrected(self, heard: Heard, question: Question) -> Found:
        """A correction of an address that we have, in the middle of something else."""
        address = heard.known("address")
        if question.slot == "address" or "address" not in self.questions or not address:
            return {}
        corrected = slots.corrected_address(str(address), heard.text)
        return {"address": corrected} if corrected else {}

    def _digresses(self, heard: Heard, question: Question, answer: Mapping[str, Any] | None) -> bool:
        if answer is not None and question.certain:
            return False
        length = slots.words_in(heard.text)
        if heard.intent in _SMALL_TALK:
            if question.free:
                return slots.is_small_talk(heard.text)
            return answer is None and heard.confidence >= _SURE_ENOUGH and length <= 3
        if heard.intent not in _DIGRESSIONS:
            return False
        if question.free:
            sure, longest = _DIGRESSIONS[heard.intent]
            if heard.intent == "check_progress" and (question.may_ask or not slots.is_question(heard.text)):
                return False
            return heard.confidence >= sure and length <= longest
        return heard.confidence >= _SURE_ENOUGH and not (answer is not None and length <= 2)

    def _in_between(self, heard: Heard, dispatcher: CollectingDispatcher) -> Found:
        """Progress is told here, because outside a form it is one itself; all else is left to the rules."""
        if heard.intent != "check_progress":
            return {}
        for say in progress.tell(heard) if heard.cases else [Say("utter_progress_once_sent")]:
            utter(dispatcher, say)
        return {"misses": heard.slots.get("misses") or 0}

    def _is_new_matter(self, heard: Heard, question: Question) -> bool:
        return (
            not question.free
            and heard.intent in KEPT_FOR_LATER
            and heard.confidence >= _SURE_OF_A_NEW_MATTER
            and slots.words_in(heard.text) >= 3
        )

    def _kept(self, intent: str, heard: Heard, dispatcher: CollectingDispatcher) -> Found:
        """Note another matter, to be opened when this one is done."""
        dispatcher.utter_message(response="utter_kept_for_later")
        return {"kept": [*(heard.slots.get("kept") or []), {"intent": intent, "words": heard.text}], "misses": 0}

    def _skipped(self, heard: Heard) -> bool:
        return heard.text.casefold() == SKIP and (heard.slots.get("misses") or 0) > 0

    def _missed(
        self, heard: Heard, question: Question, dispatcher: CollectingDispatcher, domain: dict[str, Any]
    ) -> Found:
        misses = (heard.slots.get("misses") or 0) + 1
        unread = [*(heard.slots.get("unread") or []), heard.text]
        if misses >= _MISSES_TO_PERSON:
            return {"misses": misses, "unread": unread, "handed_over": True}
        if misses == 1:
            key = f"utter_again_{question.slot}"
            dispatcher.utter_message(response=key if key in domain["responses"] else "utter_again")
        else:
            dispatcher.utter_message(response="utter_stuck")
        return {"misses": misses, "unread": unread}

    # --- the read-back ------------------------------------------------------------------------------------------------

    def confirm(self, heard: Heard) -> Found | None:
        """Read the answer to the read-back: yes, a change, or a correction on the spot."""
        said = heard.text.casefold().strip(" .!")
        plain = slots.yes_no(heard.text)
        rest = slots.correction(heard.text)
        if said == "change" or (plain == "no" and rest is None and slots.words_in(heard.text) <= 3):
            return {"changing": True}
        if plain == "yes" and slots.words_in(heard.text) <= 4:
            return {"confirm": "yes"}
        found: Found = {}
        if "contact_phone" in self.questions and (number := slots.phone(heard.text)):
            found["contact_phone"] = number
        if "contact_name" in self.questions and (name := slots.name(rest or heard.text)):
            found["contact_name"] = name
        if "address" in self.questions and (address := slots.address(rest or heard.text)):
            found["address"] = address
        if found:
            return found
        if (named := self._named(heard.text)) and slots.words_in(heard.text) <= 5:
            return self._reopen(named, heard)
        if (changed := self.another_answer(heard)) is not None:
            return changed
        return {"confirm": "yes"} if plain == "yes" else None

    def change_which(self, heard: Heard) -> Found | None:
        """Read which answer is to be changed: its choice, or a word for it."""
        slot = heard.text if heard.text in self.changeable else self._named(heard.text)
        return self._reopen(slot, heard) if slot else None

    def _named(self, text: str) -> str | None:
        said = f" {slots.tidy(text).casefold().strip(' .!?')} "
        return next(
            (slot for slot, words in self.changeable.items() if any(f" {word} " in said for word in words)), None
        )

    def _reopen(self, slot: str, heard: Heard) -> Found:
        again = [*(heard.slots.get("reask") or []), slot]
        return {slot: None, "changing": None, "change_which": None, "reask": again}

    # --- what subjects use --------------------------------------------------------------------------------------------

    def contact(self, heard: Heard) -> RememberContact:
        """What the tenant told us about themselves in this flow."""
        told = {field: heard.slots.get(slot) for slot, field in CONTACT_SLOTS.items() if slot in heard.slots}
        return RememberContact(
            **{field: value for field, value in told.items() if value not in (None, slots.NOT_GIVEN)}
        )

    def answers(self, heard: Heard) -> Found:
        """Every answer by slot, as kept with the case."""
        asked = {slot: heard.known(slot) for slot in self.needed(heard) if slot not in ("confirm", "change_which")}
        kept = {slot: value for slot, value in asked.items() if value is not None}
        if unread := heard.slots.get("unread"):
            kept["unread"] = unread
        return kept


def is_addition(text: str) -> bool:
    """Whether a message after a case was opened puts it right or adds to it."""
    return (slots.correction(text) is not None or slots.adds(text)) and slots.words_in(text) <= 25


def addition(heard: Heard) -> list[Say | Command]:
    """Add the message to the case opened in this conversation."""
    reference = str(heard.last_case)
    address = heard.known("address")
    corrected = slots.corrected_address(str(address), heard.text) if address else None
    details = {"address": corrected} if corrected else {}
    steps: list[Say | Command] = [AddToCase(reference, heard.text, details)]
    if corrected:
        steps.append(RememberContact(address=corrected))
    return [*steps, Say("utter_case_updated", {"reference": reference})]


def utter(dispatcher: CollectingDispatcher, step: Say | Command) -> None:
    """Hand a step to the engine the way rasa-sdk does: a response key, or a custom payload that is a command."""
    if isinstance(step, Say):
        buttons = [{"title": choice.label, "payload": choice.value} for choice in step.choices]
        dispatcher.utter_message(response=step.key, buttons=buttons, **step.args)
    else:
        dispatcher.utter_message(json_message=command_payload(step))


def _accept(slot: str) -> Callable[..., Found]:
    """rasa-sdk's validator of a slot. Reading, and refusing, happened in the ear; an empty text is no answer."""

    def validate(value: Any, *_context: Any) -> Found:
        return {slot: None if value == "" else value}

    return validate


class Finish(Action):
    """What follows a form: its commands, then the matters that were kept for later. Afterwards nothing is remembered."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow

    def name(self) -> str:
        return f"action_finish_{self._flow.subject}"

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        heard = Heard.read(tracker)
        if heard.slots.get("addition"):
            steps = addition(heard)
        else:
            steps = self._flow.finish(heard)
            if heard.slots.get("handed_over"):
                steps = [Say("utter_person_takes_over"), *steps, CallStaff("not_understood")]
        for step in [*steps, *open_kept(heard.slots.get("kept") or ())]:
            if step != RememberContact():
                utter(dispatcher, step)
        return [AllSlotsReset()]


class Ask(Action):
    """Asks a question whose words depend on what was said so far."""

    def __init__(self, name: str, speak: Callable[[Heard, Mapping[str, Any]], Say]) -> None:
        """`speak` is given what was heard and the responses of the domain."""
        self._name = name
        self._speak = speak

    def name(self) -> str:
        return self._name

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        utter(dispatcher, self._speak(Heard.read(tracker), domain["responses"]))
        return []


def asks(flow: Flow) -> list[Action]:
    """The actions that come with a flow that reads back."""
    if "confirm" not in flow.questions:
        return []
    return [Ask(f"action_ask_{flow.subject}_form_confirm", lambda heard, _responses: flow.read_back(heard))]


__all__ = [
    "Ask",
    "Finish",
    "Flow",
    "Found",
    "OpenCase",
    "Question",
    "addition",
    "asks",
    "is_addition",
    "utter",
]
