"""Asking a manager for an authorisation (BHA 68): handed over like an emergency, to those rungs that may give one."""

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from bot.desk import task as tasks
from bot.desk.conversation import NotAllowed, record
from bot.desk.handover import WAITING, Took, locked, new, rungs_of
from bot.desk.office import Office
from bot.store import conversations
from bot.store.tables import Case, Handover, HandoverState, Staff


def ask(session: Session, office: Office, case: Case, question: str, staff: Staff, *, now: datetime) -> Handover:
    """Ask those who may authorise, rung by rung, until one answers. Raises NotAllowed without a question, or with nobody to
    ask."""
    if not question.strip():
        raise NotAllowed("Say what you need authority for.")
    rungs = rungs_of(office, "authority")
    if not rungs:
        raise NotAllowed("The policy names nobody who may authorise anything. Ring a manager.")
    asked = new(session, office, case, purpose="authority", now=now)
    asked.rung, asked.question, asked.asked_by = rungs[0], question.strip(), staff.id
    session.flush()
    record(session, office, "authority_asked", asked.id, actor=staff.id, now=now, case=case.id)
    return asked


def answer(
    session: Session, office: Office, handover_id: str, *, granted: bool, by: str, how: str, now: datetime,
    rung: int | None = None, note: str = "",
) -> Took:  # fmt: skip
    """A manager has answered: whoever asked is told by a task in the console."""
    asked = locked(session, handover_id)
    if asked.state != WAITING:
        return Took.ALREADY
    state = HandoverState.GRANTED if granted else HandoverState.REFUSED
    asked.state, asked.next_at, asked.taken_at, asked.taken_by, asked.how = state.value, None, now, by, how
    asked.taken_rung, asked.reason = rung, note or None
    session.add(asked)
    conversation = conversations.load(session, asked.conversation_id)
    assert conversation is not None, "a case has a conversation"
    tasks.add(
        session, office, conversation, f"authority_{state.value}", due_at=now + timedelta(minutes=15), now=now,
        case_id=asked.case_id, detail=f"{by}: {asked.question}", urgent=True,
    )  # fmt: skip
    record(
        session, office, f"authority_{state.value}", asked.id, actor="provider", now=now, how=how, case=asked.case_id
    )
    return Took.TAKEN


def drop(session: Session, office: Office, case_id: str, staff: Staff, *, now: datetime) -> None:
    """The case is closed: nobody is asked any more."""
    for waiting in asked(session, case_id):
        if waiting.state == WAITING:
            waiting.state, waiting.next_at, waiting.reason = (
                HandoverState.STOOD_DOWN.value,
                None,
                "The case was closed.",
            )
            session.add(waiting)
            record(session, office, "authority_dropped", waiting.id, actor=staff.id, now=now, case=case_id)


def asked(session: Session, case_id: str) -> list[Handover]:
    """What managers were asked about a case, in order."""
    return list(
        session.exec(
            select(Handover)
            .where(Handover.case_id == case_id, Handover.purpose == "authority")
            .order_by(col(Handover.started_at))
        )
    )
