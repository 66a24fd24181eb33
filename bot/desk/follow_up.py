"""Looks that are due at an emergency, as rows: one of each kind at a time (`bot.desk.watch` takes them)."""

from datetime import datetime

from sqlmodel import Session, col, select

from bot.desk.office import Office
from bot.store.tables import FollowUp, Handover


def expect(session: Session, office: Office, handover: Handover, kind: str, due_at: datetime) -> None:
    """Let a look be taken at `due_at`, unless one of its kind is due already: a later cause does not put that off."""
    if not _open(session, handover, kind):
        session.add(FollowUp(id=office.id(), kind=kind, handover_id=handover.id, due_at=due_at))


def settle(session: Session, handover: Handover, kind: str, found: str, *, now: datetime) -> None:
    """There is nothing to look at any more."""
    for look in _open(session, handover, kind):
        done(session, look, found, now=now)


def done(session: Session, look: FollowUp, found: str, *, now: datetime) -> None:
    """A look has been taken, and found `found`."""
    look.done_at, look.found = now, found
    session.add(look)


def due(session: Session, *, now: datetime, most: int = 50) -> list[FollowUp]:
    """The looks that are due, locked."""
    return list(
        session.exec(
            select(FollowUp)
            .where(col(FollowUp.done_at).is_(None), FollowUp.due_at <= now)
            .order_by(col(FollowUp.due_at))
            .limit(most)
            .with_for_update(skip_locked=True)
        )
    )


def _open(session: Session, handover: Handover, kind: str) -> list[FollowUp]:
    session.flush()
    return list(
        session.exec(
            select(FollowUp).where(
                FollowUp.handover_id == handover.id, FollowUp.kind == kind, col(FollowUp.done_at).is_(None)
            )
        )
    )


def is_due(session: Session, *, now: datetime) -> bool:
    """Whether any look is due: a look without a lock."""
    found = select(FollowUp.id).where(col(FollowUp.done_at).is_(None), FollowUp.due_at <= now).limit(1)
    return session.exec(found).first() is not None
