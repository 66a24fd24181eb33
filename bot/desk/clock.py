"""Promises as rows: started, paused, extended, met by named evidence, missed, started again. `docs/promises.md` tells all.

A clock is changed here and nowhere else. What time asks of it is worked out by `bot.sla.clocks`; `bot.promises` looks when
`act_at` says so, and `bot.desk.update` speaks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from bot.desk.conversation import NotAllowed, record
from bot.desk.office import Office
from bot.messages import ChannelName, DeliveryState
from bot.sla import Commitment, Explanation, Policy, restore_policy
from bot.sla.calendar import at_local
from bot.sla.clocks import Moments, QuietHours, Standing, decide, moments, next_decent
from bot.sla.commitment import PAUSES
from bot.store import opening
from bot.store.tables import FIRST_RESPONSE_EVIDENCE, Case, Clock, ClockState, Message, PolicyVersion, Staff, Task

PROGRESS_UPDATE: Final = "progress_update"
"""The commitment, in every policy, to tell the tenant how a case is going."""
FIRST_RESPONSES: Final = FIRST_RESPONSE_EVIDENCE - {"formal_ack"}
"""What the delivery of a case-specific acknowledgement meets. Not `formal_ack`: a complaint's names its handler."""
ABOUT_CLOCKS: Final = frozenset({"update", "apology", "warning"})
"""Kinds of message that say something about the clocks in their `detail`."""
OPEN: Final = frozenset({ClockState.RUNNING, ClockState.PAUSED, ClockState.MISSED, ClockState.ANSWERED})
"""States in which evidence still counts: late evidence is evidence too."""
NEVER_TOLD: Final = frozenset({"survey_sent", "check_recorded", "record_given"})
"""Kept without a word to the tenant beforehand: only staff are warned."""
PROVEN_BY_WORDS: Final = FIRST_RESPONSE_EVIDENCE | {
    "full_reply", "full_reply_or_delay_notice", "stage1_decision", "stage2_response", "full_response", "decision", "reply",
    "first_response", "update",
}  # fmt: skip
"""What is kept by telling the tenant something, so that the message has to reach them."""
IMPLIES: Final[Mapping[str, frozenset[str]]] = {
    "completed": frozenset({"attended"}),
    "full_reply": FIRST_RESPONSES | {"full_reply_or_delay_notice", "reply"},
    "full_response": FIRST_RESPONSES | {"full_reply_or_delay_notice"},
    "stage1_decision": FIRST_RESPONSES | {"full_reply_or_delay_notice"},
    "stage2_response": FIRST_RESPONSES | {"full_reply_or_delay_notice"},
    "decision": FIRST_RESPONSES | {"full_reply_or_delay_notice"},
    "delay_notice": FIRST_RESPONSES | {"full_reply_or_delay_notice"},
    "call_made": FIRST_RESPONSES,
    "formal_ack": FIRST_RESPONSES,
}
"""Evidence that proves more than its own name says."""
ASKED: Final = "give_update"
"""The task that asks staff for the content of the next update."""
AT_RISK: Final = "promise_at_risk"
AT_RISK_MANAGER: Final = "promise_at_risk_manager"
ALARM: Final = "emergency_at_risk"
"""The warning of an emergency while the office is closed: it must reach somebody who is awake."""
ALARM_MANAGER: Final = "emergency_at_risk_manager"
WARNINGS: Final = frozenset({ASKED, AT_RISK, AT_RISK_MANAGER, ALARM, ALARM_MANAGER})
"""Kinds of task that a running clock gives rise to, and that end with it."""
_ELAPSED: Final = frozenset({"hours", "minutes"})
_RUNNING: Final = ClockState.RUNNING.value


# --- started


def start_all(
    session: Session, office: Office, case: Case, promises: Sequence[Explanation], *, now: datetime
) -> list[Clock]:
    """Start a clock for each promise, under the policy as it stands today.

    Of the same promise on the same case only one runs at a time: the unique key decides, and what lost is left out.
    """
    session.flush()
    version = _policy_version(session, office, now)
    return [clock for promise in promises if (clock := _start(session, office, case, promise, version, now))]


