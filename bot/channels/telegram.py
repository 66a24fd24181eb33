"""Telegram, through python-telegram-bot.

Arrival: by webhook where Doorstep has a public address (Telegram repeats our secret with each call), by long polling
where it has none. The two are alternatives at Telegram too: setting one ends the other. Only private chats are served;
what is said in a group is not addressed to a landlord and is not kept.

Buttons carry the choice's value when it fits Telegram's 64 bytes, else only its place; a press of the latter arrives as
the button's label, as if it had been typed. Once a press is stored its buttons are taken away. A press on an older message
still arrives, with the value it had then.

Departure: Telegram cannot be asked whether it has a message. What this process knows to have gone out of a message in
several parts is not sent again when the message is tried again.
"""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from aiohttp import web
from telegram import (
    Bot,
    CallbackQuery,
    ChatMemberUpdated,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    Message,
    Update,
)
from telegram.constants import ChatMemberStatus, ChatType
from telegram.error import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
)
from telegram.request import BaseRequest, RequestData

from bot.channels import (
    LARGEST_FILE,
    Blocked,
    CannotTell,
    ChannelError,
    PermanentFailure,
    Receive,
    Report,
    TemporaryFailure,
    UnknownOutcome,
    on_disk,
)
from bot.channels.splitting import split, utf16_length
from bot.channels.wire import Wire
from bot.messages import Attachment, ChannelName, Choice, Content, Inbound, Keyword, Outbound
from bot.settings import Settings, SettingsError
from bot.wallclock import WallClock

log = logging.getLogger(__name__)

MAX_LENGTH: Final = 4096
"""Counted in UTF-16 units."""

ALLOWED_UPDATES: Final = ("message", "edited_message", "callback_query", "my_chat_member")

COMMANDS: Final[Mapping[str, Keyword]] = {"/start": Keyword.START, "/stop": Keyword.STOP, "/help": Keyword.HELP}
"""A bare word has no such meaning here: people leave a Telegram bot by blocking it."""

_API: Final = "https://api.telegram.org"
_DATA_BYTES: Final = 64
_BY_PLACE: Final = "#"
_POLL_SECONDS: Final = 25
_COURTESY_SECONDS: Final = 3
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 60.0
_REMEMBERED: Final = 1000
_MALFORMED: Final = (TypeError, ValueError, KeyError, AttributeError, OverflowError, OSError)
"""What the library raises when an update is not of the shape it knows."""


class Unreadable(ValueError):
    """Not an update: no JSON object, or none with an `update_id`."""


# --- reading an update ----------------------------------------------------------------------------------------------


def parse(raw: Any) -> Inbound | None:
    """What a tenant did, from one update; None if it is none of our business. Raises Unreadable.

    An update that nothing here understands, but that comes from a person in a private chat, is UNSUPPORTED.
    """
    if not isinstance(raw, dict) or type(raw.get("update_id")) is not int:
        raise Unreadable("not an update")
    try:
        update = Update.de_json(raw)
        if update.callback_query is not None:
            return _press(update.update_id, update.callback_query)
        if update.message is not None:
            return _message(update.update_id, update.message, edited=False)
        if update.edited_message is not None:
            return _message(update.update_id, update.edited_message, edited=True)
        if update.my_chat_member is not None:
            return _membership(update.update_id, update.my_chat_member)
    except _MALFORMED:
        pass
    return _strange(raw)


def _message(update_id: int, message: Message, *, edited: bool) -> Inbound | None:
    # A live location is "edited" every few seconds for hours.
    if message.chat.type != ChatType.PRIVATE or (edited and message.location is not None):
        return None
    text = message.text or message.caption or ""
    attachments = _attachments(message)
    keyword = None
    if attachments:
        content = Content.MEDIA
    elif message.text:
        content = Content.TEXT
        keyword = COMMANDS.get(message.text.split()[0].partition("@")[0].casefold()) if message.text.strip() else None
    else:
        content = Content.UNSUPPORTED
        # Whatever words there are: triage reads them.
        if message.poll is not None:
            text = message.poll.question
        elif message.sticker is not None:
            text = message.sticker.emoji or ""
    return Inbound(
        channel=ChannelName.TELEGRAM,
        address=str(message.chat.id),
        provider_id=str(update_id),
        text=text,
        content=content,
        attachments=attachments,
        name=message.from_user.full_name if message.from_user is not None else None,
        edits=_message_name(message.chat.id, message.message_id) if edited else None,
        keyword=None if edited else keyword,
    )


