"""Handing an emergency over to a person: who is alerted next, who has taken it, who called it off, and what the tenant is told.

    waiting ──▶ taken          by a key pressed, a code replied, a button on a signed page, or in the console
       │ ▲        │ ▲
       ▼ │        ▼ │          the tenant says that nobody came, does not agree, or tells of danger again
    stood_down  (waiting)      only by a person, with a reason that the tenant is told

`bot.handover` sends what is leased here. A rung is an index of the policy's ladder; `CONSOLE` comes before the first while the
office is open.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlmodel import Session, col, select

from bot.desk import clock as clocks
from bot.desk import task as tasks
from bot.desk.brief import emergency_clock, is_in_confidence
from bot.desk.conversation import NotAllowed, record, say_keys
from bot.desk.follow_up import expect, settle
from bot.desk.notice import CONSOLE, Reachable, came_to, next_number, notify, rung_name
from bot.desk.office import Office
from bot.desk.preference import in_words as care_in_words
from bot.desk.preference import is_safe
from bot.messages import Choice, Say
from bot.store import conversations
from bot.store.tables import (
    Case,
    ClockState,
    Contact,
    Conversation,
    Handover,
    HandoverAttempt,
    HandoverState,
    Staff,
    Task,
)  # fmt: skip

AGAIN_AFTER: Final = timedelta(seconds=60)
"""How long a route that was used is given before the next one is tried, and a rung whose routes all failed is left alone."""
ADVICE_WITHIN: Final = timedelta(minutes=2)
"""A text with safety advice that has not been delivered by then may not arrive at all."""
SILENT_AFTER: Final = timedelta(minutes=10)
"""How long a tenant in an emergency may leave our question unanswered before somebody rings."""
CODE_LENGTH: Final = 6
ANSWER_VALUE: Final = "handover:"
"""How the values of choices begin whose answers are read here and not by the dialogue."""

ALARMS: Final = frozenset({"emergency", "safeguarding"})
"""Tasks that are over once somebody has taken the emergency."""
WAITING = HandoverState.WAITING.value
CLOSED: Final = frozenset({HandoverState.STOOD_DOWN, HandoverState.GRANTED, HandoverState.REFUSED})
_IN_CALL: Final = frozenset({"sending", "sent"})
_PRIORITIES_BELOW: Final = ("urgent", "routine")


class Took(StrEnum):
    """What came of somebody's wish to take an emergency."""

    TAKEN = "taken"
    ALREADY = "already"
    """Somebody has it; perhaps the same person, asking twice."""
    OVER = "over"


# --- begun


def start(session: Session, office: Office, conversation: Conversation, case: Case, *, now: datetime) -> Handover:
    """Begin to hand a case over, in the transaction that opens it. A case is handed over once: again gives the same one."""
    known = of_case(session, case.id)
    if known is not None:
        return known
    handover = new(session, office, case, purpose="emergency", now=now)
    if office.policy.calendar.is_open(now):
        handover.rung, handover.rung_until = CONSOLE, now + _span(office, 0)
        handover.next_at = handover.rung_until
        _attempt(session, office, handover, "console", "sent", now=now)
    session.flush()
    watch_advice(session, office, conversation, handover, now=now)
    expect(session, office, handover, "tenant_silent", now + SILENT_AFTER)
    clock = emergency_clock(session, case)
    if clock is not None and not is_in_confidence(case):
        expect(session, office, handover, "somebody_came", _ask_at(clock.started_at, clock.due_at))
    record(session, office, "handover_started", handover.id, actor="bot", now=now, case=case.id, rung=handover.rung)
    return handover


def new(session: Session, office: Office, case: Case, *, purpose: str, now: datetime) -> Handover:
    while True:
        code = str(10 ** (CODE_LENGTH - 1) + office.wall_clock.randbits(32) % (9 * 10 ** (CODE_LENGTH - 1)))
        if by_code(session, code) is None:
            break
    handover = Handover(
        id=office.id(), purpose=purpose, case_id=case.id, conversation_id=case.conversation_id, code=code, next_at=now,
        started_at=now,
    )  # fmt: skip
    session.add(handover)
    return handover