def start_event(
    session: Session, office: Office, case: Case, event: str, *, at: datetime, now: datetime
) -> list[Clock]:
    """Start the clocks that an event starts (`bot.sla.commitment.EVENTS`): stage 2, a repair completed …"""
    policy = office.policy
    rules = [
        rule
        for rule in policy.commitments.values()
        if rule.event == event and rule.status == "kept" and not rule.repeat
        and any(
            applies.matches(
                kind=case.kind, category=case.category, priority=case.priority,
                channel_class=policy.channel_class(case.channel), severity=policy.severities.get(case.category),
                qualifying_days=None,
            )
            for applies in rule.applies
        )
    ]  # fmt: skip
    return start_all(session, office, case, [policy.explain(rule.id, at) for rule in rules], now=now)


def next_update(session: Session, office: Office, case: Case, *, since: datetime, now: datetime) -> Clock:
    """The running clock of the next progress update; one is started from `since` if none runs."""
    while (running := running_update(session, case.id)) is None:
        start_all(session, office, case, [office.policy.explain(PROGRESS_UPDATE, since)], now=now)
        since += timedelta.resolution  # one that began at this very instant is over already
    return running


def running_update(session: Session, case_id: str) -> Clock | None:
    found = select(Clock).where(Clock.case_id == case_id, Clock.commitment == PROGRESS_UPDATE, Clock.state == _RUNNING)
    return session.exec(found).first()


def _start(
    session: Session, office: Office, case: Case, promise: Explanation, version: str, now: datetime,
    extends: Clock | None = None, chosen: Mapping[str, Any] | None = None,
) -> Clock | None:  # fmt: skip
    clock = opening.new_clock(
        id=office.id(), case_id=case.id, commitment=promise.commitment, policy_version_id=version,
        started_at=promise.received if extends is None else max(now, extends.started_at + timedelta.resolution),
        deemed_at=promise.deemed_received, due_at=promise.due,
        planned_at=promise.planned, warn_from=promise.warn_from,
        met_by=office.policy.commitments[promise.commitment].met_by, extends_id=extends.id if extends else None,
        chosen=dict(chosen) if chosen is not None else None,
    )  # fmt: skip
    look(session, office, clock, now=now)
    return clock if opening.add_clock(session, clock) else None


# --- what time asks of it


def schedule(
    session: Session, office: Office, clock: Clock, *, slow: bool = False, quiet: QuietHours | None = None
) -> Moments:
    """When this clock calls for what. `slow`: the tenant can only be told by letter, so it is begun as early as counts.
    `quiet`: the hours of this person, where they are known (`desk.preference`); else the policy's."""
    rule = _rule_today(session, office, clock)
    warn_from = clock.warn_from or clock.due_at - (clock.due_at - clock.deemed_at) / 5
    at = moments(
        office.policy.calendar, _policys(office) if quiet is None else quiet, deemed=clock.deemed_at, due=clock.due_at,
        planned=clock.planned_at, warn_from=warn_from, elapsed=rule.mode in _ELAPSED, repeats=rule.repeat,
    )  # fmt: skip
    return replace(at, tell=warn_from) if slow else at


def standing(clock: Clock) -> Standing:
    return Standing(
        answered=clock.state == ClockState.ANSWERED,
        missed=clock.missed_at is not None,
        asked=clock.asked_at is not None,
        owner_warned=clock.owner_warned_at is not None,
        manager_warned=clock.manager_warned_at is not None,
        told=(clock.told_by is not None and not told_early(clock)) or clock.met_by in NEVER_TOLD,
        on_its_way=clock.said_at,
        with_a_person=clock.told_message_id is None,
        content=clock.content is not None and clock.told_by is None,
    )


