import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages import Choice
from bot.wording import match_choice

READ_BACK = (Choice("Send it", "send"), Choice("Change something", "change"))
ROOMS = (Choice("Kitchen", "kitchen"), Choice("Bathroom", "bathroom"), Choice("Living room", "living_room"))
YES_NO = (Choice("Yes", "yes"), Choice("No", "no"))


@pytest.mark.parametrize(
    ("said", "offered", "meant"),
    [
        ("1", READ_BACK, "send"),
        ("2.", READ_BACK, "change"),
        ("Reply 1", READ_BACK, "send"),
        ("option 2", READ_BACK, "change"),
        ("two", READ_BACK, "change"),
        ("Aye!", READ_BACK, "send"),
        ("ok", READ_BACK, "send"),
        ("naw", READ_BACK, "change"),
        ("that’s right", READ_BACK, "send"),
        ("SEND IT", READ_BACK, "send"),
        ("change", READ_BACK, "change"),
        ("kitchen", ROOMS, "kitchen"),
        ("living", ROOMS, "living_room"),
        ("3", ROOMS, "living_room"),
        ("aye", YES_NO, "yes"),
        ("nope", YES_NO, "no"),
    ],
)
def test_digits_labels_and_plain_words_are_understood(said, offered, meant):
    assert match_choice(said, offered) == meant


@pytest.mark.parametrize(
    "said", ["4", "0", "14", "yes but not today", "no, number 14", "", "?", "the kitchen tap", "yes"]
)
def test_anything_else_is_not_a_choice(said):
    assert match_choice(said, ROOMS) is None


def test_a_digit_means_nothing_when_nothing_was_offered():
    assert match_choice("1", ()) is None


@given(st.text(), st.lists(st.text(min_size=1), max_size=4))
def test_any_text_is_read_without_failing(said, labels):
    offered = tuple(Choice(label, f"v{number}") for number, label in enumerate(labels))
    assert match_choice(said, offered) in {None, *(choice.value for choice in offered)}
