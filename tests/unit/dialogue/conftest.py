"""A small project of its own: the engine's rules are tested without the product's words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rasa_sdk import Action
from rasa_sdk.events import SlotSet
from rasa_sdk.forms import FormValidationAction

from bot.dialogue import EmbeddedEngine, Project, active_form, load_project
from bot.messages import Say, Turn, Understanding

PROJECT = Path(__file__).parent / "project"


class Keywords:
    """`intent key=value key=value` understood literally: tests say what they mean."""

    def classify(self, text: str) -> Understanding:
        words = text.split()
        intent = words[0] if words and not words[0].startswith("/") else "inform"
        known = {"greet", "affirm", "deny", "order", "reserve", "inform", "faq", "cancel", "switch", "think", "loop"}
        return Understanding(intent if intent in known else "inform", 0.9, ((intent, 0.9),), self.entities(text))

    def entities(self, text: str) -> Mapping[str, Any]:
        found: dict[str, list[str]] = {}
        for word in text.split():
            name, equals, value = word.partition("=")
            if equals and name in {"size", "number", "street"}:
                found.setdefault(name, []).append(value)
        return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


class ValidatePizza(FormValidationAction):
    def name(self) -> str:
        return "validate_pizza_form"

    def validate_occasion(self, value, dispatcher, tracker, domain):
        return {"occasion": value}

    def validate_topping(self, value, dispatcher, tracker, domain):
        if "stop" in value:
            return {"topping": "none", "requested_slot": None}
        return {"topping": value.lower()}

    async def validate_size(self, value, dispatcher, tracker, domain):
        if value not in {"small", "large"}:
            dispatcher.utter_message(response="utter_bad_size", wrong=value)
            return {"size": None}
        return {"size": value}

    def validate_boxed(self, value, dispatcher, tracker, domain):
        return {"boxed": value}


class ValidateMove(FormValidationAction):
    def name(self) -> str:
        return "validate_move_form"

    async def required_slots(self, domain_slots, dispatcher, tracker, domain):
        if tracker.get_slot("from_street") == "nowhere":
            return ["from_street"]
        return domain_slots

    def validate_from_street(self, value, dispatcher, tracker, domain):
        return {"from_street": value}

    def validate_to_street(self, value, dispatcher, tracker, domain):
        return {"to_street": value}


class AskTo(Action):
    def name(self) -> str:
        return "action_ask_to_street"

    def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(
            response="utter_ask_to",
            buttons=[{"title": "Home", "payload": "home"}],
            hint=tracker.get_slot("from_street"),
        )
        return []


class PlaceOrder(Action):
    def name(self) -> str:
        return "action_place_order"

    def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(
            json_message={
                "command": "open_case",
                "kind": "enquiry",
                "category": "general",
                "words": tracker.get_slot("topping"),
                "summary": str(tracker.latest_message["metadata"]["facts"].get("open")),
            }
        )
        return [SlotSet(name, None) for name in ("topping", "size", "boxed", "occasion")]


class Greet(Action):
    def name(self) -> str:
        return "action_greet"

    def run(self, dispatcher, tracker, domain):
        text = tracker.latest_message["text"]
        if "crash" in text:
            raise KeyError("topping")
        if "literal" in text:
            dispatcher.utter_message(text="Hi!")
        if "command" in text:
            dispatcher.utter_message(json_message={"command": "open_case", "colour": "red"})
        if "event" in text:
            return [{"event": "followup", "name": "action_listen"}]
        if "set" in text:
            return [SlotSet("greeted", object())]
        dispatcher.utter_message(response="utter_greet")
        return [SlotSet("greeted", True)]


class Lost(Action):
    def name(self) -> str:
        return "action_lost"

    def run(self, dispatcher, tracker, domain):
        dispatcher.utter_message(response="utter_lost")
        return []


ACTIONS = (ValidatePizza(), ValidateMove(), AskTo(), PlaceOrder(), Greet(), Lost())


@pytest.fixture(scope="session")
def project() -> Project:
    return load_project(PROJECT)


@pytest.fixture(scope="session")
def engine(project: Project) -> EmbeddedEngine:
    return EmbeddedEngine(project, Keywords(), ACTIONS)


class Talk:
    """A conversation: `say` returns what was said and done, by name."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self.engine = engine
        self.state: Mapping[str, Any] | None = None
        self.last: Turn | None = None

    def say(self, text: str, *, choice: str | None = None, intent: str | None = None) -> list[str]:
        turn = self.engine.turn(self.state, text, choice=choice, intent=intent, facts={"open": True}, sender="s1")
        self.state, self.last = turn.state, turn
        return [step.key if isinstance(step, Say) else type(step).__name__ for step in turn.steps]

    @property
    def slots(self) -> Mapping[str, Any]:
        assert self.state is not None
        return self.state["slots"]

    @property
    def form(self) -> str | None:
        return active_form(self.state)


@pytest.fixture
def talk(engine: EmbeddedEngine) -> Talk:
    return Talk(engine)
