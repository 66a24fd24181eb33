"""What goes to the people on call once something has been taken: the codes for later, news, "ring the tenant now".

Each is a row before it is sent, like a message in the outbox. It goes by the first route that the rung has, in writing
where that is possible, and by the next one if that fails.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, func, select

from bot.desk.office import Office
from bot.store.tables import Handover, HandoverAttempt

CONSOLE: Final = -1
"""The rung of the staff console."""
_IN_THIS_ORDER: Final = ("text", "email", "call", "webhook")

Reachable = Sequence[Sequence[str]]
"""For each rung of the policy's ladder the routes by which it can be reached, in the order in which they are tried."""


def notify(
    session: Session, office: Office, handover: Handover, purpose: str, says: str, *, now: datetime,
    due_at: datetime | None = None, once: str | None = None, route: str = "", rung: int | None = None,
) -> HandoverAttempt | None:  # fmt: skip
    """Queue a message (`utter_line_<says>`) to the rung that has it, or to `rung`. None if one called `once` was
    queued before."""
    whose = rung if rung is not None else handover.taken_rung
    assert whose is not None, "nobody on the ladder has it"
    attempt = HandoverAttempt(
        id=office.id(), handover_id=handover.id, n=next_number(session, handover.id), purpose=purpose, lap=handover.lap,
        rung=whose, rung_name=rung_name(office, whose), route=route, says=says, state="queued", at=now,
        due_at=due_at or now, once=once,
    )  # fmt: skip
    if once is not None and session.exec(select(HandoverAttempt.id).where(HandoverAttempt.once == once)).first():
        return None
    session.add(attempt)
    session.flush()
    return attempt


def lease_due(
    session: Session, office: Office, reachable: Reachable, *, now: datetime, until: datetime, most: int = 20
) -> list[HandoverAttempt]:
    """What is due, to be sent now. What a sender that died had leased is sent again once `until` has passed."""
    due = session.exec(
        select(HandoverAttempt)
        .where(col(HandoverAttempt.due_at) <= now)
        .order_by(col(HandoverAttempt.due_at))
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    leased = []
    for attempt in due:
        routes = routes_for(reachable, attempt.rung)
        attempt.route = attempt.route or (routes[0] if routes else "none")
        if attempt.route in routes:
            attempt.state, attempt.due_at = "sending", until
            leased.append(attempt)
        else:
            attempt.state, attempt.due_at, attempt.ended_at = "no_route", None, now
            _elsewhere(session, office, reachable, attempt, below=True, now=now)
        session.add(attempt)
    return leased


def came_to(
    session: Session, office: Office, reachable: Reachable, attempt: HandoverAttempt, state: str, *, now: datetime
) -> None:
    """What became of a message: after a failure the next route is tried, and then whoever comes after them."""
    attempt.due_at = None
    session.add(attempt)
    if state in {"sent", "delivered", "unknown", "taken"}:
        return
    routes = routes_for(reachable, attempt.rung)
    after = routes[routes.index(attempt.route) + 1 :] if attempt.route in routes else []
    if after:
        handover = session.get_one(Handover, attempt.handover_id)
        notify(
            session, office, handover, attempt.purpose, attempt.says, now=now, route=after[0], rung=attempt.rung,
            once=f"instead:{attempt.id}",
        )  # fmt: skip
    else:
        _elsewhere(session, office, reachable, attempt, below=False, now=now)


def _elsewhere(
    session: Session, office: Office, reachable: Reachable, attempt: HandoverAttempt, *, below: bool, now: datetime
) -> None:
    """News that cannot be given to whoever it is for goes to the next above them who can be reached; `below`: else to the
    next below. Codes and confirmations are for one person only."""
    if attempt.purpose != "notice":
        return
    rungs = [*range(attempt.rung + 1, len(reachable)), *(range(attempt.rung - 1, -1, -1) if below else ())]
    other = next((rung for rung in rungs if routes_for(reachable, rung)), None)
    if other is not None:
        handover = session.get_one(Handover, attempt.handover_id)
        notify(
            session, office, handover, attempt.purpose, attempt.says, now=now, rung=other, once=f"instead:{attempt.id}"
        )


def routes_for(reachable: Reachable, rung: int) -> Sequence[str]:
    """How a rung is told something: in writing where that is possible."""
    known = reachable[rung] if 0 <= rung < len(reachable) else ()
    return [route for route in _IN_THIS_ORDER if route in known]


def next_number(session: Session, handover_id: str) -> int:
    """The place of the handover's next attempt; its row stays locked, so that two at once do not get the same."""
    session.flush()
    session.exec(select(Handover.id).where(Handover.id == handover_id).with_for_update()).one()
    last = session.exec(select(func.max(HandoverAttempt.n)).where(HandoverAttempt.handover_id == handover_id)).one()
    return (last or 0) + 1


def rung_name(office: Office, rung: int) -> str:
    return "staff console" if rung == CONSOLE else office.policy.ladder[rung].name
