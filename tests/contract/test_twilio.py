"""What only Twilio does: its parameters, its error codes, WhatsApp on the same account."""

from collections.abc import AsyncIterator

import pytest
from channel_cases import NOON, PUBLIC_URL, Ledger, TwilioCase, outbound
from hypothesis import given
from hypothesis import strategies as st

from bot.channels import Blocked, CannotTell, OptedOut, PermanentFailure, TemporaryFailure, WindowClosed
from bot.channels.sms import FAILURES, KEYWORDS, Unreadable, failure_of, keyword_of, parse_message, parse_receipt
from bot.dev.standins import Fault
from bot.dev.standins.twilio import OPT_OUT_WORDS, segments
from bot.messages import Attachment, ChannelName, Content, DeliveryState, Keyword
from bot.wording import gsm

ENOUGH = {"MessageSid": "SM1", "From": "+447700900123"}


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
async def sms(ledger: Ledger) -> AsyncIterator[TwilioCase]:
    case = TwilioCase(ChannelName.SMS)
    await case.open(ledger)
    yield case
    await case.close()


# --- keywords


@pytest.mark.parametrize("text", ["STOP", " stop ", "Stop.", "“STOP”", "stop!\n", "StopAll", "UNSUBSCRIBE"])
def test_the_bare_word_opts_out(text: str):
    assert keyword_of(text) is Keyword.STOP


@pytest.mark.parametrize(
    "text",
    ["stop the leak", "please stop", "cancel", "END", "quit", "yes", "no", "info", "s top", "", "?", "help me", "…"],
)
def test_any_other_text_is_what_it_says(text: str):
    assert keyword_of(text) is None


def test_what_twilio_took_the_message_for_outranks_the_word():
    assert parse_message(ENOUGH | {"Body": "arret", "OptOutType": "STOP"}).keyword is Keyword.STOP
    assert parse_message(ENOUGH | {"Body": "hello", "OptOutType": ""}).keyword is None


def test_help_is_heard():
    assert parse_message(ENOUGH | {"Body": "help"}).keyword is Keyword.HELP


def test_a_photo_called_stop_is_a_photo():
    media = {"NumMedia": "1", "MediaUrl0": "https://x", "MediaContentType0": "image/png", "Body": "stop"}
    assert parse_message(ENOUGH | media).keyword is None


# --- reading


def test_whatsapp_is_told_from_sms_by_the_address():
    inbound = parse_message(ENOUGH | {"From": "whatsapp:+447700900123", "Body": "hi", "ProfileName": "Morag"})
    assert (inbound.channel, inbound.address, inbound.name) == (ChannelName.WHATSAPP, "+447700900123", "Morag")


def test_every_file_of_a_message_is_kept():
    media = (
        {"NumMedia": "3"} | {f"MediaUrl{n}": f"https://x/{n}" for n in range(3)} | {"MediaContentType1": "image/png"}
    )
    assert parse_message(ENOUGH | media).attachments == (
        Attachment("https://x/0", "application/octet-stream"),
        Attachment("https://x/1", "image/png"),
        Attachment("https://x/2", "application/octet-stream"),
    )


def test_a_place_sent_by_whatsapp_is_kept():
    inbound = parse_message(ENOUGH | {"Latitude": "55.77", "Longitude": "-2.0", "NumMedia": "0"})
    assert (inbound.content, inbound.attachments) == (Content.MEDIA, (Attachment("geo:55.77,-2.0", "application/geo"),))


def test_the_values_twilio_signed_are_not_trimmed():
    assert parse_message(ENOUGH | {"Body": "  two spaces  "}).text == "  two spaces  "


@given(
    st.dictionaries(st.sampled_from(["MessageSid", "From", "Body", "NumMedia", "MediaUrl0", "OptOutType"]), st.text())
)
def test_no_parameters_break_the_reading(params: dict[str, str]):
    try:
        inbound = parse_message(params)
    except Unreadable:
        return
    assert inbound.provider_id
    assert inbound.address


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("queued", DeliveryState.SENT),
        ("sent", DeliveryState.SENT),
        ("delivered", DeliveryState.DELIVERED),
        ("read", DeliveryState.READ),
        ("undelivered", DeliveryState.FAILED),
        ("failed", DeliveryState.FAILED),
    ],
)
def test_a_status_says_how_far_a_message_came(status: str, state: DeliveryState):
    receipt = parse_receipt({"MessageSid": "SM1", "MessageStatus": status, "To": "whatsapp:+447700900123"})
    assert receipt is not None
    assert (receipt.channel, receipt.state) == (ChannelName.WHATSAPP, state)


async def test_a_status_of_a_new_kind_is_answered_and_changes_nothing(sms: TwilioCase, ledger: Ledger):
    answer = await sms.provider.call("/channels/sms/status", {"MessageSid": "SM1", "MessageStatus": "teleported"})
    assert answer.status == 200
    assert ledger.receipts == []


async def test_the_answer_to_a_message_is_empty_twiml(sms: TwilioCase):
    answer = await sms.provider.text_in(sms.address, "hello")
    assert answer.body.endswith("<Response></Response>")


async def test_a_signature_over_a_query_in_the_address_is_understood(sms: TwilioCase, ledger: Ledger):
    answer = await sms.provider.call("/channels/sms?from=twilio&x=%20y", ENOUGH | {"Body": "hi"})
    assert answer.status == 200
    assert len(ledger.received) == 1


