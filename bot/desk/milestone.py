"""What staff record about a case as it goes along: attended, made safe, completed, decided, stage 2, who deals with it.

What has happened is evidence: it meets the clocks that it keeps, and starts those that begin with it.
"""

from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from bot.desk import clock as clocks
from bot.desk import reach
from bot.desk import survey as surveys
from bot.desk import task as tasks
from bot.desk.conversation import NotAllowed, record
from bot.desk.office import Office
from bot.messages import Say
from bot.sla.commitment import OUTCOMES
from bot.store.tables import Case, Clock, Contact, Event, Staff

MADE_SAFE: Final = "made_safe"
HANDLER_NAMED: Final = "handler_named"
"""The event that says that the tenant was told who deals with a complaint."""
_STARTS: Final = {
    "completed": "repair_completed", "investigation_completed": "investigation_completed", "check_recorded": "check_recorded",
}  # fmt: skip
"""What begins with it (`bot.sla.commitment.EVENTS`)."""
_BY_MESSAGE: Final = frozenset({"update", "formal_ack"})
"""Only a message to the tenant proves these."""


def reached(
    session: Session, office: Office, case: Case, outcome: str, staff: Staff, *, now: datetime, at: datetime | None = None
) -> list[Clock]:  # fmt: skip
    """`outcome` (one of `OUTCOMES`, or `made_safe`) happened at `at`: the clocks that it keeps, which are met now.

    Twice is once: the first time stands. Raises NotAllowed for what only a message can prove, or a time still to come.
    """
    at = at or now
    if outcome not in OUTCOMES | {MADE_SAFE} or outcome in _BY_MESSAGE:
        raise NotAllowed(f"{outcome} cannot be recorded by hand.")
    if at > now or at < case.received_at:
        raise NotAllowed("Give a time between the report and now.")
    column = {"attended": "attended_at", MADE_SAFE: "made_safe_at", "completed": "completed_at"}.get(outcome)
    if column is not None and getattr(case, column) is None:
        setattr(case, column, at)
        session.add(case)
    record(session, office, f"case_{outcome}", case.id, actor=staff.id, now=now, at=at.isoformat())
    met = clocks.meet(session, office, case, outcome, at=at, actor=staff.id, now=now) if outcome in OUTCOMES else []
    if outcome in _STARTS:
        clocks.start_event(session, office, case, _STARTS[outcome], at=at, now=now)
    if outcome == "completed":
        surveys.plan(session, office, case, at=at, now=now)
    elif outcome == "survey_sent":
        surveys.sent_by_hand(session, case, now=now)
    return met


def assign(session: Session, office: Office, case: Case, owner: Staff, staff: Staff, *, now: datetime) -> None:
    """Give a case to a member of staff: they are asked and warned about its promises. Raises NotAllowed if it is closed, or
    they have left."""
    if case.state != "open" or owner.disabled_at is not None:
        raise NotAllowed("Only an open case can be given to somebody, and only to somebody who works here.")
    case.owner_id = owner.id
    session.add(case)
    record(session, office, "case_assigned", case.id, actor=staff.id, now=now, owner=owner.id)


def assign_team(session: Session, office: Office, case: Case, team: str, staff: Staff, *, now: datetime) -> None:
    """Give a case to a whole team of the policy's, by its name. Raises NotAllowed if it is closed, or there is none."""
    found = next((each for each, _ in office.policy.teams if each.name == team), None)
    if case.state != "open" or found is None:
        raise NotAllowed("Only an open case can be given to a team, and only to one of the policy's.")
    case.owner_id, case.team = None, found.label
    session.add(case)
    record(session, office, "case_assigned", case.id, actor=staff.id, now=now, team=team)


def name_handler(session: Session, office: Office, case: Case, name: str, staff: Staff, *, now: datetime) -> None:
    """Say who deals with a complaint: told to the tenant, it is the formal acknowledgement (BHA 94), and so is every later
    change of the name. Raises NotAllowed for anything but an open complaint, or a name that the tenant was told already."""
    if case.kind != "complaint" or case.state != "open" or not name.strip():
        raise NotAllowed("Only an open complaint is given a named handler.")
    named = session.exec(
        select(Event)
        .where(Event.subject == case.id, Event.verb == HANDLER_NAMED)
        .order_by(col(Event.at), col(Event.id))
    ).all()
    at_this_stage = [each for each in named if each.detail.get("stage") == case.stage]
    if at_this_stage and case.handler == name.strip():
        raise NotAllowed(f"The tenant was told already that {case.handler} deals with this.")
    case.handler = name.strip()
    session.add(case)
    tasks.answered(session, office, case.id, "name_complaint_handler", staff, now=now)
    nth = len(at_this_stage) + 1
    record(session, office, HANDLER_NAMED, case.id, actor=staff.id, now=now, stage=case.stage, nth=nth)
    once = f"handler:{case.id}:{case.stage}:{nth}"
    _formal(session, office, case, "utter_handler_named", staff, once=once, now=now)


def stage2(session: Session, office: Office, case: Case, staff: Staff, *, now: datetime) -> list[Clock]:
    """Take a complaint or an appeal to its second stage, also after it was closed at the first: its clocks start now.

    Raises NotAllowed if it is neither, or is there already.
    """
    if not (case.kind == "complaint" or case.category == "appeal") or case.stage == 2:
        raise NotAllowed("Only a complaint or an appeal at stage 1 can go to stage 2.")
    for clock in clocks.of_case(session, case.id):
        if clock.commitment != clocks.PROGRESS_UPDATE:
            clocks.end(session, office, clock, "The case went to stage 2.", actor=staff.id, now=now)
    case.stage, case.state, case.closed_at, case.closed_as = 2, "open", None, None
    session.add(case)
    session.flush()
    started = clocks.start_event(session, office, case, "stage2", at=now, now=now)
    clocks.next_update(session, office, case, since=now, now=now)
    record(session, office, "case_stage2", case.id, actor=staff.id, now=now)
    _formal(session, office, case, "utter_stage2", staff, once=f"stage2:{case.id}", now=now)
    return started


def _formal(session: Session, office: Office, case: Case, key: str, staff: Staff, *, once: str, now: datetime) -> None:
    """The written acknowledgement of a stage: formal only once it names who deals with it."""
    running = [
        each for each in clocks.of_case(session, case.id) if each.state == "running" and each.met_by != "formal_ack"
    ]
    promises = [
        {"say": name, "due": office.day_in_words(each.due_at, now)}
        for each in running
        if office.wording.has(name := f"utter_promise_{each.commitment}")
    ]
    acknowledges = select(Clock).where(Clock.case_id == case.id, Clock.state == "running", Clock.met_by == "formal_ack")
    waiting = list(session.exec(acknowledges)) if case.handler else []
    says = [Say(key, {
        "reference": case.reference, "handler": case.handler, "team": case.team, "stage": case.stage,
        "promises": promises or None,
    })]  # fmt: skip
    for clock in waiting:
        clocks.answered(session, office, clock, now=now)
    sent = reach.send(
        session, office, session.get_one(Contact, case.contact_id), case, says, kind="acknowledgement", once=once, now=now,
        about={"meets": [each.id for each in waiting], "formal": case.handler is not None}, staff=staff,
        due=min((each.due_at for each in waiting), default=now),
    )  # fmt: skip
    reach.note(session, office, waiting, sent, now=now)
