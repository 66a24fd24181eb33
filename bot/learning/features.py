"""From a text to counted features: the one function that training and serving share, so that they cannot drift apart.

Four blocks: words and pairs of words, letters within words, the concepts of the lexicons (they let the Scots or misspelt
word that no example used count as the plain one that many did), and the signs, which are the concepts of triage's rules.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from bot.learning.errors import ModelError

BLOCKS: Final = ("words", "letters", "concepts", "signs")
"""The blocks of features, each scaled by itself before they are joined."""

WEIGHTS: Final[Mapping[str, float]] = {"words": 1.0, "letters": 1.0, "concepts": 0.5, "signs": 0.7}
"""The length that each block is scaled to. Concepts are few, so that each would weigh too much at full length."""

_APOSTROPHES: Final = re.compile("[’‘`´ʼ']")
_REPEATED: Final = re.compile(r"([a-z])\1{2,}")
_WORD: Final = re.compile(r"[a-z]+|\d+|[^\W\d_a-z]+|[?£\u2190-\u2bff\U0001f000-\U0001faff]")
_SPOKEN: Final = {
    "u": "you", "ur": "your", "r": "are", "plz": "please", "pls": "please", "thx": "thanks", "ty": "thanks",
    "tmrw": "tomorrow", "tmw": "tomorrow", "2moro": "tomorrow", "tomoro": "tomorrow", "wk": "week", "wks": "weeks",
    "appt": "appointment", "appts": "appointments", "hse": "house", "msg": "message", "txt": "text", "bc": "because",
    "cos": "because", "cuz": "because", "coz": "because", "abt": "about", "rly": "really", "ppl": "people",
    "sum1": "someone", "no1": "nobody", "b4": "before", "gd": "good", "dnt": "dont", "cud": "could", "wud": "would",
    "shud": "should", "wat": "what", "wen": "when", "wid": "with", "n": "and", "y": "why", "asap": "asap",
    "bday": "birthday", "rent's": "rents", "mins": "minutes", "hrs": "hours", "nd": "and", "da": "the", "dis": "this",
}  # fmt: skip
_SUFFIXES: Final = ("ing", "in", "ed", "es", "s", "d")
_STEM_SUFFIXES: Final = ("ing", "ed", "es", "er", "ly", "s")
_SENTENCE_ENDS: Final = re.compile(r"(?<=[.!?])\s+|\n+")
_CLAUSE_ENDS: Final = re.compile(r"[,;:–—]\s+|\s-+\s|\s+(?=(?:but|because|and|so)\s)")
_LONG_SENTENCE: Final = 14
"""Words from which on a sentence is also read clause by clause."""
_FEWEST_WORDS: Final = 3
_MOST_PARTS: Final = 10
_MOST_REMEMBERED: Final = 20_000
_LONGEST_TEXT: Final = 2000
"""Letters read of one message. Longer ones are pasted letters; their intent stands near the top."""


def tokens(text: str) -> list[str]:
    """The words of a text, small, without accents and apostrophes, text-speak spelt out, numbers as `#` per figure."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in text if not unicodedata.combining(letter))
    text = _APOSTROPHES.sub("", text[:_LONGEST_TEXT].lower())
    text = _REPEATED.sub(r"\1\1", text)
    found = []
    for word in _WORD.findall(text):
        if word[0].isdigit():
            found.append("#" * min(len(word), 6))
        else:
            found.append(_SPOKEN.get(word, word))
    return found


def parts(text: str) -> list[str]:
    """The sentences of a text, and the clauses of long ones; nothing where it is a single short one.

    A danger told in one sentence of a long letter is lost in the features of the whole.
    """
    found: list[str] = []
    sentences = [sentence for sentence in _SENTENCE_ENDS.split(text[:_LONGEST_TEXT]) if sentence.strip()]
    for sentence in sentences:
        size = len(sentence.split())
        if len(sentences) > 1 and size >= _FEWEST_WORDS:
            found.append(sentence)
        if size >= _LONG_SENTENCE:
            clauses = _CLAUSE_ENDS.split(sentence)
            found.extend(clause for clause in clauses if len(clause.split()) >= _FEWEST_WORDS and clause != sentence)
    return found[:_MOST_PARTS]


def word_features(words: Sequence[str]) -> list[str]:
    """Word stems and pairs of neighbours, with the ends of the text marked."""
    words = [stem(word) for word in words]
    return [*words, *(f"{one} {other}" for one, other in zip(("<", *words), (*words, ">"), strict=True))]


