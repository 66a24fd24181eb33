"""The composition root: the only place that names concrete classes, and the only one that knows how they fit together.

Two arguments make the whole product: settings and a wall clock. Provider and database addresses are settings, so a test
replaces the world by pointing them at local stand-ins.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy.exc import SQLAlchemyError

from bot.api import Api, Webhooks
from bot.attachments import UPLOAD, Fetching, UploadPage
from bot.attachments.upload import LINK_LASTS
from bot.beat import Beat, Periodic
from bot.calls import Calls
from bot.channels import Channel, Receiver
from bot.channels.line import ByCall, ByEmail, ByText, ByWebhook, Route
from bot.channels.sms import SmsChannel
from bot.channels.telegram import TelegramChannel
from bot.channels.voice import Script, VoiceChannel
from bot.channels.web import WebChannel, WebMessage
from bot.console import Console
from bot.desk.office import Office
from bot.dialogue import EmbeddedEngine, load_project
from bot.flows import actions
from bot.handover import Handovers, Pages
from bot.intake import Intake
from bot.links import Links
from bot.messages import ChannelName, Choice, Inbound, Receipt
from bot.outbox import Outbox
from bot.promises import Promises
from bot.settings import Settings
from bot.sla import Policy, load_policy
from bot.store import Store, open_store, schema, seals
from bot.store.files import Files
from bot.store.tables import Message
from bot.surveys import PURPOSE, SurveyPage, Surveys
from bot.triage import Triage
from bot.understanding import load_understanding
from bot.wallclock import WallClock
from bot.web import application
from bot.wording import Responses, Wording, load_responses

NLU_DATA: Final = Path(__file__).parent.parent / "nlu_data"
DATA: Final = Path("data")
"""What is built or kept on this machine, below the folder that Doorstep is started in."""
_SWEEP_EVERY: Final = 1.0
"""Seconds between looks for what is due: retries, and what a crash or another process left."""
_PROMISES_EVERY: Final = 5.0
_UNSEEN_EVERY: Final = 30.0
_SURVEYS_EVERY: Final = 60.0
_SEAL_EVERY: Final = 600.0
_WEBHOOKS_EVERY: Final = 2.0


@dataclass
class Doorstep:
    """One running Doorstep, put together. `serve` (or a test) starts what it needs of it."""

    settings: Settings
    wall_clock: WallClock
    store: Store
    office: Office
    triage: Triage
    intake: Intake
    outbox: Outbox
    handovers: Handovers
    fetching: Fetching
    calls: Calls
    promises: Promises
    surveys: Surveys
    console: Console
    api: Api
    webhooks: Webhooks
    web_channel: WebChannel
    channels: dict[ChannelName, Channel]
    figures: CollectorRegistry
    more_routes: list[web.AbstractRouteDef] = field(default_factory=list)
    """Signed links, and what Twilio calls about our calls."""
    on_call: dict[str, Route] = field(default_factory=dict)
    """The ways to reach people on call that the settings give, by name."""
    extra_routes: list[web.AbstractRouteDef] = field(default_factory=list)

    def application(self, *, public: bool = True, work: bool = True) -> web.Application:
        """The aiohttp application. `public` serves tenants, providers and staff; `work` beats."""
        routes: list[web.AbstractRouteDef] = list(self.extra_routes)
        if public:
            for channel in _distinct(self.channels):
                routes += channel.routes()
            routes += self.console.routes()
            routes += self.api.routes()
            routes += self.more_routes
        app = application(routes, ready=self._ready, figures=self.figures)
        app.cleanup_ctx.append(lambda _app: self._run(work=work))
        return app

    async def _run(self, *, work: bool) -> AsyncIterator[None]:
        """Start in order, stop in reverse: first no new messages, then let sends finish, then the database."""
        await self.outbox.recover()
        await self.handovers.recover()
        await self.fetching.recover()
        sending = asyncio.create_task(self.outbox.run())
        stop = asyncio.Event()
        receiving = [
            asyncio.create_task(each.run(stop)) for each in _distinct(self.channels) if isinstance(each, Receiver)
        ]
        beat = Beat(self._works() if work else [])
        beat.start()
        yield
        beat.stop()
        stop.set()
        sending.cancel()
        await asyncio.gather(sending, *receiving, return_exceptions=True)
        await self.outbox.close()
        await self.handovers.close()
        await self.webhooks.close()
        await self.fetching.close()
        await self.calls.close()
        for channel in _distinct(self.channels):
            await channel.close()
        await self.console.close()
        await self.store.close()

    def _works(self) -> list[Periodic]:
        """One for each kind of work that time brings; never one for each case."""
        return [
            Periodic("outbox", _SWEEP_EVERY, self._sweep),
            Periodic("handover", _SWEEP_EVERY, self.handovers.climb),
            Periodic("files", _SWEEP_EVERY, self.fetching.look),
            Periodic("calls", _SWEEP_EVERY, self.calls.ring),
            Periodic("promises", _PROMISES_EVERY, self.promises.sweep),
            Periodic("unseen", _UNSEEN_EVERY, self.promises.carry_on_unseen),
            Periodic("surveys", _SURVEYS_EVERY, self.surveys.sweep),
            Periodic("seal", _SEAL_EVERY, self.seal),
            Periodic("webhooks", _WEBHOOKS_EVERY, self.webhooks.deliver),
        ]

    async def seal(self) -> int:
        """Seal what has happened since the last time into the chain over all events. How many events there were."""
        now = self.wall_clock.now()
        return await self.store.run(lambda session: seals.seal(session, now=now))

    async def _sweep(self) -> None:
        self.outbox.nudge()
        if not self.store.is_sqlite:
            self.web_channel.nudge()  # another process may have written to a page that is open here

    async def _ready(self) -> Mapping[str, bool | int | str]:
        try:
            backlog = await self.outbox.backlog()
        except SQLAlchemyError:
            return {"database": False}
        return {"database": True, "backlog": backlog, "policy": self.office.policy.id}


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is the same for every association and takes a moment to load: the dialogue, triage, the words."""

    engine: EmbeddedEngine
    triage: Triage
    wording: Wording


