"""What a simulated year was made of, counted from its rows at the end; and what no year may leave behind."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, func, select

from bot.sla import Policy
from bot.store.tables import Case, Clock, ClockState, Event, Handover, HandoverState, Message, Task

_EVENTS: Final = {
    "opted_out": "opt_outs",
    "opted_in": "opt_ins",
    "address_blocked": "phones_blocked",
    "case_stage2": "complaints_stage2",
    "clock_extended": "extensions",
    "clock_paused": "pauses",
    "update_given": "updates_given",
    "promise_carried_on": "sent_another_way",
    "promise_hurried": "hurried",
    "handover_nobody_reachable": "nobody_on_call_reachable",
}
_REQUESTS: Final = {"subject_access": "subject_access_requests", "freedom_of_information": "information_requests"}
_TAKEN_LATE: Final = timedelta(minutes=5)


def tally(session: Session, policy: Policy) -> Counter[str]:
    """How often the things happened that are hard for promises."""
    counts = Counter(dict.fromkeys((*_EVENTS.values(), *_REQUESTS.values()), 0))
    verbs = select(Event.verb, func.count()).where(col(Event.verb).in_(_EVENTS)).group_by(Event.verb)
    counts.update({_EVENTS[verb]: count for verb, count in session.exec(verbs)})
    asked = select(Case.category, func.count()).where(col(Case.category).in_(_REQUESTS)).group_by(Case.category)
    counts.update({_REQUESTS[category]: count for category, count in session.exec(asked)})
    counts["updates_not_given"] = session.exec(
        select(func.count()).select_from(Task).where(Task.kind == "no_update_given")
    ).one()
    for handover in session.exec(select(Handover).where(Handover.purpose == "emergency")):
        counts["emergencies_out_of_hours"] += not policy.calendar.is_open(handover.started_at)
        counts["emergencies_taken_late"] += (
            handover.taken_at is None or handover.taken_at - handover.started_at > _TAKEN_LATE
        )
    return counts


def left_behind(session: Session, *, now: datetime) -> Iterator[str]:
    """What was forgotten by the product itself, though no promise need have been broken by it yet: open cases that nothing
    looks at any more, emergencies that nobody has taken, messages that were never handed to a provider."""
    looked_at = (col(Clock.act_at).is_not(None)) | (Clock.state == ClockState.PAUSED.value)
    watched = select(Clock.case_id).where(looked_at)
    for reference in session.exec(select(Case.reference).where(Case.state == "open", col(Case.id).not_in(watched))):
        yield f"nothing looks at the open case {reference}"
    waiting = select(Case.reference).join(Handover, col(Handover.case_id) == Case.id).where(
        Handover.state == HandoverState.WAITING.value, Handover.started_at < now - timedelta(hours=3)
    )  # fmt: skip
    for reference in session.exec(waiting):
        yield f"nobody has taken the emergency {reference}"
    stuck = select(Message.id).where(col(Message.due_at).is_not(None), Message.created_at < now - timedelta(days=1))
    for message in session.exec(stuck):
        yield f"the message {message} was never sent"