def stem(word: str) -> str:
    """A word without its ending, roughly."""
    for suffix in _STEM_SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)]
    return word


def letter_features(words: Sequence[str]) -> list[str]:
    """Runs of 2 to 5 letters within each word and its edges."""
    found = []
    for word in words:
        padded = f" {word} "
        size = len(padded)
        for length in range(2, 6):
            if size <= length:
                found.append(padded)
                break
            found.extend([padded[start : start + length] for start in range(size - length + 1)])
    return found


class Lexicon:
    """The concepts of `lexicons/*.yml`, found in words however they are inflected or slightly misspelt."""

    def __init__(self, concepts: Mapping[str, Iterable[str]]) -> None:
        self.concepts = {concept: tuple(phrases) for concept, phrases in concepts.items()}
        self._phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        """By its first word the rest of each phrase, and its concept."""
        self._known: set[str] = set()
        for concept, phrases in self.concepts.items():
            for phrase in phrases:
                words = tuple(tokens(phrase))
                if words:
                    self._phrases.setdefault(words[0], []).append((words[1:], concept))
                    self._known.update(words)
        self._near: dict[str, str] = {}
        for word in sorted(self._known):
            if len(word) >= 5:
                for key in _one_left_out(word):
                    self._near.setdefault(key, word)
        self._spelt: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._phrases)

    def find(self, words: Sequence[str]) -> list[str]:
        """The concepts of a text, each as often as it occurs."""
        read = [self.meant(word) for word in words]
        found = []
        for at, word in enumerate(read, 1):
            for rest, concept in self.phrases(word):
                if tuple(read[at : at + len(rest)]) == rest:
                    found.append(concept)
        return found

    def meant(self, word: str) -> str:
        """The word of the lexicon that a word is read as, or itself."""
        if word in self._known or len(word) < 4:
            return word
        known = self._spelt.get(word)
        if known is None:
            if len(self._spelt) >= _MOST_REMEMBERED:
                self._spelt.clear()
            known = self._spelt[word] = self._guess(word)
        return known

    def phrases(self, word: str) -> Sequence[tuple[tuple[str, ...], str]]:
        """The phrases that begin with a word of the lexicon: what follows it, and the concept."""
        return self._phrases.get(word, ())

    def _guess(self, word: str) -> str:
        for suffix in _SUFFIXES:
            stem = word.removesuffix(suffix)
            if stem != word and len(stem) >= 3:
                for candidate in (stem, stem + "e", stem[:-1] if stem[-1] == stem[-2] else stem):
                    if candidate in self._known:
                        return candidate
        if len(word) >= 5:
            for key in (word, *_one_left_out(word)):
                near = self._near.get(key)
                if near is not None and near[0] == word[0] and abs(len(near) - len(word)) <= 1:
                    return near
        return word


def _one_left_out(word: str) -> list[str]:
    return [word, *(word[:index] + word[index + 1 :] for index in range(len(word)))]


def lexicon_files(nlu_data: Path) -> list[Path]:
    """Where concepts stand: the classifier's own, and the lexicons that it shares with triage."""
    own = nlu_data / "concepts.yml"
    return [*([own] if own.is_file() else []), *sorted((nlu_data / "lexicons").glob("*.yml"))]


def load_lexicon(nlu_data: Path) -> Lexicon:
    """The concepts of a project folder (`concepts:` mapping an id to words and phrases); empty if there are none."""
    concepts: dict[str, list[str]] = {}
    for file in lexicon_files(nlu_data):
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
        entries = content.get("concepts") if isinstance(content, dict) else None
        if not isinstance(entries, dict):
            raise ModelError(f"{file}:1: a lexicon is a mapping with the key concepts")
        for concept, phrases in entries.items():
            if isinstance(phrases, list):
                concepts.setdefault(str(concept), []).extend(phrase for phrase in phrases if isinstance(phrase, str))
    return Lexicon(concepts)


def concept_features(concepts: Sequence[str]) -> list[str]:
    """The concepts of a text and every two that occur together."""
    present = sorted(set(concepts))
    return [*present, *(f"{one}&{other}" for at, one in enumerate(present) for other in present[at + 1 :])]


def features(
    text: str, lexicon: Lexicon, signs: Sequence[str] = ()
) -> tuple[list[str], list[str], list[str], list[str]]:
    """The features of a text by block (see `BLOCKS`), each as often as it occurs. `signs` are the concepts that triage
    found in it."""
    words = tokens(text)
    return (
        word_features(words),
        letter_features(words),
        concept_features(lexicon.find(words)),
        concept_features(signs),
    )
