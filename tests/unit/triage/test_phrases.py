"""Phrases with choices: found in every way that they can be read, and in no other."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.triage.phrases import automaton, spellings, words_in, written_out
from bot.triage.vocabulary import Span, Vocabulary

WORDS = st.sampled_from(["a", "b", "c", "gas"])
RUNS = st.lists(st.lists(WORDS, max_size=2).map(tuple), min_size=1, max_size=3, unique=True).map(tuple)
PHRASES = st.lists(RUNS, min_size=1, max_size=3).map(tuple).filter(lambda phrase: not all(() in run for run in phrase))
NUMBERED = st.lists(st.tuples(PHRASES, st.integers(1, 3)), max_size=4)


def accepted(node, before=()):
    """Every way through an automaton with the concepts at its end."""
    found = {before: set(node.concepts)} if node.concepts else {}
    for word, after in node.following.items():
        found |= accepted(after, (*before, word))
    return found


@given(NUMBERED)
@settings(max_examples=200, deadline=None)
def test_an_automaton_holds_what_its_phrases_say_written_out_and_nothing_else(phrases) -> None:
    expected: dict[tuple[str, ...], set[int]] = {}
    for phrase, concept in phrases:
        for row in product(*phrase):
            words = tuple(word for words in row for word in words)
            expected.setdefault(words, set()).add(concept)
    found = accepted(automaton(phrases))
    assert {words: concepts for words, concepts in expected.items() if words} == found


@given(PHRASES)
def test_a_phrase_written_out_is_as_long_as_it_says(phrase) -> None:
    assert len(written_out(phrase)) == spellings(phrase)
    assert {word for words in written_out(phrase) for word in words} == words_in(phrase)


@given(st.lists(WORDS, max_size=8), NUMBERED)
@settings(deadline=None)
def test_a_text_is_followed_through_all_phrases_at_once(words, phrases) -> None:
    expected: dict[int, set[Span]] = {}
    for phrase, concept in phrases:
        for spelling in written_out(phrase):
            for start in range(len(words) - len(spelling) + 1):
                if spelling and tuple(words[start : start + len(spelling)]) == spelling:
                    expected.setdefault(concept, set()).add(Span(start, start + len(spelling)))
    found = Vocabulary(phrases).find(words)
    assert {concept: set(spans) for concept, spans in found.items()} == expected


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("smoke", ("smoke",)),
        ("smkoe", ("smoke",)),
        ("somke", ("smoke",)),
        ("smok", ("smoke",)),
        ("smoek", ("smoke",)),
        ("msoke", ("smoke",)),
        ("xmoke", ("xmoke",)),  # another first letter, not swapped: another word
        ("smaak", ("smaak",)),  # two slips in a short word
        ("carbin monxide", ("carbin", "monoxide")),  # "carbin" could be no word of ours
        ("monoxxidde", ("monoxide",)),
        ("smokealarm", ("smoke", "alarm")),
        ("smoake", ("smoake",)),  # an ordinary word, by the list
    ],
)
def test_a_slip_of_the_finger_is_read_as_the_word_it_is_closest_to(typed: str, meant: tuple[str, ...]) -> None:
    phrases = [((((word,)),),) for word in ("smoke", "monoxide", "alarm")]
    vocabulary = Vocabulary([(phrase, 1) for phrase in phrases], ["smoake"], ["smoke", "monoxide", "alarm"])
    assert tuple(word for each in typed.split() for word in vocabulary.spelt(each)) == meant
