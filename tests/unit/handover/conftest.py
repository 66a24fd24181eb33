"""An association whose on-call ladder can be reached: its line, a duty officer and managers, each with a telephone of their
own, a mailbox and a webhook, all on this machine."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port
from sqlmodel import SQLModel, select

from bot.bootstrap import Doorstep, Knowledge, assemble, load_knowledge
from bot.dev.standins import Server
from bot.dev.standins.telegram import TelegramStandIn
from bot.dev.standins.twilio_voice import TwilioVoiceStandIn
from bot.store import open_store, schema
from bot.store.tables import Case, FollowUp, Handover, HandoverAttempt, Message, Task
from bot.wallclock import HandClock
from tests.e2e.conftest import settings_for

SATURDAY_NIGHT = datetime(2026, 11, 28, 22, 15, tzinfo=UTC)
MONDAY_MORNING = datetime(2026, 11, 23, 10, tzinfo=UTC)
TENANT = "+447700900123"
LINE, LINE_TEXT = "+448006528104", "+447700900801"
OFFICER, MANAGER, TEAM = "+447700900802", "+447700900803", "+447700900804"
FLOOD = "water is pouring through my ceiling and I cannot stop it"

RUNGS = f"""rungs = [
    {{ name = "24-hour line", until_minutes = 5 }},
    {{ name = "duty officer", until_minutes = 10, call = "{OFFICER}", text = "{OFFICER}", verified = true, source = "rota" }},
    {{ name = "section manager", until_minutes = 20, call = "{MANAGER}", text = "{MANAGER}", email = "manager@example.org", verified = true, source = "rota", may_authorise = true }},
    {{ name = "management team", until_minutes = 30, text = "{TEAM}", verified = true, source = "rota", may_authorise = true }},
]
"""  # noqa: E501


def write_policy(folder: Path, *, rungs: str = RUNGS) -> Path:
    """The Berwickshire policy with a ladder of its own."""
    shipped = (Path(__file__).parents[3] / "bot/sla/policies/berwickshire.toml").read_text(encoding="utf-8")
    before, _, rest = shipped.partition("[on_call]\n")
    after = rest[rest.index("routes = ") :]
    path = folder / "policy.toml"
    path.write_text(f"{before}[on_call]\n{rungs}{after}", encoding="utf-8")
    return path


class Mailbox:
    """A mail server that keeps what it is given, or refuses it."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        self.refuse_with: str | None = None
        self.hang_up_after_data = False
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"smtp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}?from=doorstep@example.org"

    async def close(self) -> None:
        if self._server is not None:
            for each in list(self._open):
                each.close()
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            writer.write(b"220 mailbox\r\n")
            while line := (await reader.readline()).decode().strip():
                word = line.split()[0].upper()
                if word == "DATA":
                    writer.write(b"354 go on\r\n")
                    mail = (await reader.readuntil(b"\r\n.\r\n")).decode()
                    self.mails.append(mail)
                    if self.hang_up_after_data:
                        return
                    writer.write(b"250 kept\r\n")
                elif word == "RCPT" and self.refuse_with:
                    writer.write(f"{self.refuse_with} no\r\n".encode())
                elif word == "QUIT":
                    writer.write(b"221 bye\r\n")
                    return
                else:
                    writer.write(b"250 ok\r\n")
                await writer.drain()
        finally:
            self._open.discard(writer)
            writer.close()


