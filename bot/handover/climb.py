"""Climbing: what is due is leased, sent outside any transaction, and what became of it recorded; then what is due next."""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from bot import faults
from bot.channels import ChannelError, UnknownOutcome
from bot.channels.line import Alert, Route
from bot.channels.voice import Script
from bot.desk import authority, follow_up, notice, watch
from bot.desk import handover as desk
from bot.desk.brief import brief
from bot.desk.handover import Took
from bot.desk.office import Office
from bot.handover import wording
from bot.links import Links
from bot.messages import ChannelName, DeliveryState, Inbound, Receipt, Say
from bot.store import Store
from bot.store.tables import Case, Handover, HandoverAttempt, HandoverState
from bot.wallclock import WallClock

log = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=30)
"""How long one attempt may take to be sent: longer than any route's time-out."""
LINK_LASTS: Final = timedelta(hours=24)
_CODE: Final = re.compile(rf"(?<!\d)\d{{{desk.CODE_LENGTH}}}(?!\d)")
_SAFE: Final = frozenset({"safe", "made", "done", "fixed", "finished", "sorted"})
_HERE: Final = frozenset({"here", "there", "attended", "arrived", "onsite", "site"})
_YES: Final = frozenset({"yes", "y", "agree", "agreed", "ok", "okay", "aye", "approved", "1"})
_NO: Final = frozenset({"no", "n", "refuse", "refused", "declined", "2"})
_ANSWERED_FOR: Final = timedelta(hours=24)
"""How long words that are no code, from a number on the ladder, are taken for a try at one."""


@dataclass(frozen=True, slots=True)
class _Sending:
    """One attempt on its way out."""

    attempt_id: str
    route: str
    address: str
    alert: Alert


