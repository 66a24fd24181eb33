"""Slots: what a project may say about them, what a rule sees of them, and how an answer fills them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

REQUESTED_SLOT: Final = "requested_slot"
"""The slot whose question was asked last. The engine keeps it; no project declares it."""

UNSET: Final = "should_not_be_set"
"""In a rule: must be empty. Rasa's own word, which counts towards the length of a serialised pattern."""


@dataclass(frozen=True, slots=True)
class Condition:
    """When a mapping applies: only while this form asks, and, if given, only for this question."""

    active_loop: str | None
    requested_slot: str | None = None
    any_slot: bool = True

    def holds(self, active_loop: str | None, requested: str | None) -> bool:
        return self.active_loop == active_loop and (self.any_slot or self.requested_slot == requested)


@dataclass(frozen=True, slots=True)
class SlotMapping:
    """One way to fill a slot from a message."""

    kind: str
    entity: str | None = None
    intents: frozenset[str] = frozenset()
    not_intents: frozenset[str] = frozenset()
    value: Any = None
    conditions: tuple[Condition, ...] = ()

    def is_in_form(self, form: str) -> bool:
        return any(condition.active_loop == form for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot of the domain, in the order of the domain's files."""

    name: str
    kind: str
    mappings: tuple[SlotMapping, ...]
    initial: Any = None
    influences: bool = False
    values: tuple[str, ...] = ()

    def feature(self, value: Any) -> Any:
        """What a rule can tell about `value`; None is "unset". The form is the one that Rasa serialises."""
        if value is None or not self.influences:
            return None
        if self.kind == "bool":
            return [1.0, 1.0 if value else 0.0]
        if self.kind == "list":
            return [1.0] if value else None
        if self.kind == "categorical":
            wanted = str(value).lower()
            known = [1.0 if wanted == other.lower() else 0.0 for other in self.values]
            return [*known, 0.0 if any(known) else 1.0]
        return [1.0]


@dataclass(frozen=True, slots=True)
class Message:
    """What extraction reads of a user's message."""

    text: str
    intent: str
    entities: Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the domain."""

    name: str
    required_slots: tuple[str, ...]
    ignored_intents: frozenset[str] = frozenset()
    shared_entities: frozenset[tuple[str, int]] = frozenset()
    """Mappings from an entity that more than one required slot has: (slot, index of the mapping)."""


def shared_entity_mappings(slots: Mapping[str, Slot], required: Iterable[str]) -> frozenset[tuple[str, int]]:
    """Of the slots that a form requires, the entity mappings that occur in exactly the same form in several."""
    seen: dict[str, list[tuple[str, int]]] = {}
    for name in required:
        for index, mapping in enumerate(slots[name].mappings if name in slots else ()):
            if mapping.kind == "from_entity":
                seen.setdefault(repr(mapping), []).append((name, index))
    return frozenset(pair for pairs in seen.values() if len(pairs) > 1 for pair in pairs)


Fillable = Sequence[tuple[Slot, Sequence[SlotMapping]]]
"""Slots with the mappings that count at one point of a conversation, in the domain's order."""


def fillable(slots: Mapping[str, Slot], form: Form | None, requested: str | None) -> Fillable:
    """What a message can fill while `form` is the active one, if any, and `requested` was asked last, whatever it says."""
    found = [(slot, _mappings(slot, form, requested)) for slot in slots.values()]
    return tuple((slot, mappings) for slot, mappings in found if mappings)


def _mappings(slot: Slot, form: Form | None, requested: str | None) -> tuple[SlotMapping, ...]:
    active = form.name if form is not None else None
    found = []
    for index, mapping in enumerate(slot.mappings):
        if mapping.conditions and not any(condition.holds(active, requested) for condition in mapping.conditions):
            continue
        if form is not None and requested != slot.name and (slot.name, index) in form.shared_entities:
            continue  # an entity that would fit several questions of the form answers only the one that was asked
        if form is not None and form.ignored_intents and mapping.is_in_form(form.name):
            mapping = replace(mapping, not_intents=mapping.not_intents | form.ignored_intents)
        found.append(mapping)
    return tuple(found)


def extract(
    candidates: Fillable, values: Mapping[str, Any], message: Message, form: Form | None
) -> list[tuple[str, Any]]:
    """What `message` fills of the `candidates`, as (slot, value) in their order. `form` is the active one, if any.

    The first mapping of a slot that yields a value wins. A slot that is already filled is filled again: only conditions
    prevent that. Rasa behaves the same way.
    """
    filled: list[tuple[str, Any]] = []
    for slot, mappings in candidates:
        for mapping in mappings:
            wanted = message.intent in mapping.intents if mapping.intents else message.intent not in mapping.not_intents
            if not wanted:
                continue
            found = _read(mapping, message, form)
            if not found:
                continue
            value = found if slot.kind == "list" else found[-1]
            if value is not None or values.get(slot.name) is not None:
                filled.append((slot.name, value))
                break
    return filled


def _read(mapping: SlotMapping, message: Message, form: Form | None) -> list[Any]:
    if mapping.kind == "from_entity":
        return [value for name, value in message.entities if name == mapping.entity]
    if mapping.kind == "from_intent":
        return [mapping.value]
    if mapping.kind == "from_trigger_intent":
        in_form = form is not None and (not mapping.conditions or mapping.is_in_form(form.name))
        return [mapping.value] if in_form else []
    if mapping.kind == "from_text":
        return [message.text] if message.text else []
    return []
