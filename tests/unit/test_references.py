"""A reference survives being read out, typed by thumb and half remembered; a wrong one is noticed."""

import re

from hypothesis import given
from hypothesis import strategies as st

from bot import references

kinds = st.sampled_from(sorted(references.KINDS.values()))
chances = st.integers(0, 2**references.RANDOM_BITS - 1)
made = st.builds(references.make, kinds, chances)


@given(made)
def test_a_reference_has_the_printed_form(reference: str) -> None:
    assert re.fullmatch(r"[RCES]-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{3}", reference)


@given(made, st.sampled_from(["", " ", "-", " - "]), st.booleans())
def test_it_is_understood_however_it_is_typed(reference: str, between: str, lower: bool) -> None:
    typed = between.join(reference.split("-"))
    assert references.read(typed.lower() if lower else typed) == reference


@given(made)
def test_letters_that_are_misread_are_understood(reference: str) -> None:
    letter, *rest = reference
    assert references.read(letter + "".join(rest).replace("0", "O").replace("1", "l")) == reference


@given(made, st.integers(2, 9), st.sampled_from(references.ALPHABET))
def test_one_wrong_symbol_is_noticed(reference: str, place: int, symbol: str) -> None:
    if reference[place] in {"-", symbol}:
        return
    assert references.read(reference[:place] + symbol + reference[place + 1 :]) is None


@given(made, st.integers(1, 6))
def test_two_swapped_neighbours_are_noticed(reference: str, place: int) -> None:
    compact = list(reference.replace("-", ""))
    if compact[place] == compact[place + 1]:
        return
    compact[place], compact[place + 1] = compact[place + 1], compact[place]
    assert references.read("".join(compact)) is None


@given(made, st.sampled_from(["my ref is {}", "{} any news?", "re {}.", "it's {} thanks"]))
def test_it_is_found_in_a_sentence(reference: str, sentence: str) -> None:
    assert references.find(sentence.format(reference.lower().replace("-", " "))) == reference


@given(st.text())
def test_no_text_breaks_the_search(text: str) -> None:
    found = references.find(text)
    assert found is None or references.read(found) == found
