"""The pages that signed links open: take an emergency, report that somebody is there, answer a request for authority.

GET shows, POST does. The link is the permission: whoever has it was sent it. A name may be given; without one it is the
rung's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlmodel import Session

from bot.desk import authority
from bot.desk import handover as desk
from bot.desk.brief import brief
from bot.desk.office import Office
from bot.handover.climb import Handovers
from bot.links import Link, Links, Page
from bot.messages import Say
from bot.store import Store
from bot.store.tables import Case, Handover, HandoverState
from bot.wallclock import WallClock

HERE: Final = Path(__file__).parent
_HEADERS: Final = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
_REPORTS_FOR: Final = timedelta(days=7)
_LONGEST_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class _Subject:
    handover_id: str
    rung: int


class Pages:
    """`purposes` is what `bot.links` is to serve."""

    def __init__(self, store: Store, office: Office, handovers: Handovers, links: Links, wall_clock: WallClock) -> None:
        self._store = store
        self._office = office
        self._handovers = handovers
        self._links = links
        self._wall_clock = wall_clock
        self._templates = Environment(
            loader=FileSystemLoader(HERE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._style = (HERE / "page.css").read_bytes()

    @property
    def purposes(self) -> Mapping[str, Page]:
        return {"take": self._take, "report": self._report, "authority": self._authority}

    def routes(self) -> list[web.AbstractRouteDef]:
        return [web.get("/u/static/page.css", self._css)]

    async def _css(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._style, content_type="text/css", headers={"Cache-Control": "max-age=3600"})

    # --- what each does

    async def _take(self, request: web.Request, link: Link) -> web.StreamResponse:
        subject, now = _subject(link), self._wall_clock.now()
        if request.method == "POST":
            by = await self._name(request, subject)

            def work(session: Session) -> str:
                desk.take(session, self._office, subject.handover_id, by=by, how="link", now=now, rung=subject.rung)
                return session.get_one(Handover, subject.handover_id).conversation_id

            await self._handovers.moved(await self._store.run(work))
            token = self._links.token("report", link.subject, now + _REPORTS_FOR)
            raise web.HTTPSeeOther(f"/u/{token}")
        return await self._show(link, now)

    async def _report(self, request: web.Request, link: Link) -> web.StreamResponse:
        subject, now = _subject(link), self._wall_clock.now()
        if request.method == "POST":
            does = str((await request.post()).get("does", ""))

            def work(session: Session) -> str:
                handover = session.get_one(Handover, subject.handover_id)
                if handover.state == HandoverState.TAKEN and does == "safe":
                    desk.made_safe(session, self._office, handover, actor="provider", now=now)
                elif handover.state == HandoverState.TAKEN and does == "attended":
                    desk.attended(session, self._office, handover, actor="provider", now=now)
                return handover.conversation_id

            await self._handovers.moved(await self._store.run(work))
            raise web.HTTPSeeOther(request.path)
        return await self._show(link, now)

    async def _authority(self, request: web.Request, link: Link) -> web.StreamResponse:
        subject, now = _subject(link), self._wall_clock.now()
        if request.method == "POST":
            by, does = await self._name(request, subject), str((await request.post()).get("does", ""))

            def work(session: Session) -> str:
                if does in {"agree", "refuse"}:
                    authority.answer(
                        session, self._office, subject.handover_id, granted=does == "agree", by=by, how="link", now=now,
                        rung=subject.rung,
                    )  # fmt: skip
                return session.get_one(Handover, subject.handover_id).conversation_id

            await self._handovers.moved(await self._store.run(work))
            raise web.HTTPSeeOther(request.path)
        return await self._show(link, now)

    # --- showing

    async def _show(self, link: Link, now: datetime) -> web.Response:
        subject = _subject(link)

        def work(session: Session) -> tuple[dict[str, Any], str] | None:
            handover = session.get(Handover, subject.handover_id)
            if handover is None:
                return None
            about = brief(session, self._office, handover, now=now)
            case = session.get_one(Case, handover.case_id)
            args = {**about.args, "link": None}
            told = [about.alert.key, *_standing(handover, case)]
            lines = [self._words(Say(key, args), now) for key in told]
            return {"lines": lines, "buttons": _buttons(link.purpose, handover, case)}, self._words(
                Say("utter_line_page_title", args), now
            )

        found = await self._store.read(work)
        if found is None:
            return self.refusal()
        values, title = found
        buttons = [(does, self._label(does)) for does in values["buttons"]]
        return self._page(title, values["lines"], buttons, ask_name=any(does in _BY_NAME for does, _ in buttons))

    def refusal(self) -> web.Response:
        """The page for a link that cannot be used."""
        words = self._words(Say("utter_line_page_cannot"), self._wall_clock.now())
        return self._page(self._office.policy.service_name, [words], [], ask_name=False, status=404)

    def _page(
        self, title: str, texts: list[str], buttons: list[tuple[str, str]], *, ask_name: bool, status: int = 200
    ) -> web.Response:
        body = self._templates.get_template("page.html").render(
            service=self._office.policy.service_name, title=title, texts=[text.split("\n") for text in texts],
            buttons=buttons, name_label=self._label("name") if ask_name else None, longest=_LONGEST_NAME,
        )  # fmt: skip
        return web.Response(text=body, content_type="text/html", status=status, headers=_HEADERS)

    def _words(self, say: Say, now: datetime) -> str:
        return self._office.render([say], channel="page", now=now).text

    def _label(self, name: str) -> str:
        return self._office.wording.label("page", name)

    async def _name(self, request: web.Request, subject: _Subject) -> str:
        given = " ".join(str((await request.post()).get("name", "")).split())[:_LONGEST_NAME]
        rung = self._office.policy.ladder[subject.rung].name
        return f"{given} ({rung})" if given else rung


_BY_NAME: Final = frozenset({"take", "agree", "refuse"})


def _subject(link: Link) -> _Subject:
    handover_id, _, rung = link.subject.partition(":")
    return _Subject(handover_id, int(rung))


def _standing(handover: Handover, case: Case) -> list[str]:
    """What the page says about how it stands."""
    if handover.purpose == "authority":
        waiting = handover.state == HandoverState.WAITING
        return ["utter_line_page_authority" if waiting else "utter_line_page_answered"]
    told = {
        HandoverState.WAITING.value: "utter_line_page_waiting",
        HandoverState.TAKEN.value: "utter_line_page_taken",
    }.get(handover.state, "utter_line_page_over")
    reports = [("utter_line_page_attended", case.attended_at), ("utter_line_page_safe", case.made_safe_at)]
    return [told, *(key for key, at in reports if at is not None)]


def _buttons(purpose: str, handover: Handover, case: Case) -> list[str]:
    """A link does one thing: whoever has taken it is sent another for what comes after."""
    if purpose == "report":
        if handover.state != HandoverState.TAKEN or case.made_safe_at is not None:
            return []
        return ["safe"] if case.attended_at else ["attended", "safe"]
    if handover.state != HandoverState.WAITING:
        return []
    return ["agree", "refuse"] if purpose == "authority" else ["take"]
