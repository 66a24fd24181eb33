"""The domain: `domain/*.yml` merged and checked, key by key, against what the embedded engine understands."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bot.dialogue.slots import REQUESTED_SLOT, Condition, Form, Slot, SlotMapping, shared_entity_mappings
from bot.dialogue.sources import Faults, Located, Place

BUILT_IN: Final = frozenset({"action_listen", "action_deactivate_loop"})

_TOP_KEYS = {"version", "intents", "entities", "slots", "forms", "responses", "actions", "session_config"}
_SLOT_KINDS = {"text", "bool", "categorical", "list", "any"}
_SLOT_KEYS = {"type", "initial_value", "influence_conversation", "values", "mappings"}
_MAPPING_KEYS = {
    "from_entity": {"type", "entity", "intent", "not_intent", "conditions"},
    "from_intent": {"type", "value", "intent", "not_intent", "conditions"},
    "from_trigger_intent": {"type", "value", "intent", "not_intent", "conditions"},
    "from_text": {"type", "intent", "not_intent", "conditions"},
    "custom": {"type", "conditions"},
}
_RESPONSE_KEYS = {"text", "channel", "condition", "buttons", "image", "custom", "attachment", "metadata", "id"}
_REFUSED_ACTIONS = {
    "action_default_fallback", "action_restart", "action_session_start", "action_back", "action_two_stage_fallback",
    "action_revert_fallback_events", "action_default_ask_affirmation", "action_default_ask_rephrase",
    "action_unlikely_intent", "action_extract_slots", "action_validate_slot_mappings",
}  # fmt: skip
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Response:
    """A response key: what it mentions, and where it stands. Its words belong to `bot/wording`."""

    key: str
    place: Place
    mentions: tuple[str, ...]
    """Placeholders and the slots of its conditions, in the order read."""


@dataclass
class Domain:
    """What the domain's files say."""

    intents: dict[str, Place] = field(default_factory=dict)
    entities: dict[str, Place] = field(default_factory=dict)
    slots: dict[str, Slot] = field(default_factory=dict)
    slot_places: dict[str, Place] = field(default_factory=dict)
    forms: dict[str, Form] = field(default_factory=dict)
    form_places: dict[str, Place] = field(default_factory=dict)
    required_places: dict[tuple[str, str], Place] = field(default_factory=dict)
    responses: dict[str, Response] = field(default_factory=dict)
    actions: dict[str, Place] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    """The merged domain as a Rasa server would send it to an action."""

    def knows_action(self, name: str) -> bool:
        return name in self.actions or name in self.responses or name in self.forms or name in BUILT_IN

    def ask(self, form: str, slot: str) -> str | None:
        """The action or response that asks for `slot`: the most particular there is."""
        for name in (
            f"action_ask_{form}_{slot}",
            f"utter_ask_{form}_{slot}",
            f"action_ask_{slot}",
            f"utter_ask_{slot}",
        ):
            if name in self.responses or name in self.actions:
                return name
        return None


def merge(files: Iterable[Located], faults: Faults) -> Domain:
    """One domain from several files. A name that two files give is a fault."""
    domain = Domain()
    plain: dict[str, Any] = {
        "intents": [], "entities": [], "slots": {}, "forms": {}, "responses": {}, "actions": [],
    }  # fmt: skip
    slot_sources: dict[str, Located] = {}
    form_sources: dict[str, Located] = {}
    for file in files:
        if not isinstance(file.value, dict):
            faults.add(file.place, "a domain file is a mapping with keys such as intents, slots, responses")
            continue
        unknown_keys(file, _TOP_KEYS, "domain", faults)
        for key, part in file.items():
            if key in {"intents", "entities", "actions"}:
                _names(part, getattr(domain, key), str(key), faults)
        sections = (("slots", slot_sources, domain.slot_places), ("forms", form_sources, domain.form_places))
        for name, sources, places in sections:
            _collect(file.get(name), sources, places, name, faults)
        _responses(file.get("responses"), domain, plain["responses"], faults)
        _session(file.get("session_config"), faults)
    for name, source in slot_sources.items():
        slot = _slot(name, source, domain, form_sources, faults)
        if slot is not None:
            domain.slots[name] = slot
    for name, source in form_sources.items():
        form = _form(name, source, domain, faults)
        if form is not None:
            domain.forms[name] = form
    _check(domain, faults)
    plain["intents"] = list(domain.intents)
    plain["entities"] = list(domain.entities)
    plain["slots"] = {name: source.value for name, source in slot_sources.items()}
    plain["forms"] = {name: source.value or {} for name, source in form_sources.items()}
    plain["actions"] = [*domain.actions, *(key for key in domain.responses if key not in domain.actions)]
    domain.plain = plain
    return domain


