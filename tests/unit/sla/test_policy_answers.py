from dataclasses import replace
from datetime import date, time
from pathlib import Path

import pytest
import yaml
from offices import NINE_TO_FIVE, local, office

from bot.messages import SERVICE_REQUESTS, ChannelName
from bot.sla import REPAIR_CATEGORIES, Period, Phone, Policy
from bot.sla.commitment import CHANNEL_CLASSES


def owed(policy: Policy, kind: str, category: str, channel: str, priority: str = "routine", **more: str) -> set[str]:
    channel_class = policy.channel_class(channel)
    found = policy.opening_commitments(
        kind=kind, category=category, priority=priority, channel_class=channel_class, **more
    )
    return {rule.id for rule in found}


BERWICKSHIRE = [
    ("repair", "dripping_tap", "sms", "routine", "routine_repair text_response"),
    ("repair", "dripping_tap", "web", "routine", "routine_repair"),
    ("repair", "extractor_fan", "sms", "routine", "routine_repair text_response right_to_repair_7"),
    ("repair", "partial_power", "telegram", "emergency", "emergency_repair social_response right_to_repair_3"),
    ("repair", "leak", "web", "emergency", "emergency_repair right_to_repair_1"),
    ("repair", "toilet", "web", "urgent", "routine_repair"),
    ("repair", "damp_mould", "sms", "routine", "routine_repair text_response damp_investigation"),
    ("enquiry", "general", "web", "routine", "phone_enquiry full_reply"),
    ("enquiry", "general", "sms", "routine", "text_response full_reply"),
    ("enquiry", "general", "whatsapp", "routine", "social_response full_reply"),
    ("enquiry", "general", "email", "routine", "written_response full_reply"),
    ("complaint", "general", "telegram", "routine", "complaint_acknowledgement complaint_decision social_response"),
    ("complaint", "repairs", "web", "routine", "complaint_acknowledgement complaint_decision"),
    ("service_request", "subject_access", "web", "routine", "subject_access information_acknowledgement"),
    (
        "service_request",
        "freedom_of_information",
        "web",
        "routine",
        "freedom_of_information information_acknowledgement",
    ),
    ("service_request", "data_protection_complaint", "web", "routine", "data_protection_complaint"),
    ("service_request", "callback", "web", "routine", "callback"),
    ("service_request", "callback", "sms", "routine", "callback text_response"),
    ("service_request", "home_visit", "web", "routine", "home_visit"),
    ("service_request", "format", "terminal", "routine", "format_request"),
    ("service_request", "housing_application", "web", "routine", "housing_application"),
    ("service_request", "office_arrival", "web", "routine", "office_visit"),
    ("service_request", "antisocial_behaviour", "web", "routine", "full_reply"),
    ("service_request", "praise", "web", "routine", "full_reply"),
]

EAST_LOTHIAN = [
    ("repair", "dripping_tap", "sms", "routine", "routine_repair text_response"),
    ("repair", "toilet", "web", "urgent", "urgent_repair"),
    ("repair", "no_power", "telegram", "emergency", "emergency_repair social_response right_to_repair_1"),
    ("repair", "damp_mould", "web", "routine", "routine_repair damp_investigation"),
    ("enquiry", "general", "web", "routine", "text_response"),
    ("enquiry", "general", "letter", "routine", "letter_response letter_full_reply"),
    ("complaint", "general", "telegram", "routine", "complaint_decision social_response"),
    ("service_request", "antisocial_behaviour", "web", "routine", "neighbour_complaint_c"),
    ("service_request", "antisocial_behaviour", "sms", "routine", "neighbour_complaint_c text_response"),
    ("service_request", "callback", "web", "routine", "callback"),
    ("service_request", "appointment", "web", "routine", "office_meeting"),
    ("service_request", "statutory_request", "web", "routine", "statutory_request statutory_request_acknowledgement"),
    ("service_request", "appeal", "web", "routine", "appeal_acknowledgement appeal_decision"),
    ("service_request", "consultation", "web", "routine", "consultation_reply"),
    ("service_request", "praise", "web", "routine", "text_response"),
    ("service_request", "subject_access", "web", "routine", "subject_access information_acknowledgement"),
]


