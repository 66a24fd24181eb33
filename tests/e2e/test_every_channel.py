"""A repair, a complaint and an enquiry opened on each of the three channels, each acknowledged with its reference."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from bot.store.tables import Message
from tests.e2e.conftest import CHAT, Chat, World

Speak = Callable[[str], Awaitable[list[str]]]

REPAIR = ("hi", "the kitchen tap wont stop dripping", "14 High Street, Duns TD11 3AU", "Sam Taylor")
COMPLAINT = (
    "i want to make a complaint", "nobody turned up for my repair three times and no one rang me", "an apology", "Sam Taylor",
    "14 High Street, Duns TD11 3AU",
)  # fmt: skip
ENQUIRY = (
    "i have a question",
    "can i paint my front door a different colour",
    "Sam Taylor",
    "14 High Street, Duns TD11 3AU",
)
PHONE = re.compile(r"(phone|ring).*number|number.*(ring|phone)", re.IGNORECASE)
SEND_IT = re.compile(r"is it right|is this right|check this", re.IGNORECASE)


@pytest.fixture(params=["sms", "whatsapp", "telegram", "web"])
async def speak(request: pytest.FixtureRequest, world: World, chat: Chat) -> Speak:
    """Say something on one channel; what is answered."""
    if request.param in {"sms", "whatsapp"}:
        number = "+447700900199"
        heard = 0

        async def by_text(words: str) -> list[str]:
            nonlocal heard
            answer = await world.twilio.text_in(number, words, whatsapp=request.param == "whatsapp")
            assert answer.status == 200
            await world.doorstep.outbox.deliver_due()
            bodies = [each.body for each in world.twilio.sent_to(number)]
            heard, new = len(bodies), bodies[heard:]
            return new

        return by_text
    if request.param == "telegram":
        count = 0

        async def by_telegram(words: str) -> list[str]:
            nonlocal count
            assert await world.telegram.text_in(CHAT, words) == 200
            await world.doorstep.outbox.deliver_due()
            texts = [each.text for each in world.telegram.sent_to(CHAT)]
            count, new = len(texts), texts[count:]
            return new

        return by_telegram
    await chat.hello()

    async def by_web(words: str) -> list[str]:
        await chat.say(words)
        await world.doorstep.outbox.deliver_due()
        ours = [each for each in await world.messages() if each.direction == "out" and each.seq > chat.seq]
        return [(await chat.next())["text"] for _ in ours]

    return by_web


async def tell(world: World, speak: Speak, messages: tuple[str, ...]) -> list[str]:
    """Say each in turn, then answer whatever else is asked until the case is open; everything that was answered."""
    said: list[str] = []
    for words in messages:
        said += await speak(words)
    for _ in range(6):
        if await world.cases():
            return said
        asked = said[-1]
        if SEND_IT.search(asked):
            answer = "yes"
        elif PHONE.search(asked):
            answer = "07700 900123"
        else:
            answer = "any morning"
        said += await speak(answer)
    raise AssertionError(f"no case was opened; the last question was {said[-1]!r}")


@pytest.mark.parametrize(
    ("kind", "messages"),
    [("repair", REPAIR), ("complaint", COMPLAINT), ("enquiry", ENQUIRY)],
    ids=lambda each: str(each)[:9],
)
async def test_a_case_is_opened_and_acknowledged(
    world: World, speak: Speak, kind: str, messages: tuple[str, ...]
) -> None:
    said = await tell(world, speak, messages)
    (case,) = await world.cases()
    assert case.kind == kind
    assert any(case.reference in each for each in said)
    acknowledgement = next(each for each in await world.rows(Message) if each.kind == "acknowledgement")
    assert acknowledgement.case_id == case.id
    assert await world.clocks(), "a promise is a row"


async def test_telegrams_buttons_are_pressed_and_an_old_one_fails_politely(world: World) -> None:
    for words in (*REPAIR, "07700 900123", "mornings"):
        await world.telegram.text_in(CHAT, words)
        await world.doorstep.outbox.deliver_due()
    readback = world.telegram.sent_to(CHAT)[-1]
    first, *_ = readback.buttons
    assert await world.telegram.press(CHAT, first.data, readback.message_id) == 200
    await world.doorstep.outbox.deliver_due()
    (case,) = await world.cases()
    assert case.reference in world.telegram.sent_to(CHAT)[-1].text
    world.clock.advance(timedelta(minutes=1))
    assert await world.telegram.press(CHAT, first.data, readback.message_id) == 200
    await world.doorstep.outbox.deliver_due()
    assert len(await world.cases()) == 1


async def test_a_message_edited_on_telegram_is_read_again_for_danger(world: World) -> None:
    await world.telegram.text_in(CHAT, "my kitchen tap is dripping")
    await world.doorstep.outbox.deliver_due()
    original = next(each for each in world.telegram.messages if each.chat == CHAT and not each.by_bot)
    await world.telegram.edit(CHAT, original.message_id, "my kitchen tap is dripping and i can smell gas")
    await world.doorstep.outbox.deliver_due()
    assert any("0800 111 999" in each.text for each in world.telegram.sent_to(CHAT))
