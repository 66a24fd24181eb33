"""What can happen to a conversation: something is said, a person takes it over, hands it back, it ends.

Ownership changes in `_give` and nowhere else. Every function is plain work over a session: the caller's transaction
commits it all or nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session, col, select

from bot.desk.office import Office
from bot.desk.publish import publish
from bot.dialogue import active_form
from bot.messages import DeliveryState, Say
from bot.store import conversations, events
from bot.store.tables import Case, Conversation, Message, Owner, Staff
from bot.wording import Rendered

IDLE_AFTER: Final = timedelta(hours=24)
"""A conversation that the bot holds ends when nobody has said anything for so long; the next message begins a new one."""
IDLE_IN_A_FORM: Final = timedelta(days=7)
"""The same, in the middle of a report: its answers are not thrown away overnight."""

_MAY_BECOME: Final = {
    Owner.BOT: {Owner.STAFF, Owner.CLOSED},
    Owner.STAFF: {Owner.BOT, Owner.CLOSED, Owner.STAFF},
    Owner.CLOSED: set[Owner](),
}


class NotAllowed(Exception):
    """The conversation's owner does not allow this; the message says what is the case."""


def find_or_start(
    session: Session, office: Office, channel: str, address: str, *, now: datetime
) -> tuple[Conversation, bool]:
    """The conversation that a message from `address` belongs to, locked, and whether it has just begun."""
    conversation = conversations.find_open(session, channel, address)
    if conversation is not None and _is_over(conversation, now):
        _give(session, office, conversation, Owner.CLOSED, actor="bot", now=now)
        conversations.save(session, conversation)
        conversation = None
    if conversation is not None:
        return conversation, False
    ids = (office.id(), office.id(), office.id())
    return conversations.start(session, channel, address, ids=ids, now=now), True


def say(
    session: Session, office: Office, conversation: Conversation, words: Rendered, *, now: datetime, kind: str = "reply",
    urgent: bool = False, case_id: str | None = None, staff: Staff | None = None, detail: Mapping[str, Any] | None = None,
    once: str | None = None,
) -> Message:  # fmt: skip
    """Put one message in the outbox, next in the conversation. The caller saves the conversation.

    `once` names what may only ever be said once: a second message with that name is refused by the database.
    """
    conversation.seq += 1
    conversation.last_message_at = now
    conversation.offered = [{"label": choice.label, "value": choice.value} for choice in words.choices]
    message = conversations.new_message(
        id=office.id(), conversation_id=conversation.id, seq=conversation.seq, direction="out",
        channel=conversation.channel, address=conversation.address, author="staff" if staff else "bot",
        author_name=staff.name if staff else office.policy.service_name, staff_id=staff.id if staff else None, kind=kind,
        text=words.text, choices=conversation.offered, detail=dict(detail or {}), case_id=case_id,
        state=DeliveryState.QUEUED.value, urgent=urgent, due_at=now, created_at=now, once=once,
    )  # fmt: skip
    conversations.add_outbound(session, message)
    return message


def say_keys(
    session: Session, office: Office, conversation: Conversation, says: Sequence[Say], *, now: datetime,
    kind: str = "reply", urgent: bool = False, case_id: str | None = None, language: str = "en",
    staff: Staff | None = None, detail: Mapping[str, Any] | None = None, once: str | None = None,
) -> Message:  # fmt: skip
    """`say`, from response keys."""
    words = office.render(says, channel=conversation.channel, now=now, language=language)
    return say(
        session, office, conversation, words, now=now, kind=kind, urgent=urgent, case_id=case_id, staff=staff,
        detail={"keys": [each.key for each in says], **(detail or {})}, once=once,
    )  # fmt: skip


