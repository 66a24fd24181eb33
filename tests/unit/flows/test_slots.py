import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.flows import slots


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("14 high st", "14 High St"),
        ("I'm at 14 High Street, Duns TD11 3DU", "14 High Street, Duns"),
        ("Ah bide at 3 bogend", "3 Bogend"),
        ("flat 2, 9 Castle St", "Flat 2, 9 Castle St"),
        ("2/1 14 Duke Street", "2/1 14 Duke Street"),
        ("number 7 the wynd", "7 the Wynd"),
        ("Rose Cottage, Duns", "Rose Cottage, Duns"),
        ("14 Home Place\nDuns", "14 Home Place, Duns"),
        ("it's 22a station road eyemouth", "22a Station Road Eyemouth"),
    ],
)
def test_an_address_is_read_the_way_people_give_it(said, found):
    assert slots.address(said, asked=True) == found


@pytest.mark.parametrize(
    "said", ["High Street", "12", "3 weeks", "2 bairns", "the house", "up the road", "what house do you mean", "no", ""]
)
def test_what_is_not_an_address_is_not_taken_for_one(said):
    assert slots.address(said, asked=True) is None


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("my tap at 14 High St, Duns is dripping", "14 High St, Duns"),
        ("14 high st, its been like this for weeks", "14 High St"),
        ("no heating for 3 days now", None),
        ("there are 2 leaks in the bathroom", None),
        ("I have 3 kids and live on the main street", None),
    ],
)
def test_an_address_in_passing_needs_a_street(said, found):
    assert slots.address(said) == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("no, number 41", "41 High Street, Duns"),
        ("naw it's 41", "41 High Street, Duns"),
        ("sorry 41", "41 High Street, Duns"),
        ("number 3", "3 High Street, Duns"),
        ("it's Main St not High Street", "14 Main St, Duns"),
        ("41 not 14", "41 High Street, Duns"),
        ("I meant Ayton not Duns", "14 High Street, Ayton"),
        ("no it's flat 2", "Flat 2, 14 High Street, Duns"),
        ("no, 9 Duke Street", "9 Duke Street"),
        ("wait, 9 Duke Street, Ayton", "9 Duke Street, Ayton"),
    ],
)
def test_an_address_is_put_right(said, found):
    assert slots.corrected_address("14 High Street, Duns", said) == found


@pytest.mark.parametrize(
    "said",
    ["no", "No heating", "no it's the bathroom", "it's the kitchen not the bathroom", "14", "Jean Wilson", "mornings",
     "no there's nobody ill", "not really", ""],
)  # fmt: skip
def test_what_is_no_correction_of_an_address_leaves_it_alone(said):
    assert slots.corrected_address("14 High Street, Duns", said) is None


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Jean Wilson", "Jean Wilson"), ("jean", "Jean"), ("my name is jean wilson", "Jean Wilson"),
        ("its mrs O'Neill", "Mrs O'Neill"), ("Jean Wilson, 14 High St", "Jean Wilson"), ("Ah'm Wullie", "Wullie"),
        ("ANNE-MARIE McKAY", "ANNE-MARIE McKAY"), ("Ann Home", "Ann Home"), ("Łukasz Żak", "Łukasz Żak"),
    ],
)  # fmt: skip
def test_a_name_is_read_where_it_was_asked_for(said, found):
    assert slots.name(said, asked=True) == found


@pytest.mark.parametrize(
    "said", ["no", "the boiler", "opening hours", "what?", "12345", "never mind", "why do you need that", "", "???"]
)
def test_what_is_not_a_name_is_not_taken_for_one(said):
    assert slots.name(said, asked=True) is None


def test_unasked_a_name_needs_an_introduction():
    assert slots.name("Hi it's Jean Wilson at 14 High Street") == "Jean Wilson"
    assert slots.name("this is Jean Wilson-Hay") == "Jean Wilson-Hay"
    assert slots.name("Jean Wilson's tap drips") is None
    assert slots.name("it's the kitchen tap") is None


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("07700 900123", "+447700900123"), ("ring me on 01361 884000 after 5", "+441361884000"),
        ("+44 7700 900123", "+447700900123"), ("0800 111", None), ("14", None), ("TD11 3DU", None), ("", None),
        ("0770 0900 123.", "+447700900123"),
    ],
)  # fmt: skip
def test_a_phone_number_is_found_and_kept_in_one_form(said, found):
    assert slots.phone(said) == found


def test_a_number_is_read_back_with_spaces():
    assert slots.phone_in_words("+447700900123") == "07700 900123"
    assert slots.phone_in_words("not a number") == "not a number"


@pytest.mark.parametrize(
    ("said", "found"),
    [("td113du", "TD11 3DU"), ("14 High St EH42 1aa thanks", "EH42 1AA"), ("number 14", None), ("", None)],
)
def test_a_postcode_is_found_anywhere(said, found):
    assert slots.postcode(said) == found


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("aye", "yes"), ("Yes please", "yes"), ("we have a wee heater", "yes"), ("I can", "yes"), ("ay only wan", "yes"),
        ("just the one", "yes"), ("that's right", "yes"), ("naw", "no"), ("I cannae", "no"), ("no there's two", "no"),
        ("we dinnae", "no"), ("it isnae", "no"), ("nope", "no"), ("maybe", None), ("the kitchen", None), ("", None),
    ],
)  # fmt: skip
def test_yes_and_no_are_understood_in_plain_words_and_in_scots(said, meant):
    assert slots.yes_no(said) == meant


def test_not_knowing_and_asking_why_are_told_from_answers():
    assert all(map(slots.skips, ["dunno", "I don't know", "rather not say", "skip", "none", "nae idea"]))
    assert not any(map(slots.skips, ["mornings", "the one at the back", "not on Mondays"]))
    assert slots.asks_why("why do you need my address?")
    assert not slots.asks_why("the tap drips, that is why I write")


def test_additions_and_questions_are_told_from_statements():
    assert slots.adds("also the window")
    assert slots.adds("and the back door")
    assert not slots.adds("the window and the door")
    assert slots.is_question("when will you come")
    assert not slots.is_question("the tap drips")


def test_a_long_text_is_cut_between_words():
    cut = slots.shorten("one two three " * 20, 30)
    assert len(cut) <= 30
    assert cut.endswith("...")
    assert slots.shorten("short  text") == "short text"


READERS = [
    slots.yes_no, slots.postcode, slots.address, slots.phone, slots.phone_in_words, slots.name, slots.skips, slots.asks_why,
    slots.is_question, slots.adds, slots.correction, slots.shorten, slots.tidy,
    lambda text: slots.address(text, asked=True), lambda text: slots.name(text, asked=True),
    lambda text: slots.corrected_address("14 High Street", text),
]  # fmt: skip


@given(st.text(), st.sampled_from(READERS))
def test_no_reader_ever_raises(text, read):
    read(text)


@pytest.mark.parametrize(
    "text",
    ["is" * 2000, "no wait " * 500, "1 a" * 1500, "0 " * 2000, "flat 1 2/2 " * 400, "my name's " * 500, "A b " * 1000],
)
def test_a_text_made_to_be_slow_is_read_all_the_same(text):
    for read in READERS:
        read(text)
    assert not slots.only_words(text + "!q", frozenset({"i", "is", "s"}))


@given(st.text(alphabet="0123456789abcHighStreet ,./-'", max_size=60))
def test_reading_an_address_twice_changes_nothing_more(text):
    once = slots.address(text, asked=True)
    if once is not None:
        assert slots.address(once, asked=True) is not None
