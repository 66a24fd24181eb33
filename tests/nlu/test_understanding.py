"""What is reached on messages that nobody trained on. The floors stand slightly below it: a change for the worse fails.

The texts of the blind set are not shown when a floor is missed, or it would not stay blind.
"""

from pathlib import Path

import pytest

from bench.understanding import blind, developed_with, figures, held_out
from bot.bootstrap import DATA, NLU_DATA
from bot.cli.nlu import describe
from bot.learning import Model, ModelError, Suspicion
from bot.triage import load_triage
from bot.understanding import load_understanding


@pytest.fixture(scope="module")
def understanding():
    try:
        return load_understanding(NLU_DATA, Path(DATA))
    except ModelError:
        pytest.skip("no trained model: run `doorstep train`")


def _shares(messages, understanding):
    pairs = [(wanted, describe(wanted["text"], *understanding)) for wanted in messages]
    return {figure.name: figure.share for figure in figures(pairs)}


AT_LEAST = {
    "blind": {
        "danger seen as danger": 0.96,
        "danger or emergency seen": 0.97,
        "gas, CO, fire, self-harm, abuse seen": 0.97,
        "danger in other languages": 0.95,
        "intent right": 0.92,
        "language right": 0.95,
    },
    "held out": {"danger or emergency seen": 0.89, "intent right": 0.84},
    "dev": {"danger or emergency seen": 0.98, "danger in other languages": 0.97, "intent right": 0.93},
}
AT_MOST = {
    "blind": {"false alarms: ordinary messages": 0.02, "false alarms: look-alikes": 0.09},
    "held out": {"false alarms: ordinary messages": 0.03, "false alarms: look-alikes": 0.11},
    "dev": {"false alarms: ordinary messages": 0.02, "false alarms: look-alikes": 0.09},
}
SETS = {"blind": blind, "held out": held_out, "dev": developed_with}


@pytest.mark.parametrize("name", SETS)
def test_messages_nobody_trained_on_are_understood_as_well_as_before(name, understanding):
    shares = _shares(SETS[name](), understanding)
    short = {figure: shares[figure] for figure, floor in AT_LEAST[name].items() if shares[figure] < floor}
    above = {figure: shares[figure] for figure, ceiling in AT_MOST[name].items() if shares[figure] > ceiling}
    assert (short, above) == ({}, {})


def test_what_the_rules_raise_without_doubt_the_model_never_lowers(understanding):
    _, triage = understanding
    rules = triage.with_model(_Unmoved())
    rank = {"none": 0, "routine": 1, "emergency": 2, "danger": 3}
    for wanted in (*held_out(), *developed_with()):
        alone, together = rules.assess(wanted["text"]), triage.assess(wanted["text"])
        assert rank[together.urgency.value] >= rank[alone.urgency.value], wanted["text"]
        assert together.advice >= alone.advice, wanted["text"]


def test_where_a_doubtful_sign_is_not_believed_advice_is_shown_all_the_same(understanding):
    _, triage = understanding
    rules = load_triage(NLU_DATA)
    for wanted in (*held_out(), *developed_with()):
        if rules.assess(wanted["text"]).advice:
            assert triage.assess(wanted["text"]).advice, wanted["text"]


class _Unmoved(Model):
    """A model to which nothing sounds like danger."""

    def __init__(self):
        pass

    def suspicion(self, text):
        low = -99.0
        return Suspicion(low, low, False, False, "fire", (), False, False)


@pytest.mark.parametrize(
    "text",
    [
        "Hi, I rang on Monday about the gutter and was told somebody would ring back. While I am writing, my wife has been "
        "dizzy and sick since the gas fire went on and it's the same for the wee one. Also the gate is off its hinge.",
        "Sorry to bother you about the rent. I lost my job. I have a load of tablets here and I can't see the point any more. "
        "Can you tell me the balance?",
    ],
)
def test_a_danger_in_the_middle_of_a_letter_is_seen(text, understanding):
    assert describe(text, *understanding)["urgency"] == "danger"


def test_what_the_model_raises_comes_with_the_words_that_did(understanding):
    found = describe("there's a woman slumped in the lift not responding", *understanding)
    assert found["urgency"] == "danger"
    assert found["evidence"]


def test_no_smell_of_gas_is_no_danger(understanding):
    for text in (
        "no smell of gas",
        "there is no gas leak, just a squeaky door",
        "was there ever a gas leak here in 2019",
    ):
        assert describe(text, *understanding)["urgency"] not in {"danger", "emergency"}