def take_over(session: Session, office: Office, conversation_id: str, staff: Staff, *, now: datetime) -> Conversation:
    """A person answers from here on; the bot falls silent at once. Advice in danger still goes out (see `intake`)."""
    conversation = _load(session, conversation_id)
    if conversation.owner == Owner.STAFF and conversation.assignee_id == staff.id:
        return conversation
    _give(session, office, conversation, Owner.STAFF, actor=staff.id, now=now)
    conversation.assignee_id = staff.id
    conversation.needs_person = None
    who = Say("utter_staff_joined", {"name": staff.name, "role": staff.job_title, "team": staff.team})
    say_keys(session, office, conversation, [who], now=now, kind="notice")
    conversations.save(session, conversation)
    return conversation


def hand_back(session: Session, office: Office, conversation_id: str, staff: Staff, *, now: datetime) -> Conversation:
    """The bot answers again, where the dialogue stood. Raises NotAllowed if no person has the conversation."""
    conversation = _load(session, conversation_id)
    if conversation.owner != Owner.STAFF:
        raise NotAllowed("Nobody has taken this conversation over, so it cannot be handed back.")
    _give(session, office, conversation, Owner.BOT, actor=staff.id, now=now)
    conversation.assignee_id = None
    say_keys(session, office, conversation, [Say("utter_handed_back")], now=now, kind="notice")
    conversations.save(session, conversation)
    return conversation


def reply(
    session: Session, office: Office, conversation_id: str, staff: Staff, text: str, *, now: datetime,
    news_of: Sequence[str] | None = None,
) -> Message:  # fmt: skip
    """A person's own words, signed with their name, role and team. Raises NotAllowed unless they hold the conversation.

    `news_of` are the ids of the cases that the words are news of, which puts off their next update; None: of the case that
    was opened last in this conversation.
    """
    conversation = _load(session, conversation_id)
    if conversation.owner != Owner.STAFF or conversation.assignee_id != staff.id:
        raise NotAllowed("Take this conversation over before you reply, so that the bot does not answer as well.")
    signed = Say(
        "utter_staff_reply", {"text": text.strip(), "name": staff.name, "role": staff.job_title, "team": staff.team}
    )
    case_id = next(iter(news_of or ()), conversation.last_case_id)
    detail = {} if news_of is None else {"news_of": list(news_of)}
    message = say_keys(
        session, office, conversation, [signed], now=now, kind="staff", case_id=case_id, staff=staff, detail=detail
    )
    conversations.save(session, conversation)
    return message


def own_cases(session: Session, conversation_id: str, case_ids: Sequence[str]) -> list[str]:
    """Those of these cases that are of the person in a conversation, in this order."""
    conversation = _load(session, conversation_id)
    found = select(Case.id).where(Case.contact_id == conversation.contact_id, col(Case.id).in_(case_ids))
    own = set(session.exec(found).all()) if case_ids else set()
    return [each for each in case_ids if each in own]


def record(
    session: Session, office: Office, verb: str, subject: str, *, actor: str, now: datetime, **detail: Any
) -> None:
    """Append to what has happened, and tell whoever listens. `detail` holds ids and states, never a tenant's words or
    numbers."""
    event_id = office.id()
    events.append(session, event_id, at=now, actor=actor, verb=verb, subject=subject, detail=detail)
    publish(session, verb, subject, event_id=event_id, at=now, detail=detail)


def _load(session: Session, conversation_id: str) -> Conversation:
    conversation = conversations.load(session, conversation_id)
    if conversation is None:
        raise NotAllowed("There is no such conversation.")
    return conversation


def _give(
    session: Session, office: Office, conversation: Conversation, owner: Owner, *, actor: str, now: datetime
) -> None:
    """The one place where a conversation changes hands."""
    before = Owner(conversation.owner)
    if owner not in _MAY_BECOME[before]:
        raise NotAllowed(f"This conversation is {before.value} and cannot become {owner.value}.")
    conversation.owner = owner.value
    record(session, office, f"conversation_{owner.value}", conversation.id, actor=actor, now=now, before=before.value)


def _is_over(conversation: Conversation, now: datetime) -> bool:
    if conversation.owner != Owner.BOT or conversation.needs_person:
        return False
    idle = IDLE_IN_A_FORM if active_form(conversation.dialogue) else IDLE_AFTER
    return now - conversation.last_message_at > idle
