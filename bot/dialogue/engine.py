"""The embedded dialogue engine: one message in, things to say and do out, in Rasa's order and by Rasa's rules.

It calls the same rasa-sdk actions that a Rasa server would, in process. A turn is synchronous and pure: the state handed
in is never changed, nothing is awaited, nothing is read but the project and the arguments.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from rasa_sdk import Action
from rasa_sdk.executor import ActionExecutor
from rasa_sdk.forms import FormValidationAction
from rasa_sdk.interfaces import ActionExecutionRejection

from bot.dialogue.errors import EngineError, ProjectError
from bot.dialogue.project import Project
from bot.dialogue.rules import LISTEN
from bot.dialogue.slots import REQUESTED_SLOT, Fillable, Form, Message, extract, fillable
from bot.dialogue.sources import Faults, Place
from bot.dialogue.tracker import Tracker
from bot.messages import BadCommand, Choice, Command, Say, Turn, Understanding, parse_command

ACTIONS_PER_TURN: Final = 10
"""Rasa's circuit breaker. A turn that needs more has a rule that never listens."""

_NOT_ARGUMENTS = {
    "text", "buttons", "elements", "custom", "template", "response", "image", "attachment", "channel", "json_message",
}  # fmt: skip

Event = dict[str, Any]
Step = Say | Command


class Interpreter(Protocol):
    """What makes an intent and entities of a text."""

    def classify(self, text: str) -> Understanding: ...

    def entities(self, text: str) -> Mapping[str, Any]: ...


def action_faults(project: Project, actions: Sequence[Action]) -> tuple[str, ...]:
    """Where the domain and the actions do not fit, as `file:line: reason`: an action nobody wrote, a required slot that
    its form does not validate (rasa-sdk would accept any answer for it)."""
    faults = Faults()
    domain = project.domain
    known = {action.name(): action for action in actions}
    for name, place in domain.actions.items():
        if name not in known and name not in domain.responses:
            faults.add(place, f"no action named {name} exists")
    top = Place(project.root / "domain", 1)
    for name in known:
        if name not in domain.actions:
            faults.add(top, f"the action {name} is not listed under actions")
    for (form, slot), place in domain.required_places.items():
        action = known.get(f"validate_{form}")
        if not isinstance(action, FormValidationAction):
            faults.add(place, f"form {form} has no FormValidationAction named validate_{form}")
        elif not callable(getattr(action, f"validate_{slot.replace('-', '_')}", None)):
            faults.add(place, f"{type(action).__name__} has no method validate_{slot}: any answer would be accepted")
    return tuple(faults)


