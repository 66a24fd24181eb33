"""Telling a tenant by telephone what to do in danger, because they stopped our messages or blocked us.

    waiting ──▶ ringing ──▶ answered ──▶ heard          they pressed 1
       │           └──▶ busy, no_answer, machine, failed, unknown ──▶ the next try, as a row of its own
       └──▶ not_made      calls are not set up, or a person has rung meanwhile

The task for staff to ring stays, whatever comes of it. Nobody is rung whom a call may put at risk.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberType
from sqlmodel import Session, col, select

from bot.desk import preference, reach
from bot.desk.brief import is_in_confidence
from bot.desk.conversation import record
from bot.desk.office import Office
from bot.store import conversations
from bot.store.tables import Case, Contact, Conversation, Task, TenantCall

TASK: Final = "ring_opted_out_in_danger"
"""The task that stands beside the calls."""
AGAIN_AFTER: Final = (timedelta(minutes=1), timedelta(minutes=3))
"""How long after a try that came to nothing the next one is made."""
SAME_WITHIN: Final = timedelta(minutes=30)
"""Whoever was told of a hazard is not rung about the same one again within this time."""
RINGS_AT_MOST: Final = timedelta(minutes=5)
"""A call of whose end nobody has told us by then has come to nothing."""
_NUMBERS: Final = frozenset({"sms", "whatsapp"})
_UNDER_WAY: Final = frozenset({"waiting", "ringing"})
_TOLD: Final = frozenset({"answered", "heard"})
_NOT_RUNG: Final = frozenset({
    PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.TOLL_FREE, PhoneNumberType.PERSONAL_NUMBER,
    PhoneNumberType.PAGER, PhoneNumberType.UAN, PhoneNumberType.VOICEMAIL,
})  # fmt: skip
"""Numbers that no home has, or that cost whoever rings them."""
_HERE: Final = 44


def ring(
    session: Session, office: Office, conversation: Conversation, case: Case, keys: Sequence[str], *, now: datetime
) -> TenantCall | None:
    """Have the tenant rung about the hazard of `case`, whose advice is `keys`. None where a call may be unsafe, where there is
    no number, or where they have just been told."""
    contact = conversations.contact_of(session, conversation.contact_id)
    number = number_of(conversation, contact)
    why = "at_risk" if _may_be_unsafe(session, office, contact, case, now) else "no_number" if number is None else None
    if why is not None or number is None:
        record(session, office, "advice_not_rung", case.id, actor="bot", now=now, why=why)
        return None
    for known in of_case(session, case.id):
        if known.state in _UNDER_WAY or (known.state in _TOLD and now - known.at < SAME_WITHIN):
            return None
    return _try(session, office, conversation.id, case.id, number, case.hazard, list(keys), 1, at=now, now=now)


def number_of(conversation: Conversation, contact: Contact) -> str | None:
    """The number that a tenant can be rung at, in E.164: where they write from, else what they told us."""
    proven = conversation.channel in _NUMBERS
    try:
        number = phonenumbers.parse((conversation.address if proven else contact.phone) or "", "GB")
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number) or phonenumbers.number_type(number) in _NOT_RUNG:
        return None
    if not proven and number.country_code != _HERE:
        return None  # anybody can tell us any number
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _may_be_unsafe(session: Session, office: Office, contact: Contact, case: Case, now: datetime) -> bool:
    if is_in_confidence(case) or case.details.get("safe_to_message") == "no" or reach.at_risk(session, contact):
        return True
    return "phone" in (contact.never_by or ()) or not preference.is_safe(contact, office.local(now))


def _try(
    session: Session, office: Office, conversation_id: str, case_id: str | None, number: str, hazard: str, keys: list[str],
    n: int, *, at: datetime, now: datetime,
) -> TenantCall:  # fmt: skip
    call = TenantCall(
        id=office.id(), conversation_id=conversation_id, case_id=case_id, number=number, hazard=hazard, keys=keys, n=n, at=at,
        due_at=at,
    )  # fmt: skip
    session.add(call)
    session.flush()
    record(session, office, "advice_call", case_id or conversation_id, actor="bot", now=now, call=call.id, n=n)
    return call


# --- being made


def is_due(session: Session, *, now: datetime) -> bool:
    """Whether any call is due: a look without a lock."""
    return session.exec(select(TenantCall.id).where(col(TenantCall.due_at) <= now).limit(1)).first() is not None


def lease_due(session: Session, office: Office, *, can_ring: bool, now: datetime, until: datetime) -> list[TenantCall]:
    """The calls to make now, each on disk as ringing until `until`: should its maker die, it is made again. `can_ring`: whether
    calls are set up at all."""
    due = session.exec(
        select(TenantCall)
        .where(col(TenantCall.due_at) <= now)
        .order_by(col(TenantCall.due_at))
        .limit(20)
        .with_for_update(skip_locked=True)
    ).all()
    leased = []
    for call in due:
        if call.provider_id is not None:
            _came_to_nothing(session, office, call, "unknown", "not told how it ended", now=now)
        elif not can_ring or _task(session, call) is None:
            _over(session, office, call, "not_made", None if can_ring else "no_voice", now=now)
        else:
            call.state, call.at, call.due_at = "ringing", now, until
            session.add(call)
            leased.append(call)
    return leased


def made(
    session: Session, office: Office, call_id: str, state: str, *, now: datetime, provider_id: str | None = None,
    error: str | None = None,
) -> None:  # fmt: skip
    """What the provider made of the request: `ringing`, `unknown` or `failed`. It may have told the end of the call before."""
    call = session.get_one(TenantCall, call_id)
    call.provider_id = call.provider_id or provider_id or ("unknown" if state == "unknown" else None)
    session.add(call)
    if call.state != "ringing" or call.ended_at is not None:
        return
    if state == "failed":
        _came_to_nothing(session, office, call, "failed", error, now=now)
    else:
        call.due_at = now + RINGS_AT_MOST


def answered(session: Session, office: Office, call_id: str, *, now: datetime) -> TenantCall | None:
    """Somebody has answered, and is told. None if it is no call of ours."""
    call = session.get(TenantCall, call_id)
    if call is not None and call.state == "ringing":
        call.state, call.answered_at = "answered", now
        session.add(call)
        _note(session, office, call, now=now)
    return call


def heard(session: Session, office: Office, call_id: str, *, now: datetime) -> None:
    """They pressed the key that says so."""
    call = session.get_one(TenantCall, call_id)
    if call.state in {"ringing", "answered"}:
        call.state, call.answered_at = "heard", call.answered_at or now
        session.add(call)
        record(
            session, office, "advice_heard", call.case_id or call.conversation_id, actor="tenant", now=now, call=call.id
        )
        _note(session, office, call, now=now)


def ended(
    session: Session, office: Office, call_id: str, outcome: str, *, now: datetime, error: str | None = None
) -> TenantCall | None:
    """The provider says how a call ended. Told twice, it changes nothing; None if it is no call of ours."""
    call = session.get(TenantCall, call_id)
    if call is None or call.ended_at is not None:
        return call
    if call.state in _TOLD and outcome != "machine":
        _over(session, office, call, call.state, None, now=now)
    else:
        _came_to_nothing(session, office, call, "no_answer" if outcome == "not_taken" else outcome, error, now=now)
    return call


def of_case(session: Session, case_id: str) -> list[TenantCall]:
    """Every try, in order."""
    return list(
        session.exec(
            select(TenantCall).where(TenantCall.case_id == case_id).order_by(col(TenantCall.at), col(TenantCall.n))
        )
    )


# --- inside


def _came_to_nothing(
    session: Session, office: Office, call: TenantCall, state: str, error: str | None, *, now: datetime
) -> None:
    _over(session, office, call, state, error, now=now)
    if call.n <= len(AGAIN_AFTER) and _task(session, call) is not None:
        at = now + AGAIN_AFTER[call.n - 1]
        _try(
            session, office, call.conversation_id, call.case_id, call.number, call.hazard, call.keys, call.n + 1, at=at,
            now=now,
        )  # fmt: skip


def _over(session: Session, office: Office, call: TenantCall, state: str, error: str | None, *, now: datetime) -> None:
    call.state, call.error, call.ended_at, call.due_at = state, error, now, None
    session.add(call)
    record(
        session, office, "advice_call_over", call.case_id or call.conversation_id, actor="provider", now=now, call=call.id,
        n=call.n, came_to=state,
    )  # fmt: skip
    _note(session, office, call, now=now)


def _note(session: Session, office: Office, call: TenantCall, *, now: datetime) -> None:
    """Say on the task what came of ringing by ourselves."""
    task = _task(session, call)
    if task is not None:
        said = office.wording.label("call", call.error if call.error == "no_voice" else call.state)
        task.detail = f"{office.moment_in_words(now, now)}: {said}"
        session.add(task)


def _task(session: Session, call: TenantCall) -> Task | None:
    """The open task that stands beside a call; None once somebody has ticked it off."""
    session.flush()
    return session.exec(
        select(Task).where(Task.conversation_id == call.conversation_id, Task.kind == TASK, col(Task.done_at).is_(None))
    ).first()