def told_early(clock: Clock) -> bool:
    """Whether the tenant was told before the time in which a promise's end has to be spoken of: then once more in it."""
    return clock.told_at is not None and clock.warn_from is not None and clock.told_at < clock.warn_from


def decent(
    session: Session, office: Office, clock: Clock, *, now: datetime, quiet: QuietHours | None = None
) -> datetime:
    """When the tenant may be written to about this clock: quiet hours do not bind those that run day and night.

    Where the person's own hours (`quiet`) leave no moment before it is due, the policy's count: then a call or a letter has
    to do it (`desk.reach`).
    """
    if _rule_today(session, office, clock).mode in _ELAPSED:
        return now
    at = next_decent(_policys(office) if quiet is None else quiet, now)
    return at if quiet is None or now >= clock.due_at or at < clock.due_at else next_decent(_policys(office), now)


def look(
    session: Session,
    office: Office,
    clock: Clock,
    *,
    now: datetime,
    slow: bool = False,
    quiet: QuietHours | None = None,
) -> None:
    """Work out anew when the clock is next to be looked at."""
    if clock.state not in {ClockState.RUNNING, ClockState.ANSWERED, ClockState.MISSED}:
        clock.act_at = None
        return
    call = decide(
        schedule(session, office, clock, slow=slow, quiet=quiet), standing(clock), now,
        decent=decent(session, office, clock, now=now, quiet=quiet),
    )  # fmt: skip
    clock.act_at = now if call.acts else call.look_again


def _policys(office: Office) -> QuietHours:
    return (office.policy.quiet_hours,) if office.policy.quiet_hours else ()


def miss(session: Session, office: Office, clock: Clock, *, now: datetime) -> None:
    """The time is over and it is not kept. What is on its way to the tenant may still keep it, late."""
    clock.missed_at = clock.due_at
    if clock.state == _RUNNING:
        clock.state = ClockState.MISSED.value
    session.add(clock)
    record(
        session, office, "clock_missed", clock.id, actor="bot", now=now, commitment=clock.commitment,
        case=clock.case_id, told=clock.told_at is not None,
    )  # fmt: skip


# --- evidence


def meet(
    session: Session, office: Office, case: Case, outcome: str, *, at: datetime, actor: str, now: datetime,
    message: Message | None = None, **detail: Any,
) -> list[Clock]:  # fmt: skip
    """Something happened at `at` that keeps promises (`OUTCOMES`, or `delay_notice`): meet every clock that it keeps.

    A response is kept apart by who gave it. Evidence that comes late meets a missed clock late; `at` decides.
    """
    proves = {outcome} | IMPLIES.get(outcome, frozenset())
    open_clocks = select(Clock).where(
        Clock.case_id == case.id, col(Clock.state).in_([each.value for each in OPEN]), col(Clock.met_by).in_(proves)
    )
    met = list(session.exec(open_clocks))
    for clock in met:
        _met(session, office, clock, at=at, actor=actor, now=now, message=message, outcome=outcome, **detail)
        if clock.met_by in FIRST_RESPONSES and actor not in {"bot", "provider"}:
            clock.human_response_at = clock.human_response_at or at
    if met:
        _keep_in_sight(session, office, case, now=now)
    return met


def _keep_in_sight(session: Session, office: Office, case: Case, *, now: datetime) -> None:
    """An open case of which nothing is promised any more is past its first target: from now on its tenant is owed updates
    until it is closed (an emergency that was attended, and whose repair follows)."""
    if case.state != "open":
        return
    promised = select(Clock.id).where(
        Clock.case_id == case.id, col(Clock.state).in_([_RUNNING, ClockState.PAUSED.value, ClockState.ANSWERED.value])
    )
    if session.exec(promised).first() is None:
        next_update(session, office, case, since=now, now=now)


def answered(session: Session, office: Office, clock: Clock, *, now: datetime) -> None:
    """What keeps it has been written: it is met once the tenant has it (`proven`)."""
    if clock.state == ClockState.PAUSED:
        _go_on(session, office, clock, until=now, actor="bot", now=now)
    clock.state = ClockState.ANSWERED.value
    session.add(clock)
    look(session, office, clock, now=now)


