"""Everything that needs no questions: a person, help, small talk, anger, starting over, and what was not understood."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from rasa_sdk import Action, Tracker
from rasa_sdk.events import ActiveLoop, AllSlotsReset, SlotSet
from rasa_sdk.executor import CollectingDispatcher

from bot.flows import slots
from bot.flows.form import addition, is_addition, utter
from bot.flows.heard import Heard
from bot.messages import AddToCase, CallStaff, Command, OpenCase, Say

_SURE_OF_ANGER: Final = 0.5
"""Below this a strong word is taken for strong language about something that is wrong, not for abuse."""

Event = dict[str, Any]
Steps = Sequence[Say | Command]


class Reply(Action):
    """One answer to one message: steps, and what is remembered."""

    def __init__(self, name: str, answer: Callable[[Heard], tuple[Steps, list[Event]]]) -> None:
        self._name = name
        self._answer = answer

    def name(self) -> str:
        return self._name

    async def run(
        self, dispatcher: CollectingDispatcher, tracker: Tracker, domain: dict[str, Any]
    ) -> list[dict[str, Any]]:
        steps, events = self._answer(Heard.read(tracker))
        for step in steps:
            utter(dispatcher, step)
        return events


def person(heard: Heard) -> tuple[Steps, list[Event]]:
    """Someone wants a person: staff are called at once, and it is said when one can answer."""
    said = Say("utter_person_open" if heard.facts.get("open") else "utter_person_closed")
    # In the middle of a form a choice that begins another would throw its answers away.
    offer = [] if heard.active_form else [Say("utter_offer_callback")]
    return [CallStaff("asked_for_person"), said, *offer], []


def safeguarding(heard: Heard) -> tuple[Steps, list[Event]]:
    """A person at risk, in words that triage did not know: numbers, trained staff, no more questions."""
    reference = heard.hazard.get("case")
    case: Command
    if reference:
        case = AddToCase(str(reference), heard.text)
    else:
        case = OpenCase("service_request", "safeguarding", heard.text, slots.shorten(heard.text))
    return [Say("utter_safeguarding"), case, CallStaff("safeguarding")], [ActiveLoop(None), AllSlotsReset()]


def abusive(heard: Heard) -> tuple[Steps, list[Event]]:
    """One calm reply and the offer of a person; the second time a person looks."""
    if heard.confidence < _SURE_OF_ANGER and not heard.active_form:
        return not_understood(heard)
    if heard.slots.get("angry"):
        return [CallStaff("abusive"), Say("utter_abusive_again")], []
    return [Say("utter_abusive_in_form" if heard.active_form else "utter_abusive")], [SlotSet("angry", True)]


def cancel(heard: Heard) -> tuple[Steps, list[Event]]:
    """Start over. After a case was opened, the wish to call it off is added to the case."""
    if heard.active_form:
        return [Say("utter_cancelled")], [ActiveLoop(None), AllSlotsReset()]
    if heard.last_case and heard.text:
        return [
            AddToCase(heard.last_case, heard.text), CallStaff("wants_to_cancel"),
            Say("utter_cancel_passed_on", {"reference": heard.last_case}),
        ], []  # fmt: skip
    return [Say("utter_nothing_to_cancel")], []


def help_(heard: Heard) -> tuple[Steps, list[Event]]:
    """What can be done here; in the middle of something, what can be done now."""
    return [Say("utter_help_in_form" if heard.active_form else "utter_help")], []


def greet(heard: Heard) -> tuple[Steps, list[Event]]:
    """Hello, with what can be done here; in the middle of something, on with it."""
    return ([] if heard.active_form else [Say("utter_greet")]), []


def goodbye(heard: Heard) -> tuple[Steps, list[Event]]:
    """Goodbye; in the middle of something, that it is not sent yet."""
    return [Say("utter_not_sent_yet" if heard.active_form else "utter_goodbye")], []


def thank(heard: Heard) -> tuple[Steps, list[Event]]:
    """Thanks returned, outside a form only."""
    return ([] if heard.active_form else [Say("utter_welcome")]), []


def small_answer(heard: Heard) -> tuple[Steps, list[Event]]:
    """Yes or no, to nothing that was asked: something added to the last case, or the end."""
    if heard.last_case and is_addition(heard.text):
        return addition(heard), []
    return [Say("utter_all_right" if slots.yes_no(heard.text) == "no" else "utter_anything_else")], []


def not_understood(heard: Heard) -> tuple[Steps, list[Event]]:
    """First choices, then a person with an enquiry of its own; after a case was opened, more about it."""
    if heard.last_case and heard.text and not slots.is_question(heard.text) and slots.words_in(heard.text) >= 2:
        return addition(heard), []
    earlier = heard.slots.get("lost")
    if earlier is None:
        return [Say("utter_choices")], [SlotSet("lost", heard.text)]
    words = ". ".join(part for part in (str(earlier), heard.text) if part)
    opened = OpenCase("enquiry", "general", words, slots.shorten(words))
    return [Say("utter_person_will_read"), opened, CallStaff("not_understood")], [SlotSet("lost", None)]


def replies() -> list[Action]:
    """All of them, by the names that the rules use."""
    return [
        Reply("action_person", person),
        Reply("action_safeguarding", safeguarding),
        Reply("action_abusive", abusive),
        Reply("action_cancel", cancel),
        Reply("action_help", help_),
        Reply("action_greet", greet),
        Reply("action_goodbye", goodbye),
        Reply("action_thank", thank),
        Reply("action_small_answer", small_answer),
        Reply("action_not_understood", not_understood),
    ]
