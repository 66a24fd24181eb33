"""How far promises were kept: pure judgement and counting over plain rows. No part of it sends or schedules anything.

A clock is judged on the day that it was due. Kept: met by then. Missed and told: not met by then, but in the last fifth of
its period (two working days at most) before the deadline the tenant was told something about that very promise, accepted
by a provider or said by a person. Missed in silence: neither. The first acknowledgement of a case never counts as telling.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from statistics import fmean, median
from typing import Final, TypeVar

from bot.sla.calendar import Calendar, at_local, local
from bot.sla.commitment import Commitment

Key = TypeVar("Key", bound=Hashable)
Row = TypeVar("Row")
_ELAPSED: Final = frozenset({"hours", "minutes"})
_WARNED_AT_MOST: Final = 2
NO_NEED: Final = "none"
_CHOSEN: Final = "kept_on_chosen_day"


class Verdict(StrEnum):
    """How a promise ended."""

    KEPT = "kept"
    MISSED_AND_TOLD = "missed_and_told"
    MISSED_IN_SILENCE = "missed_in_silence"
    OPEN = "open"
    """Not due yet, stopped for a reason that the policy allows, given a later date, or ended before it was due."""


@dataclass(frozen=True, slots=True)
class Promise:
    """A clock as it is judged."""

    commitment: str
    case: str
    """The case's reference."""
    channel: str
    kind: str
    need: str
    """The communication need of whoever it was promised to, or `NO_NEED`."""
    started: datetime
    deemed: datetime
    due: datetime
    state: str
    met: datetime | None = None
    ended: datetime | None = None
    """When it ended, or was given a later date."""
    paused: datetime | None = None
    """Since when it has been stopped."""
    told: tuple[datetime, ...] = ()
    """When the tenant was told something about it."""
    chosen: bool = False
    """It runs to a later day that the tenant chose, in place of one that was offered in time."""


@dataclass(frozen=True, slots=True)
class Handled:
    """A case as the report and the regulator's return see it."""

    case: str
    kind: str
    category: str
    priority: str
    channel: str
    need: str
    received: datetime
    deemed: datetime
    completed: datetime | None = None
    closed: datetime | None = None
    closed_as: str | None = None
    cause: str | None = None
    """Of damp and mould: `condensation` or `structural`, once somebody has found out."""
    automatic: datetime | None = None
    """When the first automatic message about the case reached the tenant."""
    human: datetime | None = None
    """When the first message or call by a person did."""


def judge(promise: Promise, rule: Commitment, calendar: Calendar, now: datetime) -> Verdict:
    """How a promise stands at `now`. `rule` is the commitment as it was when it was promised."""
    if promise.met is not None and promise.met <= promise.due:
        return Verdict.KEPT
    set_aside = {
        "ended": promise.ended, "extended": promise.ended, "deferred": promise.ended, "paused": promise.paused,
    }.get(promise.state)  # fmt: skip
    if promise.due > now or (set_aside is not None and set_aside <= promise.due):
        return Verdict.OPEN  # what is set aside once the time is over has been missed all the same
    since = telling_counts_from(promise.deemed, promise.due, rule, calendar)
    told = any(since <= each < promise.due for each in promise.told)
    return Verdict.MISSED_AND_TOLD if told else Verdict.MISSED_IN_SILENCE


def telling_counts_from(deemed: datetime, due: datetime, rule: Commitment, calendar: Calendar) -> datetime:
    """The beginning of the last fifth of a period, or two working days before its end if that is later."""
    fifth = due - (due - deemed) / 5
    if rule.mode in _ELAPSED:
        return fifth
    here = local(due)
    try:
        day = calendar.add_working_days(here.date(), -_WARNED_AT_MOST)
    except ValueError:  # the calendar does not reach back so far
        return fifth
    return max(fifth, at_local(day, here.time()))


@dataclass(frozen=True, slots=True)
class Result:
    """One published target, and what was kept of it."""

    commitment: str
    kept: tuple[str, ...] = ()
    """The references of the cases, one for each time."""
    told: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    """Kept on a later day that the tenant chose: counted here alone, neither for the share nor against it. One that was
    missed on the chosen day is missed like any other."""

    @property
    def due(self) -> int:
        return len(self.kept) + self.missed

    @property
    def missed(self) -> int:
        return len(self.told) + len(self.silent)

    @property
    def share(self) -> float | None:
        """The part that was kept, from 0 to 1; None if nothing was due."""
        return len(self.kept) / self.due if self.due else None


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took."""

    cases: tuple[str, ...] = ()
    mean: float | None = None
    median: float | None = None


@dataclass(frozen=True, slots=True)
class Performance:
    """What was promised and kept between two days, both included."""

    first: date
    last: date
    results: tuple[Result, ...]
    """By commitment, in the policy's order."""
    by: Mapping[str, Mapping[str, tuple[Result, ...]]]
    """The same by `month`, `channel`, `kind` and `need`: for each value of these its results."""
    automatic: Times = field(default_factory=Times)
    """Hours from receipt to the first automatic message about the case."""
    human: Times = field(default_factory=Times)
    """Hours from receipt to the first answer by a person."""
    human_by_need: Mapping[str, Times] = field(default_factory=dict)
    received: int = 0
    out_of_hours: int = 0
    """Of these, how many came while the office was closed."""