def proven(
    session: Session, office: Office, about: Mapping[str, Any], *, by: str, now: datetime,
    message: Message | None = None,
) -> None:  # fmt: skip
    """A provider took a message, or a person made a call or posted a letter: the clocks it is about have been told of, and
    those it `meets` are met."""
    if message is None and (case_id := about.get("acknowledges")):
        outcome = "formal_ack" if about.get("formal") else "call_made"
        meet(session, office, session.get_one(Case, case_id), outcome, at=now, actor=by, now=now)
    wanted = [*about.get("clocks", ()), *about.get("meets", ())]
    meets = set(about.get("meets", ()))
    for clock in session.exec(select(Clock).where(col(Clock.id).in_(wanted))):
        if clock.told_at is None:
            clock.told_at = now
            if clock.state != ClockState.ANSWERED or clock.id in meets:  # else the answer itself is still on its way
                clock.said_at = None
            session.add(clock)
            if told_early(clock):
                look(session, office, clock, now=now)
        if clock.id in meets and clock.state in OPEN:
            _met(session, office, clock, at=now, actor=by, now=now, message=message)


def delivery_moved(session: Session, office: Office, message: Message, state: DeliveryState, *, now: datetime) -> None:
    """A message has come further on its way (`state`): whatever that proves about the clocks of its case is noted."""
    if is_accepted(message.channel, state):
        if message.kind in ABOUT_CLOCKS or "meets" in message.detail:
            proven(session, office, message.detail, by="provider", now=now, message=message)
        if message.kind == "staff" and message.case_id is not None:
            _news(session, office, message, now=now)
    if is_evidence(message.channel, state):
        response_delivered(session, office, message, now=now)


def not_delivered(session: Session, office: Office, message: Message, *, now: datetime) -> None:
    """A message did not arrive after all: nothing that it was evidence of has been proven."""
    touched = select(Clock).where(
        (col(Clock.met_message_id) == message.id) | (col(Clock.told_message_id) == message.id)
        | col(Clock.id).in_(message.detail.get("meets", ()))
    )  # fmt: skip
    for clock in session.exec(touched):
        if clock.told_message_id == message.id:
            clock.told_message_id = clock.told_at = clock.told_by = clock.said_at = None
        if clock.met_message_id == message.id:
            clock.met_at = clock.met_message_id = None
            another_runs = clock.commitment == PROGRESS_UPDATE and running_update(session, clock.case_id) is not None
            clock.state = (ClockState.ANSWERED if another_runs or clock.ended_at else ClockState.RUNNING).value
            record(
                session, office, "clock_reopened", clock.id, actor="provider", now=now, commitment=clock.commitment,
                message=message.id, case=clock.case_id,
            )  # fmt: skip
        session.add(clock)
        session.flush()
        look(session, office, clock, now=now)


def response_delivered(session: Session, office: Office, message: Message, *, now: datetime) -> None:
    """A message about a case has reached the tenant: note it as a response, and meet the clocks that a response meets.

    Automatic and human responses are kept apart: the published figure uses the first that was about the case, the
    regulator may ask for the first by a person.
    """
    if message.case_id is None or message.kind not in {"acknowledgement", "staff"}:
        return
    human = message.author == "staff"
    formal = bool(message.detail.get("formal"))
    waiting = select(Clock).where(
        Clock.case_id == message.case_id, col(Clock.state).in_([_RUNNING, ClockState.MISSED.value])
    )
    for clock in session.exec(waiting).all():
        if clock.met_by not in FIRST_RESPONSES and not (formal and clock.met_by == "formal_ack"):
            continue
        if human:
            clock.human_response_at = clock.human_response_at or now
        else:
            clock.automatic_response_at = clock.automatic_response_at or now
        _met(session, office, clock, at=now, actor="staff" if human else "bot", now=now, message=message)
    case = session.get_one(Case, message.case_id)
    if case.acknowledged_at is None:
        case.acknowledged_at = now
        session.add(case)


