from hypothesis import given
from hypothesis import strategies as st

from bot.wording import normalise, segments
from bot.wording.gsm import is_gsm


def test_a_text_of_160_characters_is_one_part_and_one_more_makes_two():
    assert segments("a" * 160).count == 1
    assert segments("a" * 161).count == 2
    assert segments("a" * 306).count == 2
    assert segments("a" * 307).count == 3


def test_one_character_outside_the_alphabet_turns_the_whole_text():
    assert segments("a" * 70 + "ł").encoding == "UCS-2"
    assert segments("ł" * 70).count == 1
    assert segments("ł" * 71).count == 2


def test_square_brackets_and_the_euro_sign_cost_two():
    assert segments("[€]").units == 6


def test_pounds_and_french_accents_are_in_the_alphabet():
    assert is_gsm("£15 café à Ñ")


def test_an_emoji_counts_as_two_code_units():
    assert segments("\N{HOUSE BUILDING}").units == 2


@given(st.text())
def test_normalising_twice_changes_nothing_more(text):
    assert normalise(normalise(text)) == normalise(text)
