"""Danger that may not be here and now: the number at once, and one question."""

from datetime import timedelta

from bot.store.tables import Task
from tests.e2e.conftest import World

DOUBT = "is a gas leak an emergency?"
HISTORY = "there was a gas leak last month, it was fixed"
QUESTION = "Is this happening now?"


async def tasks_of(world: World, kind: str) -> list[Task]:
    return [each for each in await world.tasks() if each.kind == kind]


async def test_the_number_comes_first_then_one_question(world: World) -> None:
    said = await world.text(DOUBT)

    assert "0800 111 999" in said[0]
    assert QUESTION in said[-1]
    assert not any("What is your" in each for each in said), said
    assert await world.cases() == []


async def test_yes_makes_it_an_emergency_in_the_words_of_before(world: World) -> None:
    await world.text(DOUBT)
    said = await world.text("1")

    [case] = await world.cases()
    assert (case.hazard, case.priority) == ("gas_leak", "emergency")
    assert DOUBT in case.words
    assert "0800 111 999" in said[0]


async def test_aye_is_yes(world: World) -> None:
    await world.text(DOUBT)
    await world.text("aye")

    [case] = await world.cases()
    assert case.priority == "emergency"


async def test_no_goes_on_with_what_they_wanted(world: World) -> None:
    await world.text(HISTORY)
    said = await world.text("naw")

    assert await world.cases() == []
    assert said
    assert QUESTION not in " ".join(said)


async def test_danger_told_in_the_answer_is_heard(world: World) -> None:
    await world.text(HISTORY)
    said = await world.text("no that one was fixed but there is smoke coming from the cooker and it is on fire")

    assert "999" in said[0]
    [case] = await world.cases()
    assert case.hazard == "fire"


async def test_the_same_is_not_asked_twice(world: World) -> None:
    await world.text(DOUBT)
    said = await world.text("what should I do if there is a gas leak?")

    assert QUESTION not in " ".join(said)


async def test_a_person_looks_if_no_answer_comes(world: World) -> None:
    await world.text(DOUBT)

    [task] = await tasks_of(world, "asked_if_happening")
    assert task.urgent
    assert task.due_at - world.clock.now() <= timedelta(minutes=15)
    assert task.done_at is None

    await world.text("no")
    [task] = await tasks_of(world, "asked_if_happening")
    assert task.done_at is not None


async def test_whoever_may_be_at_risk_is_not_questioned_and_a_person_reads_it(world: World) -> None:
    said = await world.text("what would happen to the kids if i killed myself")

    assert "116 123" in " ".join(said)
    assert QUESTION not in " ".join(said)
    assert [each.kind for each in await world.tasks() if each.urgent]