def is_accepted(channel: str, state: DeliveryState) -> bool:
    """Whether the provider has taken a message. A web page is its own provider, and has it once it was shown."""
    if state in {DeliveryState.DELIVERED, DeliveryState.READ}:
        return True
    return state is DeliveryState.SENT and channel != ChannelName.WEB


def is_evidence(channel: str, state: DeliveryState) -> bool:
    """Whether a delivery state proves that a message reached the tenant on this channel.

    A text's `sent` only says that the network took it; Telegram confirms by accepting, the terminal by printing; the web by
    the page's `ack`.
    """
    if state in {DeliveryState.DELIVERED, DeliveryState.READ}:
        return True
    return state is DeliveryState.SENT and channel in {ChannelName.TELEGRAM, ChannelName.TERMINAL}


def _met(
    session: Session, office: Office, clock: Clock, *, at: datetime, actor: str, now: datetime,
    message: Message | None = None, **detail: Any,
) -> None:  # fmt: skip
    if clock.state == ClockState.PAUSED:
        _go_on(session, office, clock, until=at, actor=actor, now=now)
    clock.state = ClockState.MET.value
    clock.met_at, clock.met_message_id, clock.act_at = at, message.id if message else None, None
    if at <= clock.due_at:
        clock.missed_at = None  # it was kept in time after all, and only written down late
    session.add(clock)
    _nothing_more_to_do(session, clock, now=now)
    record(
        session, office, "clock_met", clock.id, actor=actor, now=now, commitment=clock.commitment,
        message=clock.met_message_id, case=clock.case_id, late=at > clock.due_at, **detail,
    )  # fmt: skip


def _nothing_more_to_do(session: Session, clock: Clock, *, now: datetime) -> None:
    """The warnings and requests that a clock gave rise to are over with it."""
    session.execute(
        update(Task)
        .where(col(Task.clock_id) == clock.id, col(Task.done_at).is_(None), col(Task.kind).in_(sorted(WARNINGS)))
        .values(done_at=now)
    )


def _news(session: Session, office: Office, message: Message, *, now: datetime) -> None:
    """A person wrote to the tenant about cases: that is an update of each, and the next is due so long after it."""
    for case_id in message.detail.get("news_of", [message.case_id]):
        noted = select(Clock.id).where(Clock.commitment == PROGRESS_UPDATE, Clock.met_message_id == message.id)
        running = running_update(session, case_id)
        case = session.get_one(Case, case_id)
        if running is None or case.state != "open" or session.exec(noted.where(Clock.case_id == case.id)).first():
            continue
        _met(session, office, running, at=now, actor="staff", now=now, message=message)
        next_update(session, office, case, since=now, now=now)


# --- paused, extended, ended


def pause(
    session: Session, office: Office, clock: Clock, why: str, reason: str, staff: Staff, *, now: datetime
) -> None:
    """Stop a clock. Raises NotAllowed unless the policy lets `why` (an id of `PAUSES`) stop it, it runs, and a reason is
    given in words."""
    rule = commitment_of(session, office, clock)
    if why not in rule.pauses:
        allowed = "; ".join(PAUSES[each] for each in sorted(rule.pauses)) or "nothing"
        raise NotAllowed(f"{rule.title}: what may stop this clock is: {allowed}.")
    if clock.state != _RUNNING:
        raise NotAllowed(f"This clock is {clock.state}, so it cannot be paused.")
    clock.state, clock.paused_at, clock.reason, clock.act_at = (
        ClockState.PAUSED.value, now, _given(reason), None,
    )  # fmt: skip
    clock.pauses = [*(clock.pauses or ()), {"from": now.isoformat(), "why": why, "reason": reason, "by": staff.id}]
    session.add(clock)
    record(
        session, office, "clock_paused", clock.id, actor=staff.id, now=now, commitment=clock.commitment,
        case=clock.case_id, why=why,
    )  # fmt: skip


