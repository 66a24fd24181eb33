"""Work on a case in the console: tell the tenant how it stands, write down what happened, name who deals with a complaint,
take it to stage 2, stop a clock, give a later date, close it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Final, Protocol

from aiohttp import web
from sqlmodel import Session, col, select

from bot.console.explanations import Explanations
from bot.desk import case as cases
from bot.desk import choice, milestone, update
from bot.desk import clock as clocks
from bot.desk import handover as handovers
from bot.desk import survey as surveys
from bot.desk import task as tasks
from bot.desk.case import ENDINGS
from bot.desk.choice import Choice
from bot.desk.conversation import NotAllowed
from bot.desk.milestone import MADE_SAFE
from bot.desk.office import Office
from bot.desk.staff import ACTING_ROLES, SignedIn
from bot.desk.update import Content, Draft
from bot.desk.why import HOW
from bot.sla import Commitment
from bot.sla.calendar import at_local
from bot.sla.commitment import PAUSES
from bot.store.tables import FIRST_RESPONSE_EVIDENCE, Case, Clock, ClockState, HandoverState, Staff, SurveyState, Task

NAME_HANDLER: Final = "name_complaint_handler"
LONGEST_WORDS: Final = 1500
"""Characters of what a tenant is told in one field: two of them still fit one message of every channel."""
LONGEST_LINE: Final = 200
_MANAGERS: Final = frozenset({"manager", "administrator"})
_REPAIR: Final = ("attended", MADE_SAFE, "completed")
_BY_MESSAGE: Final = frozenset({"update", "formal_ack"})

Work = Callable[[Session, Staff, datetime], None]
Do = Callable[[Session, Case, Mapping[str, str], Staff, datetime], None]
Guard = Callable[[Callable[[web.Request, SignedIn], Awaitable[web.StreamResponse]]], Any]


class Act(Protocol):
    """Carries out a work as whoever is signed in. `typed` is shown again if it is refused; `at` is where the page opens."""

    def __call__(
        self, request: web.Request, who: SignedIn, conversation_id: str | None, work: Work, *,
        typed: Mapping[str, str], at: str,
    ) -> Awaitable[web.StreamResponse]: ...  # fmt: skip


# --- what can be done


@dataclass(frozen=True, slots=True)
class OnClock:
    """What can be done about one promise."""

    late: bool
    """The tenant can be told that it will not be kept in time, or was not."""
    pauses: Sequence[tuple[str, str]]
    """What may stop it: id and words."""
    resumes: bool
    later: str | None
    """How far it can be put off: `agreed`, or the day that the policy allows, in words."""
    chooses: Sequence[tuple[str, str]]
    """How the tenant can have told us that they want a later day than the one offered: id and words; nothing if the policy
    leaves them no choice."""
    offered_until: str
    """The last day that could be offered."""


@dataclass(frozen=True, slots=True)
class Doable:
    """What can be done with one case by one member of staff."""

    draft: Draft | None = None
    asked: bool = False
    """An update is asked for, and waits."""
    outcomes: Sequence[tuple[str, str]] = ()
    names_handler: bool = False
    stage2: bool = False
    endings: Sequence[tuple[str, str]] = ()
    clocks: Mapping[str, OnClock] = field(default_factory=dict)
    owners: Sequence[tuple[str, str]] = ()
    """To whom it can be given: `staff:<id>` or `team:<name>`, and the words for it."""
    survey: bool = False
    """An answer to its survey can be taken down."""


def doable(session: Session, office: Office, words: Explanations, case: Case, me: Staff, *, now: datetime) -> Doable:
    """What the forms of a case offer. What is offered can still be refused: the desk decides when it is done."""
    stage2 = (case.kind == "complaint" or case.category == "appeal") and case.stage != 2
    survey = surveys.of_case(session, case.id)
    asked_how = survey is not None and survey.state in {SurveyState.WAITING, SurveyState.SENT}
    if case.state != "open":
        return Doable(stage2=stage2, survey=asked_how)
    all_clocks = clocks.of_case(session, case.id)
    draft, asked = _draft(session, office, case, all_clocks, now=now)
    return Doable(
        draft=draft, asked=asked, outcomes=[(each, words.outcome(each)) for each in _outcomes(session, case, all_clocks)],
        names_handler=case.kind == "complaint", stage2=stage2,
        endings=[(each, words.ending(each)) for each in ENDINGS],
        clocks={each.id: _on_clock(session, office, each, me, now=now) for each in all_clocks if each.state in clocks.OPEN},
        owners=_owners(session, office, case), survey=asked_how,
    )  # fmt: skip


def _draft(
    session: Session, office: Office, case: Case, found: Sequence[Clock], *, now: datetime
) -> tuple[Draft | None, bool]:
    running = next((each for each in found if each.commitment == clocks.PROGRESS_UPDATE and _runs(each)), None)
    if running is None:
        return None, False
    asked = session.exec(
        select(Task).where(Task.clock_id == running.id, Task.kind == clocks.ASKED, col(Task.done_at).is_(None))
    ).first()
    return update.draft(session, office, case, running, asked.id if asked else "", now=now), asked is not None


def _owners(session: Session, office: Office, case: Case) -> list[tuple[str, str]]:
    working = (
        select(Staff).where(col(Staff.disabled_at).is_(None), col(Staff.role).in_(ACTING_ROLES)).order_by(Staff.name)
    )
    people = [(f"staff:{each.id}", ", ".join(filter(None, (each.name, each.team)))) for each in session.exec(working)]
    teams = [(f"team:{team.name}", f"{team.label} (nobody in particular)") for team, _ in office.policy.teams]
    now_with = f"staff:{case.owner_id}" if case.owner_id else ""
    return [each for each in (*people, *teams) if each[0] != now_with]


def _outcomes(session: Session, case: Case, found: Sequence[Clock]) -> list[str]:
    """What staff may have to write down: what the open promises wait for, and the steps of a repair."""
    waited_for = [
        each.met_by
        for each in found
        if each.state in clocks.OPEN and each.met_by not in clocks.PROVEN_BY_WORDS | _BY_MESSAGE
    ]
    steps = (
        list(_REPAIR if case.priority == "emergency" else ("attended", "completed")) if case.kind == "repair" else []
    )
    done = {"attended": case.attended_at, MADE_SAFE: case.made_safe_at, "completed": case.completed_at}
    handover = handovers.of_case(session, case.id)
    if handover is not None and handover.state != HandoverState.STOOD_DOWN:
        waited_for = [each for each in waited_for if each != "attended"]  # said where the emergency is dealt with
        steps = ["completed"]
    return [each for each in dict.fromkeys([*steps, *waited_for]) if done.get(each) is None]


def _on_clock(session: Session, office: Office, clock: Clock, me: Staff, *, now: datetime) -> OnClock:
    rule = clocks.commitment_of(session, office, clock)
    runs = clock.state == ClockState.RUNNING
    return OnClock(
        # What a reply keeps needs no word about being late: the reply is the word.
        late=clock.met_by not in FIRST_RESPONSE_EVIDENCE | _BY_MESSAGE and _runs(clock),
        pauses=[(each, PAUSES[each]) for each in sorted(rule.pauses)] if runs else [],
        resumes=clock.state == ClockState.PAUSED,
        later=_later(session, office, clock, rule, now=now) if runs and me.role in _MANAGERS else None,
        chooses=list(HOW.items()) if now <= clock.due_at and choice.may_choose(session, office, clock) else [],
        offered_until=office.local(clock.due_at).date().isoformat(),
    )


def _later(session: Session, office: Office, clock: Clock, rule: Commitment, *, now: datetime) -> str | None:
    if rule.extension_agreed:
        return "agreed"
    if clock.extends_id is not None or not (rule.extension or rule.extension_months):
        return None
    policy = clocks.policy_of(session, office, clock)
    return office.day_in_words(policy.explain(clock.commitment, clock.started_at, extended=True).due, now)


def _runs(clock: Clock) -> bool:
    return clock.state in {ClockState.RUNNING, ClockState.MISSED}


# --- doing it


class Casework:
    """The forms of a case, each carried out by its desk function."""

    def __init__(self, office: Office, act: Act) -> None:
        self._office = office
        self._act = act

    def routes(self, inside: Guard) -> Sequence[web.AbstractRouteDef]:
        work: Mapping[str, Do] = {
            "update": self._update, "record": self._record, "handler": self._handler, "stage2": self._stage2,
            "pause": self._pause, "resume": self._resume, "extend": self._extend, "later-day": self._later_day,
            "close": self._close,
            "assign": self._assign, "survey": self._survey,
        }  # fmt: skip
        return [web.post(f"/staff/cases/{{id}}/{verb}", inside(self._doing(do))) for verb, do in work.items()]

    def _doing(self, do: Do) -> Callable[[web.Request, SignedIn], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request, who: SignedIn) -> web.StreamResponse:
            case_id = request.match_info["id"]
            sent = await request.post()
            # Browsers send line ends as CR LF; channels count and send plain ones.
            form = {name: str(value).replace("\r\n", "\n").strip() for name, value in sent.items() if name != "csrf"}

            def work(session: Session, me: Staff, now: datetime) -> None:
                case = session.get(Case, case_id)
                if case is None:
                    raise NotAllowed("There is no such case.")
                _check_lengths(form)
                do(session, case, form, me, now)

            typed = form | {"action": request.path}
            return await self._act(
                request, who, form.get("conversation") or None, work, typed=typed, at=f"case-{case_id}"
            )

        return handle

    def _update(self, session: Session, case: Case, form: Mapping[str, str], me: Staff, now: datetime) -> None:
        """Tell the tenant how it stands, or why a promise will be late."""
        expected = _day(form.get("expected", ""))
        if expected is not None and expected < self._office.local(now).date():
            raise NotAllowed("That day is over. Give a day from today on, or none.")
        content = Content(
            form.get("what", ""), form.get("reason") or None, form.get("next_step") or None, expected
        )  # fmt: skip
        update.give(session, self._office, _clock(session, case, form).id, content, me, now=now)

    def _record(self, session: Session, case: Case, form: Mapping[str, str], me: Staff, now: datetime) -> None:
        """Write down what happened, now or earlier."""
        if case.state != "open":
            raise NotAllowed("This case is closed: nothing more is written down about it.")
        outcome = form.get("outcome", "")
        at = _moment(form.get("at", ""))
        handover = handovers.of_case(session, case.id)
        if outcome in {"attended", MADE_SAFE} and handover is not None and handover.state != HandoverState.STOOD_DOWN:
            raise NotAllowed("Say so where it says who has this emergency: the tenant is told as well.")
        milestone.reached(session, self._office, case, outcome, me, now=now, at=at)

    def _handler(self, session: Session, case: Case, form: Mapping[str, str], me: Staff, now: datetime) -> None:
        """Name who deals with a complaint, and tell the tenant."""
        milestone.name_handler(session, self._office, case, form.get("name", ""), me, now=now)
        self._tick_off(session, case, NAME_HANDLER, me, now)

    def _stage2(self, session: Session, case: Case, form: Mapping[str, str], me: Staff, now: datetime) -> None:
        if name := form.get("name", ""):
            case.handler = name
        milestone.stage2(session, self._office, case, me, now=now)

    def _pause(self, session: Session, case: Case, form: Mapping[str, str], me: Staff, now: datetime) -> None:
        clock = _clock(session, case, form)
        clocks.pause(session, self._office, clock, form.get("why", ""), form.get("reason", ""), me, now=now)

    def _resume(self, session: Session, case: Case, form: Mapping[str, str], me: Staff, now: datetime) -> None:
        clocks.resume(session, self._office, _clock(session, case, form), me, now=now)

    def _extend(self, session: Session, case: Case, form: Mapping[str, str], me: Staff, now: datetime) -> None:
        """Give a later date, and tell the tenant why."""
        clock = _clock(session, case, form)
        until = _day(form.get("until", ""))
        update.extend(session, self._office, clock.id, form.get("reason", ""), me, now=now, until=until)

    def _later_day(self, session: Session, case: Case, form: Mapping[str, str], me: Staff, now: datetime) -> None:
        """The tenant chose a later day than the one that was offered."""
        offered, chosen = _day(form.get("offered", "")), _day(form.get("chosen", ""))
        if offered is None or chosen is None:
            raise NotAllowed("Give both days: the one that was offered, and the one that the tenant chose.")
        made = Choice(offered, chosen, form.get("reason", ""), form.get("how", ""))
        choice.choose_later(session, self._office, _clock(session, case, form), made, me, now=now)

    def _close(self, session: Session, case: Case, form: Mapping[str, str], me: Staff, now: datetime) -> None:
        """Close a case with the outcome that the tenant reads."""
        cases.close(session, self._office, case, form.get("outcome", ""), me, now=now, as_=form.get("as", "done"))

    def _assign(self, session: Session, case: Case, form: Mapping[str, str], me: Staff, now: datetime) -> None:
        """Give a case to a person, or to a team."""
        kind, _, who = form.get("to", "").partition(":")
        if kind == "team":
            milestone.assign_team(session, self._office, case, who, me, now=now)
            return
        owner = session.get(Staff, who)
        if owner is None or owner.role not in ACTING_ROLES:
            raise NotAllowed("There is nobody of that name to give it to.")
        milestone.assign(session, self._office, case, owner, me, now=now)

    def _survey(self, session: Session, case: Case, form: Mapping[str, str], me: Staff, now: datetime) -> None:
        """Write down an answer that came by telephone or letter."""
        score = form.get("score", "")
        if score not in {str(each) for each in surveys.SCORES}:
            raise NotAllowed("Choose how happy they are.")
        surveys.take_down(session, self._office, case, int(score), form.get("what", ""), me, now=now)

    def _tick_off(self, session: Session, case: Case, kind: str, me: Staff, now: datetime) -> None:
        waiting = select(Task.id).where(Task.case_id == case.id, Task.kind == kind, col(Task.done_at).is_(None))
        for task_id in session.exec(waiting).all():
            tasks.done(session, self._office, task_id, me, now=now)


def _clock(session: Session, case: Case, form: Mapping[str, str]) -> Clock:
    clock = session.get(Clock, form.get("clock", ""))
    if clock is None or clock.case_id != case.id:
        raise NotAllowed("There is no such promise on this case.")
    return clock


def _check_lengths(form: Mapping[str, str]) -> None:
    for name, value in form.items():
        most = LONGEST_WORDS if name in {"what", "outcome"} else LONGEST_LINE * 2
        if len(value) > most:
            raise NotAllowed(f"That is {len(value)} characters; {most} is the most here.")


def _day(given: str) -> date | None:
    if not given:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise NotAllowed("Give the day as year-month-day, such as 2026-12-24.") from error


def _moment(given: str) -> datetime | None:
    """A local time of day as a form sends it: `2026-12-24T09:30`."""
    if not given:
        return None
    try:
        there = datetime.fromisoformat(given)
    except ValueError as error:
        raise NotAllowed("Give the time as year-month-day and hour, such as 2026-12-24 09:30.") from error
    return at_local(there.date(), time(there.hour, there.minute))
