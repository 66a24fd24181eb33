"""Every kind of task that the code writes has words for staff, and so has every state."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from bot.console.explanations import load_explanations
from bot.desk.case import ENDINGS
from bot.messages import SERVICE_REQUESTS, DeliveryState
from bot.sla import load_policy
from bot.sla.commitment import CASE_KINDS, STAFF_CATEGORIES
from bot.store.tables import ClockState

BOT = Path(__file__).parents[3] / "bot"
WRITERS = [
    *sorted((BOT / "desk").glob("*.py")), *sorted((BOT / "handover").glob("*.py")), *sorted((BOT / "flows").glob("*.py")),
    BOT / "arrival.py", BOT / "outbox.py", BOT / "promises.py",
]  # fmt: skip
ASKS = {"_look", "_alarm", "_tell_staff", "_end", "CallStaff"}
"""Functions that are given a kind of task by position, besides `tasks.add`."""
PARTLY = {
    "ring_": {"advice_not_delivered", "silent", "nobody_came", "disagrees", "again"},
    "authority_": {"granted", "refused"},
}
"""Kinds that the code puts together, and what they end with."""


def kinds_written(path: Path) -> Iterator[str]:
    module = import_module(".".join(path.relative_to(BOT.parent).with_suffix("").parts).removesuffix(".__init__"))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for scope in ast.walk(tree):
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        local = {
            target.id: node.value
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in ast.walk(scope):
            if isinstance(call, ast.Call):
                for argument in asked(call):
                    yield from values(argument, module, local)


def asked(call: ast.Call) -> list[ast.expr]:
    match call.func:
        case ast.Attribute(value=ast.Name("tasks"), attr="add"):
            return [call.args[3]]
        case ast.Attribute(attr=name) | ast.Name(id=name) if name in ASKS:
            return call.args
    return []


def values(node: ast.expr, module: object, local: dict[str, ast.expr]) -> Iterator[str]:
    """The strings that an expression can be, as far as it can be read."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Name(id=name) if name in local:
            yield from values(local[name], module, {k: v for k, v in local.items() if k != name})
        case ast.Name(id=name):
            found = getattr(module, name, None)
            yield from [found] if isinstance(found, str) else []
        case ast.Subscript(value=ast.Name(id=name)):
            found = getattr(module, name, {})
            yield from found.values() if isinstance(found, dict) else found
        case ast.IfExp(body=body, orelse=other):
            yield from values(body, module, local)
            yield from values(other, module, local)
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), *_]):
            yield from (start + ending for ending in PARTLY[start])


def test_every_kind_of_task_that_the_code_writes_says_what_to_do():
    written = {kind for path in WRITERS for kind in kinds_written(path)}
    assert {
        "give_update", "promise_at_risk", "promise_at_risk_manager", "emergency_at_risk", "emergency_at_risk_manager",
        "promise_missed", "no_update_given", "ring_about_promise", "write_about_promise", "contact_safely", "holder_left",
        "cannot_deliver", "ring_silent", "authority_granted", "triage_failed", "asked_for_person",
    } <= written  # fmt: skip
    explained = load_explanations().tasks

    silent = [
        kind for kind in sorted(written | SERVICE_REQUESTS | STAFF_CATEGORIES | CASE_KINDS - {"service_request"})
        if kind not in explained or not explained[kind].todo
    ]  # fmt: skip

    assert silent == []


@pytest.mark.parametrize("policy", ["berwickshire", "east_lothian"])
def test_every_state_ending_and_recordable_outcome_has_words(policy: str):
    words = load_explanations()

    assert {each.value for each in ClockState} <= set(words.promises)
    assert {each.value for each in DeliveryState} <= set(words.deliveries)
    assert set(ENDINGS) == set(words.endings)
    assert all(words.outcome(rule.met_by) for rule in load_policy(policy).commitments.values())


def test_what_telegram_has_taken_is_shown_as_delivered_and_a_text_is_not():
    words = load_explanations()

    assert words.delivery("sent", "telegram").title == "Delivered to Telegram"
    assert words.delivery("sent", "sms").title == "Sent, not yet known to have arrived"
