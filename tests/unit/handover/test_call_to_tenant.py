"""In danger, and cannot be messaged: the advice is spoken to them by telephone, and staff ring all the same."""

from datetime import time, timedelta

import pytest
from sqlmodel import select

from bot.desk.call import TASK
from bot.dev.standins import Fault
from bot.dev.standins.twilio_voice import BUSY, FAILED, MACHINE, NO_ANSWER, RINGING, person
from bot.store.tables import Contact, Event, Task, TenantCall
from tests.unit.handover.conftest import FLOOD, TENANT, Night

GAS = "i can smell gas in my kitchen"


async def stop_then(night: Night, words: str) -> None:
    """A tenant stops our messages, and later tells of danger."""
    await night.text("hello")
    await night.text("STOP")
    await night.text(words)
    await settle(night)


async def settle(night: Night) -> None:
    while await night.doorstep.calls.settle():
        await night.twilio.hung_up()
    await night.beat()


async def pass_minutes(night: Night, minutes: float) -> None:
    for _ in range(int(minutes * 2)):
        night.clock.advance(timedelta(seconds=30))
        await settle(night)


async def calls(night: Night) -> list[tuple[int, str]]:
    found = await night.rows(TenantCall)
    return sorted((each.n, each.state) for each in found)


async def task(night: Night) -> Task:
    (found,) = [each for each in await night.rows(Task) if each.kind == TASK]
    return found


async def test_the_advice_is_spoken_and_a_key_says_that_it_was_heard(night: Night):
    night.twilio.expect(TENANT, person("1"))
    await stop_then(night, GAS)

    (call,) = night.twilio.calls_to(TENANT)
    said = " ".join(call.said)
    assert "You stopped our messages, so we ring you." in said
    assert "0800 111 999" in said
    assert said.count("0800 111 999") == 1
    assert call.pressed == ["1"]
    assert call.hung_up
    assert await calls(night) == [(1, "heard")]
    asked = await task(night)
    assert asked.done_at is None  # a person rings all the same
    assert "They pressed 1: they heard it." in asked.detail


async def test_who_presses_nothing_hears_it_twice_and_is_not_rung_again(night: Night):
    night.twilio.expect(TENANT, person(None, None))
    await stop_then(night, GAS)
    await pass_minutes(night, 10)

    (call,) = night.twilio.calls_to(TENANT)
    assert " ".join(call.said).count("0800 111 999") == 2
    assert "One of our staff will try to ring you too." in call.said
    assert await calls(night) == [(1, "answered")]
    assert "did not press 1" in (await task(night)).detail


async def test_any_other_key_says_it_again(night: Night):
    night.twilio.expect(TENANT, person("5", "1"))
    await stop_then(night, GAS)
    (call,) = night.twilio.calls_to(TENANT)
    assert " ".join(call.said).count("0800 111 999") == 2
    assert await calls(night) == [(1, "heard")]


async def test_a_call_that_comes_to_nothing_is_made_three_times_and_no_more(night: Night):
    night.twilio.expect(TENANT, NO_ANSWER, BUSY, FAILED)
    await stop_then(night, GAS)
    assert await calls(night) == [(1, "no_answer"), (2, "waiting")]
    await pass_minutes(night, 1)
    assert await calls(night) == [(1, "no_answer"), (2, "busy"), (3, "waiting")]
    await pass_minutes(night, 3)
    await pass_minutes(night, 10)
    assert await calls(night) == [(1, "no_answer"), (2, "busy"), (3, "failed")]
    assert "the call failed" in (await task(night)).detail


async def test_an_answering_machine_is_left_the_advice_and_the_tenant_is_rung_again(night: Night):
    night.twilio.expect(TENANT, MACHINE, person("1"))
    await stop_then(night, GAS)
    assert " ".join(night.twilio.calls_to(TENANT)[0].said).count("0800 111 999") == 2
    await pass_minutes(night, 1)
    assert await calls(night) == [(1, "machine"), (2, "heard")]


