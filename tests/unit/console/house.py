"""The console over a real application, store, policy and intake. Dialogue and triage are scripts; time moves by hand."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry
from sqlmodel import Session, select

from bot.console import Console
from bot.console.auth import SESSION_COOKIE
from bot.desk import staff as accounts
from bot.desk.office import Office
from bot.intake import Arrived, Intake
from bot.messages import (
    NO_DANGER,
    UPLOADED,
    Assessment,
    Attachment,
    ChannelName,
    Content,
    Inbound,
    OpenCase,
    Say,
    Turn,
    Understanding,
    Urgency,
)  # fmt: skip
from bot.sla import Policy, load_policy
from bot.store import Store, conversations, open_store, schema
from bot.store.files import Files
from bot.store.tables import Case, Conversation, Event, Message, Staff, Task
from bot.wallclock import HandClock
from bot.web import application
from bot.wording import Wording, load_responses

NLU_DATA = Path(__file__).parents[3] / "nlu_data"
PASSWORD = "correct horse battery"


class ScriptedEngine:
    """A dialogue that opens a repair for every message that speaks of one, breaks when told to, and else says little."""

    def turn(self, state, text, *, choice, intent, facts, sender):
        if "break" in text:
            raise RuntimeError("the dialogue broke")
        understanding = Understanding(intent or "report_repair", 0.93)
        if "tap" in text:
            case = OpenCase("repair", "dripping_tap", text, "a dripping tap", details={"room": "kitchen"})
            return Turn((case,), {}, understanding)
        return Turn((Say("utter_opt_in"),), {}, understanding)


class ScriptedTriage:
    """Sees gas and violence by one word each."""

    def assess(self, text, previous=None):
        for word, hazard in (("gas", "gas_leak"), ("hit", "violence")):
            if word in text:
                return Assessment(
                    Urgency.DANGER, hazard, advice=True, evidence=(word,), advice_keys=("utter_help_keyword",),
                    sensitive=hazard == "violence",
                )  # fmt: skip
        return NO_DANGER

    def cannot_phone(self, text):
        return False

    def language(self, code):
        return None


@dataclass
class House:
    """One running console and what a test needs of it."""

    store: Store
    office: Office
    clock: HandClock
    console: Console
    intake: Intake
    client: TestClient
    files: Files
    nudged: list[str] = field(default_factory=list)
    banners: list[str] = field(default_factory=list)
    guests: list[TestClient] = field(default_factory=list)

    async def hire(self, name: str = "Ama Mensah", role: str = "officer", email: str | None = None) -> str:
        """Make an account; returns the token of its one-time link."""
        now, address = self.clock.now(), email or f"{name.split()[0].lower()}@example.org"

        def work(session: Session) -> str:
            member = accounts.add(
                session, self.office, email=address, name=name, job_title="Repairs officer", team="Repairs", role=role,
                now=now, actor="test",
            )  # fmt: skip
            return accounts.invite(session, self.office, member, now=now, actor="test")

        return await self.store.run(work)

    async def sign_in(self, name: str, client: TestClient, *, role: str = "officer") -> "Browser":
        """Make an account and sign it in at `client`, without the slow hashing of a password."""
        token, now = await self.hire(name, role), self.clock.now()
        who = await self.store.run(
            lambda session: accounts.choose_password(session, self.office, token, _hashed(), now=now)
        )
        client.session.cookie_jar.update_cookies({SESSION_COOKIE: who.token}, client.make_url("/staff"))
        browser = Browser(client)
        await browser.get("/staff")
        return browser

    async def tenant_sends(self, content: bytes, kind: str, address: str = "+447700900123", text: str = "") -> Arrived:
        """A file that is here already, as the page for photos takes it."""
        digest = await asyncio.to_thread(self.files.keep, content, self.clock.uuid().hex)
        file = Attachment(UPLOADED + digest, kind, len(content))
        provider_id = f"test:{self.clock.uuid().hex}"
        return await self.intake.receive(
            Inbound(ChannelName.SMS, address, provider_id, text, Content.MEDIA, attachments=(file,))
        )

    async def tenant_says(self, text: str, address: str = "+447700900123", name: str | None = None) -> Arrived:
        provider_id = f"test:{self.clock.uuid().hex}"
        return await self.intake.receive(Inbound(ChannelName.SMS, address, provider_id, text, name=name))

    def guest(self) -> TestClient:
        """Another browser."""
        self.guests.append(TestClient(self.client.server))
        return self.guests[-1]

    async def guess(self, email: str, address: str = "127.0.0.1") -> None:
        """Somebody tries a wrong password, as far as it counts."""
        now = self.clock.now()
        await self.store.run(lambda session: accounts.begin_sign_in(session, self.office, email, address, now=now))

    async def conversation(self, conversation_id: str) -> Conversation:
        found = await self.store.read(lambda session: conversations.load(session, conversation_id, lock=False))
        assert found is not None
        return found

    async def transcript(self, conversation_id: str) -> list[Message]:
        return await self.store.read(lambda session: conversations.transcript(session, conversation_id))

    async def rows(self, table: type) -> list:
        return await self.store.read(lambda session: list(session.exec(select(table))))

    async def staff(self, email: str) -> Staff:
        return await self.store.read(lambda session: accounts.find(session, email))


@dataclass
class Browser:
    """A member of staff at a browser without JavaScript: reads pages, fills in forms, follows redirects."""

    client: TestClient
    page: str = ""
    status: int = 0
    path: str = ""

    async def get(self, path: str) -> str:
        return await self._read(await self.client.get(path))

    async def post(self, path: str, **fields: str) -> str:
        """Send a form with the token of the page that was read last."""
        fields.setdefault("csrf", self.field("csrf"))
        return await self._read(await self.client.post(path, data=fields))

    def field(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.page)
        return found[1] if found else ""

    def said(self) -> str:
        """The page's error or notice."""
        found = re.search(r'class="error"[^>]*>([^<]*)<', self.page)
        return found[1] if found else ""

    async def welcome(self, token: str, password: str = PASSWORD) -> str:
        await self.get(f"/staff/welcome/{token}")
        return await self.post(f"/staff/welcome/{token}", password=password)

    async def sign_in(self, email: str, password: str = PASSWORD) -> str:
        await self.get("/staff/sign-in")
        return await self.post("/staff/sign-in", email=email, password=password)

    async def _read(self, response: ClientResponse) -> str:
        self.page, self.status, self.path = await response.text(), response.status, response.url.path
        return self.page


