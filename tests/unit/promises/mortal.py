"""A program that dies at any commit or send: before it, or just after it."""

import asyncio
from collections.abc import Callable
from typing import Any

from sqlmodel import Session

from bot.messages import ChannelName, Outbound
from bot.sla import Policy
from bot.store import Store
from tests.unit.promises.house import House, Line


class Killed(BaseException):
    """The process is gone."""


class Fuse:
    """Burns at its nth touch, and is burned from then on."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.touched = 0

    @property
    def burned(self) -> bool:
        return self.touched >= self.length

    def touch(self) -> None:
        self.touched += 1
        if self.burned:
            raise Killed


class MortalStore:
    """A store whose process dies just before or just after a transaction."""

    def __init__(self, store: Store, fuse: Fuse) -> None:
        self._store, self._fuse = store, fuse
        self.is_sqlite = store.is_sqlite

    async def run(self, work: Callable[[Session], Any]) -> Any:
        self._fuse.touch()
        done = await self._store.run(work)
        self._fuse.touch()
        return done

    async def read(self, work: Callable[[Session], Any]) -> Any:
        return await self._store.read(work)


class MortalLine(Line):
    """A channel whose sender dies just before or just after the provider has the message."""

    fuse: Fuse

    async def send(self, message: Outbound) -> str:
        self.fuse.touch()
        provider_id = await super().send(message)
        self.fuse.touch()
        return provider_id


def doomed(house: House, policy: Policy, fuse: Fuse, *, seed: int = 6) -> House:
    """A second program over the rows and the networks of the first, that lives until the fuse burns."""
    other = House(house.store, policy, start=house.now, seed=seed)
    other.store = MortalStore(house.store, fuse)  # type: ignore[assignment]
    other.promises = other.sweeper()
    other.outbox._store = other.store
    lines = {}
    for name, line in house.lines.items():
        lines[name] = MortalLine(name, fails=line.fails, sent=line.sent)
        lines[name].fuse = fuse
    other.outbox._channels = lines  # type: ignore[assignment]
    return other


async def live_and_die(other: House, fuse: Fuse) -> bool:
    """Everything that is due, until the fuse burns. Whether it did."""
    try:
        await other.promises.sweep()
        await other.promises.carry_on_unseen()
        await other.outbox.deliver_due()
    except Killed:
        pass
    others = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
    await asyncio.gather(*others, return_exceptions=True)
    return fuse.burned


def sent_twice(house: House, *names: ChannelName) -> bool:
    """Whether a provider was handed a message again."""
    sent = [(name, each.id) for name in names or house.lines for each in house.lines[name].sent]
    return len(sent) != len(set(sent))
