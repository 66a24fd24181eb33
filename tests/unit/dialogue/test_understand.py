"""`doorstep train` and `doorstep understand` keep to their published form."""

import argparse
import io
import json
import shutil
from pathlib import Path

import pytest

from bot.cli import nlu
from bot.messages import NO_DANGER, Assessment, Understanding, Urgency

NLU_DATA = Path(__file__).parents[3] / "nlu_data"
PROJECT = Path(__file__).parent / "project"
KEYS = ["text", "intent", "confidence", "ranking", "urgency", "hazard", "advice", "evidence", "language", "entities"]


class Says:
    """A classifier or a triage that always says the same."""

    def __init__(self, answer):
        self.answer = answer

    def classify(self, text):
        return self.answer

    def assess(self, text, previous=None):
        return self.answer


def described(intent, urgency=Urgency.NONE, hazard="none", advice=False):
    understanding = Understanding(intent, 0.7, ((intent, 0.7), ("greet", 0.2), ("thank", 0.1)), {"room": "kitchen"})
    assessment = Assessment(urgency, hazard, advice, ("smell gas",), language="en")
    return nlu.describe("some words", Says(understanding), Says(assessment))


def test_the_object_has_its_keys_in_order():
    assert list(described("greet")) == KEYS


@pytest.mark.parametrize(
    ("intent", "urgency", "hazard", "expected"),
    [
        ("report_repair", Urgency.NONE, "none", ("report_repair", "routine")),
        ("check_progress", Urgency.NONE, "none", ("check_progress", "none")),
        ("report_repair", Urgency.DANGER, "gas_leak", ("report_repair", "danger")),
        ("make_complaint", Urgency.EMERGENCY, "no_heating", ("make_complaint", "emergency")),
        ("out_of_scope", Urgency.EMERGENCY, "flooding", ("report_repair", "emergency")),
        ("out_of_scope", Urgency.NONE, "none", ("out_of_scope", "none")),
        ("report_repair", Urgency.DANGER, "domestic_abuse", ("safeguarding", "danger")),
        ("make_enquiry", Urgency.NONE, "self_harm", ("make_enquiry", "none")),  # told of the past, or asked about
    ],
)
def test_triage_outranks_the_classifier(intent, urgency, hazard, expected):
    found = described(intent, urgency, hazard)
    assert (found["intent"], found["urgency"]) == expected
    assert found["hazard"] == hazard


def test_every_line_gets_one_line_even_an_empty_one():
    out = io.StringIO()
    classifier = Says(Understanding("greet", 0.7, (("greet", 0.7),)))
    nlu.answer(["hello\n", "\n", "cześć\r\n"], out, classifier, Says(NO_DANGER))
    assert [json.loads(line)["text"] for line in out.getvalue().splitlines()] == ["hello", "", "cześć"]
    assert "cześć" in out.getvalue()


def test_training_twice_on_the_same_examples_does_nothing(tmp_path, capsys):
    data = tmp_path / "nlu_data"
    shutil.copytree(PROJECT, data)
    for name in ("hazards.yml", "directory.yml"):
        shutil.copy(NLU_DATA / name, data / name)
    for name in ("languages", "lexicons"):
        shutil.copytree(NLU_DATA / name, data / name)
    parser = argparse.ArgumentParser()
    nlu.add_parser(parser.add_subparsers(required=True))

    def train(*options):
        args = parser.parse_args(["train", *options, "--nlu-data", str(data), "--data", str(tmp_path)])
        assert args.run(args) == 0
        return capsys.readouterr().out

    assert "4 examples of 2 intents" in train()
    assert "is up to date" in train()
    assert "4 examples of 2 intents" in train("--force")
