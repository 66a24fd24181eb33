from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from offices import local, office, shown

from bot.sla import Policy, UnknownCommitment, YearNotCovered
from bot.sla.calendar import SpecialDay
from bot.sla.counting import add_months, count


def due(policy: Policy, commitment: str, received: str) -> str:
    return shown(policy.explain(commitment, local(received)).due)


EAST_LOTHIAN = [
    # a text after hours before St Andrew's Day
    ("text_response", "2026-11-27T18:30", "2026-12-02 17:00"),
    ("text_response", "2026-11-27T16:59", "2026-12-01 17:00"),
    ("social_response", "2026-12-24T09:00", "2026-12-29 17:00"),
    ("voicemail_response", "2026-12-31T17:00", "2027-01-06 17:00"),
    ("letter_response", "2026-12-21T10:00", "2026-12-30 17:00"),
    ("letter_full_reply", "2026-12-21T10:00", "2027-01-08 17:00"),
    ("emergency_repair", "2026-12-25T23:10", "2026-12-26 01:10"),
    ("urgent_repair", "2026-12-23T11:00", "2026-12-30 17:00"),
    ("routine_repair", "2026-11-23T11:00", "2026-12-08 17:00"),
    ("neighbour_complaint_a", "2026-11-27T10:00", "2026-12-03 17:00"),
    ("neighbour_complaint_b", "2026-11-27T10:00", "2026-12-07 17:00"),
    ("neighbour_complaint_c", "2026-11-27T10:00", "2026-12-14 17:00"),
    ("complaint_decision", "2026-11-23T10:00", "2026-11-27 17:00"),
    ("complaint_decision", "2026-11-27T17:30", "2026-12-07 17:00"),
    ("complaint_stage2_acknowledgement", "2026-11-28T10:00", "2026-12-03 17:00"),
    ("complaint_full_response", "2026-12-01T10:00", "2026-12-30 17:00"),
    ("statutory_request_acknowledgement", "2026-12-24T18:00", "2026-12-30 23:59:59"),
    ("statutory_request", "2026-12-18T10:00", "2027-01-21 23:59:59"),
    ("appeal_acknowledgement", "2026-11-27T10:00", "2026-12-02 17:00"),
    ("appeal_decision", "2026-11-27T10:00", "2026-12-14 17:00"),
    ("appeal_stage2_acknowledgement", "2026-11-27T10:00", "2026-12-03 17:00"),
    ("appeal_stage2_decision", "2026-11-27T10:00", "2026-12-30 17:00"),
    ("subject_access", "2027-01-31T10:00", "2027-03-01 23:59:59"),
    ("freedom_of_information", "2026-12-18T10:00", "2027-01-21 23:59:59"),
    ("callback", "2026-11-27T10:00", "2026-12-01 17:00"),
    ("repair_survey", "2026-11-27T16:00", "2026-12-01 17:00"),
    ("consultation_reply", "2026-11-23T10:00", "2026-12-22 17:00"),
    ("office_meeting", "2026-11-23T10:00", "2026-12-01 17:00"),
    ("progress_update", "2026-11-23T10:00", "2026-12-01 17:00"),
]

