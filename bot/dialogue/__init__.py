"""Dialogue: Rasa's conventions in process. A message in, things to say and do out (`docs/dialogue-engine.md`)."""

from bot.dialogue.classifier import Classifier
from bot.dialogue.engine import EmbeddedEngine, Interpreter, action_faults
from bot.dialogue.errors import DialogueError, EngineError, ProjectError
from bot.dialogue.project import OUT_OF_SCOPE, Example, Project, load_examples, load_project
from bot.dialogue.tracker import active_form

__all__ = [
    "OUT_OF_SCOPE",
    "Classifier",
    "DialogueError",
    "EmbeddedEngine",
    "EngineError",
    "Example",
    "Interpreter",
    "Project",
    "ProjectError",
    "action_faults",
    "active_form",
    "load_examples",
    "load_project",
]