def _attachments(message: Message) -> tuple[Attachment, ...]:
    if message.photo:
        largest = max(message.photo, key=lambda size: size.width * size.height)
        return (Attachment(largest.file_id, "image/jpeg", largest.file_size),)
    # An animation is announced as a document as well: first come, only served.
    for file, usual in (
        (message.animation, "video/mp4"),
        (message.document, "application/octet-stream"),
        (message.voice, "audio/ogg"),
        (message.audio, "audio/mpeg"),
        (message.video, "video/mp4"),
        (message.video_note, "video/mp4"),
    ):
        if file is not None:
            return (Attachment(file.file_id, getattr(file, "mime_type", None) or usual, file.file_size),)
    if message.location is not None:
        return (Attachment(f"geo:{message.location.latitude},{message.location.longitude}", "application/geo"),)
    if message.contact is not None:
        return (Attachment(f"tel:{message.contact.phone_number}", "text/vcard"),)
    return ()


def _press(update_id: int, query: CallbackQuery) -> Inbound | None:
    chat = query.message.chat if query.message is not None else None
    if chat is not None and chat.type != ChatType.PRIVATE:
        return None
    data = query.data or ""
    label = _label(query, data)
    by_value = bool(data) and not data.startswith(_BY_PLACE)
    return Inbound(
        channel=ChannelName.TELEGRAM,
        address=str(chat.id if chat is not None else query.from_user.id),
        provider_id=str(update_id),
        text=label or (data if by_value else ""),
        content=Content.CHOICE if by_value else Content.TEXT if label else Content.UNSUPPORTED,
        choice=data if by_value else None,
        name=query.from_user.full_name,
    )


def _label(query: CallbackQuery, data: str) -> str:
    """What the pressed button says. A message that has grown too old comes without its buttons."""
    markup = query.message.reply_markup if isinstance(query.message, Message) else None
    for row in markup.inline_keyboard if markup is not None else ():
        for button in row:
            if button.callback_data == data:
                return button.text
    return ""


def _membership(update_id: int, change: ChatMemberUpdated) -> Inbound | None:
    keyword = {ChatMemberStatus.BANNED: Keyword.STOP, ChatMemberStatus.MEMBER: Keyword.START}.get(
        ChatMemberStatus(change.new_chat_member.status)
    )
    if change.chat.type != ChatType.PRIVATE or keyword is None:
        return None
    return Inbound(
        channel=ChannelName.TELEGRAM,
        address=str(change.chat.id),
        provider_id=str(update_id),
        text="",
        name=change.from_user.full_name,
        keyword=keyword,
    )


def _strange(raw: Mapping[str, Any]) -> Inbound | None:
    """An update of a kind or shape we do not know: kept if it tells who sent it, in private."""
    for body in raw.values():
        if not isinstance(body, dict):
            continue
        chat, sender = body.get("chat"), body.get("from") or body.get("user")
        if isinstance(chat, dict) and chat.get("type") != ChatType.PRIVATE:
            return None
        source = chat if isinstance(chat, dict) else sender
        if isinstance(source, dict) and type(source.get("id")) is int:
            text = body.get("text")
            return Inbound(
                channel=ChannelName.TELEGRAM,
                address=str(source["id"]),
                provider_id=str(raw["update_id"]),
                text=text if isinstance(text, str) else "",
                content=Content.UNSUPPORTED,
            )
    return None


def _message_name(chat: int | str, message_id: int) -> str:
    """Telegram counts messages within a chat, so a message's id is only good together with the chat's."""
    return f"{chat}/{message_id}"


# --- the channel ----------------------------------------------------------------------------------------------------


