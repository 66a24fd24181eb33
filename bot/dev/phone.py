"""`/dev/phone`: phones on a page, one for texts and WhatsApp, one for Telegram, and one that rings, each with its stand-in.

What is typed here takes the way of a real message: the stand-in signs it, posts it to the webhook, and the answer comes
back through the provider's API. Mounted in development only; it knows nothing of the bot.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
from aiohttp import web

from bot.dev.standins.telegram import TelegramMessage, TelegramStandIn
from bot.dev.standins.twilio import TwilioMessage, segments
from bot.dev.standins.twilio_voice import TwilioCall, TwilioVoiceStandIn

STATIC: Final = Path(__file__).parent / "static"

_TYPES: Final = {".css": "text/css", ".js": "text/javascript"}
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_WHATSAPP: Final = "whatsapp:"
_CALLS: Final = 6
"""How many calls the page shows, the newest last."""
_KEYS: Final = frozenset("0123456789*#")

T = TypeVar("T")


def routes(twilio: TwilioVoiceStandIn, telegram: TelegramStandIn) -> Sequence[web.AbstractRouteDef]:
    """The page, its files, and what its buttons do."""
    desk = _Phones(twilio, telegram)
    return [
        web.get("/dev/phone", desk.page),
        web.get("/dev/widget", desk.widget),
        web.get("/dev/static/{name}", desk.static),
        web.get("/dev/phone/messages", desk.messages),
        web.post("/dev/phone/text", desk.text),
        web.post("/dev/phone/telegram", desk.telegram),
        web.post("/dev/phone/press", desk.press),
        web.post("/dev/phone/edit", desk.edit),
        web.post("/dev/phone/block", desk.block),
        web.post("/dev/phone/answer", desk.answer),
        web.post("/dev/phone/key", desk.key),
        web.post("/dev/phone/hang-up", desk.hang_up),
    ]


class _Phones:
    def __init__(self, twilio: TwilioVoiceStandIn, telegram: TelegramStandIn) -> None:
        self._twilio = twilio
        self._telegram = telegram
        self._version = 0
        self._answers: dict[str, int] = {}
        twilio.watch = self._count(twilio.watch)
        telegram.watch = self._count(telegram.watch)
        twilio.watch_calls = self._count(twilio.watch_calls)

    def _count(self, before: Callable[[T], None]) -> Callable[[T], None]:
        def watch(message: T) -> None:
            before(message)
            self._version += 1

        return watch

    # --- the page

    async def page(self, request: web.Request) -> web.Response:
        return _html("phone.html")

    async def widget(self, request: web.Request) -> web.Response:
        return _html("widget.html")

    async def static(self, request: web.Request) -> web.Response:
        path = STATIC / request.match_info["name"]
        if path.parent != STATIC or path.suffix not in _TYPES or not path.is_file():
            raise web.HTTPNotFound
        return web.Response(text=path.read_text("utf-8"), content_type=_TYPES[path.suffix], headers=_HEADERS)

    # --- what the phones show

    async def messages(self, request: web.Request) -> web.Response:
        """Both phones' messages, and who else has written; 204 while nothing has changed since `version`."""
        number, chat = request.query.get("number", ""), _chat(request.query.get("chat"))
        version = f"{self._version}.{len(self._answers)}.{len(self._telegram.answered)}"
        if request.query.get("version") == version:
            return web.Response(status=204)
        return web.json_response(
            {
                "version": version,
                "texts": [self._text(each) for each in self._twilio.messages if number in _ends(each)],
                "telegram": [self._bubble(each) for each in self._telegram.messages if each.chat == chat],
                "numbers": sorted({_bare(m.from_) for m in self._twilio.messages if m.direction == "inbound"}),
                "chats": sorted(self._telegram.chats),
                "calls": [self._call(each) for each in self._twilio.calls[-_CALLS:]],
                "optedOut": number in self._twilio.opted_out,
                "blocked": chat in self._telegram.blocked,
                "toast": next(reversed(self._telegram.answered.items()), None),
            },
            headers=_HEADERS,
        )

    def _text(self, message: TwilioMessage) -> Mapping[str, Any]:
        mine = message.direction == "inbound"
        return {
            "id": message.sid,
            "mine": mine,
            "whatsapp": message.to.startswith(_WHATSAPP),
            "text": message.body,
            "at": message.at.isoformat(),
            "segments": segments(message.body),
            "status": message.status,
            "error": message.error_code,
            "answer": self._answers.get(message.sid) if mine else None,
        }

    def _bubble(self, message: TelegramMessage) -> Mapping[str, Any]:
        return {
            "id": message.message_id,
            "mine": not message.by_bot,
            "text": message.text,
            "at": message.at,
            "edited": "edit_date" in message.shape,
            "buttons": [{"label": button.label, "data": button.data} for button in message.buttons],
        }

    def _call(self, call: TwilioCall) -> Mapping[str, Any]:
        return {
            "id": call.sid,
            "to": call.to,
            "status": call.status,
            "said": call.said,
            "pressed": call.pressed,
            "asking": call.asking,
            "at": call.at.isoformat() if call.at else None,
        }

    # --- what is done on them

    async def text(self, request: web.Request) -> web.Response:
        """`{number, text, whatsapp}`: the phone writes."""
        given = await _given(request)
        number, text = str(given.get("number", "")), str(given.get("text", ""))

        async def send() -> int | None:
            answer = await self._twilio.text_in(number, text, whatsapp=bool(given.get("whatsapp")))
            self._answers[answer.sid] = answer.status
            return answer.status

        return await _carried_out(send())

    async def telegram(self, request: web.Request) -> web.Response:
        """`{chat, text}`: a person writes."""
        given = await _given(request)
        return await _carried_out(self._telegram.text_in(_chat(given.get("chat")), str(given.get("text", ""))))

    async def press(self, request: web.Request) -> web.Response:
        """`{chat, data, message}`: a person presses a button."""
        given = await _given(request)
        return await _carried_out(
            self._telegram.press(_chat(given.get("chat")), str(given.get("data", "")), _chat(given.get("message")))
        )

    async def edit(self, request: web.Request) -> web.Response:
        """`{chat, message, text}`: a person changes what they wrote."""
        given = await _given(request)
        return await _carried_out(
            self._telegram.edit(_chat(given.get("chat")), _chat(given.get("message")), str(given.get("text", "")))
        )

    async def block(self, request: web.Request) -> web.Response:
        """`{chat, blocked}`: a person blocks or unblocks the bot."""
        given = await _given(request)
        chat = _chat(given.get("chat"))
        self._version += 1
        return await _carried_out(self._telegram.block(chat) if given.get("blocked") else self._telegram.unblock(chat))

    async def answer(self, request: web.Request) -> web.Response:
        """`{call, machine}`: somebody, or an answering machine, takes a call."""
        given = await _given(request)
        return self._done(lambda: self._twilio.answer(str(given.get("call")), machine=bool(given.get("machine"))))

    async def key(self, request: web.Request) -> web.Response:
        """`{call, key}`: a key is pressed in a call."""
        given = await _given(request)
        key = str(given.get("key", ""))
        if key not in _KEYS:
            raise web.HTTPBadRequest(text="not a key")
        return self._done(lambda: self._twilio.press(str(given.get("call")), key))

    async def hang_up(self, request: web.Request) -> web.Response:
        """`{call}`: the phone is put down, or a call turned away."""
        given = await _given(request)
        try:
            done = await self._twilio.hang_up(str(given.get("call")))
        except KeyError as error:
            raise web.HTTPNotFound from error
        return web.json_response({"done": done}, headers=_HEADERS)

    def _done(self, step: Callable[[], bool]) -> web.Response:
        try:
            return web.json_response({"done": step()}, headers=_HEADERS)
        except KeyError as error:
            raise web.HTTPNotFound from error


async def _given(request: web.Request) -> Mapping[str, Any]:
    # Only our own page can send this type without asking first, so no other site can play on these phones.
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    try:
        given = await request.json()
    except json.JSONDecodeError as error:
        raise web.HTTPBadRequest(text="not JSON") from error
    if not isinstance(given, dict):
        raise web.HTTPBadRequest(text="not an object")
    return given


async def _carried_out(step: Awaitable[int | None]) -> web.Response:
    """What the bot's webhook answered; 0 where it could not be reached."""
    try:
        answer = await step
    except (aiohttp.ClientError, TimeoutError):
        answer = 0
    return web.json_response({"answer": answer}, headers=_HEADERS)


def _chat(value: object) -> int:
    try:
        return int(str(value))
    except ValueError as error:
        raise web.HTTPBadRequest(text="not a number") from error


def _bare(number: str) -> str:
    return number.removeprefix(_WHATSAPP)


def _ends(message: TwilioMessage) -> set[str]:
    return {_bare(message.from_), _bare(message.to)}


def _html(name: str) -> web.Response:
    return web.Response(text=(STATIC / name).read_text("utf-8"), content_type="text/html", headers=_HEADERS)
