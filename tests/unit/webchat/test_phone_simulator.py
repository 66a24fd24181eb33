"""The phone simulator's page against the real stand-ins and a bot that only echoes."""

from datetime import UTC, datetime

import aiohttp
import pytest
import yarl
from aiohttp import web

from bot.dev import phone
from bot.dev.standins.telegram import TelegramStandIn
from bot.dev.standins.twilio_voice import TwilioVoiceStandIn
from bot.settings import Settings

NUMBER, CHAT = "+447700900123", 555000111
SID = "AC" + "0" * 32


class Desk:
    """The page's server, which is also the bot's: its webhooks remember what came and answer through the providers."""

    def __init__(self):
        self.status = 200
        self.heard = []
        self.runner = None

    async def start(self):
        application = web.Application()
        application.add_routes([web.post("/channels/sms", self._sms), web.post("/channels/telegram", self._telegram)])
        # The stand-ins need the address, and the page's routes need the stand-ins.
        self.http = aiohttp.ClientSession()
        self.runner = web.AppRunner(application, access_log=None)
        settings = Settings(
            twilio_account_sid=SID, twilio_auth_token="token", twilio_from="+447700900000", telegram_token="1:token",
            telegram_secret="secret", public_url="http://bot.example", dev=True,
        )  # fmt: skip
        self.twilio = TwilioVoiceStandIn(settings, lambda: datetime.now(UTC))
        self.telegram = TelegramStandIn(settings, lambda: datetime.now(UTC))
        application.add_routes(phone.routes(self.twilio, self.telegram))
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        self.twilio.deliver_to = self.telegram.deliver_to = self.url
        self.twilio_url, self.telegram_url = await self.twilio.start(), await self.telegram.start()
        await self.ask("setWebhook", url="http://bot.example/channels/telegram", secret_token="secret")
        return self

    async def stop(self):
        await self.twilio.close()
        await self.telegram.close()
        await self.http.close()
        await self.runner.cleanup()

    async def ask(self, method, **given):
        async with self.http.post(f"{self.telegram_url}/bot1:token/{method}", json=given) as response:
            return await response.json()

    async def _sms(self, request):
        form = await request.post()
        self.heard.append(("sms", form["From"], form["Body"], bool(request.headers["X-Twilio-Signature"])))
        if self.status == 200:
            async with self.http.post(
                f"{self.twilio_url}/2010-04-01/Accounts/{SID}/Messages.json",
                data={"To": form["From"], "From": form["To"], "Body": f"You said: {form['Body']}"},
                headers={"Authorization": aiohttp.encode_basic_auth(SID, "token")},
            ):
                pass
        return web.Response(status=self.status)

    async def _telegram(self, request):
        update = await request.json()
        self.heard.append(("telegram", request.headers["X-Telegram-Bot-Api-Secret-Token"], update))
        if "message" in update:
            keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "c1"}]]}
            await self.ask("sendMessage", chat_id=CHAT, text="Is it leaking?", reply_markup=keyboard)
        return web.Response()

    async def do(self, what, **given):
        async with self.http.post(f"{self.url}/dev/phone/{what}", json=given) as response:
            assert response.status == 200, await response.text()
            return (await response.json())["answer"]

    async def look(self, version=""):
        query = {"number": NUMBER, "chat": str(CHAT), "version": version}
        async with self.http.get(f"{self.url}/dev/phone/messages", params=query) as response:
            return await response.json() if response.status == 200 else response.status


@pytest.fixture
async def desk():
    desk = await Desk().start()
    yield desk
    await desk.stop()


async def test_a_text_goes_through_the_signed_webhook_and_the_answer_shows(desk):
    assert await desk.do("text", number=NUMBER, text="my tap drips") == 200
    await desk.twilio.until_sent_to(NUMBER)
    assert desk.heard == [("sms", NUMBER, "my tap drips", True)]
    mine, answer = (await desk.look())["texts"]
    assert (mine["mine"], mine["text"], mine["answer"]) == (True, "my tap drips", 200)
    assert (answer["mine"], answer["text"], answer["segments"]) == (False, "You said: my tap drips", 1)


