"""What becomes of every sentence of an association's policy: kept, recorded, off-channel, or planned with the reason.

Timed promises are commitments (`bot.sla.commitment`): what their tenants are told and what is kept as evidence is the same for
every association, so it stands once, in `commitments.toml`. Everything else that a document asks stands in a file of its own,
`<policy id>.toml` here, or `NAME.qualities.toml` beside a policy file of your own.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.sla.commitment import COMMITMENT_IDS, Commitment
from bot.sla.policy import Policy
from bot.sla.toml_reader import Document, Table, read_document

STATUSES: Final = ("kept", "recorded", "off-channel", "planned")
_HERE: Final = Path(__file__).parent
_PLACE: Final = re.compile(r"[1-9]\d*(\.[1-9]\d*)?")


@dataclass(frozen=True, slots=True)
class Quality:
    """Something that a document asks and that has no figure."""

    id: str
    clause: str
    lines: tuple[str, ...]
    """Where the document says it: `63`, or `63.2` for the second sentence of line 63."""
    asks: str
    status: str
    how: str
    """What meets it."""
    evidence: str
    told: str | None = None
    """What tenants are told of it, and when."""
    tests: tuple[str, ...] = ()
    """The tests that show it, as `FILE::NAME` below `tests/`."""
    reason: str | None = None
    """Why it is only planned."""


@dataclass(frozen=True, slots=True)
class Timed:
    """What a commitment's tenants are told, and what is kept."""

    told: str
    evidence: str
    tests: tuple[str, ...]
    planned: str | None = None
    """Why it is not kept yet."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the traceability table: a commitment or a quality."""

    id: str
    clause: str
    asks: str
    clock: str | None
    """The figure and how it is counted; None where no time is promised."""
    met_by: str
    told: str | None
    evidence: str
    status: str
    tests: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Qualities:
    """The untimed sentences of one document."""

    document: str
    set_aside: tuple[str, ...]
    """Places in the document that promise nothing: headings, dates, addresses."""
    rows: tuple[Quality, ...]


NONE: Final = Qualities("", (), ())


def load_qualities(policy: Policy) -> Qualities:
    """The untimed sentences of the policy's document; `NONE` if nobody has written them down.

    Raises PolicyError with every fault of the file, each as `file:line: reason`.
    """
    beside = Path(policy.file).with_suffix(".qualities.toml")
    path = beside if beside.exists() else _HERE / f"{policy.id}.toml"
    return _read(read_document(path)) if path.exists() else NONE


def load_timed() -> Mapping[str, Timed]:
    """What is told and kept of each commitment, by its id. Raises PolicyError."""
    document = read_document(_HERE / "commitments.toml")
    found: dict[str, Timed] = {}
    root = document.root()
    for table in root.tables("timed", required=True):
        names = table.strings("commitments", COMMITMENT_IDS, required=True)
        timed = Timed(
            told=table.text("told"),
            evidence=table.text("evidence"),
            tests=tuple(table.strings("tests", required=True)),
            planned=table.text_or_none("planned"),
        )
        table.done()
        for name in names:
            if name in found:
                table.fault("commitments", f"timed: {name} is named twice")
            found[name] = timed
    root.done()
    for name in sorted(COMMITMENT_IDS - found.keys()):
        root.fault(None, f"timed: {name} is missing")
    document.finish()
    return found


def trace(policy: Policy) -> tuple[Row, ...]:
    """Every commitment and every untimed sentence of a policy, timed ones first, each in its file's order."""
    timed = load_timed()
    rows = [_timed_row(rule, timed[rule.id]) for rule in policy.commitments.values()]
    return (*rows, *(_quality_row(quality) for quality in load_qualities(policy).rows))


def covered(policy: Policy) -> frozenset[str]:
    """Every place of the document that a row names or that is set aside, as `63` or `63.2`.

    A commitment names its lines by its clause (`B:111`), where the clauses of a document are line numbers.
    """
    qualities = load_qualities(policy)
    named = {place for row in qualities.rows for place in row.lines} | set(qualities.set_aside)
    for rule in policy.commitments.values():
        named.update(re.findall(r"\b[A-Z]:(\d+)", rule.clause))
    return frozenset(named)


def _read(document: Document) -> Qualities:
    root = document.root()
    title = root.text("document")
    set_aside = _places(root, "set_aside")
    rows = tuple(_rows(root))
    root.done()
    document.finish()
    return Qualities(title, set_aside, rows)


def _rows(root: Table) -> Iterator[Quality]:
    seen: set[str] = set()
    for table in root.tables("qualities", required=True):
        row = Quality(
            id=table.text("id"),
            clause=table.text("clause"),
            lines=_places(table, "lines"),
            asks=table.text("asks"),
            status=table.choice("status", STATUSES),
            how=table.text("how"),
            evidence=table.text("evidence"),
            told=table.text_or_none("told"),
            tests=tuple(table.strings("tests")),
            reason=table.text_or_none("reason"),
        )
        table.done()
        if row.id in seen:
            table.fault("id", f"qualities: {row.id} is there twice")
        seen.add(row.id)
        if row.status == "kept" and not row.tests:
            table.fault("status", f"qualities: {row.id} is kept, so tests must name what shows it")
        if (row.status == "planned") != (row.reason is not None):
            table.fault("status", f"qualities: {row.id}: a reason belongs to what is planned, and only to that")
        yield row


def _places(table: Table, key: str) -> tuple[str, ...]:
    places = table.strings(key, required=True)
    for place in places:
        if not _PLACE.fullmatch(place):
            table.fault(key, f"{table.label}: {place!r} is not a line such as 63, or 63.2 for its second sentence")
    return tuple(places)


def _timed_row(rule: Commitment, timed: Timed) -> Row:
    status = "planned" if timed.planned and rule.status == "kept" else rule.status
    return Row(
        id=rule.id, clause=rule.clause, asks=rule.title, clock=rule.counting, met_by=rule.met_by.replace("_", " "),
        told=timed.told, evidence=timed.evidence, status=status, tests=timed.tests,
        reason=timed.planned if status == "planned" else None,
    )  # fmt: skip


def _quality_row(row: Quality) -> Row:
    return Row(
        id=row.id, clause=row.clause, asks=row.asks, clock=None, met_by=row.how, told=row.told, evidence=row.evidence,
        status=row.status, tests=row.tests, reason=row.reason,
    )  # fmt: skip
