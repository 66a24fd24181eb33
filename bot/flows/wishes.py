"""What a tenant says about the format of letters and the way they want to be reached, read from `nlu_data/wishes.yml`.

WishesError         the file cannot be used; the message says where and why
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

FORMATS: Final = frozenset({"large_print", "audio", "easy_read", "bsl", "braille", "translation"})
WAYS: Final = frozenset({"sms", "whatsapp", "telegram", "web", "phone", "letter"})


class WishesError(Exception):
    """See the module's docstring."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """The words for formats and ways, ready to be looked for."""

    formats: Mapping[str, re.Pattern[str]]
    ways: Mapping[str, re.Pattern[str]]
    refusals: re.Pattern[str]

    def format_in(self, text: str) -> str | None:
        """The one format that a text names."""
        return _only(self.formats, _plain(text))

    def way_in(self, text: str) -> str | None:
        """The one way that a text asks for; None where one is refused as well, because then a person must read it."""
        said = _plain(text)
        return None if self.refusals.search(said) else _only(self.ways, said)


def load_wishes(path: Path) -> Spoken:
    """Raises WishesError."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or set(found) != {"formats", "ways", "refusals"}:
        raise WishesError(f"{path}:1: there must be formats, ways and refusals, and nothing else")
    return Spoken(
        _patterns(path, "formats", found["formats"], FORMATS), _patterns(path, "ways", found["ways"], WAYS),
        _pattern(path, "refusals", found["refusals"]),
    )  # fmt: skip


def _patterns(path: Path, name: str, given: Any, known: frozenset[str]) -> dict[str, re.Pattern[str]]:
    if not isinstance(given, dict) or not set(given) <= known:
        raise WishesError(f"{path}:1: {name} may only name {', '.join(sorted(known))}")
    return {key: _pattern(path, f"{name}.{key}", phrases) for key, phrases in given.items()}


def _pattern(path: Path, name: str, phrases: Any) -> re.Pattern[str]:
    # YAML reads a bare "no" as false: it is meant as the word.
    words: Sequence[str] = ["no" if each is False else each for each in phrases] if isinstance(phrases, list) else []
    if not words or not all(isinstance(each, str) and _plain(each) for each in words):
        raise WishesError(f"{path}:1: {name} must be a list of words")
    return re.compile(r"\b(?:" + "|".join(re.escape(_plain(each)) for each in words) + r")\b")


def _only(patterns: Mapping[str, re.Pattern[str]], said: str) -> str | None:
    found = [key for key, pattern in patterns.items() if pattern.search(said)]
    return found[0] if len(found) == 1 else None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.casefold().replace("'", "").replace("’", "")).split())
