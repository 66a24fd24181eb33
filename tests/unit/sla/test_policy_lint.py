from datetime import date

import pytest

from bot.sla import parse_policy
from bot.sla.lint import Finding, Severity, lint
from bot.sla.loading import SHIPPED

TODAY = date(2026, 11, 23)
BERWICKSHIRE = (SHIPPED / "berwickshire.toml").read_text(encoding="utf-8")


def find(policy, code: str, words: str = "", on: date = TODAY) -> list[Finding]:
    return [finding for finding in lint(policy, on) if finding.code == code and words in finding.text]


def test_a_shipped_policy_has_no_error(policy):
    assert not [finding for finding in lint(policy, TODAY) if finding.severity is Severity.ERROR]


def test_an_overdue_review_is_found(berwickshire, east_lothian):
    assert find(berwickshire, "review-overdue", "2023-01-13")
    assert not find(east_lothian, "review-overdue")
    assert find(east_lothian, "review-overdue", "2029-08-31", on=date(2029, 9, 1))


def test_a_figure_without_its_unit_is_found(berwickshire):
    assert {name for finding in find(berwickshire, "unit-missing") for name in finding.commitments} == {
        "routine_repair",
        "subject_access",
    }


def test_dead_law_is_found(berwickshire):
    [finding] = find(berwickshire, "dead-law")
    assert "Data Protection Act 1998, which is repealed" in finding.text
    assert finding.commitments == ("subject_access",)


def test_nested_answers_are_explained_and_not_an_error(berwickshire):
    [finding] = find(berwickshire, "contradiction", "replies are promised")
    assert finding.severity is Severity.NOTE
    assert "social_response 1 working day, full_reply 5 working days" in finding.text


def test_two_figures_for_the_same_thing_that_nothing_explains_are_an_error():
    policy = parse_policy(BERWICKSHIRE.replace('"social_response", "full_reply", "progress_update"]', '"full_reply"]'))
    [finding] = [f for f in find(policy, "contradiction") if f.severity is Severity.ERROR]
    assert finding.commitments == ("full_reply", "social_response")


def test_a_figure_that_differs_from_what_is_printed_without_a_reason_is_an_error():
    policy = parse_policy(
        BERWICKSHIRE.replace("n = 6\n", "n = 8\n").replace('note = "round the clock is our reading"\n', "")
    )
    [finding] = find(policy, "figure-differs")
    assert finding.severity is Severity.ERROR
    assert "printed 'Within 6 hours', kept as 8 hours: no reason is given" in finding.text


def test_what_the_association_must_confirm_is_listed_once_for_each_reason(east_lothian):
    [finding] = [f for f in find(east_lothian, "unverified") if f.text.startswith("source: timescales page")]
    assert len(finding.commitments) > 15


def test_unknown_and_unverified_numbers_are_found(berwickshire, east_lothian):
    assert find(berwickshire, "phone-unverified", "01361 884000")
    assert not find(berwickshire, "phone-missing")
    assert len(find(east_lothian, "phone-missing")) == 2


def test_unconfirmed_hours_links_handlers_and_emergency_lists_are_found(policy):
    for code in ("hours-unverified", "link-missing", "handler-missing", "contact-unverified", "repairs-unverified"):
        assert find(policy, code), code


@pytest.mark.parametrize(("on", "years"), [(date(2026, 9, 30), ["2026"]), (date(2026, 10, 1), ["2026", "2027"])])
def test_next_years_closures_are_asked_for_from_october(policy, on, years):
    assert [f.text.split()[2] for f in find(policy, "closures-unconfirmed", on=on)] == years


def test_confirmed_closures_are_not_asked_for():
    policy = parse_policy(BERWICKSHIRE.replace("confirmed = []", "confirmed = [2026, 2027]"))
    assert not find(policy, "closures-unconfirmed")


@pytest.mark.parametrize("on", [date(2035, 1, 1), date(2040, 1, 1)])
def test_a_calendar_that_runs_out_is_an_error(policy, on):
    [finding] = find(policy, "calendar-ends", on=on)
    assert finding.severity is Severity.ERROR


def test_rules_outside_their_dates_are_found(policy):
    assert find(policy, "not-yet-in-force", "damp_investigation", on=date(2026, 10, 5))
    assert not find(policy, "not-yet-in-force")


def test_findings_point_at_the_line_of_what_they_are_about(berwickshire):
    [finding] = find(berwickshire, "dead-law")
    assert BERWICKSHIRE.splitlines()[finding.line - 1] == "[commitments.subject_access]"


def test_a_promise_taken_from_elsewhere_is_noted(east_lothian):
    assert {name for f in find(east_lothian, "fallback") for name in f.commitments} == {
        "progress_update",
        "callback",
        "format_request",
        "home_visit",
    }
