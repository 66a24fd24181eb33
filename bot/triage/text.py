"""From what a tenant typed to words, clauses and sentences."""

import re
import unicodedata
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Final, NamedTuple

CLAUSE: Final = 1
"""A comma, a dash, a bracket, a "but"."""
PAUSE: Final = 2
"""An exclamation mark or a new line: often in the middle of a thought."""
STOP: Final = 3
"""A full stop or a question mark."""

_BREAK_COST: Final = (0, 0, 2, 100)
_FEWEST_JOINED: Final = 3
_FRAGMENT: Final = 2
"""So many words before a full stop are not a sentence: `Gas. Cooker. Smell.`"""
_MARKS: Final = {
    **dict.fromkeys(",;:()[]—–…，；：、،؛", CLAUSE),
    **dict.fromkeys("!\n！", PAUSE),
    **dict.fromkeys(".?؟۔。？", STOP),
}
"""What a mark that stands between words does, by its first character. Anything else is a word, or a dash in the open."""
_TOKEN: Final = re.compile(
    r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|\d+|[^\W\d_]+|[.?؟۔。？]+|[!\n！]+"
    r"|[,;:()\[\]—–…，；：、،؛]|\s-+\s"
)
_APOSTROPHES: Final = re.compile("(?<=\\w)['’‘`´ʼ](?=\\w|\\s|$)|['’‘`´ʼ](?=\\w)")
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_REPEATED: Final = re.compile(r"(.)\1{2,}")
_LETTERS: Final = str.maketrans({
    "ł": "l", "ø": "o", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "ё": "е", "ґ": "г",
    "ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه", "أ": "ا", "إ": "ا", "آ": "ا", "ؤ": "و", "ئ": "ی", "ـ": None,
})  # fmt: skip


class Reading(NamedTuple):
    """A text as words. All sequences run over the words."""

    words: tuple[str, ...]
    """As the vocabulary spells them."""
    typed: tuple[str, ...]
    """As the tenant spelt them."""
    clause: tuple[int, ...]
    """The number of the clause that each word stands in."""
    sentence: tuple[int, ...]
    """Of the sentence, where only a full stop or a question mark ends one."""
    place: tuple[int, ...]
    """Where each word stands for measuring distances: a pause adds to it, a full stop is out of reach."""


def fold(text: str) -> str:
    """Small letters without accents, apostrophes or invisible characters: `Włącz` and `wlacz` become the same."""
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
        text = unicodedata.normalize("NFKC", text).lower()
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        text = text.translate(_LETTERS)
    return _APOSTROPHES.sub("", text.lower())


def words_of(phrase: str) -> tuple[str, ...]:
    """The words of a phrase of a data file, as they will be met in a text."""
    if phrase.isascii() and phrase.islower():  # most phrases, of which there are more than a hundred thousand
        words = tuple(phrase.split())
        if all(word.isalpha() for word in words):
            return words
    return tuple(token for token in pieces(phrase) if _is_word(token))


@lru_cache(maxsize=8)  # a message is asked for in turn by the rules, by what tells languages apart and by its languages
def pieces(text: str) -> tuple[str, ...]:
    """The words of a folded text and the marks between them, in order."""
    return tuple(_TOKEN.findall(fold(text)))


def read(
    text: str,
    respell: Callable[[str], tuple[str, ...]] = lambda word: (word,),
    openers: Collection[str] = (),
    joiners: Collection[str] = (),
    subjects: Collection[str] = (),
) -> Reading:
    """Split a text. `respell` gives the word, or the words run together, that were meant. A word of `openers` ("but",
    "because") starts a new clause, and so does one of `joiners` ("and") before one of `subjects` ("i", "there")."""
    words: list[str] = []
    typed: list[str] = []
    breaks: list[int] = []
    for word, strength in _words_and_breaks(text):
        meant = respell(word)
        words += meant
        typed.append(word)
        breaks.append(strength)
        for _ in range(1, len(meant)):
            typed.append("")
            breaks.append(0)
    for i in range(1, len(words)):
        word = words[i]
        if (word in openers or (word in joiners and i + 1 < len(words) and words[i + 1] in subjects)) and not breaks[i]:
            breaks[i] = CLAUSE
    clauses, sentences, places = [], [], []
    clause = sentence = extra = 0
    start = 0
    for i, strength in enumerate(breaks):
        if strength:
            if strength == STOP:
                if i - start <= _FRAGMENT:
                    strength = PAUSE
                start = i
            clause += 1
            sentence += strength == STOP
            extra += _BREAK_COST[strength]
        clauses.append(clause)
        sentences.append(sentence)
        places.append(i + extra)
    return Reading(tuple(words), tuple(typed), tuple(clauses), tuple(sentences), tuple(places))


def _is_word(token: str) -> bool:
    return token[0] not in _MARKS and not token[0].isspace()


def _words_and_breaks(text: str) -> list[tuple[str, int]]:
    """Each word, with the break before it."""
    found: list[tuple[str, int]] = []
    pending = letters = 0
    tokens = pieces(text)
    drawn_out = _REPEATED.search(" ".join(tokens)) is not None
    for token in tokens:
        strength = _MARKS.get(token[0])
        if strength is None and not token[0].isspace():
            if len(token) == 1:
                letters += 1
            elif drawn_out and len(token) > 3:
                token = _REPEATED.sub(r"\1\1", token)  # `helllllp` is `hellp`
            found.append((token, pending))
            pending = 0
        elif found:
            pending = max(pending, strength or CLAUSE)
    return _joined(found) if letters >= _FEWEST_JOINED else found


def _joined(words: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """With three single letters or more in a row made one word: `g a s`."""
    joined: list[tuple[str, int]] = []
    i = 0
    while i < len(words):
        end = i
        while end < len(words) and len(words[end][0]) == 1 and "a" <= words[end][0] <= "z":
            end += 1
        if end - i >= _FEWEST_JOINED:
            joined.append(("".join(word for word, _ in words[i:end]), words[i][1]))
            i = end
        else:
            joined.append(words[i])
            i += 1
    return joined
