"""How a promise gets to a person: which address, or whose call or letter, and what happens when that fails.

What carries a promise ends nowhere: the contact's preferred channel, then their other addresses, then a call or a letter
that a member of staff is asked for. The clocks say which it was (`told_by`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from bot.desk import clock as clocks
from bot.desk import task as tasks
from bot.desk.brief import is_in_confidence
from bot.desk.contact import may_receive
from bot.desk.conversation import record, say_keys
from bot.desk.office import Office
from bot.desk.preference import in_words, is_safe, needs_care
from bot.messages import Choice, DeliveryState, Say
from bot.store import conversations, outbox
from bot.store.tables import UNSEEN, Address, Case, Clock, Contact, Conversation, Message, Staff, Task

CARRIES_PROMISES: Final = frozenset({"acknowledgement", "update", "apology", "warning", "survey"})
"""Kinds of message that must arrive, one way or another."""
PHONE: Final = "phone"
LETTER: Final = "letter"
SEEN_WITHIN: Final = timedelta(minutes=10)
"""How long a promise may stand unread on a web page before it goes another way."""
TASKS: Final = {PHONE: "ring_about_promise", LETTER: "write_about_promise"}
"""Kinds of task that stand for a message."""
AT_RISK: Final = "contact_safely"
"""The same for a person at risk: a trained member of staff decides how, and whether."""
_CALL_WITHIN: Final = timedelta(hours=2)
_CALL_TAKES: Final = timedelta(minutes=30)
"""How long staff need to get round to a call that has become due."""
_RING: Final = frozenset({"sms", "whatsapp"})


@dataclass(frozen=True, slots=True)
class Route:
    """`by` is a channel, `phone` or `letter`; `address` belongs to a channel."""

    by: str
    address: Address | None = None


def route(session: Session, contact: Contact, *, tried: Sequence[str] = (), now: datetime | None = None) -> Route:
    """The best way to reach a contact, leaving out the addresses in `tried` (their ids); at `now`, if that is given.

    Nothing is sent by itself to a person at risk, or outside the hours in which that is safe; to one who asked for calls or
    letters; or to one whose format no message can have, unless they said which messages they want beside it.
    """
    addresses = _addresses(session, contact)
    by_person = Route(_by_person(contact, addresses))
    if at_risk(session, contact) or (now is not None and not is_safe(contact, now)):
        return by_person
    by_letter = Route(LETTER) if contact.home_address and LETTER not in (contact.never_by or ()) else by_person
    if contact.preferred_channel == LETTER or (contact.preferred_format and contact.preferred_channel is None):
        return by_letter
    if contact.preferred_channel == PHONE:
        return by_person
    for address in addresses:
        if address.id not in tried and may_receive(address) and address.channel not in (contact.never_by or ()):
            return Route(address.channel, address)
    return by_person


def at_risk(session: Session, contact: Contact) -> bool:
    """Whether a message may put this person at risk, as far as is known of them and their open cases tell."""
    if contact.no_trace_since is not None:
        return True
    opened = session.exec(select(Case).where(Case.contact_id == contact.id, Case.state == "open"))
    return any(is_in_confidence(case) or case.details.get("safe_to_message") == "no" for case in opened)


@dataclass(frozen=True, slots=True)
class Sent:
    """By what way something was sent or handed to a person."""

    by: str
    message: Message | None = None
    task: Task | None = None


def send(
    session: Session, office: Office, contact: Contact, case: Case, says: Sequence[Say], *, kind: str,
    about: Mapping[str, Any], once: str, now: datetime, due: datetime, staff: Staff | None = None,
    tried: Sequence[str] = (), urgent: bool = False,
) -> Sent:  # fmt: skip
    """Say something that must arrive. `about` names the clocks (`clocks`, `meets`); `due` is when it must have been said.

    Where no message can go, a person is asked to ring or to write.
    """
    way = route(session, contact, tried=tried, now=now)
    if way.address is None:
        task = _ask_person(session, office, contact, case, says, way.by, about=about, due=due, now=now, urgent=urgent)
        return Sent(way.by, task=task)
    talk = conversations.find_open(session, way.address.channel, way.address.value)
    if talk is None:
        ids = (office.id(), office.id(), office.id())
        talk = conversations.start(session, way.address.channel, way.address.value, ids=ids, now=now)
    detail = dict(about) | {"tried": [*tried, way.address.id], "says": [_kept(each) for each in says], "pushed": True}
    asked = talk.offered
    message = say_keys(
        session, office, talk, says, now=now, kind=kind, case_id=case.id, language=contact.language, staff=staff,
        detail=detail, once=once,
    )  # fmt: skip
    # What they have just been asked still stands: a digit in reply means what it meant before.
    talk.offered = talk.offered or asked
    conversations.save(session, talk)
    return Sent(way.by, message=message)


def carry_on(session: Session, office: Office, message: Message, *, now: datetime) -> bool:
    """A message has failed for good: if it carried a promise, take the next way. False if it did not."""
    clocks.not_delivered(session, office, message, now=now)
    if message.kind not in CARRIES_PROMISES or message.case_id is None:
        return False
    case = session.get_one(Case, message.case_id)
    surveys = message.kind == "survey"
    if surveys and not message.detail.get("meets"):
        return True  # nobody was promised that we would ask
    if case.state != "open" and not surveys and not message.detail.get("outcome"):
        return True  # nothing is said about a closed case but its outcome
    contact = session.get_one(Contact, case.contact_id)
    talk = session.get_one(Conversation, message.conversation_id)
    tried = [*message.detail.get("tried", ()), talk.address_id]
    about = what_it_proves(message) or {}
    told = list(
        session.exec(select(Clock).where(col(Clock.id).in_([*about.get("clocks", ()), *about.get("meets", ())])))
    )
    if told and all(
        each.told_at is not None and (each.id not in about.get("meets", ()) or each.met_at) for each in told
    ):
        return True  # a person was quicker
    sent = send(
        session, office, contact, case, _said(message), kind=message.kind, about=about, once=f"again:{message.id}",
        now=now, due=min((each.due_at for each in told), default=now), tried=tried,
    )  # fmt: skip
    note(session, office, told, sent, now=now)
    record(session, office, "promise_carried_on", case.id, actor="bot", now=now, message=message.id, by=sent.by)
    return True


def what_it_proves(message: Message) -> dict[str, Any] | None:
    """What has been proven once a tenant has this message, or been told the same by a person; None for nothing."""
    about: dict[str, Any] = {
        name: message.detail[name]
        for name in ("clocks", "meets", "outcome", "formal", "surveys")
        if name in message.detail
    }
    if message.kind == "acknowledgement":
        about["acknowledges"] = message.case_id
    return about or None


def note(session: Session, office: Office, told: Sequence[Clock], sent: Sent, *, now: datetime) -> None:
    """Have the clocks show by what way their tenant is told, and look in time whether it gets there."""
    for clock in told:
        clock.told_by, clock.told_at, clock.said_at = sent.by, None, now
        clock.told_message_id = sent.message.id if sent.message else None
        session.add(clock)
    session.flush()
    for clock in told:
        clocks.look(session, office, clock, now=now)


def hurry(session: Session, office: Office, contact: Contact, case: Case, clock: Clock, *, now: datetime) -> None:
    """What is to be known about a clock has not got through, and time is short: a person says it, while what is on its way
    goes on. A call that nobody has made yet becomes urgent, and the manager's."""
    message = session.get(Message, clock.told_message_id) if clock.told_message_id is not None else None
    if message is None:
        for task in _calls_about(session, clock):
            task.urgent, task.role = True, "manager"
            session.add(task)
        clock.said_at = None
    else:
        about = what_it_proves(message) or {}
        told = [clock, *session.exec(
            select(Clock).where(
                Clock.told_message_id == message.id, col(Clock.said_at).is_not(None), Clock.id != clock.id
            )
        )]  # fmt: skip
        by = _by_person(contact, _addresses(session, contact))
        _ask_person(
            session, office, contact, session.get_one(Case, message.case_id or case.id),
            _said(message), by, about=about, due=min(each.due_at for each in told), now=now, urgent=False,
        )  # fmt: skip
        for each in told:
            each.told_by, each.told_message_id, each.said_at = by, None, now
            session.add(each)
    session.add(clock)
    record(session, office, "promise_hurried", clock.id, actor="bot", now=now, case=case.id, by=clock.told_by)


