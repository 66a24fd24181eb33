"""Promises as rows: started with the case, met by named evidence."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel import Session, select

from bot.desk.conversation import record
from bot.desk.office import Office
from bot.messages import ChannelName, DeliveryState
from bot.sla import Explanation
from bot.store.tables import Case, Clock, ClockState, Message, PolicyVersion

FIRST_RESPONSES: Final = frozenset({"response_or_specific_ack", "ack", "response"})
"""What the delivery of a case-specific acknowledgement meets. Not `formal_ack`: a complaint's names its handler."""


def start_all(
    session: Session, office: Office, case: Case, promises: Sequence[Explanation], *, now: datetime
) -> list[Clock]:
    """Start a clock for each promise, under the policy as it stands today."""
    version = _policy_version(session, office, now)
    clocks = [
        Clock(
            id=office.id(), case_id=case.id, commitment=promise.commitment, policy_version_id=version,
            started_at=promise.received, deemed_at=promise.deemed_received, due_at=promise.due,
            planned_at=promise.planned, met_by=office.policy.commitments[promise.commitment].met_by,
        )
        for promise in promises
    ]  # fmt: skip
    session.add_all(clocks)
    return clocks


def response_delivered(session: Session, office: Office, message: Message, *, now: datetime) -> None:
    """A message about a case has reached the tenant: note it as a response, and meet the clocks that a response meets.

    Automatic and human responses are kept apart: the published figure uses the first that was about the case, the
    regulator may ask for the first by a person.
    """
    if message.case_id is None or message.kind not in {"acknowledgement", "staff"}:
        return
    human = message.author == "staff"
    formal = bool(message.detail.get("formal"))
    running = select(Clock).where(Clock.case_id == message.case_id, Clock.state == ClockState.RUNNING.value)
    for clock in session.exec(running).all():
        if clock.met_by not in FIRST_RESPONSES and not (formal and clock.met_by == "formal_ack"):
            continue
        if human:
            clock.human_response_at = clock.human_response_at or now
        else:
            clock.automatic_response_at = clock.automatic_response_at or now
        clock.state = ClockState.MET.value
        clock.met_at, clock.met_message_id = now, message.id
        session.add(clock)
        record(
            session, office, "clock_met", clock.id, actor="staff" if human else "bot", now=now,
            commitment=clock.commitment, message=message.id, case=message.case_id, late=now > clock.due_at,
        )  # fmt: skip
    case = session.get_one(Case, message.case_id)
    if case.acknowledged_at is None:
        case.acknowledged_at = now
        session.add(case)


def is_evidence(channel: str, state: DeliveryState) -> bool:
    """Whether a delivery state proves that a message reached the tenant on this channel.

    A text's `sent` only says that the network took it; Telegram confirms by accepting, the terminal by printing; the web by
    the page's `ack`.
    """
    if state in {DeliveryState.DELIVERED, DeliveryState.READ}:
        return True
    return state is DeliveryState.SENT and channel in {ChannelName.TELEGRAM, ChannelName.TERMINAL}


def of_case(session: Session, case_id: str) -> list[Clock]:
    """The clocks of a case, the earliest due first."""
    return list(session.exec(select(Clock).where(Clock.case_id == case_id).order_by(Clock.due_at)))  # type: ignore[arg-type]


def _policy_version(session: Session, office: Office, now: datetime) -> str:
    version = office.policy.version
    if session.get(PolicyVersion, version) is None:
        session.add(PolicyVersion(id=version, policy=office.policy.id, content=office.policy.snapshot, created_at=now))
        session.flush()
    return version
