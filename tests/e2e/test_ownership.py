"""Who answers: the bot, a person, never both; and advice whoever it is."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from bot.desk import conversation as desk
from bot.store.tables import Clock, Conversation, Staff
from tests.e2e.conftest import TENANT, World


@pytest.fixture
async def officer(world: World) -> Staff:
    return await add_staff(world, "sam@example.org", "Sam")


async def add_staff(world: World, email: str, name: str) -> Staff:
    staff = Staff(
        id=world.doorstep.office.id(), email=email, name=name, job_title="Housing officer", team="Repairs",
        created_at=world.clock.now(),
    )  # fmt: skip
    await world.doorstep.store.run(lambda session: session.add(staff))
    return staff


async def conversation_id(world: World) -> str:
    return (await world.rows(Conversation))[0].id


async def act(world: World, verb: str, staff: Staff, *words: str) -> object:
    identity, now = await conversation_id(world), world.clock.now()

    def work(session: Session) -> object:
        return getattr(desk, verb)(session, world.doorstep.office, identity, staff, *words, now=now)

    return await world.doorstep.store.run(work)


async def test_after_takeover_the_bot_is_silent(world: World, officer: Staff) -> None:
    await world.text("my kitchen tap is dripping")
    await act(world, "take_over", officer)
    (joined,) = await world.texts()
    assert "Sam" in joined
    assert await world.text("14 High Street, Duns") == []


async def test_a_reply_is_signed_with_name_role_and_team(world: World, officer: Staff) -> None:
    await world.text("hello")
    await act(world, "take_over", officer)
    await act(world, "reply", officer, "We can come on Tuesday.")
    reply = (await world.texts())[-1]
    for part in ("We can come on Tuesday.", "Sam", "Housing officer", "Repairs"):
        assert part in reply


async def test_nobody_replies_into_a_conversation_they_do_not_hold(world: World, officer: Staff) -> None:
    await world.text("hello")
    with pytest.raises(desk.NotAllowed):
        await act(world, "reply", officer, "hello")
    await act(world, "take_over", officer)
    other = await add_staff(world, "ali@example.org", "Ali")
    with pytest.raises(desk.NotAllowed):
        await act(world, "reply", other, "hello")


async def test_handed_back_the_bot_goes_on_where_it_was(world: World, officer: Staff) -> None:
    await world.text("my kitchen tap is dripping")
    await act(world, "take_over", officer)
    await act(world, "hand_back", officer)
    await world.texts()
    assert any("name" in each for each in await world.text("14 High Street, Duns TD11 3AU"))


async def test_danger_is_answered_while_a_person_holds_the_conversation(world: World, officer: Staff) -> None:
    await world.text("hello")
    await act(world, "take_over", officer)
    await world.texts()
    assert "0800 111 999" in (await world.text("i can smell gas in the kitchen"))[0]


async def test_the_same_danger_again_gets_one_line_and_no_second_case(world: World) -> None:
    await world.text("i can smell gas in the kitchen")
    world.clock.advance(timedelta(minutes=5))
    again = await world.text("the smell of gas is getting stronger")
    assert "0800 111 999" in again[0]
    assert len(await world.cases()) == 1
    world.clock.advance(timedelta(hours=2))
    await world.text("i can smell gas again")
    assert len(await world.cases()) == 2


async def test_danger_after_opting_out_alarms_staff_to_ring(world: World) -> None:
    await world.text("hello")
    await world.text("STOP")
    await world.text("theres a fire in my kitchen")
    assert "ring_opted_out_in_danger" in {each.kind for each in await world.tasks()}


async def test_a_persons_reply_counts_as_a_human_response(world: World, officer: Staff) -> None:
    for words in ("the kitchen tap wont stop dripping", "14 High Street, Duns TD11 3AU", "Sam Taylor", "mornings", "1"):
        await world.text(words)
    await act(world, "take_over", officer)
    await act(world, "reply", officer, "We will come on Tuesday.")
    await world.texts()
    await world.twilio.report(world.twilio.sent_to(TENANT)[-1].sid, "delivered")
    clock = next(each for each in await world.rows(Clock) if each.commitment == "text_response")
    assert clock.human_response_at is not None
    assert clock.automatic_response_at is None