def _ask_at(started: datetime, due: datetime) -> datetime:
    """Half an hour before it is due, or a sixth of the time where that is longer: 5 hours into 6, an hour and a half into 2."""
    return due - max((due - started) / 6, timedelta(minutes=30))


# --- climbing


def lease_due(
    session: Session, office: Office, reachable: Reachable, *, now: datetime, until: datetime, most: int = 20
) -> tuple[int, list[HandoverAttempt]]:
    """Work out what each handover that is due needs next: how many were due, and the attempts to be sent now.

    Each attempt is on disk before it is sent. Should its sender die, the handover is looked at again at `until`, and the same
    route is tried again.
    """
    due = session.exec(
        select(Handover)
        .where(col(Handover.next_at) <= now)
        .order_by(col(Handover.next_at))
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    attempts = []
    for handover in due:
        attempt = _next(session, office, handover, reachable, now=now, until=until)
        if attempt is not None:
            attempts.append(attempt)
    return len(due), attempts


def _next(
    session: Session, office: Office, handover: Handover, reachable: Reachable, *, now: datetime, until: datetime
) -> HandoverAttempt | None:
    _lost(session, handover, now=now)
    if handover.rung_until is None:
        _enter(session, office, handover, handover.rung, now=now)
    elif now >= handover.rung_until:
        # Whoever was asked has not taken it in their time: the tenant must not believe that they had.
        tell_not_taken(session, office, handover, "utter_handover_not_taken", now=now)
        _climb(session, office, handover, now=now)
    rungs = rungs_of(office, handover.purpose)
    for _ in rungs:
        routes = _routes(handover, reachable)
        if routes:
            attempt = _attempt(session, office, handover, routes[handover.step % len(routes)], "sending", now=now)
            handover.next_at = until
            session.add(handover)
            return attempt
        _attempt(session, office, handover, "none", "no_route", now=now)
        _climb(session, office, handover, now=now)
    # Nobody can be reached at all. That is said, and looked at again once the ladder would have been climbed: the numbers
    # may have been put in by then.
    handover.next_at = now + timedelta(minutes=office.policy.ladder[-1].until_minutes)
    handover.rung_until = handover.next_at
    if handover.told_lap == 0:
        tell_not_taken(session, office, handover, "utter_handover_nobody_reachable", now=now)
    record(session, office, "handover_nobody_reachable", handover.id, actor="bot", now=now, case=handover.case_id)
    session.add(handover)
    return None


def attempted(
    session: Session, office: Office, reachable: Reachable, attempt_id: str, state: str, *, now: datetime,
    provider_id: str | None = None, error: str | None = None,
) -> None:  # fmt: skip
    """What became of sending an attempt: `sent`, `unknown` or `failed`. After a failure the next route comes at once."""
    attempt = session.get_one(HandoverAttempt, attempt_id)
    if attempt.state == "sending":
        attempt.state, attempt.error = state, error
        attempt.ended_at = now if state == "failed" else None
    attempt.provider_id = attempt.provider_id or provider_id
    session.add(attempt)
    if attempt.purpose != "alert":
        came_to(session, office, reachable, attempt, state, now=now)
        return
    handover = locked(session, attempt.handover_id)
    if handover.state != WAITING or handover.rung != attempt.rung or handover.lap != attempt.lap:
        return
    handover.step += 1
    _wait(handover, reachable, at_once=attempt.state not in _IN_CALL | {"unknown", "delivered"}, now=now)
    session.add(handover)


def ended(
    session: Session, office: Office, reachable: Reachable, attempt_id: str, state: str, *, now: datetime,
    error: str | None = None,
) -> bool:  # fmt: skip
    """A provider says how an attempt ended: `delivered`, `failed`, `busy`, `no_answer`, `machine` or `not_taken`. False if
    there is no such attempt. Told twice, or too late, it changes nothing."""
    attempt = session.get(HandoverAttempt, attempt_id)
    if attempt is None:
        return False
    if attempt.ended_at is not None or (state == "delivered" and attempt.state not in {"sending", "sent", "unknown"}):
        return True
    attempt.state, attempt.error = state, error
    attempt.ended_at = None if state == "delivered" else now
    session.add(attempt)
    if state == "delivered":
        return True
    if attempt.purpose != "alert":
        came_to(session, office, reachable, attempt, state, now=now)
        return True
    handover = locked(session, attempt.handover_id)
    newest = session.exec(
        select(HandoverAttempt.id)
        .where(HandoverAttempt.handover_id == handover.id, HandoverAttempt.purpose == "alert")
        .order_by(col(HandoverAttempt.n).desc())
    ).first()
    if handover.state == WAITING and newest == attempt.id and handover.step > 0:
        _wait(handover, reachable, at_once=True, now=now)
        session.add(handover)
    return True


def _wait(handover: Handover, reachable: Reachable, *, at_once: bool, now: datetime) -> None:
    """When the next route is tried: at once after a failure, unless every route of the rung has just had its turn."""
    routes = max(1, len(_routes(handover, reachable)))
    pause = timedelta() if at_once and handover.step % routes else AGAIN_AFTER
    later = now + pause
    handover.next_at = min(later, handover.rung_until) if handover.rung_until else later


def _lost(session: Session, handover: Handover, *, now: datetime) -> None:
    """Attempts that were leased by a process that did not live to say what became of them."""
    for attempt in session.exec(
        select(HandoverAttempt).where(
            HandoverAttempt.handover_id == handover.id,
            HandoverAttempt.purpose == "alert",
            HandoverAttempt.state == "sending",
        )
    ):
        attempt.state, attempt.error = "unknown", "interrupted"
        session.add(attempt)


def _climb(session: Session, office: Office, handover: Handover, *, now: datetime) -> None:
    rungs = rungs_of(office, handover.purpose)
    higher = [each for each in rungs if each > handover.rung]
    if not higher:
        handover.lap += 1
    _enter(session, office, handover, higher[0] if higher else rungs[0], now=now)


def _enter(session: Session, office: Office, handover: Handover, rung: int, *, now: datetime) -> None:
    handover.rung, handover.step, handover.rung_until = rung, 0, now + _span(office, rung)
    session.add(handover)
    record(
        session, office, "handover_climbed", handover.id, actor="bot", now=now, rung=rung_name(office, rung),
        lap=handover.lap, case=handover.case_id,
    )  # fmt: skip


def _attempt(
    session: Session, office: Office, handover: Handover, route: str, state: str, *, now: datetime
) -> HandoverAttempt:
    attempt = HandoverAttempt(
        id=office.id(), handover_id=handover.id, n=next_number(session, handover.id), lap=handover.lap, rung=handover.rung,
        rung_name=rung_name(office, handover.rung), route=route, state=state, at=now,
        ended_at=now if state == "no_route" else None,
    )  # fmt: skip
    session.add(attempt)
    session.flush()
    return attempt


def rungs_of(office: Office, purpose: str) -> list[int]:
    return [index for index, rung in enumerate(office.policy.ladder) if purpose == "emergency" or rung.may_authorise]


def _routes(handover: Handover, reachable: Reachable) -> Sequence[str]:
    return reachable[handover.rung] if 0 <= handover.rung < len(reachable) else ()


def _span(office: Office, rung: int) -> timedelta:
    """How long a rung has before the next one is alerted too."""
    ladder = office.policy.ladder
    before = ladder[rung - 1].until_minutes if rung > 0 else 0
    return timedelta(minutes=ladder[max(rung, 0)].until_minutes - before)


# --- taken


def take(
    session: Session, office: Office, handover_id: str, *, by: str, how: str, now: datetime, rung: int | None = None,
    staff: Staff | None = None, attempt_id: str | None = None,
) -> Took:  # fmt: skip
    """Somebody takes it: nobody is alerted any more, and the tenant is told who has it."""
    handover = locked(session, handover_id)
    if handover.state != WAITING:
        return Took.OVER if handover.state in CLOSED else Took.ALREADY
    handover.state, handover.next_at = HandoverState.TAKEN.value, None
    handover.taken_at, handover.taken_by, handover.how = now, by, how
    handover.taken_rung, handover.taken_staff_id = rung, staff.id if staff else None
    session.add(handover)
    if attempt_id is not None and (attempt := session.get(HandoverAttempt, attempt_id)) is not None:
        attempt.state, attempt.ended_at = "taken", now
        session.add(attempt)
    _end_alarms(session, office, handover, staff, now=now)
    if staff is not None:
        who = Say("utter_handover_taken_by_staff", {
            "name": staff.name, "role": staff.job_title, "team": staff.team, "reference": _reference(session, handover)
        })  # fmt: skip
    else:
        name = office.policy.ladder[rung].name if rung is not None and rung >= 0 else by
        who = Say("utter_handover_taken_by_line", {"taker": name, "reference": _reference(session, handover)})
    tell(session, office, handover, [who], now=now, urgent=True)
    if rung is not None and rung >= 0 and how != "text":
        # Whoever replied by text is answered there (`bot.handover`); everybody else is sent the codes for later.
        notify(session, office, handover, "confirm", "yours", now=now)
    record(
        session, office, "handover_taken", handover.id, actor=staff.id if staff else "provider", now=now, how=how,
        rung=rung_name(office, rung) if rung is not None else None, case=handover.case_id,
        seconds=round((now - handover.started_at).total_seconds()),
    )  # fmt: skip
    return Took.TAKEN


def take_in_conversation(
    session: Session, office: Office, conversation_id: str, staff: Staff, *, now: datetime
) -> None:
    """A member of staff answers the conversation, or ticks its alarm off: they have its emergencies."""
    waiting = select(Handover.id).where(
        Handover.conversation_id == conversation_id, Handover.state == WAITING, Handover.purpose == "emergency"
    )
    for handover_id in session.exec(waiting).all():
        take(session, office, handover_id, by=staff.name, how="console", now=now, staff=staff)


def attended(session: Session, office: Office, handover: Handover, *, actor: str, now: datetime) -> None:
    """Somebody has come. That meets the clock of the emergency; a second report changes nothing."""
    case = session.get_one(Case, handover.case_id)
    if case.attended_at is None:
        case.attended_at = now
        session.add(case)
        clocks.meet(session, office, case, "attended", at=now, actor=actor, now=now)
        record(session, office, "attended", case.id, actor=actor, now=now, handover=handover.id)
    settle(session, handover, "somebody_came", "attended", now=now)


def made_safe(session: Session, office: Office, handover: Handover, *, actor: str, now: datetime) -> None:
    """It is safe now, so somebody has been there too. The tenant is told, and may say otherwise."""
    attended(session, office, handover, actor=actor, now=now)
    case = session.get_one(Case, handover.case_id)
    if case.made_safe_at is not None:
        return
    case.made_safe_at = now
    session.add(case)
    record(session, office, "made_safe", case.id, actor=actor, now=now, handover=handover.id)
    if actor != "tenant":
        tell(session, office, handover, [Say("utter_handover_made_safe", {"reference": case.reference})], now=now)


# --- called off, begun again


def stand_down(
    session: Session, office: Office, handover: Handover, reason: str, staff: Staff, *, now: datetime,
    priority: str | None = None,
) -> None:  # fmt: skip
    """A person decides that it is no emergency any more; with `priority` (`urgent` or `routine`), that it is a lesser repair.

    The tenant is told why, what happens instead and how to disagree. Raises NotAllowed without a reason.
    """
    reason = reason.strip()
    if not reason:
        raise NotAllowed("Write down why, in words that the tenant can be told.")
    if priority is not None and priority not in _PRIORITIES_BELOW:
        raise NotAllowed("An emergency can become an urgent or a normal repair.")
    handover = locked(session, handover.id)
    if handover.state in CLOSED:
        raise NotAllowed("This is over already.")
    told_line = handover.state == HandoverState.TAKEN and handover.taken_rung is not None
    handover.state, handover.next_at, handover.reason = HandoverState.STOOD_DOWN.value, None, reason
    session.add(handover)
    case = session.get_one(Case, handover.case_id)
    clock = emergency_clock(session, case)
    promises = []
    if clock is not None:
        clocks.end(session, office, clock, reason, actor=staff.id, now=now)
    if priority is not None and case.kind == "repair":
        case.priority = priority
        session.add(case)
        promises = [
            each for each in office.policy.opening_clocks(
                kind=case.kind, category=case.category, priority=priority,
                channel_class=office.policy.channel_class(case.channel), received=case.received_at, answers=case.details,
            )
            if office.policy.commitments[each.commitment].met_by == "attended"
        ]  # fmt: skip
        clocks.start_all(session, office, case, promises, now=now)
    for kind in ("advice_delivered", "tenant_silent", "somebody_came"):
        settle(session, handover, kind, "stood_down", now=now)
    _end_alarms(session, office, handover, staff, now=now)
    label = office.wording.label("answer", "disagree")
    choice = Choice(label, f"{ANSWER_VALUE}{case.reference}:disagree")
    if priority is None:
        why = Say("utter_handover_stood_down", {"reference": case.reference, "reason": reason}, (choice,))
    else:
        told = [
            {"say": f"utter_promise_{each.commitment}", "due": office.due_in_words(each, now), "soonest": None}
            for each in promises
        ]
        words = office.wording.label("priority", priority)
        args = {"reference": case.reference, "reason": reason, "priority": words, "promises": told or None}
        why = Say("utter_handover_downgraded", args, (choice,))
    tell(session, office, handover, [why], now=now)
    if told_line:
        notify(session, office, handover, "notice", "notice_called_off", now=now)
    record(
        session, office, "handover_stood_down", handover.id, actor=staff.id, now=now, case=case.id, priority=priority
    )


def begin_again(
    session: Session, office: Office, handover: Handover, concern: str, *, now: datetime,
    conversation: Conversation | None = None,
) -> None:  # fmt: skip
    """What was taken or called off has to be taken again: the ladder begins anew, and says why (`concern`)."""
    handover = locked(session, handover.id)
    case = session.get_one(Case, handover.case_id)
    if handover.state == HandoverState.STOOD_DOWN:
        _is_emergency_again(session, office, case, now=now)
    if handover.state != WAITING:
        handover.state, handover.lap, handover.step = WAITING, handover.lap + 1, 0
        handover.rung, handover.rung_until, handover.next_at = 0, None, now
        handover.taken_at = handover.taken_by = handover.taken_rung = handover.taken_staff_id = handover.how = None
        if office.policy.calendar.is_open(now):
            handover.rung, handover.rung_until = CONSOLE, now + _span(office, 0)
            handover.next_at = handover.rung_until
            _attempt(session, office, handover, "console", "sent", now=now)
    _worry(handover, concern)
    session.add(handover)
    alarm(session, office, handover, concern, now=now, conversation=conversation)
    record(session, office, "handover_begun_again", handover.id, actor="tenant", now=now, concern=concern, case=case.id)


def _is_emergency_again(session: Session, office: Office, case: Case, *, now: datetime) -> None:
    """Undo a calling off: the clock of the emergency runs on, with the date that was promised first."""
    if case.kind != "repair":
        return
    case.priority = "emergency"
    session.add(case)
    known = [each for each in clocks.of_case(session, case.id) if each.met_by == "attended"]
    called_off = next((each for each in known if each.state == ClockState.ENDED), None)
    if called_off is None:
        return
    for lesser in known:
        if lesser.state == ClockState.RUNNING:
            clocks.end(session, office, lesser, "It is an emergency again.", actor="tenant", now=now)
    clocks.revive(session, office, called_off, actor="tenant", now=now)


def watch_advice(
    session: Session, office: Office, conversation: Conversation, handover: Handover, *, now: datetime
) -> None:
    """Look in two minutes whether the advice has arrived. Where there is no proof of arrival, there is nothing to look at."""
    if conversation.channel in {"sms", "whatsapp"}:
        expect(session, office, handover, "advice_delivered", now + ADVICE_WITHIN)


def heard_danger_again(
    session: Session, office: Office, conversation: Conversation, case: Case, *, now: datetime
) -> None:
    """The tenant tells of the same danger once more: advice goes out again, and what was called off is an emergency again."""
    handover = of_case(session, case.id)
    if handover is None:
        return
    watch_advice(session, office, conversation, handover, now=now)
    if handover.state == HandoverState.STOOD_DOWN:
        begin_again(session, office, handover, "again", now=now, conversation=conversation)


# --- telling


def alarm(
    session: Session, office: Office, handover: Handover, concern: str, *, now: datetime,
    conversation: Conversation | None = None,
) -> None:  # fmt: skip
    """Tell whoever holds the emergency to ring the tenant: a task in the console, and a message to the rung that took it."""
    handover = locked(session, handover.id)
    own = conversation or conversations.load(session, handover.conversation_id)
    assert own is not None, "a case has a conversation"
    kind = f"ring_{concern}"
    tasks.add(
        session, office, own, kind, due_at=now + timedelta(minutes=5), now=now, case_id=handover.case_id, urgent=True
    )
    own.needs_person = own.needs_person or kind
    if conversation is None:
        conversations.save(session, own)
    if handover.state == HandoverState.TAKEN and handover.taken_rung is not None:
        notify(session, office, handover, "notice", f"notice_{concern}", now=now)
    elif handover.state == WAITING:
        _worry(handover, concern)
    session.add(handover)


def tell_not_taken(session: Session, office: Office, handover: Handover, key: str, *, now: datetime) -> None:
    """Tell the tenant that nobody has taken it yet: once in every lap of the ladder."""
    if handover.purpose != "emergency" or handover.told_lap >= handover.lap:
        return
    handover.told_lap = handover.lap
    tell(session, office, handover, [Say(key, {"reference": _reference(session, handover)})], now=now, urgent=True)


def tell(
    session: Session, office: Office, handover: Handover, says: Sequence[Say], *, now: datetime, urgent: bool = False,
    once: str | None = None,
) -> None:  # fmt: skip
    """Say something to the tenant, unless a message might be seen by somebody whom it puts them at risk from: then a trained
    person decides how they hear it, and whether."""
    case = session.get_one(Case, handover.case_id)
    if is_in_confidence(case) or case.details.get("safe_to_message") == "no":
        return
    conversation = conversations.load(session, handover.conversation_id)
    assert conversation is not None, "a case has a conversation"
    contact = session.get_one(Contact, case.contact_id)
    if not is_safe(contact, now):
        words = office.render(says, channel="phone", now=now).text
        tasks.add(
            session, office, conversation, "contact_safely", due_at=now + timedelta(minutes=15), now=now, case_id=case.id,
            detail=f"{care_in_words(contact)}\n\n{words}", urgent=True, role="owner", about={"words": words},
        )  # fmt: skip
        return
    say_keys(session, office, conversation, says, now=now, kind="handover", urgent=urgent, case_id=case.id, once=once)
    conversations.save(session, conversation)


# --- asked about


def of_case(session: Session, case_id: str) -> Handover | None:
    """The handover of a case that is an emergency."""
    return session.exec(select(Handover).where(Handover.case_id == case_id, Handover.purpose == "emergency")).first()


def by_code(session: Session, code: str) -> Handover | None:
    """The handover with this reply code."""
    return session.exec(select(Handover).where(Handover.code == code)).first()


def attempts(session: Session, handover_id: str) -> list[HandoverAttempt]:
    """Everything that was tried, in order."""
    return list(
        session.exec(
            select(HandoverAttempt).where(HandoverAttempt.handover_id == handover_id).order_by(col(HandoverAttempt.n))
        )
    )


# --- inside


def locked(session: Session, handover_id: str) -> Handover:
    session.flush()
    return session.exec(
        select(Handover).where(Handover.id == handover_id).with_for_update().execution_options(populate_existing=True)
    ).one()


def _reference(session: Session, handover: Handover) -> str:
    return session.get_one(Case, handover.case_id).reference


def _worry(handover: Handover, concern: str) -> None:
    if concern not in handover.concerns:
        handover.concerns = [*handover.concerns, concern]


def _end_alarms(session: Session, office: Office, handover: Handover, staff: Staff | None, *, now: datetime) -> None:
    open_alarms = select(Task).where(
        Task.case_id == handover.case_id, col(Task.done_at).is_(None), col(Task.kind).in_(ALARMS)
    )
    for task in session.exec(open_alarms):
        task.done_at, task.done_by = now, staff.id if staff else None
        session.add(task)
    conversation = conversations.load(session, handover.conversation_id)
    if conversation is not None and conversation.needs_person in ALARMS:
        conversation.needs_person = None
        conversations.save(session, conversation)