class TelegramChannel:
    """One Telegram bot. `timeout` is how long Telegram may take to answer a send, in seconds."""

    name = ChannelName.TELEGRAM
    max_length = MAX_LENGTH

    def __init__(
        self, settings: Settings, wall_clock: WallClock, receive: Receive, report: Report, *, timeout: float = 10.0
    ) -> None:
        """Raises SettingsError without a token, and without a secret where messages are to come by webhook."""
        if settings.telegram_token is None:
            raise SettingsError("Telegram cannot be used without DOORSTEP_TELEGRAM_TOKEN")
        if settings.public_url is not None and settings.telegram_secret is None:
            raise SettingsError("Telegram's webhook cannot be used without DOORSTEP_TELEGRAM_SECRET")
        self._token = settings.telegram_token.get_secret_value()
        self._secret = settings.telegram_secret.get_secret_value() if settings.telegram_secret else ""
        self._public_url = settings.public_url
        self._api_url = settings.telegram_api_url or _API
        self._wall_clock = wall_clock
        self._receive = receive
        self._report = report
        self._wire = Wire("Telegram", timeout)
        self._client: Bot | None = None
        self._parts_out: dict[str, int] = {}
        self._offset: int | None = None
        self._idle = False
        # The library logs its token, and every word it sends, at debug level.
        logging.getLogger("telegram.Bot").addFilter(_not_for_the_log)

    @property
    def polls(self) -> bool:
        """Messages have to be fetched with `run`, because Telegram cannot call us."""
        return self._public_url is None

    async def start(self) -> None:
        """Tell Telegram where to call us, if we can be called. Raises ChannelError."""
        if self._public_url is None:
            return
        try:
            await self._bot.set_webhook(
                f"{self._public_url}/channels/telegram",
                secret_token=self._secret,
                allowed_updates=ALLOWED_UPDATES,
                drop_pending_updates=False,
            )
        except TelegramError as error:
            raise _failure(error) from None

    async def fetch(self, attachment: Attachment) -> bytes:
        """See `FileKeeper`. Telegram keeps a file about as long as the chat."""
        if attachment.handle.startswith(("geo:", "tel:")):
            raise PermanentFailure("not a file")
        try:
            file = await self._bot.get_file(attachment.handle)
        except TelegramError as error:
            raise _failure(error) from None
        answer = await self._wire.call("GET", file.file_path or "", largest=LARGEST_FILE)
        if answer.status != 200:
            raise PermanentFailure(f"Telegram answered {answer.status}", code=str(answer.status))
        return answer.body

    async def close(self) -> None:
        await self._wire.close()

    # --- arrival

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [] if self._public_url is None else [web.post("/channels/telegram", self._arrive)]

    async def _arrive(self, request: web.Request) -> web.Response:
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not self._secret or not hmac.compare_digest(given.encode(), self._secret.encode()):
            log.warning("call_refused", extra={"path": request.path})
            raise web.HTTPForbidden(text="not from Telegram")
        try:
            raw = json.loads(await request.read())
            inbound = parse(raw)
        except (ValueError, RecursionError) as error:
            raise web.HTTPBadRequest(text="not an update") from error
        await self._store(raw, inbound)
        return web.Response()

    async def run(self, stop: asyncio.Event) -> None:
        """See to it that messages arrive, until `stop` is set; out of reach, Telegram is tried again and again.

        With a public address that is done once Telegram knows it. Without one, messages are fetched: Telegram is told
        that it may forget an update only after `receive` has stored it, so one that could not be stored comes again.
        """
        if self.polls:
            await self._persist(stop, self._no_webhook)
            while not stop.is_set():
                await self._persist(stop, self._fetch)
                # A server that does not wait for something to happen, as Telegram does, is not to be asked without pause.
                await _wait(stop, _FIRST_PAUSE if self._idle else 0)
        else:
            await self._persist(stop, self.start)

    async def _persist(self, stop: asyncio.Event, step: Callable[[], Awaitable[None]]) -> None:
        """Do `step` until it succeeds, can never succeed, or `stop` is set."""
        pause = _FIRST_PAUSE
        while not stop.is_set():
            try:
                await _unless(stop, step())
                return
            except PermanentFailure:
                log.error("telegram_refuses_us", extra={"step": step.__name__})
                return
            except (ChannelError, web.HTTPServiceUnavailable) as error:
                wait = error.retry_after if isinstance(error, TemporaryFailure) and error.retry_after else pause
                log.warning("telegram_tried_again", extra={"error": str(error), "step": step.__name__, "wait": wait})
            await _wait(stop, wait)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _no_webhook(self) -> None:
        try:
            await self._bot.delete_webhook(drop_pending_updates=False)
        except TelegramError as error:
            raise _failure(error) from None

    async def _fetch(self) -> None:
        updates = await self._updates()
        self._idle = not updates
        for raw in updates:
            await self._store(raw, parse(raw))
            self._offset = raw["update_id"] + 1

    async def _updates(self) -> list[dict[str, Any]]:
        """What has come since the last look; waits for it. As it came, without the library: an update that the library
        cannot read must not hide the others."""
        parameters: dict[str, Any] = {"timeout": _POLL_SECONDS, "allowed_updates": json.dumps(ALLOWED_UPDATES)}
        if self._offset is not None:
            parameters["offset"] = self._offset
        answer = await self._wire.call(
            "POST", f"{self._api_url}/bot{self._token}/getUpdates", data=parameters, patience=_POLL_SECONDS
        )
        if answer.status != 200:
            raise TemporaryFailure(f"Telegram answered {answer.status}", code=str(answer.status))
        try:
            updates = json.loads(answer.body)["result"]
            return [update for update in updates if type(update["update_id"]) is int]
        except (ValueError, KeyError, TypeError) as error:
            raise TemporaryFailure("Telegram's updates could not be read") from error

    async def _store(self, raw: Mapping[str, Any], inbound: Inbound | None) -> None:
        if inbound is None:
            log.info("update_passed_over", extra={"update_id": raw.get("update_id")})
        else:
            await on_disk(self._receive(inbound))
        query = raw.get("callback_query")
        if isinstance(query, dict):
            await self._acknowledge(query)

    async def _acknowledge(self, query: Mapping[str, Any]) -> None:
        """Stop the pressed button's spinner and take the buttons away; if that fails, nothing is lost by it."""
        with suppress(TelegramError, TimeoutError, *_MALFORMED):
            async with asyncio.timeout(_COURTESY_SECONDS):
                await self._bot.answer_callback_query(str(query["id"]))
                if query["message"].get("reply_markup"):
                    await self._bot.edit_message_reply_markup(
                        query["message"]["chat"]["id"], query["message"]["message_id"]
                    )

    # --- departure

    async def send(self, message: Outbound) -> str:
        parts = split(message.text, self.max_length, utf16_length)
        if not parts:
            raise PermanentFailure("there is nothing to send")
        done = min(self._parts_out.pop(message.id, 0), len(parts) - 1)
        provider_id = ""
        for number, part in enumerate(parts[done:], start=done + 1):
            try:
                provider_id = await self._send_part(
                    message.address, part, message.choices if number == len(parts) else ()
                )
            except ChannelError:
                self._remember(message.id, number - 1)
                raise
        return provider_id

    async def find_sent(self, message: Outbound) -> str | None:
        raise CannotTell("Telegram has no way to ask for what a bot has sent")

    async def _send_part(self, address: str, text: str, choices: Sequence[Choice]) -> str:
        try:
            sent = await self._bot.send_message(
                address,
                text,
                reply_markup=_keyboard(choices),
                # A preview would fetch the one-time links that we send.
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
        except TelegramError as error:
            raise _failure(error) from None
        except _MALFORMED as error:
            raise UnknownOutcome("Telegram's answer could not be read") from error
        return _message_name(sent.chat.id, sent.message_id)

    def _remember(self, message_id: str, parts_out: int) -> None:
        if parts_out:
            self._parts_out[message_id] = parts_out
        while len(self._parts_out) > _REMEMBERED:
            del self._parts_out[next(iter(self._parts_out))]

    @property
    def _bot(self) -> Bot:
        if self._client is None:
            transport = _Transport(self._wire)
            self._client = Bot(
                self._token,
                base_url=f"{self._api_url}/bot",
                base_file_url=f"{self._api_url}/file/bot",
                request=transport,
                get_updates_request=transport,
            )
        return self._client


def _keyboard(choices: Sequence[Choice]) -> InlineKeyboardMarkup | None:
    if not choices:
        return None
    return InlineKeyboardMarkup(
        [
            [InlineKeyboardButton(choice.label, callback_data=_button_data(choice.value, place))]
            for place, choice in enumerate(choices, start=1)
        ]
    )


def _button_data(value: str, place: int) -> str:
    if value and len(value.encode()) <= _DATA_BYTES and not value.startswith(_BY_PLACE):
        return value
    return f"{_BY_PLACE}{place}"


def _failure(error: TelegramError) -> ChannelError:
    """The one table from Telegram's errors to ours. Telegram's own words stay out: they can hold names."""
    match error:
        case NetworkError(__cause__=ChannelError() as cause):
            return cause
        case Forbidden():
            return Blocked("Telegram answered 403", code="403")
        case InvalidToken():
            # Ours to put right: the message is kept and goes out once somebody has.
            return TemporaryFailure("Telegram does not accept our token", code="401")
        case Conflict():
            return TemporaryFailure("another program uses the same Telegram bot", code="409")
        case BadRequest():
            return PermanentFailure("Telegram answered 400", code="400")
        case _:
            return UnknownOutcome(f"Telegram's answer could not be understood ({type(error).__name__})")


def _not_for_the_log(record: logging.LogRecord) -> bool:
    return record.levelno > logging.INFO


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Await `work`; if `stop` is set first, cancel it."""
    working, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, stopped):
            task.cancel()
        await asyncio.gather(working, stopped, return_exceptions=True)


# --- the way to Telegram --------------------------------------------------------------------------------------------


class _Transport(BaseRequest):
    """How the library reaches Telegram. What the wire raises arrives at the caller as the cause of a NetworkError."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @property
    def read_timeout(self) -> float | None:
        return None

    async def initialize(self) -> None:
        """Nothing to do: the wire opens itself."""

    async def shutdown(self) -> None:
        """The wire belongs to the channel."""

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        parameters = request_data.json_parameters if request_data is not None else {}
        answer = await self._wire.call("POST", url, data=parameters)
        return answer.status, answer.body

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As the library's, which would log what it cannot read."""
        try:
            answer: dict[str, Any] = json.loads(payload)
        except ValueError as error:
            raise TelegramError("the answer could not be read") from error
        return answer
