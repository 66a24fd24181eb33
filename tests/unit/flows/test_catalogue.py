from pathlib import Path

import pytest

from bot.flows import CatalogueError, load_catalogue
from bot.flows.catalogue import CATEGORIES

NLU_DATA = Path(__file__).parents[3] / "nlu_data"


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue(NLU_DATA / "repairs.yml")


@pytest.mark.parametrize(
    ("said", "category"),
    [
        ("my kitchen tap wont stop dripping", "dripping_tap"),
        ("heatin's aff an the hoose is baltic", "no_heating"),
        ("Ma boiler's deid again", "no_heating"),
        ("one radiator not working, the one in the wee room", "partial_heating"),
        ("nae hot watter the day", "no_hot_water"),
        ("leccy's aff", "no_power"),
        ("lights off upstairs but sockets work", "partial_power"),
        ("The watter's aff", "no_water"),
        ("cludgie's blocked, only wan", "only_toilet"),
        ("toilet wont flush", "toilet"),
        ("rone pipe drippin", "gutter"),
        ("damp patch above the window", "damp_mould"),
        ("mushrooms? no, mould behind the wardrobe", "damp_mould"),
        ("the lum's blocked", "blocked_flue"),
        ("cannae lock the back door", "insecure_door_window"),
        ("the snib's broke", "insecure_door_window"),
        ("back door sticks in the wet", "door_window"),
        ("smoke alarm chirps every minute", "smoke_alarm"),
        ("fence blew doon last nicht", "fence_gate"),
        ("there's a moose in the hoose", "pests"),
        ("stair light oot in the close", "communal_area"),
        ("extractor fan stopped", "extractor_fan"),
        ("banister's shoogly", "loose_banister"),
        ("kitchen drawer front came off", "kitchen_joinery"),
        ("bath panel broken", "other"),
    ],
)
def test_a_repair_is_known_by_what_tenants_call_it(catalogue, said, category):
    assert catalogue.category(said) == category


def test_what_says_nothing_of_a_repair_has_no_category(catalogue):
    assert catalogue.category("hello there") is None
    assert catalogue.category("") is None


def test_the_room_named_first_counts(catalogue):
    assert catalogue.room("the tap in the kitchen, not the bathroom") == "Kitchen"
    assert catalogue.room("bairns room") == "Bedroom"
    assert catalogue.room("the moon") is None


def test_every_category_has_its_label(catalogue):
    assert set(catalogue.repairs) == CATEGORIES
    assert all(repair.label for repair in catalogue.repairs.values())


def test_a_bad_file_is_refused_with_every_fault_and_its_line(tmp_path):
    text = (NLU_DATA / "repairs.yml").read_text()
    text = text.replace("  lift:\n", "  elevator:\n").replace("answer: all_or_part, becomes: {part: partial_power}",
                                                              "answer: maybe, becomes: {part: nothing_known}")  # fmt: skip
    text = text.replace("    label: pests\n", "    colour: red\n")
    path = tmp_path / "repairs.yml"
    path.write_text(text)
    line = next(number for number, words in enumerate(text.splitlines(), start=1) if words == "  elevator:")

    with pytest.raises(CatalogueError) as caught:
        load_catalogue(path)

    faults = str(caught.value)
    assert f"{path}:{line}: elevator is not one of the known categories" in faults
    for reason in (
        "lift is missing",
        "nothing_known is not",
        "a question needs a slot",
        "pests has colour",
        "pests has no label",
    ):
        assert reason in faults, reason


def test_a_file_that_is_missing_or_no_yaml_is_refused(tmp_path):
    with pytest.raises(CatalogueError, match=r"repairs\.yml:1"):
        load_catalogue(tmp_path / "repairs.yml")
    (tmp_path / "repairs.yml").write_text("rooms: [\n")
    with pytest.raises(CatalogueError, match="not YAML"):
        load_catalogue(tmp_path / "repairs.yml")
    (tmp_path / "repairs.yml").write_text("rooms: {}\n")
    with pytest.raises(CatalogueError, match="needs rooms and categories"):
        load_catalogue(tmp_path / "repairs.yml")