@cache
def _hashed() -> str:
    return accounts.hash_password(PASSWORD)


@cache
def _policy() -> Policy:
    return load_policy("berwickshire")


@cache
def _wording() -> Wording:
    return Wording(load_responses(NLU_DATA / "domain"))


@cache
def _empty_database() -> bytes:
    """A migrated SQLite file: migrating takes longer than most tests here."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        store = open_store(f"sqlite:///{path}")
        schema.migrate(store)
        store.close_now()
        return path.read_bytes()


@asynccontextmanager
async def open_house(folder: Path, database_url: str | None = None) -> AsyncIterator[House]:
    """Build the console on a fresh SQLite database in `folder`, or on the empty one at `database_url`, and serve it."""
    if database_url is None:
        (folder / "doorstep.db").write_bytes(await asyncio.to_thread(_empty_database))
        store = open_store(f"sqlite:///{folder}/doorstep.db")
    else:
        store = open_store(database_url)
        await asyncio.to_thread(schema.migrate, store)
    clock = HandClock(datetime(2026, 11, 23, 10, 0, tzinfo=UTC), seed=7)
    office = Office(_policy(), _wording(), clock, {"gas": "0800 111 999"})
    nudged: list[str] = []
    banners: list[str] = []
    files = Files(folder / "files")
    console = Console(store, office, clock, nudged.append, secure_cookies=False, banners=lambda: banners, files=files)

    def nudge(conversation_id: str) -> None:
        nudged.append(conversation_id)
        console.conversation_changed(conversation_id)

    intake = Intake(store, office, ScriptedEngine(), ScriptedTriage(), clock, nudge)

    async def ready() -> dict[str, bool]:
        return {"database": True}

    app = application(console.routes(), ready=ready, figures=CollectorRegistry())
    client = TestClient(TestServer(app))
    await client.start_server()
    house = House(store, office, clock, console, intake, client, files, nudged, banners)
    try:
        yield house
    finally:
        await console.close()
        for guest in house.guests:
            await guest.session.close()
        await client.close()
        await store.close()


__all__ = ["PASSWORD", "Browser", "Case", "Event", "House", "Message", "Task", "open_house"]
