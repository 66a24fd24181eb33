"""Finding the concepts of the lexicons in a text, however the words are spelt."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from bot.triage.phrases import Node, Phrase, automaton, words_in

HARMLESS: Final = 0
"""The concept of phrases that only look dangerous: what they cover is read no further."""

_MOST_REMEMBERED: Final = 20_000
_SHORTEST_CORRECTED: Final = 4
_TWO_SLIPS_FROM: Final = 8


class _Look(NamedTuple):
    """What is to be known of a word to find phrases with it."""

    forms: tuple[str, ...]
    """The word as it stands, and without its plural."""
    beginnings: list[Node]
    """Of phrases."""


class Span(NamedTuple):
    """Words `start` up to, not including, `end`."""

    start: int
    end: int


class Vocabulary:
    """Phrases with the concepts they stand for, found in one walk over a text."""

    def __init__(
        self, phrases: Sequence[tuple[Phrase, int]] = (), ordinary: Iterable[str] = (), telling: Iterable[str] = ()
    ) -> None:
        """Phrases, each with the number of what it stands for; other words to be left as they are; and the words that
        misspelt ones may be read as: with one slip in words of four to seven letters, two in longer ones."""
        self._beginnings = automaton(phrases).following
        self._words = {*ordinary, *(word for phrase, _ in phrases for word in words_in(phrase))}
        self._telling = {word for word in telling if len(word) > 2}
        self._near: dict[tuple[str, int], list[tuple[int, str]]] = {}
        """By first letter and length the telling words, and the set of letters of each."""
        for word in sorted(self._telling):
            if len(word) >= _SHORTEST_CORRECTED and word.isalpha() and word.isascii():
                self._near.setdefault((word[0], len(word)), []).append((_letters(word), word))
        self._conditions: frozenset[int] = frozenset()
        self._remembered: dict[str, tuple[str, ...]] = {}
        self._looks: dict[str, _Look] = {}

    def always_find(self, concepts: Collection[int]) -> None:
        """Let these be found inside harmless phrases too: they never raise a hazard, they only keep one down."""
        self._conditions = frozenset(concepts)

    def find(self, words: Sequence[str]) -> dict[int, list[Span]]:
        """Every concept in a text (whose words went through `spelt`) with its places, in order. Nothing is found inside
        a harmless phrase; what is as long, or reaches beyond it, is."""
        found: list[tuple[Span, tuple[int, ...]]] = []
        size = len(words)
        looks = [self._looks.get(word) or self._look_at(word) for word in words]
        for i, look in enumerate(looks):
            nodes = look.beginnings
            j = i + 1
            while nodes:
                onward = []
                for node in nodes:
                    if node.concepts:
                        found.append((Span(i, j), node.concepts))
                    if node.following:
                        onward.append(node.following)
                if j == size or not onward:
                    break
                forms = looks[j].forms
                nodes = [after[form] for after in onward for form in forms if form in after]
                j += 1
        harmless = [span for span, concepts in found if HARMLESS in concepts]
        spans: dict[int, list[Span]] = {}
        for span, concepts in found:
            covered = bool(harmless) and _covered(span, harmless)
            for concept in concepts:
                if not covered or concept in self._conditions:
                    spans.setdefault(concept, []).append(span)
        return spans

    def _look_at(self, word: str) -> _Look:
        singular = len(word) > 3 and word[-1] == "s" and word[:-1] in self._words
        forms = (word, word[:-1]) if singular else (word,)
        look = _Look(forms, [self._beginnings[form] for form in forms if form in self._beginnings])
        if len(self._looks) >= _MOST_REMEMBERED:
            self._looks.clear()
        self._looks[word] = look
        return look

    def spelt(self, word: str) -> tuple[str, ...]:
        """The word of the vocabulary that was most likely meant, or the two that were run together, or the word itself."""
        remembered = self._remembered.get(word)
        if remembered is None:
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            known = word if word in self._words else self._guess(word)
            remembered = self._remembered[word] = (known,) if known else self._parted(word) or (word,)
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
        slips, letters = _slips(word), _letters(word)
        for first in {word[0], word[1]}:
            for size in range(len(word) - slips, len(word) + slips + 1):
                longer = abs(size - len(word))
                for others, candidate in self._near.get((first, size), ()):
                    allowed = min(slips, _slips(candidate))
                    # A letter left out or added changes the set of letters by one, any other slip by two at most.
                    if (letters ^ others).bit_count() > 2 * allowed - longer:
                        continue
                    if first != word[0] and not _swapped(word, candidate):
                        continue
                    made = _distance(word, candidate, allowed)
                    if made <= allowed and (best is None or (made, candidate) < best):
                        best = (made, candidate)
        return best[1] if best else ""


def _covered(span: Span, harmless: Sequence[Span]) -> bool:
    """Whether a longer harmless phrase holds it."""
    start, end = span
    return any(a <= start and end <= b and end - start < b - a for a, b in harmless)


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


def _letters(word: str) -> int:
    """The set of letters of a word, a bit for each."""
    found = 0
    for letter in word:
        found |= 1 << (ord(letter) - ord("a"))
    return found


def _distance(one: str, other: str, most: int) -> int:
    """How many letters were left out, added, changed or swapped with the next; of more than `most` only that."""
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
        if min(row) > most and min(before) >= most:  # two letters swapped go on from the row before
            break
    return row[-1]
