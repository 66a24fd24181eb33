"""Training the model from a project's examples. The only module that needs scikit-learn, and imports it late."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from bot.learning.danger import PART_DOUBT, presence
from bot.learning.errors import ModelError
from bot.learning.features import BLOCKS, WEIGHTS, Lexicon, features, lexicon_files, parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT: Final = 4
"""Raised when the file's form or the features change, so that an old file is never read as a new one."""

OUTSIDE: Final = "out_of_scope"
"""The intent of what has none of ours: to take something for it costs less than any other mistake."""
NO_HAZARD: Final = "none"
_PRESENT: Final = frozenset({"danger", "emergency"})

_FOLDS: Final = 4
_REGULARISATION: Final = 0.5
_FEWEST_WITH: Final = {"words": 1, "letters": 2, "concepts": 2, "signs": 2}
"""A feature that fewer examples have is left out: it makes the file larger and nothing better."""
_DANGER_EMPHASIS: Final = {"signs": 2.0}
"""For danger the concepts of triage tell more than for an intent."""
_COST_OF_A_WRONG_INTENT: Final = 0.25
"""Against 1 gained by a right one: asking again costs a tenant less than an answer to another question."""
_FEWEST_KEPT: Final = 0.95
"""Of the examples that are understood rightly, the share that thresholds must let through."""
_FALSE_ALARMS: Final = 0.021
"""The share of harmless examples that may be taken for a danger by the model alone. Many of them were written to sound like
one: of everyday messages it is a smaller share."""
_FALSE_ALARMS_IF_GRAVE: Final = 0.048
_SURE_FALSE_ALARMS: Final = 0.003
_NEEDLESS_ADVICE: Final = 0.07
_THOUGHT_IMPOSSIBLE: Final = 0.12
"""Of the examples of a danger, the share that sounds so little like one that a doubtful sign of the rules is not believed."""
_THOUGHT_IMPOSSIBLE_IF_GRAVE: Final = 0.05
_LIVES_TAKEN_FOR_THINGS: Final = 0.06
"""Of the examples of a danger to life, the share that may be taken for an emergency: between 999 for a burst pipe and a
plumber for a fire, the first is the smaller mistake."""
_DANGER_THRESHOLDS: Final = (
    "present_from", "grave_from", "sure_from", "advice_from", "life_from", "possible_from", "possible_if_grave_from",
)  # fmt: skip
_SEED: Final = 20


class Labelled(Protocol):
    """An example: what was written, what it is for, and in `metadata` its `urgency` and `hazard` if it tells of one."""

    @property
    def text(self) -> str: ...
    @property
    def intent(self) -> str: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...


def model_path(nlu_data: Path, folder: Path) -> Path:
    """Where the model of these examples, words and rules lies: the name holds their hash, so a change is a new file."""
    return folder / f"nlu-{content_hash(nlu_data)}.npz"


def content_hash(nlu_data: Path) -> str:
    """A hash of everything that the model is made from: the examples, the lexicons, the rules whose concepts are features,
    and the code that reads features."""
    digest = hashlib.sha256(f"format {FORMAT}".encode())
    rules = [file for file in (nlu_data / "hazards.yml",) if file.is_file()]
    code = Path(__file__).parent
    triage = code.parent / "triage"
    readers = [
        code / "danger.py",
        code / "features.py",
        code / "training.py",
        triage / "text.py",
        triage / "vocabulary.py",
    ]
    for file in [*sorted((nlu_data / "nlu").glob("*.yml")), *lexicon_files(nlu_data), *rules, *readers]:
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
    dangers_seen: float
    """Of the examples of a danger or emergency, the share that the model alone sees at its share of false alarms."""

    def __str__(self) -> str:
        return (
            f"{self.examples} examples of {self.intents} intents; on examples not seen {self.accuracy:.1%} right, "
            f"sure from {self.threshold:.2f}; dangers seen without the rules {self.dangers_seen:.1%}"
        )


