"""The main job, end to end: a tenant writes, a case is opened, the acknowledgement is on its way."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from bot import references
from tests.e2e.conftest import TENANT, Chat, World

REFERENCE = re.compile(r"[RCES]-[0-9A-Z]{4}-[0-9A-Z]{3}")

REPAIR = ("the kitchen tap wont stop dripping", "14 High Street, Duns TD11 3AU", "Sam Taylor", "mornings", "1")


async def hold(world: World, *messages: str) -> list[str]:
    """A conversation by text; everything that was answered."""
    answers: list[str] = []
    for words in messages:
        answers += await world.text(words)
    return answers


async def test_a_repair_by_text_ends_in_an_acknowledgement_with_reference_and_date(world: World) -> None:
    answers = await hold(world, *REPAIR)
    (case,) = await world.cases()
    assert (case.kind, case.category, case.priority) == ("repair", "dripping_tap", "routine")
    assert references.read(case.reference) == case.reference
    acknowledgement = answers[-1]
    assert case.reference in acknowledgement
    assert "Thursday 3 December" in acknowledgement  # 10 calendar days from Monday 23 November
    assert acknowledgement.startswith("BHA")


async def test_the_first_message_says_who_we_are_and_whom_to_ring(world: World) -> None:
    first = (await world.text("hello"))[0]
    assert "0800 652 8104" in first
    for words in ("automated", "staff", "emergency", f"{world.base}/privacy"):
        assert words in first.lower()
    async with world.http.get(f"{world.base}/privacy") as notice:
        assert notice.status == 200
        assert world.doorstep.office.policy.service_name in await notice.text()


async def test_a_message_handed_over_twice_is_answered_once(world: World) -> None:
    await world.text("hello")
    before = len(await world.messages())
    answer = await world.twilio.text_in(TENANT, "hello", sid=world.twilio.messages[0].sid)
    assert answer.status == 200
    assert await world.texts() == []
    assert len(await world.messages()) == before


async def test_the_acknowledgement_meets_the_first_response_once_it_is_delivered(world: World) -> None:
    await hold(world, *REPAIR)
    clock = (await world.clocks())["text_response"]
    assert clock.state == "running"
    acknowledgement = world.twilio.sent_to(TENANT)[-1]
    await world.twilio.report(acknowledgement.sid, "sent")
    assert (await world.clocks())["text_response"].state == "running"
    world.clock.advance(timedelta(seconds=5))
    await world.twilio.report(acknowledgement.sid, "delivered")
    clock = (await world.clocks())["text_response"]
    assert clock.state == "met"
    assert clock.automatic_response_at == world.clock.now()
    assert clock.human_response_at is None
    assert (await world.clocks())["routine_repair"].state == "running"


@pytest.mark.parametrize("starting_at", [datetime(2026, 11, 28, 22, 15, tzinfo=UTC)])
async def test_out_of_hours_the_acknowledgement_says_when_we_open(world: World) -> None:
    answers = await hold(world, *REPAIR)
    assert "Monday 30 November" in answers[-1] or "Tuesday 1 December" in answers[-1]
    assert "0800 652 8104" in answers[-1]


async def test_a_complaint_names_its_stage_and_the_ombudsman(world: World) -> None:
    answers = await hold(
        world, "I want to make a complaint", "nobody turned up for my repair three times and no one rang",
        "an apology and someone to come", "Sam Taylor", "14 High Street, Duns TD11 3AU", "1",
    )  # fmt: skip
    (case,) = await world.cases()
    assert (case.kind, case.stage) == ("complaint", 1)
    said = "\n".join(answers)
    assert case.reference in said
    assert "0800 377 7330" in said
    assert "name_complaint_handler" in {task.kind for task in await world.tasks()}


async def test_gas_gets_the_number_before_anything_else(world: World) -> None:
    answers = await world.text("hi i can smell gas in the hall")
    assert "0800 111 999" in answers[0]
    assert len(answers[0]) <= 160
    (case,) = await world.cases()
    assert (case.priority, case.hazard) == ("emergency", "gas_leak")
    assert any(task.urgent for task in await world.tasks())
    assert any(case.reference in each for each in answers)


async def test_someone_who_cannot_speak_or_hear_gets_the_other_ways_to_999(world: World) -> None:
    said = await world.text("strong smell of gas in here and im deaf")

    assert "0800 111 999" in said[0]
    [ways] = [each for each in said if "press 55" in each]
    assert all(way in ways for way in ("Text 999", "18000", "999bsl.co.uk"))


async def test_danger_in_the_middle_of_a_form_is_answered_at_once(world: World) -> None:
    await hold(world, *REPAIR[:2])
    answers = await world.text("actually the co alarm is going off and i feel sick")
    assert "0800 111 999" in answers[0]


async def test_a_web_visitor_gets_the_same(world: World, chat: Chat) -> None:
    session = await chat.hello()
    assert session["open"] is True
    for words in (*REPAIR[:3], "07700 900123", *REPAIR[3:]):
        await chat.say(words)
    await world.doorstep.outbox.deliver_due()
    (case,) = await world.cases()
    while case.reference not in (message := await chat.next())["text"]:
        pass
    await chat.socket.send_json({"type": "ack", "seq": message["seq"]})
    await chat.socket.send_json({"type": "hello"})  # answered with an error, so the ack before it has been dealt with
    await chat.until("error")
    clocks = await world.clocks()
    assert clocks["routine_repair"].state == "running"
    acknowledgement = next(each for each in await world.messages() if each.kind == "acknowledgement")
    assert acknowledgement.state == "delivered", "the page's ack is the web's delivery receipt"