@pytest.mark.parametrize(("kind", "category", "channel", "priority", "expected"), BERWICKSHIRE)
def test_berwickshire_owes_these_when_a_case_opens(berwickshire, kind, category, channel, priority, expected):
    assert owed(berwickshire, kind, category, channel, priority) == set(expected.split())


@pytest.mark.parametrize(("kind", "category", "channel", "priority", "expected"), EAST_LOTHIAN)
def test_east_lothian_owes_these_when_a_case_opens(east_lothian, kind, category, channel, priority, expected):
    assert owed(east_lothian, kind, category, channel, priority) == set(expected.split())


@pytest.mark.parametrize("grade", ["a", "b", "c"])
def test_antisocial_behaviour_is_answered_by_its_grade(east_lothian, grade):
    found = owed(east_lothian, "service_request", "antisocial_behaviour", "web", severity=grade)
    assert found == {f"neighbour_complaint_{grade}"}


@pytest.mark.parametrize("category", sorted(SERVICE_REQUESTS))
@pytest.mark.parametrize("channel_class", sorted(CHANNEL_CLASSES))
def test_every_service_request_starts_a_clock_on_every_kind_of_channel(policy, category, channel_class):
    assert policy.opening_commitments(kind="service_request", category=category, channel_class=channel_class)


def test_every_repair_starts_a_clock_with_its_own_priority(policy):
    for category in policy.repairs:
        assert owed(policy, "repair", category, "web", policy.priority(category)), category


def test_clocks_that_start_on_an_event_do_not_start_when_a_case_opens(policy):
    for kind in ("repair", "complaint", "enquiry"):
        for channel_class in CHANNEL_CLASSES:
            found = policy.opening_commitments(kind=kind, category="damp_mould", channel_class=channel_class)
            assert not [rule.id for rule in found if rule.event]


def test_a_rule_is_not_owed_before_it_is_in_force(policy):
    def on(day: date) -> set[str]:
        found = policy.opening_commitments(kind="repair", category="damp_mould", channel_class="live", on=day)
        return {rule.id for rule in found}

    assert "damp_investigation" not in on(date(2026, 10, 5))
    assert "damp_investigation" in on(date(2026, 10, 6))


def test_the_strictest_clock_leads(berwickshire):
    clocks = berwickshire.opening_clocks(
        kind="repair", category="extractor_fan", channel_class="text", received=local("2026-11-23T10:00")
    )
    assert [clock.commitment for clock in clocks] == ["text_response", "routine_repair", "right_to_repair_7"]


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("sms", "text"),
        ("whatsapp", "social"),
        ("telegram", "social"),
        ("web", "live"),
        ("terminal", "live"),
        ("email", "written"),
    ],
)
def test_channels_have_their_class(policy, channel, expected):
    assert policy.channel_class(channel) == expected


def test_every_channel_of_the_product_has_a_class(policy):
    assert all(policy.channel_class(channel) in CHANNEL_CLASSES for channel in ChannelName)


QUALIFYING = {
    1: "blocked_flue foul_drain blocked_sink no_power insecure_door_window unsafe_path_step leak flooding gas_supply_lost "
    "no_heating no_hot_water partial_heating only_toilet unsafe_electrics no_water",
    3: "partial_power partial_water loose_banister unsafe_floor_stairs",
    7: "extractor_fan",
}


def test_qualifying_repairs_are_those_of_the_regulations(policy):
    expected = {category: days for days, categories in QUALIFYING.items() for category in categories.split()}
    assert {c: policy.qualifying_days(c) for c in policy.repairs if policy.qualifying_days(c)} == expected


def test_heating_that_is_partly_lost_qualifies_unless_the_tenant_has_other_heating(policy):
    def on(answers: dict[str, str]) -> bool:
        found = policy.opening_commitments(
            kind="repair", category="partial_heating", channel_class="live", priority="urgent", answers=answers
        )
        return "right_to_repair_1" in {rule.id for rule in found}

    assert on({})
    assert on({"other_heating": "no"})
    assert not on({"other_heating": "yes"})


