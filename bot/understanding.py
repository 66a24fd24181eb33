"""Classifier and triage as they work together: both ask the one trained model, which counts triage's concepts as signs."""

from pathlib import Path

from bot.dialogue import Classifier
from bot.learning import Model
from bot.triage import Triage, load_triage


def load_understanding(nlu_data: Path, folder: Path) -> tuple[Classifier, Triage]:
    """From a project folder and the folder of trained models. Raises TriageError, and ModelError, which says to run
    `doorstep train`."""
    triage = load_triage(nlu_data)
    model = Model.load_for(nlu_data, folder, triage.concepts)
    return Classifier(model), triage.with_model(model)
