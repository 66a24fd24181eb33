"""A sweep that is cut off at any commit or send loses no update and writes nothing twice.

Every place where a process can die is tried: before and after each transaction, before and after the provider takes a
message. What starts after it works from the rows alone. (`tests/crash` kills real processes.)
"""

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from bot.channels import Blocked
from bot.desk import case as cases
from bot.desk import milestone, update
from bot.desk.conversation import NotAllowed
from bot.desk.update import Content
from bot.messages import ChannelName, Outbound
from bot.sla import load_policy
from bot.store import Store, open_store, schema
from bot.store.tables import Case, Clock, Message, Task
from tests.unit.promises.house import House, Line

POLICY = load_policy("berwickshire")
DUE = datetime(2026, 12, 3, 13, tzinfo=UTC)
"""On this day an update has been sent and an apology is due."""


class Killed(BaseException):
    """The process is gone."""


class Fuse:
    """Burns at its nth touch."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.touched = 0

    def touch(self) -> None:
        self.touched += 1
        if self.touched == self.length:
            raise Killed


class MortalStore:
    """A store whose process dies just before or just after a transaction."""

    def __init__(self, store: Store, fuse: Fuse) -> None:
        self._store, self._fuse = store, fuse
        self.is_sqlite = store.is_sqlite

    async def run(self, work: Callable[[Session], Any]) -> Any:
        self._fuse.touch()
        done = await self._store.run(work)
        self._fuse.touch()
        return done

    async def read(self, work: Callable[[Session], Any]) -> Any:
        return await self._store.read(work)


class MortalLine(Line):
    """A channel whose sender dies just before or just after the provider has the message."""

    fuse: Fuse

    async def send(self, message: Outbound) -> str:
        self.fuse.touch()
        provider_id = await super().send(message)
        self.fuse.touch()
        return provider_id


async def outcome_of(database: Path, fuse: Fuse) -> tuple[bool, list[Any]]:
    """Sweep and send on that day until the fuse burns, start anew, and see the day out. Whether it burned, and the rows."""
    store = open_store(f"sqlite:///{database}")
    house = House(store, POLICY, start=DUE)
    provider = house.lines[ChannelName.SMS]
    mortal = MortalLine(ChannelName.SMS, sent=provider.sent)
    mortal.fuse = fuse
    doomed = House(store, POLICY, start=DUE, seed=6)
    doomed.store = MortalStore(store, fuse)  # type: ignore[assignment]
    doomed.promises = doomed.sweeper()
    doomed.outbox._store = doomed.store
    doomed.outbox._channels = {ChannelName.SMS: mortal}  # type: ignore[dict-item]
    burned = False
    try:
        await doomed.promises.sweep()
        await doomed.outbox.deliver_due()
    except Killed:
        burned = True
    others = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
    await asyncio.gather(*others, return_exceptions=True)
    await house.outbox.recover()
    house.clock.advance(timedelta(minutes=2))
    await house.beat()
    await house.until_instant(DUE + timedelta(hours=20))
    rows: list[Any] = sorted(
        [(each.commitment, each.state, each.told_by, each.told_at is not None) for each in await house.rows(Clock)]
    )
    rows += sorted((each.kind, each.state, each.text.split("\n")[0]) for each in await house.rows(Message))
    rows += sorted(each.kind for each in await house.rows(Task))
    sent = [each.id for each in provider.sent]
    assert len(sent) == len(set(sent)), "the provider was handed a message twice"
    await store.close()
    return burned, rows


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database on the morning of that day: two people, one of them with two cases."""
    database = tmp_path_factory.mktemp("before") / "doorstep.db"
    store = open_store(f"sqlite:///{database}")
    schema.migrate(store)
    house = House(store, POLICY)

    async def fill() -> None:
        await house.open()
        await house.open(category="gutter")
        await house.open(address="+447700900777")
        await house.until_instant(DUE - timedelta(minutes=1))

    asyncio.run(fill())
    store.close_now()
    return database


async def test_killed_at_every_commit_and_send_nothing_is_lost_and_nothing_doubled(
    before: Path, tmp_path: Path
) -> None:
    shutil.copy(before, tmp_path / "whole.db")
    burned, expected = await outcome_of(tmp_path / "whole.db", Fuse(10**6))
    assert not burned
    assert sum(row[0] == "apology" for row in expected if len(row) == 3) == 2
    places = 0
    while burned or places == 0:
        places += 1
        shutil.copy(before, tmp_path / f"{places}.db")
        burned, rows = await outcome_of(tmp_path / f"{places}.db", Fuse(places))
        assert rows == expected, f"killed at place {places}"
    assert places > 12