def words_of(located: Located | None, what: str, faults: Faults) -> list[tuple[str, Place]]:
    """A word or a list of words with their places; anything else in it is a fault."""
    if located is None or located.value is None:
        return []
    items = [item for _index, item in located.items()] if isinstance(located.value, list) else [located]
    found = []
    for item in items:
        if isinstance(item.value, str):
            found.append((item.value, item.place))
        else:
            faults.add(item.place, f"{what}: {item.value!r} is not a name")
    return found


def unknown_keys(located: Located, allowed: set[str], what: str, faults: Faults) -> bool:
    """Report what is not supported in a mapping; True if it is a mapping at all."""
    if not isinstance(located.value, dict):
        faults.add(located.place, f"{what} is not a mapping")
        return False
    for key, _child in located.items():
        if key not in allowed:
            faults.add(located.key_place(key), f"{what}: {key} is not supported; known: {', '.join(sorted(allowed))}")
    return True


def _names(part: Located, into: dict[str, Place], what: str, faults: Faults) -> None:
    if part.value is not None and not isinstance(part.value, list):
        faults.add(part.place, f"{what} is not a list")
        return
    for _index, item in part.items():
        if not isinstance(item.value, str):
            faults.add(item.place, f"{what}: only plain names are supported, found {item.value!r}")
        elif item.value in into:
            faults.add(item.place, f"{what}: {item.value} is already given at {into[item.value]}")
        else:
            into[item.value] = item.place
        if what == "actions" and item.value in _REFUSED_ACTIONS:
            faults.add(item.place, f"{item.value} is not supported")


def _collect(
    part: Located | None, into: dict[str, Located], places: dict[str, Place], what: str, faults: Faults
) -> None:
    if part is None or part.value is None:
        return
    if not isinstance(part.value, dict):
        faults.add(part.place, f"{what} is not a mapping of names")
        return
    for name, source in part.items():
        name = str(name)
        if name in into:
            faults.add(part.key_place(name), f"{what}: {name} is already given at {places[name]}")
            continue
        into[name] = source
        places[name] = part.key_place(name)


def _session(part: Located | None, faults: Faults) -> None:
    if part is None:
        return
    if not unknown_keys(part, {"session_expiration_time", "carry_over_slots_to_new_session"}, "session_config", faults):
        return
    expiry = part.get("session_expiration_time")
    if expiry is None or expiry.value != 0:
        faults.add(part.place, "session_config: sessions are not supported; session_expiration_time must be 0")


def _responses(part: Located | None, domain: Domain, plain: dict[str, Any], faults: Faults) -> None:
    if part is None or part.value is None:
        return
    if not isinstance(part.value, dict):
        faults.add(part.place, "responses is not a mapping of keys")
        return
    for key, source in part.items():
        key = str(key)
        place = part.key_place(key)
        if key in domain.responses:
            faults.add(place, f"response {key} is already given at {domain.responses[key].place}")
            continue
        if not key.startswith("utter_"):
            faults.add(place, f"response {key} must start with utter_")
        if "/" in key:
            faults.add(place, f"response {key}: retrieval intents are not supported")
        plain[key] = source.value
        domain.responses[key] = Response(key, place, _mentions(key, source, faults))


