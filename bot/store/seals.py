"""The proof that what happened was not rewritten: a hash chain over all events.

Every few minutes a seal is made over the events that have none yet: a hash tree over them, in the order of their ids, and a
hash over the tree's root and the seal before it. Whoever noted the newest hash (in the minutes of a meeting, with an auditor)
can tell later whether any event up to then was changed, removed or put in.

An event enters the tree as a digest of its id, time, actor, verb, subject and the digest of its detail: so a detail can be
erased when the law asks for it, and the chain still holds. Writers need no lock: an event whose transaction was late is in
a later seal. A proof of some events holds the way from each to its root and every seal from there to the newest, and
nothing of anybody else's.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import RowMapping, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Session, SQLModel

from bot.store.tables import Event, Seal  # the tables must be declared before they are looked up

BEGINNING: Final = "0" * 64
"""What stands before the first seal."""
_EVENT, _SEAL = SQLModel.metadata.tables[str(Event.__tablename__)], SQLModel.metadata.tables[str(Seal.__tablename__)]
_MOST: Final = 20_000
_UPDATE: Final = (
    update(_EVENT)
    .where(_EVENT.c.id == bindparam("event_id"))
    .values(seal=bindparam("number"), detail_digest=bindparam("digest"))
)


def seal(session: Session, *, now: datetime) -> int:
    """Seal the events that have no seal yet, at most `_MOST` of them. How many there were; 0 if another worker was quicker."""
    waiting = session.execute(
        select(_EVENT).where(_EVENT.c.seal.is_(None)).order_by(_EVENT.c.id).limit(_MOST)
    ).mappings().all()  # fmt: skip
    if not waiting:
        return 0
    newest = session.execute(select(_SEAL).order_by(_SEAL.c.number.desc()).limit(1)).mappings().first()
    number = newest["number"] + 1 if newest else 1
    previous = newest["hash"] if newest else BEGINNING
    details = [_digest(each["detail"]) for each in waiting]
    top = _root([_leaf(each, detail) for each, detail in zip(waiting, details, strict=True)])
    values = {"number": number, "previous": previous, "root": top, "events": len(waiting), "at": now}
    make = postgres_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    statement = make(_SEAL).values(values | {"hash": seal_hash(values)})
    if session.execute(statement.on_conflict_do_nothing().returning(_SEAL.c.number)).first() is None:
        return 0
    session.connection().execute(
        _UPDATE,
        [
            {"event_id": each["id"], "number": number, "digest": detail}
            for each, detail in zip(waiting, details, strict=True)
        ],
    )
    return len(waiting)


def head(session: Session) -> dict[str, Any] | None:
    """The newest seal, as a proof has it; None if there is none yet."""
    row = session.execute(select(_SEAL).order_by(_SEAL.c.number.desc()).limit(1)).mappings().first()
    return _plain(row) if row else None


def proof(session: Session, subjects: Sequence[str]) -> dict[str, Any]:
    """Everything that happened to these rows, each event with its way to its seal, and every seal from the first of them to
    the newest. JSON; `faults` checks it without the database."""
    mine = session.execute(
        select(_EVENT).where(_EVENT.c.subject.in_(subjects)).order_by(_EVENT.c.at, _EVENT.c.id)
    ).mappings().all()  # fmt: skip
    numbers = sorted({each["seal"] for each in mine if each["seal"] is not None})
    trees = {number: _tree_of(session, number) for number in numbers}
    events = []
    for each in mine:
        told = {name: each[name] for name in ("id", "actor", "verb", "subject", "detail", "seal")}
        told["at"] = _iso(each["at"])
        told["detail_digest"] = each["detail_digest"] or _digest(each["detail"])
        if each["seal"] is not None:
            ids, levels = trees[each["seal"]]
            told["path"] = _path(levels, ids.index(each["id"]))
        events.append(told)
    chain = select(_SEAL).where(_SEAL.c.number >= (numbers[0] if numbers else 0)).order_by(_SEAL.c.number)
    seals = [_plain(row) for row in session.execute(chain).mappings()] if numbers else []
    return {"events": events, "seals": seals}


def faults(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with a proof: nothing, if it is as it was made. Needs no database."""
    found: list[str] = []
    seals = {each["number"]: each for each in given["seals"]}
    previous = None
    for each in given["seals"]:
        if seal_hash(each) != each["hash"]:
            found.append(f"seal {each['number']} does not have its own hash")
        if previous is not None and (each["previous"] != previous["hash"] or each["number"] != previous["number"] + 1):
            found.append(f"seal {each['number']} does not follow seal {previous['number']}")
        previous = each
    for event in given["events"]:
        if event["detail"] and _digest(event["detail"]) != event["detail_digest"]:
            found.append(f"event {event['id']}: its detail was changed")
        if event["seal"] is None:
            continue
        leaf = _leaf(event, event["detail_digest"])
        if event["seal"] not in seals or _climb(leaf, event["path"]) != seals[event["seal"]]["root"]:
            found.append(f"event {event['id']} is not what was sealed")
    return found


