"""Reading the `responses:` of the Rasa domain, keeping the place of each for whoever has to correct it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from bot.messages import Choice
from bot.wording.errors import ResponsesError

_VARIATION_KEYS: Final = frozenset({"text", "buttons", "channel", "metadata"})


@dataclass(frozen=True, slots=True)
class Variation:
    """One wording of a response, for one channel or (`channel` None) for all that have none of their own."""

    text: str
    channel: str | None = None
    choices: tuple[Choice, ...] = ()
    place: str = ""
    """`file:line`, where it is known."""


@dataclass(frozen=True, slots=True)
class Responses:
    """All responses by key."""

    by_key: Mapping[str, Sequence[Variation]] = field(default_factory=dict)

    @classmethod
    def from_mapping(cls, responses: Mapping[str, Sequence[Mapping[str, Any]]]) -> "Responses":
        """Responses in Rasa's own shape, as a loaded project holds them. Raises ResponsesError."""
        faults: list[str] = []
        read = {key: _variations(key, value, f"responses: {key}", faults) for key, value in responses.items()}
        if faults:
            raise ResponsesError("\n".join(faults))
        return cls(read)

    def variation(self, key: str, channel: str | None) -> Variation | None:
        """The wording of `key` for `channel`, else the one for every channel, else None."""
        found = self.by_key.get(key, ())
        for wanted in (channel, None):
            for variation in found:
                if variation.channel == wanted:
                    return variation
        return None


def load_responses(directory: Path) -> Responses:
    """Every response of `directory`'s YAML files. Raises ResponsesError with each fault as `file:line: reason`."""
    faults: list[str] = []
    read: dict[str, tuple[Variation, ...]] = {}
    for path in sorted(directory.glob("*.yml")):
        try:
            root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            faults.append(f"{path}:{line}: not YAML: {error.problem}")
            continue
        for key_node, value_node in _responses_of(root):
            place = f"{path}:{key_node.start_mark.line + 1}"
            key = str(key_node.value)
            if key in read:
                faults.append(f"{place}: {key} is already at {read[key][0].place}")
                continue
            loader = yaml.SafeLoader("")
            value = loader.construct_document(value_node)
            read[key] = _variations(key, value, place, faults)
    if faults:
        raise ResponsesError("\n".join(faults))
    return Responses(read)


def _responses_of(root: yaml.Node | None) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    if not isinstance(root, yaml.MappingNode):
        return []
    for key, value in root.value:
        if key.value == "responses" and isinstance(value, yaml.MappingNode):
            return list(value.value)
    return []


def _variations(key: str, value: Any, place: str, faults: list[str]) -> tuple[Variation, ...]:
    if not key.startswith("utter_"):
        faults.append(f"{place}: a response's name begins with utter_, {key} does not")
    if not isinstance(value, list) or not value:
        faults.append(f"{place}: {key} needs a list with at least one text")
        return (Variation("", place=place),)
    found: list[Variation] = []
    for item in value:
        if not isinstance(item, dict) or not isinstance(item.get("text"), str):
            faults.append(f"{place}: {key} has an entry without a text")
            continue
        for unknown in item.keys() - _VARIATION_KEYS:
            faults.append(f"{place}: {key} has {unknown}, which is not supported")
        channel = item.get("channel")
        if any(other.channel == channel for other in found):
            faults.append(f"{place}: {key} has two texts for {channel or 'every channel'}: which one is sent?")
        found.append(Variation(item["text"].strip("\n"), channel, _choices(key, item, place, faults), place))
    if found and all(variation.channel is not None for variation in found):
        faults.append(f"{place}: {key} needs one text without a channel, for the channels not named")
    return tuple(found) or (Variation("", place=place),)


def _choices(key: str, item: Mapping[str, Any], place: str, faults: list[str]) -> tuple[Choice, ...]:
    found = []
    for button in item.get("buttons") or ():
        if not isinstance(button, dict) or not {"title", "payload"} <= button.keys():
            faults.append(f"{place}: {key} has a button without title and payload")
            continue
        found.append(Choice(str(button["title"]), str(button["payload"])))
    return tuple(found)