# --- sending


async def test_a_number_sends_with_a_callback_to_the_public_address(sms: TwilioCase):
    message = outbound(sms, "hello")
    sent = sms.provider.message(await sms.channel.send(message))
    assert sent.from_ == "+447700900000"
    assert sent.status_callback == f"{PUBLIC_URL}/channels/sms/status?message={message.id}"


async def test_a_messaging_service_picks_the_number(ledger: Ledger):
    case = TwilioCase(ChannelName.SMS)
    case.settings = case.settings.model_copy(update={"twilio_from": "MG0123456789"})
    await case.open(ledger)
    await case.channel.send(outbound(case, "hello"))
    assert case.provider.sent_to(case.address)[0].status == "accepted"
    await case.close()


async def test_whatsapp_goes_from_whatsapp_to_whatsapp(ledger: Ledger):
    case = TwilioCase(ChannelName.WHATSAPP)
    await case.open(ledger)
    sent = case.provider.message(await case.channel.send(outbound(case, "hello")))
    assert (sent.from_, sent.to) == ("whatsapp:+447700900000", "whatsapp:+447700900123")
    await case.close()


@pytest.mark.parametrize(("code", "failure"), FAILURES.items())
async def test_each_error_code_is_the_failure_of_the_table(sms: TwilioCase, code: int, failure: type[Exception]):
    sms.provider.refused[sms.address] = code
    with pytest.raises(failure) as raised:
        await sms.channel.send(outbound(sms, "hello"))
    assert type(raised.value) is failure
    assert raised.value.code == str(code)


def test_the_table_tells_the_codes_that_matter_apart():
    assert failure_of("21610") is OptedOut
    assert failure_of(30006) is Blocked
    assert failure_of("63016") is WindowClosed
    assert failure_of("30008") is TemporaryFailure
    assert failure_of("30007") is PermanentFailure
    assert [failure_of(code) for code in (None, "", "99999", "x")] == [None] * 4


async def test_what_was_sent_before_the_message_was_written_is_not_it(sms: TwilioCase):
    await sms.channel.send(outbound(sms, "Sorry, I did not understand."))
    later = outbound(sms, "Sorry, I did not understand.")
    object.__setattr__(later, "created_at", NOON.replace(hour=13))
    assert await sms.channel.find_sent(later) is None


async def test_only_what_we_sent_is_found(sms: TwilioCase):
    await sms.say("the same words")
    assert await sms.channel.find_sent(outbound(sms, "the same words")) is None


async def test_a_long_text_of_which_a_part_is_missing_is_not_found(sms: TwilioCase):
    text = "A sentence of some length stands here. " * 60
    sms.faults.add(None, Fault.drop(accepted=False))
    message = outbound(sms, text)
    with pytest.raises(Exception, match="broke off"):
        await sms.channel.send(message)
    assert await sms.channel.find_sent(message) is None
    sid = await sms.channel.send(outbound(sms, text, attempt=2))
    assert await sms.channel.find_sent(message) == sid
    assert " ".join(sms.arrived()) == text.strip()


async def test_two_parts_with_the_same_words_are_two_parts(sms: TwilioCase):
    text = ("word " * 320).strip() + "\n\n" + ("word " * 320).strip()
    sms.faults.add(None, Fault.refuse(500))
    message = outbound(sms, text)
    with pytest.raises(TemporaryFailure):
        await sms.channel.send(message)
    assert await sms.channel.find_sent(message) is None
    await sms.channel.send(outbound(sms, text, attempt=2))
    assert len(sms.arrived()) == 2
    assert await sms.channel.find_sent(message)


async def test_a_long_text_is_not_tried_again_while_twilio_cannot_say_what_it_has(sms: TwilioCase):
    elsewhere = sms.elsewhere()
    with pytest.raises(TemporaryFailure):
        await elsewhere.send(outbound(sms, "word " * 1000, attempt=2))
    with pytest.raises(CannotTell):
        await elsewhere.find_sent(outbound(sms, "word"))
    await elsewhere.close()


# --- the stand-in itself


@pytest.mark.parametrize(
    ("text", "count"),
    [("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("’" * 70, 1), ("’" * 71, 2), ("€" * 80, 1), ("€" * 81, 2)],
)
def test_segments_are_counted_as_networks_charge_them(text: str, count: int):
    assert segments(text) == count


@given(st.text(alphabet="aé£€{}’🏠\n", max_size=400))
def test_the_stand_in_charges_what_the_console_counts(text: str):
    assert segments(text) == gsm.segments(text).count


def test_the_stand_in_and_the_channel_agree_on_the_keywords():
    assert {word.casefold(): Keyword(kind.casefold()) for word, kind in OPT_OUT_WORDS.items()} == KEYWORDS


async def test_delivery_is_reported_by_itself_where_that_is_wanted(ledger: Ledger):
    case = TwilioCase(ChannelName.SMS)
    case.provider._receipts = True
    await case.open(ledger)
    sid = await case.channel.send(outbound(case, "hello"))
    await case.provider.settled()
    assert [(receipt.provider_id, receipt.state) for receipt in ledger.receipts] == [
        (sid, DeliveryState.SENT),
        (sid, DeliveryState.DELIVERED),
    ]
    await case.close()