class EmbeddedEngine:
    """Dialogue without a server. Holds nothing of a conversation, so one may serve them all."""

    def __init__(self, project: Project, classifier: Interpreter, actions: Sequence[Action]) -> None:
        """Raises ProjectError if the actions do not fit the project."""
        if faults := action_faults(project, actions):
            raise ProjectError(faults)
        self._project = project
        self._domain = project.domain
        self._classifier = classifier
        self._executor = ActionExecutor()
        for action in actions:
            self._executor.register_action(action)
        self._custom = {action.name() for action in actions}
        self._fillable: dict[tuple[str | None, str | None], Fillable] = {}
        """What a message can fill, by the form and the question asked last: worked out when it first comes to that."""

    def turn(
        self,
        state: Mapping[str, Any] | None,
        text: str,
        *,
        choice: str | None,
        intent: str | None,
        facts: Mapping[str, Any],
        sender: str,
    ) -> Turn:
        """Answer one message.

        `state` is the last turn's, None at first. `choice` is a value that we issued: a payload such as
        `/inform{"room": "kitchen"}`, or a plain answer; nothing a tenant types is ever read as a payload. `intent`, if
        given, stands above the classifier. `facts` reach actions as `latest_message["metadata"]["facts"]`.

        Raises EngineError for a fault of the flows; `state` is then as it was.
        """
        text, understanding = self._understand(text.strip(), choice, intent)
        tracker = Tracker.resume(self._domain, state, sender)
        tracker.history_kept = self._project.rules.depth
        entities = _flat(understanding.entities)
        message = Message(text, understanding.intent, entities)
        heard = {
            "text": text,
            "intent": {"name": understanding.intent, "confidence": understanding.confidence},
            "entities": [{"entity": name, "value": value} for name, value in entities],
        }
        ranking = [{"name": name, "confidence": value} for name, value in understanding.ranking]
        channel = facts.get("channel")
        tracker.hear(
            message,
            heard | {"intent_ranking": ranking, "metadata": {"facts": facts}},
            {"event": "user", "text": text, "parse_data": heard, "input_channel": channel},
        )
        self._extract(tracker)
        steps: list[Step] = []
        for _ in range(ACTIONS_PER_TURN):
            action = self._predict(tracker)
            if action == LISTEN:
                tracker.execute(LISTEN)
                return Turn(tuple(steps), tracker.dump(), understanding)
            self._run(action, tracker, steps)
        raise EngineError(f"more than {ACTIONS_PER_TURN} actions in one turn: {', '.join(tracker.executed)}")

    # --- understanding ----------------------------------------------------------------------------------------------

    def _understand(self, text: str, choice: str | None, intent: str | None) -> tuple[str, Understanding]:
        if intent is not None:
            if intent not in self._domain.intents:
                raise EngineError(f"the intent {intent!r} is not in the domain")
            return text, Understanding(intent, 1.0, ((intent, 1.0),), self._classifier.entities(text))
        if choice is not None:
            chosen = self._payload(choice)
            if chosen is not None:
                return text or choice, chosen
            if not choice.startswith("/"):
                text = choice.strip()
        return text, self._classifier.classify(text)

    def _payload(self, choice: str) -> Understanding | None:
        """`/intent` or `/intent{json}`; None if it is not a payload of this project (an old button, a plain value)."""
        if not choice.startswith("/"):
            return None
        name, brace, rest = choice[1:].partition("{")
        name = name.strip()
        entities: Any = {}
        if brace:
            try:
                entities = json.loads(brace + rest)
            except ValueError:
                return None
        if name not in self._domain.intents or not isinstance(entities, dict):
            return None
        known = {key: value for key, value in entities.items() if key in self._domain.entities}
        return Understanding(name, 1.0, ((name, 1.0),), known)

    def _extract(self, tracker: Tracker) -> list[tuple[str, Any]]:
        form = self._domain.forms[tracker.loop.name] if tracker.loop else None
        filled = extract(self._fillable_now(tracker, form), tracker.slots, tracker.message, form)
        for name, value in filled:
            tracker.set_slot(name, value, "extraction")
        return filled

    def _fillable_now(self, tracker: Tracker, form: Form | None) -> Fillable:
        requested = tracker.slots[REQUESTED_SLOT]
        if requested is not None and requested not in self._domain.slots:
            return fillable(self._domain.slots, form, requested)  # a question of an older project: not worth keeping
        point = (form.name if form is not None else None, requested)
        if point not in self._fillable:
            self._fillable[point] = fillable(self._domain.slots, form, requested)
        return self._fillable[point]

    # --- choosing an action -----------------------------------------------------------------------------------------

    def _predict(self, tracker: Tracker) -> str:
        loop = tracker.loop
        if loop is not None and not loop.rejected:
            return LISTEN if tracker.latest_action == loop.name else loop.name
        history = [*tracker.history, tracker.state()]
        prediction = self._project.rules.predict(history, loop.name if loop else None)
        action = prediction.action or self._project.fallback
        if prediction.interrupted and loop is not None:
            loop.interrupted = True
        if action == tracker.rejected:
            return self._project.fallback
        return action

    # --- running it -------------------------------------------------------------------------------------------------

    def _run(self, action: str, tracker: Tracker, steps: list[Step]) -> None:
        if action in self._domain.forms:
            self._run_form(self._domain.forms[action], tracker, steps)
            return
        said: list[Step] = []
        if action == "action_deactivate_loop":
            events: list[Event] = [_slot(REQUESTED_SLOT, None), {"event": "active_loop", "name": None}]
        elif action in self._custom:
            try:
                events, said = self._call(action, tracker.for_action(), tracker)
            except ActionExecutionRejection:
                tracker.reject(action)
                return
        else:
            events, said = [], [self._say(action, {}, tracker.slots)]
        tracker.execute(action)
        self._keep(said, tracker, steps)
        for event in events:
            tracker.apply(event, action)

    def _run_form(self, form: Form, tracker: Tracker, steps: list[Step]) -> None:
        said: list[Step] = []
        events: list[Event] = []
        try:
            if tracker.loop is None or tracker.loop.name != form.name:
                events = self._activate(form, tracker, said)
            else:
                events = self._continue(form, tracker, said)
        except ActionExecutionRejection:
            tracker.reject(form.name)
            return
        if not _done(events) and not any(event.get("event") == "action_execution_rejected" for event in events):
            events += self._ask(form, tracker, events, said)
        if _done(events):
            events += [_slot(REQUESTED_SLOT, None), {"event": "active_loop", "name": None}]
        tracker.execute(form.name)
        self._keep(said, tracker, steps)
        for event in events:
            tracker.apply(event, form.name)

    def _activate(self, form: Form, tracker: Tracker, said: list[Step]) -> list[Event]:
        tracker.set_loop(form.name, form.name)
        self._extract(tracker)
        prefilled = {name: tracker.slots[name] for name in form.required_slots if tracker.slots[name] is not None}
        return self._validate(form, prefilled, tracker, said, requested=None)

    def _continue(self, form: Form, tracker: Tracker, said: list[Step]) -> list[Event]:
        requested = tracker.slots[REQUESTED_SLOT]
        reads_answer = tracker.latest_action == LISTEN and not (tracker.loop and tracker.loop.interrupted)
        if not reads_answer:
            return self._validate(form, {}, tracker, said, requested=requested)
        wanted = {*form.required_slots, requested}
        candidates = {
            name: value for name, value in tracker.turn_slots.items() if name in wanted and name != REQUESTED_SLOT
        }
        events = self._validate(form, candidates, tracker, said, requested=requested)
        validated = any(event.get("event") == "slot" and event["name"] != REQUESTED_SLOT for event in events)
        rejected = any(event.get("event") == "action_execution_rejected" for event in events)
        if requested and not candidates and not validated and not rejected:
            raise ActionExecutionRejection(form.name)
        return events

    def _validate(
        self, form: Form, candidates: Mapping[str, Any], tracker: Tracker, said: list[Step], requested: str | None
    ) -> list[Event]:
        offered = [_slot(name, value) for name, value in candidates.items()]
        name = f"validate_{form.name}"
        if name not in self._custom:
            return offered
        more = [_slot(REQUESTED_SLOT, requested), {"event": "action", "name": form.name}, *offered]
        events, utterances = self._call(name, tracker.for_action(form=form.name, more=more), tracker)
        said += utterances
        answered = {event.get("name") for event in events if event.get("event") == "slot"}
        return events + [event for event in offered if event["name"] not in answered]

    def _ask(self, form: Form, tracker: Tracker, events: list[Event], said: list[Step]) -> list[Event]:
        chosen = next(
            (event["value"] for event in events if event.get("event") == "slot" and event["name"] == REQUESTED_SLOT),
            None,
        )
        slots = dict(tracker.slots)
        slots.update({event["name"]: event["value"] for event in events if event.get("event") == "slot"})
        asked: list[Event] = []
        if not chosen:
            chosen = next((name for name in form.required_slots if slots.get(name) is None), None)
            asked = [_slot(REQUESTED_SLOT, chosen)]
        if not chosen:
            return asked
        ask = self._domain.ask(form.name, chosen)
        if ask is None:
            return asked
        if ask in self._custom:
            more = [{"event": "action", "name": form.name}, *events]
            ask_events, utterances = self._call(ask, tracker.for_action(form=form.name, more=more), tracker)
            said += utterances
            return asked + ask_events
        said.append(self._say(ask, {}, slots))
        return asked

    def _call(self, name: str, shown: dict[str, Any], tracker: Tracker) -> tuple[list[Event], list[Step]]:
        """Run an action of ours through rasa-sdk's executor, to its end, without an event loop."""
        running = self._executor.run({
            "next_action": name, "sender_id": tracker.sender, "tracker": shown, "domain": self._domain.plain,
        })  # fmt: skip
        try:
            running.send(None)
        except StopIteration as finished:
            result = finished.value
        except (ActionExecutionRejection, EngineError):
            raise
        except Exception as error:
            raise EngineError(f"{name} failed: {type(error).__name__}: {error}") from error
        else:
            running.close()
            raise EngineError(f"{name} waits for something outside; flows are pure")
        said = [step for response in result.responses for step in self._steps(name, response, shown["slots"])]
        return result.events, said

    def _steps(self, action: str, response: Mapping[str, Any], slots: Mapping[str, Any]) -> list[Step]:
        """What one `utter_message` of an action means."""
        if response.get("text") or response.get("image") or response.get("attachment") or response.get("elements"):
            raise EngineError(f"{action} said something that is not a response key")
        found: list[Step] = []
        key = response.get("response") or response.get("template")
        if key:
            args = {name: value for name, value in response.items() if name not in _NOT_ARGUMENTS}
            choices = tuple(_choice(action, button) for button in response.get("buttons") or ())
            found.append(self._say(key, args, slots, choices))
        custom = response.get("custom")
        if custom:
            try:
                found.append(parse_command(custom))
            except BadCommand as error:
                raise EngineError(f"{action}: {error}") from error
        return found

    def _say(
        self, key: str, args: Mapping[str, Any], slots: Mapping[str, Any], choices: tuple[Choice, ...] = ()
    ) -> Say:
        response = self._domain.responses.get(key)
        if response is None:
            raise EngineError(f"the response {key!r} is not in the domain")
        mentioned = {name: slots[name] for name in response.mentions if name in slots}
        return Say(key, mentioned | dict(args), choices)

    def _keep(self, said: list[Step], tracker: Tracker, steps: list[Step]) -> None:
        for step in said:
            steps.append(step)
            if isinstance(step, Say):
                tracker.said(step.key)


def _slot(name: str, value: Any) -> Event:
    return {"event": "slot", "name": name, "value": value}


def _done(events: Sequence[Event]) -> bool:
    """A form is done when its validation asked for nothing more, or switched the form off; the last word counts."""
    if any(event.get("event") == "action_execution_rejected" for event in events):
        return False
    for event in reversed(events):
        if event.get("event") == "slot" and event["name"] == REQUESTED_SLOT:
            if event["value"] is None:
                return True
            break
    for event in reversed(events):
        if event.get("event") in {"active_loop", "form"}:
            return event.get("name") is None
    return False


def _choice(action: str, button: Mapping[str, Any]) -> Choice:
    try:
        return Choice(str(button["title"]), str(button["payload"]))
    except KeyError as error:
        raise EngineError(f"{action}: a button needs a title and a payload") from error


def _flat(entities: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Several values of one entity are a list; a rule and a slot see each."""
    flat: list[tuple[str, Any]] = []
    for name, value in entities.items():
        flat.extend((name, item) for item in (value if isinstance(value, list) else [value]))
    return flat
