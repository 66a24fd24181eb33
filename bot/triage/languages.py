"""Other languages: which one a text is written in, and danger told in it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.triage.data import Value
from bot.triage.rulebook import SECTIONS, Finding, Rulebook
from bot.triage.text import fold, pieces, words_of

ENGLISH: Final = "en"
_SURE: Final = 2
"""So much must speak for another language, where no danger is told in it."""
_SCRIPTS: Final = {
    "cyrillic": ("\u0400", "\u052f"),
    "arabic": ("\u0600", "\u06ff"),
    "han": ("\u4e00", "\u9fff"),
}


@dataclass(frozen=True, slots=True)
class Language:
    """A language file, compiled."""

    code: str
    name: str
    reviewed: bool
    """Whether someone who speaks the language has checked it."""
    script: str | None
    letters: frozenset[str]
    """Letters that only this language of its script uses."""
    words: frozenset[str]
    rulebook: Rulebook
    advice: Mapping[str, str]
    """The danger text by hazard."""
    replies: Mapping[str, str]
    """Other words to tenants, by response key; English is used where there is none."""


class Languages:
    """Every language but English."""

    def __init__(self, languages: Sequence[Language], english: frozenset[str], ordinary_english: Sequence[str]) -> None:
        self._languages = languages
        self._english = english
        self.ordinary_english = ordinary_english
        self._by_word: dict[str, list[int]] = {}
        for i, language in enumerate(languages):
            for word in language.words | language.rulebook.telling - english:
                self._by_word.setdefault(word, []).append(i)
        letters = "".join(sorted(frozenset().union(*(language.letters for language in languages))))
        ranges = "".join(f"{first}-{last}" for first, last in _SCRIPTS.values())
        self._letters = re.compile(f"[{ranges}{re.escape(letters)}]")
        """Those that speak for one of the languages."""

    def advice(self, code: str, hazard: str) -> str | None:
        """The advice text of a language file."""
        return next((one.advice.get(hazard) for one in self._languages if one.code == code), None)

    def get(self, code: str) -> Language | None:
        """The language of an ISO 639-1 code; None for English and for those we do not know."""
        return next((one for one in self._languages if one.code == code), None)

    def responses(self) -> Mapping[str, Mapping[str, Sequence[Mapping[str, str]]]]:
        """By language, its advice and replies as responses in Rasa's shape."""
        return {
            one.code: {
                **{f"utter_advice_{hazard}": [{"text": text}] for hazard, text in one.advice.items()},
                **{key: [{"text": text}] for key, text in one.replies.items()},
            }
            for one in self._languages
        }

    @property
    def codes(self) -> tuple[str, ...]:
        """The ISO 639-1 codes known, without English."""
        return tuple(language.code for language in self._languages)

    def read(self, text: str, english_found: bool) -> tuple[str, list[Finding]]:
        """The language of a text (English when in doubt) and the hazards told in it."""
        words = pieces(text)  # and marks, which are words of no language
        foreign = not text.isascii() and self._letters.search(text.lower()) is not None
        english = len([word for word in words if word in self._english])
        if not foreign and len([word for word in words if word in self._by_word]) <= english:
            return ENGLISH, []  # as the score of each language would be
        scores = self._scores(text, words)
        if not scores:
            return ENGLISH, []
        ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        best, score = ranked[0]
        if score <= english or (english_found and score <= english + 1):
            return ENGLISH, []
        findings: list[Finding] = []
        for i, other in ranked[:3]:
            if 2 * other >= score:
                told = self._languages[i].rulebook.findings(text)
                if told and not findings:
                    best = i
                findings += told
        if not findings and score < _SURE:
            return ENGLISH, []
        return self._languages[best].code, findings

    def _scores(self, text: str, words: Sequence[str]) -> dict[int, int]:
        scores: dict[int, int] = {}
        for word in words:
            for i in self._by_word.get(word, ()):
                scores[i] = scores.get(i, 0) + 1
        if not text.isascii():
            low = text.lower()
            for i, language in enumerate(self._languages):
                score = 2 * sum(1 for letter in language.letters if letter in low)
                if language.script:
                    first, last = _SCRIPTS[language.script]
                    score += min(6, sum(1 for letter in text if first <= letter <= last))
                if score:
                    scores[i] = scores.get(i, 0) + score
        return scores


def load_languages(folder: Path, hazards: Mapping[str, object]) -> Languages:
    """Read every `<iso>.yml` of a folder; `en.yml` holds what tells English from the others."""
    languages: list[Language] = []
    english: frozenset[str] = frozenset()
    ordinary: list[str] = []
    for path in sorted(folder.glob("*.yml")):
        root = Value.read(path)
        if path.stem == ENGLISH:
            fields = root.fields("language", "words", "ordinary", required=("words", "ordinary"))
            english = frozenset(fold(text) for text, _ in fields["words"].texts())
            ordinary = [word for text, _ in fields["ordinary"].texts() for word in words_of(text)]
        else:
            languages.append(_language(path.stem, root, hazards))
    return Languages(languages, english, ordinary)


def _language(code: str, root: Value, hazards: Mapping[str, object]) -> Language:
    fields = root.fields(
        "language", "name", "reviewed", "script", "letters", "function_words", "advice", "replies", *SECTIONS,
        required=("language", "name", "reviewed", "function_words", "words", "signs", "advice", "replies"),
    )  # fmt: skip
    if fields["language"].text() != code:
        raise fields["language"].fault(f"the file is named for {code!r}")
    script = fields["script"].text() if "script" in fields else None
    if script is not None and script not in _SCRIPTS:
        raise fields["script"].fault(f"unknown script {script!r}; known: {', '.join(_SCRIPTS)}")
    advice: dict[str, str] = {}
    for hazard, value in fields["advice"].entries():
        if hazard not in hazards:
            raise value.fault(f"unknown hazard {hazard!r}")
        advice[hazard] = value.text()
    rulebook = Rulebook(hazards)
    rulebook.add_rules({name: fields[name] for name in SECTIONS if name in fields})
    return Language(
        code=code,
        name=fields["name"].text(),
        reviewed=fields["reviewed"].flag(),
        script=script,
        letters=frozenset(fields["letters"].text().lower()) if "letters" in fields else frozenset(),
        words=frozenset(word for text, _ in fields["function_words"].texts() for word in words_of(text)),
        rulebook=rulebook,
        advice=advice,
        replies={key: value.text() for key, value in fields["replies"].entries()},
    )
