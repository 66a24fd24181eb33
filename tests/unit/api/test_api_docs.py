"""The examples of docs/api.md work: every question is asked as it is written, and what is shown is what comes back."""

import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from unit.api.house import Answered, House, Receiver

from bot.api.webhooks import ID, SIGNATURE, TIMESTAMP
from bot.cli import build_parser
from bot.desk.publish import NAMES, PING
from bot.desk.token import SCOPES
from bot.store.tables import Case

PAGE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(console|json|python)\n(.*?)```", PAGE, re.DOTALL)
EXAMPLE = "R-4K7M-2QX"
CONTACT, TALK = "01a207d92100743d8cf2bdb4a5b7d81c", "01a207d9210070ffb29d0da9953f48f1"


def commands(block: str) -> list[list[str]]:
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line.removeprefix("$ ")) for line in lines if line.startswith("$ ")]


def examples() -> list[tuple[list[str], dict[str, Any] | None]]:
    """Each curl of the page, with the answer that is shown after it."""
    found = []
    for place, (language, text) in enumerate(BLOCKS):
        if language != "console":
            continue
        after = BLOCKS[place + 1] if place + 1 < len(BLOCKS) else ("", "")
        asked = [each for each in commands(text) if each[0] == "curl"]
        shown = json.loads(after[1]) if after[0] == "json" and len(asked) == 1 else None
        found += [(each, shown) for each in asked]
    return found


def address(command: list[str]) -> str:
    """The path and query that curl would ask for. Only what the page uses is understood."""
    url, data, rest = "", [], command[1:]
    while rest:
        word = rest.pop(0)
        if word == "-H":
            assert rest.pop(0) == "Authorization: Bearer $TOKEN"
        elif word == "-d":
            data.append(rest.pop(0))
        elif word == "--data-urlencode":
            name, _, value = rest.pop(0).partition("=")
            data.append(f"{name}={quote(value, safe='')}")
        elif word == "-o":
            rest.pop(0)
        elif word != "-G":
            url = word
    assert url.startswith("$DOORSTEP/api/v1/")
    return url.removeprefix("$DOORSTEP/api/v1") + ("?" + "&".join(data) if data else "")


def same_shape(shown: Any, told: Any, at: str = "") -> None:
    """Everything that is shown is there, and of its kind. What is shown may leave things out of lists, never add to them."""
    if isinstance(shown, dict):
        for key, value in shown.items():
            assert key in told, f"{at}: there is no {key}"
            same_shape(value, told[key], f"{at}.{key}")
        if at != ".errors":
            assert not told.keys() - shown.keys(), f"{at}: {told.keys() - shown.keys()} are not shown"
    elif isinstance(shown, list):
        assert told or not shown, f"{at} is empty"
        for value in shown:
            if not isinstance(value, str):
                same_shape(value, told[0], at)
    else:
        assert isinstance(told, type(shown)) or None in (shown, told), f"{at}: {shown!r} is shown, {told!r} came"


async def asked(house: House, command: list[str], case: Case) -> Answered:
    path = address(command)
    for example, real in ((EXAMPLE, case.reference), (CONTACT, case.contact_id), (TALK, case.conversation_id)):
        path = path.replace(example, real)
    return await house.get(path)


def test_there_are_examples() -> None:
    assert len(examples()) >= 12


@pytest.mark.parametrize(
    ("command", "shown"), examples(), ids=lambda each: address(each) if isinstance(each, list) else ""
)
async def test_the_example_works(house: House, command: list[str], shown: dict[str, Any] | None) -> None:
    await house.let_in()
    case = await house.open()
    answer = await asked(house, command, case)
    assert answer.status == (shown or {}).get("status", 200), answer.text
    if shown is not None:
        same_shape(shown, answer.json)


def test_every_operation_has_an_example(house: House) -> None:
    paths = {address(command).split("?")[0] for command, _ in examples()}
    for example, name in ((EXAMPLE, "reference"), (CONTACT, "contact"), (TALK, "conversation"), ("2027", "year")):
        paths = {path.replace(example, f"{{{name}}}") for path in paths}
    assert {each.path for each in house.api.operations} == paths


def test_every_doorstep_command_of_the_page_is_understood() -> None:
    typed = [
        each for language, text in BLOCKS if language == "console" for each in commands(text) if each[0] == "doorstep"
    ]
    assert len(typed) >= 8
    for each in typed:
        build_parser(["outside"]).parse_args(each[1:])


def test_every_scope_and_every_event_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(read:\w+)` \|", PAGE, re.MULTILINE)) == SCOPES.keys()
    rows = "\n".join(re.findall(r"^\| `\w+\.\w+`.*\|", PAGE, re.MULTILINE))
    assert set(re.findall(r"`(\w+\.\w+)`", rows)) == {*NAMES, PING.name}


async def test_the_event_that_is_shown_is_what_arrives_and_the_check_of_the_page_believes_it(
    house: House, receiver: Receiver
) -> None:
    hook = await house.listen(receiver.url)
    await house.open()
    await house.webhooks.settle()
    got = receiver.got[0]
    shown = next(json.loads(text) for language, text in BLOCKS if language == "json" and '"case.opened"' in text)
    same_shape(shown, got.event)
    checker: dict[str, Any] = {}
    code = next(text for language, text in BLOCKS if language == "python")
    exec(code, checker)
    checker["time"] = type("Then", (), {"time": staticmethod(lambda: int(got.timestamp) + 299)})
    headers = {ID: got.id, TIMESTAMP: got.timestamp, SIGNATURE: got.signature}
    assert checker["is_genuine"](hook.secret, headers, got.body)
    assert not checker["is_genuine"](hook.secret, headers, got.body + b" ")
    assert not checker["is_genuine"](hook.secret, headers | {ID: "another"}, got.body)
    checker["time"] = type("Later", (), {"time": staticmethod(lambda: int(got.timestamp) + 301)})
    assert not checker["is_genuine"](hook.secret, headers, got.body)