class Handovers:
    """`climb` is called by the beat; `settle` does the same and waits, for tests and the command line.

    `routes` are the ways to send, by name; `line` is how the 24-hour line is reached, by route. A rung of the policy is only
    reached by what has been verified.
    """

    def __init__(
        self, store: Store, office: Office, routes: Mapping[str, Route], line: Mapping[str, str], links: Links,
        wall_clock: WallClock, nudge: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._store = store
        self._office = office
        self._routes = routes
        self._links = links
        self._wall_clock = wall_clock
        self._nudge = nudge
        self._sends: set[asyncio.Task[None]] = set()
        first, *others = office.policy.ladder
        self._addresses: list[Mapping[str, str]] = [
            {**_reached(first.addresses if first.verified else {}), **line},
            *(_reached(rung.addresses if rung.verified else {}) for rung in others),
        ]

    @property
    def reachable(self) -> Sequence[Sequence[str]]:
        """For each rung the routes that lead to it, in the policy's order."""
        return [
            [route for route in self._office.policy.emergency_routes if route in given and route in self._routes]
            for given in self._addresses
        ]

    # --- the beat

    async def climb(self) -> int:
        """Start everything that is due. How many attempts were begun."""
        await self._look()
        return await self._start_due()

    async def settle(self) -> int:
        """Do everything that is due, and wait until it is done. How many attempts were made."""
        tried = 0
        while True:
            tried += await self.climb()
            if not self._sends:
                return tried
            await asyncio.gather(*self._sends)

    async def recover(self) -> None:
        """Take up at once what the process before us was sending when it died (on PostgreSQL others may be alive)."""
        if self._store.is_sqlite:
            now = self._wall_clock.now()
            await self._store.run(lambda session: _release(session, now))

    async def close(self) -> None:
        """Let sends under way finish."""
        if self._sends:
            await asyncio.gather(*self._sends, return_exceptions=True)
        for route in self._routes.values():
            await route.close()

    async def _look(self) -> None:
        """The looks that are due at emergencies. One that fails is put off, and stops none of the others."""
        now = self._wall_clock.now()
        touched: set[str] = set()

        def work(session: Session) -> None:
            touched.clear()
            for look in follow_up.due(session, now=now):
                try:
                    with session.begin_nested():
                        watch.follow_up(session, self._office, look, now=now)
                    touched.add(session.get_one(Handover, look.handover_id).conversation_id)
                except Exception as error:  # noqa: BLE001 - whatever it was, the others are looked at
                    log.error("follow_up_failed", extra={"follow_up": look.id, "kind": look.kind} | faults.of(error))
                    look.due_at = now + timedelta(minutes=1)
                    session.add(look)

        # Nothing is written while nothing is due.
        if await self._store.read(lambda session: follow_up.is_due(session, now=now)):
            await self._store.run(work)
        for conversation_id in touched:
            self._nudge(conversation_id)

    async def _start_due(self) -> int:
        started = 0
        while True:
            now = self._wall_clock.now()
            if not await self._store.read(lambda session, now=now: _is_due(session, now)):  # type: ignore[misc]
                return started
            due, sending, touched = await self._store.run(lambda session, now=now: self._lease(session, now))  # type: ignore[misc]
            for each in sending:
                send = asyncio.create_task(self._deliver(each))
                self._sends.add(send)
                send.add_done_callback(self._sends.discard)
            for conversation_id in touched:
                self._nudge(conversation_id)
            started += len(sending)
            if not due:
                return started

    def _lease(self, session: Session, now: datetime) -> tuple[int, list[_Sending], set[str]]:
        until = now + LEASE
        count, attempts = desk.lease_due(session, self._office, self.reachable, now=now, until=until)
        notices = notice.lease_due(session, self._office, self.reachable, now=now, until=until)
        sending, touched = [], set()
        for attempt in (*attempts, *notices):
            handover = session.get_one(Handover, attempt.handover_id)
            touched.add(handover.conversation_id)
            try:
                with session.begin_nested():
                    sending.append(self._sending(session, attempt, handover, now))
            except Exception as error:  # noqa: BLE001 - words that cannot be made must not keep others from being alerted
                log.error("alert_failed", extra={"attempt": attempt.id} | faults.of(error))
                desk.attempted(
                    session, self._office, self.reachable, attempt.id, "failed", now=now, error="internal error"
                )
        return count + len(notices), sending, touched

    def _sending(self, session: Session, attempt: HandoverAttempt, handover: Handover, now: datetime) -> _Sending:
        about = brief(session, self._office, handover, now=now)
        link = self._link(handover, attempt.rung, now)
        alert = wording.alert(self._office, attempt, handover, about, link, now=now)
        return _Sending(attempt.id, attempt.route, self._addresses[attempt.rung][attempt.route], alert)

    def _link(self, handover: Handover, rung: int, now: datetime) -> str | None:
        purpose = "authority" if handover.purpose == "authority" else "take"
        if handover.state == HandoverState.TAKEN:
            purpose = "report"
        return self._links.address(purpose, f"{handover.id}:{rung}", now + LINK_LASTS)

    async def _deliver(self, sending: _Sending) -> None:
        state, provider_id, error = "sent", None, None
        try:
            provider_id = await self._routes[sending.route].send(sending.address, sending.alert)
        except UnknownOutcome as failure:
            state, error = "unknown", failure.code
        except ChannelError as failure:
            state, error = "failed", failure.code or type(failure).__name__
        except Exception as failure:  # noqa: BLE001 - a fault of ours must not end the climb
            log.error("alert_failed", extra={"attempt": sending.attempt_id} | faults.of(failure))
            state, error = "failed", "internal error"
        if state != "sent":
            log.warning("alert_not_sent", extra={"attempt": sending.attempt_id, "route": sending.route, "state": state})
        now = self._wall_clock.now()
        await self._store.run(
            lambda session: desk.attempted(
                session, self._office, self.reachable, sending.attempt_id, state, now=now, provider_id=provider_id,
                error=error,
            )
        )  # fmt: skip
        await self._start_due()

    # --- what comes back by telephone

    async def asked(self, call: str) -> Script | None:
        """What is said when a call is answered."""
        now = self._wall_clock.now()

        def work(session: Session) -> Script | None:
            attempt = session.get(HandoverAttempt, call)
            if attempt is None:
                return None
            handover = session.get_one(Handover, attempt.handover_id)
            about = brief(session, self._office, handover, now=now)
            return wording.script(self._office, attempt, handover, about, now=now)

        return await self._store.read(work)

    async def pressed(self, call: str, key: str) -> Script | None:
        """Somebody pressed a key in a call. None: say it all again."""
        now = self._wall_clock.now()

        def work(session: Session) -> tuple[Script | None, str | None]:
            attempt = session.get(HandoverAttempt, call)
            if attempt is None or key not in {"1", "2"}:
                return None, None
            handover = session.get_one(Handover, attempt.handover_id)
            if attempt.purpose != "alert":
                if key != "1":
                    return None, None
                attempt.state, attempt.ended_at, attempt.due_at = "taken", now, None
                session.add(attempt)
                return Script(wording.speak(self._office, Say("utter_line_call_confirmed"), now), None), None
            name = self._office.policy.ladder[attempt.rung].name
            if handover.purpose == "authority":
                took = authority.answer(
                    session,
                    self._office,
                    handover.id,
                    granted=key == "1",
                    by=name,
                    how="call",
                    now=now,
                    rung=attempt.rung,
                )
                said = wording.speak(self._office, Say("utter_line_call_answered"), now)
                answered = Script(said, None) if took is Took.TAKEN else wording.over(self._office, now)
                return answered, handover.conversation_id
            if key != "1":
                return None, None
            took = desk.take(
                session, self._office, handover.id, by=name, how="call", now=now, rung=attempt.rung, attempt_id=call
            )
            if took is not Took.TAKEN:
                return wording.over(self._office, now), None
            about = brief(session, self._office, handover, now=now)
            return wording.taken(self._office, about, now), handover.conversation_id

        said, conversation_id = await self._store.run(work)
        await self._moved(conversation_id)
        return said

    async def ended(self, call: str, outcome: str, error: str | None = None) -> bool:
        """A call is over. False if it is none of ours."""
        now = self._wall_clock.now()
        known = await self._store.run(
            lambda session: desk.ended(session, self._office, self.reachable, call, outcome, now=now, error=error)
        )
        await self._start_due()
        return known

    def machine(self) -> str:
        """What an answering machine is told: no details."""
        return wording.speak(self._office, Say("utter_line_call_machine"), self._wall_clock.now())

    # --- what comes back by text

    async def report(self, receipt: Receipt) -> bool:
        """A receipt for a text to somebody on call. False if it is for a message of the outbox."""
        if receipt.message_id is None:
            return False
        outcome = {
            DeliveryState.DELIVERED: "delivered", DeliveryState.READ: "delivered", DeliveryState.FAILED: "failed",
        }.get(receipt.state)  # fmt: skip
        attempt_id = receipt.message_id
        if outcome is None:
            return await self._store.read(lambda session: session.get(HandoverAttempt, attempt_id) is not None)
        return await self.ended(attempt_id, outcome, receipt.error_code)

    async def read_text(self, inbound: Inbound) -> bool:
        """A text from a number on the ladder, if it is a reply to an alert. False: it is a message like any other.

        The change and the answer are one transaction; the same text delivered twice is one.
        """
        rung = self._rung_of(inbound)
        if rung is None:
            return False
        now, once = self._wall_clock.now(), f"text:{inbound.provider_id}"
        found = _CODE.search(inbound.text)
        words = frozenset(re.findall(r"[a-z0-9]+", _CODE.sub(" ", inbound.text.casefold())))

        def work(session: Session) -> tuple[bool, str | None]:
            if session.exec(select(HandoverAttempt.id).where(HandoverAttempt.once == once)).first() is not None:
                return True, None
            handover = desk.by_code(session, found[0]) if found else None
            if handover is None:
                recent = _lately_alerted(session, rung, since=now - _ANSWERED_FOR)
                if recent is None:
                    return False, None
                handover, answer = recent, "what_was_that"
            else:
                answer = self._act(session, handover, rung, words, now)
            notice.notify(
                session, self._office, handover, "confirm", answer, now=now, once=once, route="text", rung=rung
            )
            return True, handover.conversation_id

        ours, conversation_id = await self._store.run(work)
        await self._moved(conversation_id)
        return ours

    def _act(self, session: Session, handover: Handover, rung: int, words: frozenset[str], now: datetime) -> str:
        """Do what a code with these words means, and say which response answers it."""
        name = self._office.policy.ladder[rung].name
        if handover.purpose == "authority":
            if bool(words & _YES) == bool(words & _NO):
                return "what_was_that"
            took = authority.answer(
                session, self._office, handover.id, granted=bool(words & _YES), by=name, how="text", now=now, rung=rung
            )
            return "noted_answer" if took is Took.TAKEN else "is_over"
        took = desk.take(session, self._office, handover.id, by=name, how="text", now=now, rung=rung)
        if took is Took.OVER:
            return "is_over"
        session.refresh(handover)
        if words & _SAFE:
            desk.made_safe(session, self._office, handover, actor="provider", now=now)
            return "noted_safe"
        if words & _HERE:
            desk.attended(session, self._office, handover, actor="provider", now=now)
            return "noted_attended"
        return "yours" if took is Took.TAKEN or handover.taken_rung == rung else "has_it_already"

    def _rung_of(self, inbound: Inbound) -> int | None:
        if inbound.channel is not ChannelName.SMS:
            return None
        return next((rung for rung, given in enumerate(self._addresses) if given.get("text") == inbound.address), None)

    # --- what a page does

    async def moved(self, conversation_id: str) -> None:
        """Somebody took it, or reported something, on a page or in the console: say so now, and not at the next beat."""
        await self._moved(conversation_id)

    async def _moved(self, conversation_id: str | None) -> None:
        if conversation_id is not None:
            self._nudge(conversation_id)
            await self._start_due()


def _reached(addresses: Mapping[str, str]) -> dict[str, str]:
    return {route: address.replace(" ", "") for route, address in addresses.items()}


def _is_due(session: Session, now: datetime) -> bool:
    """A look without a lock: at nearly every beat nothing is due, and nothing need be written."""
    climbs = session.exec(select(Handover.id).where(col(Handover.next_at) <= now).limit(1)).first()
    tells = session.exec(select(HandoverAttempt.id).where(col(HandoverAttempt.due_at) <= now).limit(1)).first()
    return climbs is not None or tells is not None


def _release(session: Session, now: datetime) -> None:
    """End the leases of a process that died."""
    for attempt in session.exec(select(HandoverAttempt).where(HandoverAttempt.state == "sending")):
        if attempt.purpose != "alert":
            attempt.due_at = now
            session.add(attempt)
            continue
        handover = session.get_one(Handover, attempt.handover_id)
        if handover.state == HandoverState.WAITING and handover.next_at is not None:
            handover.next_at = min(handover.next_at, now)
            session.add(handover)


def _lately_alerted(session: Session, rung: int, *, since: datetime) -> Handover | None:
    """The handover that a rung was last told of, if it is still theirs or anybody's to take."""
    return session.exec(
        select(Handover)
        .join(HandoverAttempt, col(HandoverAttempt.handover_id) == Handover.id)
        .join(Case, col(Case.id) == Handover.case_id)
        .where(
            HandoverAttempt.rung == rung,
            HandoverAttempt.at > since,
            col(Handover.state).in_([HandoverState.WAITING.value, HandoverState.TAKEN.value]),
        )
        .order_by(col(HandoverAttempt.at).desc())
    ).first()
