"""The channel contract (`bot/channels/__init__.py`), kept by every channel: real client libraries and real sockets on
loopback, a stand-in at the other end."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from channel_cases import CASES, WITH_RECEIPTS, Case, Ledger, outbound

import bot.channels.web  # noqa: F401 - as in the running product: it makes `bot.channels.web` something else than aiohttp's
from bot.channels import (
    LARGEST_FILE,
    CannotTell,
    Channel,
    ChannelError,
    FileKeeper,
    PermanentFailure,
    TemporaryFailure,
    UnknownOutcome,
)
from bot.dev.standins import Fault
from bot.messages import Attachment, ChannelName, Content, DeliveryState, Keyword, Receipt
from bot.settings import SettingsError

TEXT = "My kitchen tap drips. Here's a “quote” & 50% £é\nsecond line + more"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture(params=CASES)
async def case(request: pytest.FixtureRequest, ledger: Ledger) -> AsyncIterator[Case]:
    case = CASES[request.param]()
    await case.open(ledger)
    yield case
    await case.close()


WITHOUT_PROVIDER = {
    ChannelName.WEB: "tests/unit/webchat/test_chat_socket.py",
    ChannelName.TERMINAL: "tests/unit/channels/test_terminal.py",
}
"""Channels with nobody in between: no webhook to forge and no API to fail. The same promises (doubled, forged, unreadable,
over-long, nothing of the tenant in the log) are held over their own wire in these files."""


def test_every_channel_has_its_cases():
    assert set(CASES) == {name.value for name in ChannelName if name not in WITHOUT_PROVIDER}
    assert all(Path(suite).is_file() for suite in WITHOUT_PROVIDER.values())


# --- arrival


async def test_a_message_arrives_as_it_was_written(case: Case, ledger: Ledger):
    assert await case.say(TEXT) == 200
    (inbound,) = ledger.received
    assert (inbound.channel, inbound.address) == (case.name, case.address)
    assert (inbound.text, inbound.content) == (TEXT, Content.TEXT)
    assert inbound.keyword is None
    assert inbound.provider_id


async def test_a_message_delivered_twice_keeps_its_id(case: Case, ledger: Ledger):
    assert [await case.say("hello"), await case.say_again(), await case.say("hello")] == [200] * 3
    first, again, other = ledger.received
    assert again == first
    assert other.provider_id != first.provider_id


async def test_the_provider_gets_its_answer_only_when_the_message_is_stored(case: Case, ledger: Ledger):
    ledger.broken = True
    assert await case.say("hello") == 503
    ledger.broken = False
    assert await case.say_again() == 200
    assert [inbound.text for inbound in ledger.received] == ["hello"]


async def test_a_forged_call_is_turned_away_and_stores_nothing(case: Case, ledger: Ledger):
    statuses = await case.forge()
    assert statuses == [403] * len(statuses)
    assert ledger.received == []
    assert ledger.receipts == []


async def test_what_cannot_be_read_is_turned_away_and_stores_nothing(case: Case, ledger: Ledger):
    statuses = await case.garble()
    assert statuses == [400] * len(statuses)
    assert ledger.received == []


async def test_a_call_of_two_megabytes_is_turned_away(case: Case, ledger: Ledger):
    assert await case.flood(2 * 1024 * 1024) == 413
    assert ledger.received == []


async def test_what_is_authentic_but_not_understood_is_kept(case: Case, ledger: Ledger):
    assert await case.be_strange() == 200
    (inbound,) = ledger.received
    assert (inbound.address, inbound.content) == (case.address, Content.UNSUPPORTED)


async def test_a_photo_arrives_with_its_words_and_can_be_fetched(case: Case, ledger: Ledger):
    photo = bytes(range(256)) * 4000
    assert await case.show(photo) == 200
    (inbound,) = ledger.received
    assert (inbound.content, inbound.text) == (Content.MEDIA, "look at this")
    (attachment,) = inbound.attachments
    assert attachment.media_type == "image/jpeg"
    assert isinstance(case.channel, FileKeeper)
    assert await case.channel.fetch(attachment) == photo


async def test_a_photo_that_is_gone_or_too_large_is_not_tried_again(case: Case, ledger: Ledger):
    assert isinstance(case.channel, FileKeeper)
    await case.show(b"x" * (LARGEST_FILE + 1))
    with pytest.raises(PermanentFailure):
        await case.channel.fetch(ledger.received[0].attachments[0])
    case.lose_files()
    with pytest.raises(PermanentFailure):
        await case.channel.fetch(ledger.received[0].attachments[0])


@pytest.mark.parametrize(
    "handle", ["geo:55.7,-2.0", "tel:+447700900123", "http://169.254.169.254/latest", "", "https://x"]
)
async def test_what_is_no_file_of_the_provider_is_not_fetched(case: Case, handle: str):
    assert isinstance(case.channel, FileKeeper)
    with pytest.raises(PermanentFailure):
        await case.channel.fetch(Attachment(handle, "image/jpeg"))


async def test_turning_us_away_is_told_as_stop(case: Case, ledger: Ledger):
    assert await case.turn_away() == 200
    assert ledger.received[-1].keyword is Keyword.STOP


async def test_a_channel_without_one_of_its_secrets_refuses_to_be_built(case: Case):
    for settings in case.unusable():
        with pytest.raises(SettingsError, match="DOORSTEP_"):
            case.build(settings)


# --- departure


async def test_a_text_reaches_the_tenant_whole(case: Case):
    provider_id = await case.channel.send(outbound(case, TEXT))
    assert provider_id
    assert case.arrived() == [TEXT]


async def test_two_sends_have_two_ids(case: Case):
    assert await case.channel.send(outbound(case, "one")) != await case.channel.send(outbound(case, "two"))


async def test_a_text_that_is_too_long_arrives_in_parts_cut_between_sentences(case: Case):
    text = " ".join(f"This is sentence number {n} of a long letter." for n in range(300))
    await case.channel.send(outbound(case, text))
    parts = case.arrived()
    assert len(parts) > 1
    assert all(len(part) <= case.channel.max_length and part.endswith("letter.") for part in parts)
    assert " ".join(parts) == text


async def test_a_long_text_tried_again_repeats_no_part_that_went_out(case: Case):
    text = " ".join(f"This is sentence number {n} of a long letter." for n in range(300))
    case.faults.add(None, Fault.refuse(500))
    with pytest.raises(TemporaryFailure):
        await case.channel.send(outbound(case, text))
    assert await case.channel.send(outbound(case, text, attempt=2))
    assert " ".join(case.arrived()) == text


async def test_a_blank_text_is_refused_here(case: Case):
    with pytest.raises(PermanentFailure):
        await case.channel.send(outbound(case, " \n "))
    assert case.arrived() == []


async def test_too_many_requests_says_when_to_try_again(case: Case):
    case.faults.add(Fault.refuse(429, retry_after=7))
    with pytest.raises(TemporaryFailure) as failure:
        await case.channel.send(outbound(case, TEXT))
    assert failure.value.retry_after == 7
    await case.channel.send(outbound(case, TEXT))
    assert case.arrived() == [TEXT]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_provider_in_trouble_is_tried_again(case: Case, status: int):
    case.faults.add(Fault.refuse(status))
    with pytest.raises(TemporaryFailure):
        await case.channel.send(outbound(case, TEXT))


async def test_a_refusal_of_the_message_is_permanent(case: Case):
    case.faults.add(Fault.refuse(400))
    with pytest.raises(PermanentFailure):
        await case.channel.send(outbound(case, TEXT))


async def test_wrong_credentials_of_ours_do_not_give_the_message_up(case: Case):
    case.faults.add(Fault.refuse(401))
    with pytest.raises(TemporaryFailure):
        await case.channel.send(outbound(case, TEXT))


async def test_nobody_listening_is_known_not_to_have_the_message(case: Case):
    elsewhere = case.elsewhere()
    with pytest.raises(TemporaryFailure):
        await elsewhere.send(outbound(case, TEXT))
    with pytest.raises(CannotTell):
        await elsewhere.find_sent(outbound(case, TEXT))
    await elsewhere.close()


@pytest.mark.parametrize("accepted", [True, False])
async def test_silence_from_the_provider_is_an_unknown_outcome(case: Case, accepted: bool):
    case.faults.add(Fault.hold(accepted=accepted))
    await _loses_touch(case, case.impatient(), accepted)


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_connection_that_breaks_off_is_an_unknown_outcome(case: Case, accepted: bool):
    case.faults.add(Fault.drop(accepted=accepted))
    await _loses_touch(case, case.channel, accepted)


async def _loses_touch(case: Case, channel: Channel, accepted: bool) -> None:
    message = outbound(case, TEXT)
    with pytest.raises(UnknownOutcome):
        await channel.send(message)
    await channel.close()
    assert case.arrived() == ([TEXT] if accepted else [])
    if not case.can_be_asked:
        with pytest.raises(CannotTell):
            await case.channel.find_sent(message)
    elif accepted:
        assert await case.channel.find_sent(message)
    else:
        assert await case.channel.find_sent(message) is None


async def test_a_send_that_is_cancelled_leaves_the_channel_usable(case: Case):
    case.faults.add(Fault.hold(accepted=False))
    sending = asyncio.create_task(case.channel.send(outbound(case, TEXT)))
    await case.faults.until_held()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    case.faults.release()
    assert await case.channel.send(outbound(case, TEXT))


async def test_who_turned_us_away_is_not_tried_again(case: Case):
    await case.turn_away()
    with pytest.raises(case.blocked):
        await case.channel.send(outbound(case, TEXT))
    assert issubclass(case.blocked, PermanentFailure)
    assert case.arrived() == []


@pytest.mark.parametrize("case", WITH_RECEIPTS, indirect=True)
@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.DELIVERED, DeliveryState.FAILED])
async def test_receipts_name_the_message_and_how_far_it_came(case: Case, ledger: Ledger, state: DeliveryState):
    message = outbound(case, TEXT)
    provider_id = await case.channel.send(message)
    assert await case.report(provider_id, state) == 200
    code = "30005" if state is DeliveryState.FAILED else None
    assert ledger.receipts == [Receipt(case.name, provider_id, state, code, message_id=message.id)]


@pytest.mark.parametrize("case", WITH_RECEIPTS, indirect=True)
async def test_a_receipt_is_answered_only_when_it_is_stored(case: Case, ledger: Ledger):
    provider_id = await case.channel.send(outbound(case, TEXT))
    ledger.broken = True
    assert await case.report(provider_id, DeliveryState.DELIVERED) == 503


async def test_a_closed_channel_can_be_closed_again(case: Case):
    await case.channel.send(outbound(case, TEXT))
    await case.channel.close()
    await case.channel.close()


# --- what is said about it


async def test_no_secret_and_nothing_of_the_tenant_reaches_the_log_or_an_error(
    case: Case, ledger: Ledger, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    errors: list[ChannelError | CannotTell] = []
    await case.say("my secret sorrow")
    await case.forge()
    await case.garble()
    await case.be_strange()
    await case.show(b"photo")
    ledger.broken = True
    await case.say("my secret sorrow")
    ledger.broken = False
    message = outbound(case, "my secret sorrow")
    await case.channel.send(message)
    refusals = [Fault.refuse(status) for status in (400, 401, 403, 429, 500)]
    case.faults.add(*refusals, Fault.drop(accepted=False), Fault.hold(accepted=True))
    impatient, elsewhere = case.impatient(), case.elsewhere()
    for channel in [case.channel] * (len(refusals) + 1) + [impatient, elsewhere]:
        with pytest.raises(ChannelError) as failure:
            await channel.send(message)
        errors.append(failure.value)
    await impatient.close()
    await elsewhere.close()
    try:
        await case.channel.find_sent(message)
    except CannotTell as error:
        errors.append(error)
    await case.turn_away()
    with pytest.raises(ChannelError) as failure:
        await case.channel.send(message)
    errors.append(failure.value)

    formatter = logging.Formatter("%(message)s %(fields)s")
    written = []
    for record in caplog.records:
        record.fields = {name: value for name, value in vars(record).items() if name != "fields"}
        written.append(formatter.format(record))
    said = "\n".join([*written, *(f"{error} {error!r} {error.__cause__!r}" for error in errors)])
    private = ["sorrow", "look at this", case.address, case.address.removeprefix("+44")]
    assert [word for word in [*case.secrets, *private] if word in said] == []
    assert any("call_refused" in line for line in written), "nothing was logged at all"
