"""The routes to people on call, one by one: what is sent, what a failure means, and who is believed."""

from datetime import UTC, datetime

import pytest

from bot.channels import PermanentFailure, TemporaryFailure, UnknownOutcome
from bot.channels.line import SIGNATURE, TIMESTAMP, Alert, ByEmail, sign
from bot.channels.voice import VoiceChannel
from bot.dev.standins.twilio_voice import RINGING
from bot.settings import Settings, SettingsError
from bot.settings import load as load_settings
from bot.wallclock import HandClock
from tests.unit.handover.conftest import FLOOD, LINE, Mailbox, Night

ALERT = Alert("0" * 32, "text", "Emergency R-4K7M-2QX", "Where: 14 High Street")
NOON = HandClock(datetime(2026, 11, 28, 12, tzinfo=UTC))


async def test_a_mail_arrives_whole_and_the_same_alert_again_has_the_same_id() -> None:
    mailbox = Mailbox()
    route = ByEmail(await mailbox.start(), NOON)
    first = await route.send("line@example.org", ALERT)
    assert first == await route.send("line@example.org", ALERT)
    assert "Where: 14 High Street" in mailbox.mails[0]
    assert "To: line@example.org" in mailbox.mails[0]
    await mailbox.close()


@pytest.mark.parametrize(("answer", "failure"), [("450", TemporaryFailure), ("550", PermanentFailure)])
async def test_a_mailbox_that_refuses_says_whether_for_good(answer: str, failure: type[Exception]) -> None:
    mailbox = Mailbox()
    mailbox.refuse_with = answer
    route = ByEmail(await mailbox.start(), NOON)
    with pytest.raises(failure):
        await route.send("line@example.org", ALERT)
    await mailbox.close()


async def test_a_mail_server_that_hangs_up_after_the_mail_may_have_it() -> None:
    mailbox = Mailbox()
    mailbox.hang_up_after_data = True
    route = ByEmail(await mailbox.start(), NOON)
    with pytest.raises(UnknownOutcome):
        await route.send("line@example.org", ALERT)
    await mailbox.close()


async def test_a_mail_server_that_is_not_there_is_tried_again_later() -> None:
    with pytest.raises(TemporaryFailure):
        await ByEmail("smtp://127.0.0.1:9?from=a@example.org", NOON).send("line@example.org", ALERT)


async def test_no_password_goes_over_a_connection_that_is_not_encrypted() -> None:
    mailbox = Mailbox()
    address = (await mailbox.start()).replace("smtp://", "smtp://user:secret@")
    with pytest.raises(PermanentFailure):
        await ByEmail(address, NOON).send("line@example.org", ALERT)
    await mailbox.close()


@pytest.mark.parametrize("routes_to_line", [{"emergency_line_webhook": "HOOK"}])
async def test_a_webhook_is_signed_and_an_answer_is_not_a_taking(night: Night) -> None:
    await night.text(FLOOD)
    headers, body = night.hook.posts[0]
    assert headers[SIGNATURE] == sign(b"w" * 40, headers[TIMESTAMP], body)
    (told, *_) = night.hook.read()
    assert told["event"] == "emergency"
    assert told["reference"] == (await night.case()).reference
    assert "/u/" in told["link"]
    assert (await night.handover()).state == "waiting"


@pytest.mark.parametrize(
    "routes_to_line", [{"emergency_line_email": "line@example.org", "emergency_line_webhook": "HOOK"}]
)
async def test_a_webhook_that_fails_is_followed_by_a_mail_at_once(night: Night) -> None:
    night.hook.status = 500
    await night.text(FLOOD)
    assert (await night.attempts())[:2] == [("24-hour line", "webhook", "failed"), ("24-hour line", "email", "sent")]
    assert "reply" in night.mailbox.mails[0]


@pytest.mark.parametrize("path", ["answer", "key", "status"])
async def test_a_call_from_anybody_but_twilio_is_turned_away_and_takes_nothing(night: Night, path: str) -> None:
    night.twilio.expect(LINE, RINGING)
    await night.text(FLOOD)
    (call,) = night.twilio.calls_to(LINE)
    target = call.url[len(night.base) :].replace("/answer", f"/{path}")
    form = {"CallSid": call.sid, "Digits": "1", "CallStatus": "completed"}
    for signature in ("", "bm90IHNpZ25lZA=="):
        answer = await night.twilio.call(target, form, signature=signature)
        assert answer.status == 403
    assert (await night.handover()).state == "waiting"
    assert await night.attempts() == [("24-hour line", "call", "sent")]


async def test_a_key_in_a_call_that_is_not_ours_does_nothing(night: Night) -> None:
    await night.text(FLOOD)
    answer = await night.twilio.call("/channels/voice/key?call=nobody", {"CallSid": "CA1", "Digits": "1"})
    assert answer.status == 200
    assert (await night.handover()).state == "waiting"


async def test_the_end_of_a_call_told_twice_counts_once(night: Night) -> None:
    night.twilio.expect(LINE, RINGING)
    await night.text(FLOOD)
    (call,) = night.twilio.calls_to(LINE)
    await night.twilio.end(call, "busy")
    await night.beat()
    after = await night.attempts()
    await night.twilio.end(call, "busy")
    await night.twilio.end(call, "completed")
    await night.beat()
    assert await night.attempts() == after


def test_calls_without_a_number_to_ring_from_are_refused() -> None:
    settings = Settings.model_validate({
        "twilio_account_sid": "AC" + "1" * 32, "twilio_auth_token": "t", "twilio_from": "MG1", "public_url": "https://a.example",
    })  # fmt: skip

    async def nothing(*_: object) -> None:
        return None

    with pytest.raises(SettingsError, match="DOORSTEP_TWILIO_VOICE_FROM"):
        VoiceChannel(settings, asked=nothing, pressed=nothing, ended=nothing, machine=str)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"DOORSTEP_EMERGENCY_LINE_CALL": "0800 652 8104"}, "DOORSTEP_TWILIO_ACCOUNT_SID"),
        ({"DOORSTEP_EMERGENCY_LINE_EMAIL": "line@example.org"}, "DOORSTEP_SMTP_URL"),
        ({"DOORSTEP_EMERGENCY_LINE_WEBHOOK": "https://a.example"}, "DOORSTEP_EMERGENCY_LINE_WEBHOOK_SECRET"),
        ({"DOORSTEP_EMERGENCY_LINE_TEXT": "the line"}, "must be a telephone number"),
        ({"DOORSTEP_SMTP_URL": "mail.example.org"}, "must look like smtp://"),
    ],
)
def test_a_route_that_is_half_set_up_refuses_to_start(given: dict[str, str], missing: str) -> None:
    with pytest.raises(SettingsError, match=missing):
        load_settings({"DOORSTEP_SECRET_KEY": "k" * 40, **given}, env_file=None)


def test_a_number_may_be_written_as_people_write_it() -> None:
    settings = Settings.model_validate({"emergency_line_call": "0800 652 8104"})
    assert settings.emergency_line_call == LINE