async def test_nobody_is_rung_once_a_person_has_done_the_task(night: Night):
    night.twilio.expect(TENANT, NO_ANSWER)
    await stop_then(night, GAS)
    asked = await task(night)

    def done(session):
        session.get_one(Task, asked.id).done_at = night.clock.now()

    await night.doorstep.store.run(done)
    await pass_minutes(night, 5)
    assert len(night.twilio.calls_to(TENANT)) == 1
    assert await calls(night) == [(1, "no_answer"), (2, "not_made")]


async def test_the_same_danger_told_again_does_not_ring_again_and_another_does(night: Night):
    night.twilio.usually[TENANT] = person("1")
    await stop_then(night, GAS)
    await night.text("the gas smell is still here")
    await settle(night)
    assert len(night.twilio.calls_to(TENANT)) == 1
    await night.text(FLOOD)
    await settle(night)
    assert len(night.twilio.calls_to(TENANT)) == 2


async def test_a_provider_in_trouble_is_tried_again(night: Night):
    night.twilio.call_faults.add(None, Fault.refuse(503))  # the first call is to the 24-hour line
    night.twilio.expect(TENANT, person("1"))
    await stop_then(night, GAS)
    assert await calls(night) == [(1, "failed"), (2, "waiting")]
    await pass_minutes(night, 1)
    assert await calls(night) == [(1, "failed"), (2, "heard")]


async def test_a_call_of_which_nothing_more_is_heard_is_made_again(night: Night):
    night.twilio.expect(TENANT, RINGING, person("1"))
    await stop_then(night, GAS)
    await pass_minutes(night, 4)
    assert await calls(night) == [(1, "ringing")]
    await pass_minutes(night, 3)
    assert await calls(night) == [(1, "unknown"), (2, "heard")]


async def test_a_process_that_dies_while_ringing_leaves_the_call_to_the_next(night: Night):
    night.twilio.call_faults.add(None, Fault.hold(accepted=False))  # the first call is to the 24-hour line
    night.twilio.expect(TENANT, person("1"))
    await night.text("hello")
    await night.text("STOP")
    await night.text(GAS)
    assert await night.doorstep.calls.ring() == 1
    await night.twilio.call_faults.until_held()
    night.clock.advance(timedelta(seconds=31))
    assert await night.doorstep.calls.ring() == 1
    night.twilio.call_faults.release()
    await settle(night)
    assert (1, "heard") in await calls(night)


async def test_a_person_at_risk_is_never_rung_by_itself(night: Night):
    await stop_then(night, "my husband hits me and he is coming home now")
    await pass_minutes(night, 5)
    assert night.twilio.calls_to(TENANT) == []
    assert await calls(night) == []
    assert TASK in await night.tasks()


@pytest.mark.parametrize(
    "wish",
    [
        {"never_by": ["phone"]},
        {"no_trace_since": True},
        {"safe_from": "09:00", "safe_until": "11:00"},
    ],
)
async def test_who_must_not_be_rung_is_not_rung(night: Night, wish: dict):
    await night.text("hello")
    await night.text("STOP")

    def prefer(session):
        contact = session.exec(select(Contact)).one()
        for name, value in wish.items():
            setattr(contact, name, night.clock.now() if value is True else value)

    await night.doorstep.store.run(prefer)
    await night.text(GAS)
    await settle(night)
    assert night.twilio.calls_to(TENANT) == []
    assert TASK in await night.tasks()
    assert [each.detail["why"] for each in await night.rows(Event) if each.verb == "advice_not_rung"] == ["at_risk"]
    assert time(22, 15) == night.clock.now().time()


async def test_who_takes_messages_is_not_rung(night: Night):
    await night.text(GAS)
    await settle(night)
    assert night.twilio.calls_to(TENANT) == []


async def test_where_calls_are_not_set_up_the_task_says_so(night: Night):
    night.doorstep.on_call.pop("call")
    await stop_then(night, GAS)
    assert await calls(night) == [(1, "not_made")]
    assert "calls are not set up" in (await task(night)).detail


async def test_a_call_that_nobody_made_is_told_nothing(night: Night):
    answer = await night.twilio.call("/channels/voice/answer?call=nothing", {"CallStatus": "in-progress"})
    assert (answer.status, "<Say" in answer.body) == (200, False)
    answer = await night.twilio.call("/channels/voice/answer?call=nothing", {"CallStatus": "x"}, signature="forged")
    assert answer.status == 403
