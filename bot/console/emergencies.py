"""Emergencies in the console: who was alerted and who has it; take it, say who came, call it off, ask a manager."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from sqlmodel import Session

from bot.console.explanations import in_words
from bot.desk import authority
from bot.desk import call as calls
from bot.desk import handover as desk
from bot.desk.conversation import NotAllowed
from bot.desk.office import Office
from bot.desk.staff import SignedIn
from bot.store.tables import Case, Handover, HandoverState, Staff

Work = Callable[[Session, Staff, datetime], None]
Act = Callable[[web.Request, SignedIn, str | None, Work], Awaitable[web.StreamResponse]]
Guard = Callable[[Callable[[web.Request, SignedIn], Awaitable[web.StreamResponse]]], Any]

LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt to reach somebody."""

    who: str
    how: str
    outcome: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Handed:
    """How an emergency's handover stands."""

    state: str
    heading: str
    rung: str
    taken_by: str | None
    taken_at: datetime | None
    how: str | None
    next_at: datetime | None
    reason: str | None
    concerns: Sequence[str]
    attended_at: datetime | None
    made_safe_at: datetime | None
    tried: Sequence[Tried]
    rung_tenant: Sequence[Tried]
    """Calls to a tenant who takes no messages, to say the advice."""
    asked: Sequence[tuple[str, str]]
    """What managers were asked, and what they answered."""
    may_ask: bool


_HEADINGS: Final = {
    HandoverState.WAITING.value: "Nobody has taken it yet",
    HandoverState.TAKEN.value: "Taken",
    HandoverState.STOOD_DOWN.value: "Called off",
}
_OUTCOMES: Final = {
    "no_route": "no verified number or address", "no_answer": "no answer", "not_taken": "answered, not taken",
    "machine": "answering machine", "unknown": "perhaps sent", "answered": "answered, no key pressed",
    "heard": "heard, they pressed 1", "waiting": "to be rung", "not_made": "not made",
}  # fmt: skip


def handed(session: Session, office: Office, case: Case) -> Handed | None:
    """The handover of a case, for the screen; None if it was never handed over."""
    handover = desk.of_case(session, case.id)
    if handover is None:
        return None
    tried = [
        Tried(each.rung_name, in_words(each.route), _OUTCOMES.get(each.state, in_words(each.state).lower()), each.at)
        for each in desk.attempts(session, handover.id)
    ]
    return Handed(
        state=handover.state, heading=_HEADINGS[handover.state], rung=_rung(office, handover),
        taken_by=handover.taken_by, taken_at=handover.taken_at, how=handover.how, next_at=handover.next_at,
        reason=handover.reason, concerns=[office.wording.label("concern", each) for each in handover.concerns],
        attended_at=case.attended_at, made_safe_at=case.made_safe_at, tried=tried,
        rung_tenant=_rung_tenant(session, case.id),
        asked=[(each.question, _answer(each)) for each in authority.asked(session, case.id)],
        may_ask=any(rung.may_authorise for rung in office.policy.ladder),
    )  # fmt: skip


class Emergencies:
    """What staff can do about an emergency. `act` carries out a work as whoever is signed in, and shows the result."""

    def __init__(self, office: Office, act: Act) -> None:
        self._office = office
        self._act = act

    def routes(self, inside: Guard) -> Sequence[web.AbstractRouteDef]:
        return [
            web.post("/staff/cases/{id}/take", inside(self.take)),
            web.post("/staff/cases/{id}/report", inside(self.report)),
            web.post("/staff/cases/{id}/stand-down", inside(self.stand_down)),
            web.post("/staff/cases/{id}/authority", inside(self.ask)),
        ]

    async def take(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """Take an emergency: nobody else is alerted any more."""

        def work(session: Session, handover: Handover, _case: Case, _form: Any, me: Staff, now: datetime) -> None:
            took = desk.take(session, self._office, handover.id, by=me.name, how="console", now=now, staff=me)
            session.refresh(handover)
            if took is not desk.Took.TAKEN and handover.taken_staff_id != me.id:
                raise NotAllowed(f"{handover.taken_by or 'Somebody'} has taken this already.")

        return await self._do(request, who, work)

    async def report(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """Somebody is there, or it is safe."""

        def work(session: Session, handover: Handover, _case: Case, form: Any, me: Staff, now: datetime) -> None:
            done = desk.made_safe if form.get("does") == "safe" else desk.attended
            done(session, self._office, handover, actor=me.id, now=now)

        return await self._do(request, who, work)

    async def stand_down(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """Call it off, or make it a lesser repair, with a reason that the tenant is told."""

        def work(session: Session, handover: Handover, _case: Case, form: Any, me: Staff, now: datetime) -> None:
            priority = str(form.get("priority", "")) or None
            reason = str(form.get("reason", ""))[:LONGEST_REASON]
            desk.stand_down(session, self._office, handover, reason, me, now=now, priority=priority)

        return await self._do(request, who, work)

    async def ask(self, request: web.Request, who: SignedIn) -> web.StreamResponse:
        """Ask a manager for an authorisation."""

        def work(session: Session, _handover: Handover, case: Case, form: Any, me: Staff, now: datetime) -> None:
            question = str(form.get("question", ""))[:LONGEST_REASON]
            authority.ask(session, self._office, case, question, me, now=now)

        return await self._do(request, who, work)

    async def _do(
        self, request: web.Request, who: SignedIn,
        do: Callable[[Session, Handover, Case, Any, Staff, datetime], None],
    ) -> web.StreamResponse:  # fmt: skip
        case_id, form = request.match_info["id"], await request.post()

        def work(session: Session, me: Staff, now: datetime) -> None:
            case = session.get(Case, case_id)
            handover = desk.of_case(session, case_id)
            if case is None or handover is None:
                raise NotAllowed("There is no such emergency.")
            do(session, handover, case, form, me, now)

        return await self._act(request, who, str(form.get("conversation", "")) or None, work)


def _rung_tenant(session: Session, case_id: str) -> list[Tried]:
    return [
        Tried("Tenant", "call", _OUTCOMES.get(each.state, in_words(each.state).lower()), each.answered_at or each.at)
        for each in calls.of_case(session, case_id)
    ]


def _rung(office: Office, handover: Handover) -> str:
    return "staff console" if handover.rung < 0 else office.policy.ladder[handover.rung].name


def _answer(asked: Handover) -> str:
    if asked.state == HandoverState.WAITING:
        return "not answered yet"
    return f"{asked.state} by {asked.taken_by}"
