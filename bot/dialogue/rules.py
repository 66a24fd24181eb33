"""Rules: each is compiled to tail patterns over the last few states of a conversation.

A state is what stood before an action was chosen: the action before it, what the user meant, the slots that influence
the conversation, the active form. A pattern names some of these; it matches when everything it names is equal. Of the
patterns that match, the longest in Rasa's own serialisation decides, so that the same project behaves the same on a
Rasa server.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bot.dialogue.slots import UNSET, Slot
from bot.dialogue.sources import Faults, Place

LISTEN: Final = "action_listen"

State = Mapping[str, Any]
"""`prev` (action name), `intent`, `entities` (sorted names), `slots` (name to feature), `loop` (form name or None)."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a rule, checked: `what` is intent, action, active_loop or slot_was_set."""

    what: str
    value: Any
    entities: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as written, with its alternatives (`or`) spelled out."""

    name: str
    place: Place
    conditions: tuple[Step, ...]
    steps: tuple[Step, ...]
    waits: bool = True


@dataclass(frozen=True, slots=True)
class _Pattern:
    states: tuple[State, ...]
    action: str
    length: int

    def matches(self, history: Sequence[State]) -> bool:
        if len(self.states) > len(history):
            return False
        return all(
            _state_matches(wanted, state)
            for wanted, state in zip(reversed(self.states), reversed(history), strict=False)
        )


def _state_matches(wanted: State, state: State) -> bool:
    if wanted["prev"] != state["prev"]:
        return False
    if wanted["intent"] is not None and wanted["intent"] != state["intent"]:
        return False
    if wanted["entities"] is not None and list(wanted["entities"]) != list(state["entities"] or ()):
        return False
    if wanted["loop"] is not None:
        loop = state["loop"]
        if loop is not None if wanted["loop"] == UNSET else loop != wanted["loop"]:
            return False
    slots = state["slots"]
    for name, feature in wanted["slots"].items():
        have = slots.get(name)
        if have is not None if feature == UNSET else have != feature:
            return False
    return True


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the rules make of a history. `action` is None where no rule has anything to say."""

    action: str | None
    interrupted: bool = False
    """The form that comes next is not to read the user's message as an answer."""


@dataclass(frozen=True)
class RuleBook:
    """All rules of a project, compiled."""

    depth: int = 1
    """How many states a history needs for the longest pattern."""
    _by_prev: Mapping[tuple[str, str | None], tuple[_Pattern, ...]] = field(default_factory=dict)
    _interrupting: tuple[_Pattern, ...] = ()
    _no_loop: tuple[_Pattern, ...] = ()

    def predict(self, history: Sequence[State], active_loop: str | None) -> Prediction:
        """The next action after `history`, oldest state first."""
        last = history[-1]
        best: _Pattern | None = None
        for key in ((last["prev"], last["intent"]), (last["prev"], None)):
            for pattern in self._by_prev.get(key, ()):
                if (best is None or pattern.length > best.length) and pattern.matches(history):
                    best = pattern
        action = best.action if best else None
        if active_loop is None:
            return Prediction(action)
        leaves_form = any(pattern.matches(history) for pattern in self._no_loop)
        if best is not None and action == LISTEN and best.states[-1]["loop"] in {None, UNSET}:
            return Prediction(None) if leaves_form else Prediction(active_loop)
        return Prediction(action, any(pattern.matches(history) for pattern in self._interrupting))


def compile_rules(rules: Iterable[Rule], slots: Mapping[str, Slot], faults: Faults) -> RuleBook:
    """The rule book of `rules`; two rules that contradict each other are faults."""
    patterns: dict[str, tuple[_Pattern, Rule]] = {}
    for rule in rules:
        for states, action in _patterns(rule, slots):
            key = "".join(_serialise(state) for state in states)
            known = patterns.get(key)
            if known is None:
                patterns[key] = (_Pattern(tuple(states), action, len(key)), rule)
            elif known[0].action != action:
                faults.add(
                    rule.place,
                    f"rule {rule.name!r} leads to {action} where {known[1].name!r} ({known[1].place}) "
                    f"leads to {known[0].action} from the same state",
                )
    by_prev: dict[tuple[str, str | None], list[_Pattern]] = {}
    interrupting: list[_Pattern] = []
    no_loop: list[_Pattern] = []
    for pattern, _rule in patterns.values():
        last = pattern.states[-1]
        by_prev.setdefault((last["prev"], last["intent"]), []).append(pattern)
        if last["loop"] not in {None, UNSET}:
            if last["prev"] == LISTEN and pattern.action == last["loop"]:
                interrupting.append(pattern)
            elif last["prev"] != LISTEN and pattern.action != last["loop"]:
                no_loop.append(pattern)
    return RuleBook(
        depth=max((len(pattern.states) for pattern, _rule in patterns.values()), default=1),
        _by_prev={key: tuple(found) for key, found in by_prev.items()},
        _interrupting=tuple(interrupting),
        _no_loop=tuple(no_loop),
    )


def _patterns(rule: Rule, slots: Mapping[str, Slot]) -> list[tuple[list[State], str]]:
    """(states, action that follows) for every step. The state before the rule's first step is unknown and left out."""
    current: dict[str, Any] = {"prev": None, "intent": None, "entities": None, "slots": {}, "loop": None}
    done: list[State] = []
    found: list[tuple[list[State], str]] = []

    def follow(action: str) -> None:
        if current["prev"] is not None:
            state = {**current, "slots": dict(current["slots"])}
            done.append(state)
            found.append((list(done), action))
        current["prev"] = action

    for condition in rule.conditions:
        _note(current, condition, slots)
    for step in rule.steps:
        if step.what == "intent":
            if current["prev"] != LISTEN:
                follow(LISTEN)
            current["intent"], current["entities"] = step.value, step.entities
        elif step.what == "action":
            follow(step.value)
        else:
            _note(current, step, slots)
    if rule.waits and current["prev"] != LISTEN:
        follow(LISTEN)
    return found


def _note(state: dict[str, Any], step: Step, slots: Mapping[str, Slot]) -> None:
    if step.what == "active_loop":
        state["loop"] = UNSET if step.value is None else step.value
        return
    name, value = step.value
    slot = slots.get(name)
    if slot is None or not slot.influences:
        return
    feature = slot.feature(value)
    state["slots"][name] = UNSET if feature is None else feature


def _serialise(state: State) -> str:
    shown: dict[str, Any] = {"prev_action": {"action_name": state["prev"]}}
    if state["intent"] is not None:
        shown["user"] = {"intent": state["intent"]}
        if state["entities"]:
            shown["user"]["entities"] = list(state["entities"])
    if state["slots"]:
        shown["slots"] = state["slots"]
    if state["loop"] is not None:
        shown["active_loop"] = {"name": state["loop"]}
    return json.dumps(shown, sort_keys=True).replace('"', "")