async def test_stop_opts_the_phone_out_and_whatsapp_is_a_thread_of_its_own(desk):
    desk.status = 204
    await desk.do("text", number=NUMBER, text="STOP")
    assert (await desk.look())["optedOut"] is True
    await desk.do("text", number=NUMBER, text="hello", whatsapp=True)
    assert [each["whatsapp"] for each in (await desk.look())["texts"]] == [False, True]


async def test_telegram_messages_buttons_edits_and_blocking_reach_the_bot(desk):
    assert await desk.do("telegram", chat=CHAT, text="hello") == 200
    shown = (await desk.look())["telegram"]
    assert [(each["mine"], each["text"]) for each in shown] == [(True, "hello"), (False, "Is it leaking?")]
    assert shown[1]["buttons"] == [{"label": "Yes", "data": "c1"}]
    await desk.do("press", chat=CHAT, data="c1", message=shown[1]["id"])
    await desk.do("edit", chat=CHAT, message=shown[0]["id"], text="hello there")
    assert (await desk.look())["telegram"][0]["edited"] is True
    await desk.do("block", chat=CHAT, blocked=True)
    assert (await desk.look())["blocked"] is True
    await desk.do("block", chat=CHAT, blocked=False)
    assert (await desk.look())["blocked"] is False
    kinds = [
        next(key for key in update if key != "update_id") for _, secret, update in desk.heard if secret == "secret"
    ]
    assert kinds == ["message", "callback_query", "edited_message", "my_chat_member", "my_chat_member"]


async def test_nothing_new_is_told_in_an_empty_answer(desk):
    version = (await desk.look())["version"]
    assert await desk.look(version) == 204
    await desk.do("text", number=NUMBER, text="hello")
    assert isinstance(await desk.look(version), dict)


async def test_a_webhook_that_refuses_or_is_not_there_is_shown(desk):
    desk.status = 503
    assert await desk.do("text", number=NUMBER, text="hello") == 503
    assert (await desk.look())["texts"][0]["answer"] == 503
    desk.twilio.deliver_to = "http://127.0.0.1:1"
    assert await desk.do("text", number=NUMBER, text="hello") == 0


async def test_another_site_cannot_play_on_the_phones(desk):
    async with desk.http.post(
        f"{desk.url}/dev/phone/text", data='{"number": "+447700900123", "text": "x"}'
    ) as response:
        assert response.status == 415
    assert desk.heard == []


@pytest.mark.parametrize("path", ["/dev/phone", "/dev/widget", "/dev/static/phone.js", "/dev/static/phone.css"])
async def test_the_page_and_its_files_are_served_under_a_strict_policy(desk, path):
    async with desk.http.get(desk.url + path) as response:
        assert response.status == 200
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        assert "http" not in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/dev/static/..%2fphone.py", "/dev/static/phone.html", "/dev/static/nothing.js"])
async def test_nothing_else_is_served(desk, path):
    async with desk.http.get(yarl.URL(desk.url + path, encoded=True)) as response:
        assert response.status == 404


async def test_a_call_rings_until_it_is_answered_and_unknown_calls_and_keys_are_refused(desk):
    desk.twilio.by_hand = True
    call = {
        "To": NUMBER,
        "From": "+447700900000",
        "Url": f"{desk.url}/nowhere",
        "StatusCallback": f"{desk.url}/nowhere",
    }
    headers = {"Authorization": aiohttp.encode_basic_auth(SID, "token")}
    async with desk.http.post(
        f"{desk.twilio_url}/2010-04-01/Accounts/{SID}/Calls.json", data=call, headers=headers
    ) as response:
        sid = (await response.json())["sid"]
    (ringing,) = (await desk.look())["calls"]
    assert (ringing["id"], ringing["to"], ringing["status"], ringing["asking"]) == (sid, NUMBER, "ringing", False)
    for what, given, status in (
        ("key", {"call": sid, "key": "1"}, 200), ("key", {"call": sid, "key": "12"}, 400),
        ("answer", {"call": "none"}, 404), ("hang-up", {"call": "none"}, 404), ("hang-up", {"call": sid}, 200),
    ):  # fmt: skip
        async with desk.http.post(f"{desk.url}/dev/phone/{what}", json=given) as response:
            assert response.status == status, what
    assert (await desk.look())["calls"][0]["status"] == "busy"
