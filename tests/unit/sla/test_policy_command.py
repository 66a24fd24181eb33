import argparse
import json

import pytest

from bot.cli import policy as command
from bot.sla import load_policy
from bot.sla.loading import SHIPPED


def doorstep(*arguments: str) -> int:
    parser = argparse.ArgumentParser(prog="doorstep")
    command.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["policy", *arguments])
    return args.run(args)


def explain(received: str, *more: str, policy: str = "east_lothian", commitment: str = "text_response") -> int:
    return doorstep("explain", "--policy", policy, "--commitment", commitment, "--received", received, *more)


def test_explain_prints_the_public_json(capsys):
    assert explain("2026-11-27T18:30", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == [
        "commitment",
        "policy",
        "received",
        "deemed_received",
        "due",
        "skipped",
        "counting",
        "clause",
    ]
    assert document["deemed_received"] == "2026-12-01T09:00:00+00:00"
    assert document["due"] == "2026-12-02T17:00:00+00:00"
    assert {"date": "2026-11-30", "reason": "St Andrew's Day"} in document["skipped"]


@pytest.mark.parametrize(
    ("given", "received"),
    [
        ("2026-07-01T18:30", "2026-07-01T18:30:00+01:00"),
        ("2026-07-01 18:30", "2026-07-01T18:30:00+01:00"),
        ("2026-07-01T18:30Z", "2026-07-01T19:30:00+01:00"),
        ("2026-07-01T18:30+02:00", "2026-07-01T17:30:00+01:00"),
        ("2026-10-25T01:30", "2026-10-25T01:30:00+01:00"),
        ("2026-10-25T01:30+00:00", "2026-10-25T01:30:00+00:00"),
        ("2027-03-28T01:30", "2027-03-28T02:30:00+01:00"),
        ("2026-12-24", "2026-12-24T00:00:00+00:00"),
    ],
)
def test_a_moment_is_local_unless_it_has_an_offset(capsys, given, received):
    assert explain(given, "--json") == 0
    assert json.loads(capsys.readouterr().out)["received"] == received


def test_explain_without_json_reads_as_a_proof(capsys):
    assert explain("2026-11-27T18:30") == 0
    out = capsys.readouterr().out
    assert f"{'Due:':40}Wednesday 2 December 2026, 5pm" in out
    assert "Monday 30 November 2026 is left out: St Andrew's Day." in out
    assert "counts as received when it next opens: Tuesday 1 December 2026, 9am" in out


def test_a_planned_date_is_shown_where_it_differs(capsys):
    assert explain("2026-12-22T10:00", policy="berwickshire", commitment="routine_repair") == 0
    assert f"{'Plan to act by:':40}Thursday 31 December 2026, 5pm" in capsys.readouterr().out


@pytest.mark.parametrize("value", ["yesterday", "2026-13-45T10:00", "", "10:30", "0001-01-01T00:00+23:59"])
def test_a_bad_moment_is_a_usage_error_that_names_it(capsys, value):
    with pytest.raises(SystemExit) as stop:
        explain(value)
    assert stop.value.code == 2
    assert f"{value!r} is not a moment such as 2026-12-24T18:30" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"received": "2026-11-27T18:30", "commitment": "text_reply"}, "has no commitment 'text_reply'"),
        ({"received": "2026-11-27T18:30", "policy": "borders"}, "no policy of that name"),
        ({"received": "2099-11-27T18:30"}, "2099"),
    ],
)
def test_what_cannot_be_answered_is_said_on_stderr_with_exit_code_1(capsys, arguments, message):
    assert explain(**arguments) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_explain_takes_a_path(capsys):
    assert explain("2026-11-27T18:30", "--json", policy=str(SHIPPED / "east_lothian.toml")) == 0
    assert json.loads(capsys.readouterr().out)["policy"] == "east_lothian"


def test_a_faulty_file_is_refused_with_its_lines(capsys, tmp_path):
    path = tmp_path / "ours.toml"
    path.write_text("[association]\nid = 5\nshoe_size = 43\n", encoding="utf-8")
    assert doorstep("lint", "--policy", str(path)) == 1
    err = capsys.readouterr().err
    assert f"{path}:2: association: id must be text in quotes, not 5" in err
    assert f"{path}:3: association: unknown key 'shoe_size'" in err


def test_explain_of_a_rule_that_starts_on_an_event_names_the_event(capsys):
    assert explain("2026-11-28T10:00", policy="berwickshire", commitment="complaint_full_response") == 0
    out = capsys.readouterr().out
    assert f"{'The start of stage 2:':40}Saturday 28 November 2026, 10am" in out
    assert "Counts as received" not in out


def test_the_policy_that_runs_is_the_one_shown(tmp_path):
    env_file = tmp_path / ".env"
    assert command.configured_policy({}, env_file) == "berwickshire"
    env_file.write_text("DOORSTEP_POLICY=east_lothian\n", encoding="utf-8")
    assert command.configured_policy({}, env_file) == "east_lothian"
    assert command.configured_policy({"DOORSTEP_POLICY": "ours.toml"}, env_file) == "ours.toml"


@pytest.mark.parametrize("policy", ["berwickshire", "east_lothian"])
def test_show_has_a_line_for_every_commitment(capsys, policy):
    assert doorstep("show", "--policy", policy) == 0
    out = capsys.readouterr().out
    for rule in load_policy(policy).commitments.values():
        line = next(line for line in out.splitlines() if line.strip().startswith(f"{rule.id} "))
        assert rule.figure in line


def test_show_marks_what_is_unverified(capsys):
    assert doorstep("show", "--policy", "berwickshire") == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("routine_repair "))
    assert "B:112" in line
    assert "calendar or working days" in line


def test_show_as_json_has_every_commitment(capsys):
    assert doorstep("show", "--policy", "east_lothian", "--json") == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)["commitments"]}
    assert rows["complaint_decision"]["extension"] == 5
    assert rows["callback"]["fallback"] == "voicemail_response"


def test_lint_of_a_shipped_policy_lists_findings_and_passes(capsys):
    assert doorstep("lint", "--policy", "berwickshire", "--on", "2026-11-23") == 0
    out = capsys.readouterr().out
    assert "warning: [dead-law] subject_access: B:127 cites the Data Protection Act 1998" in out
    assert out.splitlines()[-1].startswith("berwickshire: 0 errors, ")


def test_lint_fails_on_an_error(capsys):
    assert doorstep("lint", "--policy", "berwickshire", "--on", "2040-01-01", "--json") == 1
    assert "calendar-ends" in {finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]}


@pytest.mark.parametrize("arguments", [(), ("explain",), ("lint", "--on", "tomorrow"), ("mend",)])
def test_wrong_usage_is_exit_code_2(capsys, arguments):
    with pytest.raises(SystemExit) as stop:
        doorstep(*arguments)
    assert stop.value.code == 2
    assert "usage: doorstep policy" in capsys.readouterr().err
