"""The data files: what is refused, and what the shipped ones hold."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from bot.triage import Triage, TriageError, load_triage
from bot.triage.directory import load_directory
from bot.wording.gsm import is_gsm, normalise
from bot.wording.responses import load_responses

PREFIX = 8
"""Characters that the association's name takes in front of a text message."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The smallest data that can be loaded."""
    (tmp_path / "lexicons").mkdir()
    (tmp_path / "languages").mkdir()
    (tmp_path / "directory.yml").write_text("numbers: {}\n")
    (tmp_path / "hazards.yml").write_text(
        "hazards:\n  fire: {label: Fire}\nwords:\n  flames: [flames]\nsigns:\n"
        "- {hazard: fire, level: danger, when: flames, says: [flames]}\n"
    )
    return tmp_path


def test_the_smallest_project_works(project: Path) -> None:
    assert load_triage(project).assess("FLAMES!").hazard == "fire"


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("hazard: fire,", "hazard: fyre,", "hazards.yml:6: unknown hazard 'fyre'"),
        ("level: danger", "level: dire", "hazards.yml:6: unknown level 'dire'"),
        ("says: [flames]", "says: [smoke]", "hazards.yml:6: unknown concept 'smoke'"),
        ("says: [flames]", "says: ['flames +']", "hazards.yml:6: 'flames +': a term is missing at the end"),
        ("says: [flames]", "says: ['flames + flames > flames']", "hazards.yml:6: "),
        ("when: flames, ", "", "hazards.yml:6: 'when' is missing"),
        ("when: flames", "whn: flames", "hazards.yml:6: unknown field 'whn'"),
        ("flames: [flames]", "flames: [no]", "hazards.yml:4: 'no' needs quotes"),
        ("flames: [flames]", "flames: ['(a|b']", "hazards.yml:4: a bracket is not closed"),
        ("flames: [flames]", "flames: ['a)']", "hazards.yml:4: a bracket is closed that was not opened"),
        ("flames: [flames]", "flames: ['?!']", "hazards.yml:4: '?!' holds no word"),
        ("flames: [flames]", "Flames!: [flames]", "hazards.yml:4: "),
        ("says: [flames]", "says: [flames], despite: [luck]", "hazards.yml:6: unknown reading 'luck'"),
        ("says: [flames]", "says: [flames", "hazards.yml:"),
    ],
)
def test_a_fault_is_named_with_its_line(project: Path, old: str, new: str, fault: str) -> None:
    path = project / "hazards.yml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(TriageError, match=re.escape(fault)):
        load_triage(project)


def test_missing_and_empty_files_are_refused(project: Path) -> None:
    (project / "hazards.yml").write_text("")
    with pytest.raises(TriageError, match=r"hazards.yml:1: empty file"):
        load_triage(project)
    (project / "hazards.yml").unlink()
    with pytest.raises(TriageError, match=r"hazards.yml:1: cannot be read"):
        load_triage(project)


def test_a_telephone_number_that_is_none_is_refused(project: Path, nlu_data: Path) -> None:
    shutil.copy(nlu_data / "directory.yml", project / "directory.yml")
    path = project / "directory.yml"
    path.write_text(path.read_text().replace("0800 111 999", "ask the office"))
    with pytest.raises(TriageError, match=r"directory.yml:\d+: 'ask the office' is not a telephone number"):
        load_triage(project)


def test_marks_in_the_directory_are_honest(nlu_data: Path) -> None:
    for entry in load_directory(nlu_data / "directory.yml").values():
        assert entry.verified != (entry.source == "general knowledge"), entry
        assert bool(entry.checked) == (entry.verified and entry.source != "known to everyone"), entry


def test_every_hazard_has_advice_that_fits_one_text_message(triage: Triage, nlu_data: Path) -> None:
    numbers = {f"number_{name}": number for name, number in triage.numbers().items()}
    responses = load_responses(nlu_data / "domain")
    for hazard in triage.hazards:
        first = responses.variation(f"utter_advice_{hazard}", "sms")
        more = responses.variation(f"utter_advice_{hazard}_more", "sms")
        assert first is not None
        assert more is not None
        text = normalise(first.text.format_map(numbers))
        assert is_gsm(text), hazard
        assert len(text) + PREFIX <= 160, hazard
        assert "{number_" in first.text, hazard
        for line in more.text.splitlines():
            assert "on the way" not in line
            if "{emergency_phone}" in line:
                assert line.endswith("{emergency_phone}.")


def test_advice_in_other_languages_names_only_known_numbers(triage: Triage) -> None:
    for responses in triage.translations().values():
        for variations in responses.values():
            for name in re.findall(r"\{number_(\w+)\}", variations[0]["text"]):
                assert name in triage.directory


def test_every_language_says_whether_a_speaker_has_read_it(nlu_data: Path) -> None:
    for path in (nlu_data / "languages").glob("*.yml"):
        if path.stem != "en":
            assert yaml.safe_load(path.read_text(encoding="utf-8"))["reviewed"] is False


def test_every_entry_of_a_lexicon_is_a_word(nlu_data: Path) -> None:
    for path in (nlu_data / "lexicons").glob("*.yml"):
        for concept, phrases in yaml.safe_load(path.read_text(encoding="utf-8"))["concepts"].items():
            assert all(isinstance(phrase, str) for phrase in phrases), (path.name, concept)
