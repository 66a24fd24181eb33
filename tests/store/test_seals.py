"""The chain over events holds as long as nobody touches them, on both databases."""

import copy
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from bot.store import Store, seals
from bot.store.tables import Event
from bot.wallclock import HandClock

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
CLOCK = HandClock(NOW, seed=9)


async def happened(store: Store, *subjects: str, at: datetime = NOW) -> None:
    def work(session: Session) -> None:
        for subject in subjects:
            event = Event(id=CLOCK.uuid().hex, at=at, actor="bot", verb="clock_met", subject=subject, detail={"n": 1})
            session.add(event)

    await store.run(work)


async def sealed(store: Store, *, now: datetime = NOW) -> int:
    return await store.run(lambda session: seals.seal(session, now=now))


async def test_events_are_sealed_once_and_the_chain_holds(store: Store) -> None:
    await happened(store, "a", "b", "c")
    assert await sealed(store) == 3
    assert await sealed(store) == 0
    await happened(store, "a", at=NOW + timedelta(hours=1))
    assert await sealed(store, now=NOW + timedelta(hours=1)) == 1
    assert await store.read(seals.check) == []
    assert await store.read(seals.waiting) == 0


async def test_a_proof_holds_without_the_database_and_names_nobody_else(store: Store) -> None:
    await happened(store, "mine", "theirs", "mine", "theirs", "mine")
    await sealed(store)
    await happened(store, "mine", at=NOW + timedelta(minutes=1))
    proof = json.loads(json.dumps(await store.read(lambda session: seals.proof(session, ["mine"]))))
    assert seals.faults(proof) == []
    assert [event["subject"] for event in proof["events"]] == ["mine"] * 4
    assert proof["events"][-1]["seal"] is None
    assert "theirs" not in json.dumps(proof)


@pytest.mark.parametrize(
    ("where", "what"),
    [("verb", "clock_ended"), ("at", "2026-11-23T09:00:00.000000+00:00"), ("actor", "tenant"), ("detail", {"n": 2})],
)
async def test_a_proof_that_was_touched_is_found_out(store: Store, where: str, what: object) -> None:
    await happened(store, "mine", "theirs")
    await sealed(store)
    proof = await store.read(lambda session: seals.proof(session, ["mine"]))
    touched = copy.deepcopy(proof)
    touched["events"][0][where] = what
    assert seals.faults(touched) != []
    touched = copy.deepcopy(proof)
    touched["seals"][0]["root"] = "f" * 64
    assert seals.faults(touched) != []


async def test_an_event_that_was_rewritten_or_removed_breaks_the_chain(store: Store) -> None:
    await happened(store, "a", "b")
    await sealed(store)

    def rewrite(session: Session) -> None:
        event = session.exec(select(Event).where(Event.subject == "a")).one()
        event.detail = {"n": 2}
        session.add(event)

    await store.run(rewrite)
    assert await store.read(seals.check) == ["seal 1: its events are not what was sealed"]
    await store.run(lambda session: session.delete(session.exec(select(Event).where(Event.subject == "a")).one()))
    assert await store.read(seals.check) == ["seal 1: its events are not what was sealed"]


async def test_an_erased_detail_leaves_the_chain_whole(store: Store) -> None:
    await happened(store, "a", "b")
    await sealed(store)

    def erase(session: Session) -> None:
        event = session.exec(select(Event).where(Event.subject == "a")).one()
        event.detail = {}
        session.add(event)

    await store.run(erase)
    assert await store.read(seals.check) == []
    assert seals.faults(await store.read(lambda session: seals.proof(session, ["a"]))) == []


async def test_what_was_written_late_is_in_a_later_seal(store: Store) -> None:
    await happened(store, "early")
    await sealed(store)
    await happened(store, "late", at=NOW - timedelta(minutes=5))
    await sealed(store)
    assert await store.read(lambda s: [e.seal for e in s.exec(select(Event).order_by(col(Event.at)))]) == [2, 1]
    assert await store.read(seals.check) == []


@given(st.integers(1, 40))
def test_every_leaf_of_a_tree_leads_to_its_root(size: int) -> None:
    leaves = [seals._hash(bytes([number])) for number in range(size)]
    levels = seals._levels(leaves)
    assert all(seals._climb(leaf, seals._path(levels, n)) == levels[-1][0] for n, leaf in enumerate(leaves))
