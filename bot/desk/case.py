"""Opening a case: its clocks and its acknowledgement in the same transaction, because the acknowledgement is a promise.

Closing one: with its outcome told, and every clock met or ended.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel import Session, select

from bot import references
from bot.desk import authority, reach, watch
from bot.desk import clock as clocks
from bot.desk import handover as handovers
from bot.desk import survey as surveys
from bot.desk import task as tasks
from bot.desk.clock import PROGRESS_UPDATE
from bot.desk.conversation import NotAllowed, record, say_keys
from bot.desk.office import Office
from bot.desk.preference import prefer, wishes_of
from bot.messages import AddToCase, Assessment, OpenCase, Say
from bot.sla import Explanation
from bot.store import opening
from bot.store.tables import FIRST_RESPONSE_EVIDENCE, Case, Clock, Contact, Conversation, Staff

EMERGENCY_TASK_WITHIN: Final = timedelta(minutes=5)
"""How soon a person should look at an emergency: the first interval of the on-call ladder."""
ENDINGS: Final = ("done", "withdrawn", "duplicate", "not_ours")
"""How a case can end. Only what is done keeps its promises; the others end them."""
_PRIORITIES: Final = ("routine", "urgent", "emergency")


def open_case(
    session: Session,
    office: Office,
    conversation: Conversation,
    asked: OpenCase,
    *,
    received_at: datetime,
    now: datetime,
) -> Case:
    """Open a case, start every clock that applies, acknowledge it and give staff the task.

    `received_at` is when the tenant began to tell of it. A tenant who left off and finished only when a promise counted from
    there would be broken already is promised it from now; the beginning stays in `details["begun"]`.
    """
    if any(promise.due <= now for promise in _owed(office, conversation.channel, asked, received_at)):
        asked = replace(asked, details={**asked.details, "begun": received_at.isoformat()})
        received_at = now
    case = _new_case(session, office, conversation, asked, received_at=received_at, now=now)
    promises = _promise(session, office, case, now=now)
    acknowledge(session, office, conversation, case, promises, now=now)
    due = promises[0].due if promises else now
    if case.priority == "emergency":
        _alarm(session, office, conversation, case, "emergency", now=now)
    elif case.category == "safeguarding":
        _alarm(session, office, conversation, case, "safeguarding", now=now)
    else:
        kind = case.category if case.kind == "service_request" else case.kind
        tasks.add(session, office, conversation, kind, due_at=due, now=now, case_id=case.id, detail=case.summary)
    if case.kind == "complaint" and case.handler is None:
        tasks.add(session, office, conversation, "name_complaint_handler", due_at=due, now=now, case_id=case.id)
    return case


def open_emergency(
    session: Session, office: Office, conversation: Conversation, assessment: Assessment, words: str, *, now: datetime
) -> Case:
    """Open the case of a present danger from the message itself, before anything is asked.

    No acknowledgement is sent here: the advice is the first thing said, and the acknowledgement follows it in the same
    transaction (`intake`). A person at risk gets a restricted request for trained staff, never a repair.
    """
    summary = office.wording.label("hazard", assessment.hazard)
    asked = (
        OpenCase("service_request", "safeguarding", words, summary)
        if assessment.sensitive
        else OpenCase("repair", "other", words, summary, priority="emergency")
    )
    case = _new_case(session, office, conversation, asked, received_at=now, now=now, hazard=assessment.hazard)
    promises = _promise(session, office, case, now=now)
    _alarm(session, office, conversation, case, "safeguarding" if assessment.sensitive else "emergency", now=now)
    if not assessment.sensitive:
        acknowledge(session, office, conversation, case, promises, now=now)
    return case


def acknowledge(
    session: Session, office: Office, conversation: Conversation, case: Case, promises: Sequence[Explanation], *,
    now: datetime,
) -> None:  # fmt: skip
    """Say that the case is open: its reference, what was understood, who has it, what happens by when, whom to ring."""
    says = [Say(_acknowledgement_key(office, case), {
        "reference": case.reference, "understood": case.summary, "team": case.team, "handler": case.handler,
        "promises": _told(office, case, promises, now) or None,
    })]  # fmt: skip
    right = next(filter(_is_right_to_repair, promises), None)
    if right is not None:
        days = office.policy.qualifying_days(case.category)
        says.append(Say("utter_right_to_repair", {"days": days, "last_day": office.day_in_words(right.due, now)}))
    if case.kind == "complaint":
        says.append(Say("utter_complaint_help", _complaint_args(office, case)))
    if case.priority != "emergency" and not office.policy.calendar.is_open(now):
        says.append(Say("utter_ack_closed", {"counted_from": office.day_in_words(case.deemed_at, now)}))
    elif case.kind == "repair":
        says.append(Say("utter_if_worse"))
    says.append(Say("utter_add_or_correct", {"reference": case.reference}))
    # Only an acknowledgement that names the handler is a complaint's formal one (BHA 94, SPSO model procedure).
    formal = {"formal": True} if case.kind == "complaint" and case.handler is not None else {}
    say_keys(session, office, conversation, says, now=now, kind="acknowledgement", case_id=case.id, detail=formal)


def add_to_case(
    session: Session, office: Office, conversation: Conversation, asked: AddToCase, *, now: datetime
) -> Case | None:
    """Keep what the tenant added beside what they first said. None if the case is not open or not theirs."""
    case = session.exec(select(Case).where(Case.reference == asked.reference)).first()
    if case is None or case.state != "open" or case.contact_id != conversation.contact_id:
        return None
    added: list[dict[str, Any]] = [*case.details.get("added", ()), {"at": now.isoformat(), "words": asked.words}]
    case.details = case.details | dict(asked.details) | {"added": added}
    session.add(case)
    record(session, office, "case_added_to", case.id, actor="tenant", now=now, fields=sorted(asked.details))
    if asked.details.get("safe_to_message") == "no":  # outlasts the case, until staff know better
        contact = session.get_one(Contact, case.contact_id)
        prefer(session, office, contact, replace(wishes_of(contact), no_trace=True), actor="tenant", now=now)
    if case.priority == "emergency" or case.category == "safeguarding":
        watch.news(session, office, case, now=now)
    return case


def close(
    session: Session, office: Office, case: Case, outcome: str, staff: Staff, *, now: datetime, as_: str = "done"
) -> None:  # fmt: skip
    """Close a case (`as_` one of `ENDINGS`) with its outcome, in words for the tenant.

    What only these words prove (an answer, a decision) is met once the tenant has them; the rest is met now if it is done,
    else ended. Nothing is sent about the case afterwards. Raises NotAllowed if it is closed, nothing is said, or an
    emergency still looks for somebody who takes it.
    """
    if case.state != "open" or not outcome.strip() or as_ not in ENDINGS:
        raise NotAllowed("Only an open case can be closed, with an outcome that the tenant can read.")
    handover = handovers.of_case(session, case.id)
    if handover is not None and handover.state == handovers.WAITING:
        raise NotAllowed(
            "Nobody has taken this emergency yet. Take it, or call it off with a reason, before it is closed."
        )
    authority.drop(session, office, case.id, staff, now=now)
    case.state, case.closed_at, case.closed_as, case.outcome = "closed", now, as_, outcome.strip()
    if case.kind == "repair" and as_ == "done":
        case.completed_at = case.completed_at or now
        clocks.meet(session, office, case, "completed", at=case.completed_at, actor=staff.id, now=now)
        clocks.start_event(session, office, case, "repair_completed", at=case.completed_at, now=now)
        surveys.plan(session, office, case, at=case.completed_at, now=now)
    session.add(case)
    session.flush()
    by_words = _close_clocks(session, office, case, staff, done=as_ == "done", now=now)
    tasks.drop_all(session, office, case.id, staff, now=now)
    reach.withdraw(session, case.id, now=now)
    says = [Say("utter_closed", {
        "reference": case.reference, "summary": case.summary, "outcome": case.outcome, "name": staff.name,
        "role": staff.job_title, "team": staff.team,
    }), *_further(office, case)]  # fmt: skip
    sent = reach.send(
        session, office, session.get_one(Contact, case.contact_id), case, says, kind="update",
        once=f"closed:{case.id}:{now.isoformat()}", now=now, staff=staff,
        about={"meets": [each.id for each in by_words], "outcome": True},
        due=min((each.due_at for each in by_words), default=now),
    )  # fmt: skip
    reach.note(session, office, by_words, sent, now=now)
    record(session, office, "case_closed", case.id, actor=staff.id, now=now, closed_as=as_, by=sent.by)


def _close_clocks(
    session: Session, office: Office, case: Case, staff: Staff, *, done: bool, now: datetime
) -> list[Clock]:
    """Meet, answer or end the clocks of a case that is being closed. Those that the outcome's words will meet."""
    by_words = []
    for clock in clocks.of_case(session, case.id):
        if clock.state not in clocks.OPEN or clock.met_by == "survey_sent":
            continue
        if clock.commitment == PROGRESS_UPDATE or (done and clock.met_by in clocks.PROVEN_BY_WORDS):
            clock.ended_at = now
            clocks.answered(session, office, clock, now=now)
            by_words.append(clock)
        elif done and case.kind != "repair":
            clocks.meet(session, office, case, clock.met_by, at=now, actor=staff.id, now=now)
        else:
            clocks.end(session, office, clock, "The case was closed.", actor=staff.id, now=now)
    return by_words


