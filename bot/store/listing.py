"""Lists for other systems: read a page at a time, from where the last one ended, with what changed since."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, or_
from sqlmodel import Session, SQLModel, col, select

from bot.store.tables import Address, Case, Clock, ClockState, Contact, Conversation, Event, Message
from bot.wallclock import time_ordered_uuid

IN_CONFIDENCE: Final = "safeguarding"
"""The category of cases that only those who must know of them read (`bot.desk.brief.is_in_confidence`)."""
READINGS: Final = ("api_read", "case_read_in_confidence", "evidence_taken")
"""Events that say who looked at something: looking changes nothing."""
_OPEN: Final = tuple(
    state.value for state in (ClockState.RUNNING, ClockState.PAUSED, ClockState.MISSED, ClockState.ANSWERED)
)


def cases(
    session: Session, *, limit: int, newest_first: bool, after: str | None = None, kind: str | None = None,
    category: str | None = None, status: str | None = None, priority: str | None = None, due_before: datetime | None = None,
    updated_since: datetime | None = None, in_confidence: bool = False,
) -> list[Case]:  # fmt: skip
    """Cases in the order in which they were opened; `after` is the id of the last one that is known already.

    `due_before`: with an open promise that is due before then. `updated_since`: something happened to the case or one of its
    clocks from then on. Without `in_confidence` those of people at risk are left out.
    """
    wanted = {"kind": kind, "category": category, "state": status, "priority": priority}
    statement = select(Case).where(
        *(getattr(Case, name) == value for name, value in wanted.items() if value is not None)
    )
    if not in_confidence:
        statement = statement.where(Case.category != IN_CONFIDENCE)
    if due_before is not None:
        due = select(Clock.case_id).where(col(Clock.state).in_(_OPEN), col(Clock.due_at) < due_before)
        statement = statement.where(col(Case.id).in_(due))
    if updated_since is not None:
        happened = _subjects_since(updated_since)
        of_clocks = select(Clock.case_id).where(col(Clock.id).in_(happened))
        statement = statement.where(or_(col(Case.id).in_(happened), col(Case.id).in_(of_clocks)))
    return list(session.exec(_page(statement, Case, after, newest_first=newest_first, limit=limit)))


def leading_clocks(session: Session, case_ids: Collection[str]) -> dict[str, Clock]:
    """The open clock of each case that is due first, by the case's id."""
    found: dict[str, Clock] = {}
    statement = select(Clock).where(col(Clock.case_id).in_(case_ids), col(Clock.state).in_(_OPEN))
    for clock in session.exec(statement.order_by(col(Clock.due_at).desc(), col(Clock.id).desc())):
        found[clock.case_id] = clock
    return found


def conversations(
    session: Session, *, limit: int, newest_first: bool, after: str | None = None, channel: str | None = None,
    owner: str | None = None, updated_since: datetime | None = None, in_confidence: bool = False,
) -> list[Conversation]:  # fmt: skip
    """Conversations in the order in which they began. `updated_since`: something was said from then on."""
    statement = select(Conversation)
    if channel is not None:
        statement = statement.where(Conversation.channel == channel)
    if owner is not None:
        statement = statement.where(Conversation.owner == owner)
    if updated_since is not None:
        statement = statement.where(col(Conversation.last_message_at) >= updated_since)
    if not in_confidence:
        statement = statement.where(col(Conversation.id).not_in(_talks_in_confidence()))
    return list(session.exec(_page(statement, Conversation, after, newest_first=newest_first, limit=limit)))


def is_in_confidence(session: Session, conversation: Conversation) -> bool:
    """Whether a conversation is about a person at risk."""
    about = _talks_in_confidence().where(Case.conversation_id == conversation.id)
    return bool(conversation.hazard.get("sensitive")) or session.exec(about).first() is not None


def messages(session: Session, conversation_id: str, *, after: int, limit: int) -> list[Message]:
    """What was said in a conversation from place `after` on, in order."""
    statement = select(Message).where(Message.conversation_id == conversation_id, col(Message.seq) > after)
    return list(session.exec(statement.order_by(col(Message.seq)).limit(limit)))


def references(session: Session, case_ids: Collection[str]) -> dict[str, str]:
    """The references of cases, by their ids."""
    return dict(session.exec(select(Case.id, Case.reference).where(col(Case.id).in_(case_ids))).all())


def references_of(session: Session, conversation_ids: Collection[str], *, in_confidence: bool) -> dict[str, list[str]]:
    """The references of the cases that were opened in conversations, by the conversations' ids."""
    statement = select(Case.conversation_id, Case.reference).where(col(Case.conversation_id).in_(conversation_ids))
    if not in_confidence:
        statement = statement.where(Case.category != IN_CONFIDENCE)
    found: dict[str, list[str]] = {}
    for conversation_id, reference in session.exec(statement.order_by(col(Case.id))):
        found.setdefault(conversation_id, []).append(reference)
    return found


def contacts_at(session: Session, numbers: Collection[str]) -> list[Contact]:
    """Whoever has one of these telephone numbers, as an address or as the number they gave."""
    at = select(Address.contact_id).where(
        col(Address.channel).in_(("sms", "whatsapp")), col(Address.value).in_(numbers)
    )
    statement = select(Contact).where(or_(col(Contact.id).in_(at), col(Contact.phone).in_(numbers)))
    return list(session.exec(statement.order_by(col(Contact.id))))


def addresses_of(session: Session, contact_id: str) -> Sequence[Address]:
    return session.exec(select(Address).where(Address.contact_id == contact_id).order_by(col(Address.id))).all()


def _subjects_since(instant: datetime) -> Any:
    """What something happened to. Ids of events sort by time, so the primary key finds them."""
    return select(Event.subject).where(
        col(Event.id) >= time_ordered_uuid(instant, 0).hex, col(Event.verb).not_in(READINGS)
    )


def _talks_in_confidence() -> Any:
    return select(Case.conversation_id).where(Case.category == IN_CONFIDENCE)


def _page(statement: Select[Any], table: type[SQLModel], after: str | None, *, newest_first: bool, limit: int) -> Any:
    id_ = col(table.id)  # type: ignore[attr-defined]
    if after is not None:
        statement = statement.where(id_ < after if newest_first else id_ > after)
    return statement.order_by(id_.desc() if newest_first else id_).limit(limit)
