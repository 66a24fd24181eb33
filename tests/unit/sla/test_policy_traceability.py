"""Every sentence of both documents is listed, and nothing is called kept that no test shows."""

import ast
import re
from pathlib import Path

import pytest

from bot.cli.policy import traceability_page
from bot.sla import PolicyError, load_policy
from bot.sla.qualities import covered, load_qualities, load_timed, trace

TESTS = Path(__file__).parents[2]
DOCUMENTS = Path(__file__).parent / "documents"
BOTH = pytest.mark.parametrize("name", ["berwickshire", "east_lothian"])


def sentences(text: str) -> dict[str, str]:
    """The sentences of a document by their place; cells of a table and items of a list are sentences."""
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        parts = re.split(r"(?<=[.!?])\s+(?=[A-Z])", line.strip().lstrip("- ").strip())
        parts = [part for part in parts if re.search("[a-z]", part)]
        for place, part in enumerate(parts, start=1):
            found[f"{number}.{place}"] = part
    return found


@BOTH
def test_every_sentence_of_the_document_is_listed(name):
    listed = covered(load_policy(name))
    unlisted = {
        place: words
        for place, words in sentences((DOCUMENTS / f"{name}.txt").read_text(encoding="utf-8")).items()
        if place not in listed and place.split(".")[0] not in listed
    }
    assert unlisted == {}


@BOTH
def test_no_row_names_a_place_that_the_document_does_not_have(name):
    there = sentences((DOCUMENTS / f"{name}.txt").read_text(encoding="utf-8"))
    known = there.keys() | {place.split(".")[0] for place in there}
    assert covered(load_policy(name)) <= known


def test_a_sentence_that_is_not_listed_is_found():
    words = "We promise tea.\nWe promise coffee. We promise cake."
    assert list(sentences(words)) == ["1.1", "2.1", "2.2"]


@BOTH
def test_what_is_called_kept_names_a_test_that_exists(name):
    rows = trace(load_policy(name))
    missing = {
        row.id: test for row in rows if row.status == "kept" for test in row.tests or ("none",) if not _exists(test)
    }
    assert missing == {}


@BOTH
def test_what_is_planned_says_why_and_nothing_else_does(name):
    for row in trace(load_policy(name)):
        assert (row.reason is not None) == (row.status == "planned"), row.id


@BOTH
def test_every_commitment_and_every_quality_is_a_row_once(name):
    policy = load_policy(name)
    ids = [row.id for row in trace(policy)]
    assert len(ids) == len(set(ids))
    assert set(ids) >= policy.commitments.keys() | {each.id for each in load_qualities(policy).rows}
    assert load_timed().keys() >= policy.commitments.keys()


def test_the_page_in_the_docs_is_the_one_the_data_makes():
    page = (TESTS.parent / "docs" / "policy-traceability.md").read_text(encoding="utf-8")
    assert page == traceability_page(), "run: doorstep policy show --markdown > docs/policy-traceability.md"


def test_a_policy_of_ones_own_has_its_qualities_beside_it(tmp_path):
    shipped = Path(load_policy("berwickshire").file)
    own = tmp_path / "own.toml"
    own.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    beside = tmp_path / "own.qualities.toml"
    beside.write_text(
        'document = "Ours"\nset_aside = ["1"]\n[[qualities]]\nid = "tea"\nclause = "B:2"\nlines = ["2"]\nasks = "Tea"\n'
        'status = "off-channel"\nhow = "a kettle"\nevidence = "none"\n',
        encoding="utf-8",
    )
    assert [row.id for row in load_qualities(load_policy(own)).rows] == ["tea"]


def test_kept_without_a_test_is_refused_with_its_line(tmp_path):
    shipped = Path(load_policy("berwickshire").file)
    own = tmp_path / "own.toml"
    own.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "own.qualities.toml").write_text(
        'document = "Ours"\nset_aside = ["x"]\n[[qualities]]\nid = "tea"\nclause = "B:2"\nlines = ["2"]\nasks = "Tea"\n'
        'status = "kept"\nhow = "a kettle"\nevidence = "none"\n',
        encoding="utf-8",
    )
    with pytest.raises(PolicyError) as refused:
        load_qualities(load_policy(own))
    assert [fault.split("qualities.toml:")[1] for fault in refused.value.faults] == [
        "2: the file: 'x' is not a line such as 63, or 63.2 for its second sentence",
        "8: qualities: tea is kept, so tests must name what shows it",
    ]


def _exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = TESTS / file
    if not path.is_file():
        return False
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name for node in ast.walk(tree)
    )