def ask_ahead(
    session: Session, office: Office, contact: Contact, case: Case, clock: Clock, say: Say, *, now: datetime
) -> None:  # fmt: skip
    """Where there will be no time for a call once a message has not got through (`bot.sla.clocks.TIME_TO_ARRIVE`), a person
    is asked ahead to say it when it counts. The message goes out as well."""
    assert clock.warn_from is not None
    task = _ask_person(
        session, office, contact, case, [say], PHONE, about={"clocks": [clock.id], "from": clock.warn_from.isoformat()},
        due=clock.due_at, now=now, urgent=True,
    )  # fmt: skip
    task.detail = f"{office.moment_in_words(clock.warn_from, now)}: {task.detail}"


def withdraw(session: Session, case_id: str, *, now: datetime) -> None:
    """Take back what was going to be said about the promises of a case and has not been handed to a provider. What
    speaks of another case of the same person as well goes out: nothing else will be said about that one."""
    waiting = select(Message).where(
        Message.case_id == case_id, Message.state == DeliveryState.QUEUED.value,
        col(Message.kind).in_(sorted(clocks.ABOUT_CLOCKS)),
    )  # fmt: skip
    for message in session.exec(waiting):
        about = [*message.detail.get("clocks", ()), *message.detail.get("meets", ())]
        others = select(Clock.id).where(col(Clock.id).in_(about), Clock.case_id != case_id)
        if session.exec(others).first() is not None:
            continue
        outbox.move(session, message.id, DeliveryState.FAILED, now=now, error="withdrawn")


