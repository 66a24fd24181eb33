from datetime import date, datetime
from zoneinfo import ZoneInfo

from bot.wording import day_in_words, moment_in_words
from bot.wording.dates import time_in_words

ZONE = ZoneInfo("Europe/London")


def test_a_day_is_named_with_its_year_only_when_that_is_not_plain():
    assert day_in_words(date(2026, 11, 24)) == "Tuesday 24 November"
    assert day_in_words(date(2027, 1, 5), date(2026, 12, 24)) == "Tuesday 5 January 2027"


def test_a_time_is_said_as_people_say_it():
    said = [time_in_words(datetime(2026, 1, 1, hour, minute, tzinfo=ZONE).timetz()) for hour, minute in
            ((0, 0), (12, 0), (0, 5), (9, 0), (14, 0), (17, 10))]  # fmt: skip
    assert said == ["midnight", "noon", "12:05am", "9am", "2pm", "5:10pm"]


def test_a_moment_has_its_time_first():
    assert moment_in_words(datetime(2026, 12, 26, 5, 10, tzinfo=ZONE)) == "5:10am on Saturday 26 December"
