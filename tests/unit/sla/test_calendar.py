from datetime import UTC, date, datetime, time

import pytest
from offices import NINE_TO_FIVE, local, office, shown

from bot.sla import Period, YearNotCovered
from bot.sla.calendar import SpecialDay, at_local, statutory_days

LUNCH = (Period(time(9), time(12, 30)), Period(time(13, 30), time(17)))

# Scotland's statutory days (Banking and Financial Dealings Act 1971, St Andrew's Day Bank Holiday (Scotland) Act 2007).
STATUTORY_WEEKDAYS = {
    2026: "01-01 01-02 04-03 05-04 05-25 06-15 08-03 11-30 12-25 12-28",
    2027: "01-01 01-04 03-26 05-03 05-31 08-02 11-30 12-27 12-28",
    2028: "01-03 01-04 04-14 05-01 05-29 08-07 11-30 12-25 12-26",
}


@pytest.mark.parametrize("year", STATUTORY_WEEKDAYS)
def test_statutory_days_are_scotlands_with_substitutes_and_one_offs(year):
    days = sorted(day for day in statutory_days([year]) if day.weekday() < 5)
    assert [day.isoformat()[5:] for day in days] == STATUTORY_WEEKDAYS[year].split()


@pytest.mark.parametrize("day", [date(2026, 4, 6), date(2026, 8, 31), date(2027, 3, 29)])
def test_easter_monday_and_the_english_august_holiday_are_working_days(day):
    assert office().works(day, "stat")


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (date(2026, 11, 30), "St Andrew's Day"),
        (date(2026, 12, 26), "Saturday (Boxing Day)"),
        (date(2026, 12, 27), "Sunday"),
        (date(2026, 12, 28), "Boxing Day (substitute day)"),
        (date(2027, 1, 4), "2 January (substitute day)"),
        (date(2027, 12, 27), "Christmas Day (substitute day)"),
        (date(2026, 6, 15), "Bank holiday: Scotland's participation in the FIFA World Cup final"),
        (date(2026, 11, 27), None),
    ],
)
def test_a_day_left_out_says_why(day, reason):
    calendar = office()
    assert calendar.skipped(day, "stat") == calendar.skipped(day, "org") == reason


def test_an_association_may_work_on_a_statutory_day_that_the_law_leaves_out():
    calendar = office(open_on=frozenset({"st_andrews"}))
    assert calendar.works(date(2026, 11, 30), "org")
    assert not calendar.works(date(2026, 11, 30), "stat")


def test_a_closure_of_its_own_is_left_out_by_the_association_and_not_by_the_law():
    calendar = office(special={date(2026, 9, 18): SpecialDay((), "staff training")})
    assert calendar.skipped(date(2026, 9, 18), "org") == "staff training"
    assert calendar.works(date(2026, 9, 18), "stat")


def test_an_extra_opening_makes_a_saturday_a_working_day():
    saturday = date(2026, 11, 21)
    calendar = office(special={saturday: SpecialDay((Period(time(10), time(12)),), "open day")})
    assert calendar.works(saturday, "org")
    assert shown(calendar.next_opening(local("2026-11-20T17:00"))) == "2026-11-21 10:00"
    assert shown(calendar.deemed_received(local("2026-11-21T12:00"))) == "2026-11-23 09:00"


def test_a_half_day_closes_early_and_still_counts():
    eve = date(2026, 12, 24)
    calendar = office(special={eve: SpecialDay((Period(time(9), time(12, 30)),), "Christmas Eve")})
    assert calendar.works(eve)
    assert shown(calendar.closing(eve)) == "2026-12-24 12:30"
    assert shown(calendar.deemed_received(local("2026-12-24T12:30"))) == "2026-12-29 09:00"


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23T08:59:59", False),
        ("2026-11-23T09:00", True),
        ("2026-11-23T12:29:59", True),
        ("2026-11-23T12:30", False),
        ("2026-11-23T13:30", True),
        ("2026-11-23T16:59:59", True),
        ("2026-11-23T17:00", False),
        ("2026-11-22T10:00", False),
    ],
)
def test_the_office_is_open_from_opening_until_closing_excluded_and_shut_over_lunch(moment, is_open):
    assert office(week=(LUNCH,) * 5 + ((),) * 2).is_open(local(moment)) is is_open


