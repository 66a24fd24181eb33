"""Signs that harmless messages show too: advice by themselves, more where the model finds a danger possible."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.learning import Model, Suspicion
from bot.messages import Urgency
from bot.triage import load_triage

NLU_DATA = Path(__file__).parents[3] / "nlu_data"
UNMOVED = Suspicion(
    present=-9.0, life=-9.0, sure=False, worth_advice=False, hazard="fire", evidence=(), possible=False,
    possible_if_grave=False,
)  # fmt: skip


class _Thinks(Model):
    """A model of one opinion."""

    def __init__(self, suspicion):
        self._suspicion = suspicion

    def suspicion(self, text):
        return self._suspicion


@pytest.fixture(scope="module")
def rules():
    return load_triage(NLU_DATA)


def test_a_doubtful_sign_counts_in_full_where_no_model_was_trained(rules):
    assert rules.assess("the pipe burst").urgency is Urgency.EMERGENCY


def test_a_doubtful_sign_that_the_model_finds_impossible_is_worth_advice(rules):
    found = rules.with_model(_Thinks(UNMOVED)).assess("the pipe burst")
    assert (found.urgency, found.hazard, found.advice) == (Urgency.NONE, "flooding", True)


def test_a_doubtful_sign_that_the_model_finds_possible_counts(rules):
    found = rules.with_model(_Thinks(replace(UNMOVED, possible=True))).assess("the pipe burst")
    assert found.urgency is Urgency.EMERGENCY


def test_for_the_gravest_dangers_the_bar_is_lower(rules):
    doubtful = "something is leaking, I think it is the gas escaping"
    assert rules.with_model(_Thinks(UNMOVED)).assess(doubtful).urgency is Urgency.NONE
    grave = rules.with_model(_Thinks(replace(UNMOVED, possible_if_grave=True)))
    assert grave.assess(doubtful).urgency is Urgency.DANGER


@pytest.mark.parametrize(
    "text", ["I can smell gas", "the carbon monoxide alarm is going off", "there are flames", "I want to kill myself"]
)
def test_the_plainest_words_are_never_doubted(text, rules):
    assert rules.with_model(_Thinks(UNMOVED)).assess(text).urgency is Urgency.DANGER
