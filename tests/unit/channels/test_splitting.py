import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.splitting import split, utf16_length

TEXTS = st.text(alphabet=st.sampled_from("ab .!?\n’é🏠👩‍🚀"), max_size=300)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@given(TEXTS, st.integers(2, 80))
def test_nothing_but_white_space_is_lost(text: str, limit: int):
    assert squeezed("".join(split(text, limit))) == squeezed(text)


@given(TEXTS, st.integers(2, 80), st.sampled_from([len, utf16_length]))
def test_no_part_is_blank_or_too_long(text: str, limit: int, measure):
    parts = split(text, limit, measure)
    assert all(part.strip() and part == part.strip() and measure(part) <= limit for part in parts)


@given(TEXTS)
def test_a_text_that_fits_is_left_alone(text: str):
    assert split(text, 1000) == ([text.strip()] if text.strip() else [])


def test_paragraphs_are_kept_whole_where_they_fit():
    assert split("One one. Two two.\n\nThree three. Four.", 25) == ["One one. Two two.", "Three three. Four."]


def test_sentences_are_kept_whole_where_they_fit():
    assert split("It is cold. We have no heat. Can you come?", 30) == ["It is cold. We have no heat.", "Can you come?"]


def test_a_quoted_sentence_keeps_its_quotation_mark():
    assert split("He said “It is cold.” Then he went home again.", 30) == [
        "He said “It is cold.”",
        "Then he went home again.",
    ]


def test_words_are_kept_whole_where_they_fit():
    assert split("no full stop in any of this", 12) == ["no full stop", "in any of", "this"]


def test_a_link_is_cut_only_if_it_must_be():
    link = "https://example.org/" + "x" * 20
    assert split(f"See {link} for more", 45) == [f"See {link}", "for more"]
    assert "".join(split(link, 15)) == link


def test_a_short_first_sentence_does_not_make_a_message_by_itself():
    assert split("Hi. " + "word " * 20, 60)[0].count("word") > 5


def test_a_limit_that_holds_nothing_is_refused():
    with pytest.raises(ValueError, match="1 symbols"):
        split("text", 1)


def test_telegram_counts_an_emoji_twice():
    assert utf16_length("a🏠") == 3