DIMENSIONS: Final[Mapping[str, Callable[[Promise], str]]] = {
    "month": lambda promise: f"{local(promise.due):%Y-%m}",
    "channel": lambda promise: promise.channel,
    "kind": lambda promise: promise.kind,
    "need": lambda promise: promise.need,
}


def measure(
    judged: Sequence[tuple[Promise, Verdict]],
    cases: Sequence[Handled],
    *,
    order: Sequence[str],
    first: date,
    last: date,
) -> Performance:
    """Count what was due, and which cases were received, from `first` to `last` (local days, both included)."""
    due = [(promise, verdict) for promise, verdict in judged if first <= local(promise.due).date() <= last]
    received = [each for each in cases if first <= local(each.received).date() <= last]
    return Performance(
        first, last,
        results=_results(due, order),
        by={name: _split(due, of, order) for name, of in DIMENSIONS.items()},
        automatic=_times((each.case, _hours(each.received, each.automatic)) for each in received),
        human=_times((each.case, _hours(each.received, each.human)) for each in received),
        human_by_need={
            need: _times((each.case, _hours(each.received, each.human)) for each in part)
            for need, part in _groups(received, lambda each: each.need).items()
        },
        received=len(received),
        out_of_hours=sum(each.deemed > each.received for each in received),
    )  # fmt: skip


def _split(
    judged: Sequence[tuple[Promise, Verdict]], of: Callable[[Promise], str], order: Sequence[str]
) -> dict[str, tuple[Result, ...]]:
    return {value: _results(part, order) for value, part in _groups(judged, lambda each: of(each[0])).items()}


def _results(judged: Iterable[tuple[Promise, Verdict]], order: Sequence[str]) -> tuple[Result, ...]:
    found: dict[str, dict[str, list[str]]] = {}
    for promise, verdict in judged:
        if verdict is not Verdict.OPEN:
            kept_later = promise.chosen and verdict is Verdict.KEPT
            found.setdefault(promise.commitment, {}).setdefault(_CHOSEN if kept_later else verdict, []).append(
                promise.case
            )
    known = [*(name for name in order if name in found), *sorted(found.keys() - set(order))]
    return tuple(
        Result(name, *(tuple(sorted(found[name].get(each, ()))) for each in (*list(Verdict)[:3], _CHOSEN)))
        for name in known
    )


