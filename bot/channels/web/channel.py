"""The web chat as a channel: sockets in, sockets out."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import urlsplit

from aiohttp import WSCloseCode, WSMsgType, web

from bot.channels.web import frames
from bot.channels.web.frames import BadFrame, Hello, Press, Say, Seen, Typing, WebMessage
from bot.channels.web.page import Pages, PhoneNumbers, Words, load_words, spoken
from bot.channels.web.tokens import Session, Signer
from bot.messages import ChannelName, Content, Inbound, Outbound
from bot.settings import Settings
from bot.wallclock import WallClock

ReceiveWeb = Callable[[Inbound], Awaitable[int]]
"""Stores the message and decides the answer; when it returns, both are on disk. Returns the `seq` that the message has in
its session; for a `provider_id` that is already stored, the seq it was given then. Raises if nothing was stored."""

History = Callable[[str, int], Awaitable[Sequence[WebMessage]]]
"""`history(session_id, after)`: every message of the session with a larger `seq`, both directions, in order, as far as
the tenant may see it. Empty for a session that never wrote. `seq` never goes back within a session, also where the
session goes on in a new conversation."""

Acknowledge = Callable[[str, int], Awaitable[None]]
"""`acknowledge(session_id, seq)`: the tenant has seen everything up to `seq`. When it returns, that is on disk."""

HEARTBEAT: Final = 25.0
"""Seconds between pings: under the idle limit of every common proxy (30 s and up)."""

GREETING_TIME: Final = 15.0
"""Seconds a new socket has to say hello."""

GOODBYE_TIME: Final = 2.0
"""Seconds a client has to answer when we close: a phone that has gone must not hold up a restart."""

_LARGEST_FRAME: Final = 256 * 1024
_BAD_FRAMES: Final = 25
_TYPING_EVERY: Final = 2.0

T = TypeVar("T")

log = logging.getLogger(__name__)


class StoreFailed(Exception):
    """The store could not do its part. The socket is closed; its page comes back and sends again what was not accepted."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast one session may write: `burst` messages at once, then `per_second`. Urgent texts are never held up."""

    burst: int = 60
    per_second: float = 1.0
    sockets: int = 12
    """Open sockets of one session: tabs and devices."""


@dataclass(slots=True)
class _Allowance:
    """A token bucket. Kept after the socket has gone, or reconnecting would refill it."""

    left: float
    at: float

    def take(self, limits: Limits, now: float) -> bool:
        self.left = min(float(limits.burst), self.left + (now - self.at) * limits.per_second)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True, eq=False)