def test_flows_and_policies_know_the_same_categories_of_repair():
    flows = yaml.safe_load((Path(__file__).parents[3] / "nlu_data" / "repairs.yml").read_text(encoding="utf-8"))
    assert flows["categories"].keys() == REPAIR_CATEGORIES


def test_what_is_no_repair_never_qualifies(policy):
    assert policy.qualifying_days("general") is None


def test_alarms_are_never_routine(policy):
    assert policy.priority("smoke_alarm") == policy.priority("co_alarm") == "urgent"


def test_berwickshires_own_list_of_emergencies_is_marked(berwickshire):
    listed = {c for c, repair in berwickshire.repairs.items() if "2021 list" in (repair.unverified or "")}
    assert listed >= {"no_power", "partial_power", "blocked_sink", "roof_leak", "partial_water", "insecure_door_window"}
    assert all(berwickshire.priority(category) == "emergency" for category in listed)


def test_only_a_verified_number_is_given(berwickshire, east_lothian):
    assert berwickshire.phone(local("2026-11-23T10:00")).number == "0800 652 8104"
    assert berwickshire.phone(local("2026-11-23T23:00")).number == "0800 652 8104"
    assert berwickshire.office_phone is not None
    assert not berwickshire.office_phone.verified
    assert east_lothian.phone(local("2026-11-23T10:00")) is None
    assert east_lothian.emergency_phone is None


def test_the_office_number_is_given_while_the_office_is_open(berwickshire):
    confirmed = replace(
        berwickshire, office_phone=Phone("01632 960000", "office", verified=True, source="the association")
    )
    assert confirmed.phone(local("2026-11-23T10:00")).number == "01632 960000"
    assert confirmed.phone(local("2026-11-23T18:00")).number == "0800 652 8104"


def test_no_web_address_is_given_that_nobody_stands_by(policy):
    assert policy.privacy_url is None
    assert policy.complaints_url is None


def test_the_ombudsman_can_be_named(policy):
    assert (policy.ombudsman.phone, policy.ombudsman.verified) == ("0800 377 7330", True)
    assert policy.advocacy.name == "Citizens Advice Scotland"
    assert policy.complaint_handler is None


@pytest.mark.parametrize(
    ("kind", "category", "team"),
    [
        ("repair", "leak", "repairs"),
        ("complaint", "repairs", "complaints"),
        ("service_request", "gas_safety", "repairs"),
        ("service_request", "subject_access", "information"),
        ("service_request", "antisocial_behaviour", "housing"),
        ("service_request", "praise", "customer_service"),
        ("enquiry", "general", "customer_service"),
        ("something new", "unheard of", "customer_service"),
    ],
)
def test_every_case_has_a_team(policy, kind, category, team):
    assert policy.team(kind, category).name == team


def test_the_on_call_ladder_climbs_at_5_10_20_and_30_minutes(policy):
    assert [rung.until_minutes for rung in policy.ladder] == [5, 10, 20, 30]


@pytest.mark.parametrize(
    ("week", "words"),
    [
        ((NINE_TO_FIVE,) * 5 + ((),) * 2, "Monday to Friday, 9am to 5pm"),
        (
            ((Period(time(8, 30), time(16, 30)),),) * 4 + ((Period(time(8, 30), time(16)),),) + ((),) * 2,
            "Monday to Thursday, 8:30am to 4:30pm; Friday, 8:30am to 4pm",
        ),
        (
            (
                NINE_TO_FIVE,
                (),
                NINE_TO_FIVE,
                NINE_TO_FIVE,
                (),
                (Period(time(9), time(12)), Period(time(13), time(17))),
                (),
            ),
            "Monday, 9am to 5pm; Wednesday and Thursday, 9am to 5pm; Saturday, 9am to 12pm and 1pm to 5pm",
        ),
    ],
)
def test_opening_hours_are_told_in_words(berwickshire, week, words):
    assert replace(berwickshire, calendar=office(week=week)).hours_in_words() == words
