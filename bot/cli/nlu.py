"""`doorstep train` and `doorstep understand`: build the classifier, and see what the bot makes of a text."""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TextIO

from bot.dialogue import OUT_OF_SCOPE, Classifier, load_examples
from bot.learning import training
from bot.learning.features import load_lexicon
from bot.messages import Assessment, Understanding, Urgency
from bot.triage import Triage, load_triage
from bot.understanding import load_understanding

_NLU_DATA: Final = Path(__file__).parent.parent.parent / "nlu_data"
_DATA: Final = Path("data")
_PEOPLE: Final = frozenset({"self_harm", "domestic_abuse", "child_at_risk", "violence", "medical"})
"""Hazards of a person: what was said is about them, whatever else it is about."""
_SURE: Final = 0.5
"""From here on an intent stands beside an emergency of the home; below, whoever tells of one reports a repair."""
_CERTAIN: Final = 0.75
"""From here on a repair is a repair, though it sounds as if somebody were at risk."""


def add_parser(subparsers: Any) -> None:
    """Add `train` and `understand` to the command's subparsers; the chosen action is `args.run(args)`."""
    train = subparsers.add_parser(
        "train",
        help="build the classifier from nlu_data/ into data/; nothing to do if it is there already",
        description="Builds the classifier from the examples and lexicons of nlu_data/ (docs/dialogue-engine.md).",
    )
    train.add_argument("--force", action="store_true", help="build it even if these examples have been built before")
    train.set_defaults(run=_train)

    understand = subparsers.add_parser(
        "understand",
        help="what the bot makes of a text: one JSON object a line",
        description="Classifies each text, or each line of standard input, and judges its urgency.",
    )
    understand.add_argument("text", nargs="*", metavar="TEXT", help="a text; without any, the lines of standard input")
    understand.set_defaults(run=_understand)
    for parser in (train, understand):
        parser.add_argument("--nlu-data", type=Path, default=_NLU_DATA, help=argparse.SUPPRESS)
        parser.add_argument("--data", type=Path, default=_DATA, help=argparse.SUPPRESS)


def _train(args: argparse.Namespace) -> int:
    path = training.model_path(args.nlu_data, args.data)
    if not args.force and path.is_file() and path.with_suffix(".json").is_file():
        print(f"{path} is up to date")
        return 0
    signs = load_triage(args.nlu_data).concepts
    report = training.train_examples(load_examples(args.nlu_data), load_lexicon(args.nlu_data), path, signs)
    print(f"{path}: {report}")
    return 0


def _understand(args: argparse.Namespace) -> int:
    classifier, triage = load_understanding(args.nlu_data, args.data)
    answer(args.text or sys.stdin, sys.stdout, classifier, triage)
    return 0


def answer(lines: Iterable[str], out: TextIO, classifier: Classifier, triage: Triage) -> None:
    """Write one JSON object for each line as soon as it is read; an empty line is a text too."""
    for line in lines:
        print(json.dumps(describe(line.rstrip("\r\n"), classifier, triage), ensure_ascii=False), file=out, flush=True)


def describe(text: str, classifier: Classifier, triage: Triage) -> dict[str, Any]:
    """What classifier and triage make of a text together, as `doorstep understand` prints it.

    Triage outranks: what it finds present and real sets the urgency, and a person at risk the intent. Without a danger,
    a repair is routine and anything else is none.
    """
    understanding = classifier.classify(text)
    assessment = triage.assess(text)
    intent = _intent(understanding, assessment)
    certain = intent != understanding.intent
    urgency = assessment.urgency
    if urgency not in {Urgency.DANGER, Urgency.EMERGENCY}:
        urgency = Urgency.ROUTINE if intent == "report_repair" else Urgency.NONE
    return {
        "text": text,
        "intent": intent,
        "confidence": 1.0 if certain else understanding.confidence,
        "ranking": [{"intent": name, "confidence": confidence} for name, confidence in understanding.ranking],
        "urgency": urgency.value,
        "hazard": assessment.hazard,
        "advice": assessment.advice,
        "evidence": list(assessment.evidence),
        "language": assessment.language,
        "entities": dict(understanding.entities),
    }


def _intent(understanding: Understanding, assessment: Assessment) -> str:
    if assessment.urgency not in {Urgency.DANGER, Urgency.EMERGENCY}:
        return understanding.intent
    if assessment.hazard in _PEOPLE and not (
        understanding.intent == "report_repair" and understanding.confidence >= _CERTAIN
    ):
        return "safeguarding"
    sure = understanding.confidence >= _SURE and understanding.intent != OUT_OF_SCOPE
    return understanding.intent if sure else "report_repair"
