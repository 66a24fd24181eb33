"""A conversation while a turn is under way: built from the state of the last turn, written back as plain JSON."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from bot.dialogue.domain import Domain
from bot.dialogue.errors import EngineError
from bot.dialogue.rules import LISTEN, State
from bot.dialogue.slots import REQUESTED_SLOT, Message

EVENTS_KEPT: Final = 40
"""How many events a state carries into the next turn. An action that needs older ones needs a slot."""

JSON = Any


@dataclass
class Loop:
    """The active form."""

    name: str
    rejected: bool = False
    interrupted: bool = False


@dataclass
class Tracker:
    """What the engine knows of a conversation."""

    domain: Domain
    slots: dict[str, JSON]
    loop: Loop | None
    latest_action: str | None
    events: list[dict[str, JSON]]
    history: list[State]
    sender: str
    message: Message = field(default_factory=lambda: Message("", "", ()))
    latest_message: dict[str, JSON] = field(default_factory=dict)
    turn_slots: dict[str, JSON] = field(default_factory=dict)
    """Slots set since the user's message, newest value each."""
    rejected: str | None = None
    """The action whose rejection is the newest thing that happened."""
    executed: list[str] = field(default_factory=list)
    """The actions of this turn, in order."""
    history_kept: int = 8
    """How many states the longest rule looks back."""

    @classmethod
    def resume(cls, domain: Domain, state: Mapping[str, JSON] | None, sender: str) -> "Tracker":
        """From the state of the last turn. What the project no longer knows (a slot, a form) is dropped."""
        state = state or {}
        initial = {name: _copy(slot.initial) for name, slot in domain.slots.items()}
        kept = {name: _copy(value) for name, value in dict(state.get("slots") or {}).items() if name in initial}
        requested = (state.get("slots") or {}).get(REQUESTED_SLOT)
        loop = state.get("loop")
        active = Loop(loop["name"], loop["rejected"], loop["interrupted"]) if loop else None
        if active is not None and active.name not in domain.forms:
            active, requested = None, None
        return cls(
            domain,
            initial | kept | {REQUESTED_SLOT: requested},
            active,
            state.get("latest_action"),
            list(state.get("events") or ()),
            list(state.get("history") or ()),
            sender,
        )

    def hear(self, message: Message, latest_message: dict[str, JSON], event: dict[str, JSON]) -> None:
        """The user's message. `latest_message` is what actions see, `event` what the state keeps."""
        if self.latest_action is None:
            self._note_action(LISTEN)
        self.message = message
        self.latest_message = latest_message
        self.events.append(event)
        self.turn_slots = {}
        self.rejected = None

    def state(self) -> State:
        """What rules see of this moment."""
        features = {}
        for name, slot in self.domain.slots.items():
            if slot.influences and (feature := slot.feature(self.slots[name])) is not None:
                features[name] = feature
        return {
            "prev": self.latest_action,
            "intent": self.message.intent or None,
            "entities": sorted({name for name, _value in self.message.entities}),
            "slots": features,
            "loop": self.loop.name if self.loop else None,
        }

    def execute(self, action: str) -> None:
        """`action` ran: before its events are applied."""
        self._note_action(action)
        self.executed.append(action)
        self.rejected = None
        if self.loop is not None:
            self.loop.interrupted = False
            if action == self.loop.name:
                self.loop.rejected = False

    def reject(self, action: str) -> None:
        """`action` would not run on this message."""
        self.events.append({"event": "action_execution_rejected", "name": action})
        self.rejected = action
        if self.loop is not None and self.loop.name == action:
            self.loop.rejected = True

    def apply(self, event: Mapping[str, JSON], source: str) -> None:
        """One event that `source` (an action) returned. Raises EngineError for what this engine does not support."""
        kind = event.get("event")
        if kind == "slot":
            self.set_slot(str(event.get("name")), event.get("value"), source)
        elif kind == "reset_slots":
            for name, slot in self.domain.slots.items():
                self.set_slot(name, _copy(slot.initial), source)
            self.slots[REQUESTED_SLOT] = None
        elif kind in {"active_loop", "form"}:
            self.set_loop(event.get("name"), source)
        elif kind == "action_execution_rejected":
            self.reject(str(event.get("name")))
        else:
            raise EngineError(f"{source} returned the event {kind!r}, which this engine does not support")

    def set_slot(self, name: str, value: JSON, source: str) -> None:
        """Fill or empty a slot."""
        if name != REQUESTED_SLOT and name not in self.domain.slots:
            raise EngineError(f"{source} set the slot {name!r}, which the domain does not declare")
        if not _is_json(value):
            raise EngineError(f"{source} set the slot {name!r} to {type(value).__name__}, which is not JSON")
        self.slots[name] = value
        self.events.append({"event": "slot", "name": name, "value": value})
        self.turn_slots.pop(name, None)
        self.turn_slots[name] = value

    def set_loop(self, name: str | None, source: str) -> None:
        """Make a form the active one, or none."""
        if name is not None and name not in self.domain.forms:
            raise EngineError(f"{source} activated {name!r}, which is not a form of the domain")
        self.events.append({"event": "active_loop", "name": name})
        if name is None:
            self.loop = None
        elif self.loop is None or self.loop.name != name:
            self.loop = Loop(name)

    def said(self, key: str) -> None:
        """A response left for the user."""
        self.events.append({"event": "bot", "text": None, "metadata": {"utter_action": key}})

    def _note_action(self, action: str) -> None:
        self.history.append(self.state())
        del self.history[: -self.history_kept]
        self.events.append({"event": "action", "name": action})
        self.latest_action = action

    def dump(self) -> dict[str, JSON]:
        """The state to keep: plain JSON, bounded."""
        return {
            "slots": self.slots,
            "loop": None
            if self.loop is None
            else {"name": self.loop.name, "rejected": self.loop.rejected, "interrupted": self.loop.interrupted},
            "latest_action": self.latest_action,
            "events": self.events[-EVENTS_KEPT:],
            "history": self.history,
        }

    def for_action(self, *, form: str | None = None, more: list[dict[str, JSON]] | None = None) -> dict[str, JSON]:
        """The tracker as rasa-sdk reads it. With `form`, as a form shows it: `more` events have been applied on top."""
        slots = dict(self.slots)
        loop: dict[str, JSON] = {}
        if self.loop is not None:
            loop = {
                "name": self.loop.name,
                "rejected": self.loop.rejected,
                "is_interrupted": self.loop.interrupted,
                "trigger_message": {},
            }
        for event in more or ():
            if event.get("event") == "slot":
                slots[event["name"]] = event["value"]
        return {
            "sender_id": self.sender,
            "slots": slots,
            "latest_message": self.latest_message,
            "events": [*self.events, *(more or ())],
            "paused": False,
            "followup_action": None,
            "active_loop": loop,
            "latest_action_name": form or self.latest_action,
        }


def active_form(state: Mapping[str, JSON] | None) -> str | None:
    """The form that a conversation with this state is in the middle of, None if it is in none."""
    loop = (state or {}).get("loop")
    return loop["name"] if loop else None


def _copy(value: JSON) -> JSON:
    return deepcopy(value) if isinstance(value, list | dict) else value


def _is_json(value: JSON) -> bool:
    if value is None or isinstance(value, str | bool | int | float):
        return True
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    return False
