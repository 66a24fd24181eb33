"""Strict reading of a TOML file: every fault at once, each with the line it stands on.

`tomllib` does not say where a key stands, so a small scanner finds that out; it need not be a parser, because by then
`tomllib` has accepted the file.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, time
from pathlib import Path
from typing import Any, Final

from bot.sla.errors import PolicyError

Path_ = tuple[str | int, ...]

_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_PART: Final = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_STRING: Final = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'')
_AT_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)| \(at end of document\)")
_PERIOD: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class Document:
    """A parsed file that collects faults. `finish` raises them all."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.faults: list[tuple[int, str]] = []
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = _AT_LINE.search(str(error))
            line = int(found.group(1)) if found and found.group(1) else text.count("\n") + 1
            raise PolicyError([f"{name}:{line}: not TOML: {_AT_LINE.sub('', str(error))}"]) from error
        self._lines = line_numbers(text)

    def line(self, path: Path_) -> int:
        """The line of a key, or of the nearest table around it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def places(self) -> dict[str, int]:
        """The line of every table and key, by dotted path."""
        return {".".join(str(part) for part in path): line for path, line in self._lines.items()}

    def fault(self, path: Path_, reason: str) -> None:
        self.faults.append((self.line(path), reason))

    def root(self) -> "Table":
        return Table(self, (), self.data)

    def finish(self) -> None:
        """Raises PolicyError with every fault, in the order of the file."""
        if self.faults:
            raise PolicyError(f"{self.name}:{line}: {reason}" for line, reason in sorted(set(self.faults)))


def read_document(path: Path) -> Document:
    """Raises PolicyError if the file cannot be read or is not TOML."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError([f"{path}:1: not UTF-8: {error.reason}"]) from error
    except OSError as error:
        raise PolicyError([f"{path}:1: cannot be read: {error.strerror}"]) from error
    return Document(str(path), text)


