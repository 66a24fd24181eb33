"""YAML read with the line of every key and item, so that a fault can be reported where its author will look."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Step = str | int
"""A key or an index on the way from the top of a file to one of its values."""


_NOT_IN_YAML_12 = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}


class _Loader(yaml.CSafeLoader):
    """YAML 1.2's booleans only: a tenant's "no" is a word, not False. Rasa reads its files the same way."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own protocol
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_IN_YAML_12]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Faults:
    """Collects faults, so that an author sees all of them at once."""

    def __init__(self) -> None:
        self._found: list[tuple[str, int, str]] = []

    def add(self, place: "Place", reason: str) -> None:
        self._found.append((str(place.file), place.line, reason))

    def __bool__(self) -> bool:
        return bool(self._found)

    def __iter__(self) -> Iterator[str]:
        """Each fault once, ordered by file and line."""
        return (f"{file}:{line}: {reason}" for file, line, reason in sorted(set(self._found)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: lines are counted from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Located:
    """A value of a YAML file that knows where it stands. `value` is plain Python."""

    value: Any
    place: Place
    _children: dict[Step, "Located"] = field(default_factory=dict, repr=False)
    _keys: dict[Step, Place] = field(default_factory=dict, repr=False)

    def __getitem__(self, step: Step) -> "Located":
        return self._children[step]

    def get(self, step: Step) -> "Located | None":
        return self._children.get(step)

    def items(self) -> Iterator[tuple[Step, "Located"]]:
        return iter(self._children.items())

    def key_place(self, step: Step) -> Place:
        """Where the key itself stands, which for a block below it is the line above."""
        return self._keys.get(step, self.place)


def read(file: Path, faults: Faults) -> Located | None:
    """The file's value with its places; None (and a fault) if it cannot be read as YAML."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        faults.add(Place(file, 1), f"cannot be read: {error}")
        return None
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        faults.add(Place(file, mark.line + 1 if mark else 1), f"not valid YAML: {error.problem or error.context}")
        return None
    except yaml.YAMLError as error:
        faults.add(Place(file, 1), f"not valid YAML: {error}")
        return None
    if node is None:
        return Located(None, Place(file, 1))
    return _build(node, file, faults)


def _build(node: yaml.Node, file: Path, faults: Faults) -> Located:
    place = Place(file, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        items = [_build(item, file, faults) for item in node.value]
        return Located(
            [item.value for item in items],
            place,
            dict(enumerate(items)),
            {index: item.place for index, item in enumerate(items)},
        )
    if isinstance(node, yaml.MappingNode):
        children: dict[Step, Located] = {}
        keys: dict[Step, Place] = {}
        for key_node, value_node in node.value:
            key = _scalar(key_node, file, faults)
            key_place = Place(file, key_node.start_mark.line + 1)
            if not isinstance(key, Hashable) or not isinstance(key, str):
                faults.add(key_place, f"the key {key!r} is not a word: put it in quotes")
                continue
            if key in children:
                faults.add(key_place, f"{key} is given twice")
                continue
            children[key] = _build(value_node, file, faults)
            keys[key] = key_place
        return Located({key: child.value for key, child in children.items()}, place, children, keys)
    return Located(_scalar(node, file, faults), place)


def _scalar(node: yaml.Node, file: Path, faults: Faults) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        faults.add(Place(file, node.start_mark.line + 1), "a list or a mapping cannot be a key")
        return None
    plain = not node.style
    if plain and node.tag in {"tag:yaml.org,2002:str", ""} and node.value in _BOOLEANS:
        return _BOOLEANS[node.value]
    if node.tag == "tag:yaml.org,2002:null":
        return None
    if node.tag == "tag:yaml.org,2002:int":
        try:
            return int(node.value.replace("_", ""), 0)
        except ValueError:
            return node.value
    if node.tag == "tag:yaml.org,2002:float":
        try:
            return float(node.value)
        except ValueError:
            return node.value
    return node.value
