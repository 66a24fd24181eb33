"""The rules of one language: its words, its signs, and the turns of phrase that say a hazard is not here and now."""

import re
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from bot.triage.data import Value
from bot.triage.phrases import Phrase, spellings, words_in, written_out
from bot.triage.signs import LEVELS, Found, Match, Pattern, Sign, matches, sign_from
from bot.triage.text import Reading, read, words_of
from bot.triage.vocabulary import HARMLESS, Span, Vocabulary

CUES: Final = (
    "negation", "negation_reach", "not_negation", "clause_openers", "clause_joiners", "clause_subjects",
    "past_time", "told_us", "past_frame", "over", "over_alone", "still", "supposed", "asks_whether", "emergency_question",
    "about_mine", "right_now", "doubt_if", "reported", "feared", "present", "confirms",
)  # fmt: skip
SECTIONS: Final = ("words", "numbers", "harmless", "reading", "signs")

_NEGATION_STEPS: Final = 6
_SUPPOSED_REACH: Final = 9
_FRAME_REACH: Final = 4
_LEAD_IN: Final = 6
_ALONE: Final = 4
_SHORT_ANSWER: Final = 8
_CLAUSES_UNTIL_OVER: Final = 3
_UNLESS_REACH: Final = 8
_READINGS_KEPT: Final = 256
"""A message is read for what it tells and for its concepts, and again with the next; its parts are too."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A hazard in a text. `level` is one of LEVELS: "advice" where it is spoken of but not there."""

    hazard: str
    level: str
    evidence: str
    at: int
    doubtful: bool = False
    """Found by a sign that harmless messages show too."""


@dataclass(frozen=True, slots=True)
class _Number:
    concept: int
    least: int
    most: int
    before: tuple[tuple[str, ...], ...]
    after: tuple[tuple[str, ...], ...]