class Table:
    """One table. Each `take_…` hands out a key's value, or a harmless stand-in after noting a fault; `done` then notes
    every key that nobody asked for."""

    def __init__(self, document: Document, path: Path_, data: Mapping[str, Any]) -> None:
        self.document = document
        self.path = path
        self._data = data
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._data

    @property
    def keys(self) -> Iterable[str]:
        return self._data.keys()

    @property
    def label(self) -> str:
        return ".".join(str(part) for part in self.path if not isinstance(part, int)) or "the file"

    def peek(self, key: str) -> Any:
        """The value as it stands, unchecked and not counted as asked for."""
        return self._data.get(key)

    def fault(self, key: str | None, reason: str) -> None:
        self.document.fault((*self.path, key) if key else self.path, reason)

    def take(self, key: str, wanted: type, words: str, *, required: bool = False) -> Any:
        self._taken.add(key)
        if key not in self._data:
            if required:
                self.fault(None, f"{self.label}: {key} is missing")
            return None
        value = self._data[key]
        if type(value) is not wanted:
            self.fault(key, f"{self.label}: {key} must be {words}, not {value!r}")
            return None
        return value

    def text(self, key: str) -> str:
        return self.text_or_none(key, required=True) or ""

    def text_or_none(self, key: str, *, required: bool = False) -> str | None:
        value: str | None = self.take(key, str, "text in quotes", required=required)
        if value is not None and not value.strip():
            self.fault(key, f"{self.label}: {key} is empty")
            return None
        return value

    def choice(self, key: str, allowed: Iterable[str], *, default: str | None = None) -> str:
        value = self.take(key, str, "text in quotes", required=default is None)
        if value is None:
            return default or ""
        self._known(key, value, allowed)
        return str(value)

    def integer(self, key: str) -> int:
        return self.integer_or_none(key, required=True) or 0

    def integer_or_none(self, key: str, *, required: bool = False) -> int | None:
        value: int | None = self.take(key, int, "a whole number", required=required)
        if value is not None and value < 1:
            self.fault(key, f"{self.label}: {key} must be 1 or more, not {value}")
            return None
        return value

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        value: bool | None = self.take(key, bool, "true or false", required=default is None)
        return bool(default) if value is None else value

    def day_or_none(self, key: str, *, required: bool = False) -> date | None:
        value: date | None = self.take(key, date, "a date such as 2026-12-24", required=required)
        return value

    def items(self, key: str, *, required: bool = False) -> list[Any]:
        value: list[Any] | None = self.take(key, list, "a list", required=required)
        return value or []

    def strings(self, key: str, allowed: Iterable[str] | None = None, *, required: bool = False) -> list[str]:
        found = []
        for value in self.items(key, required=required):
            if not isinstance(value, str):
                self.fault(key, f"{self.label}: {key} must hold text in quotes, not {value!r}")
            elif allowed is None or self._known(key, value, allowed):
                found.append(value)
        return found

    def lines(self, key: str) -> list[str]:
        """A list of texts, any texts."""
        values = self.items(key)
        if all(isinstance(value, str) and value.strip() for value in values):
            return values
        self.fault(key, f"{self.label}: {key} must be a list of lines of text")
        return []

    def periods(self, key: str, *, required: bool = True) -> tuple[tuple[time, time], ...]:
        """Opening hours such as `["09:00-12:30", "13:30-17:00"]`: in order, apart from each other, within one day."""
        found: list[tuple[time, time]] = []
        for value in self.strings(key, required=required):
            match = _PERIOD.fullmatch(value)
            if not match:
                self.fault(key, f"{self.label}: {value!r} is not a period such as 09:00-17:00")
                continue
            numbers = [int(part) for part in match.groups()]
            opens, closes = time(numbers[0], numbers[1]), time(numbers[2], numbers[3])
            if opens >= closes:
                self.fault(key, f"{self.label}: {value} closes before it opens")
            elif found and opens <= found[-1][1]:
                self.fault(key, f"{self.label}: {value} does not come after the period before it")
            else:
                found.append((opens, closes))
        return tuple(found)

    def table(self, key: str, *, required: bool = True) -> "Table":
        value = self.take(key, dict, "a table", required=required)
        return Table(self.document, (*self.path, key), value or {})

    def table_or_none(self, key: str) -> "Table | None":
        return self.table(key) if key in self._data else None

    def tables(self, key: str, *, required: bool = False) -> list["Table"]:
        found = []
        for index, value in enumerate(self.items(key, required=required)):
            if isinstance(value, dict):
                found.append(Table(self.document, (*self.path, key, index), value))
            else:
                self.fault(key, f"{self.label}: {key} must hold tables, not {value!r}")
        return found

    def done(self) -> None:
        """Note every key that is not known here."""
        for key in self._data.keys() - self._taken:
            self.fault(key, f"{self.label}: unknown key {key!r}{nearest(key, self._taken)}")

    def _known(self, key: str, value: str, allowed: Iterable[str]) -> bool:
        allowed = sorted(allowed)
        if value in allowed:
            return True
        hint = nearest(value, allowed) or (f"; known: {', '.join(allowed)}" if len(allowed) < 12 else "")
        self.fault(key, f"{self.label}: {key}: unknown value {value!r}{hint}")
        return False


def nearest(word: str, known: Iterable[str]) -> str:
    """A suggestion to add to a message about an unknown word, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def line_numbers(text: str) -> dict[Path_, int]:
    """The line of every table and of every key that starts a line, by path; items of `[[…]]` are numbered from 0."""
    found: dict[Path_, int] = {}
    counts: dict[Path_, int] = {}
    table: Path_ = ()
    depth = 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _STRING.sub(lambda match: "x" * len(match.group()), raw).split("#", 1)[0]
        if depth == 0 and (header := _HEADER.match(raw)):
            table = _resolve(_parts(header.group(2)), counts, new_item=header.group(1) == "[[")
            _note(found, table, number)
            continue
        if depth == 0 and (key := _KEY.match(raw)):
            _note(found, (*table, *_parts(key.group(1))), number)
        depth = max(0, depth + sum(line.count(c) for c in "[{") - sum(line.count(c) for c in "]}"))
    return found


def _note(found: dict[Path_, int], path: Path_, number: int) -> None:
    for end in range(1, len(path) + 1):
        found.setdefault(path[:end], number)


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _resolve(parts: tuple[str, ...], counts: dict[Path_, int], *, new_item: bool) -> Path_:
    """The full path of a header: a table below a `[[…]]` belongs to its newest item."""
    path: Path_ = ()
    for position, part in enumerate(parts):
        path = (*path, part)
        last = position == len(parts) - 1
        if last and new_item:
            counts[path] = counts.get(path, -1) + 1
        if path in counts and (not last or new_item):
            path = (*path, counts[path])
    return path
