"""Time's part of the desk: finds the clocks that call for something, and has the desk do it.

Only rows that are due are read (`Clock.act_at`), a few people at a time, so a sweep costs what is due and not what is
open. One transaction deals with one person: whoever holds the lock of the contact's row speaks to them, about everything
that is due for them at once. Several processes may sweep; one that finds a person taken passes on, and unique keys
(`Message.once`, one running clock of a kind for a case, one task of a kind for a clock) decide where looks would not.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from bot.desk import clock as clocks
from bot.desk import reach, update
from bot.desk.office import Office
from bot.desk.preference import Spans, quiet_spans
from bot.messages import DeliveryState
from bot.sla.clocks import Act, Call, decide
from bot.store import Store, outbox
from bot.store.tables import Case, Clock, Contact
from bot.wallclock import WallClock

log = logging.getLogger(__name__)

PEOPLE_AT_ONCE: Final = 8
"""On SQLite they share a commit; few, so that a message that arrives meanwhile does not wait long for the writer."""
_TRY_AGAIN_AFTER: Final = timedelta(minutes=5)
"""What could not be dealt with is put off, so that it holds nothing else up."""
_SAME_DAY: Final = timedelta(hours=12)
"""What would be told so soon anyway is told along with what is due now."""


class Promises:
    """The sweeps. `nudge` is told the conversations in which there may be something to send."""

    def __init__(self, store: Store, office: Office, wall_clock: WallClock, nudge: Callable[[str], None]) -> None:
        self._store = store
        self._office = office
        self._wall_clock = wall_clock
        self._nudge = nudge

    async def sweep(self) -> int:
        """Deal with every clock that calls for something now. How many people had one."""
        now = self._wall_clock.now()
        done: set[str] = set()
        while people := await self._store.read(lambda session: due_people(session, now=now, most=PEOPLE_AT_ONCE)):
            fresh = [each for each in people if each not in done]
            if not fresh:
                break  # the rest is held by another process
            done.update(fresh)
            await asyncio.gather(*(self._deal_with(each, now) for each in fresh))
            self._nudge("")
        return len(done)

    async def carry_on_unseen(self) -> int:
        """Take promises off web pages on which nobody has read them. How many."""
        now = self._wall_clock.now()

        def work(session: Session) -> int:
            waiting = reach.unseen(session, now=now, most=PEOPLE_AT_ONCE)
            for message in waiting:
                if outbox.move(session, message.id, DeliveryState.FAILED, now=now, error="not_seen"):
                    reach.carry_on(session, self._office, message, now=now)
            return len(waiting)

        carried = await self._store.run(work)
        if carried:
            self._nudge("")
        return carried

    async def _deal_with(self, contact_id: str, now: datetime) -> None:
        try:
            await self._store.run(lambda session: deal_with(session, self._office, contact_id, now=now))
        except Exception as error:  # noqa: BLE001 - one person's clocks must not stop everybody's
            log.error("promises_failed", extra={"contact_id": contact_id, "error": type(error).__name__})
            await self._store.run(lambda session: _put_off(session, contact_id, now=now))


def due_people(session: Session, *, now: datetime, most: int) -> list[str]:
    """The contacts of the clocks that call for something, the longest overdue first."""
    rows = session.exec(
        select(Case.contact_id)
        .join(Clock, col(Clock.case_id) == Case.id)
        .where(col(Clock.act_at) <= now)
        .order_by(col(Clock.act_at))
        .limit(most)
    )
    return list(dict.fromkeys(rows))


def deal_with(session: Session, office: Office, contact_id: str, *, now: datetime) -> bool:
    """Do whatever the clocks of one person call for now. False if another process is at it."""
    contact = session.exec(
        select(Contact).where(Contact.id == contact_id).with_for_update(skip_locked=True, key_share=True)
    ).first()
    if contact is None:
        return False
    slow = reach.route(session, contact).by == reach.LETTER
    quiet = quiet_spans(office, contact)
    due = [(case, clock) for case, clock in _open_clocks(session, contact_id) if clock.act_at and clock.act_at <= now]
    tell: list[tuple[Case, Clock]] = []
    for case, clock in due:
        call = _call(session, office, clock, slow=slow, quiet=quiet, now=now)
        for act in call.acts:
            if act is Act.TELL:
                tell.append((case, clock))
            else:
                _act(session, office, act, case, clock, now=now)
    if tell:
        _tell(session, office, contact, tell, slow=slow, quiet=quiet, now=now)
    session.flush()
    for _, clock in due:
        clocks.look(session, office, clock, now=now, slow=slow, quiet=quiet)
        if clock.act_at is not None and clock.act_at <= now:
            clock.act_at = now + _TRY_AGAIN_AFTER
        session.add(clock)
    return True


def _act(session: Session, office: Office, act: Act, case: Case, clock: Clock, *, now: datetime) -> None:
    if act is Act.ASK:
        update.ask(session, office, case, clock, now=now)
    elif act is Act.HURRY:
        reach.hurry(session, office, session.get_one(Contact, case.contact_id), case, clock, now=now)
    elif act is Act.MISS:
        update.missed(session, office, case, clock, now=now)
    else:
        update.warn(session, office, case, clock, manager=act is Act.WARN_MANAGER, now=now)


def _tell(
    session: Session, office: Office, contact: Contact, due: list[tuple[Case, Clock]], *, slow: bool, quiet: Spans,
    now: datetime,
) -> None:  # fmt: skip
    """One message says everything: also what would be said later today."""
    told = {clock.id for _, clock in due}
    for case, clock in _open_clocks(session, contact.id):
        if clock.id in told or clock.state != "running" or clock.told_by is not None or clock.warn_from is None:
            continue
        if clock.met_by in clocks.NEVER_TOLD:
            continue
        at = clocks.schedule(session, office, clock, slow=slow, quiet=quiet).tell
        decent = clocks.decent(session, office, clock, now=now, quiet=quiet) <= now
        if decent and clock.warn_from <= now and at - now <= _SAME_DAY:
            due.append((case, clock))
    update.tell(session, office, contact, due, now=now)


def _call(session: Session, office: Office, clock: Clock, *, slow: bool, quiet: Spans, now: datetime) -> Call:
    return decide(
        clocks.schedule(session, office, clock, slow=slow, quiet=quiet), clocks.standing(clock), now,
        decent=clocks.decent(session, office, clock, now=now, quiet=quiet),
    )  # fmt: skip


def _open_clocks(session: Session, contact_id: str) -> list[tuple[Case, Clock]]:
    rows = session.exec(
        select(Case, Clock)
        .join(Clock, col(Clock.case_id) == Case.id)
        .where(Case.contact_id == contact_id, col(Clock.act_at).is_not(None))
        .order_by(col(Clock.due_at), col(Clock.id))
    )
    return list(rows)


def _put_off(session: Session, contact_id: str, *, now: datetime) -> None:
    for _, clock in _open_clocks(session, contact_id):
        if clock.act_at is not None and clock.act_at <= now:
            clock.act_at = now + _TRY_AGAIN_AFTER
            session.add(clock)
