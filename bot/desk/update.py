"""What is said about promises, and who is asked to say it: drafts, updates, warnings, apologies, later dates.

Staff are asked ahead of time, with a draft; what they give is sent under their name. If they give nothing, the tenant is
told so, with the date of the next update and never a date that nobody has given.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlmodel import Session, col, select

from bot.desk import clock as clocks
from bot.desk import handover as handovers
from bot.desk import reach
from bot.desk import task as tasks
from bot.desk.clock import ALARM, ALARM_MANAGER, ASKED, AT_RISK, AT_RISK_MANAGER
from bot.desk.conversation import NotAllowed, record
from bot.desk.notice import notify
from bot.desk.office import Office
from bot.desk.preference import quiet_spans
from bot.messages import Say
from bot.sla.calendar import END_OF_DAY, at_local
from bot.sla.clocks import TIME_TO_ARRIVE
from bot.store import conversations
from bot.store.tables import Case, Clock, ClockState, Contact, Event, HandoverState, Staff, Task
from bot.wording import day_in_words

MISSED: Final = "promise_missed"
NONE_GIVEN: Final = "no_update_given"
_ELAPSED: Final = frozenset({"hours", "minutes"})


@dataclass(frozen=True, slots=True)
class Content:
    """What staff give to be said. Words are for the tenant, as they stand."""

    what: str
    reason: str | None = None
    """Why it takes longer (ELHA 9.2 asks for it)."""
    next_step: str | None = None
    expected: date | None = None
    """A day that somebody stands by."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What staff are asked to complete: what has happened since, and by when the tenant is told something anyway."""

    clock_id: str
    task_id: str
    case_id: str
    reference: str
    summary: str
    happened: tuple[str, ...]
    reason: str | None
    sent_at: datetime
    """When the holding update goes out if nothing is given."""
    next_due: datetime


# --- staff are asked, and give


def ask(session: Session, office: Office, case: Case, clock: Clock, *, now: datetime) -> Task:
    """Ask whoever has the case what to tell the tenant."""
    at = clocks.schedule(session, office, clock)
    talk = conversations.load(session, case.conversation_id, lock=False)
    assert talk is not None
    clock.asked_at = now
    session.add(clock)
    happened = _happened(session, office, case, since=clock.started_at, now=now)
    return tasks.add(
        session, office, talk, ASKED, due_at=at.tell, now=now, case_id=case.id, role="owner", clock_id=clock.id,
        detail=" ".join(happened),
    )  # fmt: skip


def drafts(session: Session, office: Office, *, now: datetime, most: int = 200) -> list[Draft]:
    """The updates that staff are asked for and have not given, the most pressing first."""
    waiting = session.exec(
        select(Task, Clock, Case)
        .join(Clock, col(Clock.id) == Task.clock_id)
        .join(Case, col(Case.id) == Clock.case_id)
        .where(Task.kind == ASKED, col(Task.done_at).is_(None), Clock.state == ClockState.RUNNING.value)
        .order_by(col(Task.due_at))
        .limit(most)
    )
    return [draft(session, office, case, clock, task.id, now=now) for task, clock, case in waiting]


def draft(session: Session, office: Office, case: Case, clock: Clock, task_id: str, *, now: datetime) -> Draft:
    """What an update could say, for staff to complete."""
    return Draft(
        clock_id=clock.id, task_id=task_id, case_id=case.id, reference=case.reference, summary=case.summary,
        happened=_happened(session, office, case, since=clock.started_at, now=now),
        reason=_waits_for(session, case), sent_at=clocks.schedule(session, office, clock).tell,
        next_due=office.policy.explain(clocks.PROGRESS_UPDATE, now).due,
    )  # fmt: skip


