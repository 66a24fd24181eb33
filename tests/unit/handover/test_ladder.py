"""Who is alerted, when, and until when: on a clock that is moved by hand."""

import re

import pytest

from bot.dev.standins import Fault
from bot.dev.standins.twilio_voice import BUSY, FAILED, MACHINE, NO_ANSWER, RINGING, person
from tests.unit.handover.conftest import FLOOD, LINE, LINE_TEXT, MANAGER, MONDAY_MORNING, OFFICER, TEAM, TENANT, Night


async def test_out_of_hours_the_line_is_rung_at_once_and_told_everything_known(night: Night) -> None:
    night.twilio.expect(LINE, person("1"))
    await night.text(FLOOD)
    (call,) = night.twilio.calls_to(LINE)
    said = " ".join(call.said)
    assert "flooding" in said
    assert "4 4 7 7 0 0 9 0 0 1 2 3" in said
    assert "press 1" in said
    handover = await night.handover()
    assert (handover.state, handover.how, handover.taken_by) == ("taken", "call", "24-hour line")
    assert await night.attempts() == [("24-hour line", "call", "taken")]


async def test_the_tenant_is_told_who_has_taken_it_and_not_before(night: Night) -> None:
    night.twilio.expect(LINE, RINGING)
    told = " ".join(await night.text(FLOOD))
    assert "has your emergency now" not in told
    (call,) = night.twilio.calls_to(LINE)
    await night.twilio.converse(call, ["1"])
    assert any("24-hour line has your emergency now" in each for each in await night.texts())


async def test_nobody_is_alerted_once_it_has_been_taken(night: Night) -> None:
    night.twilio.expect(LINE, person("1"))
    await night.text(FLOOD)
    await night.pass_time(hours=3)
    assert len(night.twilio.calls) == 1
    assert not night.twilio.sent_to(OFFICER)


async def test_an_emergency_that_nobody_takes_climbs_at_the_policys_intervals_and_begins_again(night: Night) -> None:
    started = night.clock.now()
    await night.text(FLOOD)
    await night.pass_time(minutes=31)
    first = {}
    for attempt in sorted(await _alerts(night), key=lambda each: each.n):
        first.setdefault((attempt.rung_name, attempt.lap), (attempt.at - started).total_seconds() / 60)
    assert first == {
        ("24-hour line", 1): 0, ("duty officer", 1): 5, ("section manager", 1): 10, ("management team", 1): 20,
        ("24-hour line", 2): 30,
    }  # fmt: skip
    assert night.twilio.calls_to(OFFICER)
    assert night.twilio.calls_to(MANAGER)
    assert night.twilio.sent_to(TEAM)


async def test_within_a_rung_its_routes_are_tried_in_the_policys_order_and_then_again(night: Night) -> None:
    await night.text(FLOOD)
    await night.pass_time(minutes=4)
    routes = [route for _, route, _ in await night.attempts()]
    assert set(routes[::2]) == {"call"}
    assert set(routes[1::2]) == {"text"}
    assert len(night.twilio.calls_to(LINE)) >= 2
    assert len(night.twilio.sent_to(LINE_TEXT)) >= 2


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [(BUSY, "busy"), (NO_ANSWER, "no_answer"), (FAILED, "failed"), (MACHINE, "machine"), (person(), "not_taken")],
)
async def test_a_call_that_nobody_takes_is_followed_by_a_text_at_once(
    night: Night, behaviour: object, outcome: str
) -> None:
    night.twilio.expect(LINE, behaviour)  # type: ignore[arg-type]
    await night.text(FLOOD)
    assert (await night.attempts())[:2] == [("24-hour line", "call", outcome), ("24-hour line", "text", "sent")]


async def test_an_answering_machine_takes_nothing_and_hears_no_details(night: Night) -> None:
    night.twilio.expect(LINE, MACHINE)
    await night.text(FLOOD)
    (call,) = night.twilio.calls_to(LINE)
    assert "flooding" not in " ".join(call.said)
    assert (await night.handover()).state == "waiting"


async def test_any_other_key_reads_it_again(night: Night) -> None:
    night.twilio.expect(LINE, person("5", "#", "1"))
    await night.text(FLOOD)
    (call,) = night.twilio.calls_to(LINE)
    assert sum("flooding" in each for each in call.said) == 4, "three times asked, once more after it was taken"
    assert (await night.handover()).state == "taken"


async def test_a_reply_code_takes_it_and_the_wrong_one_does_not(night: Night) -> None:
    night.twilio.expect(LINE, BUSY)
    await night.text(FLOOD)
    (alert,) = await night.texts(LINE_TEXT)
    code = re.search(r"reply (\d{6})", alert)
    assert code is not None
    wrong = str((int(code[1]) + 1) % 1_000_000).rjust(6, "1")
    (answer,) = await night.text(f"ok {wrong}", LINE_TEXT)
    assert "could not read" in answer
    assert (await night.handover()).state == "waiting"
    (answer,) = await night.text(code[1], LINE_TEXT)
    assert "is yours" in answer
    handover = await night.handover()
    assert (handover.state, handover.how) == ("taken", "text")


async def test_a_code_from_a_number_that_is_not_on_the_ladder_takes_nothing(night: Night) -> None:
    night.twilio.expect(LINE, BUSY)
    await night.text(FLOOD)
    await night.text((await night.handover()).code, "+447700900555")
    assert (await night.handover()).state == "waiting"


