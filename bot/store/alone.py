"""A store that nobody else uses, for a run on a clock moved by hand: works are carried out where they are asked for, one after
the other, so that the same run has the same rows every time. Nothing is kept safe from a power cut."""

import sqlite3
from pathlib import Path
from typing import TypeVar

from sqlalchemy import create_engine, event
from sqlmodel import Session

from bot.store.database import Store, StoreClosed, Work

T = TypeVar("T")


class Killed(BaseException):
    """The program is gone, in the middle of what it did. No part of it may catch this and go on."""


class AloneStore(Store):
    """`Store` without threads. Only SQLite."""

    def __init__(self, path: Path) -> None:
        self.engine = create_engine(f"sqlite:///{path}", hide_parameters=True)
        self.is_sqlite = True
        self._closed = False
        self._works_left: int | None = None
        self._keeps_last = False
        event.listen(self.engine, "connect", _connected)
        event.listen(self.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))

    def die_after(self, works: int, *, keep_last: bool) -> None:
        """Raise `Killed` at the so-manieth work from now on that may write, and at all that follow. With `keep_last` that one
        is on disk before, and only its answer is lost."""
        self._works_left, self._keeps_last = works, keep_last

    async def run(self, work: Work[T]) -> T:
        if self._works_left is not None:
            self._works_left -= 1
            if self._works_left == 0 and self._keeps_last:
                self.run_now(work)
            if self._works_left <= 0:
                raise Killed
        return self.run_now(work)

    async def read(self, work: Work[T]) -> T:
        return self.run_now(work)

    def run_now(self, work: Work[T]) -> T:
        if self._closed:
            raise StoreClosed("the store has been closed")
        with Session(self.engine, expire_on_commit=False) as session:
            result = work(session)
            session.commit()
            return result

    async def close(self) -> None:
        self._closed = True
        self.engine.dispose()


def _connected(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=OFF", "foreign_keys=ON", "cache_size=-131072", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