class _Socket:
    """One open tab, and how far its client has come."""

    connection: web.WebSocketResponse
    session: Session
    sent: int
    """Everything up to this seq is at the client, written to it or written by it."""
    waiting: dict[int, WebMessage] = field(default_factory=dict)
    behind: bool = False
    """There may be rows that nobody handed us: ask the history."""
    seen: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a message is being received, so that its `accepted` comes before the answers to it."""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, message: WebMessage) -> None:
        self.waiting[message.seq] = message
        self.news.set()

    def fall_behind(self) -> None:
        self.behind = True
        self.news.set()

    def next_ready(self) -> WebMessage | None:
        """The next message in order, if it is at hand without asking the history."""
        for seq in [seq for seq in self.waiting if seq <= self.sent]:
            del self.waiting[seq]
        return self.waiting.pop(self.sent + 1, None)

    async def write(self, message: WebMessage) -> None:
        if message.seq > self.sent:
            await self.connection.send_str(frames.message_frame(message))
            self.sent = message.seq


@dataclass(slots=True, eq=False)
class _Room:
    """The open sockets of one session in this process."""

    sockets: list[_Socket] = field(default_factory=list)
    one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)


class WebChannel:
    """The web chat. The store's side of it is the callables; see their types above.

    - `open_now()`: whether the office is open at this moment.
    - `numbers()`: whom to ring at this hour, `(label, number)`, the most urgent first. They stand on the page also where
      there is no connection, and in every error that stops a tenant from writing.
    - `urgent(text)`: whether a text may speak of danger; such a text passes every limit.
    - `frame_ancestors`: which sites may embed the page, as CSP sources. `allowed_origins`: which other origins
      (`https://host`) may open the socket; our own always may, and so may programs, which send no `Origin`.
    - `typing(session_id)`: the tenant is typing; told at most every two seconds to whom it may concern.
    """

    name = ChannelName.WEB
    max_length = 20_000

    def __init__(
        self,
        settings: Settings,
        wall_clock: WallClock,
        *,
        receive: ReceiveWeb,
        history: History,
        acknowledge: Acknowledge,
        open_now: Callable[[], bool],
        service_name: str,
        numbers: PhoneNumbers,
        urgent: Callable[[str], bool],
        privacy_url: str | None = None,
        frame_ancestors: Sequence[str] = ("'self'",),
        allowed_origins: Sequence[str] = (),
        typing: Callable[[str], Awaitable[None]] | None = None,
        limits: Limits = Limits(),
        words: Words | None = None,
    ) -> None:
        # Settings allow no secret in development only; then sessions end with the process.
        secret = settings.secret_key.get_secret_value() if settings.secret_key else wall_clock.token(32)
        self._signer = Signer(secret)
        self._wall_clock = wall_clock
        self._receive = receive
        self._history = history
        self._acknowledge = acknowledge
        self._open_now = open_now
        self._service_name = service_name
        self._numbers = numbers
        self._urgent = urgent
        self._typing = typing
        self._limits = limits
        self._words = words or load_words()
        self._pages = Pages(
            self._words,
            service_name=service_name,
            numbers=numbers,
            privacy_url=privacy_url,
            frame_ancestors=frame_ancestors,
            public_url=settings.public_url,
        )
        self._hosts = {urlsplit(settings.public_url).netloc} if settings.public_url else set()
        self._origins = {origin.rstrip("/").lower() for origin in allowed_origins}
        self._rooms: dict[str, _Room] = {}
        self._allowances: dict[str, _Allowance] = {}
        self._open: set[web.WebSocketResponse] = set()

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [web.get("/channels/web/socket", self._socket), *self._pages.routes()]

    # --- departure ---------------------------------------------------------------------------------------------------

    async def send(self, message: Outbound) -> str:
        """Show the message in every open tab of the session. Without one it waits in the transcript, which is replayed
        when the tenant comes back; whether it was seen, `acknowledge` tells."""
        shown = WebMessage(
            seq=message.seq,
            id=message.id,
            author=message.author,
            name=message.author_name or (self._service_name if message.author == "bot" else ""),
            text=message.text,
            choices=message.choices,
            at=message.created_at or self._wall_clock.now(),
            urgent=message.urgent,
        )
        for socket in self._sockets(message.address):
            if message.seq > 0:
                socket.offer(shown)
            else:
                socket.fall_behind()
        return message.id

    async def find_sent(self, message: Outbound) -> str | None:
        """Never in doubt: what is on disk is in the transcript."""
        return message.id

    def nudge(self, session_id: str | None = None) -> None:
        """There may be something new for this session (or for any): another process wrote it."""
        rooms = list(self._rooms.values()) if session_id is None else filter(None, [self._rooms.get(session_id)])
        for room in rooms:
            for socket in room.sockets:
                socket.fall_behind()

    async def show_typing(self, session_id: str, name: str) -> None:
        """Tell the tenant that `name` is writing. Nothing is kept of it."""
        for socket in self._sockets(session_id):
            with contextlib.suppress(ConnectionError):
                await socket.connection.send_str(frames.typing_frame(name))

    async def close(self) -> None:
        """Say goodbye to every socket: their pages come back by themselves. Call it when the application shuts down."""
        await asyncio.gather(
            *(connection.close(code=WSCloseCode.GOING_AWAY, message=b"restarting") for connection in list(self._open))
        )

    def _sockets(self, session_id: str) -> list[_Socket]:
        room = self._rooms.get(session_id)
        return list(room.sockets) if room else []

    # --- arrival -----------------------------------------------------------------------------------------------------

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if not self._same_origin(request):
            raise web.HTTPForbidden(text="This page may not open the chat.")
        connection = web.WebSocketResponse(
            heartbeat=HEARTBEAT, timeout=GOODBYE_TIME, max_msg_size=_LARGEST_FRAME, compress=False
        )
        try:
            await connection.prepare(request)
            self._open.add(connection)
            socket = await self._greet(connection)
            if socket is not None:
                await self._serve(socket)
        except (ConnectionError, StoreFailed):
            pass  # the tenant has gone, or will be back in a moment; what was not on disk, their page sends again
        finally:
            self._open.discard(connection)
            if connection.prepared and not connection.closed:
                await connection.close(code=WSCloseCode.TRY_AGAIN_LATER)
        return connection

    def _same_origin(self, request: web.Request) -> bool:
        """Browsers always say where a socket is opened from. A program that says nothing carries no one's cookies
        either, and the session's token travels in a frame, so there is nothing it could borrow."""
        origin = request.headers.get("Origin")
        if origin is None:
            return True
        host = urlsplit(origin).netloc
        return bool(host) and (host == request.host or host in self._hosts or origin.lower() in self._origins)

    async def _greet(self, connection: web.WebSocketResponse) -> _Socket | None:
        """Wait for hello, answer with the session and what the client missed. None if it never said hello."""
        try:
            async with asyncio.timeout(GREETING_TIME):
                hello = await self._hello(connection)
        except TimeoutError:
            return None
        if hello is None:
            return None
        now = self._wall_clock.now()
        session = self._signer.read(hello.token, now) if hello.token else None
        after = hello.after if session else 0
        if session is None or session.ageing(now):
            session = Session(session.id if session else self._wall_clock.token(18), now)
            token = self._signer.issue(session.id, now)
        else:
            token = hello.token or ""
        room = self._rooms.setdefault(session.id, _Room())
        if len(room.sockets) >= self._limits.sockets:
            await connection.close(code=WSCloseCode.POLICY_VIOLATION, message=b"too many tabs")
            return None
        socket = _Socket(connection, session, sent=after, seen=after)
        room.sockets.append(socket)
        try:
            async with socket.turn:
                missed = await _stored(self._history(session.id, after))
                await connection.send_str(self._session_frame(token, replay=len(missed)))
                for message in missed:
                    await socket.write(_as_client_knows_it(message, session.id))
        except BaseException:
            self._leave(socket)
            raise
        return socket

    async def _hello(self, connection: web.WebSocketResponse) -> Hello | None:
        async for raw in connection:
            try:
                frame = _frame(raw.type, raw.data)
            except BadFrame as bad:
                await self._refuse(connection, bad.code, bad.client_id)
                continue
            if isinstance(frame, Hello):
                return frame
            if frame is not None:
                await self._refuse(connection, "hello_first")
        return None

    async def _serve(self, socket: _Socket) -> None:
        pump = asyncio.create_task(self._pump(socket))
        reader = asyncio.create_task(self._read(socket))
        try:
            await asyncio.wait({pump, reader}, return_when=asyncio.FIRST_COMPLETED)
            if pump.done():
                # The reader may be in the middle of storing a message: closing lets it finish, cancelling would not.
                await socket.connection.close(code=WSCloseCode.TRY_AGAIN_LATER)
                await asyncio.wait({reader})
        finally:
            pump.cancel()
            reader.cancel()
            ends = await asyncio.gather(pump, reader, return_exceptions=True)
            self._leave(socket)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    def _leave(self, socket: _Socket) -> None:
        room = self._rooms.get(socket.session.id)
        if room is not None and socket in room.sockets:
            room.sockets.remove(socket)
            if not room.sockets:
                del self._rooms[socket.session.id]

    async def _pump(self, socket: _Socket) -> None:
        """Write what is new, in order. A message handed over out of order is not trusted to be the only one missing:
        the history decides."""
        while True:
            await socket.news.wait()
            socket.news.clear()
            async with socket.turn:
                while message := socket.next_ready():
                    await socket.write(message)
                if socket.behind or socket.waiting:
                    socket.behind = False
                    await self._catch_up(socket)

    async def _catch_up(self, socket: _Socket, before: float = float("inf")) -> None:
        """Write what the history has beyond what the client has, as far as `before`."""
        rows = {message.seq: message for message in await _stored(self._history(socket.session.id, socket.sent))}
        for seq, message in sorted((socket.waiting | rows).items()):
            if seq < before:
                await socket.write(_as_client_knows_it(message, socket.session.id))

    async def _read(self, socket: _Socket) -> None:
        bad_frames = 0
        last_typing = float("-inf")
        async for raw in socket.connection:
            try:
                frame = _frame(raw.type, raw.data)
                match frame:
                    case Say() | Press():
                        await self._take(socket, frame)
                    case Seen(seq):
                        await self._see(socket, seq)
                    case Typing() if self._typing and self._wall_clock.monotonic() - last_typing >= _TYPING_EVERY:
                        last_typing = self._wall_clock.monotonic()
                        await self._typing(socket.session.id)
                    case Hello():
                        raise BadFrame("hello_again")
            except BadFrame as bad:
                bad_frames += 1
                if bad_frames > _BAD_FRAMES:
                    await socket.connection.close(code=WSCloseCode.POLICY_VIOLATION, message=b"too many bad frames")
                    return
                await self._refuse(socket.connection, bad.code, bad.client_id)

    async def _take(self, socket: _Socket, frame: Say | Press) -> None:
        session_id = socket.session.id
        if not self._may_write(session_id, frame.text if isinstance(frame, Say) else ""):
            await self._refuse(socket.connection, "rate_limited", frame.id)
            return
        room = self._rooms[session_id]
        async with socket.turn, room.one_at_a_time:
            inbound = await self._inbound(session_id, frame)
            seq = await _stored(self._receive(inbound))
            if seq > socket.sent + 1:
                # Something else came first. A client takes its last seq for all that it has, so it hears in order.
                await self._catch_up(socket, before=seq)
            await socket.connection.send_str(frames.accepted_frame(frame.id, seq))
            socket.sent = max(socket.sent, seq)
            now = self._wall_clock.now()
            if socket.session.ageing(now):
                socket.session = Session(session_id, now)
                await socket.connection.send_str(self._session_frame(self._signer.issue(session_id, now), replay=0))
        for other in self._sockets(session_id):
            if other is not socket:
                other.fall_behind()

    async def _inbound(self, session_id: str, frame: Say | Press) -> Inbound:
        provider_id = f"{session_id}:{frame.id}"
        if isinstance(frame, Say):
            return Inbound(self.name, session_id, provider_id, frame.text)
        # Only a value that we issued to this session may do what a button does; its label is what the tenant read.
        for message in reversed(await _stored(self._history(session_id, 0))):
            for choice in message.choices:
                if choice.value == frame.value:
                    return Inbound(
                        self.name, session_id, provider_id, choice.label, content=Content.CHOICE, choice=choice.value
                    )
        raise BadFrame("old_choice", frame.id)

    async def _see(self, socket: _Socket, seq: int) -> None:
        seq = min(seq, socket.sent)  # nobody has seen what was not sent
        if seq > socket.seen:
            socket.seen = seq
            await _stored(self._acknowledge(socket.session.id, seq))

    def _may_write(self, session_id: str, text: str) -> bool:
        now = self._wall_clock.monotonic()
        if len(self._allowances) > 10_000:
            full_after = self._limits.burst / self._limits.per_second
            self._allowances = {key: kept for key, kept in self._allowances.items() if now - kept.at < full_after}
        allowance = self._allowances.setdefault(session_id, _Allowance(self._limits.burst, now))
        if allowance.take(self._limits, now):
            return True
        log.info("web session over its rate", extra={"session": session_id[:6]})
        return bool(text) and self._urgent(text)

    async def _refuse(self, connection: web.WebSocketResponse, code: str, client_id: str | None = None) -> None:
        text = self._words.errors[code].format(numbers=spoken(self._numbers()), limit=f"{frames.LONGEST_TEXT:,}")
        await connection.send_str(frames.error_frame(code, text, client_id))

    def _session_frame(self, token: str, *, replay: int) -> str:
        return frames.session_frame(token, is_open=self._open_now(), name=self._service_name, replay=replay)


async def _stored(work: Awaitable[T]) -> T:
    """What the store makes of it. Of a failure only the type is logged: a database's message may repeat a tenant's words."""
    try:
        return await work
    except Exception as error:
        log.error("web_store_failed", extra={"error": type(error).__name__})
        raise StoreFailed from error


def _frame(kind: WSMsgType, data: object) -> frames.ClientFrame | None:
    if kind is not WSMsgType.TEXT or not isinstance(data, str):
        raise BadFrame("bad_json")
    return frames.parse(data)


def _as_client_knows_it(message: WebMessage, session_id: str) -> WebMessage:
    """The tenant's own messages under the id that their browser gave them, also where the store hands over the
    provider id it was stored under."""
    if message.author != "tenant" or not message.id.startswith(f"{session_id}:"):
        return message
    return WebMessage(
        message.seq, message.id.removeprefix(f"{session_id}:"), message.author, message.name, message.text,
        message.choices, message.at, message.urgent,
    )  # fmt: skip
