"""Weeks of an association's life through the whole product, on a clock moved by hand."""

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import date

import pytest

from bot.bootstrap import Knowledge
from bot.simulation import Outcome, Plan, simulate
from bot.sla import load_policy

STORMY_WEEKS = Plan("berwickshire", days=25, contacts=120, seed=3, first_day=date(2026, 12, 14))
"""The Christmas fortnight: closed days, long nights, and much that breaks."""


def run(plan: Plan, knowledge: Knowledge) -> Outcome:
    return simulate(plan, knowledge=knowledge)


@pytest.fixture(scope="module")
def christmas(knowledge: Knowledge) -> Outcome:
    return run(STORMY_WEEKS, knowledge)


@pytest.fixture(scope="module")
def east(knowledge: Knowledge) -> Outcome:
    return run(Plan("east_lothian", days=25, contacts=120, seed=4, first_day=date(2026, 12, 14)), knowledge)


def test_no_promise_is_missed_in_silence_and_nothing_is_left_behind(christmas: Outcome, east: Outcome) -> None:
    for outcome in (christmas, east):
        assert outcome.cases > 20
        assert outcome.silent == ()
        assert outcome.left_behind == ()


def test_some_promises_are_missed_and_their_tenants_are_told(christmas: Outcome) -> None:
    told = {each["id"]: each["missed_and_told"] for each in christmas.as_json()["commitments"]}
    assert sum(told.values()) > 0


def test_what_is_hard_for_promises_is_in_these_weeks(christmas: Outcome, east: Outcome) -> None:
    both = Counter(christmas.as_json()["faults"]) + Counter(east.as_json()["faults"])
    for what in (
        "alerts_not_answered", "alerts_rung", "emergencies_out_of_hours", "handed_over_twice", "hurried",
        "receipts_lost", "restarts", "sent_another_way", "temporary_failures", "updates_given", "updates_not_given",
    ):  # fmt: skip
        assert both[what] > 0, what
    assert both["christmas_days"] == 2 * 15
    assert any(count > 0 for what, count in both.items() if what.startswith("killed_while_"))
    assert christmas.chain_holds
    assert east.chain_holds


def test_what_happens_now_and_then_is_counted_also_where_it_did_not(christmas: Outcome) -> None:
    assert {
        "complaints_stage2", "extensions", "information_requests", "opt_outs", "outages", "pauses", "storm_days",
        "subject_access_requests",
    } <= christmas.as_json()["faults"].keys()  # fmt: skip


def test_the_document_has_the_public_form(christmas: Outcome) -> None:
    document = json.loads(json.dumps(christmas.as_json()))
    assert list(document) == ["policy", "days", "contacts", "seed", "messages", "cases", "commitments", "faults"]
    assert (document["policy"], document["days"], document["contacts"], document["seed"]) == (
        "berwickshire",
        25,
        120,
        3,
    )
    assert list(document["messages"]) == ["in", "out"]
    for each in document["commitments"]:
        assert list(each) == ["id", "kept", "missed_and_told", "missed_in_silence"]
        assert each["id"] in load_policy("berwickshire").commitments


_ONE_RUN = """
import json
from bot.simulation import Plan, simulate
outcome = simulate(Plan("berwickshire", days=8, contacts=40, seed={seed}))
print(json.dumps([outcome.digest, outcome.as_json()]))
"""


def once(seed: int, hash_seed: str) -> list[object]:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", _ONE_RUN.format(seed=seed)]
    made: list[object] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    )
    return made


def test_a_seed_reproduces_a_run_to_the_last_message(knowledge: Knowledge) -> None:
    first = once(5, "1")
    assert once(5, "2") == first
    assert once(6, "1")[0] != first[0]


def test_the_outcome_does_not_depend_on_how_many_processes_share_the_work(knowledge: Knowledge) -> None:
    plan = Plan("berwickshire", days=3, contacts=30, seed=2, together=15)
    alone, shared = simulate(plan, knowledge=knowledge), simulate(plan, jobs=2)
    assert (alone.digest, alone.as_json()) == (shared.digest, shared.as_json())
