"""Phrases with choices, made into one automaton without writing every choice out.

`(my|the|our) (boiler|heating) (is|has been) off` has twelve spellings, and the rule files a hundred thousand and more. What
phrases end with is built once and shared; beginnings are parted word by word, so that a text is followed through all
phrases at the same time.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import product
from math import prod

Run = tuple[tuple[str, ...], ...]
"""The ways to read a piece of a phrase, each some words or none."""
Phrase = tuple[Run, ...]


class Node:
    """A place in the automaton: what may follow, and the concepts whose phrases end here."""

    __slots__ = ("concepts", "following")

    def __init__(self, concepts: tuple[int, ...], following: dict[str, "Node"]) -> None:
        self.concepts = concepts
        self.following = following


def spellings(phrase: Phrase) -> int:
    """In how many ways a phrase can be read, those counted twice that can be made in two ways."""
    return prod(len(run) for run in phrase)


def written_out(phrase: Phrase) -> list[tuple[str, ...]]:
    """Every way to read a phrase, as words."""
    return [tuple([word for words in row for word in words]) for row in product(*phrase)]


def words_in(phrase: Phrase) -> set[str]:
    """Every word of a phrase."""
    return {word for run in phrase for words in run for word in words}


def automaton(phrases: Collection[tuple[Phrase, int]]) -> Node:
    """The beginning of all phrases, each with the number of its concept."""
    if not phrases:
        return Node((), {})
    loose = _Loose()
    beginnings = {beginning for phrase, concept in phrases for beginning in loose.phrase(phrase, concept)}
    return _Strict(loose).node(frozenset(beginnings))


class _Loose:
    """Places with several ways on for the same word. Equal ends of phrases share their places."""

    def __init__(self) -> None:
        self.concepts: list[int | None] = []
        self.arcs: list[Mapping[str, Sequence[int]]] = []
        self._ends: dict[int, int] = {}
        self._known: dict[tuple[int, tuple[int, ...]], int] = {}

    def phrase(self, phrase: Phrase, concept: int) -> tuple[int, ...]:
        """The places where it begins."""
        end = self._ends.get(concept)
        if end is None:
            end = self._ends[concept] = self._place(concept, {})
        places: tuple[int, ...] = (end,)
        for run in reversed(phrase):
            key = (id(run), places)  # the same piece of two phrases is one object, and comparing words takes longer
            before = self._known.get(key)
            if before is None:
                before = self._known[key] = self._run(run, places)
            places = (before, *places) if () in run else (before,)
        return places

    def _run(self, run: Run, after: tuple[int, ...]) -> int:
        arcs: dict[str, list[int]] = {}
        for words in run:
            if words:
                places = after
                for word in words[:0:-1]:
                    places = (self._place(None, {word: places}),)
                arcs.setdefault(words[0], []).extend(places)
        return self._place(None, arcs)

    def _place(self, concept: int | None, arcs: Mapping[str, Sequence[int]]) -> int:
        self.concepts.append(concept)
        self.arcs.append(arcs)
        return len(self.arcs) - 1


class _Strict:
    """One way on for each word: a node stands for all the loose places that the same words lead to."""

    def __init__(self, loose: _Loose) -> None:
        self._loose = loose
        self._nodes: dict[frozenset[int], Node] = {}

    def node(self, places: frozenset[int]) -> Node:
        node = self._nodes.get(places)
        if node is None:
            ways: dict[str, list[int]] = {}
            for place in places:
                for word, after in self._loose.arcs[place].items():
                    ways.setdefault(word, []).extend(after)
            concepts = {concept for place in places if (concept := self._loose.concepts[place]) is not None}
            following = {word: self.node(frozenset(after)) for word, after in ways.items()}
            node = self._nodes[places] = Node(tuple(sorted(concepts)), following)
        return node
