"""`nlu_data/` as a Rasa 3 project: read, checked against what the embedded engine understands, and compiled.

Whatever the engine would not honour is refused here with its file and line, so that a project that loads behaves the
same in the embedded engine and on a Rasa server.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Final

from bot.dialogue.domain import Domain, merge, unknown_keys, words_of
from bot.dialogue.errors import ProjectError
from bot.dialogue.rules import Rule, RuleBook, Step, compile_rules
from bot.dialogue.slots import REQUESTED_SLOT
from bot.dialogue.sources import Faults, Located, Place, read

OUT_OF_SCOPE: Final = "out_of_scope"

_ANNOTATION = re.compile(r"\[[^\]\n]+\]\s?(\([^)\n]+\)|\{[^}\n]+\})")
_POLICY_KEYS = {
    "name", "core_fallback_action_name", "core_fallback_threshold", "enable_fallback_prediction", "restrict_rules",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence that shows an intent."""

    text: str
    intent: str
    metadata: Mapping[str, Any]
    place: Place


@dataclass(frozen=True)
class Project:
    """A project that holds together. What it is made of is for `bot.dialogue` alone, but for the fields named here."""

    root: Path
    domain: Domain = field(repr=False)
    rules: RuleBook = field(repr=False)
    fallback: str
    """The action for what no rule covers."""
    examples: tuple[Example, ...] = field(repr=False)

    @property
    def intents(self) -> tuple[str, ...]:
        return tuple(self.domain.intents)

    @property
    def responses(self) -> tuple[str, ...]:
        """Every response key."""
        return tuple(self.domain.responses)


def load_project(root: Path) -> Project:
    """The project under `root`.

    Raises ProjectError with every fault at once: YAML that cannot be read, keys that the embedded engine does not
    support, names that nothing declares, questions nobody asks, rules that contradict each other.
    """
    faults = Faults()
    domain_files = _read_all(root, "domain", faults)
    domain = merge(domain_files, faults)
    rules = _rules(_optional(root / "rules.yml", faults), domain, faults)
    book = compile_rules(rules, domain.slots, faults)
    fallback = _config(_optional(root / "config.yml", faults), domain, faults)
    if fallback is not None and not _closes_fallback(fallback, rules):
        faults.add(
            Place(root / "rules.yml", 1),
            f"no rule consists of the fallback action alone ({fallback}): after it, nothing would listen again",
        )
    _endpoints(root / "endpoints.yml", faults)
    examples = _examples(_read_all(root, "nlu", faults), domain, faults)
    if faults:
        raise ProjectError(list(faults))
    return Project(root, domain, book, fallback or "", tuple(examples))


def load_examples(root: Path) -> tuple[Example, ...]:
    """Only the examples of `root/nlu`, unchecked against the domain. Raises ProjectError."""
    faults = Faults()
    examples = _examples(_read_all(root, "nlu", faults), None, faults)
    if faults:
        raise ProjectError(list(faults))
    return tuple(examples)


def _read_all(root: Path, folder: str, faults: Faults) -> list[Located]:
    files = sorted((root / folder).glob("*.yml"))
    if not files:
        faults.add(Place(root / folder, 1), "no .yml files here")
    return [source for file in files if (source := read(file, faults)) is not None and source.value is not None]


def _optional(file: Path, faults: Faults) -> Located | None:
    source = read(file, faults)
    if source is not None and not isinstance(source.value, dict):
        faults.add(source.place, "the file is not a mapping")
        return None
    return source


# --- rules ----------------------------------------------------------------------------------------------------------


def _rules(source: Located | None, domain: Domain, faults: Faults) -> list[Rule]:
    if source is None or not unknown_keys(source, {"version", "rules"}, "rules.yml", faults):
        return []
    rules: list[Rule] = []
    listed = source.get("rules")
    if listed is None or not isinstance(listed.value, list):
        faults.add(source.place, "rules.yml needs a list of rules")
        return []
    names: dict[str, Place] = {}
    for _index, item in listed.items():
        if not unknown_keys(item, {"rule", "condition", "steps", "wait_for_user_input"}, "rule", faults):
            continue
        name = str(item.value.get("rule") or "")
        if not name:
            faults.add(item.place, "a rule needs a name (rule: …)")
        elif name in names:
            faults.add(item.place, f"rule {name!r} is already given at {names[name]}")
        names[name] = item.place
        rules.extend(_rule(name, item, domain, faults))
    return rules


