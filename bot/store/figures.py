"""The rows behind the report: promises as they were kept and told, cases as they were handled. Reads only."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, func, select
from sqlmodel import Session, SQLModel

from bot.sla.performance import NO_NEED, Answer, Handled, Promise
from bot.store import tables

_T = SQLModel.metadata.tables
_CASE, _CLOCK, _CONTACT, _EVENT = (
    _T[str(table.__tablename__)] for table in (tables.Case, tables.Clock, tables.Contact, tables.Event)
)
_SURVEY = _T[str(tables.Survey.__tablename__)]
_MESSAGE, _TASK = _T[str(tables.Message.__tablename__)], _T[str(tables.Task.__tablename__)]
_ABOUT_CLOCKS: Final = ("update", "apology", "warning")
_SHOWN: Final = ("delivered", "read")
_BY_PERSON: Final = {"phone": "by telephone", "letter": "by letter"}


def promises(
    session: Session, *, due_from: datetime | None = None, due_until: datetime | None = None,
    commitments: Collection[str] | None = None, told: bool = True,
) -> list[tuple[Promise, str]]:  # fmt: skip
    """Every clock that was due in a stretch of time (both ends included), each with the policy version that it was promised
    under. Not `told`: without when tenants were told of them, which takes reading messages."""
    statement = (
        select(
            _CLOCK,
            _CASE.c.reference,
            _CASE.c.channel,
            _CASE.c.kind,
            _CONTACT.c.language,
            _CONTACT.c.preferred_format,
            _CONTACT.c.preferred_channel,
        )
        .join(_CASE, _CASE.c.id == _CLOCK.c.case_id)
        .join(_CONTACT, _CONTACT.c.id == _CASE.c.contact_id)
        .order_by(_CLOCK.c.due_at, _CLOCK.c.id)
    )
    if due_from is not None:
        statement = statement.where(_CLOCK.c.due_at >= due_from)
    if due_until is not None:
        statement = statement.where(_CLOCK.c.due_at <= due_until)
    if commitments is not None:
        statement = statement.where(_CLOCK.c.commitment.in_(sorted(commitments)))
    rows = session.execute(statement).mappings().all()
    since = min((row["deemed_at"] for row in rows), default=None)
    tellings_of = tellings(session, since=since) if told and since is not None else {}
    found = []
    for row in rows:
        promise = Promise(
            commitment=row["commitment"], case=row["reference"], channel=row["channel"], kind=row["kind"], need=_need(row),
            started=row["started_at"], deemed=row["deemed_at"], due=row["due_at"], state=row["state"], met=row["met_at"],
            ended=row["ended_at"], paused=row["paused_at"], told=tuple(tellings_of.get(row["id"], ())),
            chosen=row["chosen"] is not None,
        )  # fmt: skip
        found.append((promise, row["policy_version_id"]))
    return found


def tellings(
    session: Session, *, clock_id: str | None = None, since: datetime | None = None
) -> dict[str, list[datetime]]:
    """When tenants were told something about a clock, by the clock's id: messages that a provider took, or that a page
    showed, and calls and letters that a person did. Nothing else counts; a clock's own columns are not looked at.

    With `clock_id` only what was said to the tenant of that clock is read, with `since` only what was written from then on.
    """
    found: dict[str, list[datetime]] = {}
    messages = select(
        _MESSAGE.c.channel, _MESSAGE.c.state, _MESSAGE.c.sent_at, _MESSAGE.c.delivered_at, _MESSAGE.c.detail
    )
    messages = messages.where(_MESSAGE.c.direction == "out", _MESSAGE.c.kind.in_(_ABOUT_CLOCKS))
    done = (
        select(_TASK.c.about, _TASK.c.done_at)
        .join(_EVENT, (_EVENT.c.subject == _TASK.c.id) & (_EVENT.c.verb == "task_done"))
        .where(_TASK.c.about.is_not(None), _TASK.c.done_at.is_not(None))
    )
    if since is not None:
        messages, done = messages.where(_MESSAGE.c.created_at >= since), done.where(_TASK.c.created_at >= since)
    if clock_id is not None:
        # One message may speak of several cases of a person.
        contact = select(_CASE.c.contact_id).join(_CLOCK, _CLOCK.c.case_id == _CASE.c.id).where(_CLOCK.c.id == clock_id)
        theirs = select(_CASE.c.id).where(_CASE.c.contact_id == contact.scalar_subquery())
        messages, done = messages.where(_MESSAGE.c.case_id.in_(theirs)), done.where(_TASK.c.case_id.in_(theirs))
    for row in session.execute(messages).mappings():
        at = _accepted(row)
        if at is not None:
            _note(found, row["detail"], at)
    for row in session.execute(done).mappings():
        _note(found, row["about"] or {}, row["done_at"])
    return found


def cases(session: Session, *, since: datetime | None = None, until: datetime | None = None) -> list[Handled]:
    """The cases that were received in a stretch of time, each with when its first automatic message and the first answer by
    a person reached the tenant."""
    statement = (
        select(_CASE, _CONTACT.c.language, _CONTACT.c.preferred_format, _CONTACT.c.preferred_channel)
        .join(_CONTACT, _CONTACT.c.id == _CASE.c.contact_id)
        .order_by(_CASE.c.received_at, _CASE.c.id)
    )
    if since is not None:
        statement = statement.where(_CASE.c.received_at >= since)
    if until is not None:
        statement = statement.where(_CASE.c.received_at <= until)
    automatic, human = _first_messages(session, "bot"), _first_messages(session, "staff")
    calls = _first_calls(session)
    return [
        Handled(
            case=row["reference"], kind=row["kind"], category=row["category"], priority=row["priority"],
            channel=row["channel"], need=_need(row), received=row["received_at"], deemed=row["deemed_at"],
            completed=row["completed_at"], closed=row["closed_at"], closed_as=row["closed_as"],
            cause=row["details"].get("cause"), automatic=automatic.get(row["id"]),
            human=min(filter(None, (human.get(row["id"]), calls.get(row["id"]))), default=None),
        )
        for row in session.execute(statement).mappings()
    ]  # fmt: skip


def answers(session: Session, *, since: datetime, until: datetime) -> list[Answer]:
    """What tenants answered in a stretch of time when they were asked how a repair went."""
    statement = (
        select(_CASE.c.reference, _SURVEY.c.score, _SURVEY.c.answered_at)
        .join(_CASE, _CASE.c.id == _SURVEY.c.case_id)
        .where(_SURVEY.c.score.is_not(None), _SURVEY.c.answered_at >= since, _SURVEY.c.answered_at <= until)
        .order_by(_CASE.c.reference)
    )
    return [Answer(row.reference, row.score, row.answered_at) for row in session.execute(statement)]


def policy_content(session: Session, version: str) -> str | None:
    """A policy as it stood, for `restore_policy`; None if no clock was ever promised under it."""
    table = _T[str(tables.PolicyVersion.__tablename__)]
    found: str | None = session.execute(select(table.c.content).where(table.c.id == version)).scalar_one_or_none()
    return found


def _accepted(row: RowMapping) -> datetime | None:
    """When a provider took a message. A page has no provider: there it counts from when it was shown."""
    if row["state"] == "failed":
        return None
    if row["channel"] == "web":
        shown: datetime | None = row["delivered_at"]
        return shown
    taken: datetime | None = row["sent_at"] or row["delivered_at"]
    return taken


def _note(found: dict[str, list[datetime]], about: Mapping[str, Any], at: datetime) -> None:
    for clock in {*about.get("clocks", ()), *about.get("meets", ())}:
        found.setdefault(clock, []).append(at)


def _first_messages(session: Session, author: str) -> dict[str, datetime]:
    when = func.coalesce(_MESSAGE.c.delivered_at, _MESSAGE.c.sent_at)
    statement = (
        select(_MESSAGE.c.case_id, func.min(when).label("at"))
        .where(_MESSAGE.c.direction == "out", _MESSAGE.c.author == author, _MESSAGE.c.case_id.is_not(None))
        .where(_MESSAGE.c.state.in_(("sent", *_SHOWN)), when.is_not(None))
        .group_by(_MESSAGE.c.case_id)
    )
    return {row.case_id: row.at for row in session.execute(statement)}


def _first_calls(session: Session) -> dict[str, datetime]:
    statement = (
        select(_TASK.c.case_id, func.min(_TASK.c.done_at).label("at"))
        .join(_EVENT, (_EVENT.c.subject == _TASK.c.id) & (_EVENT.c.verb == "task_done"))
        .where(
            _TASK.c.case_id.is_not(None), _TASK.c.kind.in_(("callback", "ring_about_promise", "write_about_promise"))
        )
        .group_by(_TASK.c.case_id)
    )
    return {row.case_id: row.at for row in session.execute(statement)}


def _need(row: RowMapping) -> str:
    """What a contact needs to be understood, in a word or two; never why."""
    if row["language"] != "en":
        return f"language {row['language']}"
    if row["preferred_format"]:
        return str(row["preferred_format"]).replace("_", " ")
    return _BY_PERSON.get(row["preferred_channel"] or "", NO_NEED)
