"""What the console says about the keys that the product writes: kinds of task, delivery states."""

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

    def task(self, kind: str) -> Explained:
        """A kind of task; one that has no words here is shown by its key."""
        return self.tasks.get(kind) or Explained(in_words(kind))

    def delivery(self, state: str) -> Explained:
        return self.deliveries.get(state) or Explained(in_words(state))


def load_explanations() -> Explanations:
    tables = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Explanations(*(
        {key: Explained(**words) for key, words in tables[section].items()} for section in ("tasks", "deliveries")
    ))  # fmt: skip


def in_words(key: str) -> str:
    """`no_hot_water` as "No hot water"."""
    return key.replace("_", " ").strip().capitalize()
