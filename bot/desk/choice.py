"""The tenant chose a later day than the one that was offered: the promise was kept by offering it in time, and another clock
runs to the day that they chose. Both days are kept, with what proves the choice; the report counts it apart."""

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from bot.desk import clock as clocks
from bot.desk import reach
from bot.desk.conversation import NotAllowed, record
from bot.desk.office import Office
from bot.desk.why import HOW
from bot.messages import Say
from bot.sla import Commitment
from bot.sla.calendar import END_OF_DAY, at_local
from bot.store.tables import Case, Clock, ClockState, Contact, Conversation, Message, Staff
from bot.wording import day_in_words

LONGEST_WAIT: Final = timedelta(days=366)
"""How far ahead a tenant can choose: what is further away is a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the tenant was offered and what they chose, and how we know."""

    offered: date
    chosen: date
    reason: str
    how: str
    """A key of `bot.desk.why.HOW`."""
    message: str | None = None
    """The id of the message in which they said so; found by itself if it is their newest."""


def may_choose(session: Session, office: Office, clock: Clock) -> bool:
    """Whether the tenant's choice of a later day counts for this clock, as it stands."""
    return clock.state == ClockState.RUNNING and _rule(session, office, clock).tenant_chooses


def choose_later(
    session: Session, office: Office, clock: Clock, choice: Choice, staff: Staff, *, now: datetime
) -> Clock:
    """The tenant asked for a later day than the one they were offered: the clock that runs to it. They are told both days.

    Raises NotAllowed unless the policy lets the tenant choose, the promise is not past due, the day that was offered would have
    kept it, the chosen one is later, and there is a reason and evidence.
    """
    rule = _rule(session, office, clock)
    if not rule.tenant_chooses:
        raise NotAllowed(f"{rule.title}: the policy does not let this be put off to a day that the tenant chooses.")
    if clock.state != ClockState.RUNNING or now > clock.due_at:
        raise NotAllowed("Only a promise that runs and is not past due can be put off: what was late stays late.")
    due, today = office.local(clock.due_at).date(), office.local(now).date()
    if not today <= choice.offered <= due:
        raise NotAllowed(
            f"The day that was offered has to lie between today and {day_in_words(due, today)}, when it is due."
        )
    if not due < choice.chosen <= today + LONGEST_WAIT:
        raise NotAllowed(
            f"The day that the tenant chose has to be later than {day_in_words(due, today)}, within a year."
        )
    if choice.how not in HOW or not choice.reason.strip():
        raise NotAllowed("Say why they want a later day, and how they told us: it is kept, and may have to be shown.")
    case = session.get_one(Case, clock.case_id)
    kept = asdict(choice) | {
        "offered": choice.offered.isoformat(), "chosen": choice.chosen.isoformat(), "reason": choice.reason.strip(" ."),
        "message": _evidence(session, case, choice), "by": staff.id,
    }  # fmt: skip
    policy = clocks.policy_of(session, office, clock)
    proof = policy.put_off(policy.explain(clock.commitment, clock.started_at), _end_of(office, choice.chosen))
    later = clocks.run_on(
        session, office, clock, proof, ClockState.DEFERRED, "The tenant chose a later day.", now=now, chosen=kept
    )
    record(
        session, office, "clock_deferred", clock.id, actor=staff.id, now=now, commitment=clock.commitment, case=case.id,
        due_before=clock.due_at.isoformat(), due=later.due_at.isoformat(), offered=kept["offered"], chosen=kept["chosen"],
        how=choice.how, message=kept["message"], clock=later.id,
    )  # fmt: skip
    _tell(session, office, case, clock, later, choice, staff, now=now)
    return later


def _rule(session: Session, office: Office, clock: Clock) -> Commitment:
    """Today's rule, for what was promised before the policy said that tenants choose; else the rule of then."""
    return office.policy.commitments.get(clock.commitment) or clocks.commitment_of(session, office, clock)


def _end_of(office: Office, day: date) -> datetime:
    calendar = office.policy.calendar
    return calendar.closing(day) if calendar.periods(day) else at_local(day, END_OF_DAY)


def _evidence(session: Session, case: Case, choice: Choice) -> str | None:
    """The message in which the tenant said so. Raises NotAllowed if there is none of theirs."""
    if choice.how != "message":
        return None
    theirs = (
        select(Message.id)
        .join(Conversation, col(Conversation.id) == Message.conversation_id)
        .where(
            Conversation.contact_id == case.contact_id, Message.direction == "in",
            col(Message.created_at) >= case.received_at,
        )
        .order_by(col(Message.created_at).desc(), col(Message.seq).desc())
    )  # fmt: skip
    if choice.message is not None:
        theirs = theirs.where(Message.id == choice.message)
    found = session.exec(theirs).first()
    if found is None:
        raise NotAllowed("There is no message of theirs in which they could have said so.")
    return found


def _tell(
    session: Session, office: Office, case: Case, clock: Clock, later: Clock, choice: Choice, staff: Staff, *, now: datetime
) -> None:  # fmt: skip
    """Both days, in writing: a tenant who never asked for this can say so. It is no word about a promise in danger."""
    today = office.local(now).date()
    says = [Say("utter_later_day", {
        "reference": case.reference, "summary": case.summary, "until": day_in_words(choice.chosen, today),
        "before": day_in_words(choice.offered, today),
    })]  # fmt: skip
    sent = reach.send(
        session, office, session.get_one(Contact, case.contact_id), case, says, kind="update", once=f"later_day:{later.id}",
        now=now, about={}, due=later.due_at, staff=staff,
    )  # fmt: skip
    record(session, office, "update_written", case.id, actor=staff.id, now=now, by=sent.by, clocks=[later.id])
