"""A stand-in for Telegram's Bot API: one bot, any number of private chats.

Chats are numbers. What a person does in one reaches the bot by webhook once the bot has set one, else it waits for
`getUpdates`; what the bot sends lies in `TelegramStandIn.messages` and can be awaited.
"""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp import web

from bot.dev.standins import Faults, Now, Server, drop_connection
from bot.settings import Settings

_BOT: Final = {"id": 7000000001, "is_bot": True, "first_name": "Doorstep", "username": "doorstep_bot"}


@dataclass(slots=True)
class Button:
    label: str
    data: str


@dataclass(slots=True)
class TelegramMessage:
    """One message in a chat, either way."""

    chat: int
    message_id: int
    text: str
    by_bot: bool
    at: int
    """Seconds since 1970, as Telegram counts."""
    buttons: list[Button] = field(default_factory=list)
    shape: dict[str, Any] = field(default_factory=dict)
    """The message in Telegram's JSON."""


class TelegramStandIn:
    """Telegram for one bot.

    `deliver_to` is where the bot can be reached from here (`http://127.0.0.1:8080`) when that is not its public address.
    """

    def __init__(self, settings: Settings, now: Now, deliver_to: str | None = None) -> None:
        self._token = settings.telegram_token.get_secret_value() if settings.telegram_token else ""
        self._public_url = settings.public_url or ""
        self.deliver_to = deliver_to or self._public_url
        self._now = now
        # From the time, so that a stand-in started again does not give an id for the second time.
        self._update_id = int(now().timestamp() * 1000)
        self._message_id = int(now().timestamp()) % 1_000_000_000
        self._changed = asyncio.Condition()
        self._session: aiohttp.ClientSession | None = None
        self._bringing: asyncio.Task[None] | None = None
        self.messages: list[TelegramMessage] = []
        """Everything said in any chat, oldest first."""
        self.updates: dict[int, dict[str, Any]] = {}
        """Every update there has been, by id."""
        self.waiting: list[dict[str, Any]] = []
        """Updates that the bot has not fetched yet."""
        self.webhook: dict[str, Any] = {}
        """What the bot last said to setWebhook; empty: no webhook."""
        self.answered: dict[str, str] = {}
        """The presses that the bot has answered, with the words it showed."""
        self.blocked: set[int] = set()
        self.chats: set[int] = set()
        """Who has written to the bot: it cannot write to anyone else."""
        self.requests = 0
        """How many sends the bot has tried, refused ones included."""
        self.files: dict[str, bytes] = {}
        """Files that people have sent, by id."""
        self.fetches = 0
        """How often the bot has asked for updates."""
        self.faults = Faults()
        """What befalls the next sends."""
        self.faults_elsewhere = Faults()
        """What befalls the next calls of all other methods."""
        self.watch: Callable[[TelegramMessage], None] = lambda message: None
        """Called with every message and whenever one changes: a simulator redraws then."""
        self._pressed: set[str] = set()
        self._methods: dict[str, Callable[[web.Request, dict[str, Any]], Awaitable[web.Response]]] = {
            "getme": self._get_me,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "getupdates": self._get_updates,
            "getfile": self._get_file,
            "sendmessage": self._send_message,
            "sendchataction": self._send_chat_action,
            "answercallbackquery": self._answer_callback_query,
            "editmessagereplymarkup": self._edit_message_reply_markup,
        }
        self.server = Server(self.application())

    # --- life

    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.route("*", "/bot{token}/{method}", self._call),
                web.get("/file/bot{token}/{path:.+}", self._file),
            ]
        )
        return application

    async def start(self, port: int = 0) -> str:
        """Listen on loopback and return the address for DOORSTEP_TELEGRAM_API_URL."""
        return await self.server.start(port=port)

    async def close(self) -> None:
        self.faults.release()
        if self._bringing is not None:
            self._bringing.cancel()
            await asyncio.gather(self._bringing, return_exceptions=True)
        await self.server.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- what a person does; each returns the HTTP status of the bot's webhook, or None without a webhook

    async def text_in(self, chat: int, text: str, *, name: str = "Test Person") -> int | None:
        """A person writes `text`."""
        return await self.says(chat, {"text": text}, name=name)

    async def says(self, chat: int, content: Mapping[str, Any], *, name: str = "Test Person") -> int | None:
        """A person sends something, in Telegram's JSON: `{"sticker": {…}}`, `{"photo": […], "caption": …}`."""
        self.chats.add(chat)
        message = await self._keep(chat, str(content.get("text") or content.get("caption") or ""), by_bot=False)
        message.shape = self._base(message, self._person(chat, name)) | dict(content)
        return await self.deliver({"message": message.shape})

    async def photo_in(self, chat: int, content: bytes, *, caption: str = "") -> int | None:
        """A person sends a photo; Telegram offers it in two sizes, of which this keeps the larger."""
        name = f"photo-{len(self.files) + 1}"
        self.files[name] = content
        sizes = [
            {"file_id": f"{name}-small", "file_unique_id": f"{name}s", "width": 90, "height": 67, "file_size": 99},
            {"file_id": name, "file_unique_id": name, "width": 1280, "height": 960, "file_size": len(content)},
        ]
        return await self.says(chat, {"photo": sizes} | ({"caption": caption} if caption else {}))

    async def voice_in(self, chat: int, content: bytes) -> int | None:
        """A person sends a voice note."""
        name = f"voice-{len(self.files) + 1}"
        self.files[name] = content
        note = {
            "file_id": name,
            "file_unique_id": name,
            "duration": 3,
            "mime_type": "audio/ogg",
            "file_size": len(content),
        }
        return await self.says(chat, {"voice": note})

    async def edit(self, chat: int, message_id: int, text: str) -> int | None:
        """A person changes what they wrote."""
        message = self._message(chat, message_id)
        message.text = text
        message.shape = message.shape | {"text": text, "edit_date": int(self._now().timestamp())}
        self.watch(message)
        return await self.deliver({"edited_message": message.shape})

    async def press(self, chat: int, data: str, message_id: int | None = None) -> int | None:
        """A person presses the button that carries `data`, on the newest message that has it unless told otherwise."""
        pressed = [
            message
            for message in self.messages
            if message.chat == chat and message_id in {None, message.message_id} and message.by_bot
        ]
        on = next(
            (m for m in reversed(pressed) if any(b.data == data for b in m.buttons)), pressed[-1] if pressed else None
        )
        query_id = str(self._update_id + 1) + "01"
        self._pressed.add(query_id)
        query = {"id": query_id, "from": self._person(chat), "chat_instance": str(chat), "data": data}
        if on is not None:
            query["message"] = on.shape
        return await self.deliver({"callback_query": query})

    async def block(self, chat: int) -> int | None:
        """A person blocks the bot."""
        self.blocked.add(chat)
        return await self._membership(chat, "member", "kicked")

    async def unblock(self, chat: int) -> int | None:
        self.blocked.discard(chat)
        return await self._membership(chat, "kicked", "member")

    async def deliver(self, update: Mapping[str, Any]) -> int | None:
        """Hand any update to the bot, as Telegram would."""
        self._update_id += 1
        self.updates[self._update_id] = {"update_id": self._update_id, **update}
        return await self.again(self._update_id)

    async def again(self, update_id: int | None = None) -> int | None:
        """Deliver an update (the newest) once more: Telegram does so until it is answered with 200."""
        update = self.updates[update_id or self._update_id]
        if self.webhook:
            return await self.call(json.dumps(update).encode())
        async with self._changed:
            self.waiting.append(update)
            self._changed.notify_all()
        return None

    async def call(self, body: bytes, *, secret: str | None = None) -> int:
        """Call the bot's webhook, with the bot's secret unless `secret` says otherwise ("" leaves it out)."""
        given = self.webhook.get("secret_token", "") if secret is None else secret
        headers = {"Content-Type": "application/json"}
        if given:
            headers["X-Telegram-Bot-Api-Secret-Token"] = given
        address = self.deliver_to + str(self.webhook["url"]).removeprefix(self._public_url)
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        async with self._session.post(address, data=io.BytesIO(body), headers=headers) as response:
            await response.read()
            return response.status

    # --- what a test asks

    def sent_to(self, chat: int) -> list[TelegramMessage]:
        """What the bot has sent to a chat, oldest first."""
        return [message for message in self.messages if message.chat == chat and message.by_bot]

    async def until_sent_to(self, chat: int, count: int = 1, within: float = 10.0) -> list[TelegramMessage]:
        """Wait until the bot has sent `count` messages to a chat, and return them all; raises TimeoutError."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: len(self.sent_to(chat)) >= count)
        return self.sent_to(chat)

    async def until_webhook(self, within: float = 10.0) -> None:
        """Return once the bot has said where it can be called."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: bool(self.webhook))

    async def until_fetched(self, within: float = 10.0) -> None:
        """Wait until the bot has fetched and confirmed every waiting update; raises TimeoutError."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: not self.waiting)

    async def until_asked(self, within: float = 10.0) -> None:
        """Wait until the bot next asks for updates; raises TimeoutError."""
        async with asyncio.timeout(within), self._changed:
            before = self.fetches
            await self._changed.wait_for(lambda: self.fetches > before)

    # --- the Bot API

    async def _call(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != self._token:
            return _no(401, "Unauthorized")
        method = self._methods.get(request.match_info["method"].casefold())
        if method is None:
            return _no(404, "Not Found")
        given = await _parameters(request)
        if method != self._send_message and (fault := self.faults_elsewhere.take()) is not None:
            return drop_connection(request) if fault.status is None else _no(fault.status, "Error", fault.retry_after)
        return await method(request, given)

    async def _get_me(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        return _yes(_BOT | {"can_join_groups": False, "can_read_all_group_messages": False})

    async def _set_webhook(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        self.webhook = given if given.get("url") else {}
        async with self._changed:
            self._changed.notify_all()
        if self.webhook and self.waiting:
            self._bringing = asyncio.create_task(self._bring_waiting())
        return _yes(True)

    async def _bring_waiting(self) -> None:
        """What came while there was no webhook is brought once there is one, as Telegram does."""
        waiting, self.waiting = self.waiting, []
        for update in waiting:
            await self.call(json.dumps(update).encode())

    async def _delete_webhook(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        self.webhook = {}
        return _yes(True)

    async def _get_webhook_info(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        return _yes(
            {
                "url": self.webhook.get("url", ""),
                "has_custom_certificate": False,
                "pending_update_count": len(self.waiting),
            }
        )

    async def _get_updates(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        if self.webhook:
            return _no(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first")
        async with self._changed:
            self.fetches += 1
            offset = int(given.get("offset", 0))
            self.waiting = [update for update in self.waiting if update["update_id"] >= offset]
            self._changed.notify_all()
            try:
                async with asyncio.timeout(min(float(given.get("timeout", 0)), 50)):
                    await self._changed.wait_for(lambda: bool(self.waiting))
            except TimeoutError:
                pass
            return _yes(self.waiting[:100])

    async def _get_file(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        name = str(given.get("file_id"))
        if name not in self.files:
            return _no(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        size = len(self.files[name])
        if size > 20 * 1024 * 1024:
            return _no(400, "Bad Request: file is too big")
        return _yes({"file_id": name, "file_unique_id": name, "file_size": size, "file_path": f"photos/{name}.jpg"})

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info["path"].removeprefix("photos/").removesuffix(".jpg")
        if request.match_info["token"] != self._token or name not in self.files:
            return _no(404, "Not Found")
        return web.Response(body=self.files[name], content_type="image/jpeg")

    async def _send_message(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        self.requests += 1
        fault = self.faults.take()
        if fault is not None and fault.status is not None:
            return _no(fault.status, f"Error {fault.status}", fault.retry_after)
        chat, text = _integer(given.get("chat_id")), str(given.get("text", ""))
        buttons = _buttons(given.get("reply_markup"))
        if (refusal := self._objection(chat, text, buttons)) is not None:
            return refusal
        assert chat is not None
        message = TelegramMessage(chat, 0, text, by_bot=True, at=0, buttons=buttons)
        if fault is None or fault.accepted:
            message = await self._keep(chat, text, by_bot=True, buttons=buttons)
            message.shape = self._base(message, _BOT) | {"text": text} | self._markup(message)
        if fault is not None:
            if fault.held:
                await self.faults.hold()
            return drop_connection(request)
        return _yes(message.shape)

    def _objection(self, chat: int | None, text: str, buttons: list[Button]) -> web.Response | None:
        if chat is None or chat not in self.chats:
            return _no(400, "Bad Request: chat not found")
        if chat in self.blocked:
            return _no(403, "Forbidden: bot was blocked by the user")
        if not text.strip():
            return _no(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            return _no(400, "Bad Request: message is too long")
        if any(not 1 <= len(button.data.encode()) <= 64 for button in buttons):
            return _no(400, "Bad Request: BUTTON_DATA_INVALID")
        return None

    async def _send_chat_action(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        return _yes(True)

    async def _answer_callback_query(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        query_id = str(given.get("callback_query_id"))
        if query_id not in self._pressed:
            return _no(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self._pressed.discard(query_id)
        self.answered[query_id] = str(given.get("text", ""))
        return _yes(True)

    async def _edit_message_reply_markup(self, request: web.Request, given: dict[str, Any]) -> web.Response:
        try:
            message = self._message(int(given["chat_id"]), int(given["message_id"]))
        except (KeyError, ValueError):
            return _no(400, "Bad Request: message to edit not found")
        buttons = _buttons(given.get("reply_markup"))
        if buttons == message.buttons:
            return _no(400, "Bad Request: message is not modified")
        message.buttons = buttons
        message.shape = {name: value for name, value in message.shape.items() if name != "reply_markup"}
        message.shape |= self._markup(message) | {"edit_date": int(self._now().timestamp())}
        self.watch(message)
        return _yes(message.shape)

    # --- inside

    async def _keep(
        self, chat: int, text: str, *, by_bot: bool, buttons: list[Button] | None = None
    ) -> TelegramMessage:
        self._message_id += 1
        message = TelegramMessage(chat, self._message_id, text, by_bot, int(self._now().timestamp()), buttons or [])
        async with self._changed:
            self.messages.append(message)
            self._changed.notify_all()
        self.watch(message)
        return message

    def _message(self, chat: int, message_id: int) -> TelegramMessage:
        for message in self.messages:
            if (message.chat, message.message_id) == (chat, message_id):
                return message
        raise KeyError((chat, message_id))

    async def _membership(self, chat: int, before: str, after: str) -> int | None:
        def member(status: str) -> dict[str, Any]:
            return {"user": _BOT, "status": status} | ({"until_date": 0} if status == "kicked" else {})

        return await self.deliver(
            {
                "my_chat_member": {
                    "chat": {"id": chat, "type": "private", "first_name": "Test"},
                    "from": self._person(chat),
                    "date": int(self._now().timestamp()),
                    "old_chat_member": member(before),
                    "new_chat_member": member(after),
                }
            }
        )

    def _person(self, chat: int, name: str = "Test Person") -> dict[str, Any]:
        first, _, last = name.partition(" ")
        return {"id": chat, "is_bot": False, "first_name": first, "language_code": "en"} | (
            {"last_name": last} if last else {}
        )

    def _base(self, message: TelegramMessage, sender: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "message_id": message.message_id,
            "from": dict(sender),
            "chat": {"id": message.chat, "type": "private", "first_name": "Test"},
            "date": message.at,
        }

    def _markup(self, message: TelegramMessage) -> dict[str, Any]:
        rows = [[{"text": button.label, "callback_data": button.data}] for button in message.buttons]
        return {"reply_markup": {"inline_keyboard": rows}} if rows else {}


async def _parameters(request: web.Request) -> dict[str, Any]:
    """The parameters of a call: from the address, from a form or from JSON, as Telegram takes them."""
    if request.content_type == "application/json":
        return dict(request.query) | dict(await request.json())
    return dict(request.query) | {name: str(value) for name, value in (await request.post()).items()}


def _buttons(markup: Any) -> list[Button]:
    shape = json.loads(markup) if isinstance(markup, str) and markup else markup or {}
    return [
        Button(button["text"], button.get("callback_data", ""))
        for row in shape.get("inline_keyboard", [])
        for button in row
    ]


def _integer(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _yes(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _no(status: int, description: str, retry_after: int | None = None) -> web.Response:
    answer: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    if status == 429:
        answer["description"] = f"Too Many Requests: retry after {retry_after or 1}"
        answer["parameters"] = {"retry_after": retry_after or 1}
    return web.json_response(answer, status=status)
