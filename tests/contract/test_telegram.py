"""What only Telegram does: buttons, edits, groups, long polling."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from channel_cases import PUBLIC_URL, Ledger, TelegramCase, outbound
from hypothesis import given
from hypothesis import strategies as st

from bot.channels import TemporaryFailure
from bot.channels.telegram import ALLOWED_UPDATES, TelegramChannel, Unreadable, parse
from bot.dev.standins import Fault
from bot.messages import Attachment, Choice, Content, Keyword

ROOMS = (Choice("Kitchen", '/inform{"room":"kitchen"}'), Choice("Bathroom", "bathroom"))
CHAT = 700900123


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def telegram(ledger: Ledger) -> AsyncIterator[TelegramCase]:
    case = TelegramCase()
    await case.open(ledger)
    yield case
    await case.close()


def message(**content: Any) -> dict[str, Any]:
    sender = {"id": CHAT, "is_bot": False, "first_name": "Morag", "last_name": "Test"}
    chat = {"id": CHAT, "type": "private", "first_name": "Morag"}
    return {"update_id": 1, "message": {"message_id": 2, "date": 1764000000, "chat": chat, "from": sender} | content}


# --- arrival


async def test_telegram_is_told_where_to_call_and_what_to_repeat(telegram: TelegramCase):
    webhook = telegram.provider.webhook
    assert webhook["url"] == f"{PUBLIC_URL}/channels/telegram"
    assert webhook["secret_token"] == "the-telegram-secret"
    assert json.loads(webhook["allowed_updates"]) == list(ALLOWED_UPDATES)
    assert webhook["drop_pending_updates"] == "false"


async def test_a_pressed_button_arrives_as_the_value_we_issued(telegram: TelegramCase, ledger: Ledger):
    await telegram.channel.send(outbound(telegram, "Which room?", choices=ROOMS))
    (asked,) = telegram.provider.sent_to(CHAT)
    assert [button.label for button in asked.buttons] == ["Kitchen", "Bathroom"]
    assert await telegram.provider.press(CHAT, asked.buttons[0].data) == 200
    (inbound,) = ledger.received
    assert (inbound.content, inbound.choice, inbound.text) == (Content.CHOICE, '/inform{"room":"kitchen"}', "Kitchen")


async def test_a_press_is_answered_and_its_buttons_go(telegram: TelegramCase):
    await telegram.channel.send(outbound(telegram, "Which room?", choices=ROOMS))
    await telegram.provider.press(CHAT, "bathroom")
    assert len(telegram.provider.answered) == 1
    assert telegram.provider.sent_to(CHAT)[0].buttons == []


async def test_a_press_that_was_not_stored_keeps_its_buttons(telegram: TelegramCase, ledger: Ledger):
    await telegram.channel.send(outbound(telegram, "Which room?", choices=ROOMS))
    ledger.broken = True
    assert await telegram.provider.press(CHAT, "bathroom") == 503
    assert telegram.provider.answered == {}
    assert telegram.provider.sent_to(CHAT)[0].buttons


async def test_a_press_delivered_twice_does_no_harm(telegram: TelegramCase, ledger: Ledger):
    await telegram.channel.send(outbound(telegram, "Which room?", choices=ROOMS))
    assert await telegram.provider.press(CHAT, "bathroom") == 200
    assert await telegram.provider.again() == 200
    assert ledger.received[0] == ledger.received[1]


@pytest.mark.parametrize("value", ["x" * 65, "ü" * 33, "#1", ""])
async def test_a_value_that_no_button_can_carry_arrives_as_the_label(
    telegram: TelegramCase, ledger: Ledger, value: str
):
    await telegram.channel.send(outbound(telegram, "Which home?", choices=(Choice("1 High Street", value),)))
    (button,) = telegram.provider.sent_to(CHAT)[0].buttons
    await telegram.provider.press(CHAT, button.data)
    (inbound,) = ledger.received
    assert (inbound.content, inbound.choice, inbound.text) == (Content.TEXT, None, "1 High Street")


async def test_a_press_on_a_message_too_old_to_be_shown_still_arrives(telegram: TelegramCase, ledger: Ledger):
    query = {
        "id": "1",
        "from": {"id": CHAT, "is_bot": False, "first_name": "Test"},
        "message": {"chat": {"id": CHAT, "type": "private"}, "message_id": 5, "date": 0},
        "chat_instance": "1",
        "data": "bathroom",
    }
    assert await telegram.provider.deliver({"callback_query": query}) == 200
    assert (ledger.received[0].choice, ledger.received[0].text) == ("bathroom", "bathroom")


async def test_an_edited_text_names_what_it_replaces(telegram: TelegramCase, ledger: Ledger):
    await telegram.say("smell of grass")
    written = telegram.provider.messages[-1]
    assert await telegram.provider.edit(CHAT, written.message_id, "smell of gas") == 200
    assert ledger.received[-1].text == "smell of gas"
    assert ledger.received[-1].edits == f"{CHAT}/{written.message_id}"
    assert ledger.received[-1].provider_id != ledger.received[0].provider_id


def test_a_live_location_does_not_write_every_few_seconds():
    moved = message(location={"latitude": 55.7, "longitude": -2.0, "live_period": 900}, edit_date=1764000009)
    assert parse({"update_id": 2, "edited_message": moved["message"]}) is None


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
def test_what_is_said_in_a_group_is_not_kept(kind: str):
    update = message(text="hello all")
    update["message"]["chat"] = {"id": -100, "type": kind, "title": "Close"}
    assert parse(update) is None


def test_being_put_into_a_group_is_not_kept():
    bot = {"id": 1, "is_bot": True, "first_name": "Doorstep"}
    change = {
        "chat": {"id": -100, "type": "group", "title": "Close"},
        "from": {"id": CHAT, "is_bot": False, "first_name": "Test"},
        "date": 1764000000,
        "old_chat_member": {"user": bot, "status": "left"},
        "new_chat_member": {"user": bot, "status": "member"},
    }
    assert parse({"update_id": 1, "my_chat_member": change}) is None


FILE = {"file_id": "F", "file_unique_id": "U", "file_size": 99}


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ({"voice": FILE | {"duration": 3}}, Attachment("F", "audio/ogg", 99)),
        ({"document": FILE | {"mime_type": "application/pdf"}}, Attachment("F", "application/pdf", 99)),
        ({"video": FILE | {"width": 1, "height": 1, "duration": 3}}, Attachment("F", "video/mp4", 99)),
        ({"video_note": FILE | {"length": 1, "duration": 3}}, Attachment("F", "video/mp4", 99)),
        ({"location": {"latitude": 55.77, "longitude": -2.0}}, Attachment("geo:55.77,-2.0", "application/geo")),
        (
            {"contact": {"phone_number": "+447700900123", "first_name": "M"}},
            Attachment("tel:+447700900123", "text/vcard"),
        ),
    ],
)
def test_files_places_and_cards_are_kept(content: dict[str, Any], kept: Attachment):
    inbound = parse(message(**content))
    assert inbound is not None
    assert (inbound.content, inbound.attachments) == (Content.MEDIA, (kept,))


def test_the_largest_size_of_a_photo_is_kept():
    sizes = [FILE | {"file_id": str(n), "width": n, "height": n} for n in (90, 1280, 320)]
    inbound = parse(message(photo=sizes))
    assert inbound is not None
    assert inbound.attachments == (Attachment("1280", "image/jpeg", 99),)


def test_the_words_of_a_poll_are_kept_for_triage():
    options = [{"text": "yes", "voter_count": 0, "persistent_id": "1"}]
    poll = {
        "id": "1",
        "question": "Can you smell gas too?",
        "options": options,
        "total_voter_count": 0,
        "is_closed": False,
    }
    poll |= {"is_anonymous": True, "type": "regular", "allows_multiple_answers": False, "allows_revoting": False}
    inbound = parse(message(poll=poll))
    assert inbound is not None
    assert inbound.content is Content.UNSUPPORTED


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("/start", Keyword.START),
        ("/start from-the-poster", Keyword.START),
        ("/help@doorstep_bot", Keyword.HELP),
        ("/stop", Keyword.STOP),
        ("stop", None),
        ("/inform{}", None),
    ],
)
def test_only_commands_are_keywords_here(text: str, keyword: Keyword | None):
    inbound = parse(message(text=text))
    assert inbound is not None
    assert (inbound.keyword, inbound.content, inbound.choice) == (keyword, Content.TEXT, None)


async def test_someone_who_unblocks_us_is_back(telegram: TelegramCase, ledger: Ledger):
    await telegram.provider.block(CHAT)
    await telegram.provider.unblock(CHAT)
    assert [inbound.keyword for inbound in ledger.received] == [Keyword.STOP, Keyword.START]
    assert await telegram.channel.send(outbound(telegram, "hello"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "type", "chat", "from", "text", "message", "date", "message_id", "data", "photo", "user"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)
KINDS = st.sampled_from([*ALLOWED_UPDATES, "poll", "message_reaction", "something_new"])


@given(st.dictionaries(KINDS, JSON, max_size=2), st.integers())
def test_no_update_breaks_the_reading(body: dict[str, Any], update_id: int):
    inbound = parse(body | {"update_id": update_id})
    assert inbound is None or inbound.provider_id == str(update_id)


@given(JSON)
def test_what_is_no_update_is_unreadable(body: Any):
    with pytest.raises(Unreadable):
        parse(body)


# --- long polling


@pytest.fixture
async def polling(ledger: Ledger) -> AsyncIterator[TelegramCase]:
    case = TelegramCase()
    case.settings = case.settings.model_copy(update={"public_url": None, "telegram_secret": None})
    await case.open(ledger)
    yield case
    await case.close()


async def test_without_a_public_address_there_is_no_webhook(polling: TelegramCase):
    assert isinstance(polling.channel, TelegramChannel)
    assert polling.channel.polls
    assert polling.channel.routes() == []
    assert polling.provider.webhook == {}


async def test_polling_fetches_what_waits_and_ends_when_told(polling: TelegramCase, ledger: Ledger):
    polling.provider.webhook = {"url": "https://left-over.example"}
    stop = asyncio.Event()
    running = asyncio.create_task(polling.channel.run(stop))
    while polling.provider.webhook:
        await asyncio.wait_for(polling.provider.until_asked(), 5)
    await polling.provider.text_in(CHAT, "one")
    await polling.provider.text_in(CHAT, "two")
    await polling.provider.until_fetched()
    stop.set()
    await asyncio.wait_for(running, 5)
    assert [inbound.text for inbound in ledger.received] == ["one", "two"]


async def test_what_could_not_be_stored_is_fetched_again(polling: TelegramCase, ledger: Ledger):
    await polling.provider.text_in(CHAT, "one")
    await polling.provider.deliver({"message": "unreadable"})
    await polling.provider.text_in(CHAT, "two")
    ledger.broken = True
    stop = asyncio.Event()
    running = asyncio.create_task(polling.channel.run(stop))
    await asyncio.wait_for(polling.provider.until_asked(), 5)
    assert len(polling.provider.waiting) == 3
    ledger.broken = False
    await polling.provider.until_fetched()
    stop.set()
    await asyncio.wait_for(running, 5)
    assert [inbound.text for inbound in ledger.received] == ["one", "two"]


# --- departure


async def test_part_of_a_long_text_counts_emoji_as_telegram_does(telegram: TelegramCase):
    await telegram.channel.send(outbound(telegram, "🏠" * 3000))
    assert [len(part) for part in telegram.arrived()] == [2048, 952]


async def test_buttons_stand_under_the_last_part(telegram: TelegramCase):
    await telegram.channel.send(outbound(telegram, "word " * 1000, choices=ROOMS))
    assert [len(sent.buttons) for sent in telegram.provider.sent_to(CHAT)] == [0, 2]


async def test_telegram_out_of_reach_at_the_start_is_tried_until_it_answers(ledger: Ledger):
    case = TelegramCase()
    case.provider.faults_elsewhere.add(Fault.refuse(502), Fault.drop(accepted=False))
    api_url = await case.provider.start()
    case.ledger = ledger
    channel = case.build(case.settings.model_copy(update={"telegram_api_url": api_url}))
    await asyncio.wait_for(channel.run(asyncio.Event()), 5)
    assert case.provider.webhook["url"] == f"{PUBLIC_URL}/channels/telegram"
    await channel.close()
    await case.provider.close()


async def test_an_address_telegram_will_not_call_is_not_tried_for_ever(telegram: TelegramCase):
    telegram.provider.faults_elsewhere.add(Fault.refuse(400))
    assert isinstance(telegram.channel, TelegramChannel)
    await asyncio.wait_for(telegram.channel.run(asyncio.Event()), 5)


async def test_start_says_when_telegram_is_out_of_reach(telegram: TelegramCase):
    elsewhere = telegram.elsewhere()
    with pytest.raises(TemporaryFailure):
        await elsewhere.start()
    await elsewhere.close()


async def test_a_chat_that_never_wrote_cannot_be_written_to(telegram: TelegramCase):
    telegram.provider.chats.clear()
    with pytest.raises(Exception, match="400"):
        await telegram.channel.send(outbound(telegram, "hello"))


async def test_a_409_is_another_program_with_our_token(telegram: TelegramCase):
    telegram.faults.add(Fault.refuse(409))
    with pytest.raises(TemporaryFailure):
        await telegram.channel.send(outbound(telegram, "hello"))
