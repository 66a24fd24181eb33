"""The same console on PostgreSQL: its reading and its transitions speak to both databases."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from unit.console.house import Browser, House, open_house

pytestmark = pytest.mark.postgres


@pytest.fixture
async def house(tmp_path: Path, postgres_server: str) -> AsyncIterator[House]:
    name = f"d{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    async with open_house(tmp_path, f"{postgres_server}/{name}") as opened:
        yield opened


async def test_a_conversation_is_taken_over_answered_and_handed_back(house: House):
    talk = (await house.tenant_says("my tap is dripping", name="Isla Reid")).conversation_id
    await house.tenant_says("i smell gas", address="+447700900456")
    ama = Browser(house.client)
    await ama.welcome(await house.hire())
    assert "Emergency: a smell of gas" in ama.page
    here = f"/staff/conversations/{talk}"

    await ama.get(here)
    await ama.post(f"{here}/take-over", holder=ama.field("holder"))
    await ama.post(f"{here}/reply", text="A plumber comes on Tuesday.", form=ama.field("form"))
    assert "A plumber comes on Tuesday." in ama.page
    await ama.post(f"{here}/hand-back")

    assert "The bot is answering." in ama.page
    for view in ("all", "waiting", "mine"):
        await ama.get(f"/staff?view={view}")
        assert ama.status == 200


async def test_of_two_who_take_over_in_the_same_moment_one_has_it(house: House):
    talk = (await house.tenant_says("my tap is dripping")).conversation_id
    staff = [await house.sign_in(name, house.guest()) for name in ("Ama Mensah", "Ben Okoro", "Cat Lindsay")]
    for each in staff:
        await each.get(f"/staff/conversations/{talk}")

    await asyncio.gather(*(each.post(f"/staff/conversations/{talk}/take-over", holder="bot") for each in staff))

    assert sorted(each.status for each in staff) == [200, 409, 409]
    joined = [each for each in await house.transcript(talk) if each.kind == "notice"]
    assert len(joined) == 1


async def test_an_open_page_hears_of_what_another_process_wrote(house: House):
    await house.sign_in("Ama Mensah", house.client)
    async with house.client.ws_connect("/staff/live") as socket:
        assert await socket.receive_json(timeout=5) == {"changed": True}
        house.intake._nudge = lambda _conversation_id: None  # as if it had happened elsewhere
        await house.tenant_says("my tap is dripping")

        assert await socket.receive_json(timeout=5) == {"changed": True}
