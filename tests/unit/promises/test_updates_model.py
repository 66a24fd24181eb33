"""A model of what every tenant is owed, beside a program that is killed, switched off, and cut off from its networks.

The model knows cases and time and nothing of sweeps: each open case is spoken of once in every period of its updates, by one
message or by one call; no row is doubled; nothing is said after the end.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlmodel import Session

from bot.channels import Blocked, TemporaryFailure
from bot.desk import case as cases
from bot.desk import milestone, update
from bot.desk import task as tasks
from bot.desk.conversation import NotAllowed
from bot.desk.update import Content
from bot.messages import ChannelName
from bot.sla import load_policy
from bot.store import open_store, schema
from bot.store.tables import Case, Clock, Message, Task
from tests.unit.promises.house import House
from tests.unit.promises.mortal import Fuse, doomed, live_and_die, sent_twice

POLICY = load_policy("berwickshire")
CALLS = ("ring_about_promise", "write_about_promise")
T = TypeVar("T")


@cache
def empty_database() -> Path:
    path = Path(tempfile.mkdtemp(prefix="doorstep-model-")) / "empty.db"
    store = open_store(f"sqlite:///{path}")
    schema.migrate(store)
    store.close_now()
    return path


class Updates(RuleBasedStateMachine):
    """One association, any number of tenants."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="doorstep-model-")
        database = Path(self.folder.name) / "doorstep.db"
        shutil.copy(empty_database(), database)
        self.loop = asyncio.Runner()
        self.store = open_store(f"sqlite:///{database}")
        self.house = House(self.store, POLICY)
        self.tenants = 0

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    # --- tenants and time

    @initialize()
    def somebody_reports(self) -> None:
        self.report(on_a_page=False)

    @rule(on_a_page=st.booleans())
    def report(self, on_a_page: bool) -> None:
        self.tenants += 1
        channel, address = ("web", f"session-{self.tenants}") if on_a_page else ("sms", f"+4477009005{self.tenants:02}")
        case = self.do(self.house.open(channel=channel, address=address))
        self.do(self.house.prefer(case, phone="+447700900999"))

    @rule(length=st.sampled_from([2, 24, 24 * 7]))
    def time_passes(self, length: int) -> None:
        self.do(self.house.until_instant(self.house.now + timedelta(hours=length)))

    @rule(length=st.sampled_from([2, 24, 24 * 7]))
    def the_machine_is_off(self, length: int) -> None:
        self.do(self.house.sleep_until(self.house.now + timedelta(hours=length)))

    @rule(places=st.integers(1, 12))
    def the_program_is_killed_when_next_something_is_due(self, places: int) -> None:
        house = self.house
        due = [each.act_at for each in self.do(house.rows(Clock)) if each.act_at is not None]
        house.clock.move_to(max(min(due, default=house.now), house.now))
        fuse = Fuse(places)
        self.do(live_and_die(doomed(house, POLICY, fuse, seed=100 + places), fuse))
        self.do(house.outbox.recover())
        house.clock.advance(timedelta(minutes=2))
        self.do(house.beat())

    @rule(fails=st.sampled_from([None, None, Blocked, TemporaryFailure]))
    def the_network(self, fails: Any) -> None:
        self.house.lines[ChannelName.SMS].fails = fails

    @rule()
    def three_programs_sweep_at_once(self) -> None:
        async def sweep() -> None:
            await asyncio.gather(*(self.house.sweeper().sweep() for _ in range(3)))

        self.do(sweep())

    # --- staff

    @rule(what=st.sampled_from(["give", "attend", "close"]))
    def staff_see_to_the_oldest_case(self, what: str) -> None:
        house = self.house
        opened = [each.id for each in self.do(house.rows(Case)) if each.state == "open"]
        if not opened:
            return
        running = {
            each.case_id: each.id
            for each in self.do(house.rows(Clock))
            if each.commitment == "progress_update" and each.state == "running"
        }

        def work(session: Session) -> None:
            case = session.get_one(Case, opened[0])
            if what == "give":
                said = Content("We ordered it.")
                update.give(session, house.office, running[case.id], said, house.staff, now=house.now)
            elif what == "attend":
                milestone.reached(session, house.office, case, "attended", house.staff, now=house.now)
            else:
                cases.close(session, house.office, case, "It is done.", house.staff, now=house.now)

        async def act() -> None:
            try:
                await house.run(work)
            except NotAllowed:
                return
            await house.deliver()

        self.do(act())

    @rule()
    def staff_make_their_calls(self) -> None:
        house = self.house
        for call in self.do(house.tasks(*CALLS)):
            self.do(house.run(lambda s, call=call: tasks.done(s, house.office, call.id, house.staff, now=house.now)))  # type: ignore[misc]

    # --- what is owed

    @invariant()
    def no_row_is_doubled(self) -> None:
        clocks, messages = self.do(self.house.rows(Clock)), self.do(self.house.rows(Message))
        running = Counter((each.case_id, each.commitment) for each in clocks if each.state == "running")
        assert all(count == 1 for count in running.values())
        carried = Counter(
            clock for each in messages if each.state != "failed" for clock in each.detail.get("meets", ())
        )  # what has failed was carried on by another
        assert all(count == 1 for count in carried.values()), "an update was written twice"
        assert not sent_twice(self.house), "a provider was handed a message twice"

    @invariant()
    def nothing_is_said_after_the_end(self) -> None:
        closed = {each.id: each.closed_at for each in self.do(self.house.rows(Case)) if each.state == "closed"}
        for clock in self.do(self.house.rows(Clock)):
            assert clock.case_id not in closed or clock.state not in {"running", "paused"}, "a clock outlived its case"
        for message in self.do(self.house.rows(Message)):
            if message.case_id in closed and message.direction == "out":
                assert message.created_at <= closed[message.case_id] or message.detail.get("outcome")

    def teardown(self) -> None:
        if self.tenants:
            self.do(self.house.until_instant(self.house.now + timedelta(days=9)))
            self.no_row_is_doubled()
            self.nothing_is_said_after_the_end()
            self.no_update_is_lost()
        self.do(self.store.close())
        self.loop.close()
        self.folder.cleanup()

    def no_update_is_lost(self) -> None:
        house = self.house
        clocks = self.do(house.rows(Clock))
        said = {clock for each in self.do(house.rows(Message)) for clock in each.detail.get("meets", ())}
        asked = {
            clock
            for each in self.do(house.rows(Task))
            for key in ("clocks", "meets")
            for clock in (each.about or {}).get(key, ())
        }
        for case in self.do(house.rows(Case)):
            updates = [each for each in clocks if (each.case_id, each.commitment) == (case.id, "progress_update")]
            if case.state == "open":
                assert any(each.state == "running" for each in updates), "an open case waits for nothing"
            for each in updates:
                if each.due_at < house.now and not (case.closed_at and case.closed_at <= each.due_at):
                    assert each.id in said | asked or each.met_message_id, "a period passed without a word"
        for clock in clocks:
            if clock.missed_at is not None and clock.ended_at is None:
                assert clock.told_at is not None or clock.id in asked, f"{clock.commitment} was missed in silence"


TestUpdates = Updates.TestCase
TestUpdates.settings = settings(
    max_examples=12, stateful_step_count=10, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