def give(session: Session, office: Office, clock_id: str, content: Content, staff: Staff, *, now: datetime) -> None:
    """Staff say what is to be told about a clock: an update of the case, or why a promise will be late and when it will be
    kept instead. It goes out at once, or in the morning if the tenant sleeps.

    Raises NotAllowed if nothing is said, the case is closed, or the clock no longer waits for it.
    """
    clock = session.get_one(Clock, clock_id)
    case = session.get_one(Case, clock.case_id)
    if not content.what.strip() and not (content.reason or "").strip():
        raise NotAllowed("Say what has happened, or why it takes longer.")
    if (
        case.state != "open"
        or clock.state not in {ClockState.RUNNING, ClockState.MISSED}
        or clock.met_by in clocks.NEVER_TOLD
    ):
        raise NotAllowed("This promise has been kept or has ended, so there is nothing to tell about it.")
    kept = asdict(content) | {"by": staff.id, "at": now.isoformat()}
    kept["expected"] = content.expected.isoformat() if content.expected else None
    clock.content, clock.told_by = kept, None
    session.add(clock)
    asked = select(Task).where(
        Task.clock_id == clock.id, col(Task.done_at).is_(None), col(Task.kind).in_([ASKED, AT_RISK])
    )
    for task in session.exec(asked):
        tasks.done(session, office, task.id, staff, now=now)
    record(session, office, "update_given", clock.id, actor=staff.id, now=now, case=case.id)
    contact = session.get_one(Contact, case.contact_id)
    quiet = quiet_spans(office, contact)
    if clocks.decent(session, office, clock, now=now, quiet=quiet) <= now:
        tell(session, office, contact, [(case, clock)], now=now)
    else:
        clocks.look(session, office, clock, now=now, quiet=quiet)


def extend(
    session: Session, office: Office, clock_id: str, reason: str, staff: Staff, *, now: datetime, until: date | None = None
) -> Clock:  # fmt: skip
    """Give a later date as the rule allows (`desk.clock.extend`), and tell the tenant why and until when."""
    clock = session.get_one(Clock, clock_id)
    case = session.get_one(Case, clock.case_id)
    agreed = at_local(until, END_OF_DAY) if until else None
    later = clocks.extend(session, office, clock, reason, staff, now=now, until=agreed)
    said = Say("utter_extended", _about(case) | {
        "reason": reason, "until": office.day_in_words(later.due_at, now), "before": office.day_in_words(clock.due_at, now),
    })  # fmt: skip
    _say(
        session, office, session.get_one(Contact, case.contact_id), case, [said], "update", [clock, later], [],
        once=f"extended:{later.id}", staff=staff, now=now,
    )  # fmt: skip
    return later


# --- warnings to staff


def warn(session: Session, office: Office, case: Case, clock: Clock, *, manager: bool, now: datetime) -> Task:
    """Warn whoever has the case, or the manager, that a promise is about to be broken. At night an emergency's warning is
    an alarm for the on-call ladder."""
    rule = clocks.commitment_of(session, office, clock)
    talk = conversations.load(session, case.conversation_id, lock=False)
    assert talk is not None
    if manager:
        clock.manager_warned_at = now
    else:
        clock.owner_warned_at = now
    session.add(clock)
    at_night = case.priority == "emergency" and rule.mode in _ELAPSED and not office.policy.calendar.is_open(now)
    kind = (ALARM_MANAGER if manager else ALARM) if at_night else (AT_RISK_MANAGER if manager else AT_RISK)
    task = tasks.add(
        session, office, talk, kind, due_at=clock.planned_at if clock.planned_at > now else clock.due_at, now=now,
        case_id=case.id, detail=f"{rule.title}: {office.moment_in_words(clock.due_at, now)}",
        urgent=case.priority == "emergency", role="manager" if manager else "owner", clock_id=clock.id,
    )  # fmt: skip
    if not manager and clock.warn_from is not None and clock.due_at - clock.warn_from < TIME_TO_ARRIVE:
        contact = session.get_one(Contact, case.contact_id)
        reach.ask_ahead(session, office, contact, case, clock, _late(session, office, case, clock, now=now), now=now)
    if at_night:
        _up_the_ladder(session, office, case, clock, manager=manager, now=now)
    record(
        session, office, "promise_warning", clock.id, actor="bot", now=now, case=case.id, commitment=clock.commitment,
        to="manager" if manager else "owner", alarm=at_night,
    )  # fmt: skip
    return task


def _up_the_ladder(session: Session, office: Office, case: Case, clock: Clock, *, manager: bool, now: datetime) -> None:
    """Wake whoever took the emergency, and then whoever is next above them. Where nobody has taken it, the ladder is being
    climbed already."""
    handover = handovers.of_case(session, case.id)
    if handover is None or handover.state != HandoverState.TAKEN or handover.taken_rung is None:
        return
    rungs = handovers.rungs_of(office, handover.purpose)
    above = next((rung for rung in rungs if rung > handover.taken_rung), rungs[-1])
    notify(
        session, office, handover, "notice", "notice_nobody_came", now=now, rung=above if manager else None,
        once=f"promise:{clock.id}:{'manager' if manager else 'owner'}",
    )  # fmt: skip