class Rulebook:
    """Compiled rules; `findings` is a pure function of the text."""

    def __init__(self, hazards: Mapping[str, object]) -> None:
        self._hazards = hazards
        self._ids: dict[str, int] = {}
        self._size = HARMLESS + 1
        self._phrases: list[tuple[Phrase, int]] = []
        self._numbers: list[_Number] = []
        self._signs: list[Sign] = []
        self._cue_ids: dict[str, int] = {}
        self._reach: frozenset[str] = frozenset()
        self._openers: frozenset[str] = frozenset()
        self._joiners: frozenset[str] = frozenset()
        self._subjects: frozenset[str] = frozenset()
        self._wanted: set[int] = set()
        self._terms: set[int] = set()
        """Those of `_wanted` that make up signs, not only their conditions."""
        self.telling: frozenset[str] = frozenset()
        """Every word that stands in a phrase of a sign."""
        self._vocabulary = Vocabulary()
        self._names: dict[int, str] = {}
        """Ids of concepts and cues by number, without the phrases that a sign quotes."""
        self._patterns: list[tuple[int, Sign, Pattern, Sequence[frozenset[int]]]] = []
        """Every pattern with its sign, the number of that, and the groups of which one concept each must be there."""
        self._calls: dict[int, list[int]] = {}
        """By concept the numbers of the patterns to try where it is found."""
        self._read = lru_cache(maxsize=_READINGS_KEPT)(self._read_afresh)
        """What was read last is asked for again: for its findings, for its concepts, for what it says of what came before."""

    # --- building -------------------------------------------------------------------------------------------------

    def add_concepts(self, section: Value, without: Collection[str] = ()) -> None:
        """A mapping of concept ids to lists of phrases; a concept may be spread over files. Those of `without` are left
        out: a name under `words` hides the classifier's concept of that name, whose words are looser."""
        for name, value in section.entries():
            if name in without:
                continue
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise value.fault(f"{name!r}: a concept is named with small letters, digits and underscores")
            number = self._number(name)
            self._phrases.extend((phrase, number) for phrase in value.phrases())

    def add_rules(
        self, fields: Mapping[str, Value], ordinary: Sequence[str] = (), also_wanted: Sequence[str] = ()
    ) -> None:
        """The sections of a rule file, after every concept was added. `also_wanted`: concepts to be found though no sign
        needs them."""
        if "words" in fields:
            self.add_concepts(fields["words"])
            self._wanted.update(self._ids[name] for name in also_wanted if name in self._ids)
        if "numbers" in fields:
            self._add_numbers(fields["numbers"])
        if "harmless" in fields:
            self._phrases.extend((phrase, HARMLESS) for phrase in fields["harmless"].phrases())
        if "reading" in fields:
            self._add_cues(fields["reading"])
        if "signs" in fields:
            self._signs.extend(sign_from(entry, self._hazards, self._concept) for entry in fields["signs"].items())
        self._compile(ordinary)

    def _number(self, name: str) -> int:
        if name not in self._ids:
            self._ids[name] = self._size
            self._size += 1
        return self._ids[name]

    def _concept(self, name: str, is_phrase: bool, place: Value) -> int:
        if is_phrase:
            known = f'"{name}"' in self._ids
            number = self._number(f'"{name}"')
            if not known:
                self._phrases.append((tuple(((word,),) for word in _words(name, place)), number))
            self._wanted.add(number)
            return number
        if name not in self._ids:
            raise place.fault(f"unknown concept {name!r}")
        self._wanted.add(self._ids[name])
        return self._ids[name]

    def _add_numbers(self, section: Value) -> None:
        for name, value in section.entries():
            fields = value.fields("least", "most", "before", "after", required=("least", "most"))
            sides = [
                tuple(words for phrase in fields[side].phrases() for words in written_out(phrase))
                if side in fields
                else ()
                for side in ("before", "after")
            ]
            number = _Number(self._number(name), fields["least"].number(), fields["most"].number(), sides[0], sides[1])
            self._numbers.append(number)

    def _add_cues(self, section: Value) -> None:
        fields = section.fields(*CUES)
        plain = {
            name: frozenset(words[0] for phrase in fields[name].phrases() for words in written_out(phrase) if words)
            for name in ("negation_reach", "clause_openers", "clause_joiners", "clause_subjects")
            if name in fields
        }
        none: frozenset[str] = frozenset()
        self._reach = plain.get("negation_reach", none)
        self._openers = plain.get("clause_openers", none)
        self._joiners = plain.get("clause_joiners", none)
        self._subjects = plain.get("clause_subjects", none)
        for name, value in fields.items():
            if name not in plain:
                number = self._cue_ids[name] = self._number(f"reading:{name}")
                self._phrases.extend((phrase, number) for phrase in value.phrases())

    def _compile(self, ordinary: Sequence[str]) -> None:
        plain = self._reach | self._openers | self._joiners | self._subjects
        used = self._wanted | set(self._cue_ids.values()) | {HARMLESS} | {number.concept for number in self._numbers}
        self._terms = {
            concept for sign in self._signs for pattern in sign.patterns for term in pattern.terms for concept in term
        }
        phrases = [(phrase, concept) for phrase, concept in self._phrases if concept in used]
        telling = {word for phrase, concept in phrases if concept in self._wanted for word in words_in(phrase)}
        vocabulary = Vocabulary(phrases, [*ordinary, *plain], telling)
        vocabulary.always_find(
            {concept for sign in self._signs for concept in (*sign.unless, *sign.unless_anywhere)} - self._terms
        )
        self._vocabulary = vocabulary
        self._patterns = [
            (at, sign, pattern, [frozenset(group) for group in (*pattern.terms, *sign.needs)])
            for at, sign in enumerate(self._signs)
            for pattern in sign.patterns
        ]
        readings: Counter[int] = Counter()
        for phrase, concept in phrases:
            readings[concept] += spellings(phrase)
        for number, (_, _, _, needed) in enumerate(self._patterns):
            rarest = min(needed, key=lambda group: sum(readings[concept] for concept in group))
            for concept in rarest:
                self._calls.setdefault(concept, []).append(number)
        self._names = {number: sys.intern(name) for name, number in self._ids.items() if not name.startswith('"')}
        self.telling = frozenset(telling)

    # --- reading --------------------------------------------------------------------------------------------------

    def concepts(self, text: str) -> list[str]:
        """The ids of everything in a text that the rules have a word for, turns of phrase among them, in order."""
        _, found = self._read(text)
        names = self._names
        return sorted([names[number] for number in found if number in names])

    def findings(self, text: str) -> list[Finding]:
        """Every hazard that a text speaks of, in the order of the rules."""
        return self.examine(text)[0]

    def examine(self, text: str) -> tuple[list[Finding], bool]:
        """`findings`, and whether the text says of some hazard that it is not there ("no smell of gas")."""
        reading, found = self._read(text)
        if not reading.words:
            return [], False
        present = found.keys()
        page: _Page | None = None
        best: dict[int, Finding] = {}
        """By the number of the sign."""
        for number in self._candidates(present):
            at, sign, pattern, needed = self._patterns[number]
            held = best.get(at)
            if (
                any(map(present.isdisjoint, needed))
                or (held is not None and held.level == sign.level)
                or (sign.alone and len(reading.words) > sign.alone)
                or not present.isdisjoint(sign.unless_anywhere)
            ):
                continue
            for match in matches(pattern, sign.within, found, reading):
                page = page or _Page(reading, found, self._cue_ids, self._reach, self._terms)
                finding = page.judge(sign, match)
                if finding and (held is None or LEVELS.index(finding.level) > LEVELS.index(held.level)):
                    held = best[at] = finding
        return [best[at] for at in sorted(best)], page is not None and page.denied

    def _candidates(self, present: Collection[int]) -> list[int]:
        """Numbers of the patterns of which some of the needed concepts are there, in the order of the rules."""
        calls = self._calls
        return sorted({number for concept in present if concept in calls for number in calls[concept]})

    def _read_afresh(self, text: str) -> tuple[Reading, dict[int, list[Span]]]:
        reading = read(text, self._vocabulary.spelt, self._openers, self._joiners, self._subjects)
        found = self._vocabulary.find(reading.words)
        self._find_numbers(reading.words, found)
        return reading, found

    def confirms(self, text: str) -> bool:
        """Whether a text says no more than "yes, now"."""
        number = self._cue_ids.get("confirms")
        reading, found = self._read(text)
        spans: Sequence[Span] = found.get(number, []) if number is not None else []
        return bool(spans) and min(span.start for span in spans) == 0 and len(reading.words) <= _SHORT_ANSWER

    def levels(self, hazard: str) -> tuple[str, ...]:
        """The levels that signs of a hazard may reach."""
        return tuple(sign.level for sign in self._signs if sign.hazard == hazard)

    def _find_numbers(self, words: Sequence[str], found: dict[int, list[Span]]) -> None:
        if not self._numbers:
            return
        for i, word in enumerate(words):
            if not word.isdecimal() or len(word) > 3:
                continue
            value = int(word)
            for number in self._numbers:
                if number.least <= value <= number.most and (
                    any(tuple(words[i + 1 : i + 1 + len(phrase)]) == phrase for phrase in number.after)
                    or any(tuple(words[max(0, i - len(phrase)) : i]) == phrase for phrase in number.before)
                ):
                    found.setdefault(number.concept, []).append(Span(i, i + 1))


