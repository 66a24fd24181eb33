"""`/staff/reports`: what was promised and kept, the page to publish, and the evidence of a case as one file."""

import io
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

from aiohttp import web
from sqlmodel import Session

from bot.desk.conversation import record
from bot.desk.office import Office
from bot.desk.staff import SignedIn
from bot.reports import Report, evidence_pack, fragment, gather, public_page, write_csv
from bot.store import Store
from bot.store.tables import Case
from bot.wallclock import WallClock

MAY_TAKE_EVIDENCE: Final = frozenset({"manager", "auditor", "administrator"})
"""A pack holds a tenant's words, whole: it is for those who answer for the case, and its making is on record."""
LONGEST: Final = 800
"""Days in one report: a year, and the year before it to compare."""


class Reports:
    """The pages; they read, and write down who took evidence away."""

    def __init__(self, store: Store, office: Office, wall_clock: WallClock, page: Callable[..., web.Response]) -> None:
        self._store = store
        self._office = office
        self._wall_clock = wall_clock
        self._page = page

    def routes(self, inside: Callable[..., Callable[..., object]]) -> Sequence[web.AbstractRouteDef]:
        return [
            web.get("/staff/reports", inside(self.show), allow_head=False),  # type: ignore[arg-type]
            web.get("/staff/reports/public", inside(self.publish), allow_head=False),  # type: ignore[arg-type]
            web.get("/staff/reports/figures.csv", inside(self.figures), allow_head=False),  # type: ignore[arg-type]
            web.get("/staff/cases/{id}/evidence", inside(self.evidence), allow_head=False),  # type: ignore[arg-type]
        ]

    async def show(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        first, last, wrong = self._days(request)
        report = await self._gather(first, last)
        return self._page(
            "reports.html", who=who, csrf=who.csrf, figures=fragment(report), first=first.isoformat(),
            last=last.isoformat(), wrong=wrong,
        )  # fmt: skip

    async def publish(self, request: web.Request, _who: SignedIn) -> web.StreamResponse:
        first, last, _ = self._days(request)
        text = public_page(await self._gather(first, last))
        return _file(text, "text/html", f"targets-and-results-{first}-{last}.html")

    async def figures(self, request: web.Request, _who: SignedIn) -> web.StreamResponse:
        first, last, _ = self._days(request)
        file = io.StringIO(newline="")
        write_csv(await self._gather(first, last), file)
        return _file(file.getvalue(), "text/csv", f"performance-{first}-{last}.csv")

    async def evidence(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        if who.staff.role not in MAY_TAKE_EVIDENCE:
            return self._page(
                "message.html", status=403, who=who, title="Only managers can take evidence",
                text="It holds everything the tenant said. Ask a manager for it.",
            )  # fmt: skip
        now = self._wall_clock.now()

        def work(session: Session) -> tuple[str, str] | None:
            case = session.get(Case, request.match_info["id"])
            if case is None:
                return None
            record(session, self._office, "evidence_taken", case.id, actor=who.staff.id, now=now)
            session.flush()
            return case.reference, evidence_pack(session, self._office, case.reference, now=now)

        made = await self._store.run(work)
        if made is None:
            return self._page(
                "message.html", status=404, who=who, title="There is no such case", text="The link may be wrong."
            )
        return _file(made[1], "text/html", f"{made[0]}.html")

    async def _gather(self, first: date, last: date) -> Report:
        policy, now = self._office.policy, self._wall_clock.now()
        return await self._store.read(lambda session: gather(session, policy, first, last, now=now))

    def _days(self, request: web.Request) -> tuple[date, date, str | None]:
        """The days that were asked for; else the regulator's year so far, and what was wrong with what was asked."""
        today = self._office.local(self._wall_clock.now()).date()
        usual = date(today.year - (today < date(today.year, 4, 1)), 4, 1), today
        try:
            first = date.fromisoformat(request.query.get("from") or usual[0].isoformat())
            last = date.fromisoformat(request.query.get("to") or today.isoformat())
        except ValueError:
            return *usual, "Give both days as dates."
        if not first <= last or (last - first).days > LONGEST or not 2000 <= first.year <= last.year <= 2200:
            return *usual, "The first day has to come before the last, at most two years before."
        return first, last, None


def _file(text: str, content_type: str, name: str) -> web.Response:
    return web.Response(
        text=text, content_type=content_type, charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )  # fmt: skip