def load_knowledge() -> Knowledge:
    """Read `nlu_data` and the trained classifier; raises ProjectError, TriageError, ResponsesError or ModelError (which says
    to run `doorstep train`)."""
    project = load_project(NLU_DATA)
    classifier, triage = load_understanding(NLU_DATA, DATA)
    engine = EmbeddedEngine(project, classifier, actions(NLU_DATA))
    translations = {language: Responses.from_mapping(words) for language, words in triage.translations().items()}
    return Knowledge(engine, triage, Wording(load_responses(NLU_DATA / "domain"), translations=translations))


def assemble(
    settings: Settings, wall_clock: WallClock, knowledge: Knowledge | None = None, store: Store | None = None
) -> Doorstep:
    """Put a Doorstep together without starting anything. `knowledge` that is loaded already is not loaded again, and a
    `store` that is given is used instead of the settings' database.

    Raises SettingsError, PolicyError, ProjectError, TriageError, ResponsesError, ModelError or SchemaTooOld, each of which
    names what is wrong and where.
    """
    policy = load_policy(settings.policy)
    knowledge = knowledge or load_knowledge()
    triage = knowledge.triage
    office = Office(policy, knowledge.wording, wall_clock, triage.numbers(), settings.public_url)
    store = store or open_store(settings.database_url)
    schema.check(store)
    figures = CollectorRegistry()
    received = Counter("doorstep_received", "Messages received", ["channel"], registry=figures)
    channels: dict[ChannelName, Channel] = {}
    outbox = Outbox(store, office, channels, wall_clock)
    changed: list[Callable[[str], None]] = [outbox.nudge]

    def nudge(conversation_id: str) -> None:
        for tell in changed:
            tell(conversation_id)

    files = Files(Path(settings.files_dir))
    links = Links(
        settings.secret_key.get_secret_value() if settings.secret_key else wall_clock.token(32), settings.public_url,
        wall_clock,
    )  # fmt: skip

    def photo_link(case_id: str, now: datetime) -> str | None:
        return links.address(UPLOAD, case_id, now + LINK_LASTS)

    intake = Intake(store, office, knowledge.engine, triage, wall_clock, nudge, photo_link)
    on_call: dict[str, Route] = {}
    handovers = Handovers(store, office, on_call, _line(settings), links, wall_clock, nudge)
    pages = Pages(store, office, handovers, links, wall_clock)
    survey_page = SurveyPage(store, office, triage, wall_clock, intake.receive, pages.refusal)
    upload_page = UploadPage(store, office, files, wall_clock, intake.receive, pages.refusal)
    links.serve({**pages.purposes, PURPOSE: survey_page.serve, UPLOAD: upload_page.serve}, refusal=pages.refusal)
    more_routes = [*links.routes(), *pages.routes()]

    async def receive(inbound: Inbound) -> int:
        if await handovers.read_text(inbound):
            return 0
        arrived = await intake.receive(inbound)
        if not arrived.again:
            received.labels(inbound.channel.value).inc()
        return arrived.seq

    async def report(receipt: Receipt) -> None:
        if not await handovers.report(receipt):
            await outbox.report(receipt)

    web_channel = _web_channel(settings, wall_clock, receive, office, outbox, triage)
    channels[ChannelName.WEB] = web_channel
    if settings.sms_on:
        sms = SmsChannel(settings, wall_clock, receive, report)
        channels[ChannelName.SMS] = channels[ChannelName.WHATSAPP] = sms
        on_call["text"] = ByText(sms, wall_clock)
    calls = Calls(store, office, on_call, wall_clock, nudge)
    more_routes += _reach_on_call(settings, wall_clock, handovers, calls, on_call)
    if settings.telegram_on:
        channels[ChannelName.TELEGRAM] = TelegramChannel(settings, wall_clock, receive, outbox.report)
    console = Console(
        store, office, wall_clock, nudge,
        secure_cookies=bool(settings.public_url and settings.public_url.startswith("https")),
        banners=lambda: banners(policy), files=files,
    )  # fmt: skip
    changed.append(console.conversation_changed)
    fetching = Fetching(store, office, channels, files, wall_clock, nudge)
    api = Api(store, office, wall_clock, per_minute=settings.api_per_minute)
    webhooks = Webhooks(store, office, wall_clock, give_up_after=timedelta(days=settings.webhook_days))
    promises = Promises(store, office, wall_clock, nudge)
    surveys = Surveys(store, office, links, wall_clock, nudge)
    Gauge("doorstep_sends_in_flight", "Sends under way", registry=figures).set_function(lambda: outbox.in_flight)
    return Doorstep(
        settings, wall_clock, store, office, triage, intake, outbox, handovers, fetching, calls, promises, surveys, console,
        api, webhooks, web_channel, channels, figures, more_routes, on_call=on_call,
    )  # fmt: skip


