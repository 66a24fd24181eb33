"""The classifier: what a message is for, and the entities in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bot.dialogue import entities
from bot.dialogue.project import OUT_OF_SCOPE
from bot.learning import Model
from bot.messages import Understanding

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANKING: Final = 3
"""How many intents a ranking names."""


class Classifier:
    """Makes an intent and entities of a text."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.intents = model.intents

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """From the file that `doorstep train` wrote, where it was trained without the signs of triage. Raises ModelError."""
        return cls(Model.load(path))

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
        if confidence < self._model.threshold or lead < self._model.margin:
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
        return self._model.chances(text)