def unseen(session: Session, *, now: datetime, most: int) -> list[Message]:
    """Promises that stand on a web page and have not been read for `SEEN_WITHIN`."""
    statement = (
        select(Message)
        .where(text(UNSEEN), col(Message.sent_at) <= now - SEEN_WITHIN)
        .order_by(col(Message.sent_at))
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return list(session.exec(statement))


def _addresses(session: Session, contact: Contact) -> list[Address]:
    """The contact's addresses: the preferred channel first, then the one they used last."""
    last = (
        select(Conversation.address_id, func.max(Conversation.last_inbound_at).label("at"))
        .where(Conversation.contact_id == contact.id)
        .group_by(Conversation.address_id)
        .subquery()
    )
    found = session.exec(
        select(Address)
        .outerjoin(last, last.c.address_id == Address.id)
        .where(Address.contact_id == contact.id)
        .order_by(last.c.at.is_(None), last.c.at.desc(), col(Address.id))
    )
    return sorted(found, key=lambda each: each.channel != contact.preferred_channel)


def _number(contact: Contact, addresses: Sequence[Address]) -> str | None:
    if PHONE in (contact.never_by or ()):
        return None
    return contact.phone or next((each.value for each in addresses if each.channel in _RING), None)


def _by_person(contact: Contact, addresses: Sequence[Address]) -> str:
    return PHONE if _number(contact, addresses) else LETTER


def _calls_about(session: Session, clock: Clock) -> list[Task]:
    """What people have been asked to say about a clock and have not said."""
    whose = select(Case.contact_id).where(Case.id == clock.case_id).scalar_subquery()
    waiting = select(Task).join(Case, col(Case.id) == Task.case_id).where(
        Case.contact_id == whose, col(Task.kind).in_([*TASKS.values(), AT_RISK]), col(Task.done_at).is_(None)
    )  # fmt: skip
    about = [(task, task.about or {}) for task in session.exec(waiting)]
    return [task for task, told in about if clock.id in {*told.get("clocks", ()), *told.get("meets", ())}]


def _ask_person(
    session: Session, office: Office, contact: Contact, case: Case, says: Sequence[Say], by: str, *,
    about: Mapping[str, Any], due: datetime, now: datetime, urgent: bool,
) -> Task:  # fmt: skip
    talk = conversations.load(session, case.conversation_id, lock=False)
    assert talk is not None
    words = office.render(says, channel=by, now=now, language=contact.language).text
    care = in_words(contact)
    sensitive = at_risk(session, contact) or needs_care(contact)
    kind = AT_RISK if sensitive else TASKS[by]
    # If the office closes before there is time for it, it is for whoever is on call: the tenant must hear before it is due.
    urgent = urgent or (now < due <= office.policy.calendar.deemed_received(now + _CALL_TAKES))
    waiting = select(Task).where(Task.case_id == case.id, Task.kind == kind, col(Task.done_at).is_(None))
    task = session.exec(waiting).first()
    if task is None:
        return tasks.add(
            session, office, talk, kind, due_at=due if due > now else now + _CALL_WITHIN, now=now, case_id=case.id,
            detail=_with_care(words, care), urgent=urgent or sensitive, role="owner", about=dict(about) | {"words": words},
        )  # fmt: skip
    # One call says everything: also what came to be said since it was asked for.
    known = task.about or {}
    clocks_of = {
        name: list(dict.fromkeys([*known.get(name, ()), *about.get(name, ())])) for name in ("clocks", "meets")
    }
    words = "\n\n".join(dict.fromkeys([known.get("words", task.detail), words]))
    task.about, task.detail = known | dict(about) | clocks_of | {"words": words}, _with_care(words, care)
    task.due_at, task.urgent = min(task.due_at, due) if due > now else task.due_at, task.urgent or urgent
    session.add(task)
    return task


def _with_care(words: str, care: str) -> str:
    """What is to be said, after what whoever says it must know first."""
    return f"{care}\n\n{words}" if care else words


def _kept(say: Say) -> dict[str, Any]:
    kept: dict[str, Any] = {"key": say.key, "args": dict(say.args)}
    return kept | {"choices": [[each.label, each.value] for each in say.choices]} if say.choices else kept


def _said(message: Message) -> list[Say]:
    """What a message was made from, to be said again another way."""
    kept = message.detail.get("says", ())
    says = [Say(each["key"], each["args"], tuple(Choice(*one) for one in each.get("choices", ()))) for each in kept]
    return says or [Say("utter_carried", {"text": message.text})]
