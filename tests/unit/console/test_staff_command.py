"""`doorstep staff`, as it is typed."""

import re
from pathlib import Path

import pytest

from bot.cli import main
from bot.store import open_store, schema


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOORSTEP_DATABASE_URL", f"sqlite:///{tmp_path}/doorstep.db")
    monkeypatch.setenv("DOORSTEP_DEV", "1")
    store = open_store(f"sqlite:///{tmp_path}/doorstep.db")
    schema.migrate(store)
    store.close_now()


ADD = ["staff", "add", "Ama@Example.org", "--name", "Ama Mensah", "--job-title", "Repairs officer", "--team", "Repairs"]


def test_adding_an_account_prints_a_one_time_link(capsys: pytest.CaptureFixture[str]):
    assert main(ADD) == 0

    assert re.fullmatch(r"http://127\.0\.0\.1:8080/staff/welcome/[\w-]{40,}\n", capsys.readouterr().out)


def test_the_link_leads_to_where_the_product_is_reached(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DOORSTEP_PUBLIC_URL", "https://chat.example.org/")

    main(ADD)

    assert capsys.readouterr().out.startswith("https://chat.example.org/staff/welcome/")


def test_accounts_are_listed_with_what_they_may_do_and_their_state(capsys: pytest.CaptureFixture[str]):
    main(["staff", "list"])
    assert "no accounts yet" in capsys.readouterr().out
    main([*ADD, "--role", "auditor"])
    main(["staff", "disable", "ama@example.org"])
    capsys.readouterr()

    assert main(["staff", "list"]) == 0

    listed = capsys.readouterr().out
    assert all(words in listed for words in ("ama@example.org", "Ama Mensah", "auditor", "disabled 20"))


def test_a_disabled_account_comes_back_by_adding_it_again(capsys: pytest.CaptureFixture[str]):
    main(ADD)
    main(["staff", "disable", "ama@example.org"])

    assert main(ADD) == 0

    capsys.readouterr()
    main(["staff", "list"])
    assert "has not chosen a password" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (ADD, "ama@example.org has an account already"),
        (["staff", "add", "no-address", "--name", "A", "--job-title", "B", "--team", "C"], "not an email address"),
        (["staff", "reset", "nobody@example.org"], "nobody has the email nobody@example.org"),
        (["staff", "disable", "nobody@example.org"], "nobody has the email nobody@example.org"),
    ],
)
def test_what_cannot_be_done_is_said_on_stderr_with_exit_code_1(
    capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
):
    main(ADD)
    capsys.readouterr()

    assert main(arguments) == 1

    said = capsys.readouterr()
    assert reason in said.err
    assert said.out == ""


def test_a_role_that_does_not_exist_is_wrong_usage(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main([*ADD, "--role", "king"])

    assert ended.value.code == 2
