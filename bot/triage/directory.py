"""The numbers that are the same for every association: `nlu_data/directory.yml`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.triage.data import Value


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """Whom to ring for what."""

    id: str
    number: str
    label: str
    hours: str
    source: str
    checked: str
    """The day it was last read at its source, ISO 8601; empty if it never was."""
    verified: bool
    note: str


def load_directory(path: Path) -> Mapping[str, DirectoryEntry]:
    """Every entry by id, in the order of the file. Raises TriageError."""
    root = Value.read(path).fields("numbers", required=("numbers",))
    return {name: _entry(name, value) for name, value in root["numbers"].entries()}


def _entry(name: str, value: Value) -> DirectoryEntry:
    required = ("number", "label", "hours", "source", "checked", "verified")
    fields = value.fields(*required, "note", required=required)
    number = fields["number"].text()
    if not re.fullmatch(r"\+?\d[\d ]{1,14}\d", number):
        raise fields["number"].fault(f"{number!r} is not a telephone number")
    checked = fields["checked"].text()
    if checked and not re.fullmatch(r"\d{4}-\d\d-\d\d", checked):
        raise fields["checked"].fault(f"{checked!r} is not a day such as 2026-11-23")
    return DirectoryEntry(
        id=name,
        number=number,
        label=fields["label"].text(),
        hours=fields["hours"].text(),
        source=fields["source"].text(),
        checked=checked,
        verified=fields["verified"].flag(),
        note=fields["note"].text() if "note" in fields else "",
    )
