"""What tells an open page that something it shows has changed. Only ids and states of rows are compared."""

from sqlmodel import Session, col, func, select

from bot.console.board import SHOWN
from bot.store.tables import Case, Clock, Conversation, Handover, HandoverAttempt, Message, Task

Pulse = tuple[object, ...]
"""Something that differs when what it stands for has changed."""


def board_pulse(session: Session) -> Pulse:
    """Differs when the list, the alarms or the tasks have changed."""
    recent = session.exec(
        select(Conversation.id, Conversation.version).order_by(col(Conversation.last_message_at).desc()).limit(SHOWN)
    )
    waiting = session.exec(
        select(Conversation.id, Conversation.version).where(col(Conversation.needs_person).is_not(None))
    )
    open_tasks = session.exec(select(Task.id).where(col(Task.done_at).is_(None)).order_by(col(Task.id)))
    return (*(tuple(each) for each in recent), None, *sorted(tuple(each) for each in waiting), None, *open_tasks)


def conversation_pulse(session: Session, conversation_id: str) -> Pulse:
    """Differs when a conversation, the delivery of its messages, its tasks or its cases' promises have changed."""
    talk = session.exec(
        select(Conversation.version, Conversation.contact_id).where(Conversation.id == conversation_id)
    ).first()
    if talk is None:
        return ()
    messages = session.exec(
        select(Message.seq, Message.state).where(Message.conversation_id == conversation_id).order_by(col(Message.seq))
    )
    todo = session.exec(
        select(Task.id, Task.done_at).where(Task.conversation_id == conversation_id).order_by(col(Task.id))
    )
    promises = session.exec(
        select(Clock.id, Clock.state, Clock.told_at)
        .join(Case, col(Case.id) == Clock.case_id)
        .where(Case.contact_id == talk[1])
        .order_by(col(Clock.id))
    )
    cases = session.exec(
        select(Case.id, Case.state, Case.handler, Case.completed_at)
        .where(Case.contact_id == talk[1])
        .order_by(col(Case.id))
    )
    handovers = session.exec(
        select(Handover.id, Handover.state, func.count(col(HandoverAttempt.id)))
        .join(HandoverAttempt, col(HandoverAttempt.handover_id) == Handover.id, isouter=True)
        .where(Handover.conversation_id == conversation_id)
        .group_by(col(Handover.id), col(Handover.state))
        .order_by(col(Handover.id))
    )
    return (
        talk[0],
        *(tuple(each) for each in handovers),
        *(tuple(each) for each in messages),
        *(tuple(each) for each in todo),
        *(tuple(p) for p in promises),
        *(tuple(each) for each in cases),
    )