def train_examples(
    examples: Sequence[Labelled],
    lexicon: Lexicon,
    out_path: Path,
    signs: Callable[[str], Sequence[str]] = lambda _text: (),
) -> Report:
    """Fit the model and write it to `out_path` (`.npz`, with its description beside it as `.json`). `signs` gives the
    concepts that triage finds in a text.

    Raises ModelError when scikit-learn is missing or the examples are too few.
    """
    chosen = list({example.text: example for example in reversed(examples)}.values())[::-1]
    intents = [example.intent for example in chosen]
    if len(set(intents)) < 2 or min(intents.count(name) for name in set(intents)) < 2:
        raise ModelError("training needs two intents or more, with two examples each")
    counted = [features(example.text, lexicon, signs(example.text)) for example in chosen]
    labels = sorted(set(intents))
    truth = np.array([labels.index(name) for name in intents])
    in_parts = [[features(part, lexicon, signs(part)) for part in parts(example.text)] for example in chosen]
    dangers = _Dangers(chosen, counted, in_parts)
    scores, suspicions = _out_of_fold(counted, truth, dangers)
    temperature = _temperature(scores, truth)
    threshold, margin = _thresholds(_softmax(scores / temperature), truth, labels)
    vectoriser = vectorise(counted)
    columns = [fit(vectoriser, counted, truth), *dangers.fit(vectoriser, range(len(chosen)))]
    description = {
        "format": FORMAT,
        "intents": labels,
        "hazards": dangers.hazards,
        "matters": len(dangers.matters),
        "temperature": temperature,
        "threshold": threshold,
        "margin": margin,
        **dangers.thresholds(suspicions),
        "examples": len(chosen),
        "concepts": lexicon.concepts,
    }
    _write(vectoriser, columns, description, out_path)
    accuracy = float((scores.argmax(axis=1) == truth).mean())
    return Report(len(chosen), len(labels), accuracy, threshold, dangers.seen(suspicions))


