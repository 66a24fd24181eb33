"""What other systems are told: of each event that somebody listens for, one delivery is written in the transaction in which
it happens. `bot.api.webhooks` sends it. What is told is ids, states and dates, never a tenant's words, name or number."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlmodel import Session, SQLModel

from bot.store import outside
from bot.store.tables import Case


@dataclass(frozen=True, slots=True)
class Told:
    """One kind of event as the outside knows it."""

    name: str
    summary: str


EVENTS: Final[Mapping[str, Told]] = {
    "case_opened": Told("case.opened", "A case was opened."),
    "case_added_to": Told("case.added_to", "The tenant added something to a case."),
    "case_assigned": Told("case.assigned", "A case was given to a member of staff."),
    "case_attended": Told("case.attended", "Somebody came."),
    "attended": Told("case.attended", "Somebody came."),
    "case_made_safe": Told("case.made_safe", "It was made safe."),
    "made_safe": Told("case.made_safe", "It was made safe."),
    "case_completed": Told("case.completed", "The work is finished."),
    "case_stage2": Told("case.stage2", "A complaint or an appeal went to stage 2."),
    "case_closed": Told("case.closed", "A case was closed."),
    "clock_met": Told("clock.met", "A promise was kept, in time or late."),
    "clock_missed": Told("clock.missed", "A promise is past due and not kept."),
    "clock_paused": Told("clock.paused", "A clock stands still, for a reason that the policy allows."),
    "clock_resumed": Told("clock.resumed", "A clock runs on, and is due later."),
    "clock_extended": Told("clock.extended", "A later date was given, as the policy allows."),
    "clock_deferred": Told("clock.deferred", "The tenant chose a later day than the one offered."),
    "handover_started": Told("handover.started", "An emergency is on its way up the on-call ladder."),
    "handover_taken": Told("handover.taken", "Somebody has taken an emergency."),
    "handover_stood_down": Told("handover.stood_down", "A person decided that it is no emergency any more."),
    "conversation_staff": Told("conversation.taken_over", "A member of staff answers a conversation."),
    "conversation_bot": Told("conversation.handed_back", "The bot answers a conversation again."),
}
"""By the verb under which the desk records it."""

PING: Final = Told("webhook.ping", "Sent by `doorstep webhook test`, to see whether anything arrives.")
NAMES: Final = tuple(dict.fromkeys(told.name for told in EVENTS.values()))
"""Every event that a webhook can be told of."""

_DETAIL: Final = frozenset({
    "commitment", "due", "due_before", "late", "told", "why", "how", "closed_as", "at", "chosen", "offered", "before",
})  # fmt: skip
"""What of an event's detail is told. The rest (who did it, which message proves it) is asked for, if it may be known."""
_WEBHOOK: Final = SQLModel.metadata.tables["webhook"]
_LISTENING: Final = select(_WEBHOOK.c.id, _WEBHOOK.c.events, _WEBHOOK.c.in_confidence).where(
    _WEBHOOK.c.disabled_at.is_(None)
)
_KNOWN: Final = "doorstep webhooks"
_TOLD: Final = "doorstep told"
"""What a session carries along for one transaction: who listens, and how much they were told."""


def publish(
    session: Session, verb: str, subject: str, *, event_id: str, at: datetime, detail: Mapping[str, Any]
) -> None:
    """Write a delivery for each webhook that listens for this event; none is the usual case, and costs next to nothing."""
    told = EVENTS.get(verb)
    if told is None:
        return
    with session.no_autoflush:
        listening = session.info.get(_KNOWN)
        if listening is None:  # asked once for each transaction: a session serves one
            listening = session.info[_KNOWN] = list(session.execute(_LISTENING))
        wanted = [each for each in listening if told.name in each.events]
        if not wanted:
            return
        case = _case(session, verb, subject, detail)
    # As `desk.brief.is_in_confidence` has it, which cannot be asked from below.
    in_confidence = case is not None and case.category == "safeguarding"
    # What happens in one transaction happens at one instant: a microsecond apart, it is told in the order in which it was done.
    place = session.info[_TOLD] = session.info.get(_TOLD, -1) + 1
    for hook in wanted:
        if in_confidence and not hook.in_confidence:
            continue
        session.add(
            outside.WebhookDelivery(
                webhook_id=hook.id, event_id=event_id, event=told.name, case_id=case.id if case else None,
                created_at=at + timedelta(microseconds=place),
                body=_body(told.name, event_id, at, case, verb, subject, detail),
            )
        )  # fmt: skip


def _body(
    name: str, event_id: str, at: datetime, case: Case | None, verb: str, subject: str, detail: Mapping[str, Any]
) -> dict[str, Any]:  # fmt: skip
    """What is sent: the same for every webhook and at every attempt."""
    data: dict[str, Any] = {}
    noun = verb.split("_")[0]
    if case is not None:
        data |= {
            "case": case.reference, "kind": case.kind, "category": case.category, "priority": case.priority,
            "status": case.state,
        }  # fmt: skip
    if noun in {"clock", "handover", "conversation"}:
        data[noun] = subject
    data |= {key: value for key, value in detail.items() if key in _DETAIL}
    return {"id": event_id, "type": name, "timestamp": at.isoformat(), "data": data}


def _case(session: Session, verb: str, subject: str, detail: Mapping[str, Any]) -> Case | None:
    if verb.startswith("conversation_"):
        return None
    return session.get(Case, detail.get("case", subject))
