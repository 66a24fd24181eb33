"""Dates worked out by hand, asked of `doorstep policy explain` as a person would: the vectors of `vectors.yaml`."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.cli import main
from bot.sla.loading import SHIPPED

VECTORS: dict[str, list[dict[str, Any]]] = yaml.load(
    (Path(__file__).parent / "vectors.yaml").read_text(encoding="utf-8"), yaml.BaseLoader
)
ASKED = [
    pytest.param(policy, vector, id=f"{policy}: {vector['why']}")
    for policy in ("berwickshire", "east_lothian")
    for vector in (*VECTORS["both"], *VECTORS[policy])
]


def policy_file(policy: str, vector: dict[str, Any], folder: Path) -> str:
    """The shipped policy, or a file in which the office works on a day that is closed otherwise."""
    if "open_on" not in vector:
        return policy
    text = (SHIPPED / f"{policy}.toml").read_text(encoding="utf-8")
    assert f'"{vector["open_on"]}", ' in text
    path = folder / "working.toml"
    path.write_text(text.replace(f'"{vector["open_on"]}", ', "", 1), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(("policy", "vector"), ASKED)
def test_the_command_answers_what_was_worked_out_by_hand(
    policy: str, vector: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["policy", "explain", "--policy", policy_file(policy, vector, tmp_path)]
    command += ["--commitment", vector["commitment"], "--received", vector["received"]]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["due"] == vector["due"]
    assert told["deemed_received"] == vector.get("deemed", told["received"])
    assert told["commitment"] == vector["commitment"]
    assert told["clause"]
    if "skipped" in vector:
        assert [each["date"] for each in told["skipped"]] == vector["skipped"]
        assert all(each["reason"] for each in told["skipped"])
    assert main(command) == 0
    proof = capsys.readouterr().out
    if "day_1" in vector:
        assert f"Day 1 is {vector['day_1']}." in proof
    assert (f"{'Plan to act by:':40}{vector['plan']}" in proof) if "plan" in vector else "plan to act by" not in proof


def test_there_are_vectors_enough_for_both_associations() -> None:
    for policy in ("berwickshire", "east_lothian"):
        assert len(VECTORS["both"]) + len(VECTORS[policy]) >= 20
    assert len(ASKED) == 2 * len(VECTORS["both"]) + len(VECTORS["berwickshire"]) + len(VECTORS["east_lothian"])