def _further(office: Office, case: Case) -> list[Say]:
    """What a tenant who is not content with a complaint's outcome can do next (model procedure)."""
    rules = office.policy.complaints
    if case.kind != "complaint":
        return []
    if case.stage == 1:
        return [Say("utter_closed_stage1", {"months": rules.stage2_within_months})]
    ombudsman = {"ombudsman": rules.ombudsman.name, "ombudsman_phone": rules.ombudsman.phone}
    return [Say("utter_closed_stage2", ombudsman | {"months": rules.ombudsman_within_months})]


def _new_case(
    session: Session, office: Office, conversation: Conversation, asked: OpenCase, *, received_at: datetime,
    now: datetime, hazard: str = "none",
) -> Case:  # fmt: skip
    policy = office.policy
    priority = asked.priority
    if asked.kind == "repair":
        priority = max(priority, policy.priority(asked.category), key=_PRIORITIES.index)
    case = opening.add_case(
        session, id=office.id(), reference=_fresh_reference(session, office, asked.kind), kind=asked.kind,
        category=asked.category, priority=priority, contact_id=conversation.contact_id, conversation_id=conversation.id,
        channel=conversation.channel, words=asked.words, summary=asked.summary, details=dict(asked.details), hazard=hazard,
        stage=1 if asked.kind == "complaint" else None, team=policy.team(asked.kind, asked.category).label,
        handler=policy.complaint_handler if asked.kind == "complaint" else None, received_at=received_at,
        deemed_at=policy.calendar.deemed_received(received_at),
    )  # fmt: skip
    conversation.last_case_id = case.id
    record(
        session, office, "case_opened", case.id, actor="bot", now=now, kind=case.kind, category=case.category,
        priority=case.priority, reference=case.reference,
    )  # fmt: skip
    return case


