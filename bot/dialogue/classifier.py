"""The classifier as it serves: arrays and a description on disk, numpy alone, well under a millisecond a message."""

import json
import math
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bot.dialogue import entities
from bot.dialogue.errors import ModelError
from bot.dialogue.features import WEIGHTS, Lexicon, features
from bot.dialogue.project import OUT_OF_SCOPE
from bot.dialogue.training import FORMAT, model_path
from bot.messages import Understanding

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANKING: Final = 3
"""How many intents a ranking names."""


class Classifier:
    """Makes an intent and entities of a text. Immutable once loaded."""

    def __init__(self, arrays: Mapping[str, Any], description: Mapping[str, Any], lexicon: Lexicon) -> None:
        self._weights: NDArray[np.float32] = arrays["weights"]
        self._bias: NDArray[np.float32] = arrays["bias"]
        self._idf: list[float] = arrays["idf"].tolist()
        names = bytes(arrays["names"]).decode().split("\n")
        self._rows: list[dict[str, int]] = []
        start = 0
        for size in arrays["sizes"].tolist():
            self._rows.append({name: start + row for row, name in enumerate(names[start : start + size])})
            start += size
        self.intents: tuple[str, ...] = tuple(description["intents"])
        self._temperature = float(description["temperature"])
        self._threshold = float(description["threshold"])
        self._margin = float(description["margin"])
        self._lexicon = lexicon

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """From the file that `doorstep train` wrote. Raises ModelError."""
        try:
            description = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            if description["format"] != FORMAT:
                raise ModelError(f"{path} was made by another version: run `doorstep train`")
            return cls(arrays, description, Lexicon(description["concepts"]))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ModelError(f"the classifier {path} cannot be read ({error}): run `doorstep train`") from error

    @classmethod
    def load_for(cls, nlu_data: Path, folder: Path) -> "Classifier":
        """The one made from exactly these examples and lexicons. Raises ModelError if there is none."""
        return cls.load(model_path(nlu_data, folder))

    def classify(self, text: str) -> Understanding:
        """The intent of a text and every entity in it.

        Where the classifier is not sure enough the intent is `out_of_scope` and the confidence what speaks against the
        best guess; the ranking is kept. A plain yes or no is certain.
        """
        found = self.entities(text)
        chances = self.chances(text)
        answer = entities.yes_or_no(text)
        if answer is not None or chances is None:
            certain = answer or OUT_OF_SCOPE
            return Understanding(certain, 1.0, ((certain, 1.0), *self._others(chances, certain)), found)
        order = np.argsort(-chances, kind="stable")[:RANKING].tolist()
        ranking = tuple((self.intents[index], round(float(chances[index]), 4)) for index in order)
        intent, confidence = ranking[0]
        lead = confidence - (ranking[1][1] if len(ranking) > 1 else 0.0)
        if confidence < self._threshold or lead < self._margin:
            intent, confidence = OUT_OF_SCOPE, round(1.0 - confidence, 4)
        return Understanding(intent, confidence, ranking, found)

    def _others(self, chances: "NDArray[np.float64] | None", certain: str) -> list[tuple[str, float]]:
        order = range(len(self.intents)) if chances is None else np.argsort(-chances, kind="stable").tolist()
        return [(self.intents[index], 0.0) for index in order if self.intents[index] != certain][: RANKING - 1]

    def entities(self, text: str) -> Mapping[str, Any]:
        """Every entity of a text by name; several of one name as a list."""
        return entities.by_name(entities.extract(text))

    def chances(self, text: str) -> "NDArray[np.float64] | None":
        """The probability of each intent (in the order of `intents`); None if nothing of the text is known."""
        rows: list[int] = []
        values: list[float] = []
        blocks = features(text, self._lexicon)
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
        scores = np.asarray(values, dtype=np.float32) @ self._weights[rows] + self._bias
        scores = scores.astype(np.float64) / self._temperature
        raised = np.exp(scores - scores.max())
        shares: NDArray[np.float64] = raised / raised.sum()
        return shares
