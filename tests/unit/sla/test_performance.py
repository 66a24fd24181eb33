"""Judging and counting promises, on plain rows."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bot.sla import load_policy
from bot.sla.performance import Answer, Handled, Promise, Verdict, annual_return, charter_year, judge, measure

POLICY = load_policy("berwickshire")
MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)
RULE = POLICY.commitments["routine_repair"]
NOW = datetime(2027, 3, 31, tzinfo=UTC)


def promise(commitment: str = "routine_repair", case: str = "R-1", **values: Any) -> Promise:
    proof = POLICY.explain(commitment, values.pop("received", MONDAY))
    told = {"channel": "sms", "kind": "repair", "need": "none", "state": "running"} | values
    return Promise(commitment, case, started=proof.received, deemed=proof.deemed_received, due=proof.due, **told)


def handled(case: str = "R-1", **values: Any) -> Handled:
    told: dict[str, Any] = {
        "kind": "repair", "category": "dripping_tap", "priority": "routine", "channel": "sms", "need": "none",
        "received": MONDAY, "deemed": MONDAY,
    }  # fmt: skip
    return Handled(case, **(told | values))


def verdict(row: Promise, *, now: datetime = NOW) -> Verdict:
    return judge(row, POLICY.commitments[row.commitment], POLICY.calendar, now)


def test_met_in_time_is_kept_to_the_second():
    due = promise().due
    assert verdict(promise(met=due, state="met")) is Verdict.KEPT
    assert verdict(promise(met=due + timedelta(seconds=1), state="met")) is Verdict.MISSED_IN_SILENCE


def test_told_in_the_last_fifth_is_missed_and_told():
    due = promise().due
    assert verdict(promise(told=(due - timedelta(hours=4),))) is Verdict.MISSED_AND_TOLD


def test_told_too_early_or_too_late_is_silence():
    due = promise().due
    for at in (MONDAY, due - timedelta(days=4), due, due + timedelta(hours=1)):
        assert verdict(promise(told=(at,))) is Verdict.MISSED_IN_SILENCE


def test_the_last_fifth_is_two_working_days_at_most():
    due = promise("freedom_of_information").due  # 20 working days: a fifth is four
    assert verdict(promise("freedom_of_information", told=(due - timedelta(days=5),))) is Verdict.MISSED_IN_SILENCE
    assert verdict(promise("freedom_of_information", told=(due - timedelta(days=1),))) is Verdict.MISSED_AND_TOLD


def test_hours_run_through_the_night():
    friday_night = datetime(2026, 12, 25, 23, 10, tzinfo=UTC)
    row = promise("emergency_repair", received=friday_night)
    assert row.due == friday_night + timedelta(hours=6)
    told = promise("emergency_repair", received=friday_night, told=(row.due - timedelta(minutes=70),))
    assert verdict(told) is Verdict.MISSED_AND_TOLD
    told = promise("emergency_repair", received=friday_night, told=(row.due - timedelta(minutes=80),))
    assert verdict(told) is Verdict.MISSED_IN_SILENCE


@pytest.mark.parametrize("state", ["paused", "extended", "deferred"])
def test_what_was_stopped_or_given_a_later_date_in_time_is_not_judged(state):
    due = promise().due
    in_time, late = due - timedelta(hours=1), due + timedelta(seconds=1)
    assert verdict(promise(state=state, ended=in_time, paused=in_time)) is Verdict.OPEN
    assert verdict(promise(state=state, ended=late, paused=late)) is Verdict.MISSED_IN_SILENCE


def test_what_is_not_due_yet_or_ended_before_it_was_is_not_judged():
    assert verdict(promise(), now=MONDAY) is Verdict.OPEN
    assert verdict(promise(state="ended", ended=MONDAY + timedelta(days=1))) is Verdict.OPEN


def test_ending_a_case_after_the_promise_was_broken_does_not_hide_it():
    due = promise().due
    assert verdict(promise(state="ended", ended=due + timedelta(days=1))) is Verdict.MISSED_IN_SILENCE
    assert verdict(promise(state="missed", ended=due + timedelta(days=1))) is Verdict.MISSED_IN_SILENCE


def test_an_answer_that_never_arrived_keeps_nothing():
    assert verdict(promise(state="answered", ended=MONDAY)) is Verdict.MISSED_IN_SILENCE


def counted(rows, cases=()):
    judged = [(row, verdict(row)) for row in rows]
    return measure(judged, cases, order=tuple(POLICY.commitments), first=date(2026, 12, 1), last=date(2026, 12, 31))


def test_every_figure_names_its_cases_by_commitment_channel_kind_need_and_month():
    due = promise().due
    rows = [
        promise(case="R-1", met=due, state="met"),
        promise(case="R-2", told=(due - timedelta(hours=4),), channel="telegram"),
        promise(case="R-3", channel="telegram"),
        promise("emergency_repair", case="R-4", received=MONDAY),  # due in November
    ]
    found = counted(rows)
    (result,) = found.results
    assert (result.kept, result.told, result.silent) == (("R-1",), ("R-2",), ("R-3",))
    assert (result.due, result.missed, result.share) == (3, 2, 1 / 3)
    assert found.by["channel"]["telegram"][0].due == 2
    assert found.by["kind"]["repair"][0].due == 3
    assert list(found.by["month"]) == ["2026-12"]


def test_people_with_a_communication_need_are_counted_apart():
    due = promise().due
    december = datetime(2026, 12, 1, 10, tzinfo=UTC)
    rows = [promise(case="R-1", met=due, state="met"), promise(case="R-2", need="language pl")]
    cases = [
        handled("R-1", received=december, deemed=december, human=december + timedelta(hours=2)),
        handled("R-2", received=december, deemed=december, human=december + timedelta(hours=8), need="language pl"),
    ]
    found = counted(rows, cases)
    assert found.by["need"]["language pl"][0].silent == ("R-2",)
    assert found.human_by_need["language pl"].mean == 8
    assert found.human_by_need["none"].mean == 2


def test_automatic_and_human_first_responses_are_apart():
    december = datetime(2026, 12, 1, 10, tzinfo=UTC)
    cases = [
        handled(
            f"R-{n}", received=december, deemed=december + timedelta(hours=n == 3),
            automatic=december + timedelta(minutes=6), human=december + timedelta(hours=n) if n < 3 else None,
        )
        for n in (1, 2, 3)
    ]  # fmt: skip
    found = counted([], cases)
    assert found.automatic.mean == pytest.approx(0.1)
    assert (found.human.mean, found.human.cases) == (1.5, ("R-1", "R-2"))
    assert (found.received, found.out_of_hours) == (3, 1)


def annual(promises=(), cases=()):
    found = annual_return(promises, cases, POLICY.calendar, *charter_year(2027))
    return {f"{each.number} {each.title}": each for each in found}


def value(found, number):
    return [each.value for name, each in found.items() if name.startswith(f"{number} ")]


def test_the_regulators_year_ends_on_31_march():
    assert charter_year(2027) == (date(2026, 4, 1), date(2027, 3, 31))


def test_emergencies_are_measured_in_hours_and_other_repairs_in_working_days():
    cases = [
        handled("R-1", priority="emergency", completed=MONDAY + timedelta(hours=3)),
        handled("R-2", priority="emergency", completed=MONDAY + timedelta(hours=5)),
        handled("R-3", completed=MONDAY + timedelta(days=8)),  # St Andrew's Day and a weekend lie between
        handled("R-4", completed=datetime(2027, 4, 1, 10, tzinfo=UTC)),  # next year's
        handled("R-5", completed=MONDAY, closed_as="duplicate"),
    ]
    found = annual(cases=cases)
    assert value(found, "8") == [4]
    assert value(found, "9") == [5]
    assert next(each for name, each in found.items() if name.startswith("9 ")).cases == ("R-3",)


def test_complaints_are_counted_once_at_each_stage_with_the_day_of_receipt_as_day_1():
    stage1 = [
        promise("complaint_decision", "C-1", kind="complaint", state="met", met=MONDAY + timedelta(days=1)),
        promise("complaint_decision", "C-2", kind="complaint", state="extended"),
        promise("complaint_decision", "C-2", kind="complaint", state="met", met=MONDAY + timedelta(days=8)),
        promise("complaint_decision", "C-3", kind="complaint", state="missed"),
    ]
    stage2 = [promise("complaint_full_response", "C-3", kind="complaint", state="met", met=MONDAY + timedelta(days=2))]
    found = annual([*stage1, *stage2])
    assert value(found, "3") == [pytest.approx(200 / 3), 100]
    assert value(found, "4") == [pytest.approx((2 + 6) / 2), 3]


def test_damp_and_mould_is_counted_apart_and_split_by_cause():
    cases = [
        handled("R-1", category="damp_mould", completed=MONDAY + timedelta(days=1)),
        handled("R-2", category="damp_mould", cause="condensation"),
        handled("R-3", category="damp_mould"),
        handled("R-4", category="damp_mould", closed=MONDAY, closed_as="withdrawn"),
    ]
    found = annual(cases=cases)
    assert value(found, "31") == [1]
    assert value(found, "33") == [2]
    assert next(each.note for name, each in found.items() if name.startswith("33 ")) == (
        "1 of unknown cause, 1 condensation"
    )


def test_what_is_not_known_is_none_and_says_why():
    found = annual()
    for number in ("1, 2, 5", "11", "32"):
        (row,) = [each for name, each in found.items() if name.startswith(f"{number} ")]
        assert row.value is None
        assert row.note


def test_satisfaction_with_repairs_is_the_share_of_happy_answers_given_in_the_year() -> None:
    answers = [
        Answer("R-1", 5, datetime(2026, 5, 1, 10, tzinfo=UTC)), Answer("R-2", 4, datetime(2026, 6, 1, 10, tzinfo=UTC)),
        Answer("R-3", 3, datetime(2026, 7, 1, 10, tzinfo=UTC)), Answer("R-4", 1, datetime(2025, 7, 1, 10, tzinfo=UTC)),
    ]  # fmt: skip
    found = annual_return([], [], POLICY.calendar, *charter_year(2027), answers)
    indicator = next(each for each in found if each.number == "12")
    assert (round(indicator.value or 0, 1), indicator.cases) == (66.7, ("R-1", "R-2", "R-3"))
    nobody = annual_return([], [], POLICY.calendar, *charter_year(2030), answers)
    assert next(each for each in nobody if each.number == "12").value is None
