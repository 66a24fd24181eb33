"""One way to do work on the database, whichever it is: `await store.run(work)`.

`work` is a plain function of a Session. It is carried out whole in one transaction and may be run again from the start, so
it must have no effect outside the database. On SQLite a single writer thread carries works out in the order asked; works
that wait share one transaction and its commit (one flush of the disk serves them all). If one of them fails, the whole
transaction is rolled back and each is carried out again in one of its own, so that it takes nothing else with it. On
PostgreSQL each work has a pooled connection and a transaction of its own.

    StoreError
    ├── SchemaTooOld       the database needs `doorstep migrate`
    └── StoreClosed        work was handed in after `close`
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import configure_mappers
from sqlmodel import Session

from bot import faults

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Session], T]

_MOST_SHARING_A_COMMIT: Final = 64
_POSTGRES_THREADS: Final = 12
_READERS: Final = 4
_ATTEMPTS_AFTER_DEADLOCK: Final = 5
_BUSY_SECONDS: Final = 20


class StoreError(Exception):
    """The database cannot be used as asked."""


class SchemaTooOld(StoreError):
    """The database needs `doorstep migrate`."""


class StoreClosed(StoreError):
    """The store has been closed."""


@dataclass(slots=True)
class _Job(Generic[T]):
    work: Work[T]
    future: "asyncio.Future[T] | Future[T]"
    loop: asyncio.AbstractEventLoop | None
    """Whose future it is; None for a caller without an event loop."""


_Outcome = tuple[_Job[Any], Any, BaseException | None]


class Store:
    """The database. Build one with `open_store`; `close` it when done."""

    def __init__(self, engine: Engine, readers: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._readers = readers
        self._read_pool = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._closed = False
        if self.is_sqlite:
            self._writer: threading.Thread | None = threading.Thread(target=self._write_loop, name="store", daemon=True)
            self._write_pool: ThreadPoolExecutor | None = None
            self._writer.start()
        else:
            self._writer = None
            self._write_pool = ThreadPoolExecutor(_POSTGRES_THREADS, thread_name_prefix="store")

    async def run(self, work: Work[T]) -> T:
        """Carry out `work` in one transaction; when this returns, it is on disk. Raises what `work` raises."""
        if self._closed:
            raise StoreClosed("the store has been closed")
        if self._write_pool is not None:
            return await asyncio.get_running_loop().run_in_executor(self._write_pool, self._run_alone, work)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(work, future, loop))
        return await future

    async def read(self, work: Work[T]) -> T:
        """Carry out a `work` that only reads, beside the writer, on a connection of its own."""
        return await asyncio.get_running_loop().run_in_executor(self._read_pool, self._read, work)

    def run_now(self, work: Work[T]) -> T:
        """`run` for code without an event loop: the command line."""
        if self._write_pool is not None:
            return self._run_alone(work)
        future: Future[T] = Future()
        self._jobs.put(_Job(work, future, None))
        return future.result()

    async def close(self) -> None:
        """Finish what was handed in, then let go of the database."""
        if self._closed:
            return
        self._closed = True
        if self._writer is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._writer.join)
        if self._write_pool is not None:
            await asyncio.to_thread(self._write_pool.shutdown)
        await asyncio.to_thread(self._read_pool.shutdown)
        self._readers.dispose()
        self.engine.dispose()

    def close_now(self) -> None:
        """`close` for code without an event loop."""
        asyncio.run(self.close())

    def _read(self, work: Work[T]) -> T:
        with Session(self._readers, expire_on_commit=False) as session:
            return work(session)

    def _run_alone(self, work: Work[T]) -> T:
        for attempt in range(1, _ATTEMPTS_AFTER_DEADLOCK + 1):
            try:
                with Session(self.engine, expire_on_commit=False) as session:
                    result = work(session)
                    session.commit()
                    return result
            except DBAPIError as error:
                if attempt == _ATTEMPTS_AFTER_DEADLOCK or getattr(error.orig, "sqlstate", "") not in {"40001", "40P01"}:
                    raise
        raise AssertionError("unreachable")

    def _write_loop(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch: list[_Job[Any]] = [first]
            last = False
            while len(batch) < _MOST_SHARING_A_COMMIT:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    last = True
                    break
                batch.append(job)
            self._write(batch)
            if last:
                return

    def _write(self, batch: list[_Job[Any]]) -> None:
        """Carry out a batch, together if that succeeds. Nobody is told of success before the commit is on disk."""
        results = self._write_together(batch) if len(batch) > 1 else None
        if results is not None:
            _tell([(job, result, None) for job, result in zip(batch, results, strict=True)])
            return
        for job in batch:
            _tell([self._write_alone(job)])

    def _write_together(self, batch: list[_Job[Any]]) -> list[Any] | None:
        """One transaction for all; None, and nothing written, if a work or the commit failed."""
        results = []
        try:
            with Session(self.engine, expire_on_commit=False) as session:
                for job in batch:
                    results.append(job.work(session))
                    session.flush()
                    session.expunge_all()  # the next work knows nothing of this one's objects, only its rows
                session.commit()
        except Exception as error:  # noqa: BLE001 - each work is told of its own failure when it is carried out alone
            log.info("works_parted", extra={"works": len(batch), **faults.of(error)})
            return None
        return results

    def _write_alone(self, job: _Job[Any]) -> _Outcome:
        try:
            with Session(self.engine, expire_on_commit=False) as session:
                result = job.work(session)
                session.commit()
        except Exception as error:  # noqa: BLE001 - handed to whoever asked for the work
            return job, None, error
        return job, result, None


def _tell(outcomes: Sequence[_Outcome]) -> None:
    """Tell those who wait what has become of their works, each event loop once."""
    loops: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        if (loop := outcome[0].loop) is None:
            _settle([outcome])
        else:
            loops.setdefault(loop, []).append(outcome)
    for loop, theirs in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, theirs)


def _settle(outcomes: Sequence[_Outcome]) -> None:
    for job, result, failure in outcomes:
        if job.future.done():
            continue  # whoever asked was cancelled; what they asked for is done all the same
        if failure is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(failure)


def open_store(url: str) -> Store:
    """Open the database at `url` (`sqlite:///PATH` or `postgresql://…`), creating a missing SQLite file and its folder.

    The schema is not touched: see `store.schema`.
    """
    configure_mappers()  # `conversations.record` makes objects in the mappers' own way, so they must be ready
    if url.startswith("sqlite"):
        return _open_sqlite(url)
    engine = create_engine(
        _psycopg(url), hide_parameters=True, pool_size=_POSTGRES_THREADS, max_overflow=2, pool_pre_ping=True
    )
    readers = create_engine(_psycopg(url), hide_parameters=True, pool_size=_READERS, max_overflow=0, pool_pre_ping=True)
    return Store(engine, readers)


def _psycopg(url: str) -> str:
    return "postgresql+psycopg://" + url.split("://", 1)[1]


def _open_sqlite(url: str) -> Store:
    path = url.removeprefix("sqlite:///")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, connect_args={"check_same_thread": False}, hide_parameters=True, pool_size=1, max_overflow=1
    )
    readers = create_engine(
        url, connect_args={"check_same_thread": False}, hide_parameters=True, pool_size=_READERS, max_overflow=0
    )
    for each, begin in ((engine, "BEGIN IMMEDIATE"), (readers, "BEGIN")):
        _prepare_sqlite(each, begin)
    try:
        with engine.connect():
            pass
    except OperationalError as error:
        raise StoreError(f"the database {path} cannot be opened: {error.orig}") from error
    return Store(engine, readers)


def _prepare_sqlite(engine: Engine, begin: str) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions behind our back
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # a commit is on disk when it returns, power cut or not
            "foreign_keys=ON",
            f"busy_timeout={_BUSY_SECONDS * 1000}",
            "cache_size=-65536",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)
