"""In which format and by what way: read from a tenant's own words only where they leave no doubt."""

from pathlib import Path

import pytest

from bot.desk import preference
from bot.flows import wishes
from bot.flows.wishes import WishesError, load_wishes

NLU_DATA = Path(__file__).parents[3] / "nlu_data"
SPOKEN = load_wishes(NLU_DATA / "wishes.yml")


@pytest.mark.parametrize(("text", "format_"), [
    ("Large print please", "large_print"),
    ("can I have it in Braille?", "braille"),
    ("an easy-read one", "easy_read"),
    ("my wife is deaf, BSL", "bsl"),
    ("need this letter in Polish", "translation"),
    ("large print or braille", None),
    ("send it on a CD", "audio"),
    ("yellow paper", None),
])  # fmt: skip
def test_a_format_is_known_by_its_words(text: str, format_: str | None) -> None:
    assert SPOKEN.format_in(text) == format_


@pytest.mark.parametrize(("text", "way"), [
    ("ring me from now on", "phone"),
    ("Please send everything by post", "letter"),
    ("just text me", "sms"),
    ("don't ring me, text me", None),
    ("I can’t take calls, ring me never", None),
    ("ring me or text me", None),
    ("my surname is Post", None),
])  # fmt: skip
def test_a_way_is_known_by_its_words_and_not_where_one_is_refused(text: str, way: str | None) -> None:
    assert SPOKEN.way_in(text) == way


def test_what_flows_can_hear_is_what_the_desk_can_keep() -> None:
    assert frozenset(preference.FORMATS) == wishes.FORMATS
    assert frozenset(preference.WAYS) == wishes.WAYS


@pytest.mark.parametrize(
    "text", ["[]", "formats: {papyrus: [x]}\nways: {}\nrefusals: [no]", "formats: {}\nways: {}\nrefusals: []"]
)
def test_a_file_that_cannot_be_used_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wishes.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(WishesError, match=r"wishes\.yml:1: "):
        load_wishes(path)
