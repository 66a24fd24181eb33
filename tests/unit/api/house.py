"""The API over a real application, store and policy, with webhooks and a clock moved by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry
from sqlmodel import Session, SQLModel, select

from bot.api import Api, Webhooks
from bot.api.webhooks import ID, SIGNATURE, TIMESTAMP
from bot.desk import case as cases
from bot.desk import conversation as desk
from bot.desk import token as tokens
from bot.desk import webhook as hooks
from bot.desk.office import Office
from bot.desk.publish import NAMES
from bot.desk.token import SCOPES
from bot.messages import OpenCase
from bot.sla import load_policy
from bot.store import Store, conversations, open_store, schema
from bot.store.outside import Webhook
from bot.store.tables import Case, Clock, Event, Message, Staff
from bot.wallclock import HandClock
from bot.web import application
from bot.wording import Wording, load_responses

T = TypeVar("T")
MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)
PHONE = "+447700900123"
GIVE_UP_AFTER = timedelta(days=3)
_WORDS = load_responses(Path(__file__).parents[3] / "nlu_data" / "domain")


@dataclass
class Answered:
    """An answer, read."""

    status: int
    headers: Any
    json: Any
    text: str


@dataclass
class House:
    """One running API and what a test needs of it."""

    store: Store
    office: Office
    clock: HandClock
    api: Api
    webhooks: Webhooks
    client: TestClient
    staff: Staff
    token: str = ""

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def run(self, work: Callable[[Session], T]) -> T:
        return await self.store.run(work)

    async def rows(self, table: type[SQLModel]) -> list[Any]:
        return await self.store.read(lambda session: list(session.exec(select(table))))

    async def let_in(self, *scopes: str, name: str = "housing system", lasts: timedelta | None = None) -> str:
        """Make a token, and show it from now on."""
        now = self.now
        good_for = scopes or tuple(scope for scope in SCOPES if scope != "read:confidential")
        _, self.token = await self.run(
            lambda s: tokens.add(s, self.office, name, good_for, now=now, actor="test", lasts=lasts)
        )
        return self.token

    async def get(self, path: str, token: str | None = None, **headers: str) -> Answered:
        """What is answered below `/api/v1`."""
        return await self.ask("GET", f"/api/v1{path}", token, **headers)

    async def ask(self, method: str, path: str, token: str | None = None, **headers: str) -> Answered:
        shown = self.token if token is None else token
        given = {"Authorization": f"Bearer {shown}"} if shown else {}
        response = await self.client.request(method, path, headers=given | headers)
        return await _read(response)

    async def open(
        self, kind: str = "repair", category: str = "dripping_tap", *, address: str = PHONE, words: str = "the tap drips",
        **details: Any,
    ) -> Case:  # fmt: skip
        """A case that a tenant has just reported."""
        now = self.now

        def work(session: Session) -> Case:
            talk, _ = desk.find_or_start(session, self.office, "sms", address, now=now)
            talk.last_inbound_at = now
            talk.seq += 1
            said = conversations.new_message(
                id=self.office.id(), conversation_id=talk.id, seq=talk.seq, direction="in", channel="sms", address=address,
                author="tenant", kind="text", text=words, state="processed", created_at=now,
                provider_id=self.office.id(), choices=[], detail={},
            )  # fmt: skip
            conversations.add_inbound(session, said)
            asked = OpenCase(kind, category, words, "a dripping tap", details=details)
            case = cases.open_case(session, self.office, talk, asked, received_at=now, now=now)
            conversations.save(session, talk)
            return case

        case = await self.run(work)
        self.clock.advance(timedelta(seconds=1))
        return case

    async def clocks(self, case: Case) -> dict[str, Clock]:
        return {each.commitment: each for each in await self.rows(Clock) if each.case_id == case.id}

    async def listen(self, url: str, *events: str, in_confidence: bool = False) -> Webhook:
        now = self.now
        return await self.run(
            lambda s: hooks.add(
                s, self.office, url, events or NAMES, now=now, actor="test", in_confidence=in_confidence
            )
        )

    async def hook(self) -> Webhook:
        return (await self.rows(Webhook))[0]

    async def read_by(self, verb: str = "api_read") -> list[Event]:
        return [each for each in await self.rows(Event) if each.verb == verb]


@dataclass
class Received:
    """What arrived at a receiver."""

    id: str
    timestamp: str
    signature: str
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Another system: a server of its own that answers as it is told."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    """The statuses of the next answers; then 200. 0: the connection is cut without an answer."""
    headers: dict[str, str] = field(default_factory=dict)
    got: list[Received] = field(default_factory=list)
    tries: int = 0

    async def serve(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.tries += 1
        status = self.answers.pop(0) if self.answers else 200
        if status == 0:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if 200 <= status < 300:
            given = request.headers
            self.got.append(Received(given[ID], given[TIMESTAMP], given[SIGNATURE], body))
        return web.Response(status=status, headers=self.headers)

    @property
    def types(self) -> Sequence[str]:
        return [each.event["type"] for each in self.got]


@asynccontextmanager
async def open_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/told", receiver.serve)
    server = TestServer(app)
    await server.start_server()
    receiver.url = str(server.make_url("/told"))
    try:
        yield receiver
    finally:
        await server.close()


@asynccontextmanager
async def open_house(
    folder: Path, *, database_url: str | None = None, policy: str = "berwickshire", per_minute: int = 300
) -> AsyncIterator[House]:
    store = open_store(database_url or f"sqlite:///{folder}/doorstep.db")
    await asyncio.to_thread(schema.migrate, store)
    clock = HandClock(MONDAY, seed=7)
    office = Office(load_policy(policy), Wording(_WORDS), clock, {"gas": "0800 111 999", "emergency": "999"})
    api = Api(store, office, clock, per_minute=per_minute)
    webhooks = Webhooks(store, office, clock, give_up_after=GIVE_UP_AFTER)

    async def ready() -> dict[str, bool]:
        return {"database": True}

    client = TestClient(TestServer(application(api.routes(), ready=ready, figures=CollectorRegistry())))
    await client.start_server()
    staff = Staff(
        id="a" * 32, email="ann@example.org", name="Ann Example", job_title="Repairs officer", team="Repairs",
        role="manager", created_at=MONDAY,
    )  # fmt: skip
    await store.run(lambda session: session.merge(staff))
    try:
        yield House(store, office, clock, api, webhooks, client, staff)
    finally:
        await webhooks.close()
        await client.close()
        await store.close()


async def _read(response: ClientResponse) -> Answered:
    text = await response.text()
    parsed = json.loads(text) if "json" in response.content_type and text else None
    return Answered(response.status, response.headers, parsed, text)


__all__ = ["MONDAY", "PHONE", "House", "Message", "Receiver", "open_house", "open_receiver"]