def _rule(name: str, source: Located, domain: Domain, faults: Faults) -> list[Rule]:
    what = f"rule {name!r}"
    waits = source.value.get("wait_for_user_input", True)
    if not isinstance(waits, bool):
        faults.add(source["wait_for_user_input"].place, f"{what}: wait_for_user_input is true or false")
        waits = True
    conditions: list[Step] = []
    for item in _list_of(source.get("condition"), f"{what}: condition", faults):
        found = _steps(what, item, domain, faults)
        for alternatives in found:
            conditions.extend(alternatives)
            if any(step.what not in {"active_loop", "slot_was_set"} for step in alternatives):
                faults.add(item.place, f"{what}: a condition is active_loop or slot_was_set")
    steps: list[list[Step]] = []
    for item in _list_of(source.get("steps"), f"{what}: steps", faults):
        steps.extend(_steps(what, item, domain, faults))
    if not steps:
        faults.add(source.place, f"{what} has no steps")
        return []
    kinds = [alternatives[0].what for alternatives in steps]
    if kinds.count("intent") > 1:
        faults.add(source.place, f"{what} has more than one message of the user; write two rules")
    if "action" not in kinds:
        faults.add(source.place, f"{what} has no action")
    if kinds[-1] == "intent":
        faults.add(source.place, f"{what} ends with the user's message; nothing follows")
    return [
        Rule(name, source.place, tuple(conditions), choice, waits)
        for choice in product(*(tuple(alternatives) for alternatives in steps))
    ]


def _list_of(source: Located | None, what: str, faults: Faults) -> list[Located]:
    if source is None or source.value is None:
        return []
    if not isinstance(source.value, list):
        faults.add(source.place, f"{what} is not a list")
        return []
    return [item for _index, item in source.items()]


def _steps(what: str, source: Located, domain: Domain, faults: Faults) -> list[list[Step]]:
    """The steps that one item of a rule stands for, each a list of alternatives."""
    known = {"intent", "entities", "action", "active_loop", "slot_was_set", "or"}
    if not unknown_keys(source, known, what, faults):
        return []
    kinds = [key for key in source.value if key in known - {"entities"}]
    if len(kinds) != 1:
        faults.add(source.place, f"{what}: a step is one of {', '.join(sorted(known - {'entities'}))}")
        return []
    kind = kinds[0]
    part = source[kind]
    if kind == "or":
        alternatives = [
            step
            for item in _list_of(part, f"{what}: or", faults)
            for steps in _steps(what, item, domain, faults)
            for step in steps
        ]
        if not alternatives or any(step.what != "intent" for step in alternatives):
            faults.add(part.place, f"{what}: or is a list of intents")
            return []
        return [alternatives]
    if kind == "intent":
        return _intent_step(what, source, domain, faults)
    if kind == "action":
        return _action_step(what, part, domain, faults)
    if kind == "active_loop":
        if part.value is not None and part.value not in domain.form_places:
            faults.add(part.place, f"{what}: form {part.value!r} is not in the domain")
        return [[Step("active_loop", part.value)]]
    return [[Step("slot_was_set", pair)] for pair in _slot_steps(what, part, domain, faults)]


def _intent_step(what: str, source: Located, domain: Domain, faults: Faults) -> list[list[Step]]:
    intent = source["intent"]
    if intent.value not in domain.intents:
        faults.add(intent.place, f"{what}: intent {intent.value!r} is not in the domain")
        return []
    if "entities" not in source.value:
        return [[Step("intent", intent.value)]]
    names = words_of(source.get("entities"), f"{what}: entities", faults)
    for name, place in names:
        if name not in domain.entities:
            faults.add(place, f"{what}: entity {name} is not in the domain")
    return [[Step("intent", intent.value, tuple(sorted(name for name, _place in names)) or None)]]


def _action_step(what: str, part: Located, domain: Domain, faults: Faults) -> list[list[Step]]:
    if not isinstance(part.value, str) or not (domain.knows_action(part.value) or part.value in domain.form_places):
        kind = "response" if str(part.value).startswith("utter_") else "action"
        faults.add(part.place, f"{what}: {kind} {part.value!r} is not in the domain")
        return []
    return [[Step("action", part.value)]]


def _slot_steps(what: str, part: Located, domain: Domain, faults: Faults) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for item in _list_of(part, f"{what}: slot_was_set", faults):
        if isinstance(item.value, str):
            named: list[tuple[str, Any]] = [(item.value, True)]
        elif isinstance(item.value, dict):
            named = [(str(name), child.value) for name, child in item.items()]
        else:
            faults.add(item.place, f"{what}: slot_was_set is a list of slots")
            continue
        for name, value in named:
            slot = domain.slots.get(name)
            if name == REQUESTED_SLOT:
                continue  # Rasa's own examples write it; it influences nothing
            if slot is None:
                if name not in domain.slot_places:
                    faults.add(item.place, f"{what}: slot {name} is not in the domain")
                continue
            if not slot.influences:
                faults.add(
                    item.place, f"{what}: slot {name} does not influence the conversation, so no rule can see it"
                )
            if isinstance(item.value, str) and slot.kind == "categorical":
                faults.add(item.place, f"{what}: slot {name} needs one of its values here")
            pairs.append((name, value))
    return pairs


