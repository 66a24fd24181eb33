"""Staff: they work in opening hours, take hours and days, do most things in time, and forget some. On call they take
emergencies at any hour. They act through the desk, as the console and the pages for people on call do.

A call or a letter that stands for a message is done before it is due wherever there is time for it (in opening hours; at any
hour if it is urgent), but one in twelve is forgotten until it becomes urgent. Where the product asks too late, it is done late
and counts so. Emergencies are taken in the console in opening hours, and else by whoever is on call (`oncall`).
"""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from sqlmodel import Session, select

from bot.bootstrap import Doorstep
from bot.desk import case as cases
from bot.desk import clock, milestone, preference, reach, update
from bot.desk import clock as clocks
from bot.desk import conversation as desk
from bot.desk import handover as handovers
from bot.desk import office as desk_office
from bot.desk import staff as accounts
from bot.desk import task as tasks
from bot.desk.conversation import NotAllowed
from bot.simulation.chance import Chance
from bot.simulation.providers import Faults
from bot.store import conversations
from bot.store.tables import Case, Clock, ClockState, Contact, HandoverState, Owner, Staff, Task

FORGETS: Final = 0.06
FORGETS_CALLS: Final = 0.08
GIVES_UPDATES: Final = 0.65
_RESOLVE: Final = frozenset({
    "attended", "completed", "full_reply", "full_reply_or_delay_notice", "call_made", "visited", "supplied", "processed",
    "stage1_decision", "stage2_response", "full_response", "seen", "first_response", "investigation_completed", "offered",
    "decision", "reply",
})  # fmt: skip
_DONE_BY: Final = {"home_visit": "visited", "callback": "call_made", "office_arrival": "seen", "format": "supplied"}
_CALLS: Final = frozenset({*reach.TASKS.values(), reach.AT_RISK})
_ALARMS: Final = frozenset({"emergency", "safeguarding", clock.ALARM, f"{clock.ALARM}_manager"})
_BY_PLAN: Final = frozenset({
    "repair", "complaint", "enquiry", "callback", "home_visit", "format", "subject_access", "freedom_of_information",
    "housing_application", "gas_safety", "appointment", "antisocial_behaviour", "praise", "office_arrival", "representative",
    "details_change", "data_protection_complaint",
})  # fmt: skip
"""Tasks that are done when the case is closed."""
_NAMES: Final = (
    ("Ama Boateng", "Housing officer", "Housing", "officer"),
    ("Ross Taylor", "Repairs officer", "Repairs", "officer"),
    ("Lena Fischer", "Customer adviser", "Customer service", "officer"),
    ("Iain Kerr", "Complaints officer", "Complaints", "officer"),
    ("Moira Grant", "Section manager", "Repairs", "manager"),
    ("David Obi", "Section manager", "Housing", "manager"),
)

_WISHES: Final[tuple[dict[str, Any], ...]] = (
    {"preferred_channel": "phone"},
    {"preferred_channel": "letter"},
    {"preferred_format": "large_print"},
    {"safe_from": "10:00", "safe_until": "16:00"},
    {"quiet_from": "18:00", "quiet_until": "11:00"},
)

T = TypeVar("T")
Later = Callable[[datetime, Callable[[], object]], None]


