"""The evidence of one case as one file: what was said and delivered, every clock with its proof, what was done, and the chain
that shows none of it was changed later. The file holds its own proof as JSON, so it can be checked without the database."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session, col, select

from bot.desk import clock as clocks
from bot.desk import survey as surveys
from bot.desk import why
from bot.desk.office import Office
from bot.reports.page import templates
from bot.store import figures, seals
from bot.store.outside import ApiToken
from bot.store.tables import Attachment, Case, Clock, Contact, Message, Staff, Task

_OPEN: Final = '<script type="application/json" id="proof">'
_PROOF: Final = re.compile(re.escape(_OPEN) + r"(.*?)</script>", re.DOTALL)


class UnknownCase(Exception):
    """There is no case of that reference."""


def evidence_pack(session: Session, office: Office, reference: str, *, now: datetime) -> str:
    """One HTML file with everything about a case. Raises UnknownCase."""
    case = session.exec(select(Case).where(Case.reference == reference)).first()
    if case is None:
        raise UnknownCase(f"there is no case {reference}")
    own = clocks.of_case(session, case.id)
    tasks = list(session.exec(select(Task).where(Task.case_id == case.id).order_by(col(Task.created_at))))
    messages = _messages(session, case)
    rows = [each.id for each in own] + [each.id for each in tasks] + [each.id for each in messages]
    rows += session.exec(select(Attachment.id).where(col(Attachment.message_id).in_([each.id for each in messages])))
    subjects = [case.id, case.conversation_id, *rows]
    proof = seals.proof(session, subjects)
    names = {staff.id: staff.name for staff in session.exec(select(Staff))}
    names |= {token.id: f"{token.name} (API)" for token in session.exec(select(ApiToken))}
    return templates().get_template("pack.html").render(
        case=case, contact=session.get_one(Contact, case.contact_id), policy=office.policy, made=_moment(office, now),
        messages=[_as_told(session, office, each) for each in messages],
        clocks=[_proven(session, office, each) for each in own],
        tasks=[_task(office, each, names) for each in tasks],
        events=[_event(office, each, names) for each in proof["events"]],
        facts=_facts(session, office, case), proof=proof, head=seals.head(session),
        waiting=any(each["seal"] is None for each in proof["events"]),
        proof_json=json.dumps(proof).replace("<", "\\u003c"), faults=seals.faults(proof),
    )  # fmt: skip


def pack_faults(text: str) -> list[str]:
    """What is wrong with the proof in an evidence pack; nothing, if its events are as they were sealed."""
    found = _PROOF.search(text)
    if found is None:
        return ["there is no proof in this file"]
    try:
        proof: Mapping[str, Any] = json.loads(found.group(1))
        return seals.faults(proof)
    except (ValueError, KeyError, TypeError) as error:
        return [f"the proof in this file cannot be read: {type(error).__name__}"]


def _messages(session: Session, case: Case) -> list[Message]:
    """What was said in the case's conversation from when it was told until it was closed, and whatever was sent about it."""
    meanwhile = (col(Message.conversation_id) == case.conversation_id) & (col(Message.created_at) >= case.received_at)
    if case.closed_at is not None:
        meanwhile &= col(Message.created_at) <= case.closed_at
    about = (col(Message.case_id) == case.id) | meanwhile
    found = list(session.exec(select(Message).where(about).order_by(col(Message.created_at), col(Message.seq))))
    # Another case of the same conversation has a pack of its own.
    return [each for each in found if each.case_id in {None, case.id}]


def _as_told(session: Session, office: Office, message: Message) -> dict[str, Any]:
    files = session.exec(select(Attachment).where(Attachment.message_id == message.id)).all()
    return {
        "at": _moment(office, message.created_at), "who": message.author_name or message.author, "by": message.author,
        "channel": message.channel, "kind": message.kind, "text": message.text, "files": [_file(each) for each in files],
        "state": message.state, "error": message.error, "inbound": message.direction == "in",
        "sent": _moment(office, message.sent_at), "delivered": _moment(office, message.delivered_at),
    }  # fmt: skip


def _file(file: Attachment) -> str:
    """What came, and the digest by which it is known again."""
    kind = file.kind or file.media_type
    return f"{kind}, {file.size} bytes, SHA-256 {file.digest}" if file.digest else kind


def _proven(session: Session, office: Office, clock: Clock) -> dict[str, Any]:
    rule = clocks.commitment_of(session, office, clock)
    told = figures.tellings(session, clock_id=clock.id).get(clock.id, [])
    return {
        "id": clock.commitment, "title": rule.title, "clause": rule.clause, "state": clock.state,
        "version": clock.policy_version_id, "started": _moment(office, clock.started_at), "due": _moment(office, clock.due_at),
        "met": _moment(office, clock.met_at), "missed": _moment(office, clock.missed_at), "reason": clock.reason,
        "told": [_moment(office, each) for each in sorted(told)], "why": why.proof(session, office, clock).why,
    }  # fmt: skip


def _task(office: Office, task: Task, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "kind": task.kind.replace("_", " "), "created": _moment(office, task.created_at), "due": _moment(office, task.due_at),
        "done": _moment(office, task.done_at), "by": names.get(task.done_by or "", ""),
    }  # fmt: skip


def _event(office: Office, event: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "at": _moment(office, datetime.fromisoformat(event["at"])), "actor": names.get(event["actor"], event["actor"]),
        "verb": event["verb"].replace("_", " "), "seal": event["seal"],
        "detail": ", ".join(f"{key}: {value}" for key, value in event["detail"].items()),
    }  # fmt: skip


def _facts(session: Session, office: Office, case: Case) -> list[tuple[str, Any]]:
    moments = (
        "received_at",
        "deemed_at",
        "acknowledged_at",
        "attended_at",
        "made_safe_at",
        "completed_at",
        "closed_at",
    )
    facts: list[tuple[str, Any]] = [
        ("Kind", case.kind.replace("_", " ")), ("Category", case.category.replace("_", " ")), ("Priority", case.priority),
        ("Stage", case.stage), ("Team", case.team), ("Deals with it", case.handler), ("Channel", case.channel),
    ]  # fmt: skip
    facts += [
        (name.removesuffix("_at").replace("_", " ").capitalize(), _moment(office, getattr(case, name)))
        for name in moments
    ]
    facts += [("Closed as", case.closed_as), ("Outcome", case.outcome), *_survey(session, office, case)]
    return [(label, value) for label, value in facts if value]


def _survey(session: Session, office: Office, case: Case) -> list[tuple[str, Any]]:
    found = surveys.of_case(session, case.id)
    if found is None:
        return []
    if found.reason is not None:
        return [("How it went", surveys.LEFT_OUT.get(found.reason))]
    said = f"{found.score} of 5" if found.score else "not answered"
    at = _moment(office, found.answered_at or found.sent_at)
    return [("How it went", " ".join(filter(None, (said, at)))), ("What they said of it", found.comment)]


def _moment(office: Office, instant: datetime | None) -> str:
    return f"{office.local(instant):%Y-%m-%d %H:%M:%S %Z}" if instant else ""