def test_what_arrives_over_lunch_counts_from_the_afternoon():
    calendar = office(week=(LUNCH,) * 5 + ((),) * 2)
    assert shown(calendar.deemed_received(local("2026-11-23T12:45"))) == "2026-11-23 13:30"


@pytest.mark.parametrize(
    ("arrived", "deemed"),
    [
        ("2026-11-23T10:00", "2026-11-23 10:00"),
        ("2026-11-23T07:15", "2026-11-23 09:00"),
        ("2026-11-23T17:00", "2026-11-24 09:00"),
        ("2026-11-27T18:30", "2026-12-01 09:00"),
        ("2026-12-24T17:30", "2026-12-29 09:00"),
        ("2026-12-31T18:00", "2027-01-05 09:00"),
    ],
)
def test_what_arrives_while_closed_counts_from_the_next_opening(arrived, deemed):
    assert shown(office().deemed_received(local(arrived))) == deemed


def test_next_opening_is_the_start_of_a_period_at_or_after_the_moment():
    calendar = office()
    assert shown(calendar.next_opening(local("2026-11-23T09:00"))) == "2026-11-23 09:00"
    assert shown(calendar.next_opening(local("2026-11-23T09:00:01"))) == "2026-11-24 09:00"


def test_a_repeated_autumn_hour_means_the_first_one():
    assert at_local(date(2026, 10, 25), time(1, 30)) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_time_that_spring_leaves_out_is_shifted_forward():
    assert at_local(date(2027, 3, 28), time(1, 30)) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert shown(at_local(date(2027, 3, 28), time(1, 30))) == "2027-03-28 02:30"


def test_opening_hours_stay_at_the_same_clock_time_when_the_clocks_change():
    calendar = office()
    assert calendar.next_opening(local("2026-10-23T18:00")) == datetime(2026, 10, 26, 9, tzinfo=UTC)
    assert calendar.next_opening(local("2027-03-29T00:00")) == datetime(2027, 3, 29, 8, tzinfo=UTC)


@pytest.mark.parametrize("year", [2023, 2036])
def test_a_year_that_is_not_covered_is_named(year):
    with pytest.raises(YearNotCovered, match=str(year)):
        office().is_open(datetime(year, 6, 1, 12, tzinfo=UTC))


def test_counting_into_a_year_that_is_not_covered_is_refused_too():
    with pytest.raises(YearNotCovered, match="2036"):
        office().add_working_days(date(2035, 12, 31), 1)


def test_a_naive_time_is_refused():
    with pytest.raises(ValueError, match="no time zone"):
        office().is_open(datetime(2026, 11, 23, 10))  # noqa: DTZ001 - the point of the test


def test_working_days_are_counted_back_as_well():
    assert office().add_working_days(date(2026, 12, 29), -1) == date(2026, 12, 24)


def test_the_regulator_counts_working_days_after_the_report_up_to_completion():
    calendar = office()
    assert calendar.working_days_between(date(2026, 11, 27), date(2026, 12, 2)) == 2
    assert calendar.working_days_between(date(2026, 11, 27), date(2026, 11, 27)) == 0


def test_an_office_that_never_opens_is_refused():
    with pytest.raises(ValueError, match="never opens"):
        office(week=((),) * 7)


def test_an_office_open_every_day_of_the_week_has_seven_working_days():
    calendar = office(week=(NINE_TO_FIVE,) * 7)
    assert calendar.add_working_days(date(2026, 11, 20), 3) == date(2026, 11, 23)
    assert calendar.skipped(date(2026, 12, 26), "org") == "Boxing Day"