def _groups(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return dict(sorted(found.items(), key=lambda item: str(item[0])))


def _hours(since: datetime, until: datetime | None) -> float | None:
    return (until - since) / timedelta(hours=1) if until is not None else None


def _times(taken: Iterable[tuple[str, float | None]]) -> Times:
    known = [(case, value) for case, value in taken if value is not None]
    if not known:
        return Times()
    values = [value for _, value in known]
    return Times(tuple(case for case, _ in known), fmean(values), median(values))


# --- the regulator's annual return


@dataclass(frozen=True, slots=True)
class Indicator:
    """One figure of the Annual Return on the Charter."""

    number: str
    title: str
    value: float | None
    unit: str
    cases: tuple[str, ...] = ()
    """Those counted, or counted in the denominator of a share."""
    note: str = ""


_REPAIR_TARGETS: Final = frozenset({"emergency_repair", "urgent_repair", "routine_repair"})
_BY_STAGE: Final = (("1", "complaint_decision"), ("2", "complaint_full_response"))
ANNUAL: Final = _REPAIR_TARGETS | {commitment for _, commitment in _BY_STAGE}
"""The commitments that the return is worked out from."""


def charter_year(ending: int) -> tuple[date, date]:
    """The reporting year that ends on 31 March of a year."""
    return date(ending - 1, 4, 1), date(ending, 3, 31)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tenant answered when asked how a repair went: 1, very unhappy, to 5, very happy."""

    case: str
    score: int
    at: datetime


HAPPY: Final = 4
"""From here up an answer counts as satisfied: fairly or very."""


def annual_return(
    promises: Sequence[Promise], cases: Sequence[Handled], calendar: Calendar, first: date, last: date,
    answers: Sequence[Answer] = (),
) -> tuple[Indicator, ...]:  # fmt: skip
    """The figures of the Annual Return on the Charter that come from cases, for what was completed from `first` to `last`.

    Emergency repairs are measured in hours, others in working days, from report to completion. A complaint that went to
    stage 2 is counted once at each stage. What Doorstep does not know is named with None and a note, never guessed.
    """
    repairs = [each for each in cases if each.kind == "repair" and each.closed_as in {None, "done"}]
    completed = [each for each in repairs if _within(each.completed, first, last)]
    emergency = [each for each in completed if each.priority == "emergency"]
    others = [each for each in completed if each.priority != "emergency"]
    days = [_working_days(calendar, each.received, each.completed) for each in others]
    return (
        Indicator("1, 2, 5", "Satisfaction", None, "percent",
            note="from the association's own survey, every three years at least; Doorstep asks about repairs only"),
        _satisfaction(answers, first, last),
        *_complaints(promises, calendar, first, last),
        Indicator(
            "8", "Emergency repairs: average time to complete", _mean(_hours(e.received, e.completed) for e in emergency),
            "hours", _names(emergency), "from report to completion, by the clock; work that follows is a new repair",
        ),
        Indicator(
            "9", "Non-emergency repairs: average time to complete", _mean(days), "working days", _names(others),
            "from the day after the report up to the day of completion",
        ),
        _in_target(promises, completed),
        Indicator("11", "Gas safety: times the 12 months were missed", None, "times",
            note="the register of checks is not kept in Doorstep yet"),
        *_damp(repairs, calendar, first, last),
    )  # fmt: skip


def _satisfaction(answers: Sequence[Answer], first: date, last: date) -> Indicator:
    given = [each for each in answers if _within(each.at, first, last)]
    share = 100 * sum(each.score >= HAPPY for each in given) / len(given) if given else None
    return Indicator(
        "12", "Satisfied with the repairs service", share, "percent", tuple(sorted(each.case for each in given)),
        "happy or very happy, of those who answered when they were asked after a repair",
    )  # fmt: skip


def _complaints(promises: Sequence[Promise], calendar: Calendar, first: date, last: date) -> list[Indicator]:
    found = []
    for stage, commitment in _BY_STAGE:
        # A clock and the one that extends it are one complaint.
        by_case = _groups((each for each in promises if each.commitment == commitment), lambda each: each.case)
        begun = {case: min(parts, key=lambda each: each.deemed) for case, parts in by_case.items()}
        answered = {case: min((p.met for p in parts if p.met), default=None) for case, parts in by_case.items()}
        counted = [
            case
            for case, start in begun.items()
            if local(start.deemed).date() <= last and _still_open(answered[case] or start.ended, first)
        ]
        full = [case for case in counted if _within(answered[case], first, last)]
        took = [
            _working_days(calendar, begun[case].deemed, answered[case]) + 1 for case in full
        ]  # the day of receipt is day 1
        share = 100 * len(full) / len(counted) if counted else None
        found += [
            Indicator("3", f"Complaints at stage {stage} responded to in full", share, "percent", tuple(sorted(counted)),
                      "of those received in the year or carried forward into it"),
            Indicator("4", f"Complaints at stage {stage}: average time to a full response", _mean(took), "working days",
                      tuple(sorted(full)), "the day of receipt counts as day 1"),
        ]  # fmt: skip
    return found


def _in_target(promises: Sequence[Promise], completed: Sequence[Handled]) -> Indicator:
    late = {
        each.case
        for each in promises
        if each.commitment in _REPAIR_TARGETS and each.state != "deferred" and (each.met is None or each.met > each.due)
    }
    share = 100 * sum(each.case not in late for each in completed) / len(completed) if completed else None
    return Indicator(
        "10", "Repairs completed within target (right first time also needs no return)", share, "percent",
        _names(completed), "returns to a repair are not linked yet, so this is at most the share of right first time",
    )  # fmt: skip


def _damp(repairs: Sequence[Handled], calendar: Calendar, first: date, last: date) -> list[Indicator]:
    damp = [each for each in repairs if each.category == "damp_mould" and local(each.received).date() <= last]
    resolved = [each for each in damp if _within(each.completed, first, last)]
    open_then = [each for each in damp if each.completed is None or local(each.completed).date() > last]
    open_then = [each for each in open_then if each.closed is None or local(each.closed).date() > last]
    took = [_working_days(calendar, each.received, each.completed) for each in resolved]
    split = ", ".join(
        f"{len(part)} {cause or 'of unknown cause'}" for cause, part in _groups(open_then, lambda e: e.cause).items()
    )
    return [
        Indicator("31", "Damp and mould: average time to resolve", _mean(took), "working days", _names(resolved)),
        Indicator(
            "32", "Damp and mould: cases reopened", None, "cases", note="cases that come back are not linked yet"
        ),
        Indicator(
            "33", "Damp and mould: cases open at the end", float(len(open_then)), "cases", _names(open_then), split
        ),
    ]


def _still_open(answered: datetime | None, first: date) -> bool:
    return answered is None or local(answered).date() >= first


def _within(instant: datetime | None, first: date, last: date) -> bool:
    return instant is not None and first <= local(instant).date() <= last


def _working_days(calendar: Calendar, since: datetime, until: datetime | None) -> int:
    assert until is not None
    return calendar.working_days_between(local(since).date(), local(until.astimezone(UTC)).date())


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _names(cases: Iterable[Handled]) -> tuple[str, ...]:
    return tuple(sorted(each.case for each in cases))
