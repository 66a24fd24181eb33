"""What gives a hazard away: the signs of `nlu_data/hazards.yml`, compiled and matched."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from bot.triage.data import Value
from bot.triage.text import Reading
from bot.triage.vocabulary import Span

LEVELS: Final = ("advice", "emergency", "danger")
READINGS: Final = ("negated", "past", "over", "supposed", "reported", "feared")
"""The ways in which a hazard may be spoken of without being there; a sign lists under `despite` those it disregards."""

_WITHIN: Final = 6
_MOST_MATCHES: Final = 40
_TERM: Final = re.compile(r'\s*((?:"[^"]*"|[a-z0-9_]+)(?:\s*\|\s*(?:"[^"]*"|[a-z0-9_]+))*)\s*([+>]|$)')
_ALTERNATIVE: Final = re.compile(r'"([^"]*)"|([a-z0-9_]+)')

Found = Mapping[int, Sequence[Span]]
Match = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """Terms that must stand near each other; each is a choice of concepts."""

    terms: tuple[tuple[int, ...], ...]
    ordered: bool
    source: str


@dataclass(frozen=True, slots=True)
class Sign:
    """One way of telling that a hazard is there."""

    hazard: str
    level: str
    when: str
    patterns: tuple[Pattern, ...]
    within: int
    needs: tuple[tuple[int, ...], ...]
    """Of each of these groups one concept must stand somewhere in the message."""
    unless: tuple[int, ...]
    """None of these may stand in the same sentence."""
    unless_anywhere: tuple[int, ...]
    despite: frozenset[str]
    alone: int
    """If not 0: only in messages of at most so many words."""
    doubtful: bool
    """Harmless messages often show it too: the model has to find a danger possible."""


def sign_from(entry: Value, hazards: Mapping[str, object], concept: Callable[[str, bool, Value], int]) -> Sign:
    """Read one entry of `signs`. `concept` gives the number of a concept by id, or (True) of a quoted phrase."""
    fields = entry.fields(
        "hazard", "level", "when", "says", "within", "needs", "unless", "unless_anywhere", "despite", "alone", "doubtful",
        required=("hazard", "level", "when", "says"),
    )  # fmt: skip
    hazard = fields["hazard"].text()
    if hazard not in hazards:
        raise fields["hazard"].fault(f"unknown hazard {hazard!r}")
    level = fields["level"].text()
    if level not in LEVELS:
        raise fields["level"].fault(f"unknown level {level!r}; known: {', '.join(LEVELS)}")

    def concepts(name: str) -> tuple[tuple[int, ...], ...]:
        return (
            tuple(_alternatives(text, place, concept) for text, place in fields[name].texts()) if name in fields else ()
        )

    despite = [(text, place) for text, place in fields["despite"].texts()] if "despite" in fields else []
    for text, place in despite:
        if text not in READINGS:
            raise place.fault(f"unknown reading {text!r}; known: {', '.join(READINGS)}")
    return Sign(
        hazard=hazard,
        level=level,
        when=fields["when"].text(),
        patterns=tuple(_pattern(text, place, concept) for text, place in fields["says"].texts()),
        within=fields["within"].number() if "within" in fields else _WITHIN,
        needs=concepts("needs"),
        unless=tuple(one for group in concepts("unless") for one in group),
        unless_anywhere=tuple(one for group in concepts("unless_anywhere") for one in group),
        despite=frozenset(text for text, _ in despite),
        alone=fields["alone"].number() if "alone" in fields else 0,
        doubtful=fields["doubtful"].flag() if "doubtful" in fields else False,
    )


def _pattern(text: str, place: Value, concept: Callable[[str, bool, Value], int]) -> Pattern:
    terms: list[tuple[int, ...]] = []
    signs: set[str] = set()
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None:
            raise place.fault(f'{text!r}: expected concepts or "phrases" joined by + (any order) or > (this order)')
        terms.append(_alternatives(match.group(1), place, concept))
        at = match.end()
        if match.group(2):
            signs.add(match.group(2))
        elif at < len(text):
            raise place.fault(f"{text!r}: expected + or >")
    if text.rstrip().endswith(("+", ">")):
        raise place.fault(f"{text!r}: a term is missing at the end")
    if len(signs) > 1:
        raise place.fault(f"{text!r}: + and > cannot be mixed")
    if not 1 <= len(terms) <= 3:
        raise place.fault(f"{text!r}: one to three terms")
    return Pattern(tuple(terms), signs == {">"}, text)


def _alternatives(text: str, place: Value, concept: Callable[[str, bool, Value], int]) -> tuple[int, ...]:
    return tuple(concept(phrase or name, bool(phrase), place) for phrase, name in _ALTERNATIVE.findall(text))


def matches(pattern: Pattern, within: int, found: Found, reading: Reading) -> Iterator[Match]:
    """The places where a pattern's terms stand close enough together, at most forty."""
    groups = []
    for term in pattern.terms:
        spans = [span for concept in term for span in found.get(concept, ())]
        if not spans:
            return
        groups.append(spans)
    if len(groups) == 1:
        for span in groups[0][:_MOST_MATCHES]:
            yield (span,)
        return
    yield from islice(_near(groups, within, pattern.ordered, reading.place), _MOST_MATCHES)


def _near(groups: list[list[Span]], within: int, ordered: bool, place: Sequence[int]) -> Iterator[Match]:
    """One span of each group, none overlapping, with at most `within` between neighbours."""
    for first in groups[0]:
        for second in groups[1]:
            if not _close(first, second, within, ordered, place):
                continue
            if len(groups) == 2:
                yield _in_order(first, second)
                continue
            for third in groups[2]:
                follows = _close(second, third, within, ordered, place)
                if not follows and (ordered or not _close(first, third, within, False, place)):
                    continue
                if not _overlap(first, third) and not _overlap(second, third):
                    yield _in_order(first, second, third)


def _in_order(*spans: Span) -> Match:
    return tuple(sorted(spans, key=lambda span: span.start))


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _close(one: Span, other: Span, within: int, ordered: bool, place: Sequence[int]) -> bool:
    if one.end <= other.start:
        return place[other.start] - place[one.end - 1] - 1 <= within
    if ordered or other.end > one.start:
        return False
    return place[one.start] - place[other.end - 1] - 1 <= within
