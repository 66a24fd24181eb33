"""What the console says about the keys that the product writes: kinds of task, states, what can be recorded of a case."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).parent / "explanations.toml"


@dataclass(frozen=True, slots=True)
class Explained:
    """A key in plain words, and what a person should do about it."""

    title: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Explanations:
    tasks: Mapping[str, Explained] = field(default_factory=dict)
    deliveries: Mapping[str, Explained] = field(default_factory=dict)
    promises: Mapping[str, Explained] = field(default_factory=dict)
    outcomes: Mapping[str, Explained] = field(default_factory=dict)
    endings: Mapping[str, Explained] = field(default_factory=dict)
    files: Mapping[str, Explained] = field(default_factory=dict)

    def task(self, kind: str) -> Explained:
        """A kind of task; one that has no words here is shown by its key."""
        return self.tasks.get(kind) or Explained(in_words(kind))

    def delivery(self, state: str, channel: str) -> Explained:
        """A delivery state; where a channel's `sent` is all the evidence there can be, it has words of its own."""
        found = self.deliveries.get(f"{state}_{channel}") or self.deliveries.get(state)
        return found or Explained(in_words(state))

    def promise(self, state: str) -> str:
        """Where a promise stands."""
        return (self.promises.get(state) or Explained(in_words(state))).title

    def outcome(self, outcome: str) -> str:
        """What can be recorded of a case."""
        return (self.outcomes.get(outcome) or Explained(in_words(outcome))).title

    def ending(self, ending: str) -> str:
        """How a case can end."""
        return (self.endings.get(ending) or Explained(in_words(ending))).title

    def file(self, kind: str) -> str:
        """A kind of file, or why there is none."""
        return (self.files.get(kind) or Explained(in_words(kind))).title


def load_explanations() -> Explanations:
    tables = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Explanations(*(
        {key: Explained(**words) for key, words in tables[section].items()}
        for section in ("tasks", "deliveries", "promises", "outcomes", "endings", "files")
    ))  # fmt: skip


def in_words(key: str) -> str:
    """`no_hot_water` as "No hot water"."""
    return key.replace("_", " ").strip().capitalize()