BERWICKSHIRE = [
    ("emergency_repair", "2026-12-25T23:10", "2026-12-26 05:10"),
    ("routine_repair", "2026-12-22T10:00", "2027-01-01 23:59:59"),
    ("right_to_repair_1", "2026-12-24T14:00", "2026-12-29 23:59:59"),
    ("right_to_repair_1", "2026-11-28T14:00", "2026-12-01 23:59:59"),
    ("right_to_repair_3", "2026-12-31T23:59", "2027-01-07 23:59:59"),
    ("right_to_repair_7", "2026-11-23T10:00", "2026-12-03 23:59:59"),
    ("complaint_decision", "2026-11-23T10:00", "2026-11-27 17:00"),
    ("complaint_decision", "2026-11-21T10:00", "2026-11-27 17:00"),
    ("complaint_acknowledgement", "2026-11-23T16:59", "2026-11-24 17:00"),
    ("complaint_acknowledgement", "2026-11-23T17:00", "2026-11-25 17:00"),
    ("complaint_stage2_acknowledgement", "2026-11-27T10:00", "2026-12-01 17:00"),
    ("complaint_full_response", "2026-12-14T10:00", "2027-01-14 17:00"),
    ("subject_access", "2027-01-31T10:00", "2027-03-01 23:59:59"),
    ("subject_access", "2026-11-25T22:00", "2026-12-29 23:59:59"),
    ("freedom_of_information", "2026-12-18T10:00", "2027-01-21 23:59:59"),
    ("damp_investigation", "2026-12-01T10:00", "2026-12-15 23:59:59"),
    ("damp_investigation", "2026-11-29T23:00", "2026-12-14 23:59:59"),
    ("damp_summary", "2026-12-23T15:00", "2026-12-30 23:59:59"),
    ("damp_work", "2026-12-23T15:00", "2027-01-05 23:59:59"),
    ("text_response", "2026-11-26T18:00", "2026-12-02 17:00"),
    ("social_response", "2026-11-27T10:00", "2026-12-01 17:00"),
    ("phone_enquiry", "2026-04-02T16:00", "2026-04-07 17:00"),
    ("full_reply", "2026-06-12T10:00", "2026-06-22 17:00"),
    ("callback", "2026-12-24T18:00", "2026-12-30 17:00"),
    ("home_visit", "2026-07-31T12:00", "2026-08-10 17:00"),
    ("format_request", "2026-11-23T10:00", "2026-12-01 17:00"),
    ("housing_application", "2026-11-23T10:00", "2026-12-01 17:00"),
    ("office_visit", "2026-11-23T10:00", "2026-11-23 10:15"),
    ("progress_update", "2026-12-22T10:00", "2026-12-31 17:00"),
    ("gas_safety", "2026-01-02T10:00", "2027-01-02 23:59:59"),
    ("gas_safety", "2024-02-29T10:00", "2025-02-28 23:59:59"),
    ("gas_record_copy", "2026-12-04T10:00", "2027-01-01 23:59:59"),
    ("data_protection_complaint", "2026-12-01T10:00", "2026-12-30 23:59:59"),
    ("information_acknowledgement", "2026-11-28T10:00", "2026-12-02 17:00"),
]


@pytest.mark.parametrize(("commitment", "received", "expected"), EAST_LOTHIAN)
def test_east_lothian_keeps_these_dates(east_lothian, commitment, received, expected):
    assert due(east_lothian, commitment, received) == expected


@pytest.mark.parametrize(("commitment", "received", "expected"), BERWICKSHIRE)
def test_berwickshire_keeps_these_dates(berwickshire, commitment, received, expected):
    assert due(berwickshire, commitment, received) == expected


def test_an_office_that_works_on_st_andrews_day_owes_its_answer_a_day_earlier(east_lothian):
    working = replace(east_lothian, calendar=office(open_on=frozenset({"st_andrews"})))
    proof = working.explain("text_response", local("2026-11-27T18:30"))
    assert shown(proof.deemed_received) == "2026-11-30 09:00"
    assert shown(proof.due) == "2026-12-01 17:00"


def test_the_law_leaves_st_andrews_day_out_even_where_the_office_works(berwickshire):
    working = replace(berwickshire, calendar=office(open_on=frozenset({"st_andrews"})))
    assert due(working, "right_to_repair_1", "2026-11-27T10:00") == "2026-12-01 23:59:59"


def test_a_text_after_hours_explains_itself(east_lothian):
    proof = east_lothian.explain("text_response", local("2026-11-27T18:30"))
    assert proof.as_json() == {
        "commitment": "text_response",
        "policy": "east_lothian",
        "received": "2026-11-27T18:30:00+00:00",
        "deemed_received": "2026-12-01T09:00:00+00:00",
        "due": "2026-12-02T17:00:00+00:00",
        "skipped": [
            {"date": "2026-11-28", "reason": "Saturday"},
            {"date": "2026-11-29", "reason": "Sunday"},
            {"date": "2026-11-30", "reason": "St Andrew's Day"},
        ],
        "counting": (
            "after: 1 working day, the day of receipt not counted, association closures left out, due when the office "
            "closes; from receipt, or the next opening if closed"
        ),
        "clause": "T: texts",
    }
    assert proof.why[1] == (
        "The office was closed then, so it counts as received when it next opens: Tuesday 1 December 2026, 9am."
    )


def test_summer_dates_are_told_in_summer_time(berwickshire):
    document = berwickshire.explain("text_response", datetime(2026, 7, 1, 11, 30, tzinfo=UTC)).as_json()
    assert document["received"] == "2026-07-01T12:30:00+01:00"
    assert document["due"] == "2026-07-03T17:00:00+01:00"


def test_an_emergency_runs_in_elapsed_time_over_the_autumn_change(berwickshire):
    proof = berwickshire.explain("emergency_repair", local("2026-10-24T23:30"))
    assert (proof.due - proof.received).total_seconds() == 6 * 3600
    assert shown(proof.due) == "2026-10-25 04:30"