def missed(session: Session, office: Office, case: Case, clock: Clock, *, now: datetime) -> None:
    """A promise is broken: write it down, tell the manager, and see that the tenant hears from us until it is closed."""
    clocks.miss(session, office, clock, now=now)
    if case.state != "open":
        return
    if not clocks.commitment_of(session, office, clock).repeat:
        talk = conversations.load(session, case.conversation_id, lock=False)
        assert talk is not None
        rule = clocks.commitment_of(session, office, clock)
        tasks.add(
            session, office, talk, MISSED, due_at=now, now=now, case_id=case.id, role="manager", clock_id=clock.id,
            urgent=case.priority == "emergency", detail=f"{rule.title}: {office.moment_in_words(clock.due_at, now)}",
        )  # fmt: skip
        if clock.told_by is not None:  # else the apology starts it, and says so
            clocks.next_update(session, office, case, since=now, now=now)


# --- the tenant is told


def tell(
    session: Session, office: Office, contact: Contact, due: Sequence[tuple[Case, Clock]], *, now: datetime
) -> None:
    """Tell one person about all of these clocks of theirs, in one message: what staff have given, else that they were asked
    and have not answered. Each case's next update is promised in the same breath, and the clock of it starts."""
    open_now = [(case, clock) for case, clock in due if case.state == "open" and _may_be_told(clock)]
    if not open_now:
        return
    says: list[Say] = []
    about: list[Clock] = []
    meets: list[Clock] = []
    givers: set[str] = set()
    following: dict[str, Clock] = {}
    by_case: dict[str, list[Clock]] = {}
    cases = {case.id: case for case, _ in open_now}
    for case, clock in open_now:
        by_case.setdefault(case.id, []).append(clock)
    for case_id, told in by_case.items():
        case = cases[case_id]
        update = clocks.running_update(session, case_id)
        promises = [each for each in told if each.commitment != clocks.PROGRESS_UPDATE]
        said = [_late(session, office, case, each, now=now) for each in promises]
        if not promises:
            said = [_progress(session, office, case, told[0], now=now)]
        says += said
        updates = [each for each in told if each.commitment == clocks.PROGRESS_UPDATE]
        if update is not None and update not in updates:
            updates.append(update)
        givers |= {each.content["by"] for each in told if each.content}
        about += promises
        meets += updates
        for each in promises:
            if each.content and each.content["reason"] and each.met_by == "full_reply_or_delay_notice":
                meets.append(each)
        for each in meets:
            if each.state in {ClockState.RUNNING, ClockState.MISSED}:
                clocks.answered(session, office, each, now=now)
        session.flush()
        following[case_id] = clocks.next_update(session, office, case, since=now, now=now)
        if not any(each.content for each in told):
            _nothing_given(session, office, case, updates[0] if updates else told[0], now=now)
    first = min(following.values(), key=lambda each: each.due_at)
    says.append(Say("utter_update_next", {"next": office.day_in_words(first.due_at, now)}))
    if about and any(not _is_elapsed(session, office, each) for each in about):
        says.append(Say("utter_apology_complain"))
    staff = session.get(Staff, next(iter(givers))) if len(givers) == 1 else None
    told_now = [clock for _, clock in open_now]
    head = min(told_now, key=lambda each: each.id)
    kind = (
        "update"
        if not about
        else ("warning" if all(_is_elapsed(session, office, each) for each in about) else "apology")
    )
    _say(
        session, office, contact, cases[head.case_id], says, kind, about, meets,
        once=f"tell:{head.id}:{head.content['at'] if head.content else ''}:{head.told_by or ''}", staff=staff, now=now,
    )  # fmt: skip


def _say(
    session: Session, office: Office, contact: Contact, case: Case, says: Sequence[Say], kind: str, about: Sequence[Clock],
    meets: Sequence[Clock], *, once: str, staff: Staff | None, now: datetime,
) -> None:  # fmt: skip
    told = [*about, *meets]
    sent = reach.send(
        session, office, contact, case, says, kind=kind, once=once, now=now, staff=staff,
        about={"clocks": [each.id for each in about], "meets": [each.id for each in meets]},
        due=min(each.due_at for each in told), urgent=False,
    )  # fmt: skip
    reach.note(session, office, told, sent, now=now)
    record(
        session, office, f"{kind}_written", case.id, actor=staff.id if staff else "bot", now=now, by=sent.by,
        clocks=[each.id for each in told],
    )  # fmt: skip