def _closes_fallback(fallback: str, rules: list[Rule]) -> bool:
    return any(
        not rule.conditions
        and rule.waits
        and [(step.what, step.value) for step in rule.steps] == [("action", fallback)]
        for rule in rules
    )


# --- config.yml, endpoints.yml --------------------------------------------------------------------------------------


def _config(source: Located | None, domain: Domain, faults: Faults) -> str | None:
    allowed = {"version", "recipe", "language", "assistant_id", "pipeline", "policies"}
    if source is None or not unknown_keys(source, allowed, "config.yml", faults):
        return None
    policies = source.get("policies")
    if policies is None or not isinstance(policies.value, list) or len(policies.value) != 1:
        faults.add(source.place, "config.yml needs exactly one policy, RulePolicy")
        return None
    policy = policies[0]
    if not unknown_keys(policy, _POLICY_KEYS, "policy", faults):
        return None
    if policy.value.get("name") != "RulePolicy":
        faults.add(policy.place, f"policy {policy.value.get('name')!r} is not supported; only RulePolicy is")
    for key in ("enable_fallback_prediction", "restrict_rules"):
        if policy.value.get(key, True) is not True:
            faults.add(policy[key].place, f"RulePolicy: {key} must be true")
    fallback = policy.value.get("core_fallback_action_name")
    if not isinstance(fallback, str) or not (fallback in domain.actions or fallback in domain.responses):
        faults.add(policy.place, "RulePolicy: core_fallback_action_name must name an action or response of the domain")
        return None
    return fallback


def _endpoints(file: Path, faults: Faults) -> None:
    source = _optional(file, faults)
    if source is None or not unknown_keys(source, {"action_endpoint", "nlu", "nlg"}, "endpoints.yml", faults):
        return
    for key, endpoint in source.items():
        if unknown_keys(endpoint, {"url", "token"}, str(key), faults) and not isinstance(
            endpoint.value.get("url"), str
        ):
            faults.add(source.key_place(key), f"{key} needs a url")


# --- examples -------------------------------------------------------------------------------------------------------


def _examples(files: list[Located], domain: Domain | None, faults: Faults) -> list[Example]:
    examples: list[Example] = []
    seen: dict[str, Example] = {}
    for file in files:
        if not unknown_keys(file, {"version", "nlu"}, "examples", faults):
            continue
        for item in _list_of(file.get("nlu"), "nlu", faults):
            for example in _intent_examples(item, domain, faults):
                same = seen.setdefault(" ".join(example.text.lower().split()), example)
                if same.intent != example.intent:
                    faults.add(
                        example.place,
                        f"{example.text!r} is an example of {example.intent} here, of {same.intent} at {same.place}",
                    )
                examples.append(example)
    return examples


def _intent_examples(item: Located, domain: Domain | None, faults: Faults) -> list[Example]:
    if not unknown_keys(item, {"intent", "examples", "metadata"}, "nlu", faults):
        return []
    intent = item.value.get("intent")
    if not isinstance(intent, str) or (domain is not None and intent not in domain.intents):
        faults.add(item.place, f"intent {intent!r} is not in the domain")
        return []
    block = item.get("examples")
    if block is None:
        faults.add(item.place, f"intent {intent} has no examples")
        return []
    found = _short_form(intent, block, faults) if isinstance(block.value, str) else _list_form(intent, block, faults)
    for entry in found:
        if _ANNOTATION.search(entry.text):
            faults.add(entry.place, f"intent {intent}: marked entities are not supported; they are found by rule")
    return found


def _short_form(intent: str, block: Located, faults: Faults) -> list[Example]:
    """Rasa's short form: one text whose lines start with a dash."""
    found = []
    for offset, line in enumerate(block.value.splitlines()):
        if not line.strip():
            continue
        place = Place(block.place.file, block.place.line + 1 + offset)
        if not line.lstrip().startswith("- "):
            faults.add(place, f"intent {intent}: an example line starts with a dash")
        found.append(Example(line.strip().removeprefix("-").strip(), intent, {}, place))
    return found


def _list_form(intent: str, block: Located, faults: Faults) -> list[Example]:
    found = []
    for example in _list_of(block, f"intent {intent}: examples", faults):
        if not unknown_keys(example, {"text", "metadata"}, f"intent {intent}: example", faults):
            continue
        text = example.value.get("text")
        if not isinstance(text, str) or not text.strip():
            faults.add(example.place, f"intent {intent}: text is {text!r}; put it in quotes")
            continue
        metadata = example.value.get("metadata") or {}
        if not isinstance(metadata, dict):
            faults.add(example.place, f"intent {intent}: metadata is not a mapping")
            metadata = {}
        found.append(Example(text.strip(), intent, metadata, example.place))
    return found
