"""No token, no door; and whoever is let in finds out what is wrong, may not ask too often, and leaves a trace."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select
from unit.api.house import House, open_house

from bot import references
from bot.desk import token as tokens
from bot.desk.token import SCOPES, TokenError
from bot.store.outside import ApiToken
from bot.store.tables import Event

EVERYWHERE = [
    "/cases", "/cases/R-0000-000", "/cases/R-0000-000/why", "/cases/R-0000-000/evidence", "/conversations",
    f"/conversations/{'0' * 32}", f"/conversations/{'0' * 32}/messages", "/contacts?phone=07700900123",
    f"/contacts/{'0' * 32}", "/performance", "/performance/annual-return/2027", "/policy", "", "/nothing", "/cases/",
]  # fmt: skip


@pytest.mark.parametrize("path", EVERYWHERE)
async def test_without_a_token_every_address_is_closed(house: House, path: str) -> None:
    answer = await house.get(path, token="")
    assert answer.status == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="doorstep"'
    assert answer.json["type"] == "urn:doorstep:problem:no-token"


async def test_the_list_of_closed_addresses_has_every_operation(house: House) -> None:
    closed = {path.split("?")[0] for path in EVERYWHERE}
    for operation in house.api.operations:
        made = operation.path.replace("{reference}", "R-0000-000").replace("{year}", "2027")
        assert made.replace("{conversation}", "0" * 32).replace("{contact}", "0" * 32) in closed


async def test_a_token_that_is_wrong_by_one_symbol_taken_back_or_too_old_lets_nobody_in(house: House) -> None:
    good = await house.let_in("read:policy", lasts=timedelta(days=30))
    assert (await house.get("/policy")).status == 200
    other = "A" if good[-1] != "A" else "B"
    for wrong in (
        good[:-1] + other,
        good[:10],
        good.replace("ds_", "dt_"),
        "ds_",
        "ds__",
        "x" * 5000,
        "ds_\u00e9_\u00e9",
    ):
        answer = await house.get("/policy", token=wrong)
        assert (answer.status, answer.json["type"]) == (401, "urn:doorstep:problem:bad-token")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    for header in (f"Basic {good}", good, "Bearer", "Bearer  "):
        assert (await house.get("/policy", token="", Authorization=header)).status == 401
    assert (await house.get("/policy", token="", Authorization=f"bearer {good}")).status == 200
    house.clock.advance(timedelta(days=30))
    assert (await house.get("/policy")).status == 401
    await house.let_in("read:policy", name="another")
    now = house.now
    await house.run(lambda s: tokens.revoke(s, house.office, "another", now=now, actor="test"))
    assert (await house.get("/policy")).status == 401


async def test_a_token_is_good_for_its_scopes_and_no_others(house: House) -> None:
    await house.let_in("read:policy")
    answer = await house.get("/cases")
    assert (answer.status, answer.json["type"]) == (403, "urn:doorstep:problem:missing-scope")
    assert answer.json["detail"] == "This needs the scope read:cases; the token has read:policy."
    assert 'scope="read:cases"' in answer.headers["WWW-Authenticate"]
    paths = {each.scope: each.path for each in house.api.operations}
    for scope in SCOPES.keys() - {"read:policy", "read:confidential"}:
        path = paths[scope].replace("{reference}", "R-0000-000").replace("{conversation}", "0" * 32)
        path = path.replace("{contact}", "0" * 32).replace("{year}", "2027")
        assert (await house.get(path)).status == 403, scope


async def test_only_a_digest_of_a_token_is_kept(house: House) -> None:
    shown = await house.let_in()
    secret = shown.rpartition("_")[2]
    kept = (await house.rows(ApiToken))[0]
    assert secret not in repr(kept.model_dump())
    assert len(kept.digest) == 64
    assert all(secret not in repr(each.model_dump()) for each in await house.rows(Event))


async def test_the_use_of_a_token_is_noted_to_the_minute(house: House) -> None:
    await house.let_in("read:policy")
    assert (await house.rows(ApiToken))[0].last_used_at is None
    await house.get("/policy")
    first = house.now
    house.clock.advance(timedelta(seconds=30))
    await house.get("/policy")
    assert (await house.rows(ApiToken))[0].last_used_at == first
    house.clock.advance(timedelta(seconds=31))
    await house.get("/policy")
    assert (await house.rows(ApiToken))[0].last_used_at == house.now


async def test_two_tokens_of_one_name_cannot_be_good_at_once(house: House) -> None:
    await house.let_in(name="till")
    with pytest.raises(TokenError, match="a token named 'till' already"):
        await house.let_in(name="till")
    with pytest.raises(TokenError, match="write:everything is not a scope; there are read:cases"):
        await house.let_in("write:everything", name="mill")
    now = house.now
    await house.run(lambda s: tokens.revoke(s, house.office, "till", now=now, actor="test"))
    await house.let_in(name="till")


# --- how often


async def test_who_asks_too_often_is_told_how_long_to_wait_and_others_are_not(tmp_path: Path) -> None:
    async with open_house(tmp_path, per_minute=3) as house:
        token = await house.let_in("read:policy")
        assert [(await house.get("/policy")).status for _ in range(4)] == [200, 200, 200, 429]
        refused = await house.get("/policy")
        assert refused.json["type"] == "urn:doorstep:problem:too-many-requests"
        await house.let_in("read:policy", name="other")
        assert (await house.get("/policy")).status == 200
        house.clock.advance(timedelta(seconds=int(refused.headers["Retry-After"])))
        assert (await house.get("/policy", token=token)).status == 200


# --- what is wrong, and where


async def test_everything_that_is_wrong_with_a_request_is_named_at_once(house: House) -> None:
    await house.let_in("read:cases")
    answer = await house.get(
        "/cases?limit=0&kind=party&due_before=2026-12-01T10:00&colour=red&status=open&status=closed"
    )
    assert (answer.status, answer.json["title"]) == (422, "The request does not say what is wanted")
    assert answer.json["instance"] == "/api/v1/cases"
    said = {each["name"]: each["detail"] for each in answer.json["errors"]}
    assert set(said) == {"limit", "kind", "due_before", "colour", "status"}
    assert said["limit"] == "Input should be greater than or equal to 1"
    assert "'repair', 'complaint', 'enquiry' or 'service_request'" in said["kind"]
    assert "timezone" in said["due_before"]
    assert said["colour"].startswith("is not a parameter of this; there are limit, cursor, order, kind")
    assert said["status"] == "is given more than once"
    assert {each["in"] for each in answer.json["errors"]} == {"query"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/cases?cursor=nonsense", "cursor"),
        ("/cases?updated_since=yesterday", "updated_since"),
        ("/conversations/short", "conversation"),
        (f"/conversations/{'0' * 32}/messages?after=-1", "after"),
        ("/contacts?phone=hello", "phone"),
        ("/contacts", "phone"),
        (f"/contacts?phone=07700900123&reference={references.make('repair', 1)}", "phone"),
        ("/contacts/someone", "contact"),
        ("/performance?from=2026-12-01&to=2026-11-01", "from"),
        ("/performance?from=2020-01-01&to=2026-11-01", "from"),
        ("/performance?from=soon", "from"),
        ("/performance/annual-return/1850", "year"),
        ("/policy?verbose=1", "verbose"),
    ],
)
async def test_what_cannot_be_meant_is_refused_by_name(house: House, path: str, name: str) -> None:
    await house.let_in()
    answer = await house.get(path)
    assert answer.status == 422
    assert [each["name"] for each in answer.json["errors"]] == [name]


async def test_what_is_not_there_and_what_cannot_be_done_are_told_apart(house: House) -> None:
    await house.let_in()
    for path in ("/nothing", "/cases/", ""):
        answer = await house.get(path)
        assert (answer.status, answer.json["type"]) == (404, "urn:doorstep:problem:not-found")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = await house.ask(method, "/api/v1/cases")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET")
    assert (await house.get(f"/conversations/{'0' * 32}")).status == 404
    assert (await house.get(f"/contacts/{'0' * 32}")).status == 404


# --- what is read is on record


async def test_every_reading_of_personal_data_is_on_record_under_the_tokens_name(house: House) -> None:
    case = await house.open()
    await house.let_in(name="till")
    token = (await house.rows(ApiToken))[0]
    await house.get(f"/cases/{case.reference}")
    await house.get(f"/cases/{case.reference}/why")
    await house.get("/cases")
    await house.get("/conversations")
    await house.get(f"/conversations/{case.conversation_id}")
    await house.get(f"/conversations/{case.conversation_id}/messages")
    await house.get("/contacts?phone=07700900123")
    await house.get(f"/contacts/{case.contact_id}")
    events = await house.read_by()
    assert [(each.subject, each.detail["what"]) for each in events] == [
        (case.id, "case"), (case.id, "why"), (token.id, "cases"), (token.id, "conversations"),
        (case.conversation_id, "conversation"), (case.conversation_id, "messages"), (case.contact_id, "contact"),
        (case.contact_id, "contact"),
    ]  # fmt: skip
    assert {(each.actor, each.detail["token"]) for each in events} == {(token.id, "till")}
    assert events[2].detail["cases"] == [case.reference]
    await house.get(f"/cases/{case.reference}/evidence")
    taken = (await house.read_by("evidence_taken"))[0]
    assert (taken.subject, taken.actor) == (case.id, token.id)


async def test_what_is_about_nobody_or_was_refused_leaves_no_reading(house: House) -> None:
    await house.open()
    await house.let_in()
    for path in (
        "/policy",
        "/performance",
        "/performance/annual-return/2027",
        "/cases?kind=complaint",
        "/cases?limit=0",
    ):
        await house.get(path)
    assert await house.read_by() == []


async def test_making_and_taking_back_a_token_is_on_record(house: House) -> None:
    await house.let_in("read:cases", name="till")
    now = house.now
    await house.run(lambda s: tokens.revoke(s, house.office, "till", now=now, actor="test"))

    def work(session: Session) -> list[Event]:
        return list(session.exec(select(Event).where(Event.actor == "test")))

    made, taken = await house.run(work)
    assert (made.verb, made.detail) == ("token_added", {"name": "till", "scopes": ["read:cases"]})
    assert (taken.verb, taken.subject) == ("token_revoked", made.subject)


# --- what has not changed


async def test_what_has_not_changed_is_not_sent_again_and_not_read_again(house: House) -> None:
    case = await house.open()
    await house.let_in()
    for path in (f"/cases/{case.reference}", "/cases", "/policy"):
        first = await house.get(path)
        again = await house.get(path, **{"If-None-Match": f'"other", W/{first.headers["ETag"]}'})
        assert (again.status, again.text, again.headers["ETag"]) == (304, "", first.headers["ETag"])
    readings = len(await house.read_by())
    assert readings == 2
    house.clock.advance(timedelta(days=30))
    changed = await house.get(f"/cases/{case.reference}", **{"If-None-Match": first.headers["ETag"]})
    assert changed.status == 200


async def test_nobody_between_keeps_what_was_answered(house: House) -> None:
    case = await house.open()
    await house.let_in()
    for path in (f"/cases/{case.reference}", "/contacts?phone=07700900123"):
        assert (await house.get(path)).headers["Cache-Control"] == "private, no-cache"
    assert (await house.get(f"/cases/{case.reference}/evidence")).headers["Cache-Control"] == "no-store"
    assert (await house.get("/nothing")).headers["Cache-Control"] == "no-store"