STEPS = st.lists(
    st.sampled_from([
        "two hours", "a day", "a week", "give", "attend", "close", "block", "unblock", "reply by phone", "new case", "twice",
    ]),
    min_size=4, max_size=14,
)  # fmt: skip


@given(STEPS)
@settings(
    max_examples=25, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_whatever_happens_each_case_is_spoken_of_and_nothing_is_said_after_its_end(
    before: Path, tmp_path: Path, steps: list[str]
) -> None:
    database = tmp_path / "model.db"
    for leftover in tmp_path.glob("model.db*"):
        leftover.unlink()
    shutil.copy(before, database)
    asyncio.run(play(database, steps))


async def play(database: Path, steps: list[str]) -> None:
    store = open_store(f"sqlite:///{database}")
    house = House(store, POLICY, start=DUE - timedelta(minutes=1))
    try:
        for step in steps:
            await take(house, step)
            await check(house)
        await house.until_instant(house.now + timedelta(days=12))
        await check(house)
        await check_everybody_was_told(house)
    finally:
        await store.close()


async def take(house: House, step: str) -> None:
    match step:
        case "two hours" | "a day" | "a week":
            length = {"two hours": timedelta(hours=2), "a day": timedelta(days=1), "a week": timedelta(days=7)}[step]
            await house.sleep_until(house.now + length)
        case "block":
            house.lines[ChannelName.SMS].fails = Blocked
        case "unblock":
            house.lines[ChannelName.SMS].fails = None
        case "new case":
            await house.open(address="+447700900555")
        case "twice":
            await asyncio.gather(*(house.sweeper().sweep() for _ in range(3)))
        case "reply by phone":
            for task in await house.tasks("ring_about_promise"):
                await house.run(
                    lambda s, task=task: update.tasks.done(s, house.office, task.id, house.staff, now=house.now)
                )
        case _:
            await act(house, step)


async def act(house: House, step: str) -> None:
    """A person does something about the oldest open case."""
    opened = [each for each in await house.rows(Case) if each.state == "open"]
    if not opened:
        return
    case_id = opened[0].id
    running = [
        each for each in await house.rows(Clock)
        if each.case_id == case_id and each.commitment == "progress_update" and each.state == "running"
    ]  # fmt: skip

    def work(session: Session) -> None:
        case = session.get_one(Case, case_id)
        if step == "give":
            update.give(session, house.office, running[0].id, Content("We ordered it."), house.staff, now=house.now)
        elif step == "attend":
            milestone.reached(session, house.office, case, "attended", house.staff, now=house.now)
        else:
            cases.close(session, house.office, case, "It is done.", house.staff, now=house.now)

    try:
        await house.run(work)
    except NotAllowed:
        return
    await house.deliver()


async def check(house: House) -> None:
    clocks = await house.rows(Clock)
    running = [(each.case_id, each.commitment) for each in clocks if each.state == "running"]
    assert len(running) == len(set(running))
    closed = {each.id: each.closed_at for each in await house.rows(Case) if each.state == "closed"}
    for clock in clocks:
        assert clock.case_id not in closed or clock.state not in {"running", "paused"}, "a clock outlived its case"
    for message in await house.rows(Message):
        if message.case_id in closed and message.direction == "out":
            assert message.created_at <= closed[message.case_id] or message.detail.get("outcome"), (
                "spoken of after its end"
            )
    sent = [each.id for each in house.lines[ChannelName.SMS].sent]
    assert len(sent) == len(set(sent))


async def check_everybody_was_told(house: House) -> None:
    """Every open case has the next update running, and every one that was due was told of or given to a person."""
    clocks = await house.rows(Clock)
    for case in await house.rows(Case):
        if case.state == "open":
            assert any(
                each.case_id == case.id and each.commitment == "progress_update" and each.state == "running"
                for each in clocks
            )
    about = {
        each
        for task in await house.rows(Task)
        if task.about
        for key in ("clocks", "meets")
        for each in task.about.get(key, ())
    }
    for clock in clocks:
        if clock.missed_at is not None and clock.ended_at is None:
            assert clock.told_at is not None or clock.id in about, f"{clock.commitment} was missed in silence"