def vectorise(counted: Sequence[Sequence[Sequence[str]]]) -> Any:
    """scikit-learn's own TF-IDF for each block of our features, fitted."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import FeatureUnion
    except ImportError as error:
        raise ModelError("training needs scikit-learn: pip install 'doorstep[dev]'") from error
    most = [
        max(Counter(name for row in counted for name in set(row[index])).values(), default=0)
        for index in range(len(BLOCKS))
    ]
    blocks = [
        (name, TfidfVectorizer(analyzer=_Block(index), sublinear_tf=True, min_df=min(_FEWEST_WITH[name], most[index])))
        for index, name in enumerate(BLOCKS)
        if most[index]
    ]
    union = FeatureUnion(blocks, transformer_weights={name: WEIGHTS[name] for name, _ in blocks})
    return union.fit(counted)


def fit(
    vectoriser: Any,
    counted: Sequence[Sequence[Sequence[str]]],
    truth: "NDArray[Any]",
    emphasis: Mapping[str, float] | None = None,
) -> Any:
    """scikit-learn's own linear classifier over the vectorised examples, with the blocks of `emphasis` made longer.

    A linear support vector machine: on these examples as good as logistic regression (within half a point) and fitted
    in seconds instead of half a minute. Its scores become probabilities through the temperature.
    """
    from sklearn.svm import LinearSVC

    known = vectoriser.transform(counted)
    scale = np.concatenate(
        [np.full(len(block.idf_), (emphasis or {}).get(name, 1.0)) for name, block in vectoriser.transformer_list]
    )
    linear = LinearSVC(C=_REGULARISATION, class_weight="balanced", random_state=_SEED)
    linear.fit(known.multiply(scale[np.newaxis, :]).tocsr(), truth)
    linear.coef_ = linear.coef_ * scale  # so that it scores features as they are, emphasis included
    return linear


class _Block:
    """Hands one block of counted features to a vectoriser."""

    def __init__(self, index: int) -> None:
        self._index = index

    def __call__(self, counted: Sequence[Sequence[str]]) -> Sequence[str]:
        return counted[self._index]


class _Dangers:
    """The second question: does an example tell of a danger, of which, and is it one to life?

    It is asked of all matters at once: an example's class is its hazard, or else its intent. Told apart from thirty
    definite other matters, a danger is seen better than against one great "no danger". The parts of harmless examples
    are learned as harmless too, since messages are read in parts.
    """

    def __init__(self, examples: Sequence[Labelled], counted: Sequence[Any], in_parts: Sequence[Sequence[Any]]) -> None:
        self._counted = counted
        self._in_parts = in_parts
        urgency = [example.metadata.get("urgency", "none") for example in examples]
        named = [example.metadata.get("hazard", NO_HAZARD) for example in examples]
        self.present = np.array([each in _PRESENT for each in urgency])
        self.life = np.array([each == "danger" for each in urgency])
        found = {hazard for hazard, here in zip(named, self.present, strict=True) if here}
        known = len(found) > 1 and self.life.any() and not self.life.all()
        self.matters = sorted(found) + sorted({example.intent for example in examples}) if known else []
        self.hazards = self.matters[: len(found)] if known else []
        if known:
            self._matter = np.array(
                [
                    self.matters.index(hazard) if here else self.matters.index(example.intent, len(found))
                    for example, hazard, here in zip(examples, named, self.present, strict=True)
                ]
            )

    def fit(self, vectoriser: Any, inside: Iterable[int]) -> list[Any]:
        """Models for: to life or not, and which matter; none where the examples know no two hazards."""
        if not self.hazards:
            return []
        rows = [
            (index, each)
            for index in inside
            for each in (self._counted[index], *(() if self.present[index] else self._in_parts[index]))
        ]
        which, known = [index for index, _ in rows], [each for _, each in rows]
        return [
            fit(vectoriser, known, self.life[which], _DANGER_EMPHASIS),
            fit(vectoriser, known, self._matter[which], _DANGER_EMPHASIS),
        ]

    def scores(self, vectoriser: Any, inside: list[int], outside: list[int]) -> "NDArray[np.float64]":
        """Two columns, present and to life, for the examples `outside` by a model of those `inside`: of each example and
        its parts, the one that sounds most like danger."""
        best = np.zeros((len(outside), 2))
        if not self.hazards or not self.life[inside].any() or self.life[inside].all():
            return best
        to_life, which = self.fit(vectoriser, inside)
        rows = [
            (row, each, doubt)
            for row, at in enumerate(outside)
            for each, doubt in ((self._counted[at], 0.0), *((part, PART_DOUBT) for part in self._in_parts[at]))
        ]
        asked = vectoriser.transform([each for _, each, _ in rows])
        life = to_life.decision_function(asked)
        scores = np.full((len(rows), len(self.matters)), -3.0)
        scores[:, which.classes_] = which.decision_function(asked)
        best[:, 0] = -np.inf
        for (row, _, doubt), present, each in zip(rows, presence(scores, len(self.hazards)), life, strict=True):
            if present - doubt > best[row, 0]:
                best[row] = present - doubt, each
        return best

    def thresholds(self, scores: "NDArray[np.float64]") -> dict[str, float]:
        """From which score on a danger is believed, is certain, is worth advice, and is one to life."""
        if not self.hazards:
            return dict.fromkeys(_DANGER_THRESHOLDS, float("inf"))
        harmless = scores[~self.present, 0]
        return {
            "present_from": float(np.quantile(harmless, 1 - _FALSE_ALARMS)),
            "grave_from": float(np.quantile(harmless, 1 - _FALSE_ALARMS_IF_GRAVE)),
            "sure_from": float(np.quantile(harmless, 1 - _SURE_FALSE_ALARMS)),
            "advice_from": float(np.quantile(harmless, 1 - _NEEDLESS_ADVICE)),
            "life_from": float(np.quantile(scores[self.life, 1], _LIVES_TAKEN_FOR_THINGS)),
            "possible_from": float(np.quantile(scores[self.present, 0], _THOUGHT_IMPOSSIBLE)),
            "possible_if_grave_from": float(np.quantile(scores[self.present, 0], _THOUGHT_IMPOSSIBLE_IF_GRAVE)),
        }

    def seen(self, scores: "NDArray[np.float64]") -> float:
        if not self.hazards:
            return float("nan")
        return float((scores[self.present, 0] >= self.thresholds(scores)["present_from"]).mean())


def _out_of_fold(
    counted: Sequence[Any], truth: "NDArray[np.int64]", dangers: _Dangers
) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Scores of every example by a model that never saw it: the only honest ground for temperature and thresholds."""
    size = int(truth.max()) + 1
    order = np.random.default_rng(_SEED).permutation(len(truth))
    fold_of = np.zeros(len(truth), dtype=int)
    for label in range(size):  # each intent is spread evenly, so that every fold has seen all of them
        members = [index for index in order.tolist() if truth[index] == label]
        fold_of[members] = np.arange(len(members)) % _FOLDS
    scores, suspicions = np.zeros((len(truth), size)), np.zeros((len(truth), 2))
    for fold in range(_FOLDS):
        inside, outside = np.flatnonzero(fold_of != fold).tolist(), np.flatnonzero(fold_of == fold).tolist()
        if not outside:
            continue
        vectoriser = vectorise([counted[index] for index in inside])
        model = fit(vectoriser, [counted[index] for index in inside], truth[inside])
        found = model.decision_function(vectoriser.transform([counted[index] for index in outside]))
        if found.ndim == 1:
            found = np.stack([-found, found], axis=1) / 2
        scores[np.ix_(outside, model.classes_)] = found
        suspicions[outside] = dangers.scores(vectoriser, inside, outside)
    return scores, suspicions


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
    outside = np.array([labels[index] == OUTSIDE for index in truth])
    says_outside = np.array([labels[index] == OUTSIDE for index in chances.argmax(axis=1)])
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


