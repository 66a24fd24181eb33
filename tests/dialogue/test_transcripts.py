"""Every flow, in the words of those who use it. Each YAML file beside this one holds transcripts (see `play.py`)."""

from pathlib import Path
from typing import Any

import pytest
from play import Told, begin, faults, load

from bot.dialogue import EmbeddedEngine, load_project
from bot.flows import actions
from bot.messages import SERVICE_REQUESTS, OpenCase, Say
from bot.wording import Wording, load_responses

HERE = Path(__file__).parent
NLU_DATA = HERE.parents[1] / "nlu_data"
TRANSCRIPTS = [
    pytest.param(transcript, id=f"{path.stem}: {about}")
    for path in sorted(HERE.glob("*.yml"))
    for about, transcript in load(path)
]
STANDING = {
    name: f"<{name}>"
    for name in ("association", "short_name", "service_name", "phone", "office_phone", "emergency_phone", "hours",
                 "next_opening", "privacy_url", "complaints_url")
}  # fmt: skip


@pytest.fixture(scope="module")
def project():
    return load_project(NLU_DATA)


@pytest.fixture(scope="module")
def told():
    return Told()


@pytest.fixture(scope="module")
def engine(project, told):
    return EmbeddedEngine(project, told, actions(NLU_DATA))


@pytest.fixture(scope="module")
def wording():
    return Wording(load_responses(NLU_DATA / "domain"), STANDING | numbers())


def numbers() -> dict[str, str]:
    responses = load_responses(NLU_DATA / "domain")
    texts = [variation.text for variations in responses.by_key.values() for variation in variations]
    return {
        part.split("}")[0]: "0800 000 0000"
        for text in texts
        for part in text.split("{")[1:]
        if part.startswith("number_")
    }


@pytest.mark.parametrize("transcript", TRANSCRIPTS)
def test_the_bot_answers_as_written(engine, told, wording, transcript: dict[str, Any]):
    conversation = begin(engine, told, transcript.get("facts"))
    for number, turn in enumerate(transcript["turns"], start=1):
        heard = conversation.hear(turn)
        found = faults(turn, heard)
        assert not found, f"turn {number}, {turn.get('tenant') or turn.get('choice')!r}: " + "; ".join(found)
        says = [step for step in heard.steps if isinstance(step, Say)]
        for channel in ("sms", "web"):
            text = wording.render_all(says, channel=channel).text
            assert text.count("?") <= 6, text


def test_every_kind_of_case_is_reached_by_some_transcript(engine, told):
    opened = set()
    for parameter in TRANSCRIPTS:
        transcript = parameter.values[0]
        conversation = begin(engine, told, transcript.get("facts"))
        for turn in transcript["turns"]:
            for step in conversation.hear(turn).steps:
                if isinstance(step, OpenCase):
                    opened.add(step.category if step.kind == "service_request" else step.kind)
    missing = ({"repair", "complaint", "enquiry"} | SERVICE_REQUESTS) - opened
    assert not missing, f"no transcript opens {sorted(missing)}"


def test_every_question_of_every_form_is_asked_in_some_transcript(project, engine, told):
    asked = set()
    for parameter in TRANSCRIPTS:
        transcript = parameter.values[0]
        conversation = begin(engine, told, transcript.get("facts"))
        for turn in transcript["turns"]:
            state = conversation.hear(turn).state
            if state["loop"]:
                asked.add((state["loop"]["name"], state["slots"]["requested_slot"]))
    wanted = {(form.name, slot) for form in project.domain.forms.values() for slot in form.required_slots}
    assert not wanted - asked, f"no transcript reaches {sorted(wanted - asked)}"


def test_every_intent_ends_in_something_at_the_top_and_in_the_middle_of_every_form(project, engine, told):
    starts = {
        "repair_form": "report_repair", "complaint_form": "make_complaint", "enquiry_form": "make_enquiry",
        "request_form": "request_home_visit", "callback_form": "request_callback", "progress_form": "check_progress",
    }  # fmt: skip
    for intent in project.domain.intents:
        for form, start in {None: None, **starts}.items():
            conversation = begin(engine, told, None)
            if start:
                assert conversation.hear({"choice": f"/{start}"}).state["loop"]["name"] == form
            turn = {"tenant": "some words about this and that", "intent": intent}
            heard = conversation.hear(turn | ({"hazard": {"hazard": "fire"}} if intent == "emergency" else {}))
            assert heard.steps, f"{intent} in {form} is met with silence"
