"""`doorstep token` and `doorstep webhook`, as they are typed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import select

from bot.cli import main
from bot.desk import token as tokens
from bot.desk.publish import NAMES
from bot.store import Store, open_store, schema
from bot.store.outside import ApiToken, Webhook, WebhookDelivery
from bot.wallclock import SystemClock


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOORSTEP_DATABASE_URL", f"sqlite:///{tmp_path}/doorstep.db")
    monkeypatch.setenv("DOORSTEP_DEV", "1")
    opened = open_store(f"sqlite:///{tmp_path}/doorstep.db")
    schema.migrate(opened)
    yield opened
    opened.close_now()


def printed(capsys: pytest.CaptureFixture[str], *given: str, code: int = 0) -> str:
    assert main(list(given)) == code
    said = capsys.readouterr()
    return said.out if code == 0 else said.err


def test_a_token_is_shown_once_and_lets_its_holder_in(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, "token", "add", "till", "--scopes", "read:cases,read:policy", "--days", "30")
    shown = said.split()[0]
    assert re.fullmatch(r"ds_[0-9a-f]{32}_[\w-]{43}", shown)
    assert "This is shown once. It is good for read:cases, read:policy until " in said
    held = store.run_now(lambda s: tokens.holder(s, shown, now=SystemClock().now()))
    assert held is not None
    assert held.name == "till"
    listed = printed(capsys, "token", "list")
    assert "till" in listed
    assert "never" in listed
    assert "good until" in listed
    assert shown not in listed


def test_a_token_taken_back_is_listed_as_such(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "token", "add", "till", "--scopes", "read:cases", "--days", "0").split()[0]
    assert store.run_now(lambda s: s.exec(select(ApiToken)).one()).expires_at is None
    assert "lets nobody in any more" in printed(capsys, "token", "revoke", "till")
    assert "taken back" in printed(capsys, "token", "list")
    assert store.run_now(lambda s: tokens.holder(s, shown, now=SystemClock().now())) is None
    assert "was taken back already" in printed(capsys, "token", "revoke", "till", code=1)


def test_a_scope_that_does_not_exist_is_refused_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, "token", "add", "till", "--scopes", "write:cases", code=1)
    assert said.startswith("doorstep: write:cases is not a scope; there are read:cases, read:conversations")
    assert "nobody can use the API" in printed(capsys, "token", "list")


def test_a_webhook_is_added_tested_enabled_and_removed(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, "webhook", "add", "https://example.org/told", "--events", "case.opened, case.closed")
    hook = store.run_now(lambda s: s.exec(select(Webhook)).one())
    assert hook.id in said
    assert hook.secret in said
    assert hook.events == ["case.closed", "case.opened"]
    listed = printed(capsys, "webhook", "list")
    assert "https://example.org/told" in listed
    assert hook.secret not in listed
    assert "within seconds" in printed(capsys, "webhook", "test", hook.id[:24])
    assert len(store.run_now(lambda s: s.exec(select(WebhookDelivery)).all())) == 1
    assert "is told again" in printed(capsys, "webhook", "enable", "https://example.org/told", "--skip")
    assert store.run_now(lambda s: s.exec(select(WebhookDelivery)).all()) == []
    assert "is told nothing any more" in printed(capsys, "webhook", "remove", hook.id)
    assert "No other system is told anything." in printed(capsys, "webhook", "list")


def test_all_means_every_event(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    printed(capsys, "webhook", "add", "https://example.org", "--events", "all", "--in-confidence")
    hook = store.run_now(lambda s: s.exec(select(Webhook)).one())
    assert (hook.events, hook.in_confidence) == (sorted(NAMES), True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["webhook", "add", "http://example.org", "--events", "all"], "only told over https://"),
        (["webhook", "add", "https://example.org", "--events", "case.exploded"], "case.exploded is not an event"),
        (["webhook", "remove", "nothing"], "'nothing' is no webhook: see `doorstep webhook list`"),
        (["webhook", "test", ""], "is no webhook"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(capsys: pytest.CaptureFixture[str], given: list[str], said: str) -> None:
    assert said in printed(capsys, *given, code=1)
