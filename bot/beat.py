"""The metronome: calls periodic coroutines and holds no logic. What is due is a row, so a missed beat loses nothing."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import faults

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Periodic:
    """One kind of work and how often it is looked for, in seconds."""

    name: str
    every: float
    work: Work


class Beat:
    """Runs each periodic work, never two of the same at once, until stopped."""

    def __init__(self, works: list[Periodic]) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        for each in works:
            self._scheduler.add_job(
                _tick, "interval", seconds=each.every, args=(each,), id=each.name,
                coalesce=True, max_instances=1, misfire_grace_time=None,
            )  # fmt: skip

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


async def _tick(periodic: Periodic) -> None:
    try:
        await periodic.work()
    except Exception as error:  # noqa: BLE001 - the next beat tries again
        log.error("beat_failed", extra={"work": periodic.name} | faults.of(error))