class Office:
    """Everybody who works there. `notice` is called whenever something may have changed."""

    def __init__(
        self, doorstep: Callable[[], Doorstep], glance: sqlite3.Connection, chance: Chance, faults: Faults, later: Later
    ) -> None:
        self._doorstep = doorstep
        self._glance = glance
        self._chance = chance
        self._faults = faults
        self._later = later
        self._seen = {"case": 0, "task": 0}
        self._calls: set[str] = set()
        self._staff: list[Staff] = []
        self._managers: list[Staff] = []

    # --- who they are, and what they look at

    def hire(self) -> None:
        """Make their accounts."""
        self._run(self._hire)

    def _hire(self, session: Session) -> None:
        for number, (name, job, team, role) in enumerate(_NAMES):
            member = accounts.add(
                session, self._office, email=f"staff{number}@example.org", name=name, job_title=job, team=team, role=role,
                now=self._now(), actor="simulation",
            )  # fmt: skip
            (self._managers if role == "manager" else self._staff).append(member)

    def notice(self) -> None:
        """Something may be new on the console: plan when to get to it. How long that takes is the plan's."""
        for case in self._new_cases():
            self._plan(case)
        for task in self._new_tasks():
            self._take_on(task)
        for task in self._reminded():
            self._at(self._now() + self._chance.minutes(6, 0.3), partial(self._done, task))

    def _new(self, table: str) -> list[str]:
        """The ids of the rows that are new, in the order in which they were written."""
        rows = self._glance.execute(f'SELECT rowid, id FROM "{table}" WHERE rowid > ?', (self._seen[table],)).fetchall()
        if rows:
            self._seen[table] = max(place for place, _ in rows)
        return [row_id for _, row_id in sorted(rows)]

    def _new_cases(self) -> list[Case]:
        return [self._run(lambda session, new=new: session.get_one(Case, new)) for new in self._new("case")]  # type: ignore[misc]

    def _new_tasks(self) -> list[Task]:
        found = [self._run(lambda session, new=new: session.get_one(Task, new)) for new in self._new("task")]  # type: ignore[misc]
        return [each for each in found if each.done_at is None]

    def _reminded(self) -> list[Task]:
        """The calls that were put off or forgotten and have become urgent."""
        if not self._calls:
            return []
        marks = ",".join("?" * len(self._calls))
        rows = self._glance.execute(
            f"SELECT id FROM task WHERE id IN ({marks}) AND (urgent OR done_at IS NOT NULL)", sorted(self._calls)
        ).fetchall()
        self._calls.difference_update(row[0] for row in rows)
        found = [self._run(lambda session, row=row: session.get_one(Task, row[0])) for row in rows]  # type: ignore[misc]
        return [each for each in found if each.done_at is None]

    # --- cases

    def _plan(self, case: Case) -> None:
        """Decide when somebody will get to it: mostly in time, sometimes late, sometimes it is forgotten for long."""
        own = self._run(lambda session: clocks.of_case(session, case.id))
        goals = [each for each in own if each.met_by in _RESOLVE and each.state == ClockState.RUNNING]
        first = min(goals, key=lambda each: each.due_at, default=None)
        deemed, due = (first.deemed_at, first.due_at) if first else (case.deemed_at, case.deemed_at + timedelta(days=7))
        share = self._chance.about(0.45, 0.5)
        if self._chance.happens(FORGETS):
            self._faults.note("cases_forgotten")
            share = self._chance.uniform(1.05, 2.5)
        at = deemed + (due - deemed) * share
        always = case.priority == "emergency" or (first is not None and first.met_by == "seen")
        self._at(at if always else self._in_hours(at), lambda: self._deal_with(case.id))
        if case.kind == "complaint" and share > 1 and self._chance.happens(0.4):
            self._at(self._in_hours(deemed + (due - deemed) * 0.7), lambda: self._extend(case.id))
        if case.category == "subject_access" and self._chance.happens(0.3):
            at = self._in_hours(deemed + timedelta(days=2))
            self._at(at, lambda: self._stop(case.id, "identity", "We asked for proof of who you are."))
        if case.kind == "repair" and case.priority != "emergency" and self._chance.happens(0.05):
            at = self._in_hours(deemed + (due - deemed) * self._chance.uniform(0.2, 0.9))
            self._at(at, lambda: self._stop(case.id, "no_access", "Nobody let us in."))
        if self._chance.happens(0.04):
            self._at(self._in_hours(self._now() + self._chance.minutes(90)), lambda: self._note_wishes(case.contact_id))

    def _deal_with(self, case_id: str) -> None:
        case = self._case(case_id)
        if case is None:
            return
        if case.kind == "repair":
            self._repair(case)
            return
        if case.kind == "enquiry" and self._chance.happens(0.2):
            self._reply(case)
        outcome = _DONE_BY.get(case.category)
        if outcome is not None:
            self._reach(case.id, outcome)
        self._close(case.id)
        if case.kind == "complaint" and case.stage == 1 and self._chance.happens(0.15):
            self._at(
                self._in_hours(self._now() + timedelta(days=self._chance.about(7))), lambda: self._second_stage(case.id)
            )

    def _repair(self, case: Case) -> None:
        steps: tuple[tuple[str, float], ...]
        if case.category == "damp_mould":
            steps = (
                ("investigation_completed", 0.0),
                ("written_summary_sent", 1.5),
                ("work_commenced", 3.0),
                ("completed", 8.0),
            )
            self._reach(case.id, "attended")
        elif case.priority == "emergency":
            self._reach(case.id, "attended")
            steps = (("made_safe", 0.03), ("completed", 0.4))
        else:
            self._reach(case.id, "attended")
            steps = (("completed", 0.05 if self._chance.happens(0.75) else 3.0),)
        last = self._now()
        for outcome, days in steps:
            last = max(last, self._in_hours(self._now() + timedelta(days=self._chance.about(days)))) if days else last
            self._at(last, lambda what=outcome: self._reach(case.id, what))  # type: ignore[misc]
        self._at(self._in_hours(last + self._chance.minutes(120)), lambda: self._close(case.id))

    def _second_stage(self, case_id: str) -> None:
        case = self._run(lambda session: session.get_one(Case, case_id))
        if case.stage != 1:
            return
        manager = self._chance.pick(self._managers)
        self._try(
            lambda session, now: milestone.stage2(
                session, self._office, session.get_one(Case, case_id), manager, now=now
            )
        )
        self._at(self._in_hours(self._now() + timedelta(days=1)), lambda: self._name(case_id))
        share = self._chance.uniform(1.1, 1.5) if self._chance.happens(FORGETS) else self._chance.uniform(0.3, 0.9)
        self._at(self._in_hours(self._now() + timedelta(days=28 * share)), lambda: self._close(case_id))

    def _reach(self, case_id: str, outcome: str) -> None:
        officer = self._chance.pick(self._staff)

        def work(session: Session, now: datetime) -> None:
            case = session.get_one(Case, case_id)
            if case.state == "open":
                milestone.reached(session, self._office, case, outcome, officer, now=now)

        self._try(work)

    def _close(self, case_id: str) -> None:
        officer = self._chance.pick(self._staff)
        self._try(
            lambda session, now: cases.close(
                session,
                self._office,
                session.get_one(Case, case_id),
                "This is done. Tell us if it is not right.",
                officer,
                now=now,
            )
        )

    def _name(self, case_id: str) -> None:
        officer = self._chance.pick(self._staff)
        self._try(
            lambda session, now: milestone.name_handler(
                session, self._office, session.get_one(Case, case_id), officer.name, officer, now=now
            )
        )

    def _extend(self, case_id: str) -> None:
        manager = self._chance.pick(self._managers)

        def work(session: Session, now: datetime) -> None:
            running = select(Clock).where(
                Clock.case_id == case_id,
                Clock.commitment == "complaint_decision",
                Clock.state == ClockState.RUNNING.value,
            )
            clock = session.exec(running).first()
            if clock is not None:
                update.extend(session, self._office, clock.id, "We are waiting for a report.", manager, now=now)

        self._try(work)

    def _stop(self, case_id: str, why: str, reason: str) -> None:
        """Stop the clocks that this may stop, for some days."""
        officer = self._chance.pick(self._staff)

        def pause(session: Session, now: datetime) -> None:
            for each in clocks.of_case(session, case_id):
                if each.state == ClockState.RUNNING and why in self._office.policy.commitments[each.commitment].pauses:
                    clocks.pause(session, self._office, each, why, reason, officer, now=now)

        def resume(session: Session, now: datetime) -> None:
            for each in clocks.of_case(session, case_id):
                if each.state == ClockState.PAUSED:
                    clocks.resume(session, self._office, each, officer, now=now)

        self._try(pause)
        self._at(self._now() + timedelta(days=self._chance.about(4)), lambda: self._try(resume))

    def _note_wishes(self, contact_id: str) -> None:
        """Somebody asks to be rung, to have letters or large print, or to be written to in some hours only."""
        officer = self._chance.pick(self._staff)
        wish = self._chance.pick(_WISHES)

        def work(session: Session, now: datetime) -> None:
            contact = session.get_one(Contact, contact_id)
            wishes = replace(preference.wishes_of(contact), **wish)
            preference.prefer(session, self._office, contact, wishes, actor=officer.id, now=now)

        self._try(work)
        self._faults.note("other_wishes")

    def _reply(self, case: Case) -> None:
        """Take the conversation over, answer in one's own words, and hand it back."""
        officer = self._chance.pick(self._staff)

        def work(session: Session, now: datetime) -> None:
            talk = conversations.load(session, case.conversation_id, lock=False)
            if talk is None or talk.owner != Owner.BOT or talk.last_case_id != case.id:
                return
            desk.take_over(session, self._office, talk.id, officer, now=now)
            desk.reply(
                session, self._office, talk.id, officer, "I looked into it for you. Here is the answer.", now=now
            )
            desk.hand_back(session, self._office, talk.id, officer, now=now)

        self._try(work)

    # --- tasks

    def _take_on(self, task: Task) -> None:
        if task.kind in _ALARMS:
            # While the office is closed nobody sees it: whoever is on call is rung.
            wait = self._chance.minutes(4) if not self._chance.happens(0.08) else self._chance.minutes(25)
            self._at(self._in_hours(self._now() + wait), lambda: self._take_emergency(task))
        elif task.kind in _CALLS:
            if not task.urgent:
                self._calls.add(task.id)
            if not task.urgent and self._chance.happens(FORGETS_CALLS):
                self._faults.note("calls_forgotten")
            else:
                self._at(self._when_rung(task), lambda: self._done(task))
        elif task.kind == clock.ASKED:
            if self._chance.happens(GIVES_UPDATES):
                self._at(self._in_hours(self._now() + self._chance.minutes(240)), lambda: self._give(task, None))
        elif task.kind == clock.AT_RISK:
            if self._chance.happens(0.4):
                self._at(
                    self._in_hours(self._now() + self._chance.minutes(60)),
                    lambda: self._give(task, "The part has not come yet."),
                )
        elif task.kind == "name_complaint_handler":
            if not self._chance.happens(FORGETS):
                self._at(
                    self._in_hours(self._now() + self._chance.minutes(120)), lambda: self._name(task.case_id or "")
                )
        elif task.kind not in _BY_PLAN:
            wait = self._chance.minutes(10 if task.urgent else 180)
            at = self._now() + wait
            self._at(at if task.urgent else self._in_hours(at), lambda: self._done(task))

    def _when_rung(self, task: Task) -> datetime:
        """Soon; where that would be too late, as soon as it can be done before it is due."""
        now = self._now()
        if (begins := (task.about or {}).get("from")) is not None:
            first = datetime.fromisoformat(begins)
            return first + (task.due_at - first) * self._chance.uniform(0.1, 0.8)
        if task.urgent:
            return now + self._chance.minutes(6, 0.3)
        soon = self._in_hours(now + self._chance.minutes(45))
        latest = task.due_at - timedelta(minutes=5)
        open_before = self._office.policy.calendar.is_open(latest) and latest > now + timedelta(minutes=5)
        return soon if soon < task.due_at or not open_before else latest

    def _take_emergency(self, task: Task) -> None:
        officer = self._chance.pick(self._staff)

        def work(session: Session, now: datetime) -> None:
            handover = handovers.of_case(session, task.case_id) if task.case_id else None
            if handover is None or handover.state != HandoverState.WAITING:
                tasks.done(session, self._office, task.id, officer, now=now)
                return
            handovers.take(session, self._office, handover.id, by=officer.name, how="console", now=now, staff=officer)
            tasks.done(session, self._office, task.id, officer, now=now)

        self._try(work)

    def _done(self, task: Task) -> None:
        officer = self._chance.pick(self._staff)
        self._try(lambda session, now: tasks.done(session, self._office, task.id, officer, now=now))

    def _give(self, task: Task, reason: str | None) -> None:
        officer = self._chance.pick(self._staff)
        expected = self._office.local(self._now() + timedelta(days=8)).date() if self._chance.happens(0.7) else None
        content = update.Content("We are working on it.", reason, "Somebody will be in touch.", expected)

        def work(session: Session, now: datetime) -> None:
            clock = session.get(Clock, task.clock_id)
            if clock is not None:
                update.give(session, self._office, clock.id, content, officer, now=now)

        self._try(work)

    # --- how they act

    @property
    def _office(self) -> desk_office.Office:
        return self._doorstep().office

    def _now(self) -> datetime:
        return self._doorstep().wall_clock.now()

    def _run(self, work: Callable[[Session], T]) -> T:
        return self._doorstep().store.run_now(work)

    def _try(self, work: Callable[[Session, datetime], object]) -> None:
        """Do something at the desk, unless it does not allow it (any more)."""
        now = self._now()
        try:
            self._run(lambda session: work(session, now))
        except NotAllowed:
            return

    def _case(self, case_id: str) -> Case | None:
        case: Case = self._run(lambda session: session.get_one(Case, case_id))
        return case if case.state == "open" else None

    def _at(self, at: datetime, what: Callable[[], object]) -> None:
        self._later(max(at, self._now()), what)

    def _in_hours(self, at: datetime) -> datetime:
        """That time if the office is open then, else a while after it next opens."""
        calendar = self._office.policy.calendar
        if calendar.is_open(at):
            return at
        opens: datetime = calendar.next_opening(at)
        return opens + timedelta(minutes=self._chance.uniform(5, 120))
