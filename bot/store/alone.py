"""A store that nobody else uses, for a run on a clock moved by hand: works are carried out where they are asked for, one after
the other, so that the same run has the same rows every time. Nothing is kept safe from a power cut."""

import sqlite3
from pathlib import Path
from typing import TypeVar

from sqlalchemy import create_engine, event
from sqlmodel import Session

from bot.store.database import Store, StoreClosed, Work

T = TypeVar("T")


class AloneStore(Store):
    """`Store` without threads. Only SQLite."""

    def __init__(self, path: Path) -> None:
        self.engine = create_engine(f"sqlite:///{path}", hide_parameters=True)
        self.is_sqlite = True
        self._closed = False
        event.listen(self.engine, "connect", _connected)
        event.listen(self.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))

    async def run(self, work: Work[T]) -> T:
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
