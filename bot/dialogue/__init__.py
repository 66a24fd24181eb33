"""Dialogue: Rasa's conventions in process. A message in, things to say and do out (`docs/dialogue-engine.md`)."""

from typing import TYPE_CHECKING, Any

from bot.dialogue.classifier import Classifier
from bot.dialogue.errors import DialogueError, EngineError, ProjectError
from bot.dialogue.project import OUT_OF_SCOPE, Example, Project, load_examples, load_project
from bot.dialogue.tracker import active_form

if TYPE_CHECKING:
    from bot.dialogue.engine import EmbeddedEngine, Interpreter, action_faults

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


def __getattr__(name: str) -> Any:
    # rasa-sdk brings a web server of its own, which takes a quarter of a second to import: whoever only reads texts
    # (`doorstep understand`, training) has no use for it.
    if name in {"EmbeddedEngine", "Interpreter", "action_faults"}:
        from bot.dialogue import engine

        return getattr(engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