def _mentions(key: str, source: Located, faults: Faults) -> tuple[str, ...]:
    if not isinstance(source.value, list) or not source.value:
        faults.add(source.place, f"response {key} is not a list of variations")
        return ()
    found: dict[str, None] = {}
    for _index, variation in source.items():
        if not unknown_keys(variation, _RESPONSE_KEYS, f"response {key}", faults):
            continue
        if not {"text", "custom", "image", "buttons"} & set(variation.value):
            faults.add(variation.place, f"response {key} says nothing: text is missing")
        text = variation.get("text")
        if text is not None and not isinstance(text.value, str):
            faults.add(text.place, f"response {key}: text is {text.value!r}; put it in quotes")
        _buttons(key, variation.get("buttons"), faults)
        conditions = variation.get("condition")
        if conditions is not None:
            for name in _condition_slots(key, conditions, faults):
                found[name] = None
        for name in _placeholders({k: v for k, v in variation.value.items() if k not in {"condition", "metadata"}}):
            found[name] = None
    return tuple(found)


def _buttons(key: str, buttons: Located | None, faults: Faults) -> None:
    if buttons is None:
        return
    if not isinstance(buttons.value, list):
        faults.add(buttons.place, f"response {key}: buttons is not a list")
        return
    for _index, button in buttons.items():
        if not unknown_keys(button, {"title", "payload"}, f"response {key}: button", faults):
            continue
        for part in ("title", "payload"):
            if not isinstance(button.value.get(part), str):
                faults.add(button.place, f"response {key}: a button needs a {part} in words")


def _condition_slots(key: str, conditions: Located, faults: Faults) -> list[str]:
    if not isinstance(conditions.value, list):
        faults.add(conditions.place, f"response {key}: condition is not a list")
        return []
    names = []
    for _index, condition in conditions.items():
        if not unknown_keys(condition, {"type", "name", "value"}, f"response {key}: condition", faults):
            continue
        if condition.value.get("type") != "slot" or not isinstance(condition.value.get("name"), str):
            faults.add(condition.place, f"response {key}: a condition is type: slot, name and value")
            continue
        names.append(condition.value["name"])
    return names


def _placeholders(value: Any) -> list[str]:
    if isinstance(value, str):
        return _PLACEHOLDER.findall(value)
    if isinstance(value, Mapping):
        return [name for part in value.values() for name in _placeholders(part)]
    if isinstance(value, list):
        return [name for part in value for name in _placeholders(part)]
    return []


def _slot(name: str, source: Located, domain: Domain, forms: Mapping[str, Located], faults: Faults) -> Slot | None:
    if not unknown_keys(source, _SLOT_KEYS, f"slot {name}", faults):
        return None
    if name == REQUESTED_SLOT:
        faults.add(source.place, f"{REQUESTED_SLOT} belongs to the engine and cannot be declared")
        return None
    kind = source.value.get("type")
    if kind not in _SLOT_KINDS:
        place = source["type"].place if "type" in source.value else domain.slot_places[name]
        faults.add(place, f"slot {name}: type {kind!r} is not supported; known: {', '.join(sorted(_SLOT_KINDS))}")
        return None
    influences = source.value.get("influence_conversation", kind != "any")
    if not isinstance(influences, bool):
        faults.add(source["influence_conversation"].place, f"slot {name}: influence_conversation is true or false")
        influences = False
    if kind == "any" and influences:
        faults.add(source.place, f"slot {name}: a slot of type any cannot influence the conversation")
    values = tuple(word for word, _place in words_of(source.get("values"), f"slot {name}: values", faults))
    if (kind == "categorical") != bool(values):
        faults.add(source.place, f"slot {name}: values are needed for a categorical slot, and only there")
    mappings = source.get("mappings")
    if mappings is None or not isinstance(mappings.value, list):
        faults.add(source.place, f"slot {name} needs a list of mappings (type: custom if only actions set it)")
        return None
    read = [_mapping(name, item, domain, forms, faults) for _index, item in mappings.items()]
    return Slot(
        name, kind, tuple(mapping for mapping in read if mapping is not None),
        initial=source.value.get("initial_value"), influences=influences and kind != "any", values=values,
    )  # fmt: skip


