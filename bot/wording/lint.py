"""The linter for words: what a nine-year-old can read, no word that shuts someone out, nothing a network swallows.

Reading grade is Flesch-Kincaid's, over the words that are ours: numbers, links and placeholders are left out, because
what fills them cannot be made simpler.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bot.wording.arguments import is_known
from bot.wording.gsm import is_gsm, normalise, segments
from bot.wording.render import PLACEHOLDER
from bot.wording.responses import Responses, Variation

GRADE_LIMIT: Final = 6.0
"""US school grade; a reading age of about nine to eleven. Texts of fewer than `_FEW_WORDS` words are measured together
with nothing to average over, so only long words count there."""
SENTENCE_LIMIT: Final = 25
"""Words in a sentence (GOV.UK style)."""
SEGMENT_LIMIT: Final = 4
"""Parts that a text message may take; advice in danger has its own, stricter test."""
_FEW_WORDS: Final = 12

_GENDERED: Final = (
    "he", "she", "him", "his", "her", "hers", "himself", "herself", "sir", "madam", "mr", "mrs", "miss", "ms", "chairman",
    "workman", "workmen", "tradesman", "tradesmen", "handyman", "repairman", "gentleman", "gentlemen", "ladies", "guys",
    "manpower", "man", "men", "woman", "women", "husband", "wife",
)  # fmt: skip
_JARGON: Final = (
    "UPRN", "SOR", "RSL", "void", "defect liability", "reactive", "operative", "remedial", "utilise", "commence",
    "terminate", "pursuant", "aforementioned", "please be advised", "in respect of", "prior to", "expedite", "facilitate",
    "stakeholder", "escalate", "ticket", "SLA", "DSAR", "e.g.", "i.e.", "etc", "via", "per annum", "cyclical", "recharge",
)  # fmt: skip
_SWALLOWED: Final = ("CANCEL", "END", "STOP", "QUIT", "UNSUBSCRIBE", "STOPALL", "YES", "START")
"""Words a network may take for itself, so that the answer never reaches us, or opts the tenant out."""
_ASKED_FOR: Final = re.compile(rf"\b(?i:reply|text|send|type|say|answer)\s+[\"']?({'|'.join(_SWALLOWED)})\b")
_EMOJI: Final = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]")
_LINK: Final = re.compile(r"https?://\S+|\b[\w.-]+\.(?:uk|com|org|scot)\S*")
_SAMPLE: Final = {"due": "Tuesday 24 November", "reference": "R-4K7M-2QX", "phone": "0800 000 0000"}
_TYPICAL: Final = "seven more letters here"
"""Stands for a placeholder when the length of a text is counted."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to correct. `str()` gives `file:line: reason`."""

    place: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.key}: {self.reason}"


def lint_words(responses: Responses) -> list[Fault]:
    """Everything in `responses` that a tenant should not be sent, in the order of the files."""
    return [
        Fault(variation.place, key, reason)
        for key, variations in responses.by_key.items()
        for variation in variations
        for reason in _reasons(variation)
    ]


def reading_grade(text: str) -> float:
    """Flesch-Kincaid grade of our own words in `text`; 0 where there are too few to measure."""
    sentences = [words for words in map(_words, _sentences(text)) if words]
    words = [word for sentence in sentences for word in sentence]
    if len(words) < _FEW_WORDS:
        return 0.0
    syllables = sum(_syllables(word) for word in words)
    return 0.39 * len(words) / len(sentences) + 11.8 * syllables / len(words) - 15.59


def _reasons(variation: Variation) -> Iterator[str]:
    text = variation.text
    if not text.strip():
        yield "says nothing"
        return
    for name in dict.fromkeys(PLACEHOLDER.findall(text)):
        if not is_known(name):
            yield f"nothing fills {{{name}}}"
    yield from _words_to_avoid("\n".join([text, *(choice.label for choice in variation.choices)]))
    for sentence in _sentences(text):
        if len(sentence.split()) > SENTENCE_LIMIT:
            yield f"has a sentence of {len(sentence.split())} words; {SENTENCE_LIMIT} is the limit"
    if (grade := reading_grade(text)) > GRADE_LIMIT:
        yield f"reads at grade {grade:.1f}; {GRADE_LIMIT:.0f} is the limit"
    if variation.channel in (None, "sms", "whatsapp"):
        yield from _text_message_reasons(variation)


def _words_to_avoid(said: str) -> Iterator[str]:
    for word in _GENDERED:
        if re.search(rf"\b{word}\b", said, re.IGNORECASE):
            yield f'"{word}" names a gender'
    for word in _JARGON:
        if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", said, re.IGNORECASE):
            yield f'"{word}" is jargon'
    if match := _ASKED_FOR.search(said):
        yield f"asks for {match[1]}, which a network may take for itself: offer digits"
    if _EMOJI.search(said):
        yield "has an emoji"
    if re.search(r"\b[A-Z]{4,}(?:\s+[A-Z]{4,})+\b", PLACEHOLDER.sub("", said)):
        yield "shouts: several words in capitals"


def _text_message_reasons(variation: Variation) -> Iterator[str]:
    text = normalise(variation.text)
    if not is_gsm(text):
        odd = sorted({character for character in text if not is_gsm(character)})
        yield f"has {' '.join(odd)}, which makes a text message cost double"
    filled = PLACEHOLDER.sub(lambda match: _SAMPLE.get(match[1], _TYPICAL), text)
    menu = "".join(f"\n{number} for {choice.label}" for number, choice in enumerate(variation.choices, start=1))
    parts = segments(f"Landlord: {filled}{menu}").count
    if parts > SEGMENT_LIMIT:
        yield f"takes {parts} parts as a text message; {SEGMENT_LIMIT} is the limit"


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<=[.!?:])\s+|\n+", text) if part.strip()]


def _words(sentence: str) -> list[str]:
    ours = PLACEHOLDER.sub(" ", _LINK.sub(" ", sentence))
    return re.findall(r"[a-z]+(?:'[a-z]+)?", ours.casefold())


def _syllables(word: str) -> int:
    """How many syllables `word` has, near enough for a grade: groups of vowels, less a silent final e."""
    word = word.replace("'", "")
    groups = len(re.findall(r"[aeiouy]+", word))
    if word.endswith("e") and not word.endswith(("le", "ee")) and groups > 1:
        groups -= 1
    if word.endswith(("ed", "es")) and groups > 1 and not re.search(r"(?:[td]ed|[sxz]es|ches|shes|ges|ces)$", word):
        groups -= 1
    return max(groups, 1)
