"""A sweep that is cut off at any commit or send loses no update and writes nothing twice.

Every place where a process can die is tried: before and after each transaction, before and after the provider takes a
message. What starts after it works from the rows alone. (`test_updates_model.py` kills at random places among whatever
tenants, staff and networks do; `tests/crash` kills real processes.)
"""

import asyncio
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.channels import TemporaryFailure
from bot.messages import ChannelName
from bot.sla import load_policy
from bot.store import open_store, schema
from bot.store.tables import Clock, Message, Task
from tests.unit.promises.house import House
from tests.unit.promises.mortal import Fuse, doomed, live_and_die, sent_twice

POLICY = load_policy("berwickshire")
DUE = datetime(2026, 12, 3, 13, tzinfo=UTC)
"""On this day an update has been sent and an apology is due."""


@dataclass(frozen=True)
class Hour:
    """A moment at which there is much to do, and what the networks are like then."""

    at: datetime
    out_of_order: bool = False
    on_a_page: bool = False
    """Everybody writes on a web page, and nobody looks at it any more."""


HOURS = {
    "an update and an apology": Hour(DUE),
    "the network takes nothing, and time is short": Hour(DUE + timedelta(hours=2), out_of_order=True),
    "what was put on a page is not read": Hour(DUE + timedelta(minutes=10), on_a_page=True),
    "what was promised is missed": Hour(datetime(2026, 12, 4, 9, tzinfo=UTC)),
}


async def outcome_of(database: Path, hour: Hour, fuse: Fuse) -> tuple[bool, list[Any]]:
    """Sweep and send in that hour until the fuse burns, start anew, and see the day out. Whether it burned, and the rows."""
    store = open_store(f"sqlite:///{database}")
    house = House(store, POLICY, start=hour.at)
    line = house.lines[ChannelName.SMS]
    line.fails = TemporaryFailure if hour.out_of_order else None
    burned = await live_and_die(doomed(house, POLICY, fuse), fuse)
    await house.outbox.recover()
    house.clock.advance(timedelta(minutes=2))
    await house.beat()
    await house.until_instant(hour.at + timedelta(hours=20))
    rows: list[Any] = sorted(
        [(each.commitment, each.state, each.told_by, each.told_at is not None) for each in await house.rows(Clock)]
    )
    rows += sorted((each.kind, each.state, each.text.split("\n")[0]) for each in await house.rows(Message))
    rows += sorted((each.kind, each.urgent) for each in await house.rows(Task))
    assert not sent_twice(house), "a provider was handed a message twice"
    await store.close()
    return burned, rows


def eve(database: Path, hour: Hour) -> None:
    """A database just before that hour: two people, one of them with two cases."""
    store = open_store(f"sqlite:///{database}")
    schema.migrate(store)
    house = House(store, POLICY)
    first, second = ("session-1", "session-2") if hour.on_a_page else ("+447700900123", "+447700900777")
    channel = "web" if hour.on_a_page else "sms"

    async def fill() -> None:
        cases = [
            await house.open(channel=channel, address=first),
            await house.open(category="gutter", channel=channel, address=first),
            await house.open(channel=channel, address=second),
        ]
        for case in cases:
            await house.prefer(case, phone="+447700900999")
        if hour.out_of_order:
            await house.until_instant(DUE - timedelta(minutes=30))
            house.lines[ChannelName.SMS].fails = TemporaryFailure
        await house.until_instant(hour.at - timedelta(minutes=1), step=timedelta(minutes=30))

    asyncio.run(fill())
    store.close_now()


@pytest.mark.parametrize("hour", HOURS.values(), ids=HOURS.keys())
async def test_killed_at_every_commit_and_send_nothing_is_lost_and_nothing_doubled(hour: Hour, tmp_path: Path) -> None:
    await asyncio.to_thread(eve, tmp_path / "eve.db", hour)
    shutil.copy(tmp_path / "eve.db", tmp_path / "whole.db")
    burned, expected = await outcome_of(tmp_path / "whole.db", hour, Fuse(10**6))
    assert not burned
    places = 0
    while burned or places == 0:
        places += 1
        shutil.copy(tmp_path / "eve.db", tmp_path / f"{places}.db")
        burned, rows = await outcome_of(tmp_path / f"{places}.db", hour, Fuse(places))
        assert rows == expected, f"killed at place {places}"
    assert places > 4
    if hour == Hour(DUE):
        assert sum(row[0] == "apology" for row in expected if len(row) == 3) == 2
        assert places > 12
