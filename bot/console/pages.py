"""The console's pages and what can be done on them. Every change is a desk function, carried out with the check of who asks
in one transaction; afterwards `nudge` lets the outbox send."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlmodel import Session

from bot.console.attachments import Attachments
from bot.console.auth import Door
from bot.console.board import READ_IN_CONFIDENCE, Board, Dossier, Holder, Reader, View, holder_id, read_lately
from bot.console.casework import LONGEST_LINE, LONGEST_WORDS, Casework
from bot.console.emergencies import LONGEST_REASON, Emergencies
from bot.console.explanations import load_explanations
from bot.console.live import Live
from bot.console.people import People
from bot.console.policy import PolicyPage
from bot.console.reports import Reports
from bot.desk import conversation as desk
from bot.desk import handover as handovers
from bot.desk import staff as accounts
from bot.desk import survey as surveys
from bot.desk import task as tasks
from bot.desk.conversation import NotAllowed
from bot.desk.office import Office
from bot.desk.staff import SignedIn
from bot.store import Store, conversations
from bot.store.conversations import Superseded
from bot.store.files import Files
from bot.store.tables import Conversation, Owner, Staff
from bot.wallclock import WallClock
from bot.wording.dates import time_in_words

HERE: Final = Path(__file__).parent
LONGEST_REPLY: Final = 3000
"""Characters: with the signature it fits one Telegram message, the shortest limit of the channels that do not split."""

_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS: Final = {"Cache-Control": "no-store"}

Work = Callable[[Session, Staff, datetime], None]


class Console:
    """The staff console. `nudge` is called with a conversation's id after each change; `banners` returns what every member of
    staff must know, as plain sentences; `files` are those that tenants sent. `close` before the store."""

    def __init__(
        self, store: Store, office: Office, wall_clock: WallClock, nudge: Callable[[str], None], *, secure_cookies: bool,
        banners: Callable[[], Sequence[str]], files: Files,
    ) -> None:  # fmt: skip
        self._store = store
        self._office = office
        self._wall_clock = wall_clock
        self._nudge = nudge
        self._banners = banners
        explanations = load_explanations()
        self._reader = Reader(office, explanations)
        self._emergencies = Emergencies(office, self._act)
        self._casework = Casework(office, self._act)
        self._policy = PolicyPage(office, wall_clock, explanations.outcome, self._page)
        self._attachments = Attachments(store, office, files, wall_clock, self._page)
        self._people = People(store, office, wall_clock, self._page, self._carry_out)
        self._reports = Reports(store, office, wall_clock, self._page)
        self._door = Door(store, office, wall_clock, self._page, secure_cookies=secure_cookies)
        self._live = Live(store, wall_clock.now, _still_signed_in)
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._templates.filters |= {"clock": self._clock, "day": self._day, "moment": self._moment, "ago": _ago}
        self._files = {
            path.name: (path.read_bytes(), _TYPES[path.suffix])
            for path in sorted((HERE / "static").iterdir())
            if path.suffix in _TYPES
        }
        # One tag for all files: modules import each other, so they must change together.
        self._tag = hashlib.sha256(b"".join(content for content, _ in self._files.values())).hexdigest()[:12]

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        inside = self._door.open_to
        return [
            *self._door.routes(),
            web.get("/staff", inside(self.show_board), allow_head=False),
            web.get("/staff/", _to_board, allow_head=False),
            web.get("/staff/live", inside(self.live), allow_head=False),
            web.get("/staff/static/{name}", self.static),
            web.get("/staff/conversations/{id}", inside(self.show_conversation), allow_head=False),
            web.post("/staff/conversations/{id}/take-over", inside(self.take_over)),
            web.post("/staff/conversations/{id}/hand-back", inside(self.hand_back)),
            web.post("/staff/conversations/{id}/reply", inside(self.reply)),
            web.get("/staff/policy", inside(self._policy.show), allow_head=False),
            web.post("/staff/tasks/{id}/done", inside(self.task_done)),
            *self._emergencies.routes(inside),
            *self._casework.routes(inside),
            *self._people.routes(inside),
            *self._reports.routes(inside),
            *self._attachments.routes(inside),
        ]

    def conversation_changed(self, _conversation_id: str) -> None:
        """Something was written to a conversation: open pages are told at once."""
        self._live.nudge()

    async def close(self) -> None:
        await self._live.close()

    # --- reading

    async def show_board(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        return await self._screen(request, who, None)

    async def show_conversation(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        return await self._screen(request, who, request.match_info["id"])

    async def _screen(
        self, request: web.Request, who: SignedIn, conversation_id: str | None, *, status: int = 200,
        notice: str | None = None, draft: str = "", typed: Mapping[str, str] | None = None,
    ) -> web.Response:  # fmt: skip
        """The one screen there is: the list, the conversation if one is open, its case and what is to be done."""
        now = self._wall_clock.now()
        view = _view(request)

        def work(session: Session) -> tuple[Board, Dossier | None]:
            shown = self._reader.board(session, who.staff, view, now=now)
            open_one = (
                self._reader.dossier(session, conversation_id, who.staff, now=now)
                if conversation_id is not None
                else None
            )
            return shown, open_one

        shown, open_one = await self._store.read(work)
        if conversation_id is not None and open_one is None:
            return self._page(
                "message.html",
                status=404,
                who=who,
                title="There is no such conversation",
                text="The link may be wrong.",
            )
        if open_one is not None:
            await self._note_reading(open_one, who, now)
        return self._page(
            "board.html", status=status, who=who, csrf=who.csrf, board=shown, open=open_one, now=now, notice=notice,
            draft=draft, may_act=who.staff.role in accounts.ACTING_ROLES, Holder=Holder, View=View,
            banners=list(self._banners()), longest=LONGEST_REPLY, longest_reason=LONGEST_REASON, form_id=self._office.id(),
            typed=typed or {}, longest_words=LONGEST_WORDS, longest_line=LONGEST_LINE,
            today=self._office.local(now).date().isoformat(),
            scores=[(each, self._office.wording.label("survey", str(each))) for each in surveys.SCORES],
            here=request.path if open_one is None else f"/staff/conversations/{open_one.id}",
        )  # fmt: skip

    async def _note_reading(self, open_one: Dossier, who: SignedIn, now: datetime) -> None:
        """Who looks at the case of a person at risk is on record (need to know)."""
        in_confidence = [each.id for each in open_one.matters if each.sensitive]

        def unnoted(session: Session) -> list[str]:
            return [each for each in in_confidence if not read_lately(session, each, who.staff, now=now)]

        def note(session: Session) -> None:
            for case_id in unnoted(session):
                desk.record(session, self._office, READ_IN_CONFIDENCE, case_id, actor=who.staff.id, now=now)

        if in_confidence and await self._store.read(unnoted):
            await self._store.run(note)

    async def live(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        return await self._live.serve(request, who.token)

    async def static(self, request: web.Request) -> web.Response:
        found = self._files.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        content, media_type = found
        headers = {"ETag": f'"{self._tag}"', "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=content, content_type=media_type, charset="utf-8", headers=headers)

    # --- acting

    async def take_over(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """Answer from here on. The form says whom it saw holding the conversation: if somebody else has it by now, the
        person is told and decides again."""
        conversation_id = request.match_info["id"]
        seen = _text(await request.post(), "holder")

        def work(session: Session, me: Staff, now: datetime) -> None:
            conversation = conversations.load(session, conversation_id)
            if conversation is not None and holder_id(conversation) not in {seen, me.id}:
                raise Superseded(conversation_id)
            desk.take_over(session, self._office, conversation_id, me, now=now)
            handovers.take_in_conversation(session, self._office, conversation_id, me, now=now)

        return await self._act(request, who, conversation_id, work)

    async def hand_back(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """Let the bot answer again. Only who holds a conversation hands it back; anybody else takes it over first."""
        conversation_id = request.match_info["id"]

        def work(session: Session, me: Staff, now: datetime) -> None:
            self._check_held_by(session, conversation_id, me)
            desk.hand_back(session, self._office, conversation_id, me, now=now)

        return await self._act(request, who, conversation_id, work)

    async def reply(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """Send a person's words, signed with their name, role and team."""
        conversation_id = request.match_info["id"]
        form = await request.post()
        # Browsers send line ends as CR LF; channels count and send plain ones.
        text, form_id = _text(form, "text").replace("\r\n", "\n").strip(), _text(form, "form")[:32]
        ticked = [each for each in form.getall("news", []) if isinstance(each, str)]

        def work(session: Session, me: Staff, now: datetime) -> None:
            if not text:
                raise NotAllowed("There is nothing to send yet. Write your reply first.")
            if len(text) > LONGEST_REPLY:
                raise NotAllowed(
                    f"This reply has {len(text)} characters; {LONGEST_REPLY} is the most. Send it in two parts."
                )
            self._check_held_by(session, conversation_id, me)
            news_of = desk.own_cases(session, conversation_id, ticked)
            if accounts.is_again(session, form_id, me):
                return  # the button was pressed twice, or the page was sent again
            message = desk.reply(session, self._office, conversation_id, me, text, now=now, news_of=news_of)
            desk.record(
                session, self._office, accounts.FORM_SENT, form_id, actor=me.id, now=now, message=message.id,
                conversation=conversation_id,
            )  # fmt: skip

        return await self._act(request, who, conversation_id, work, draft=text)

    async def task_done(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """Tick a task off."""
        task_id, form = request.match_info["id"], await request.post()
        back = _text(form, "conversation")

        def work(session: Session, me: Staff, now: datetime) -> None:
            task = tasks.done(session, self._office, task_id, me, now=now)
            if task is None:
                raise NotAllowed("There is no such task.")
            if task.kind in handovers.ALARMS:
                # "Done" of an emergency's alarm means that this person sees to it.
                handovers.take_in_conversation(session, self._office, task.conversation_id, me, now=now)

        return await self._act(request, who, back or None, work)

    async def _act(
        self, request: web.Request, who: SignedIn, conversation_id: str | None, work: Work, *, draft: str = "",
        typed: Mapping[str, str] | None = None, at: str = "",
    ) -> web.StreamResponse:  # fmt: skip
        """Carry out `work` as whoever is signed in *now*, then show the result. A refusal shows why, and keeps what was
        written: the draft of a reply, or what was `typed` in another form. `at` is the part of the page to show."""
        try:
            await self._carry_out(who, work)
        except NotAllowed as refusal:
            return await self._refused(request, who, conversation_id, str(refusal), draft, typed)
        except Superseded:
            holder = await self._holder_in_words(conversation_id, who)
            return await self._refused(
                request, who, conversation_id, f"{holder} Nothing was changed by you.", draft, typed
            )
        if conversation_id is not None:
            self._nudge(conversation_id)
        view = _view(request)
        target = f"/staff/conversations/{conversation_id}" if conversation_id is not None else "/staff"
        query, fragment = f"?view={view}" if view is not View.ALL else "", f"#{at}" if at else ""
        raise web.HTTPSeeOther(target + query + fragment)

    async def _carry_out(self, who: SignedIn, work: Work) -> None:
        """Carry out `work` as whoever is signed in *now*, and tell open pages. Raises NotAllowed if it is refused."""
        now = self._wall_clock.now()

        def whole(session: Session) -> None:
            # Asked again inside the transaction: an account may have been disabled since the request came in.
            current = accounts.signed_in(session, who.token, now=now)
            if current is None:
                raise NotAllowed("You have been signed out. Sign in again to go on.")
            accounts.check_may_act(current.staff)
            work(session, current.staff, now)

        await self._store.run(whole)
        self._live.nudge()

    async def _refused(
        self, request: web.Request, who: SignedIn, conversation_id: str | None, reason: str, draft: str,
        typed: Mapping[str, str] | None,
    ) -> web.Response:  # fmt: skip
        return await self._screen(request, who, conversation_id, status=409, notice=reason, draft=draft, typed=typed)

    def _check_held_by(self, session: Session, conversation_id: str, me: Staff) -> None:
        conversation = conversations.load(session, conversation_id)
        if conversation is None or holder_id(conversation) == me.id:
            return
        raise NotAllowed(f"{_holder_sentence(session, conversation)} Take it over first: then only you answer.")

    async def _holder_in_words(self, conversation_id: str | None, who: SignedIn) -> str:
        def work(session: Session) -> str:
            conversation = conversations.load(session, conversation_id or "", lock=False)
            if conversation is None:
                return "This has changed in the meantime."
            return f"This conversation has changed hands since you loaded the page. {_holder_sentence(session, conversation)}"

        return await self._store.read(work)

    # --- rendering

    def _page(self, template: str, *, status: int = 200, **values: Any) -> web.Response:
        values.setdefault("who", None)
        body = self._templates.get_template(template).render(
            service=self._office.policy.service_name, association=self._office.policy.name, tag=self._tag, **values
        )
        return web.Response(text=body, content_type="text/html", status=status, headers=_HEADERS)

    def _clock(self, instant: datetime) -> str:
        """The local time of day."""
        return time_in_words(self._office.local(instant).time())

    def _day(self, instant: datetime, now: datetime) -> str:
        """The local day: `Today`, `Yesterday`, or its date."""
        days = (self._office.local(now).date() - self._office.local(instant).date()).days
        return {0: "Today", 1: "Yesterday"}.get(days) or self._office.day_in_words(instant, now)

    def _moment(self, instant: datetime, now: datetime) -> str:
        """The local time, with the day unless that is today."""
        days = (self._office.local(instant).date() - self._office.local(now).date()).days
        day = {0: "today", 1: "tomorrow", -1: "yesterday"}.get(days) or f"on {self._office.day_in_words(instant, now)}"
        return f"{self._clock(instant)} {day}"


def _ago(instant: datetime, now: datetime) -> str:
    """How long ago, in one short figure."""
    minutes = max(0, math.floor((now - instant).total_seconds() / 60))
    if minutes < 1:
        return "just now"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 1440 else f"{minutes // 1440} d"


def _holder_sentence(session: Session, conversation: Conversation) -> str:
    if conversation.owner == Owner.STAFF:
        holder = session.get(Staff, conversation.assignee_id) if conversation.assignee_id else None
        return f"{holder.name if holder else 'A colleague'} is answering this conversation."
    return (
        "The bot is answering this conversation." if conversation.owner == Owner.BOT else "This conversation is closed."
    )


def _still_signed_in(session: Session, token: str, now: datetime) -> bool:
    return accounts.signed_in(session, token, now=now) is not None


def _view(request: web.Request) -> View:
    found = request.query.get("view", "")
    return View(found) if found in set(View) else View.ALL


async def _to_board(_request: web.Request) -> web.StreamResponse:
    raise web.HTTPMovedPermanently("/staff")


def _text(form: Any, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
