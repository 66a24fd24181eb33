"""The same ladder on PostgreSQL, where rows are locked and several processes climb."""

import asyncio
from typing import Any

import psycopg
import pytest

from bot.dev.standins.twilio_voice import BUSY, person
from bot.store.tables import Attachment, TenantCall
from tests.unit.handover.conftest import FLOOD, LINE, LINE_TEXT, OFFICER, TENANT, Night

pytestmark = pytest.mark.postgres


@pytest.fixture
def database(postgres_server: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    name = f"handover_{abs(hash(request.node.name))}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
    return {"database_url": f"{postgres_server}/{name}"}


async def test_it_climbs_is_taken_and_says_so(night: Night) -> None:
    night.twilio.usually[LINE] = BUSY
    await night.text(FLOOD)
    await night.pass_time(minutes=6)
    assert night.twilio.sent_to(OFFICER)
    code = (await night.handover()).code
    await night.text(code, OFFICER)
    assert (await night.handover()).taken_by == "duty officer"
    await night.text("14 High Street, Duns TD11 3AU")
    await night.pass_time(minutes=1)
    assert any("14 High Street" in each for each in await night.texts(OFFICER))


async def test_of_two_who_take_it_at_once_one_has_it(night: Night) -> None:
    night.twilio.usually[LINE] = BUSY
    night.twilio.usually[OFFICER] = BUSY
    await night.text(FLOOD)
    await night.pass_time(minutes=6)
    code = (await night.handover()).code
    await asyncio.gather(night.twilio.text_in(LINE_TEXT, code), night.twilio.text_in(OFFICER, code))
    await night.beat()
    answers = [night.twilio.sent_to(number)[-1].body for number in (LINE_TEXT, OFFICER)]
    assert sorted(("is yours" in each, "has it already" in each) for each in answers) == [(False, True), (True, False)]


async def test_two_that_beat_at_once_alert_once(night: Night) -> None:
    night.twilio.usually[LINE] = BUSY
    answer = await night.twilio.text_in("+447700900123", FLOOD)
    assert answer.status == 200
    await asyncio.gather(night.doorstep.handovers.climb(), night.doorstep.handovers.climb())
    await night.beat()
    assert len(night.twilio.calls_to(LINE)) == 1


async def test_who_takes_no_messages_is_rung_once_and_files_are_fetched_once_by_two_that_beat_at_once(
    night: Night,
) -> None:
    night.twilio.usually[TENANT] = person("1")
    for words in ("hello", "STOP", "i can smell gas in my kitchen"):
        await night.twilio.text_in(TENANT, words)
    calls, fetching = night.doorstep.calls, night.doorstep.fetching
    await asyncio.gather(calls.ring(), calls.ring())
    await calls.settle()
    await night.twilio.hung_up()
    assert [(each.n, each.state) for each in await night.rows(TenantCall)] == [(1, "heard")]

    await night.twilio.photo_in("+447700900124", b"\xff\xd8\xff\xe0" + bytes(90))
    assert sum(await asyncio.gather(fetching.look(), fetching.look())) == 1
    await fetching.settle()
    assert [(each.state, each.attempts) for each in await night.rows(Attachment)] == [("kept", 1)]
