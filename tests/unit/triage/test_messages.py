"""The table of `messages.yml`: what triage must make of each message."""

from pathlib import Path

import pytest
import yaml

from bot.triage import Triage

TABLE = yaml.safe_load((Path(__file__).parent / "messages.yml").read_text(encoding="utf-8"))
ROWS = [(str(text), *group["is"]) for group in TABLE for text in group["says"]]


def test_the_table_is_large_and_has_no_message_twice() -> None:
    assert len(ROWS) >= 300
    assert len({text for text, *_ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("text", "urgency", "hazard", "words"), ROWS, ids=[row[0][:60] or "empty" for row in ROWS])
def test_a_message_is_read_as_the_table_says(triage: Triage, text: str, urgency: str, hazard: str, words: str) -> None:
    found = triage.assess(text)
    assert (found.urgency.value, found.hazard, "advice" if found.advice else "quiet") == (urgency, hazard, words), (
        found.evidence
    )