def test_an_emergency_runs_in_elapsed_time_over_the_spring_change(east_lothian):
    assert due(east_lothian, "emergency_repair", "2027-03-28T00:30") == "2027-03-28 03:30"


def test_a_due_date_on_a_closed_day_stays_and_is_planned_for_the_last_open_day(berwickshire):
    proof = berwickshire.explain("routine_repair", local("2026-12-22T10:00"))
    assert shown(proof.due) == "2027-01-01 23:59:59"
    assert shown(proof.planned) == "2026-12-31 17:00"
    assert any("plan to act by Thursday 31 December 2026, 5pm" in step for step in proof.why)


def test_a_statutory_date_stays_when_the_office_closes_and_is_planned_before_that(berwickshire):
    closed = replace(berwickshire, calendar=office(special={date(2026, 12, 29): SpecialDay((), "winter closure")}))
    proof = closed.explain("right_to_repair_1", local("2026-12-24T14:00"))
    assert shown(proof.due) == "2026-12-29 23:59:59"
    assert shown(proof.planned) == "2026-12-24 17:00"


def test_people_are_warned_in_the_last_fifth_of_a_short_promise(berwickshire):
    proof = berwickshire.explain("emergency_repair", local("2026-11-23T10:00"))
    assert shown(proof.warn_from) == "2026-11-23 14:48"


def test_people_are_warned_at_most_two_working_days_before_a_long_promise(berwickshire):
    proof = berwickshire.explain("freedom_of_information", local("2026-12-18T10:00"))
    assert shown(proof.warn_from) == "2027-01-19 23:59:59"


def test_a_complaint_extended_has_ten_working_days(berwickshire):
    assert shown(berwickshire.explain("complaint_decision", local("2026-11-23T10:00"), extended=True).due) == (
        "2026-12-07 17:00"
    )


def test_subject_access_extended_has_three_months(berwickshire):
    proof = berwickshire.explain("subject_access", local("2026-11-30T10:00"), extended=True)
    assert shown(proof.due) == "2027-03-01 23:59:59"


def test_what_cannot_be_extended_by_a_figure_says_so(berwickshire):
    with pytest.raises(ValueError, match="agreed with the tenant"):
        berwickshire.explain("complaint_full_response", local("2026-11-23T10:00"), extended=True)
    with pytest.raises(ValueError, match="cannot be extended"):
        berwickshire.explain("text_response", local("2026-11-23T10:00"), extended=True)


def test_an_event_after_closing_time_is_never_due_before_it_happened():
    result = count(office(), 1, "incl", "org", local("2026-11-27T18:30"), local("2026-11-27T18:30"))
    assert shown(result.due) == "2026-12-01 17:00"


def test_an_unknown_commitment_is_named_with_its_nearest_neighbour(berwickshire):
    with pytest.raises(UnknownCommitment, match="'text_respons'; did you mean text_response"):
        berwickshire.explain("text_respons", local("2026-11-23T10:00"))


def test_a_naive_moment_is_refused(berwickshire):
    with pytest.raises(ValueError, match="no time zone"):
        berwickshire.explain("text_response", datetime(2026, 11, 23, 10))  # noqa: DTZ001 - the point of the test


@pytest.mark.parametrize(("received", "year"), [("2035-12-31T10:00", "2036"), ("2023-05-01T10:00", "2023")])
def test_a_date_in_a_year_that_is_not_covered_is_never_guessed(berwickshire, received, year):
    with pytest.raises(YearNotCovered, match=f"year {year} is not covered: the policy's calendar knows 2024 to 2035"):
        berwickshire.explain("text_response", local(received))


def test_elapsed_time_and_a_legal_ceiling_need_no_calendar(berwickshire):
    assert due(berwickshire, "emergency_repair", "2040-01-01T10:00") == "2040-01-01 16:00"
    assert due(berwickshire, "gas_safety", "2022-05-05T10:00") == "2023-05-05 23:59:59"


@pytest.mark.parametrize("moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)])
def test_a_slip_of_the_pen_is_refused_even_where_no_calendar_is_needed(berwickshire, moment):
    with pytest.raises(YearNotCovered, match=f"year {moment.year} "):
        berwickshire.explain("emergency_repair", moment)


def test_a_rule_that_was_not_yet_in_force_says_so(berwickshire):
    why = berwickshire.explain("damp_investigation", local("2026-10-05T10:00")).why
    assert "Beware: this rule is in force only from Tuesday 6 October 2026." in why


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2027, 1, 31), 1, date(2027, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 10, 31), 1, date(2026, 11, 30)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
    ],
)
def test_months_end_on_the_same_date_or_the_last_day(day, months, expected):
    assert add_months(day, months) == expected
