"""What a person must do: written by the desk, shown by the console until somebody has done it."""

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from bot.desk import clock as clocks
from bot.desk.conversation import record
from bot.desk.office import Office
from bot.store.tables import Conversation, Staff, Task


def add(
    session: Session, office: Office, conversation: Conversation, kind: str, *, due_at: datetime, now: datetime,
    detail: str = "", case_id: str | None = None, urgent: bool = False, role: str | None = None,
    clock_id: str | None = None, about: dict[str, Any] | None = None,
) -> Task:  # fmt: skip
    """Ask a person to do something by `due_at`. An open task of the same kind for the same case is not asked for twice,
    and one that a clock asks for is asked for once, done or not."""
    same = select(Task).where(Task.kind == kind)
    if clock_id is not None:
        same = same.where(Task.clock_id == clock_id)
    else:
        same = same.where(
            Task.conversation_id == conversation.id, Task.case_id == case_id, col(Task.clock_id).is_(None),
            col(Task.done_at).is_(None),
        )  # fmt: skip
    if (known := session.exec(same).first()) is not None:
        return known
    task = Task(
        id=office.id(), kind=kind, conversation_id=conversation.id, case_id=case_id, detail=detail, urgent=urgent,
        due_at=due_at, created_at=now, role=role, clock_id=clock_id, about=about,
    )  # fmt: skip
    session.add(task)
    return task


def done(session: Session, office: Office, task_id: str, staff: Staff, *, now: datetime) -> Task | None:
    """A person has done it. Doing it twice changes nothing; None if there is no such task."""
    task = session.get(Task, task_id)
    if task is None or task.done_at is not None:
        return task
    task.done_at, task.done_by = now, staff.id
    session.add(task)
    record(session, office, "task_done", task.id, actor=staff.id, now=now, kind=task.kind)
    if task.about is not None:
        clocks.proven(session, office, task.about, by=staff.id, now=now)
    return task


def open_tasks(session: Session, *, most: int = 200) -> list[Task]:
    """What is still to do: urgent first, then by when it is due."""
    statement = (
        select(Task)
        .where(Task.done_at.is_(None))  # type: ignore[union-attr]
        .order_by(Task.urgent.desc(), Task.due_at)  # type: ignore[attr-defined, arg-type]
        .limit(most)
    )
    return list(session.exec(statement))


def drop_all(session: Session, office: Office, case_id: str, staff: Staff, *, now: datetime) -> None:
    """The case is closed: what was still to do for it no longer is. Nothing has been proven by that."""
    waiting = session.exec(select(Task).where(Task.case_id == case_id, col(Task.done_at).is_(None)))
    for task in waiting:
        task.done_at, task.done_by = now, staff.id
        session.add(task)
        record(session, office, "task_dropped", task.id, actor=staff.id, now=now, kind=task.kind)


def settle(session: Session, office: Office, conversation_id: str, kind: str, *, now: datetime) -> None:
    """What a task asked for has come about by itself."""
    waiting = select(Task).where(
        Task.conversation_id == conversation_id, Task.kind == kind, col(Task.done_at).is_(None)
    )
    for task in session.exec(waiting):
        task.done_at = now
        session.add(task)
        record(session, office, "task_settled", task.id, actor="bot", now=now, kind=kind)


def answered(session: Session, office: Office, case_id: str, kind: str, staff: Staff, *, now: datetime) -> None:
    """What a task asked for has been done elsewhere: tick it off."""
    asked = select(Task).where(Task.case_id == case_id, Task.kind == kind, Task.done_at.is_(None))  # type: ignore[union-attr]
    for task in session.exec(asked):
        done(session, office, task.id, staff, now=now)
