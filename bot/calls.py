"""Ringing tenants who are in danger and take no messages: what is due is rung, answered with the advice, and recorded."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session

from bot import faults
from bot.channels import ChannelError, UnknownOutcome
from bot.channels.line import Alert, Route
from bot.channels.voice import Script
from bot.desk import call as desk
from bot.desk.office import Office
from bot.messages import Say
from bot.store import Store
from bot.store.tables import TenantCall
from bot.wallclock import WallClock

log = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=30)
"""How long the provider may take to accept a call: longer than its time-out."""
SAID_AT_MOST: Final = 2
"""How often the advice is said to somebody who presses nothing."""
_HEARD: Final = "1"


class Calls:
    """`ring` is called by the beat; `settle` does the same and waits, for tests. `routes` are the ways to reach people: the one
    called `call` is used, if it is there. `asked`, `pressed`, `ended` and `machine` are what the voice channel asks."""

    def __init__(
        self,
        store: Store,
        office: Office,
        routes: Mapping[str, Route],
        wall_clock: WallClock,
        nudge: Callable[[str], None],
    ) -> None:
        self._store = store
        self._office = office
        self._routes = routes
        self._wall_clock = wall_clock
        self._nudge = nudge
        self._ringing: set[asyncio.Task[None]] = set()

    # --- the beat

    async def ring(self) -> int:
        """Start the calls that are due. How many were begun."""
        now = self._wall_clock.now()
        if not await self._store.read(lambda session: desk.is_due(session, now=now)):
            return 0
        can_ring = "call" in self._routes

        def work(session: Session) -> list[tuple[str, str]]:
            leased = desk.lease_due(session, self._office, can_ring=can_ring, now=now, until=now + LEASE)
            return [(each.id, each.number) for each in leased]

        due = await self._store.run(work)
        for call_id, number in due:
            call = asyncio.create_task(self._ring(call_id, number))
            self._ringing.add(call)
            call.add_done_callback(self._ringing.discard)
        return len(due)

    async def settle(self) -> int:
        """Make every call that is due, and wait until the provider has them. How many were tried."""
        tried = 0
        while True:
            tried += await self.ring()
            if not self._ringing:
                return tried
            await asyncio.gather(*self._ringing)

    async def close(self) -> None:
        """Let requests under way finish."""
        if self._ringing:
            await asyncio.gather(*self._ringing, return_exceptions=True)

    async def _ring(self, call_id: str, number: str) -> None:
        state, provider_id, error = "ringing", None, None
        try:
            provider_id = await self._routes["call"].send(number, Alert(call_id, ""))
        except UnknownOutcome as failure:
            state, error = "unknown", failure.code
        except ChannelError as failure:
            state, error = "failed", failure.code or type(failure).__name__
        except Exception as failure:  # noqa: BLE001 - a fault of ours must not leave the call leased for ever
            log.error("call_failed", extra={"call": call_id} | faults.of(failure))
            state, error = "failed", "internal error"
        if state != "ringing":
            log.warning("call_not_made", extra={"call": call_id, "state": state})
        now = self._wall_clock.now()
        await self._store.run(
            lambda session: desk.made(
                session, self._office, call_id, state, now=now, provider_id=provider_id, error=error
            )
        )

    # --- what the voice channel asks

    async def asked(self, call: str) -> Script | None:
        """What is said when the tenant answers; None if it is no call of ours."""
        now = self._wall_clock.now()
        found = await self._store.run(lambda session: desk.answered(session, self._office, call, now=now))
        if found is None:
            return None
        self._nudge(found.conversation_id)
        begins = self._speak(Say("utter_call_begins"), now)
        return Script(
            f"{begins}\n{self._advice(found, now)}", self._speak(Say("utter_call_press"), now),
            self._speak(Say("utter_call_ends"), now), times=SAID_AT_MOST,
        )  # fmt: skip

    async def pressed(self, call: str, key: str) -> Script | None:
        """What is said to a key; None to say it all again, and for a call that is not ours."""
        now = self._wall_clock.now()
        found = await self._find(call)
        if found is None or key != _HEARD:
            return None
        await self._store.run(lambda session: desk.heard(session, self._office, call, now=now))
        self._nudge(found.conversation_id)
        return Script(self._speak(Say("utter_call_ends"), now), None)

    async def ended(self, call: str, outcome: str, error: str | None = None) -> bool:
        """A call is over. False if it is none of ours."""
        now = self._wall_clock.now()
        found = await self._store.run(
            lambda session: desk.ended(session, self._office, call, outcome, now=now, error=error)
        )
        if found is not None:
            self._nudge(found.conversation_id)
        return found is not None

    async def machine(self, call: str) -> str | None:
        """What an answering machine is told: the advice, twice, since it may begin to listen late. None for a call that is not
        ours."""
        found, now = await self._find(call), self._wall_clock.now()
        if found is None:
            return None
        advice = self._advice(found, now)
        said = [self._speak(Say("utter_call_begins"), now), advice, self._speak(Say("utter_call_again"), now), advice]
        return "\n".join(said)

    async def _find(self, call: str) -> TenantCall | None:
        return await self._store.read(lambda session: session.get(TenantCall, call))

    def _advice(self, call: TenantCall, now: datetime) -> str:
        return "\n".join(self._speak(Say(key), now) for key in call.keys)

    def _speak(self, say: Say, now: datetime) -> str:
        return self._office.render([say], channel="phone", now=now).text
