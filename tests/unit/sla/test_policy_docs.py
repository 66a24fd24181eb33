import re
from pathlib import Path

import pytest

from bot.sla import load_policy
from bot.sla.calendar import STATUTORY
from bot.sla.commitment import CHANNEL_CLASSES, EVENTS, MODES

DOCS = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["berwickshire", "east_lothian"])
def test_the_docs_show_every_commitment_with_its_figure_and_mode(name):
    heading = {"berwickshire": "## What Berwickshire promises", "east_lothian": "## What East Lothian promises"}[name]
    section = DOCS.split(heading, 1)[1].split("\n## ", 1)[0]
    rows = {row.split("`")[1]: row for row in section.splitlines() if row.startswith("| `")}
    commitments = load_policy(name).commitments
    assert rows.keys() == commitments.keys()
    for rule in commitments.values():
        assert re.search(rf"\| {rule.figure}( \\\*)?( †)? \| `{rule.mode}` \|", rows[rule.id]), rule.id


@pytest.mark.parametrize("word", sorted(MODES | CHANNEL_CLASSES | set(EVENTS) | set(STATUTORY)))
def test_the_docs_name_every_word_of_the_vocabulary(word):
    assert f"`{word}`" in DOCS