def check(session: Session) -> list[str]:
    """What is wrong with the whole chain, from the first seal to the newest."""
    found: list[str] = []
    previous, expected = BEGINNING, 1
    for row in session.execute(select(_SEAL).order_by(_SEAL.c.number)).mappings():
        number = row["number"]
        if number != expected or row["previous"] != previous:
            found.append(f"seal {number} does not follow the one before it")
        if seal_hash(row) != row["hash"]:
            found.append(f"seal {number} does not have its own hash")
        ids, levels = _tree_of(session, number)
        if len(ids) != row["events"] or (levels and levels[-1][0] != row["root"]):
            found.append(f"seal {number}: its events are not what was sealed")
        previous, expected = row["hash"], number + 1
    return found


def waiting(session: Session) -> int:
    """How many events have no seal yet."""
    statement = select(func.count()).select_from(_EVENT).where(_EVENT.c.seal.is_(None))
    return int(session.execute(statement).scalar_one())


def seal_hash(row: Mapping[str, Any] | RowMapping) -> str:
    """The hash of one seal, over everything else in it."""
    at = row["at"] if isinstance(row["at"], str) else _iso(row["at"])
    return _hash(json.dumps([row["number"], row["previous"], row["root"], row["events"], at]).encode())


def _tree_of(session: Session, number: int) -> tuple[list[str], list[list[str]]]:
    rows = session.execute(select(_EVENT).where(_EVENT.c.seal == number).order_by(_EVENT.c.id)).mappings().all()
    leaves = []
    for row in rows:
        if row["detail"] and _digest(row["detail"]) != row["detail_digest"]:
            leaves.append(_leaf(row, _digest(row["detail"])))  # rewritten, not erased: the root will not fit
        else:
            leaves.append(_leaf(row, row["detail_digest"]))
    return [row["id"] for row in rows], _levels(leaves)


def _plain(row: RowMapping) -> dict[str, Any]:
    return dict(row) | {"at": _iso(row["at"])}


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _leaf(event: Mapping[str, Any] | RowMapping, detail: str) -> str:
    at = event["at"] if isinstance(event["at"], str) else _iso(event["at"])
    told = [event["id"], at, event["actor"], event["verb"], event["subject"], detail]
    return _hash(b"\x00" + json.dumps(told).encode())


def _digest(detail: Any) -> str:
    return _hash(json.dumps(detail, sort_keys=True).encode())


def _hash(what: bytes) -> str:
    return hashlib.sha256(what).hexdigest()


def _pair(left: str, right: str) -> str:
    return _hash(b"\x01" + bytes.fromhex(left) + bytes.fromhex(right))


def _levels(leaves: list[str]) -> list[list[str]]:
    """The hash tree from its leaves to its root. One without a neighbour moves up as it is."""
    levels = [leaves] if leaves else []
    while levels and len(levels[-1]) > 1:
        below = levels[-1]
        above = [_pair(left, right) for left, right in zip(below[::2], below[1::2], strict=False)]
        levels.append(above + below[len(above) * 2 :])
    return levels


def _root(leaves: list[str]) -> str:
    return _levels(leaves)[-1][0]


def _path(levels: list[list[str]], place: int) -> list[list[str]]:
    """The neighbours on the way from a leaf to the root, each with the side on which it stands."""
    path = []
    for level in levels[:-1]:
        neighbour = place ^ 1
        if neighbour < len(level):
            path.append(["left" if neighbour < place else "right", level[neighbour]])
        place //= 2
    return path


def _climb(leaf: str, path: Sequence[Sequence[str]]) -> str:
    for side, other in path:
        leaf = _pair(other, leaf) if side == "left" else _pair(leaf, other)
    return leaf
