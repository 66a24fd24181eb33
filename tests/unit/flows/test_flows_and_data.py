"""What the flows say and ask, and what the data declares, fit together."""

import re
from pathlib import Path

import pytest
import yaml

from bot.dialogue import action_faults, load_project
from bot.flows import actions, flows, load_catalogue, load_wishes
from bot.flows.form import Finish
from bot.flows.subjects import KEPT_FOR_LATER, SERVICE_REQUEST_OF, open_kept
from bot.messages import SERVICE_REQUESTS
from bot.wording import load_responses
from bot.wording.render import PLACEHOLDER

ROOT = Path(__file__).parents[3]
NLU_DATA = ROOT / "nlu_data"
COMMITMENTS_AT_OPENING = (
    "emergency_repair routine_repair urgent_repair phone_enquiry callback written_response text_response social_response "
    "voicemail_response letter_response full_reply office_visit office_meeting home_visit complaint_acknowledgement "
    "complaint_decision format_request housing_application subject_access freedom_of_information "
    "information_acknowledgement statutory_request_acknowledgement statutory_request neighbour_complaint_a "
    "neighbour_complaint_b neighbour_complaint_c appeal_acknowledgement appeal_decision consultation_reply "
    "right_to_repair_1 right_to_repair_3 right_to_repair_7 damp_investigation data_protection_complaint progress_update"
)


@pytest.fixture(scope="module")
def project():
    return load_project(NLU_DATA)


@pytest.fixture(scope="module")
def responses():
    return load_responses(NLU_DATA / "domain").by_key


@pytest.fixture(scope="module")
def every_flow():
    return flows(load_catalogue(NLU_DATA / "repairs.yml"), load_wishes(NLU_DATA / "wishes.yml"))


def test_the_project_and_the_actions_fit(project):
    assert action_faults(project, actions(NLU_DATA)) == ()


def test_every_form_asks_for_exactly_what_its_flow_can_read(project, every_flow):
    for flow in every_flow:
        assert set(project.domain.forms[flow.form_name()].required_slots) == set(flow.questions), flow.subject


def test_no_slot_hides_a_standing_placeholder(project, responses):
    standing = {"association", "short_name", "service_name", "phone", "office_phone", "emergency_phone", "hours",
                "next_opening", "privacy_url", "complaints_url", "name", "team", "reference", "due"}  # fmt: skip
    assert not standing & set(project.domain.slots)


def test_every_response_that_a_flow_names_exists(responses):
    named = {
        key
        for path in (ROOT / "bot" / "flows").glob("*.py")
        for key in re.findall(r'"(utter_[a-z_0-9]+)"', path.read_text())
    }
    assert len(named) > 40
    assert not {key for key in named if key not in responses}


def test_every_service_request_has_its_question_its_label_and_its_acknowledgement(responses):
    for category in set(SERVICE_REQUEST_OF.values()) - {"callback", "safeguarding"}:
        assert category == "office_arrival" or f"utter_ask_more_{category}" in responses
        assert f"utter_label_request_{category}" in responses
    for category in SERVICE_REQUESTS:
        assert f"utter_ack_{category}" in responses


def test_every_promise_made_at_opening_has_words(responses):
    assert not [each for each in COMMITMENTS_AT_OPENING.split() if f"utter_promise_{each}" not in responses]


def test_every_hazard_has_a_name_and_a_question(responses):
    hazards = yaml.safe_load((NLU_DATA / "hazards.yml").read_text())["hazards"]
    for hazard in hazards:
        assert f"utter_label_hazard_{hazard}" in responses
        assert f"utter_ask_make_safe_{hazard}" in responses


def test_every_number_that_is_named_is_in_the_directory(responses):
    known = {f"number_{name}" for name in yaml.safe_load((NLU_DATA / "directory.yml").read_text())["numbers"]}
    named = {
        name
        for variations in responses.values()
        for variation in variations
        for name in PLACEHOLDER.findall(variation.text)
        if name.startswith("number_")
    }
    assert named <= known


def test_the_first_message_says_who_we_are_and_whom_to_ring(responses):
    for variation in responses["utter_intro"]:
        assert {"service_name", "privacy_url", "phone"} <= set(PLACEHOLDER.findall(variation.text))
        assert "automated" in variation.text
        assert "staff" in variation.text
        assert "keep" in variation.text


def test_a_call_back_is_promised_for_today_or_the_next_working_day_at_the_latest(responses):
    for key in ("utter_ask_call_about", "utter_read_back_callback"):
        for variation in responses[key]:
            assert "today if we can" in variation.text
            assert "next working day at the latest" in variation.text


def test_every_matter_kept_for_later_becomes_a_case_of_a_known_kind():
    for intent in KEPT_FOR_LATER:
        (opened,) = open_kept([{"intent": intent, "words": "some words"}])
        assert opened.kind in {"repair", "complaint", "enquiry", "service_request"}
        assert opened.kind != "service_request" or opened.category in SERVICE_REQUESTS


def test_a_change_may_only_be_asked_of_what_the_flow_reads(every_flow, responses):
    for flow in every_flow:
        assert set(flow.changeable) <= set(flow.questions)
        if flow.changeable:
            offered = responses[f"utter_ask_{flow.subject}_form_change_which"][0].choices
            assert {choice.value for choice in offered} == set(flow.changeable)


def test_each_form_is_followed_by_its_own_action(every_flow, project):
    for flow in every_flow:
        assert Finish(flow).name() in project.domain.actions