def _write(vectoriser: Any, models: Sequence[Any], description: Mapping[str, Any], out_path: Path) -> None:
    weights, bias = (
        np.hstack([_columns(model)[0] for model in models]),
        np.concatenate([_columns(model)[1] for model in models]),
    )
    names: list[list[str]] = []
    idf: list[Any] = []
    for name in BLOCKS:
        block = dict(vectoriser.transformer_list).get(name)
        names.append([] if block is None else list(block.get_feature_names_out()))
        idf.append(np.zeros(0) if block is None else block.idf_)
    out_path.parent.mkdir(parents=True, exist_ok=True)
    # Under names of this process's own, then moved into place: two that train at once do not write into each other's file,
    # and whoever reads finds a whole one. The array file comes last: where it is, its description is.
    partial = out_path.with_suffix(f".{os.getpid()}.partial.npz")
    described = out_path.with_suffix(f".{os.getpid()}.partial.json")
    np.savez(  # not compressed: it is read at every start
        partial,
        weights=weights.astype(np.float32),
        bias=bias.astype(np.float32),
        idf=np.concatenate(idf).astype(np.float32),
        sizes=np.array([len(block) for block in names]),
        names=np.frombuffer("\n".join(name for block in names for name in block).encode(), dtype=np.uint8),
    )
    described.write_text(json.dumps(description) + "\n", encoding="utf-8")
    described.replace(out_path.with_suffix(".json"))
    partial.replace(out_path)


def _columns(model: Any) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Weights and bias with one column for each class; of a yes-or-no question the one column that says yes."""
    weights, bias = model.coef_.T, model.intercept_
    if weights.shape[1] == 1 and not np.issubdtype(model.classes_.dtype, np.bool_):
        return np.hstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return weights, bias