def _words(phrase: str, place: Value) -> tuple[str, ...]:
    words = words_of(phrase)
    if not words:
        raise place.fault(f"{phrase!r} holds no word")
    return words


class _Page:
    """One text with its cues, for judging how a match in it is meant."""

    def __init__(
        self, reading: Reading, found: Found, cue_ids: Mapping[str, int], reach: frozenset[str], terms: set[int]
    ) -> None:
        self._reading = reading
        self._found = found
        self._cue_ids = cue_ids
        self._reach = reach
        self._negations = self._free_negations(terms)
        self.denied = False
        """Something was judged and found to be denied, or only told of others."""

    def judge(self, sign: Sign, match: Match) -> Finding | None:
        """What a match of a sign amounts to: the sign's level, advice only, or nothing."""
        reading = self._reading
        first, last = match[0].start, match[-1].end - 1
        place = reading.place
        for concept in sign.unless:
            for span in self._found.get(concept, ()):
                if (
                    place[span.start] - place[last] <= _UNLESS_REACH
                    and place[first] - place[span.end - 1] <= _UNLESS_REACH
                ):
                    return None
        words = " ".join(word for word in reading.typed[first : last + 1] if word)
        manner, because = self._manner(sign, first, last, match)
        if manner in ("negated", "reported"):
            self.denied = True
            return None
        if manner:
            if manner in ("past", "over") and sign.level == "emergency":
                return None
            return Finding(sign.hazard, "advice", f"{words} ({because})", first)
        return Finding(sign.hazard, sign.level, words, first, sign.doubtful)

    def _manner(self, sign: Sign, first: int, last: int, match: Match) -> tuple[str, str]:
        despite = sign.despite
        if "negated" not in despite and (because := self._negated(first, match)):
            return "negated", because
        if "reported" not in despite and (because := self._in_sentence("reported", first, last)):
            return "reported", because
        if "supposed" not in despite and (because := self._supposed(first, last)):
            return "supposed", because
        if "feared" not in despite and (because := self._shortly_before("feared", first)):
            return "feared", because
        if "past" not in despite and (because := self._long_ago(first, last)):
            return "past", because
        if "over" not in despite and (because := self._done_with(first, last)):
            return "over", because
        return "", ""

    def _cues(self, name: str) -> Sequence[Span]:
        number = self._cue_ids.get(name)
        return self._found.get(number, ()) if number is not None else ()

    def _quote(self, span: Span) -> str:
        return " ".join(word for word in self._reading.typed[span.start : span.end] if word)

    # negation: "no smell of gas"

    def _free_negations(self, terms: set[int]) -> dict[int, Span]:
        """Negations by the place of their last word, without those that belong to a longer phrase ("no heating",
        "not sure")."""
        negations = self._cues("negation")
        if not negations:
            return {}
        bound: set[int] = set()
        for span in self._cues("not_negation"):
            bound.update(range(span.start, span.end))
        for concept, spans in self._found.items():
            if concept in terms:
                for span in spans:
                    if span.end - span.start > 1:
                        bound.update(range(span.start, span.end))
        return {span.end - 1: span for span in negations if span.start not in bound}

    def _negated(self, first: int, match: Match) -> str:
        if not self._negations:
            return ""
        clause, words = self._reading.clause, self._reading.words
        for i in range(first - 1, max(-1, first - 1 - _NEGATION_STEPS), -1):
            if clause[i] != clause[first]:
                break
            if i in self._negations:
                return self._quote(self._negations[i])
            if words[i] not in self._reach:
                break
        for before, after in pairwise(match):
            gap = range(before.end, after.start)
            for i in gap:
                if (
                    i in self._negations
                    and clause[i] == clause[after.start]
                    and all(words[j] in self._reach for j in range(i + 1, after.start))
                ):
                    return self._quote(self._negations[i])
        return ""

    # "on the news", "it could cause a fire"

    def _in_sentence(self, name: str, first: int, last: int) -> str:
        sentence = self._reading.sentence
        for span in self._cues(name):
            if sentence[first] <= sentence[span.start] <= sentence[last]:
                return self._quote(span)
        return ""

    def _shortly_before(self, name: str, first: int) -> str:
        clause = self._reading.clause
        for span in self._cues(name):
            if 0 <= first - span.end <= _FRAME_REACH and clause[span.start] == clause[first]:
                return self._quote(span)
        return ""

    # "what if there was a fire", "is a gas leak an emergency?"

    def _supposed(self, first: int, last: int) -> str:
        if self._in_sentence("right_now", first, last):
            return ""
        place = self._reading.place
        sentence = self._reading.sentence
        unsure = {span.end - 1 for span in self._cues("doubt_if")}
        for span in self._cues("supposed"):
            if span.start in unsure:
                continue
            if span.end <= first and place[first] - place[span.end - 1] - 1 <= _SUPPOSED_REACH:
                return self._quote(span)
            if first <= span.start <= last + 1 and span.end <= last + 1:
                return self._quote(span)
        for span in self._cues("emergency_question"):
            if sentence[span.start] == sentence[first] and (span.start >= last or span.end <= first):
                start = sentence.index(sentence[first])
                opens = any(cue.start == start for cue in self._cues("asks_whether"))
                mine = any(start <= cue.start <= start + 2 for cue in self._cues("about_mine"))
                if opens and not mine:
                    return self._quote(span)
        return ""

    # "last month, fixed"

    def _long_ago(self, first: int, last: int) -> str:
        clause, sentence = self._reading.clause, self._reading.sentence
        if self._is_still(first, last):
            return ""
        frame = self._shortly_before("past_frame", first)
        if frame:
            return frame
        told = self._cues("told_us")
        for span in self._cues("past_time"):
            inside = clause[first] <= clause[span.start] <= clause[last]
            leads_in = (
                clause[span.start] == clause[first] - 1
                and sentence[span.start] == sentence[first]
                and clause.count(clause[span.start]) <= _LEAD_IN
            )
            if not inside and not leads_in:
                continue
            if any(clause[cue.start] == clause[span.start] for cue in told):
                continue
            if not any(min(span.start, first - 3) <= cue.start <= last for cue in self._cues("present")):
                return self._quote(span)
        return ""

    def _is_still(self, first: int, last: int) -> bool:
        """Something near the match says that it goes on, or is back."""
        clause = self._reading.clause
        return any(clause[first] <= clause[span.start] <= clause[last] + 2 for span in self._cues("still"))

    def _done_with(self, first: int, last: int) -> str:
        clause = self._reading.clause
        for name in ("over", "over_alone"):
            for span in self._cues(name):
                if name == "over_alone" and clause.count(clause[span.start]) > _ALONE:
                    continue
                if span.start < first and clause[span.start] != clause[first]:
                    continue
                if clause[span.start] - clause[last] > _CLAUSES_UNTIL_OVER:
                    continue
                if first <= span.start <= last or first < span.end <= last:
                    continue
                if any(cue.start >= first and not span.start <= cue.start < span.end for cue in self._cues("still")):
                    continue
                return self._quote(span)
        return ""
