"""The model as it serves: arrays and a description on disk, numpy alone, a fraction of a millisecond a message."""

import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from bot.learning.danger import PART_DOUBT, odds
from bot.learning.errors import ModelError
from bot.learning.features import Lexicon, parts, tokens
from bot.learning.table import Table, Weighed
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
_TEXTS_KEPT: Final = 256
"""A message is asked about twice, for its danger and its intent, and again with the next; its parts are too."""


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
    possible: bool
    """More like a danger than the few examples of dangers that sound least like one."""
    possible_if_grave: bool
    """Likewise, with a lower bar."""

    def allows(self, hazard: str) -> bool:
        """Whether the text may well tell of this hazard, for whoever has seen signs of it."""
        return self.possible_if_grave if hazard in GRAVE else self.possible


class _Scores(NamedTuple):
    intents: "NDArray[np.float64]"
    present: float
    life: float
    hazards: Sequence[float]
    weighed: Weighed


class Model:
    """Scores of a text. Immutable once loaded, but for remembering the last few texts: two readers ask about the same."""

    def __init__(
        self, arrays: Mapping[str, Any], description: Mapping[str, Any], lexicon: Lexicon, signs: Signs | None = None
    ) -> None:
        self._table = Table(arrays, lexicon)
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
        self._possible_from = float(description["possible_from"])
        self._possible_if_grave_from = float(description["possible_if_grave_from"])
        self._scores = lru_cache(maxsize=_TEXTS_KEPT)(self._score)

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
        part, scores, felt = text, whole, whole.present
        worth_reading = whole.present >= self._present_from - _HOPELESS
        for each in parts(text) if worth_reading else ():
            found = self._scores(each)
            if found is not None and found.present - PART_DOUBT > felt:
                part, scores, felt = each, found, found.present - PART_DOUBT
        hazard = self.hazards[scores.hazards.index(max(scores.hazards))]
        present = felt - (self._grave_from if hazard in GRAVE else self._present_from)
        worth_advice = present >= 0 or felt >= self._advice_from
        return Suspicion(
            present=present,
            life=scores.life - self._life_from,
            sure=felt >= self._sure_from,
            worth_advice=worth_advice,
            hazard=hazard,
            evidence=self._evidence(part, scores) if worth_advice else (),
            possible=felt >= self._possible_from,
            possible_if_grave=felt >= self._possible_if_grave_from,
        )

    def _evidence(self, text: str, scores: _Scores) -> tuple[str, ...]:
        """The words of a text that spoke most for its hazard, in the order they stand."""
        column = len(self.intents) + 1 + scores.hazards.index(max(scores.hazards))
        words = tokens(text)
        counts = dict(zip(scores.weighed.rows.tolist(), scores.weighed.values.tolist(), strict=True))
        found = {word: self._table.weight(word, column, counts) for word in words}
        most = sorted((word for word in found if found[word] > 0), key=lambda word: -found[word])[:_MOST_EVIDENCE]
        return tuple(sorted(most, key=words.index))

    def _score(self, text: str) -> _Scores | None:
        weighed = self._table.weigh(text, self._signs(text) if self._signs else ())
        if weighed is None:
            return None
        size = len(self.intents)
        intents = weighed.scores[:size]
        if not self.hazards:
            return _Scores(intents, 0.0, 0.0, (), weighed)
        life, *matters = weighed.scores[size:].tolist()
        return _Scores(intents, odds(matters, len(self.hazards)), life, matters[: len(self.hazards)], weighed)