def _promise(session: Session, office: Office, case: Case, *, now: datetime) -> tuple[Explanation, ...]:
    """Start every clock that applies to the case; the strictest first, for it leads.

    Where it takes longer than the time between two progress updates, the next update is promised as well (BHA 120, ELHA
    9.2); so it is where the acknowledgement would meet everything else, so that nobody is left without a date.
    """
    promises = office.policy.opening_clocks(
        kind=case.kind, category=case.category, priority=case.priority,
        channel_class=office.policy.channel_class(case.channel), received=case.received_at, answers=case.details,
    )  # fmt: skip
    update = office.policy.explain(PROGRESS_UPDATE, now)
    awaited = [p for p in promises if office.policy.commitments[p.commitment].met_by not in FIRST_RESPONSE_EVIDENCE]
    if not awaited or awaited[-1].due > update.due:
        promises = (*promises, update)
    clocks.start_all(session, office, case, promises, now=now)
    return promises


def _owed(office: Office, channel: str, asked: OpenCase, received_at: datetime) -> Sequence[Explanation]:
    """What would be promised of a case before there is one."""
    policy = office.policy
    priority = (
        max(asked.priority, policy.priority(asked.category), key=_PRIORITIES.index)
        if asked.kind == "repair"
        else "routine"
    )
    return policy.opening_clocks(
        kind=asked.kind, category=asked.category, priority=priority, channel_class=policy.channel_class(channel),
        received=received_at, answers=asked.details,
    )  # fmt: skip


