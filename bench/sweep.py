"""`python -m bench.sweep`: what a sweep over the clocks costs, with ten thousand clocks open and with a million.

In both databases the same hundred people have something due. A sweep reads only what is due, so the ratio of the two is
near one however many promises are open.
"""

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bot.bootstrap import NLU_DATA
from bot.desk import case as cases
from bot.desk import conversation as desk
from bot.desk.office import Office
from bot.messages import OpenCase
from bot.promises import Promises
from bot.sla import load_policy
from bot.store import Store, conversations, open_store, schema
from bot.wallclock import HandClock
from bot.wording import Wording, load_responses

DUE: Final = 100
FEW: Final = 10_000
MANY: Final = 1_000_000
_A_CASE: Final = 20
"""Open clocks on each of the other cases, all due later."""
_REPORTED: Final = datetime(2026, 11, 23, 10, tzinfo=UTC)
_SWEPT: Final = datetime(2026, 12, 1, 13, 5, tzinfo=UTC)
"""When the progress updates of what was reported fall to be sent."""


async def measure(open_clocks: int, folder: Path) -> tuple[float, float]:
    """What one sweep takes with `DUE` people due among `open_clocks` running clocks: seconds, and seconds of processor time
    (which tells more than the clock on the wall where other programs run)."""
    database = folder / f"{open_clocks}.db"
    store = open_store(f"sqlite:///{database}")
    schema.migrate(store)
    clock = HandClock(_REPORTED, seed=3)
    office = Office(load_policy("berwickshire"), Wording(load_responses(NLU_DATA / "domain")), clock, {})
    await _report(store, office)
    await store.close()
    _fill(database, open_clocks - DUE * 2)
    store = open_store(f"sqlite:///{database}")
    clock.move_to(_SWEPT)
    promises = Promises(store, office, clock, lambda _conversation: None)
    began, used = time.perf_counter(), time.process_time()
    people = await promises.sweep()
    seconds, processor = time.perf_counter() - began, time.process_time() - used
    assert people == DUE, f"{people} people were spoken to, not {DUE}"
    assert await promises.sweep() == 0, "a sweep left something to do"
    await store.close()
    return seconds, processor


async def _report(store: Store, office: Office) -> None:
    for number in range(DUE):

        def work(session: desk.Session, number: int = number) -> None:
            talk, _ = desk.find_or_start(session, office, "sms", f"+4477001{number:05}", now=_REPORTED)
            asked = OpenCase("repair", "dripping_tap", "the tap drips", "Dripping tap")
            cases.open_case(session, office, talk, asked, received_at=_REPORTED, now=_REPORTED)
            conversations.save(session, talk)

        await store.run(work)
    # Their first responses are not what is measured.
    await store.run(lambda session: session.connection().exec_driver_sql(
        "UPDATE clock SET state = 'met', act_at = NULL WHERE commitment = 'text_response'"
    ))  # fmt: skip


def _fill(database: Path, wanted: int) -> None:
    """Put `wanted` running clocks beside them, none of which is due."""
    with sqlite3.connect(database) as rows:
        rows.execute("PRAGMA synchronous=OFF")
        (version,) = rows.execute("SELECT id FROM policy_version").fetchone()
        later = (_SWEPT + timedelta(days=1)).replace(tzinfo=None).isoformat(" ")
        began = _REPORTED.replace(tzinfo=None).isoformat(" ")
        for start in range(0, wanted, _A_CASE * 500):
            numbers = range(start // _A_CASE, min(start + _A_CASE * 500, wanted) // _A_CASE)
            rows.executemany("INSERT INTO contact (id, language, created_at) VALUES (?, 'en', ?)",
                             ((f"c{n:031}", began) for n in numbers))  # fmt: skip
            rows.executemany("INSERT INTO address (id, contact_id, channel, value, created_at) VALUES (?, ?, 'sms', ?, ?)",
                             ((f"a{n:031}", f"c{n:031}", f"+4478{n:09}", began) for n in numbers))  # fmt: skip
            rows.executemany(
                "INSERT INTO conversation (id, address_id, contact_id, channel, address, owner, dialogue, hazard, offered,"
                " version, seq, acked_seq, created_at, last_message_at) VALUES (?, ?, ?, 'sms', ?, 'bot', '{}', '{}', '[]',"
                " 0, 0, 0, ?, ?)",
                ((f"t{n:031}", f"a{n:031}", f"c{n:031}", f"+4478{n:09}", began, began) for n in numbers),
            )
            rows.executemany(
                'INSERT INTO "case" (id, reference, kind, category, priority, state, contact_id, conversation_id, channel,'
                " words, summary, details, hazard, team, received_at, deemed_at) VALUES (?, ?, 'repair', 'gutter', 'routine',"
                " 'open', ?, ?, 'sms', '', '', '{}', 'none', '', ?, ?)",
                ((f"k{n:031}", f"R-{n}", f"c{n:031}", f"t{n:031}", began, began) for n in numbers),
            )
            rows.executemany(
                "INSERT INTO clock (id, case_id, commitment, policy_version_id, state, started_at, deemed_at, due_at,"
                " planned_at, met_by, act_at) VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, 'attended', ?)",
                _clocks(numbers, version, began, later),
            )


def _clocks(numbers: range, version: str, began: str, later: str) -> Iterator[tuple[str, ...]]:
    for n in numbers:
        for each in range(_A_CASE):
            yield f"p{n:027}{each:04}", f"k{n:031}", f"promise_{each}", version, began, began, later, later, later


async def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a sweep with few and with many open clocks.")
    parser.add_argument("--rounds", type=int, default=3, help="how often both are measured, in turn")
    parser.add_argument("--many", type=int, default=MANY, help="open clocks in the large database")
    args = parser.parse_args()
    found: dict[int, list[tuple[float, float]]] = {FEW: [], args.many: []}
    for _ in range(args.rounds):
        for size, measured in found.items():
            with tempfile.TemporaryDirectory(prefix="doorstep-sweep-") as folder:
                measured.append(await measure(size, Path(folder)))
    table = Table(title=f"A sweep with {DUE} people due, {args.rounds} rounds, medians")
    for heading in ("", f"{FEW:,} clocks open", f"{args.many:,} clocks open", "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    for label, few, many in zip(
        ("ms", "CPU ms"), *(map(statistics.median, zip(*measured, strict=True)) for measured in found.values()),
        strict=True,
    ):  # fmt: skip
        table.add_row(label, f"{few * 1000:.0f}", f"{many * 1000:.0f}", f"{many / few:.2f}x")
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
