"""The run: an event queue that jumps the clock from one thing to the next, whoever it happens to.

What is due for the product is asked of its rows, so it is called when its beat would find something to do, and never
otherwise. Restarts are kills, in the middle of what it does: sending, alerting, sweeping, or taking a message in. What was in
flight is gone, and a new program is put together on the same database.

Tenants are run in blocks (`Plan.together`), each with a database of its own and the same weather, breakdowns and kills, so that
several cores can share the work. The blocks do not depend on how many cores there are, so neither does the outcome.
"""

import asyncio
import hashlib
import heapq
import inspect
import itertools
import logging
import multiprocessing
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr
from sqlalchemy import func, select
from sqlmodel import Session, SQLModel

from bot.bootstrap import Doorstep, Knowledge, assemble, load_knowledge
from bot.messages import ChannelName, Inbound, Outbound, Receipt
from bot.reports.report import verdicts
from bot.settings import Settings
from bot.simulation.chance import Chance
from bot.simulation.oncall import NUMBER, OnCall
from bot.simulation.providers import Faults, Provider, lose, outages
from bot.simulation.staff import Office
from bot.simulation.tally import left_behind, tally
from bot.simulation.tenants import (
    Talker,
    beginning,
    days_of,
    is_christmas,
    load_habits,
    matters,
    opting_out,
    people,
    storms,
)
from bot.sla import load_policy
from bot.sla.performance import Promise, Verdict
from bot.store import schema, seals, tables
from bot.store.alone import AloneStore, Killed
from bot.store.tables import UNSEEN
from bot.wallclock import HandClock