def _alarm(
    session: Session, office: Office, conversation: Conversation, case: Case, kind: str, *, now: datetime
) -> None:
    tasks.add(
        session, office, conversation, kind, due_at=now + EMERGENCY_TASK_WITHIN, now=now, case_id=case.id,
        detail=case.summary, urgent=True,
    )  # fmt: skip
    conversation.needs_person = kind
    handovers.start(session, office, conversation, case, now=now)


def _acknowledgement_key(office: Office, case: Case) -> str:
    if case.kind == "repair" and case.priority == "emergency":
        return "utter_ack_emergency"
    own = f"utter_ack_{case.category}"
    if not office.policy.calendar.is_open(case.received_at) and office.wording.has(f"{own}_closed"):
        own += "_closed"
    return own if case.kind == "service_request" and office.wording.has(own) else f"utter_ack_{case.kind}"


def _told(office: Office, case: Case, promises: Sequence[Explanation], now: datetime) -> list[dict[str, Any]]:
    """One sentence for each thing that is promised, the earliest first, each with its date or time."""
    told = []
    for each in promises:
        if office.policy.commitments[each.commitment].met_by in FIRST_RESPONSE_EVIDENCE or _is_right_to_repair(each):
            continue
        # The same commitment may be met by coming in one policy and by finishing in another: say which.
        general = f"utter_promise_{each.commitment}"
        exact = f"{general}_{office.policy.commitments[each.commitment].met_by}"
        key = next(filter(office.wording.has, (exact, general)), "utter_promise")
        told.append({
            "say": key, "due": office.due_in_words(each, now),
            "soonest": _soonest(office, case, now),
        })  # fmt: skip
    return told


def _soonest(office: Office, case: Case, now: datetime) -> dict[str, Any]:
    """The first day on which anything can be done: today, or the day that we next open."""
    if office.local(case.deemed_at).date() == office.local(now).date():
        return {"say": "utter_soonest_today"}
    return {"say": "utter_soonest_day", "day": office.day_in_words(case.deemed_at, now)}


def _is_right_to_repair(promise: Explanation) -> bool:
    """The Right to Repair has words of its own: the tenant must be told what it gives them (SSI 2002/316)."""
    return promise.commitment.startswith("right_to_repair_")


def _complaint_args(office: Office, case: Case) -> dict[str, Any]:
    ombudsman, advocacy = office.policy.ombudsman, office.policy.advocacy
    return {
        "stage": case.stage,
        "ombudsman": ombudsman.name,
        "ombudsman_phone": ombudsman.phone,
        "advocacy": advocacy.name,
        "advocacy_phone": advocacy.phone,
    }


def _fresh_reference(session: Session, office: Office, kind: str) -> str:
    while True:
        reference = references.make(kind, office.wall_clock.randbits(references.RANDOM_BITS))
        if not opening.reference_is_taken(session, reference):
            return reference