def resume(session: Session, office: Office, clock: Clock, staff: Staff, *, now: datetime) -> None:
    """Let a paused clock run on. It is due as much later as it stood still: hours for hours, days for days of its kind.

    Raises NotAllowed if it is not paused.
    """
    if clock.state != ClockState.PAUSED or clock.paused_at is None:
        raise NotAllowed(f"This clock is {clock.state}, so it cannot go on.")
    _go_on(session, office, clock, until=now, actor=staff.id, now=now)
    look(session, office, clock, now=now)


def _go_on(session: Session, office: Office, clock: Clock, *, until: datetime, actor: str, now: datetime) -> None:
    """Count the time for which it stood still. What happens to a clock that stands ends its pause first."""
    assert clock.paused_at is not None
    before = clock.due_at
    stood = _stood_still(session, office, clock, clock.paused_at, max(until, clock.paused_at))
    clock.due_at, clock.planned_at, clock.warn_from = (
        _later(office, each, stood) for each in (clock.due_at, clock.planned_at, clock.warn_from or before)
    )
    *over, last = clock.pauses or [{}]
    clock.pauses = [*over, last | {"to": until.isoformat()}]
    clock.state, clock.paused_at = _RUNNING, None
    session.add(clock)
    record(
        session, office, "clock_resumed", clock.id, actor=actor, now=now, commitment=clock.commitment,
        case=clock.case_id, due_before=before.isoformat(), due=clock.due_at.isoformat(),
    )  # fmt: skip


def extend(
    session: Session, office: Office, clock: Clock, reason: str, staff: Staff, *, now: datetime,
    until: datetime | None = None,
) -> Clock:  # fmt: skip
    """Give a later date, as far as the rule allows, and start the clock that runs to it. The tenant is told by the caller
    (`desk.update.extend`). Raises NotAllowed if the rule or the person's role does not allow it, or it is past due.

    `until` is the agreed date, for rules that know no ceiling.
    """
    rule = commitment_of(session, office, clock)
    if staff.role not in {"manager", "administrator"}:
        raise NotAllowed("A manager has to approve a later date.")
    if clock.state != _RUNNING or (clock.extends_id is not None and not rule.extension_agreed):
        raise NotAllowed("Only a clock that runs, and has not been extended yet, can be given a later date.")
    policy = policy_of(session, office, clock)
    if rule.extension_agreed:
        if until is None or until <= clock.due_at:
            raise NotAllowed("Say until when: a date after the present one, agreed with the tenant.")
        proof = replace(
            policy.explain(clock.commitment, clock.started_at), due=until, planned=until,
            warn_from=until - (until - clock.due_at) / 5,
        )  # fmt: skip
    else:
        try:
            proof = policy.explain(clock.commitment, clock.started_at, extended=True)
        except ValueError as error:
            raise NotAllowed(f"{rule.title}: no later date is allowed.") from error
    later = run_on(session, office, clock, proof, ClockState.EXTENDED, _given(reason), now=now)
    record(
        session, office, "clock_extended", clock.id, actor=staff.id, now=now, commitment=clock.commitment,
        case=clock.case_id, due_before=clock.due_at.isoformat(), due=later.due_at.isoformat(), clock=later.id,
    )  # fmt: skip
    return later


def run_on(
    session: Session, office: Office, clock: Clock, proof: Explanation, state: ClockState, reason: str, *, now: datetime,
    chosen: Mapping[str, Any] | None = None,
) -> Clock:  # fmt: skip
    """Have another clock run to a later date in place of this one, which keeps its own date and ends as `state`."""
    clock.state, clock.reason, clock.ended_at, clock.act_at = state.value, reason, now, None
    session.add(clock)
    _nothing_more_to_do(session, clock, now=now)
    session.flush()
    case = session.get_one(Case, clock.case_id)
    later = _start(session, office, case, proof, clock.policy_version_id, now, clock, chosen)
    assert later is not None, "the clock that it runs in place of no longer runs"
    return later


