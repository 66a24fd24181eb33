"""What a running clock calls for, and when to look at it next. Pure: plain values in, plain values out.

A clock passes these moments, each of which may be found late (a machine was off), but never acted on twice:

    ask        a repeating clock: staff are asked for what to say, two working days ahead
    owner      whoever has the case is warned
    manager    so is the manager; from here on (`Explanation.warn_from`) the tenant has to be told
    tell       the tenant is told: an update, or an apology for what will be late
    hurry      what was written has not got through: a person says it while there is time
    due        if it is not kept, it is missed
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from bot.sla.calendar import Calendar, at_local, local

ASK_AHEAD: Final = 2
"""Working days between asking staff what to say and saying it."""
TIME_FOR_ANOTHER_WAY: Final = timedelta(hours=4)
"""How long before the end the tenant is told, where the period allows it: a failed message still leaves time to ring."""
TIME_FOR_A_CALL: Final = timedelta(minutes=30)
"""The same for what is counted in hours: what nobody has read after ten minutes still leaves time to ring."""
TIME_TO_ARRIVE: Final = timedelta(minutes=10)
"""How long a message may take to get through before a person says it instead, where the period allows it."""

QuietHours = Sequence[tuple[time, time]]
"""Local times between which a tenant is not written to, from the first to the second of each pair, over midnight if need be."""
_BEFORE_QUIET: Final = timedelta(minutes=30)
_DAYS_AHEAD: Final = 8
"""Further than this no decent moment is looked for."""


class Act(StrEnum):
    """Something that a clock calls for now."""

    ASK = "ask"
    WARN_OWNER = "warn_owner"
    WARN_MANAGER = "warn_manager"
    TELL = "tell"
    HURRY = "hurry"
    MISS = "miss"


@dataclass(frozen=True, slots=True)
class Moments:
    """When a clock calls for what. None: it never does."""

    ask: datetime | None
    owner: datetime | None
    manager: datetime | None
    tell: datetime
    end: datetime
    """By when everything should be said: before the office closes for the last time before `due`."""
    due: datetime

    def hurry(self, said: datetime, *, with_a_person: bool) -> datetime:
        """When a person is asked to say what was written at `said` and has not got through; or, if one was asked at `said`,
        when it becomes urgent."""
        half = self.tell + max(self.end - self.tell, timedelta()) / 2
        left = (self.end if said < self.end else self.due) - said
        return max(half, said + (left / 2 if with_a_person else min(TIME_TO_ARRIVE, left / 2)))


@dataclass(frozen=True, slots=True)
class Standing:
    """What has been done about a clock so far."""

    answered: bool = False
    """What keeps it is on its way to the tenant."""
    missed: bool = False
    asked: bool = False
    owner_warned: bool = False
    manager_warned: bool = False
    told: bool = False
    on_its_way: datetime | None = None
    """When what the tenant is to know was written, if it has not got through yet and nobody has been asked to hurry."""
    with_a_person: bool = False
    """That is a call or a letter, and no message."""
    content: bool = False
    """Staff have given what is to be said."""


@dataclass(frozen=True, slots=True)
class Call:
    """What to do now, in this order, and when to look again (always later than now)."""

    acts: tuple[Act, ...]
    look_again: datetime | None


def moments(
    calendar: Calendar,
    quiet: QuietHours,
    *,
    deemed: datetime,
    due: datetime,
    planned: datetime,
    warn_from: datetime,
    elapsed: bool,
    repeats: bool,
) -> Moments:
    """The moments of one clock. `elapsed` clocks (hours and minutes) run day and night, and so do their messages."""
    if elapsed:
        return Moments(
            ask=None,
            owner=deemed + (due - deemed) / 2,
            manager=warn_from,
            tell=max(warn_from, min(warn_from + (due - warn_from) / 2, due - TIME_FOR_A_CALL)),
            end=due,
            due=due,
        )
    end = planned if planned > warn_from else due
    tell = _decent_within(quiet, warn_from, end - min((end - warn_from) / 2, TIME_FOR_ANOTHER_WAY), end)
    if repeats:
        return Moments(_opening_before(calendar, due, deemed), None, None, tell, end, due)
    return Moments(None, max(deemed, warn_from - (due - warn_from)), warn_from, tell, end, due)


def decide(at: Moments, standing: Standing, now: datetime, *, decent: datetime) -> Call:
    """What the clock calls for at `now`. `decent` is the first moment from now on at which a tenant may be written to:
    `now` itself by day, and at any hour for clocks that run day and night.

    What was slept through is not made up for one by one: past due, one message says it all.
    """
    acts: list[Act] = []
    later: list[datetime] = []

    def at_its_time(moment: datetime | None, act: Act, *, done: bool) -> None:
        if moment is None or done:
            return
        if moment <= now:
            acts.append(act)
        else:
            later.append(moment)

    if standing.on_its_way is not None and now < at.due:
        hurry = at.hurry(standing.on_its_way, with_a_person=standing.with_a_person)
        at_its_time(hurry, Act.HURRY, done=False)
    if standing.answered:
        at_its_time(at.due, Act.MISS, done=standing.missed)
        return Call(tuple(acts), min(later, default=None))
    if now < at.due:
        at_its_time(at.ask, Act.ASK, done=standing.asked or standing.content)
        at_its_time(at.owner, Act.WARN_OWNER, done=standing.owner_warned)
        at_its_time(at.manager, Act.WARN_MANAGER, done=standing.manager_warned)
    wanted = now if standing.content else at.tell
    if now >= wanted:
        # What comes due at night waits for the morning, unless it would be too late then.
        wanted = decent if decent < at.due or now >= at.due else max(now, at.tell)
    at_its_time(wanted, Act.TELL, done=standing.told)
    at_its_time(at.due, Act.MISS, done=standing.missed)
    return Call(tuple(acts), min(later, default=None))


def next_decent(quiet: QuietHours, instant: datetime) -> datetime:
    """`instant`, or the end of the quiet hours that it lies in. `instant` too where there is no other hour at all."""
    if not is_quiet(quiet, instant):
        return instant
    day = local(instant).date()
    ends = sorted(at_local(day + timedelta(days=days), end) for days in range(_DAYS_AHEAD) for _, end in quiet)
    return next((each for each in ends if each > instant and not is_quiet(quiet, each)), instant)


def _decent_within(quiet: QuietHours, first: datetime, wanted: datetime, last: datetime) -> datetime:
    """`wanted`, or the nearest decent moment between `first` and `last`, an earlier one if there is any. `first` if all of
    it is quiet: a broken promise is told before it is due, in the evening rather than at night."""
    if not is_quiet(quiet, wanted):
        return wanted
    day = local(wanted).date()
    minute = timedelta(minutes=1)
    evenings = [at_local(day - timedelta(days=days), start) for days in (0, 1, 2) for start, _ in quiet]
    before = [each for each in evenings if first <= each - minute < wanted and not is_quiet(quiet, each - minute)]
    if before:
        sooner = max(first, max(before) - _BEFORE_QUIET)
        return max(before) - minute if is_quiet(quiet, sooner) else sooner
    morning = next_decent(quiet, wanted)
    return morning if morning < last else first


def is_quiet(quiet: QuietHours, instant: datetime) -> bool:
    """Whether an instant lies in any of these hours."""
    clock = local(instant).time()
    return any(
        start <= clock < end if start <= end else clock >= start or clock < end for start, end in quiet if start != end
    )


def _opening_before(calendar: Calendar, due: datetime, deemed: datetime) -> datetime:
    """When the office opens, `ASK_AHEAD` working days before the day on which a clock is due; never before it starts."""
    day = calendar.add_working_days(local(due).date(), -ASK_AHEAD)
    return max(deemed, at_local(day, calendar.periods(day)[0].opens)).astimezone(UTC)
