"""The features of a text as rows of one table of weights: what `features.features` counts by name, found without naming it.

A linear classifier is a table. What is to be known of a word (its stem, its runs of letters, the word of the lexicon that it
is read as) is looked up once and remembered, so that a message costs some look-ups and one sum over the rows it touches,
for every question that the table answers.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from bot.learning.features import WEIGHTS, Lexicon, letter_features, stem, tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LENGTHS: Final = np.array(list(WEIGHTS.values()))
_NOTHING: Final = 1e-12
_NONE: Final[Mapping[str, int]] = {}
_MOST_REMEMBERED: Final = 20_000
"""Words. A tenth of them are in everyday use; whoever sends made-up ones only makes us look them up again."""


class Weighed(NamedTuple):
    """A text as its scores, and what they are made of."""

    scores: "NDArray[np.float64]"
    """One for each column of the table."""
    rows: "NDArray[np.int32]"
    values: "NDArray[np.floating[Any]]"
    """How much each row counts."""


class _Word(NamedTuple):
    stem: str
    row: int
    """Of the stem; -1 where no example had it."""
    before: Mapping[str, int]
    """Rows of the pairs that the stem is the first of, by the other."""
    letters: "NDArray[np.int32]"
    """Rows of the word's runs of letters, each as often as it occurs."""
    meant: str
    """The word of the lexicon that it is read as."""
    alone: Sequence[int]
    """Numbers of the concepts that it stands for by itself."""
    phrases: Mapping[str, Sequence[tuple[tuple[str, ...], int]]]
    """Of those that it begins, by the word that must follow: all that must, and the number of the concept."""


class Table:
    """Weights by feature. Immutable, but for remembering words."""

    def __init__(self, arrays: Mapping[str, Any], lexicon: Lexicon) -> None:
        self._weights: NDArray[np.float32] = arrays["weights"]
        self._bias: NDArray[np.float32] = arrays["bias"]
        self._idf: NDArray[np.float32] = arrays["idf"]
        sizes = arrays["sizes"].tolist()
        self._block = np.repeat(np.arange(len(sizes)), sizes)
        names = iter(enumerate(bytes(arrays["names"]).decode().split("\n")))
        stems, letters, concepts, signs = ({name: row for row, name in islice(names, size)} for size in sizes)
        self._stems: dict[str, int] = {}
        self._before: dict[str, dict[str, int]] = {}
        for name, row in stems.items():
            one, pair, other = name.partition(" ")
            if pair:
                self._before.setdefault(one, {})[other] = row
            else:
                self._stems[name] = row
        self._letters = letters
        self._concepts, self._signs = _Pairs(concepts), _Pairs(signs)
        self._lexicon = lexicon
        self._words: dict[str, _Word] = {}

    def weight(self, word: str, column: int, counts: Mapping[int, float]) -> float:
        """How much a word of a text, as a whole, speaks for a column; `counts` by row is what was weighed of the text."""
        row = self._word(word).row
        return counts[row] * float(self._weights[row, column]) if row in counts else 0.0

    def weigh(self, text: str, signs: Iterable[str]) -> Weighed | None:
        """The scores of a text in which triage found these concepts, each named once; None if nothing of it is known."""
        known = [self._words.get(word) or self._word(word) for word in tokens(text)]
        touched = np.concatenate(
            [
                np.array(self._stem_rows(known), dtype=np.int32),
                *[word.letters for word in known],
                self._concepts.rows(list(_concepts(known))),
                self._signs.rows([self._signs.numbers[sign] for sign in signs if sign in self._signs.numbers]),
            ]
        )
        if not touched.size:
            return None
        rows, times = _counted(touched)
        values = (1.0 + np.log(times)) * self._idf[rows]
        blocks = self._block[rows]
        lengths = np.sqrt(np.bincount(blocks, values * values, len(_LENGTHS)))
        values *= (_LENGTHS / np.maximum(lengths, _NOTHING)).astype(np.float32)[blocks]
        scores = (values @ self._weights.take(rows, axis=0) + self._bias).astype(np.float64)
        return Weighed(scores, rows, values)

    def _stem_rows(self, known: Sequence[_Word]) -> list[int]:
        """Those of the stems, and those of each two neighbours, with the ends of the text marked."""
        rows = []
        before = self._before.get("<", _NONE)
        for word in known:
            if word.row >= 0:
                rows.append(word.row)
            pair = before.get(word.stem)
            if pair is not None:
                rows.append(pair)
            before = word.before
        pair = before.get(">")
        if pair is not None:
            rows.append(pair)
        return rows

    def _word(self, word: str) -> _Word:
        known = self._words.get(word)
        if known is None:
            if len(self._words) >= _MOST_REMEMBERED:
                self._words.clear()
            ended, meant = stem(word), self._lexicon.meant(word)
            alone: list[int] = []
            phrases: dict[str, list[tuple[tuple[str, ...], int]]] = {}
            for rest, concept in self._lexicon.phrases(meant):
                number = self._concepts.numbers.get(concept)
                if number is not None and rest:
                    phrases.setdefault(rest[0], []).append((rest, number))
                elif number is not None:
                    alone.append(number)
            known = self._words[word] = _Word(
                stem=ended,
                row=self._stems.get(ended, -1),
                before=self._before.get(ended, _NONE),
                letters=np.array(
                    [self._letters[run] for run in letter_features((word,)) if run in self._letters], dtype=np.int32
                ),
                meant=meant,
                alone=alone,
                phrases=phrases,
            )
        return known


def _concepts(known: Sequence[_Word]) -> set[int]:
    """`Lexicon.find`, each once."""
    found: set[int] = set()
    for at, word in enumerate(known, 1):
        if word.alone:
            found.update(word.alone)
        if word.phrases and at < len(known):
            for rest, concept in word.phrases.get(known[at].meant, ()):
                if tuple([follows.meant for follows in known[at : at + len(rest)]]) == rest:
                    found.add(concept)
    return found


def _counted(rows: "NDArray[np.int32]") -> "tuple[NDArray[np.int32], NDArray[np.float32]]":
    """Each once, and how often it was there. `np.unique`, for few."""
    rows.sort()
    ends = np.empty(rows.size + 1, dtype=np.bool_)
    ends[0] = ends[-1] = True
    np.not_equal(rows[1:], rows[:-1], out=ends[1:-1])
    at = ends.nonzero()[0]
    return rows[at[:-1]], (at[1:] - at[:-1]).astype(np.float32)


class _Pairs:
    """The rows of concepts, and of every two that occur together: a table with a line and a column for each concept."""

    def __init__(self, rows: Mapping[str, int]) -> None:
        numbers: dict[str, int] = {}
        places = []
        for name in rows:
            one, _, other = name.partition("&")
            number = numbers.setdefault(one, len(numbers))
            places.append((number, numbers.setdefault(other, len(numbers)) if other else number))
        self.numbers = {sys.intern(name): number for name, number in numbers.items()}
        """Of each concept that an example had."""
        self._rows = np.full((len(numbers), len(numbers)), -1, dtype=np.int32)
        if places:
            self._rows[tuple(np.array(places).T)] = list(rows.values())

    def rows(self, concepts: list[int]) -> "NDArray[np.int32]":
        """Of concepts by number, each given once."""
        present = np.array(concepts, dtype=np.intp)
        found: NDArray[np.int32] = self._rows[present[:, np.newaxis], present]
        return found[found >= 0]
