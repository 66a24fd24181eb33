"""Whatever is said, in whatever order: there is an answer, it can be put into words, and the state can be kept."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from play import Told, begin

from bot.dialogue import EmbeddedEngine, load_project
from bot.flows import actions
from bot.messages import Say
from bot.wording import Wording, load_responses, match_choice
from bot.wording.arguments import STANDING

NLU_DATA = Path(__file__).parents[2] / "nlu_data"
PROJECT = load_project(NLU_DATA)
INTENTS = sorted(set(PROJECT.domain.intents) - {"emergency"})
HAZARDS = ["gas_leak", "flooding", "domestic_abuse", "self_harm", "no_heating"]
WORDS = [
    "yes", "no", "1", "2", "aye", "naw, number 14", "14 High Street", "Jean Wilson", "07700 900123", "the kitchen tap drips",
    "dunno", "skip", "why?", "what?", "", "also the window", "it's Main St not High Street", "change", "mould in the bedroom",
    "leccy's aff", "I want to complain about the joiner", "R-4K7M-2QX", "the name", "mornings", "{phone} {x}", "/cancel", "💥",
    "toilet blocked", "never mind", "x" * 400,
]  # fmt: skip

turn = st.tuples(
    st.sampled_from(WORDS), st.sampled_from(INTENTS), st.sampled_from([0.3, 0.65, 1.0]),
    st.sampled_from([*[None] * 12, *HAZARDS]), st.booleans(),
)  # fmt: skip


@pytest.fixture(scope="module")
def told():
    return Told()


@pytest.fixture(scope="module")
def engine(told):
    return EmbeddedEngine(PROJECT, told, actions(NLU_DATA))


@pytest.fixture(scope="module")
def wording():
    named = {f"number_{name}": "111" for name in ("gas", "samaritans", "domestic_abuse", "childline", "emergency")}
    return Wording(load_responses(NLU_DATA / "domain"), dict.fromkeys(STANDING, "something") | named)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(turn, min_size=1, max_size=14), st.sampled_from(["sms", "web"]),
    st.sampled_from([{}, {"contact": {"name": "Jean", "address": "14 High Street"}}]),
)  # fmt: skip
def test_any_conversation_goes_on(engine, told, wording, turns, channel, facts):
    conversation = begin(engine, told, {"channel": channel, **facts})
    offered = ()
    for words, intent, sure, hazard, presses in turns:
        heard = {"tenant": words, "intent": intent, "sure": sure}
        chosen = offered[0].value if presses and offered else match_choice(words, offered)
        heard |= {"choice": chosen} if chosen else {}
        heard |= {"hazard": {"hazard": hazard}} if hazard else {}
        answer = conversation.hear(heard)
        says = [step for step in answer.steps if isinstance(step, Say)]
        assert answer.steps, "met with silence"
        rendered = wording.render_all(says, channel=channel)
        assert rendered.text or not says
        offered = rendered.choices
        json.dumps(answer.state)
