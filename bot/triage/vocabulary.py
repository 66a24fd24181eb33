"""Finding the concepts of the lexicons in a text, however the words are spelt."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

HARMLESS: Final = 0
"""The concept of phrases that only look dangerous: what they cover is read no further."""

_MOST_REMEMBERED: Final = 20_000
_SHORTEST_CORRECTED: Final = 4
_TWO_SLIPS_FROM: Final = 8


@dataclass(slots=True)
class _Node:
    following: dict[str, "_Node"] = field(default_factory=dict)
    concepts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """Words `start` up to, not including, `end`."""

    start: int
    end: int


class Vocabulary:
    """Phrases with the concepts they stand for, found in one walk over a text."""

    def __init__(self, ordinary: Iterable[str] = ()) -> None:
        self._root = _Node()
        self._words: set[str] = set(ordinary)
        self._corrected: dict[str, list[str]] = {}
        self._telling: set[str] = set()
        self._conditions: frozenset[int] = frozenset()
        self._remembered: dict[str, tuple[str, ...]] = {}

    def add(self, words: Sequence[str], concept: int) -> None:
        """Let a phrase stand for a concept, next to what it stands for already."""
        node = self._root
        for word in words:
            after = node.following.get(word)
            if after is None:
                after = node.following[word] = _Node()
            node = after
        self._words.update(words)
        if concept not in node.concepts:
            node.concepts = (*node.concepts, concept)

    def correct_towards(self, words: Collection[str]) -> None:
        """Let misspelt words be read as one of these: one slip in words of four to seven letters, two in longer ones."""
        self._telling.update(word for word in words if len(word) >= 3)
        for word in sorted(words):
            if len(word) >= _SHORTEST_CORRECTED and word.isalpha() and word.isascii():
                for key in _with_letters_left_out(word, _slips(word)):
                    self._corrected.setdefault(key, []).append(word)
        self._remembered.clear()

    def always_find(self, concepts: Collection[int]) -> None:
        """Let these be found inside harmless phrases too: they never raise a hazard, they only keep one down."""
        self._conditions = frozenset(concepts)

    def find(self, words: Sequence[str]) -> dict[int, list[Span]]:
        """Every concept in a text (whose words went through `spelt`) with its places, in order. Nothing is found inside
        a harmless phrase; what is as long, or reaches beyond it, is."""
        found: list[tuple[int, int, tuple[int, ...]]] = []
        harmless: list[tuple[int, int]] = []
        size = len(words)
        singular = [
            word[:-1] if len(word) > 3 and word[-1] == "s" and word[:-1] in self._words else "" for word in words
        ]
        for i in range(size):
            nodes = [self._root]
            j = i
            while nodes and j < size:
                word, stem = words[j], singular[j]
                nodes = [
                    after
                    for node in nodes
                    for form in ((word, stem) if stem else (word,))
                    if (after := node.following.get(form)) is not None
                ]
                j += 1
                for node in nodes:
                    if node.concepts:
                        if HARMLESS in node.concepts:
                            harmless.append((i, j))
                        found.append((i, j, node.concepts))
        spans: dict[int, list[Span]] = {}
        for start, end, concepts in found:
            covered = bool(harmless) and any(a <= start and end <= b and end - start < b - a for a, b in harmless)
            for concept in concepts:
                if not covered or concept in self._conditions:
                    spans.setdefault(concept, []).append(Span(start, end))
        return spans

    def spelt(self, word: str) -> tuple[str, ...]:
        """The word of the vocabulary that was most likely meant, or the two that were run together, or the word itself."""
        if word in self._words:
            return (word,)
        remembered = self._remembered.get(word)
        if remembered is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            guess = self._guess(word)
            remembered = self._remembered[word] = (guess,) if guess else self._parted(word) or (word,)
        return remembered

    def _parted(self, word: str) -> tuple[str, ...]:
        if 6 <= len(word) <= 24:
            for i in range(len(word) - 2, 1, -1):
                one, other = word[:i], word[i:]
                if len(one) > 2 < len(other) and one in self._telling and other in self._telling:
                    return (one, other)
        return ()

    def _guess(self, word: str) -> str:
        for candidate in _regular_forms(word):
            if candidate in self._words:
                return candidate
        if not _SHORTEST_CORRECTED <= len(word) <= 24 or not (word.isascii() and word.isalpha()):
            return ""
        best: tuple[int, str] | None = None
        for key in _with_letters_left_out(word, _slips(word)):
            for candidate in self._corrected.get(key, ()):
                slips = _distance(word, candidate)
                first_differs = candidate[0] != word[0]
                if slips > min(_slips(candidate), _slips(word)) or (first_differs and not _swapped(word, candidate)):
                    continue
                if best is None or (slips, candidate) < best:
                    best = (slips, candidate)
        return best[1] if best else ""


def _regular_forms(word: str) -> Iterable[str]:
    single = word
    for i in range(len(word) - 1, 0, -1):
        if word[i] == word[i - 1]:
            single = word[:i] + word[i + 1 :]
            yield single
    if word.endswith("in"):
        yield word + "g"
    if word.endswith("s") and len(word) > 3:
        yield word[:-1]
    if word.endswith("d") and len(word) > 4:
        yield word[:-1]


def _swapped(word: str, candidate: str) -> bool:
    return word[:2] == candidate[1::-1]


def _slips(word: str) -> int:
    return 2 if len(word) >= _TWO_SLIPS_FROM else 1


def _with_letters_left_out(word: str, slips: int) -> set[str]:
    keys = layer = {word}
    for _ in range(slips):
        layer = {key[:i] + key[i + 1 :] for key in layer for i in range(len(key))}
        keys = keys | layer
    return keys


def _distance(one: str, other: str) -> int:
    """How many letters were left out, added, changed or swapped with the next."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, before = before, row
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]
