"""What must hold for every moment: checked against a count that walks the days one by one and shares no code."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st
from offices import local, office

from bot.sla import Period, load_policy
from bot.sla.calendar import at_local
from bot.sla.counting import count

LONDON = ZoneInfo("Europe/London")
STATUTORY = {
    2026: "01-01 01-02 04-03 05-04 05-25 06-15 08-03 11-30 12-25 12-28",
    2027: "01-01 01-04 03-26 05-03 05-31 08-02 11-30 12-27 12-28",
    2028: "01-03 01-04 04-14 05-01 05-29 08-07 11-30 12-25 12-26",
}
HOLIDAYS = {date.fromisoformat(f"{year}-{day}") for year, days in STATUTORY.items() for day in days.split()}
CALENDAR = office()
POLICIES = {name: load_policy(name) for name in ("berwickshire", "east_lothian")}
RULES = [(name, rule.id) for name, policy in POLICIES.items() for rule in policy.commitments.values()]
DAY_RULES = [
    (name, rule.id)
    for name, policy in POLICIES.items()
    for rule in policy.commitments.values()
    if rule.mode in {"after", "incl"}
]

moments = st.integers(0, 973 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
figures = st.integers(1, 25)


def works(day: date) -> bool:
    return day.weekday() < 5 and day not in HOLIDAYS


def walked(policy: str, commitment: str, received: datetime) -> datetime:
    rule = POLICIES[policy].commitments[commitment]
    here = received.astimezone(LONDON)
    if rule.start == "deemed" and not (works(here.date()) and time(9) <= here.time() < time(17)):
        if here.time() >= time(9):
            here += timedelta(days=1)
        while not works(here.date()):
            here += timedelta(days=1)
    day = here.date()
    left = rule.n
    if rule.mode == "incl" and works(day):
        left -= 1
    while left:
        day += timedelta(days=1)
        left -= works(day)
    end = time(17) if rule.hol == "org" else time(23, 59, 59)
    return datetime.combine(day, end, LONDON)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(DAY_RULES), moments)
def test_every_working_day_promise_equals_a_walk_through_the_days(rule, received):
    assert POLICIES[rule[0]].explain(rule[1], received).due == walked(*rule, received)


@settings(deadline=None)
@given(st.sampled_from(RULES), moments)
def test_nothing_is_due_before_it_counts_as_received_or_counts_before_it_arrived(rule, received):
    proof = POLICIES[rule[0]].explain(rule[1], received)
    assert proof.received <= proof.deemed_received < proof.due
    assert proof.deemed_received <= proof.planned <= proof.due
    assert proof.deemed_received <= proof.warn_from <= proof.due


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(RULES), moments, st.timedeltas(timedelta(0), timedelta(days=40)))
def test_what_arrives_later_is_never_due_earlier(rule, received, later):
    policy = POLICIES[rule[0]]
    assert policy.explain(rule[1], received).due <= policy.explain(rule[1], received + later).due


@settings(deadline=None)
@given(st.dates(date(2026, 1, 1), date(2028, 6, 1)), figures, figures, st.sampled_from(["org", "stat"]))
def test_working_days_add_up(day, first, second, hol):
    in_two_steps = CALENDAR.add_working_days(CALENDAR.add_working_days(day, first, hol), second, hol)
    assert CALENDAR.add_working_days(day, first + second, hol) == in_two_steps


@settings(deadline=None)
@given(st.dates(date(2026, 1, 1), date(2028, 6, 1)), figures)
def test_counting_forward_and_back_again_agree(day, n):
    assert CALENDAR.working_days_between(day, CALENDAR.add_working_days(day, n)) == n


@settings(deadline=None)
@given(moments, figures, st.sampled_from(["after", "incl"]), st.sampled_from(["org", "stat"]))
def test_the_days_left_out_are_exactly_those_that_do_not_work(received, n, mode, hol):
    result = count(CALENDAR, n, mode, hol, received, received)
    first, last = received.astimezone(LONDON).date(), result.due.astimezone(LONDON).date()
    span = [first + timedelta(days=i) for i in range((last - first).days + 1)]
    assert [day for day, _ in result.skipped] == [day for day in span if not works(day)]


@settings(deadline=None)
@given(moments)
def test_deemed_receipt_is_idempotent_and_always_within_opening_hours(moment):
    deemed = CALENDAR.deemed_received(moment)
    assert CALENDAR.is_open(deemed)
    assert CALENDAR.deemed_received(deemed) == deemed
    assert (deemed == moment) == CALENDAR.is_open(moment)


@settings(deadline=None)
@given(moments, st.integers(1, 60))
def test_elapsed_hours_are_elapsed_whatever_the_clocks_do(received, hours):
    assert count(CALENDAR, hours, "hours", None, received, received).due - received == timedelta(hours=hours)


@given(st.dates(date(2025, 1, 1), date(2030, 1, 1)), st.times())
def test_local_times_never_run_backwards_and_read_back_as_written_unless_spring_left_them_out(day, clock):
    instant = at_local(day, clock)
    back = instant.astimezone(LONDON)
    if back.replace(tzinfo=None) != datetime.combine(day, clock):
        assert back.replace(tzinfo=None) - datetime.combine(day, clock) == timedelta(hours=1)
        assert day.month == 3
    assert back.fold == 0


@settings(deadline=None)
@given(moments, st.sampled_from(range(5)))
def test_a_lunch_closure_only_ever_delays_receipt(moment, weekday):
    lunch = (Period(time(9), time(12, 30)), Period(time(13, 30), time(17)))
    week = [(Period(time(9), time(17)),)] * 5 + [()] * 2
    week[weekday] = lunch
    assert office(week=tuple(week)).deemed_received(moment) >= CALENDAR.deemed_received(moment)


def test_the_walk_itself_knows_the_published_example():
    assert walked("east_lothian", "text_response", local("2026-11-27T18:30")) == local("2026-12-02T17:00")
