"""Training the classifier from a project's examples. The only module that needs scikit-learn, and imports it late."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bot.dialogue.errors import ModelError
from bot.dialogue.features import BLOCKS, WEIGHTS, Lexicon, features, lexicon_files, load_lexicon
from bot.dialogue.project import OUT_OF_SCOPE, Example, Project

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT: Final = 1
"""Raised when the file's form or the features change, so that an old file is never read as a new one."""

_FOLDS: Final = 4
_REGULARISATION: Final = 0.5
_COST_OF_A_WRONG_INTENT: Final = 0.25
"""Against 1 gained by a right one: asking again costs a tenant less than an answer to another question."""
_FEWEST_KEPT: Final = 0.95
"""Of the examples that are understood rightly, the share that thresholds must let through."""
_SEED: Final = 20


def model_path(nlu_data: Path, folder: Path) -> Path:
    """Where the model of these examples and lexicons lies: the name holds their hash, so a change is a new file."""
    return folder / f"nlu-{content_hash(nlu_data)}.npz"


def content_hash(nlu_data: Path) -> str:
    """A hash of everything that the model is made from: the examples, the lexicons, the code that reads features."""
    digest = hashlib.sha256(f"format {FORMAT}".encode())
    files = [*sorted((nlu_data / "nlu").glob("*.yml")), *lexicon_files(nlu_data)]
    code = Path(__file__).parent
    for file in [*files, code / "features.py", code / "training.py"]:
        digest.update(f"\0{file.name}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Report:
    """What a training run found, measured on examples that the measured model had not seen."""

    examples: int
    intents: int
    accuracy: float
    threshold: float

    def __str__(self) -> str:
        return (
            f"{self.examples} examples of {self.intents} intents; "
            f"{self.accuracy:.1%} right on examples not seen, sure from {self.threshold:.2f}"
        )


def train(project: Project, out_path: Path) -> Report:
    """Fit the classifier and write it to `out_path` (`.npz`, with its description beside it as `.json`).

    Raises ModelError when scikit-learn is missing or the examples are too few.
    """
    return train_examples(project.examples, load_lexicon(project.root), out_path)


def train_examples(examples: Sequence[Example], lexicon: Lexicon, out_path: Path) -> Report:
    """As `train`, from examples and a lexicon at hand."""
    texts, intents = _distinct(examples)
    if len(set(intents)) < 2 or min(intents.count(name) for name in set(intents)) < 2:
        raise ModelError("training needs two intents or more, with two examples each")
    counted = [features(text, lexicon) for text in texts]
    scores = _out_of_fold(counted, intents)
    labels = sorted(set(intents))
    truth = np.array([labels.index(name) for name in intents])
    temperature = _temperature(scores, truth)
    chances = _softmax(scores / temperature)
    threshold, margin = _thresholds(chances, truth, labels)
    pipeline = fit(counted, intents)
    description = {
        "format": FORMAT,
        "intents": labels,
        "temperature": temperature,
        "threshold": threshold,
        "margin": margin,
        "examples": len(texts),
        "concepts": lexicon.concepts,
    }
    _write(pipeline, description, out_path)
    return Report(len(texts), len(labels), float((scores.argmax(axis=1) == truth).mean()), threshold)


def _distinct(examples: Sequence[Example]) -> tuple[list[str], list[str]]:
    chosen: dict[str, str] = {}
    for example in examples:
        chosen.setdefault(example.text, example.intent)
    return list(chosen), list(chosen.values())


def fit(counted: Sequence[Sequence[Sequence[str]]], intents: Sequence[str]) -> Any:
    """scikit-learn's own pipeline over our features: TF-IDF for each block, one linear classifier.

    A linear support vector machine: on these examples as good as logistic regression (within half a point) and fitted
    in a second instead of half a minute. Its scores become probabilities through the temperature.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import FeatureUnion, Pipeline
        from sklearn.svm import LinearSVC
    except ImportError as error:
        raise ModelError("training needs scikit-learn: pip install 'doorstep[dev]'") from error
    blocks = [
        (name, TfidfVectorizer(analyzer=_Block(index), sublinear_tf=True, min_df=1))
        for index, name in enumerate(BLOCKS)
        if any(row[index] for row in counted)
    ]
    pipeline = Pipeline(
        [
            ("features", FeatureUnion(blocks, transformer_weights={name: WEIGHTS[name] for name, _ in blocks})),
            ("linear", LinearSVC(C=_REGULARISATION, class_weight="balanced", random_state=_SEED)),
        ]
    )
    pipeline.fit(counted, list(intents))
    return pipeline


class _Block:
    """Hands one block of counted features to a vectoriser."""

    def __init__(self, index: int) -> None:
        self._index = index

    def __call__(self, counted: Sequence[Sequence[str]]) -> Sequence[str]:
        return counted[self._index]


def _out_of_fold(counted: Sequence[Any], intents: Sequence[str]) -> "NDArray[np.float64]":
    """Scores of every example by a model that never saw it: the only honest ground for temperature and thresholds."""
    labels = sorted(set(intents))
    order = np.random.default_rng(_SEED).permutation(len(intents))
    fold_of = np.zeros(len(intents), dtype=int)
    for label in labels:  # each intent is spread evenly, so that every fold has seen all of them
        members = [index for index in order.tolist() if intents[index] == label]
        fold_of[members] = np.arange(len(members)) % _FOLDS
    scores = np.zeros((len(intents), len(labels)))
    for fold in range(_FOLDS):
        inside, outside = np.flatnonzero(fold_of != fold).tolist(), np.flatnonzero(fold_of == fold).tolist()
        if not outside:
            continue
        model = fit([counted[index] for index in inside], [intents[index] for index in inside])
        found = model.decision_function([counted[index] for index in outside])
        if found.ndim == 1:
            found = np.stack([-found, found], axis=1) / 2
        columns = [labels.index(name) for name in model.classes_]
        for column, score in zip(columns, found.T, strict=True):
            scores[outside, column] = score
    return scores


def _temperature(scores: "NDArray[np.float64]", truth: "NDArray[np.int64]") -> float:
    """What to divide scores by so that a confidence of 0.8 is right in 8 cases of 10."""

    def loss(log_temperature: float) -> float:
        chances = _softmax(scores / np.exp(log_temperature))
        return float(-np.log(chances[np.arange(len(truth)), truth] + 1e-12).mean())

    low, high = -3.0, 3.0
    ratio = (5**0.5 - 1) / 2
    for _ in range(60):
        one, other = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, other) if loss(one) < loss(other) else (one, high)
    return float(np.exp((low + high) / 2))


def _thresholds(
    chances: "NDArray[np.float64]", truth: "NDArray[np.int64]", labels: Sequence[str]
) -> tuple[float, float]:
    """Below which confidence, and below which lead over the second, an intent is not to be believed.

    The pair that serves best on examples not seen, where a wrong intent costs and "not understood" does not.
    """
    ranked = np.sort(chances, axis=1)
    best, lead = ranked[:, -1], ranked[:, -1] - ranked[:, -2]
    right = chances.argmax(axis=1) == truth
    outside = np.array([labels[index] == OUT_OF_SCOPE for index in truth])
    says_outside = np.array([labels[index] == OUT_OF_SCOPE for index in chances.argmax(axis=1)])
    understood = right & ~outside
    chosen, highest = (0.0, 0.0), -np.inf
    for confidence in np.linspace(0.0, 0.6, 31):
        for margin in np.linspace(0.0, 0.3, 16):
            believed = (best >= confidence) & (lead >= margin)
            if understood.any() and (believed & understood).sum() < _FEWEST_KEPT * understood.sum():
                continue
            gained = (believed & right).sum() + (~believed & outside).sum()
            lost = (believed & ~right & ~says_outside).sum()
            gain = float(gained - _COST_OF_A_WRONG_INTENT * lost)
            if gain > highest:
                chosen, highest = (float(confidence), float(margin)), gain
    return chosen


def _softmax(scores: "NDArray[np.float64]") -> "NDArray[np.float64]":
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _write(pipeline: Any, description: Mapping[str, Any], out_path: Path) -> None:
    linear = pipeline["linear"]
    weights, bias = linear.coef_.T, linear.intercept_
    if weights.shape[1] == 1:  # two intents: one column of scores stands for both
        weights, bias = np.hstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    names: list[list[str]] = []
    idf: list[Any] = []
    for name in BLOCKS:
        vectorizer = dict(pipeline["features"].transformer_list).get(name)
        names.append([] if vectorizer is None else list(vectorizer.get_feature_names_out()))
        idf.append(np.zeros(0) if vectorizer is None else vectorizer.idf_)
    out_path.parent.mkdir(parents=True, exist_ok=True)
    partial = out_path.with_suffix(".partial.npz")
    np.savez_compressed(
        partial,
        weights=weights.astype(np.float32),
        bias=bias.astype(np.float32),
        idf=np.concatenate(idf).astype(np.float32),
        sizes=np.array([len(block) for block in names]),
        names=np.frombuffer("\n".join(name for block in names for name in block).encode(), dtype=np.uint8),
    )
    out_path.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    partial.replace(out_path)
