"""The same ladder on PostgreSQL, where rows are locked and several processes climb."""

import asyncio
from typing import Any

import psycopg
import pytest

from bot.dev.standins.twilio_voice import BUSY
from tests.unit.handover.conftest import FLOOD, LINE, LINE_TEXT, OFFICER, Night

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