def _progress(session: Session, office: Office, case: Case, clock: Clock, *, now: datetime) -> Say:
    if clock.content:
        return Say("utter_update", _about(case) | _given(clock.content))
    happened = _happened(session, office, case, since=clock.started_at, now=now)
    waits = _waits_for(session, case)
    return Say("utter_update_none", _about(case) | {
        "happened": "\n".join(happened) or None,
        "waits": {"say": "utter_waits", "reason": waits} if waits else None,
        "who": responsible(session, case), "asked": office.day_in_words(clock.asked_at or now, now),
    })  # fmt: skip


def _late(session: Session, office: Office, case: Case, clock: Clock, *, now: datetime) -> Say:
    promise = _promise(session, office, clock, now=now)
    if _is_elapsed(session, office, clock) and not clock.content:
        own = f"utter_warning_{clock.commitment}"
        return Say(own if office.wording.has(own) else "utter_warning", _about(case) | {"promise": promise})
    content: dict[str, Any] = {"say": "utter_apology_unknown", "who": responsible(session, case)}
    if clock.content:
        content = {"say": "utter_apology_reason", **_given(clock.content)}
    key = "utter_apology_missed" if now >= clock.due_at else "utter_apology"
    return Say(key, _about(case) | {"promise": promise, "content": content})


def _promise(session: Session, office: Office, clock: Clock, *, now: datetime) -> dict[str, Any]:
    """The promise in the words in which it was made."""
    key = f"utter_promise_{clock.commitment}"
    elapsed = _is_elapsed(session, office, clock)
    in_words = office.moment_in_words if elapsed else office.day_in_words
    return {
        "say": key if office.wording.has(key) else "utter_promise", "due": in_words(clock.due_at, clock.started_at),
        "soonest": {"say": "utter_soonest_day", "day": office.day_in_words(clock.deemed_at, clock.started_at)},
    }  # fmt: skip


def _nothing_given(session: Session, office: Office, case: Case, clock: Clock, *, now: datetime) -> None:
    talk = conversations.load(session, case.conversation_id, lock=False)
    assert talk is not None
    tasks.add(
        session, office, talk, NONE_GIVEN, due_at=now, now=now, case_id=case.id, role="manager", clock_id=clock.id,
        detail=responsible(session, case),
    )  # fmt: skip


def _may_be_told(clock: Clock) -> bool:
    """A promise of which the tenant was told early is spoken of once more, when its end is near."""
    untold = clock.told_by is None or clocks.told_early(clock)
    return untold and clock.state in {ClockState.RUNNING, ClockState.MISSED}


def _is_elapsed(session: Session, office: Office, clock: Clock) -> bool:
    return clocks.commitment_of(session, office, clock).mode in _ELAPSED


def _given(content: dict[str, Any]) -> dict[str, Any]:
    expected = content.get("expected")
    return {
        "what": content["what"].strip() or None, "reason": content["reason"], "next_step": content["next_step"],
        "expected": day_in_words(date.fromisoformat(expected)) if expected else None,
    }  # fmt: skip


def _about(case: Case) -> dict[str, Any]:
    return {"reference": case.reference, "summary": case.summary}


# --- what is known of a case


def responsible(session: Session, case: Case) -> str:
    """Who was asked, as the tenant knows them: a person by name, or the team."""
    if case.owner_id is not None:
        return session.get_one(Staff, case.owner_id).name
    return case.handler or case.team


def _happened(session: Session, office: Office, case: Case, *, since: datetime, now: datetime) -> tuple[str, ...]:
    """What has happened on a case since then, in words for the tenant."""
    moments = [
        (at, key)
        for at, key in (
            (case.attended_at, "attended"), (case.made_safe_at, "made_safe"), (case.completed_at, "completed"),
        )
        if at is not None and at >= since
    ]  # fmt: skip
    added = session.exec(
        select(Event.at).where(Event.subject == case.id, Event.verb == "case_added_to", Event.at >= since)
    ).all()
    moments += [(at, "added") for at in added[-1:]]
    return tuple(
        office.wording.phrase(Say(f"utter_happened_{key}", {"day": office.day_in_words(at, now)}))
        for at, key in sorted(moments)
    )


def _waits_for(session: Session, case: Case) -> str | None:
    paused = select(Clock).where(Clock.case_id == case.id, Clock.state == ClockState.PAUSED.value)
    found = session.exec(paused).first()
    return found.reason if found else None