class Hook:
    """A program at the 24-hour line that is posted to."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        application = web.Application()
        application.add_routes([web.post("/hook", self._take)])
        self.server = Server(application)

    async def _take(self, request: web.Request) -> web.Response:
        self.posts.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status)

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.posts]


@dataclass
class Night:
    """The association and everybody who can be reached."""

    doorstep: Doorstep
    base: str
    clock: HandClock
    twilio: TwilioVoiceStandIn
    mailbox: Mailbox
    hook: Hook
    http: aiohttp.ClientSession
    heard: dict[str, int] = field(default_factory=dict)

    async def text(self, words: str, sender: str = TENANT) -> list[str]:
        """Somebody texts; what they are texted back."""
        answer = await self.twilio.text_in(sender, words)
        assert answer.status == 200, answer
        return await self.texts(sender)

    async def texts(self, number: str = TENANT) -> list[str]:
        """What this phone has been sent since it was last asked."""
        await self.beat()
        bodies = [each.body for each in self.twilio.sent_to(number)]
        new = bodies[self.heard.get(number, 0) :]
        self.heard[number] = len(bodies)
        return new

    async def beat(self) -> None:
        """Everything that is due now, and what follows from it at once."""
        while True:
            tried = await self.doorstep.handovers.settle()
            await self.twilio.hung_up()
            tried += await self.doorstep.outbox.deliver_due()
            if not tried:
                return

    async def pass_time(self, **by: float) -> None:
        """Let time go by, half a minute at a time, or five minutes where it is much."""
        until = self.clock.now() + timedelta(**by)
        step = timedelta(seconds=30) if timedelta(**by) <= timedelta(minutes=31) else timedelta(minutes=5)
        while self.clock.now() < until:
            self.clock.advance(min(step, until - self.clock.now()))
            await self.beat()

    async def rows(self, table: type[SQLModel]) -> list[Any]:
        return await self.doorstep.store.read(lambda session: list(session.exec(select(table))))

    async def handover(self) -> Handover:
        (found,) = [each for each in await self.rows(Handover) if each.purpose == "emergency"]
        return found

    async def case(self) -> Case:
        (found,) = await self.rows(Case)
        return found

    async def attempts(self, purpose: str = "alert") -> list[tuple[str, str, str]]:
        """Who was tried how, and what came of it, in order."""
        found = sorted(await self.rows(HandoverAttempt), key=lambda each: each.n)
        return [(each.rung_name, each.route, each.state) for each in found if each.purpose == purpose]

    async def tasks(self) -> list[str]:
        return [each.kind for each in await self.rows(Task) if each.done_at is None]

    async def looks(self) -> dict[str, FollowUp]:
        return {each.kind: each for each in await self.rows(FollowUp)}

    async def said(self) -> list[Message]:
        found = [each for each in await self.rows(Message) if each.direction == "out"]
        return sorted(found, key=lambda each: each.seq)


@pytest.fixture(scope="session")
def knowledge(trained: None) -> Knowledge:
    return load_knowledge()


@pytest.fixture
def starting_at() -> datetime:
    return SATURDAY_NIGHT


@pytest.fixture
def rungs() -> str:
    return RUNGS


@pytest.fixture
def routes_to_line() -> dict[str, Any]:
    """Which routes to the 24-hour line are set."""
    return {"emergency_line_call": LINE, "emergency_line_text": LINE_TEXT}


@pytest.fixture
def database() -> dict[str, Any]:
    """Settings that put the rows somewhere else than into a file."""
    return {}


@pytest.fixture
async def night(
    tmp_path: Path, starting_at: datetime, rungs: str, routes_to_line: dict[str, Any], database: dict[str, Any],
    knowledge: Knowledge,
) -> AsyncIterator[Night]:  # fmt: skip
    clock = HandClock(starting_at, seed=7)
    base = f"http://127.0.0.1:{(port := unused_port())}"
    mailbox, hook = Mailbox(), Hook()
    smtp, hook_url = await mailbox.start(), await hook.server.start() + "/hook"
    filled = {name: {"HOOK": hook_url}.get(value, value) for name, value in routes_to_line.items()}
    given = {
        "policy": str(write_policy(tmp_path, rungs=rungs)), "smtp_url": smtp,
        "emergency_line_webhook_secret": "w" * 40, **filled, **database,
    }  # fmt: skip
    unknown = settings_for(tmp_path, base, "", "http://127.0.0.1:9", twilio_api_url="http://127.0.0.1:9", **given)
    twilio, telegram = TwilioVoiceStandIn(unknown, clock.now), TelegramStandIn(unknown, clock.now)
    settings = settings_for(tmp_path, base, await twilio.start(), await telegram.start(), **given)
    store = open_store(settings.database_url)
    schema.migrate(store)
    await store.close()
    doorstep = assemble(settings, clock, knowledge)
    runner = web.AppRunner(doorstep.application(work=False), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with aiohttp.ClientSession() as http:
        yield Night(doorstep, base, clock, twilio, mailbox, hook, http)
    await runner.cleanup()
    await twilio.close()
    await telegram.close()
    await mailbox.close()
    await hook.server.close()
