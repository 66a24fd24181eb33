"""The model as it serves: arrays and a description on disk, numpy alone, a fraction of a millisecond a message."""

import json
import math
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bot.learning.danger import presence
from bot.learning.errors import ModelError
from bot.learning.features import WEIGHTS, Lexicon, features, parts, stem, tokens
from bot.learning.training import FORMAT, model_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

Signs = Callable[[str], Sequence[str]]
"""The concepts that another reader (triage) finds in a text: they are features too."""

GRAVE: Final = frozenset({"gas_leak", "carbon_monoxide", "fire", "self_harm", "domestic_abuse"})
"""Dangers that must never be missed: for them more false alarms are accepted."""
_HOPELESS: Final = 1.5
"""A text that as a whole stays so far below the threshold holds no sentence above it: none of 400 dangers put between two
other sentences did. Its parts are not read."""
_MOST_EVIDENCE: Final = 3


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How much a text sounds like one that tells of a danger, in log-odds over the thresholds."""

    present: float
    """0 where as many harmless examples as allowed would be mistaken for a danger; above it, the danger is believed."""
    life: float
    """Likewise for a danger to life rather than to the home."""
    sure: bool
    """Hardly any harmless example sounds so much like a danger."""
    worth_advice: bool
    """Enough to say something, whether or not it is believed."""
    hazard: str
    """What it would be."""
    evidence: tuple[str, ...]
    """The words that spoke most for it; none where it is not worth advice."""


@dataclass(frozen=True, slots=True)
class _Scores:
    intents: "NDArray[np.float64]"
    present: float
    life: float
    hazards: "NDArray[np.float64]"
    rows: Sequence[int]
    values: Sequence[float]


class Model:
    """Scores of a text. Immutable once loaded, but for remembering the last text: two readers ask about the same."""

    def __init__(
        self, arrays: Mapping[str, Any], description: Mapping[str, Any], lexicon: Lexicon, signs: Signs | None = None
    ) -> None:
        self._weights: NDArray[np.float32] = arrays["weights"]
        self._bias: NDArray[np.float32] = arrays["bias"]
        self._idf: list[float] = arrays["idf"].tolist()
        names = bytes(arrays["names"]).decode().split("\n")
        self._rows: list[dict[str, int]] = []
        start = 0
        for size in arrays["sizes"].tolist():
            self._rows.append(dict(zip(names[start : start + size], range(start, start + size), strict=True)))
            start += size
        self._lexicon = lexicon
        self._signs = signs
        self.intents: tuple[str, ...] = tuple(description["intents"])
        self.hazards: tuple[str, ...] = tuple(description["hazards"])
        self.temperature = float(description["temperature"])
        self.threshold = float(description["threshold"])
        self.margin = float(description["margin"])
        self._present_from = float(description["present_from"])
        self._grave_from = float(description["grave_from"])
        self._sure_from = float(description["sure_from"])
        self._advice_from = float(description["advice_from"])
        self._life_from = float(description["life_from"])
        self._last: tuple[str, _Scores | None] = ("", None)

    @classmethod
    def load(cls, path: Path, signs: Signs | None = None) -> "Model":
        """From the file that `doorstep train` wrote, with the same reader of signs. Raises ModelError."""
        try:
            description = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            if description["format"] != FORMAT:
                raise ModelError(f"{path} was made by another version: run `doorstep train`")
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            return cls(arrays, description, Lexicon(description["concepts"]), signs)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ModelError(f"the trained model {path} cannot be read ({error}): run `doorstep train`") from error

    @classmethod
    def load_for(cls, nlu_data: Path, folder: Path, signs: Signs | None = None) -> "Model":
        """The one made from exactly these examples, words and rules. Raises ModelError if there is none."""
        return cls.load(model_path(nlu_data, folder), signs)

    def chances(self, text: str) -> "NDArray[np.float64] | None":
        """The probability of each intent (in the order of `intents`); None if nothing of the text is known."""
        scores = self._scores(text)
        if scores is None:
            return None
        raised = np.exp((scores.intents - scores.intents.max()) / self.temperature)
        shares: NDArray[np.float64] = raised / raised.sum()
        return shares

    def suspicion(self, text: str) -> Suspicion | None:
        """How much a text, or the part of it that does so most, sounds like danger; None if nothing of it is known or no
        example told of one."""
        whole = self._scores(text)
        if whole is None or not self.hazards:
            return None
        part, scores = text, whole
        worth_reading = whole.present >= self._present_from - _HOPELESS
        for each in parts(text) if worth_reading else ():
            found = self._score(each)
            if found is not None and found.present > scores.present:
                part, scores = each, found
        hazard = self.hazards[int(scores.hazards.argmax())]
        present = scores.present - (self._grave_from if hazard in GRAVE else self._present_from)
        worth_advice = present >= 0 or scores.present >= self._advice_from
        return Suspicion(
            present=present,
            life=scores.life - self._life_from,
            sure=scores.present >= self._sure_from,
            worth_advice=worth_advice,
            hazard=hazard,
            evidence=self._evidence(part, scores) if worth_advice else (),
        )

    def _evidence(self, text: str, scores: _Scores) -> tuple[str, ...]:
        """The words of a text that spoke most for its hazard, in the order they stand."""
        column = len(self.intents) + 1 + int(scores.hazards.argmax())
        weight = {
            row: value * float(self._weights[row, column])
            for row, value in zip(scores.rows, scores.values, strict=True)
        }
        words = tokens(text)
        known = self._rows[0]
        found = {word: weight.get(known.get(stem(word), -1), 0.0) for word in words}
        most = sorted((word for word in found if found[word] > 0), key=lambda word: -found[word])[:_MOST_EVIDENCE]
        return tuple(sorted(most, key=words.index))

    def _scores(self, text: str) -> _Scores | None:
        last, scores = self._last
        if last != text or scores is None:
            scores = self._score(text)
            self._last = (text, scores)
        return scores

    def _score(self, text: str) -> _Scores | None:
        rows: list[int] = []
        values: list[float] = []
        blocks = features(text, self._lexicon, self._signs(text) if self._signs else ())
        for block, known, weight in zip(blocks, self._rows, WEIGHTS.values(), strict=True):
            weighted: list[tuple[int, float]] = []
            square = 0.0
            for name, count in Counter(block).items():
                row = known.get(name)
                if row is not None:
                    value = self._idf[row] if count == 1 else (1.0 + math.log(count)) * self._idf[row]
                    weighted.append((row, value))
                    square += value * value
            scale = weight / math.sqrt(square) if square else 0.0
            for row, value in weighted:
                rows.append(row)
                values.append(value * scale)
        if not rows:
            return None
        found = (np.asarray(values, dtype=np.float32) @ self._weights[rows] + self._bias).astype(np.float64)
        size = len(self.intents)
        if not self.hazards:
            return _Scores(found[:size], 0.0, 0.0, found[size:], rows, values)
        matters = found[size + 1 :]
        present = float(presence(matters, len(self.hazards)))
        return _Scores(found[:size], present, float(found[size]), matters[: len(self.hazards)], rows, values)
