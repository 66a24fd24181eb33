"""Reading the data files with the line of every fault, so that whoever edits them is told where to look."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bot.triage.phrases import Phrase, Run, spellings
from bot.triage.text import words_of

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST_SPELLINGS: Final = 10_000
_MARK: Final = re.compile(r"[|()]")
_BRACKETS: Final = re.compile(r"\([^()]*\)")


class TriageError(ValueError):
    """A data file cannot be used. The message is `file:line: reason`."""


class Value:
    """A piece of a YAML file that knows where it stands."""

    def __init__(self, path: Path, node: Node) -> None:
        self._path = path
        self._node = node

    @classmethod
    def read(cls, path: Path) -> "Value":
        """The whole of a file. Raises TriageError if it is missing, empty or not YAML."""
        try:
            node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
        except OSError as error:
            raise TriageError(f"{path}:1: cannot be read ({error.strerror})") from error
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise TriageError(f"{path}:{line}: not YAML ({error.problem})") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise TriageError(f"{path}:1: not YAML text ({error})") from error
        if node is None:
            raise TriageError(f"{path}:1: empty file")
        return cls(path, node)

    @property
    def line(self) -> int:
        """Counted from 1."""
        return int(self._node.start_mark.line) + 1

    def fault(self, reason: str) -> TriageError:
        """An error that points at this piece; for the caller to raise."""
        return TriageError(f"{self._path}:{self.line}: {reason}")

    def fields(self, *known: str, required: tuple[str, ...] = ()) -> dict[str, "Value"]:
        """The entries of a mapping; with `known` given, any other name is refused."""
        entries = dict(self.entries())
        for name, value in entries.items():
            if known and name not in known:
                raise value.fault(f"unknown field {name!r}; known: {', '.join(known)}")
        for name in required:
            if name not in entries:
                raise self.fault(f"{name!r} is missing")
        return entries

    def entries(self) -> Iterator[tuple[str, "Value"]]:
        """Names and values of a mapping, in the order of the file; a name given twice is refused."""
        if not isinstance(self._node, MappingNode):
            raise self.fault("expected `name: value` entries")
        seen = set()
        for key, value in self._node.value:
            name = Value(self._path, key).text()
            if name in seen:
                raise Value(self._path, key).fault(f"{name!r} stands here twice")
            seen.add(name)
            yield name, Value(self._path, value)

    def items(self) -> list["Value"]:
        """The items of a list."""
        if not isinstance(self._node, SequenceNode):
            raise self.fault("expected a list")
        return [Value(self._path, node) for node in self._node.value]

    def text(self) -> str:
        """A piece of text. A bare `no`, `off`, `on` or number is refused: YAML does not read it as a word."""
        if not isinstance(self._node, ScalarNode):
            raise self.fault("expected a piece of text")
        if self._node.tag != "tag:yaml.org,2002:str":
            raise self.fault(f"{self._node.value!r} needs quotes: YAML does not read it as a word")
        return str(self._node.value)

    def number(self) -> int:
        """A whole number."""
        if not isinstance(self._node, ScalarNode) or self._node.tag != "tag:yaml.org,2002:int":
            raise self.fault("expected a whole number")
        return int(self._node.value)

    def flag(self) -> bool:
        """`true` or `false`."""
        if not isinstance(self._node, ScalarNode) or self._node.tag != "tag:yaml.org,2002:bool":
            raise self.fault("expected true or false")
        return str(self._node.value).lower() in ("true", "yes", "on")

    def texts(self) -> list[tuple[str, "Value"]]:
        """A list of texts, each with its place."""
        return [(item.text(), item) for item in self.items()]

    def phrases(self) -> list[Phrase]:
        """A list of phrases with bracketed choices: `gas (man|engineer)`, `(the )?boiler`."""
        found: list[Phrase] = []
        for text, item in self.texts():
            try:
                found.append(_phrase(text))
            except ValueError as error:
                raise item.fault(str(error)) from None
        return found


def _phrase(text: str) -> Phrase:
    """Raises ValueError with the reason."""
    runs = [_run(piece) for piece in _pieces(text)]
    phrase = tuple([run for run in runs if run is not None])
    if len(phrase) < len(runs):  # `gas man|oil man` without brackets
        phrase = (_ways(text),)
    if spellings(phrase) > _MOST_SPELLINGS:
        raise ValueError(f"{spellings(phrase)} ways to read this phrase; split it")
    if all(() in run for run in phrase):
        raise ValueError(f"{text!r} holds no word")
    return phrase


def _pieces(text: str) -> list[str]:
    """A phrase parted at the spaces outside its brackets."""
    if "(" not in text:
        return text.split()
    pieces: list[str] = []
    opened = 0
    for piece in text.split():
        if opened > 0:
            pieces[-1] = f"{pieces[-1]} {piece}"
        else:
            pieces.append(piece)
        opened += piece.count("(") - piece.count(")")
    return pieces


@lru_cache(maxsize=16_384)  # most phrases of a list differ in one piece
def _run(piece: str) -> Run | None:
    """The ways to read a piece; None if it is not a piece, because the choice in it reaches beyond it."""
    if _MARK.search(piece) is None:
        return (words_of(piece),)
    outside = piece
    while outside != (outside := _BRACKETS.sub("", outside)):
        pass
    return None if "|" in outside else _ways(piece)


def _ways(text: str) -> Run:
    choices, at = _choices(text, 0)
    if at < len(text):
        raise ValueError("a bracket is closed that was not opened")
    return tuple(dict.fromkeys(words_of(choice) for choice in choices))


def _choices(text: str, at: int) -> tuple[list[str], int]:
    """What stands at `at`, up to the closing bracket of its choice or the end, written out."""
    whole: list[str] = []
    row = [""]
    while at < len(text) and text[at] != ")":
        if text[at] == "|":
            whole += row
            row = [""]
            at += 1
        elif text[at] == "(":
            inner, at = _choices(text, at + 1)
            if at >= len(text):
                raise ValueError("a bracket is not closed")
            at += 1
            if text[at : at + 1] == "?":
                inner.append("")
                at += 1
            row = [start + end for start in row for end in inner]
        else:
            mark = _MARK.search(text, at)
            end = mark.start() if mark else len(text)
            row = [start + text[at:end] for start in row]
            at = end
        if len(row) > _MOST_SPELLINGS:
            raise ValueError("too many ways to read this phrase; split it")
    return whole + row, at