async def test_the_same_reply_delivered_twice_is_one(night: Night) -> None:
    night.twilio.expect(LINE, BUSY)
    await night.text(FLOOD)
    await night.texts(LINE_TEXT)
    code = (await night.handover()).code
    answer = await night.twilio.text_in(LINE_TEXT, code, sid="SM" + "7" * 32)
    await night.twilio.text_in(LINE_TEXT, code, sid="SM" + "7" * 32)
    assert answer.status == 200
    assert len(await night.texts(LINE_TEXT)) == 1


async def test_whoever_comes_second_is_told_who_has_it(night: Night) -> None:
    night.twilio.usually[LINE] = BUSY
    await night.text(FLOOD)
    await night.pass_time(minutes=5.5)
    code = (await night.handover()).code
    await night.text(code, OFFICER)
    await night.texts(LINE_TEXT)
    (answer,) = await night.text(code, LINE_TEXT)
    assert "duty officer has it already" in answer
    assert (await night.handover()).taken_by == "duty officer"


async def test_a_call_that_is_answered_too_late_says_that_somebody_has_it(night: Night) -> None:
    night.twilio.expect(LINE, RINGING)
    await night.text(FLOOD)
    (call,) = night.twilio.calls_to(LINE)
    await night.text((await night.handover()).code, OFFICER)
    await night.twilio.converse(call, ["1"])
    assert "Somebody has dealt with this already" in " ".join(call.said)
    assert (await night.handover()).taken_by == "duty officer"


async def test_after_the_first_interval_the_tenant_is_told_that_nobody_has_it_once(night: Night) -> None:
    await night.text(FLOOD)
    await night.pass_time(minutes=4)
    assert not any("Nobody has taken" in each for each in await night.texts())
    await night.pass_time(minutes=20)
    told = [each for each in await night.texts() if "Nobody has taken" in each]
    assert len(told) == 1
    assert "0800 652 8104" in told[0]


@pytest.mark.parametrize("starting_at", [MONDAY_MORNING])
async def test_in_hours_the_console_is_first_and_the_line_after_the_first_interval(night: Night) -> None:
    await night.text(FLOOD)
    assert not night.twilio.calls
    assert await night.attempts() == [("staff console", "console", "sent")]
    assert "emergency" in await night.tasks()
    await night.pass_time(minutes=4.5)
    assert not night.twilio.calls
    await night.pass_time(minutes=1)
    assert night.twilio.calls_to(LINE)


@pytest.mark.parametrize(
    "rungs",
    ['rungs = [{ name = "24-hour line", until_minutes = 5 }, { name = "duty officer", until_minutes = 10 }, '
     f'{{ name = "manager", until_minutes = 15, text = "{MANAGER}", verified = true, source = "rota" }}]\n'],
)  # fmt: skip
@pytest.mark.parametrize("routes_to_line", [{}])
async def test_rungs_that_cannot_be_reached_are_recorded_and_climbed_past_at_once(night: Night) -> None:
    await night.text(FLOOD)
    assert await night.attempts() == [
        ("24-hour line", "none", "no_route"), ("duty officer", "none", "no_route"), ("manager", "text", "sent"),
    ]  # fmt: skip


@pytest.mark.parametrize("rungs", ['rungs = [{ name = "24-hour line", until_minutes = 5 }]\n'])
@pytest.mark.parametrize("routes_to_line", [{}])
async def test_where_nobody_can_be_reached_the_alarm_stays_and_the_tenant_is_told_to_ring(night: Night) -> None:
    told = await night.text(FLOOD)
    assert any("We could not reach anybody" in each and "0800 652 8104" in each for each in told)
    assert "emergency" in await night.tasks()
    await night.pass_time(hours=2)
    assert not any("could not reach" in each for each in await night.texts()), "said once"
    assert (await night.handover()).next_at is not None


@pytest.mark.parametrize(
    "rungs",
    ['rungs = [{ name = "24-hour line", until_minutes = 5 }, '
     f'{{ name = "officer", until_minutes = 9, text = "{OFFICER}" }}]\n'],
)  # fmt: skip
async def test_a_number_that_is_not_verified_is_never_used(night: Night) -> None:
    await night.text(FLOOD)
    await night.pass_time(minutes=6)
    assert not night.twilio.sent_to(OFFICER)
    assert ("officer", "none", "no_route") in await night.attempts()


@pytest.mark.parametrize(
    "fault",
    [Fault.refuse(500), Fault.refuse(429), Fault.refuse(400, 21211), Fault.refuse(401, 20003), Fault.drop(accepted=False),
     Fault.drop(accepted=True)],
)  # fmt: skip
async def test_a_provider_that_fails_sends_the_climb_to_the_next_route(night: Night, fault: Fault) -> None:
    night.twilio.usually[LINE] = RINGING
    night.twilio.call_faults.add(fault)
    await night.text(FLOOD)
    await night.pass_time(minutes=2)
    (_, first_route, first_state), (_, second_route, second_state), *_ = await night.attempts()
    assert (first_route, second_route) == ("call", "text")
    assert first_state == ("unknown" if fault.status is None else "failed")
    assert second_state == "sent"


async def test_whatever_fails_an_emergency_that_nobody_took_still_climbs(night: Night) -> None:
    night.twilio.call_faults.add(*[Fault.refuse(500)] * 30)
    await night.twilio.text_in(TENANT, FLOOD)
    night.twilio.faults.add(*[Fault.refuse(500)] * 30)
    await night.pass_time(minutes=12)
    reached = {rung for rung, _, _ in await night.attempts()}
    assert {"24-hour line", "duty officer", "section manager"} <= reached


async def _alerts(night: Night) -> list:  # type: ignore[type-arg]
    from bot.store.tables import HandoverAttempt

    return [each for each in await night.rows(HandoverAttempt) if each.purpose == "alert"]
