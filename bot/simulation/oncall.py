"""Whoever is on call: rung and texted by the on-call ladder, at any hour. They do not always pick up, and do not always press
the key; a text is answered with its code, or forgotten."""

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from bot.bootstrap import Doorstep
from bot.channels import TemporaryFailure, UnknownOutcome
from bot.channels.line import Alert
from bot.messages import ChannelName, DeliveryState, Inbound, Receipt
from bot.simulation.chance import Chance
from bot.simulation.providers import Faults, Later
from bot.wallclock import HandClock

NUMBER: Final = "+447700900990"
"""Where the 24-hour line is rung and texted: one of the numbers kept for fiction."""
_NOT_ANSWERED: Final = ("no_answer", "no_answer", "busy", "machine", "failed")
_CODE: Final = re.compile(r"(?<!\d)\d{6}(?!\d)")


class OnCall:
    """One way to reach them (`bot.channels.line.Route`): `call` or `text`."""

    def __init__(
        self, route: str, doorstep: Callable[[], Doorstep], clock: HandClock, chance: Chance, faults: Faults,
        later: Later, outages: Sequence[tuple[datetime, datetime]],
    ) -> None:  # fmt: skip
        self._route = route
        self._doorstep = doorstep
        self._clock = clock
        self._chance = chance
        self._faults = faults
        self._later = later
        self._outages = outages
        self._count = 0
        self._replied: set[str] = set()
        self.dying = False
        """The program is about to be killed: whatever is sent now goes out, but the answer is never heard."""

    async def close(self) -> None:
        return

    async def send(self, address: str, alert: Alert) -> str:
        now = self._clock.now()
        if any(first <= now < last for first, last in self._outages) or self._chance.happens(0.02):
            self._faults.note("alerts_refused")
            raise TemporaryFailure("out of order", code="503")
        self._count += 1
        if self._route == "call":
            self._ring(alert)
        else:
            self._text(address, alert)
        if self.dying:
            self._faults.note("killed_while_alerting")
            await asyncio.Event().wait()
        if self._chance.happens(0.01):
            raise UnknownOutcome("taken, but the answer was lost")
        return f"{self._route}-{self._count}"

    def _in(self, seconds: float, what: Callable[[], object]) -> None:
        self._later(self._clock.now() + timedelta(seconds=seconds), what)

    def _ring(self, alert: Alert) -> None:
        self._faults.note("alerts_rung")
        if self._chance.happens(0.3):
            self._faults.note("alerts_not_answered")
            outcome = self._chance.pick(_NOT_ANSWERED)
            self._in(self._chance.uniform(5, 45), lambda: self._ended(alert.id, outcome))
            return
        self._in(self._chance.uniform(5, 30), lambda: self._asked(alert.id))
        if self._chance.happens(0.1):
            self._faults.note("alerts_hung_up")
            self._in(self._chance.uniform(31, 60), lambda: self._ended(alert.id, "not_taken"))
        else:
            self._in(self._chance.uniform(31, 60), lambda: self._pressed(alert.id))

    # What the voice channel does with each (`bot.bootstrap`): one number rings people on call, and tenants in danger.

    async def _asked(self, call: str) -> None:
        await self._doorstep().handovers.asked(call) or await self._doorstep().calls.asked(call)

    async def _pressed(self, call: str) -> None:
        await self._doorstep().handovers.pressed(call, "1") or await self._doorstep().calls.pressed(call, "1")
        await self._ended(call, "completed")

    async def _ended(self, call: str, outcome: str) -> None:
        await self._doorstep().handovers.ended(call, outcome) or await self._doorstep().calls.ended(call, outcome)

    def _text(self, address: str, alert: Alert) -> None:
        self._faults.note("alerts_texted")
        arrives = not self._chance.happens(0.03)
        state = DeliveryState.DELIVERED if arrives else DeliveryState.FAILED
        receipt = Receipt(ChannelName.SMS, f"oncall-{alert.id}", state, message_id=alert.id)
        self._in(self._chance.uniform(1, 10), lambda: self._doorstep().handovers.report(receipt))
        code = _CODE.search(alert.text)
        if arrives and code is not None and code[0] not in self._replied and self._chance.happens(0.5):
            self._replied.add(code[0])
            reply = Inbound(ChannelName.SMS, address, f"oncall-reply-{self._count}", f"{code[0]} ok")
            self._in(self._chance.uniform(30, 400), lambda: self._doorstep().handovers.read_text(reply))
