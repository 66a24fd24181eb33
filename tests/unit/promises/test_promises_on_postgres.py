"""Several processes sweep one PostgreSQL database at the same time."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from bot.promises import Promises
from bot.store import Store, open_store, schema
from bot.store.tables import Task
from tests.unit.promises.house import House


@pytest.fixture
def stores(postgres_server: str) -> Iterator[list[Store]]:
    """Three connections' worth of processes over one database."""
    name = f"p{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    opened = [open_store(f"{postgres_server}/{name}") for _ in range(3)]
    schema.migrate(opened[0])
    yield opened
    for each in opened:
        each.close_now()


@pytest.mark.postgres
async def test_three_processes_write_one_update_and_one_task_of_a_kind(stores: list[Store]) -> None:
    house = House(stores[0])
    for number in range(12):
        await house.open(address=f"+4477009003{number:02}")
        await house.open(category="gutter", address=f"+4477009003{number:02}")
    house.clock.move_to(datetime(2026, 12, 3, 13, tzinfo=UTC))
    sweepers = [Promises(each, house.office, house.clock, house.outbox.nudge) for each in stores]
    await asyncio.gather(*(each.sweep() for each in sweepers))
    await asyncio.gather(*(each.sweep() for each in sweepers))
    told = await house.updates()
    assert sorted(each.address for each in told) == [f"+4477009003{number:02}" for number in range(12)]
    kinds = [(each.kind, each.clock_id) for each in await house.rows(Task) if each.clock_id]
    assert len(kinds) == len(set(kinds))
    await house.deliver()
    house.clock.move_to(datetime(2026, 12, 3, 14, tzinfo=UTC))
    assert await sweepers[0].sweep() == 0
