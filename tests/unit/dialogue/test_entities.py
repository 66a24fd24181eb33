"""Facts are found in what tenants really type, and not in what only looks like them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import references
from bot.dialogue import entities


def found(text):
    return entities.by_name(entities.extract(text))


@pytest.mark.parametrize(
    ("text", "postcode"),
    [
        ("td113dt", "TD11 3DT"),
        ("its TD11 3dt pls", "TD11 3DT"),
        ("EH2l 7AA", "EH21 7AA"),
        ("td14  5qt.", "TD14 5QT"),
        ("EH32 OAB", "EH32 0AB"),
        ("g1 1aa", "G1 1AA"),
        ("SW1A 2AA", "SW1A 2AA"),
        ("td11-3dt", "TD11 3DT"),
    ],
)
def test_a_postcode_is_read_however_it_is_typed(text, postcode):
    assert found(text)["postcode"] == postcode


@pytest.mark.parametrize(
    "text", ["it's the boiler", "I'm Polish", "ZZ11 3DT", "room 101", "the 2nd of may", "R-4K7M-2QX"]
)
def test_what_is_no_postcode_is_not_read_as_one(text):
    assert "postcode" not in found(text)


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("07700900123", "+447700900123"),
        ("my mobile is 07700 900 123 thanks", "+447700900123"),
        ("+44 7700 900123", "+447700900123"),
        ("01361 884000", "+441361884000"),
        ("(01361) 884000", "+441361884000"),
    ],
)
def test_a_phone_number_is_read_and_written_in_one_form(text, phone):
    assert found(text)["phone"] == phone


@pytest.mark.parametrize("text", ["error 0077", "flat 12 23 High Street", "1234567890", "paid 250 on 01/02/2026", "0"])
def test_what_is_no_phone_number_is_not_read_as_one(text):
    assert "phone" not in found(text)


def test_a_case_reference_is_read_without_its_hyphens():
    reference = references.make("repair", 987654321)
    assert found(f"any news of {reference.lower().replace('-', ' ')}?") == {"reference": reference}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("14 high st", "14 high st"),
        ("flat 2/1 5 the square duns", "flat 2/1 5 the square"),
        ("Flat 3, 12 Station Road, Ayton", "Flat 3, 12 Station Road"),
        ("I live at 3/2 14 Murrayfield Road", "3/2 14 Murrayfield Road"),
        ("my flat is 14b langton gait", "14b langton gait"),
        ("12 Bridge St, Duns", "12 Bridge St"),
    ],
)
def test_a_street_address_is_read(text, address):
    assert found(text)["address"] == address


@pytest.mark.parametrize(
    "text", ["3 days on the road", "2 weeks in the cold close", "I have 2 close friends", "5 of us"]
)
def test_a_number_in_a_sentence_is_no_address(text):
    assert "address" not in found(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("my name is jean mcleod", "Jean Mcleod"),
        ("My name's Wullie", "Wullie"),
        ("This is Jean from 4 Main Street", "Jean"),
        ("I am John O'Neill", "John O'Neill"),
        ("Hi it's Mrs Patterson", "Mrs Patterson"),
        ("name: SARAH JANE MACKAY", "Sarah Jane Mackay"),
        ("my name is Agnieszka and my tap leaks", "Agnieszka"),
    ],
)
def test_a_name_is_read(text, name):
    assert found(text)["name"] == name


@pytest.mark.parametrize(
    "text",
    ["I'm freezing", "this is urgent", "I'm Freezing", "it's the boiler", "call me back", "I am Scottish", "this is terrible",
     "I'm waiting", "my name is on the lease"],
)  # fmt: skip
def test_a_feeling_is_no_name(text):
    assert "name" not in found(text)


@pytest.mark.parametrize(
    ("text", "room"),
    [
        ("kitchen tap", "kitchen"),
        ("in the wee room", "bedroom"),
        ("in the press", "cupboard"),
        ("livin room", "living room"),
    ],
)
def test_a_room_is_read(text, room):
    assert found(text)["room"] == room


def test_a_word_that_is_sometimes_a_room_is_left_alone():
    assert "room" not in found("press the button and close it")


def test_several_preferences_are_kept_in_order():
    assert found("tues or thurs afternoon")["time"] == ["Tuesday", "Thursday", "afternoon"]


@pytest.mark.parametrize("text", ["good morning", "Morning, my tap leaks", "Good afternoon all"])
def test_a_greeting_is_no_preference(text):
    assert "time" not in found(text)


def test_one_answer_can_hold_many_facts():
    assert found("my name is Jean Bell, 14 High Street, td11 3dt, 07700 900123, kitchen, morning") == {
        "name": "Jean Bell",
        "address": "14 High Street",
        "postcode": "TD11 3DT",
        "phone": "+447700900123",
        "room": "kitchen",
        "time": "morning",
    }


@pytest.mark.parametrize("text", ["yes", "Aye!", "aye ok", "OK 👍", "yep", "yesss", "that's right"])
def test_a_plain_yes_is_understood(text):
    assert entities.yes_or_no(text) == "affirm"


@pytest.mark.parametrize("text", ["no", "Naw", "nope", "no thanks", "nah"])
def test_a_plain_no_is_understood(text):
    assert entities.yes_or_no(text) == "deny"


@pytest.mark.parametrize("text", ["yes but the tap still drips", "no heating", "ok where is he", "", "nothing"])
def test_more_than_a_yes_or_no_is_neither(text):
    assert entities.yes_or_no(text) is None


@given(st.text(max_size=300))
def test_no_text_breaks_the_extractors(text):
    for entity in entities.extract(text):
        assert 0 <= entity.start <= entity.end <= len(text)
        assert entity.value
    entities.yes_or_no(text)