def end(session: Session, office: Office, clock: Clock, reason: str, *, actor: str, now: datetime) -> None:
    """It no longer matters. What was missed before stays missed."""
    if clock.state not in {ClockState.RUNNING, ClockState.PAUSED, ClockState.ANSWERED, ClockState.MISSED}:
        return
    if clock.state == ClockState.PAUSED:
        _go_on(session, office, clock, until=now, actor=actor, now=now)
    if clock.state != ClockState.MISSED:
        clock.state = ClockState.ENDED.value
    clock.ended_at, clock.reason, clock.act_at = now, reason, None
    session.add(clock)
    _nothing_more_to_do(session, clock, now=now)
    record(
        session, office, "clock_ended", clock.id, actor=actor, now=now, commitment=clock.commitment,
        case=clock.case_id, late=now > clock.due_at,
    )  # fmt: skip
    _keep_in_sight(session, office, session.get_one(Case, clock.case_id), now=now)


def revive(session: Session, office: Office, clock: Clock, *, actor: str, now: datetime) -> None:
    """What was ended matters again, with the date that it had. Nothing else has become of it."""
    if clock.state != ClockState.ENDED:
        return
    clock.state, clock.ended_at, clock.reason = _RUNNING, None, None
    session.add(clock)
    look(session, office, clock, now=now)
    record(
        session,
        office,
        "clock_revived",
        clock.id,
        actor=actor,
        now=now,
        commitment=clock.commitment,
        case=clock.case_id,
    )


def _given(reason: str) -> str:
    if not reason.strip():
        raise NotAllowed("Give the reason in words: it is kept, and may have to be shown.")
    return reason.strip()


def _stood_still(session: Session, office: Office, clock: Clock, since: datetime, now: datetime) -> timedelta:
    rule, policy = commitment_of(session, office, clock), policy_of(session, office, clock)
    if rule.mode in _ELAPSED:
        return now - since
    first, last = office.local(since).date(), office.local(now).date()
    if rule.hol is None or rule.mode not in {"after", "incl"}:
        return last - first
    lost = policy.calendar.working_days_between(first, last, rule.hol)
    due = office.local(clock.due_at).date()
    return policy.calendar.add_working_days(due, lost, rule.hol) - due


def _later(office: Office, instant: datetime, by: timedelta) -> datetime:
    """So much later; whole days keep the hour on the clock when summer time begins or ends in between."""
    if by % timedelta(days=1):
        return instant + by
    here = office.local(instant)
    return at_local(here.date() + by, here.time())


# --- asked about


def policy_of(session: Session, office: Office, clock: Clock) -> Policy:
    """The policy that a clock was promised under."""
    if clock.policy_version_id == office.policy.version:
        return office.policy
    return restore_policy(session.get_one(PolicyVersion, clock.policy_version_id).content)


def commitment_of(session: Session, office: Office, clock: Clock) -> Commitment:
    """The rule of a clock, as it was when it was promised."""
    if clock.policy_version_id == office.policy.version:
        return office.policy.commitments[clock.commitment]
    return policy_of(session, office, clock).commitments[clock.commitment]


def _rule_today(session: Session, office: Office, clock: Clock) -> Commitment:
    """The same, for when to act: today's rule of that name will do, and old policies need not be read at every look."""
    return office.policy.commitments.get(clock.commitment) or commitment_of(session, office, clock)


def of_case(session: Session, case_id: str) -> list[Clock]:
    """The clocks of a case, the earliest due first."""
    return list(session.exec(select(Clock).where(Clock.case_id == case_id).order_by(Clock.due_at)))  # type: ignore[arg-type]


def _policy_version(session: Session, office: Office, now: datetime) -> str:
    version = office.policy.version
    if not opening.has_policy(session, version):
        opening.add_policy(session, version, office.policy.id, office.policy.snapshot, now=now)
    return version