FIRST_DAY: Final = date(2026, 11, 23)
TOGETHER: Final = 500
"""Tenants in one block, unless the plan says otherwise."""
_SEAL_EVERY: Final = timedelta(hours=6)
_RESTART_EVERY_DAYS: Final = 12.0
_NOTHING_DONE: Final = timedelta(seconds=30)
"""How long a kind of work is left alone after a look that found nothing it could do (a message waits for an earlier one)."""
_UNSEEN_AFTER: Final = timedelta(minutes=10)
_T: Final = SQLModel.metadata.tables
_SHARED_FAULTS: Final = ("christmas_days", "outages", "restarts", "storm_days")
"""What happens to all blocks at once."""
_KILLED_WHILE: Final = ("sending", "sending", "sweeping", "receiving")
_KINDS: Final = ("outbox", "promises", "handover", "handover", "handover", "unseen", "surveys", "calls")
_NEXT: Final = f"""
    SELECT (SELECT min(due_at) FROM message WHERE due_at IS NOT NULL), (SELECT min(act_at) FROM clock WHERE act_at IS NOT NULL),
        (SELECT min(next_at) FROM handover WHERE next_at IS NOT NULL),
        (SELECT min(due_at) FROM handover_attempt WHERE due_at IS NOT NULL),
        (SELECT min(due_at) FROM follow_up WHERE done_at IS NULL), (SELECT min(sent_at) FROM message WHERE {UNSEEN}),
        (SELECT min(act_at) FROM survey WHERE act_at IS NOT NULL),
        (SELECT min(due_at) FROM tenant_call WHERE due_at IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be run."""

    policy: str
    days: int
    contacts: int
    seed: int
    first_day: date = FIRST_DAY
    together: int = TOGETHER


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it."""

    plan: Plan
    policy: str
    messages_in: int
    messages_out: int
    cases: int
    commitments: Mapping[str, Mapping[Verdict, int]]
    faults: Mapping[str, int]
    silent: tuple[Promise, ...]
    """The promises that were missed in silence: there should be none."""
    left_behind: tuple[str, ...]
    """What was left undone without breaking a promise yet: there should be none."""
    digest: str
    """A hash over every message and clock: the same for the same plan."""
    chain_holds: bool

    def as_json(self) -> dict[str, Any]:
        """The public form (`doorstep simulate --json`)."""
        return {
            "policy": self.policy,
            "days": self.plan.days,
            "contacts": self.plan.contacts,
            "seed": self.plan.seed,
            "messages": {"in": self.messages_in, "out": self.messages_out},
            "cases": self.cases,
            "commitments": [
                {"id": name, **{verdict.value: counts[verdict] for verdict in list(Verdict)[:3]}}
                for name, counts in self.commitments.items()
            ],
            "faults": dict(self.faults),
        }


def simulate(
    plan: Plan,
    *,
    jobs: int = 1,
    progress: Callable[[float], None] = lambda done: None,
    knowledge: Knowledge | None = None,
) -> Outcome:
    """Run it in `jobs` processes. `progress` is told the part that is done, from 0 to 1, now and then.

    Raises what `assemble` raises. `knowledge` that is loaded already is not loaded again, with one job.
    """
    sizes = [min(plan.together, plan.contacts - first) for first in range(0, plan.contacts, plan.together)]
    if jobs == 1 or len(sizes) == 1:
        known = knowledge or load_knowledge()
        parts = []
        for number, size in enumerate(sizes):
            told = partial(_part_of, progress, number, len(sizes))
            parts.append(_run_block(plan, number, size, known, told))
        return _together(plan, parts)
    return _together(plan, _in_processes(plan, sizes, jobs, progress))


def _part_of(progress: Callable[[float], None], number: int, blocks: int, done: float) -> None:
    progress((number + done) / blocks)


def _in_processes(plan: Plan, sizes: Sequence[int], jobs: int, progress: Callable[[float], None]) -> list[Outcome]:
    # Forked processes would share open databases and event loops; spawned ones share nothing but these figures.
    context = multiprocessing.get_context("spawn")
    done = context.Array("d", len(sizes), lock=False)
    with ProcessPoolExecutor(jobs, context, initializer=_share, initargs=(done,)) as pool:
        waiting = [pool.submit(_run_in_process, plan, number, size) for number, size in enumerate(sizes)]
        while (known := wait(waiting, timeout=0.5, return_when=FIRST_EXCEPTION)).not_done:
            for each in known.done:
                each.result()  # one that failed ends the run
            progress(sum(done) / len(sizes))
        progress(1.0)
        return [each.result() for each in waiting]


_done: Any = None
"""In a process of its own: where to say how far it is."""


def _share(done: Any) -> None:
    global _done
    _done = done


def _run_in_process(plan: Plan, number: int, size: int) -> Outcome:
    parent = os.getppid()

    def tell(done: float) -> None:
        if os.getppid() != parent:
            raise SystemExit  # nobody waits for the outcome any more
        _done[number] = done

    return _run_block(plan, number, size, load_knowledge(), tell)


def _run_block(plan: Plan, number: int, size: int, knowledge: Knowledge, progress: Callable[[float], None]) -> Outcome:
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # a year of simulated breakdowns is not news
    try:
        with tempfile.TemporaryDirectory(prefix="doorstep-simulation-") as folder:
            return asyncio.run(_Year(plan, number, size, Path(folder), knowledge, progress).run())
    finally:
        logging.disable(disabled)


def _together(plan: Plan, parts: Sequence[Outcome]) -> Outcome:
    commitments: dict[str, dict[Verdict, int]] = {}
    faults: Counter[str] = Counter()
    for part in parts:
        for name, counts in part.commitments.items():
            known = commitments.setdefault(name, dict.fromkeys(Verdict, 0))
            for verdict, count in counts.items():
                known[verdict] += count
        faults.update({name: count for name, count in part.faults.items() if name not in _SHARED_FAULTS})
    faults.update({name: parts[0].faults[name] for name in _SHARED_FAULTS})
    order = load_policy(plan.policy).commitments
    return Outcome(
        plan=plan, policy=parts[0].policy, messages_in=sum(part.messages_in for part in parts),
        messages_out=sum(part.messages_out for part in parts), cases=sum(part.cases for part in parts),
        commitments={name: commitments[name] for name in order if name in commitments},
        faults=dict(sorted(faults.items())), silent=tuple(each for part in parts for each in part.silent),
        left_behind=tuple(each for part in parts for each in part.left_behind),
        digest=hashlib.sha256("".join(part.digest for part in parts).encode()).hexdigest(),
        chain_holds=all(part.chain_holds for part in parts),
    )  # fmt: skip


class _Year:
    """One block of tenants, from the first day to the last."""

    def __init__(
        self, plan: Plan, number: int, size: int, folder: Path, knowledge: Knowledge, progress: Callable[[float], None]
    ) -> None:
        self._plan = plan
        self._size = size
        self._folder = folder
        self._knowledge = knowledge
        self._progress = progress
        self._first = beginning(plan.first_day)
        self._last = beginning(plan.first_day + timedelta(days=plan.days))
        self._clock = HandClock(self._first, seed=_seed(plan.seed, "product", number))
        self._chance = Chance(HandClock(self._first, seed=_seed(plan.seed, "people", number)))
        self._world = Chance(HandClock(self._first, seed=_seed(plan.seed, "world", 0)))
        self._faults = Faults()
        self._queue: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._idle_until: dict[str, datetime] = {}
        self._kill_while: str | None = None
        self._doorstep: Doorstep = self._assemble()
        # Asked before every step, so without anything in between; it only reads.
        self._glance = sqlite3.connect(folder / "year.db", isolation_level=None)
        habits = load_habits()
        self._habits = habits
        self._tenants = people(size, habits, self._chance)
        self._by_address = {(tenant.channel, tenant.address): tenant for tenant in self._tenants}
        self._talker = Talker(habits, self._chance, self._clock.now, self._later, self._receive, self._keys)
        self._providers = {name: self._provider(name) for name in map(ChannelName, habits.channels)}
        self._on_call = {route: self._rung(route) for route in ("call", "text")}
        self._reach()
        self._office = Office(lambda: self._doorstep, self._glance, self._chance, self._faults, self._later)

    # --- setting up

    def _assemble(self) -> Doorstep:
        path = self._folder / "year.db"
        store = AloneStore(path)
        if not path.exists():
            schema.migrate(store)
        settings = Settings.model_validate(
            {
                "policy": self._plan.policy,
                "database_url": f"sqlite:///{path}",
                "public_url": "https://doorstep.example.org",
                "secret_key": SecretStr("simulated " * 4),
                "emergency_line_call": NUMBER,
                "emergency_line_text": NUMBER,
            }
        )
        return assemble(settings, self._clock, self._knowledge, store)

    def _provider(self, name: ChannelName) -> Provider:
        return Provider(
            name, self._clock, self._chance, self._faults, self._later, arrived=partial(self._arrived, name),
            report=self._report,
            outages=[] if name is ChannelName.WEB else outages(self._world, self._first, self._plan.days),
        )  # fmt: skip

    def _rung(self, route: str) -> OnCall:
        return OnCall(
            route, lambda: self._doorstep, self._clock, self._chance, self._faults, self._later,
            outages(self._world, self._first, self._plan.days),
        )  # fmt: skip

    def _reach(self) -> None:
        """Give the program its channels, and its ways to people on call."""
        self._doorstep.channels.update(self._providers)
        self._doorstep.on_call.update(self._on_call)

    def _prepare(self) -> None:
        days = self._plan.days
        stormy = storms(self._plan.first_day, days, self._world)
        self._faults.counts["storm_days"] = len(stormy)
        self._faults.counts["christmas_days"] = sum(map(is_christmas, days_of(self._plan.first_day, days)))
        self._office.hire()
        for at, matter in matters(self._plan.first_day, days, self._size, self._habits, stormy, self._chance):
            tenant = self._chance.pick(self._tenants)
            self._later(at, partial(self._talker.begin, tenant, matter))
        self._faults.counts.update({"outages": 0, "restarts": 0})
        for provider in self._providers.values():
            self._faults.counts["outages"] += provider.outages
        for tenant in self._tenants:
            for at, words in opting_out(tenant, self._first, days, self._chance):
                self._later(at, partial(self._talker.write, tenant, words))
            if tenant.channel is not ChannelName.WEB and self._chance.happens(0.03 * days / 365):
                gone = self._first + timedelta(days=self._chance.uniform(0, days))
                self._later(gone, partial(lose, self._providers[tenant.channel], tenant.address, self._chance))
        at = self._first
        while (at := at + timedelta(days=self._world.about(_RESTART_EVERY_DAYS, 0.5))) < self._last:
            self._later(at, self._kill_soon)
        self._later(self._first + _SEAL_EVERY, self._seal)

    # --- the run

    async def run(self) -> Outcome:
        self._prepare()
        while True:
            at = min(self._queue[0][0] if self._queue else self._last, min(self._due().values(), default=self._last))
            if at >= self._last:
                break
            self._clock.move_to(max(at, self._clock.now()))
            await self._happen()
            await self._work()
            self._office.notice()
            self._progress((self._clock.now() - self._first) / (self._last - self._first))
        self._clock.move_to(self._last)
        await self._work()
        self._progress(1.0)
        outcome = self._doorstep.store.run_now(self._judge)
        self._glance.close()
        await self._doorstep.store.close()
        return outcome

    async def _happen(self) -> None:
        """Whatever people and providers do now."""
        while self._queue and self._queue[0][0] <= self._clock.now():
            _, _, what = heapq.heappop(self._queue)
            done = what()
            if inspect.isawaitable(done):
                await done

    async def _work(self) -> None:
        """Whatever the product's beat would find to do now."""
        for _ in range(20):  # one kind of work brings another
            now = self._clock.now()
            due = [name for name, at in self._due().items() if at <= now]
            if not due:
                return
            if self._kill_while == "sending" and {"outbox", "handover"} & set(due):
                await self._killed_sending()
            elif self._kill_while == "sweeping" and set(due) - {"outbox"}:
                await self._killed_sweeping(due)
            else:
                await self._work_on(due, now)

    async def _work_on(self, due: Sequence[str], now: datetime) -> None:
        works: dict[str, Callable[[], Any]] = {
            "promises": self._doorstep.promises.sweep,
            "handover": self._doorstep.handovers.settle,
            "surveys": self._doorstep.surveys.sweep,
            "calls": self._doorstep.calls.settle,
            "outbox": self._doorstep.outbox.deliver_due,
            "unseen": self._doorstep.promises.carry_on_unseen,
        }
        for name in works:
            if name in due and not await works[name]():
                self._idle_until[name] = now + _NOTHING_DONE

    def _due(self) -> dict[str, datetime]:
        """When each kind of work next has something to do; none that has nothing."""
        found: dict[str, datetime] = {}
        for name, told in zip(_KINDS, self._glance.execute(_NEXT).fetchone(), strict=True):
            if told is not None:
                at = datetime.fromisoformat(told).replace(tzinfo=UTC)
                at = max(at + (_UNSEEN_AFTER if name == "unseen" else timedelta()), self._idle_until.get(name, at))
                found[name] = min(at, found.get(name, at))
        return found

    def _later(self, at: datetime, what: Callable[[], object]) -> None:
        heapq.heappush(self._queue, (at, next(self._order), what))

    # --- what reaches the product, and what leaves it

    async def _receive(self, inbound: Inbound) -> None:
        if self._kill_while == "receiving":
            await self._killed_receiving(inbound)
            return
        await self._doorstep.intake.receive(inbound)
        if inbound.channel is not ChannelName.WEB and self._chance.happens(0.01):
            self._faults.note("handed_over_twice")
            again = self._clock.now() + timedelta(seconds=self._chance.uniform(1, 60))
            self._later(again, lambda: self._doorstep.intake.receive(inbound))

    def _arrived(self, name: ChannelName, message: Outbound) -> object:
        tenant = self._by_address[name, message.address]
        now = self._clock.now()
        if name is ChannelName.WEB:
            if tenant.on_page_until is None or tenant.on_page_until < now:
                return None  # the page is closed: it stays unseen
            self._talker.hear(tenant, message)
            return self._doorstep.outbox.seen(name, message.address, message.seq)
        self._talker.hear(tenant, message)
        return None

    def _report(self, receipt: Receipt) -> object:
        return self._doorstep.outbox.report(receipt)

    def _keys(self, message_id: str) -> Sequence[str]:
        message = self._doorstep.store.run_now(lambda session: session.get(tables.Message, message_id))
        keys: Sequence[str] = message.detail.get("keys", ()) if message else ()
        return keys

    # --- killed, and started again

    def _kill_soon(self) -> None:
        self._kill_while = self._chance.pick(_KILLED_WHILE)
        self._faults.note("restarts")

    async def _killed_sending(self) -> None:
        """The providers take what is sent to them, and nobody is there any more to hear of it."""
        senders: list[Provider | OnCall] = [*self._providers.values(), *self._on_call.values()]
        for each in senders:
            each.dying = True
        sending = [
            asyncio.create_task(work()) for work in (self._doorstep.outbox.deliver_due, self._doorstep.handovers.settle)
        ]
        for _ in range(20):
            await asyncio.sleep(0)
        await self._start_again(sending)
        for each in senders:
            each.dying = False

    async def _killed_sweeping(self, due: Sequence[str]) -> None:
        """Gone at the first, second or third commit, just before or just after it."""
        self._store.die_after(int(self._chance.uniform(1, 4)), keep_last=self._chance.happens(0.5))
        try:
            await self._work_on([each for each in due if each != "outbox"], self._clock.now())
        except Killed:
            self._faults.note("killed_while_sweeping")
        await self._start_again()

    async def _killed_receiving(self, inbound: Inbound) -> None:
        """Whoever handed it in has no answer, and hands it in again."""
        self._store.die_after(1, keep_last=self._chance.happens(0.5))
        try:
            await self._doorstep.intake.receive(inbound)
        except Killed:
            self._faults.note("killed_while_receiving")
        await self._start_again()
        self._later(self._clock.now() + timedelta(seconds=self._chance.uniform(5, 60)), lambda: self._receive(inbound))

    async def _start_again(self, under_way: Sequence["asyncio.Task[Any]"] = ()) -> None:
        self._kill_while = None
        self._store.die_after(0, keep_last=False)  # the dead write nothing
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*under_way, *others, return_exceptions=True)
        await self._doorstep.store.close()
        self._clock.advance(timedelta(seconds=self._chance.uniform(2, 240)))
        self._doorstep = self._assemble()
        self._reach()
        self._idle_until.clear()
        await self._doorstep.outbox.recover()
        await self._doorstep.handovers.recover()

    @property
    def _store(self) -> AloneStore:
        store = self._doorstep.store
        assert isinstance(store, AloneStore)
        return store

    async def _seal(self) -> None:
        self._later(self._clock.now() + _SEAL_EVERY, self._seal)
        await self._doorstep.seal()

    # --- the end

    def _judge(self, session: Session) -> Outcome:
        policy = self._doorstep.office.policy
        judged = verdicts(session, policy, now=self._clock.now())
        counts = {name: dict.fromkeys(Verdict, 0) for name in policy.commitments}
        for promise, verdict in judged:
            counts[promise.commitment][verdict] += 1
        message, case = _T["message"], _T["case"]

        def many(*conditions: Any) -> int:
            return int(session.execute(select(func.count()).select_from(message).where(*conditions)).scalar_one())

        self._faults.counts.update(tally(session, policy))
        return Outcome(
            plan=self._plan, policy=policy.id, messages_in=many(message.c.direction == "in"),
            messages_out=many(message.c.direction == "out"),
            cases=int(session.execute(select(func.count()).select_from(case)).scalar_one()),
            commitments={name: count for name, count in counts.items() if any(count.values())},
            faults=dict(sorted(self._faults.counts.items())),
            silent=tuple(promise for promise, verdict in judged if verdict is Verdict.MISSED_IN_SILENCE),
            left_behind=tuple(left_behind(session, now=self._clock.now())), digest=_digest(session),
            chain_holds=not seals.check(session),
        )  # fmt: skip


def _seed(seed: int, what: str, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {what} {number}".encode()).digest()[:8], "big")


def _digest(session: Session) -> str:
    found = hashlib.sha256()
    for table, columns in (
        ("message", ("id", "text", "state", "sent_at")),
        ("clock", ("id", "state", "due_at", "met_at")),
    ):
        each = _T[table]
        for row in session.execute(select(*(each.c[name] for name in columns)).order_by(each.c.id)):
            found.update(repr(tuple(row)).encode())
    return found.hexdigest()
