"""The web chat over a real server, with a transcript kept in memory, and a client that speaks the socket's protocol."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import aiohttp
from aiohttp import web

from bot.channels.web import Limits, WebChannel, WebMessage
from bot.messages import ChannelName, Choice, Content, Inbound, Outbound
from bot.settings import Settings
from bot.wallclock import HandClock, SystemClock

NUMBERS = [("Emergency services", "999"), ("Gas emergencies", "0800 111 999"), ("Our repairs line", "01632 960 001")]


class StoreDown(Exception):
    """The store cannot be reached."""


@dataclass
class Transcripts:
    """What a store does for the web chat: every message of every session, in order. Outlives the server."""

    messages: dict[str, list[WebMessage]] = field(default_factory=dict)
    received: list[Inbound] = field(default_factory=list)
    acknowledged: list[tuple[str, int]] = field(default_factory=list)
    down: bool = False
    hold: asyncio.Event | None = None
    answer: object = None
    """Called with every new inbound message and this object; says what the bot says, as a list of Outbound fields."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def receive(self, inbound):
        if self.hold is not None:
            await self.hold.wait()
        if self.down:
            raise StoreDown(inbound.text)
        session = inbound.address
        for message in self.messages.get(session, []):
            if inbound.provider_id == f"{session}:{message.id}":
                return message.seq
        self.received.append(inbound)
        stored = self.add(session, "tenant", inbound.text, id=inbound.provider_id.partition(":")[2])
        if self.answer is not None:
            for reply in self.answer(inbound):
                self.add(session, **({"author": "bot"} | reply))
        async with self.changed:
            self.changed.notify_all()
        return stored.seq

    async def history(self, session, after):
        if self.down:
            raise StoreDown
        return [message for message in self.messages.get(session, []) if message.seq > after]

    async def acknowledge(self, session, seq):
        async with self.changed:
            self.acknowledged.append((session, seq))
            self.changed.notify_all()

    def add(self, session, author, text, *, id=None, name="", choices=(), urgent=False):
        rows = self.messages.setdefault(session, [])
        choices = tuple(Choice(label, value) for label, value in choices)
        rows.append(
            WebMessage(len(rows) + 1, id or uuid4().hex, author, name, text, choices, datetime.now(UTC), urgent)
        )
        return rows[-1]

    async def until(self, condition):
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(condition)


class ChatServer:
    """A server with nothing but the web chat on it, which can be stopped and started again on the same port."""

    def __init__(self, store=None, *, clock=None, limits=None, numbers=NUMBERS, **options):
        self.store = store or Transcripts()
        self.clock = clock or SystemClock()
        self.limits = limits or Limits()
        self.options = options
        self.settings = Settings(secret_key="a secret that only the server knows")
        self.numbers = numbers
        self.port = 0
        self.is_open = True
        self.typing = []
        self.runner = None
        self.channel = None
        self.extra_routes = []

    async def start(self):
        async def typing(session):
            self.typing.append(session)

        self.channel = WebChannel(
            self.settings,
            self.clock,
            receive=self._receive,
            history=self.store.history,
            acknowledge=self.store.acknowledge,
            open_now=lambda: self.is_open,
            service_name="Tenacre Homes",
            numbers=lambda: self.numbers,
            urgent=lambda text: "gas" in text,
            typing=typing,
            limits=self.limits,
            **self.options,
        )
        application = web.Application()
        application.add_routes([*self.channel.routes(), *self.extra_routes])
        self.runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self.runner.addresses[0][1]
        return self

    async def _receive(self, inbound):
        """As the store does it: on disk first, and then the outbox sends what was added for this session."""
        before = len(self.store.messages.get(inbound.address, []))
        seq = await self.store.receive(inbound)
        for message in self.store.messages[inbound.address][before:]:
            if message.author != "tenant":
                await self.push(inbound.address, message)
        return seq

    async def stop(self):
        if self.runner is not None:
            await self.channel.close()
            await self.runner.cleanup()
            self.runner = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def say(self, session, text, author="bot", **fields):
        """The bot or a member of staff says something: written down, then sent."""
        return await self.push(session, self.store.add(session, author, text, **fields))

    async def push(self, session, message):
        await self.channel.send(
            Outbound(
                id=message.id, channel=ChannelName.WEB, address=session, text=message.text, choices=message.choices,
                seq=message.seq, author=message.author, author_name=message.name, created_at=message.at,
                urgent=message.urgent,
            )
        )  # fmt: skip
        return message


class Tab:
    """A client of the socket."""

    def __init__(self, http, server):
        self.http = http
        self.server = server
        self.socket = None
        self.token = None
        self.seq = 0
        self.inbox = []

    @property
    def session(self):
        return self.token.split(".")[0]

    async def connect(self, token=None, after=0, **options):
        self.socket = await self.http.ws_connect(f"{self.server.url}/channels/web/socket", **options)
        return await self.hello(token, after)

    async def hello(self, token=None, after=0):
        await self.send(type="hello", session=token, after=after)
        frame = await self.next("session")
        self.token = frame["token"]
        self.replay = [await self.next("message") for _ in range(frame["replay"])]
        return self

    async def send(self, **frame):
        await self.socket.send_str(json.dumps(frame))

    async def say(self, text, id=None):
        id = id or str(uuid4())
        await self.send(type="message", id=id, text=text)
        frame = await self.next("accepted")
        assert frame["id"] == id
        return frame["seq"]

    async def next(self, kind=None):
        async with asyncio.timeout(5):
            frame = await self.socket.receive()
        assert frame.type is aiohttp.WSMsgType.TEXT, frame
        frame = json.loads(frame.data)
        if kind is not None:
            assert frame["type"] == kind, frame
        self.seq = max(self.seq, frame.get("seq", 0))
        return frame

    async def closed(self):
        """The code that the server closed the socket with."""
        async with asyncio.timeout(5):
            frame = await self.socket.receive()
        assert frame.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}, frame
        return frame.data

    async def nothing_more(self):
        """The server answers a frame it cannot read at once; whatever it had to say before would have come first."""
        await self.socket.send_str("nonsense")
        assert (await self.next())["code"] == "bad_json"

    async def close(self):
        await self.socket.close()


__all__ = ["NUMBERS", "ChatServer", "Content", "HandClock", "Limits", "StoreDown", "Tab", "Transcripts"]