def _reach_on_call(
    settings: Settings, wall_clock: WallClock, handovers: Handovers, calls: Calls, on_call: dict[str, Route]
) -> Sequence[web.AbstractRouteDef]:
    """Add the ways to reach people on call that the settings give; returns what Twilio calls about our calls."""
    if settings.smtp_url is not None:
        on_call["email"] = ByEmail(settings.smtp_url, wall_clock)
    if settings.emergency_line_webhook_secret is not None:
        on_call["webhook"] = ByWebhook(settings.emergency_line_webhook_secret.get_secret_value(), wall_clock)
    if not settings.sms_on or not (settings.twilio_voice_from or settings.twilio_from or "").startswith("+"):
        return []

    async def asked(call: str) -> Script | None:
        return await handovers.asked(call) or await calls.asked(call)

    async def pressed(call: str, key: str) -> Script | None:
        return await handovers.pressed(call, key) or await calls.pressed(call, key)

    async def ended(call: str, outcome: str, error: str | None) -> bool:
        return await handovers.ended(call, outcome, error) or await calls.ended(call, outcome, error)

    async def machine(call: str) -> str:
        return await calls.machine(call) or handovers.machine()

    voice = VoiceChannel(settings, asked=asked, pressed=pressed, ended=ended, machine=machine)
    on_call["call"] = ByCall(voice)
    return voice.routes()


def _line(settings: Settings) -> dict[str, str]:
    """How the 24-hour line is reached, by route."""
    given = {
        "call": settings.emergency_line_call, "text": settings.emergency_line_text,
        "email": settings.emergency_line_email, "webhook": settings.emergency_line_webhook,
    }  # fmt: skip
    return {route: address for route, address in given.items() if address is not None}


async def build(settings: Settings, wall_clock: WallClock) -> web.Application:
    """The whole product as one aiohttp application; starting and stopping it starts and stops everything."""
    return assemble(settings, wall_clock).application()


def banners(policy: Policy) -> Sequence[str]:
    """What every member of staff must know before trusting this installation."""
    texts = []
    if policy.emergency_phone is None or not policy.emergency_phone.verified:
        texts.append(
            "The emergency number of this association has not been verified. Tenants in danger are given the national "
            "numbers only."
        )
    return texts


def _web_channel(
    settings: Settings,
    wall_clock: WallClock,
    receive: Callable[[Inbound], Awaitable[int]],
    office: Office,
    outbox: Outbox,
    triage: Triage,
) -> WebChannel:
    async def history(session_id: str, after: int) -> Sequence[WebMessage]:
        messages = await outbox.transcript(ChannelName.WEB, session_id, after)
        sent = office.wording.label("upload", "sent")
        return [_as_shown(each, sent) for each in messages]

    async def acknowledge(session_id: str, seq: int) -> None:
        await outbox.seen(ChannelName.WEB, session_id, seq)

    own_sites = [office.policy.website] if office.policy.website else []
    return WebChannel(
        settings, wall_clock,
        receive=receive, history=history, acknowledge=acknowledge,
        open_now=lambda: office.policy.calendar.is_open(wall_clock.now()),
        service_name=office.policy.service_name,
        numbers=lambda: office.numbers_to_ring(wall_clock.now()),
        urgent=lambda text: triage.assess(text).advice,
        privacy_url=office.privacy_url or "/privacy",
        # The association's own website may embed the chat; no other may.
        frame_ancestors=("'self'", *own_sites), allowed_origins=own_sites,
    )  # fmt: skip


def _as_shown(message: Message, sent: str) -> WebMessage:
    """`sent` stands for photos that came by link: the page shows words."""
    return WebMessage(
        seq=message.seq, id=message.id if message.direction == "out" else (message.provider_id or "").rpartition(":")[2],
        author=message.author, name=message.author_name,
        text=message.text or (sent if message.kind == "media" else ""),
        choices=tuple(Choice(each["label"], each["value"]) for each in message.choices), at=message.created_at,
        urgent=message.urgent,
    )  # fmt: skip


def _distinct(channels: Mapping[ChannelName, Channel]) -> list[Channel]:
    return list(dict.fromkeys(channels.values()))
