"""The real product in process: HTTP in, the provider's own library out, stand-ins at the other end, a clock moved by hand."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port
from pydantic import SecretStr
from sqlmodel import SQLModel, select

from bot.bootstrap import Doorstep, Knowledge, assemble, load_knowledge
from bot.dev.standins.telegram import TelegramStandIn
from bot.dev.standins.twilio import TwilioStandIn
from bot.settings import Settings
from bot.store import open_store, schema
from bot.store.tables import Case, Clock, Message, Task
from bot.wallclock import HandClock

MONDAY_MORNING = datetime(2026, 11, 23, 10, tzinfo=UTC)
TENANT = "+447700900123"
CHAT = 4242


@dataclass
class World:
    """An association's Doorstep with the outside around it."""

    doorstep: Doorstep
    base: str
    clock: HandClock
    twilio: TwilioStandIn
    telegram: TelegramStandIn
    http: aiohttp.ClientSession
    heard: dict[str, int] = field(default_factory=dict)

    async def text(self, words: str, sender: str = TENANT) -> list[str]:
        """A tenant texts; what they are texted back once everything due has been sent."""
        answer = await self.twilio.text_in(sender, words)
        assert answer.status == 200, answer
        return await self.texts(sender)

    async def texts(self, sender: str = TENANT) -> list[str]:
        """What this phone has been sent since it was last asked."""
        await self.doorstep.outbox.deliver_due()
        bodies = [each.body for each in self.twilio.sent_to(sender)]
        new = bodies[self.heard.get(sender, 0) :]
        self.heard[sender] = len(bodies)
        return new

    async def rows(self, table: type[SQLModel]) -> list[Any]:
        return await self.doorstep.store.read(lambda session: list(session.exec(select(table))))

    async def cases(self) -> list[Case]:
        return await self.rows(Case)

    async def clocks(self) -> dict[str, Clock]:
        return {each.commitment: each for each in await self.rows(Clock)}

    async def tasks(self) -> list[Task]:
        return await self.rows(Task)

    async def messages(self) -> list[Message]:
        return sorted(await self.rows(Message), key=lambda each: (each.conversation_id, each.seq))


class Chat:
    """A web visitor at the socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.token = ""
        self.seq = 0
        self.ids = itertools.count(1)

    async def hello(self, token: str | None = None, after: int = 0) -> dict[str, Any]:
        await self.socket.send_json({"type": "hello", "session": token, "after": after})
        session = await self.until("session")
        self.token = session["token"]
        return session

    async def until(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while True:
                frame = json.loads(await self.socket.receive_str())
                if frame["type"] == kind:
                    return frame

    async def say(self, words: str) -> None:
        await self.socket.send_json({"type": "message", "id": f"id-{next(self.ids)}", "text": words})
        await self.until("accepted")

    async def next(self) -> dict[str, Any]:
        frame = await self.until("message")
        self.seq = frame["seq"]
        return frame


def settings_for(folder: Path, base: str, twilio_url: str, telegram_url: str, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "policy": "berwickshire", "database_url": f"sqlite:///{folder}/doorstep.db", "files_dir": f"{folder}/files",
        "public_url": base,
        "secret_key": SecretStr("k" * 40), "twilio_account_sid": "AC" + "1" * 32,
        "twilio_auth_token": SecretStr("a token for tests"), "twilio_from": "+447700900000", "twilio_api_url": twilio_url,
        "telegram_token": SecretStr("4242:tests"), "telegram_secret": SecretStr("a-secret-for-tests"),
        "telegram_api_url": telegram_url,
    }  # fmt: skip
    return Settings.model_validate(values | changes)


@pytest.fixture(scope="session")
def knowledge(trained: None) -> Knowledge:
    """Loaded once for all tests."""
    return load_knowledge()


@pytest.fixture
def starting_at() -> datetime:
    """When the world begins; a module or test overrides it by parametrising `starting_at`."""
    return MONDAY_MORNING


@pytest.fixture
def policy() -> str:
    return "berwickshire"


@pytest.fixture
async def world(tmp_path: Path, starting_at: datetime, policy: str, knowledge: Knowledge) -> AsyncIterator[World]:
    clock = HandClock(starting_at, seed=11)
    port = unused_port()
    base = f"http://127.0.0.1:{port}"
    unknown = settings_for(tmp_path, base, "", "http://127.0.0.1:9", twilio_api_url="http://127.0.0.1:9", policy=policy)
    twilio, telegram = TwilioStandIn(unknown, clock.now), TelegramStandIn(unknown, clock.now)
    settings = settings_for(tmp_path, base, await twilio.start(), await telegram.start(), policy=policy)
    store = open_store(settings.database_url)
    schema.migrate(store)
    await store.close()
    doorstep = assemble(settings, clock, knowledge)
    runner = web.AppRunner(doorstep.application(work=False), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await telegram.until_webhook()
    async with aiohttp.ClientSession() as http:
        yield World(doorstep, base, clock, twilio, telegram, http)
    await runner.cleanup()
    await twilio.close()
    await telegram.close()


@pytest.fixture
async def chat(world: World) -> AsyncIterator[Chat]:
    async with world.http.ws_connect(f"{world.base}/channels/web/socket") as socket:
        yield Chat(socket)
