"""What cannot be dealt with is kept, answered safely and put before staff; it never holds up what comes after."""

from typing import Any

import pytest

from bot.intake import Intake
from bot.messages import Assessment, Attachment, ChannelName, Content, Inbound, Keyword, Turn
from bot.store.tables import Address, Conversation
from bot.triage import Language
from tests.e2e.conftest import TENANT, World


class BreaksOn:
    """The real engine, except for one word."""

    def __init__(self, engine: Any, word: str) -> None:
        self.engine, self.word = engine, word

    def turn(self, state: Any, text: str, **rest: Any) -> Turn:
        if self.word in text:
            raise RuntimeError("broken by a tenant's words")
        return self.engine.turn(state, text, **rest)


class BrokenTriage:
    def assess(self, text: str, previous: str | None = None) -> Assessment:
        raise RuntimeError("triage has a fault")

    def cannot_phone(self, text: str) -> bool:
        return False

    def language(self, code: str) -> Language | None:
        return None


def inbound(words: str, number: int = 1, **changes: Any) -> Inbound:
    return Inbound(ChannelName.SMS, TENANT, f"SM{number:032}", words, **changes)


@pytest.fixture
def breaking(world: World) -> Intake:
    real = world.doorstep.intake
    return Intake(
        world.doorstep.store,
        real.office,
        BreaksOn(real.engine, "zebra"),
        real.triage,
        world.clock,
        world.doorstep.outbox.nudge,
    )


async def test_a_message_that_breaks_the_dialogue_is_kept_and_answered(world: World, breaking: Intake) -> None:
    await breaking.receive(inbound("a zebra in the close"))
    (first, *_) = await world.messages()
    assert (first.text, first.state) == ("a zebra in the close", "set_aside")
    said = "\n".join(await world.texts())
    assert "0800 652 8104" in said
    assert [each.kind for each in await world.tasks()] == ["could_not_process"]


async def test_the_next_message_is_not_held_up_and_the_form_goes_on(world: World, breaking: Intake) -> None:
    for number, words in enumerate(
        ("my kitchen tap is dripping", "zebra", "14 High Street, Duns TD11 3AU", "Sam Taylor"), 1
    ):
        await breaking.receive(inbound(words, number))
    states = [each.state for each in await world.messages() if each.direction == "in"]
    assert states == ["processed", "set_aside", "processed", "processed"]
    (conversation,) = await world.rows(Conversation)
    assert conversation.dialogue["slots"]["address"] == "14 High Street, Duns"


async def test_nothing_of_a_broken_turn_is_left_behind(world: World, breaking: Intake) -> None:
    await breaking.receive(inbound("my kitchen tap is dripping"))
    (before,) = await world.rows(Conversation)
    await breaking.receive(inbound("zebra", 2))
    (after,) = await world.rows(Conversation)
    assert after.dialogue == before.dialogue
    assert await world.cases() == []


async def test_triage_that_fails_alarms_staff_and_stops_nothing(world: World) -> None:
    real = world.doorstep.intake
    intake = Intake(
        world.doorstep.store, real.office, real.engine, BrokenTriage(), world.clock, world.doorstep.outbox.nudge
    )
    await intake.receive(inbound("my kitchen tap is dripping"))
    assert any("house number" in each for each in await world.texts())
    (task,) = await world.tasks()
    assert (task.kind, task.urgent) == ("triage_failed", True)


async def test_stop_is_obeyed_and_start_undoes_it(world: World) -> None:
    await world.text("hello")
    await world.text("STOP")
    (address,) = await world.rows(Address)
    assert address.opted_out_at is not None
    assert "opted_out" in {each.kind for each in await world.tasks()}
    await world.text("START")
    (address,) = await world.rows(Address)
    assert address.opted_out_at is None


async def test_the_word_stop_in_a_sentence_is_only_a_word(world: World) -> None:
    await world.text("please stop the noise from upstairs")
    (address,) = await world.rows(Address)
    assert address.opted_out_at is None


async def test_the_bare_word_help_asks_about_danger_and_gives_numbers(world: World) -> None:
    said = "\n".join(await world.text("HELP"))
    assert "999" in said


async def test_cancel_does_not_opt_out(world: World) -> None:
    await world.text("my kitchen tap is dripping")
    assert await world.text("CANCEL") != []
    (address,) = await world.rows(Address)
    assert address.opted_out_at is None


async def test_a_photo_without_words_is_put_before_a_person(world: World) -> None:
    photo = Attachment("https://provider.example/1", "image/jpeg", 1000)
    await world.doorstep.intake.receive(inbound("", content=Content.MEDIA, attachments=(photo,)))
    assert await world.texts() != []
    assert "photo_or_voice_note" in {each.kind for each in await world.tasks()}


async def test_what_is_not_understood_is_kept_and_answered(world: World) -> None:
    await world.doorstep.intake.receive(inbound("", content=Content.UNSUPPORTED))
    assert await world.texts() != []
    assert "unreadable_message" in {each.kind for each in await world.tasks()}


@pytest.mark.parametrize("keyword", list(Keyword))
async def test_a_keyword_handed_over_twice_counts_once(world: World, keyword: Keyword) -> None:
    for _ in range(2):
        await world.doorstep.intake.receive(inbound(keyword.value, keyword=keyword))
    assert len([each for each in await world.messages() if each.direction == "in"]) == 1
