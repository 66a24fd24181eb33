"""Providers that fail the way real ones do: out of order for hours, too busy, silent, refusing for good, slow with receipts.

Each stands in for a channel and its provider together: the outbox talks to it as to any channel.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiohttp.web import AbstractRouteDef

from bot.channels import Blocked, CannotTell, OptedOut, TemporaryFailure, UnknownOutcome
from bot.messages import ChannelName, DeliveryState, Outbound, Receipt
from bot.simulation.chance import Chance
from bot.wallclock import HandClock

Later = Callable[[datetime, Callable[[], object]], None]


@dataclass(slots=True)
class Faults:
    """How often what went wrong."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, what: str) -> None:
        self.counts[what] += 1


class Provider:
    """One channel's network. `arrived` is told of each message that reaches a phone or a page; `report` of each receipt."""

    max_length = 4096

    def __init__(
        self, name: ChannelName, clock: HandClock, chance: Chance, faults: Faults, later: Later, *,
        arrived: Callable[[Outbound], object], report: Callable[[Receipt], object],
        outages: Sequence[tuple[datetime, datetime]],
    ) -> None:  # fmt: skip
        self.name = name
        self._clock = clock
        self._chance = chance
        self._faults = faults
        self._later = later
        self._arrived = arrived
        self._report = report
        self._outages = outages
        self._known: dict[str, str] = {}
        self._count = 0
        self.lost: dict[str, type[Exception]] = {}
        """Addresses that can no longer be reached, and what the provider says of them."""
        self.dying = False
        """The program is about to be killed: whatever is sent now is taken, but the answer is never heard."""

    @property
    def outages(self) -> int:
        """How many breakdowns there are in this run."""
        return len(self._outages)

    @property
    def has_receipts(self) -> bool:
        return self.name in {ChannelName.SMS, ChannelName.WHATSAPP}

    def routes(self) -> Sequence[AbstractRouteDef]:
        return ()

    async def close(self) -> None:
        return

    async def send(self, message: Outbound) -> str:
        if self.name is not ChannelName.WEB:
            self._may_fail(message)
        taken = self._take(message)
        if self.dying:
            self._faults.note("killed_while_sending")
            await asyncio.Event().wait()
        if self.name is not ChannelName.WEB and self._chance.happens(0.002):
            self._faults.note("unknown_outcomes")
            raise UnknownOutcome("taken, but the answer was lost")
        return taken

    async def find_sent(self, message: Outbound) -> str | None:
        if not self.has_receipts:
            raise CannotTell
        if self._is_out():
            raise TemporaryFailure("out of order", code="503")
        return self._known.get(message.id)

    def _may_fail(self, message: Outbound) -> None:
        if self._is_out():
            self._faults.note("refused_out_of_order")
            raise TemporaryFailure("out of order", code="503")
        if (says := self.lost.get(message.address)) is not None:
            self._faults.note("permanent_failures")
            raise says()
        if self._chance.happens(0.008):
            self._faults.note("temporary_failures")
            raise TemporaryFailure("try again", code="500")
        if self._chance.happens(0.002):
            self._faults.note("too_many_requests")
            raise TemporaryFailure("slow down", code="429", retry_after=self._chance.uniform(1, 30))
        if self._chance.happens(0.001):
            self._faults.note("unknown_outcomes")
            raise UnknownOutcome("not taken, and no answer either")

    def _is_out(self) -> bool:
        now = self._clock.now()
        return any(first <= now < last for first, last in self._outages)

    def _take(self, message: Outbound) -> str:
        """Accept a message; a phone has it a moment later. The same message twice is taken twice."""
        self._count += 1
        provider_id = self._known[message.id] = f"{self.name.value}-{self._count}"
        now = self._clock.now()
        if not self.has_receipts:
            self._later(now + timedelta(seconds=self._chance.uniform(0.2, 2)), lambda: self._arrived(message))
            return provider_id
        if self._chance.happens(0.006):
            self._faults.note("undelivered")
            self._receipt(now + self._chance.minutes(2), message, provider_id, DeliveryState.FAILED)
            return provider_id
        there = now + timedelta(seconds=self._chance.about(5))
        if self._chance.happens(0.01):
            self._faults.note("slow_deliveries")
            there = now + self._chance.minutes(90)
        self._later(there, lambda: self._arrived(message))
        if self._chance.happens(0.01):
            self._faults.note("receipts_lost")
        else:
            self._receipt(there + timedelta(seconds=1), message, provider_id, DeliveryState.DELIVERED)
            if self._chance.happens(0.01):
                self._faults.note("receipts_repeated")
                self._receipt(there + timedelta(seconds=3), message, provider_id, DeliveryState.DELIVERED)
        return provider_id

    def _receipt(self, at: datetime, message: Outbound, provider_id: str, state: DeliveryState) -> None:
        code = "30003" if state is DeliveryState.FAILED else None
        receipt = Receipt(self.name, provider_id, state, error_code=code, message_id=message.id)
        self._later(at, lambda: self._report(receipt))


def outages(chance: Chance, first: datetime, days: int) -> list[tuple[datetime, datetime]]:
    """About one breakdown in forty days, mostly of an hour or less, now and then of most of a day."""
    found, at = [], first
    while (at := at + timedelta(days=chance.about(40, 0.8))) < first + timedelta(days=days):
        found.append((at, at + min(chance.minutes(40, 1.2), timedelta(hours=20))))
    return found


def lose(provider: Provider, address: str, chance: Chance) -> None:
    """A phone that will never take another message: the number was given up, or its owner blocks us."""
    provider.lost[address] = chance.pick((Blocked, OptedOut))