def _mapping(
    slot: str, source: Located, domain: Domain, forms: Mapping[str, Located], faults: Faults
) -> SlotMapping | None:
    what = f"slot {slot}: mapping"
    kind = source.value.get("type") if isinstance(source.value, dict) else None
    if kind not in _MAPPING_KEYS:
        faults.add(source.place, f"{what} type {kind!r} is not supported; known: {', '.join(_MAPPING_KEYS)}")
        return None
    unknown_keys(source, _MAPPING_KEYS[kind], what, faults)
    entity = source.value.get("entity")
    if kind == "from_entity" and entity not in domain.entities:
        faults.add(source.place, f"{what}: entity {entity!r} is not in the domain")
    if kind in {"from_intent", "from_trigger_intent"} and "value" not in source.value:
        faults.add(source.place, f"{what}: {kind} needs a value")
    intents: dict[str, frozenset[str]] = {}
    for key in ("intent", "not_intent"):
        names = words_of(source.get(key), f"{what}: {key}", faults)
        for name, place in names:
            if name not in domain.intents:
                faults.add(place, f"{what}: intent {name} is not in the domain")
        intents[key] = frozenset(name for name, _place in names)
    conditions = _conditions(what, source.get("conditions"), forms, faults)
    return SlotMapping(kind, entity, intents["intent"], intents["not_intent"], source.value.get("value"), conditions)


def _conditions(
    what: str, source: Located | None, forms: Mapping[str, Located], faults: Faults
) -> tuple[Condition, ...]:
    if source is None:
        return ()
    if not isinstance(source.value, list):
        faults.add(source.place, f"{what}: conditions is not a list")
        return ()
    found = []
    for _index, item in source.items():
        if not unknown_keys(item, {"active_loop", "requested_slot"}, f"{what}: condition", faults):
            continue
        loop = item.value.get("active_loop")
        if loop is not None and loop not in forms:
            faults.add(item.place, f"{what}: form {loop!r} is not in the domain")
        if "active_loop" not in item.value:
            faults.add(item.place, f"{what}: a condition needs active_loop")
        found.append(Condition(loop, item.value.get("requested_slot"), any_slot="requested_slot" not in item.value))
    return tuple(found)


def _form(name: str, source: Located, domain: Domain, faults: Faults) -> Form | None:
    if not unknown_keys(source, {"required_slots", "ignored_intents"}, f"form {name}", faults):
        return None
    slots_at = source.get("required_slots")
    if slots_at is None or not isinstance(slots_at.value, list):
        faults.add(source.place, f"form {name} needs a list of required_slots")
        return None
    required = words_of(slots_at, f"form {name}: required_slots", faults)
    for slot, place in required:
        domain.required_places[name, slot] = place
        if slot not in domain.slot_places:
            faults.add(place, f"form {name}: slot {slot} is not in the domain")
        if domain.ask(name, slot) is None:
            faults.add(place, f"form {name}: nothing asks for {slot}; add a response utter_ask_{name}_{slot}")
    ignored = words_of(source.get("ignored_intents"), f"form {name}: ignored_intents", faults)
    for intent, place in ignored:
        if intent not in domain.intents:
            faults.add(place, f"form {name}: intent {intent} is not in the domain")
    names = tuple(slot for slot, _place in required)
    return Form(
        name, names, frozenset(intent for intent, _place in ignored), shared_entity_mappings(domain.slots, names)
    )


def _check(domain: Domain, faults: Faults) -> None:
    for slot in domain.slots.values():
        for mapping in slot.mappings:
            for condition in mapping.conditions:
                form = domain.forms.get(condition.active_loop or "")
                if form is not None and slot.name not in form.required_slots:
                    faults.add(
                        domain.slot_places[slot.name],
                        f"slot {slot.name} has a condition on form {form.name}, which does not list it in required_slots",
                    )
                wanted = condition.requested_slot
                if wanted is not None and wanted not in domain.slot_places:
                    faults.add(
                        domain.slot_places[slot.name], f"slot {slot.name}: requested_slot {wanted} is not a slot"
                    )
    for action, place in domain.actions.items():
        if action.startswith("utter_") and action not in domain.responses:
            faults.add(place, f"{action} has no response")
        elif action.startswith("validate_") and action.removeprefix("validate_") not in domain.forms:
            faults.add(place, f"{action} belongs to no form")
        elif action in domain.forms:
            faults.add(place, f"{action} is a form and must not be listed as an action too")
