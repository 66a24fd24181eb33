"""The description of the API is valid, and what is answered is what it describes: it is made from the same definitions."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from sqlmodel import Session
from unit.api.house import Answered, House, Receiver

from bot import references
from bot.desk import case as cases
from bot.desk import handover as handovers
from bot.desk import milestone
from bot.desk.choice import Choice, choose_later
from bot.desk.publish import NAMES
from bot.desk.token import SCOPES
from bot.store.tables import Case, Clock


@pytest.fixture
async def document(house: House) -> dict[str, Any]:
    """As it is served, without a token."""
    answer = await house.get("/openapi.json", token="")
    assert answer.status == 200
    return answer.json


def fits(document: dict[str, Any], schema: dict[str, Any], told: Any) -> None:
    """Raises ValidationError unless `told` is what the schema says."""
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": document["components"]} | schema
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(told)


def described(document: dict[str, Any], path: str, answer: Answered) -> None:
    """Raises unless the answer is one that is described for the path."""
    told = document["paths"][path]["get"]["responses"][str(answer.status)]
    kind = answer.headers["Content-Type"].split(";")[0]
    schema = told["content"][kind]["schema"]
    fits(document, schema, answer.text if kind == "text/html" else answer.json)


def schemas(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if "properties" in part:
            yield part
        for each in part.values():
            yield from schemas(each)
    elif isinstance(part, list):
        for each in part:
            yield from schemas(each)


def test_it_is_a_valid_openapi_document(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    validate(document, cls=OpenAPIV31SpecValidator)


def test_a_fault_in_it_would_be_found(document: dict[str, Any]) -> None:
    document["paths"]["/cases/{reference}"]["get"]["parameters"][0]["name"] = "another"
    assert list(OpenAPIV31SpecValidator(document).iter_errors())


def test_every_path_parameter_and_problem_is_described(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        assert list(methods) == ["get"]
        operation = methods["get"]
        in_path = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        assert in_path == re.findall(r"{(\w+)}", path)
        assert {"200", "401", "403", "404", "422", "429", "500"} <= operation["responses"].keys()
        assert any(f"`{scope}`" in operation["description"] for scope in SCOPES)
    ids = [methods["get"]["operationId"] for methods in document["paths"].values()]
    assert len(set(ids)) == len(ids)


def test_every_event_is_described(document: dict[str, Any]) -> None:
    assert set(NAMES) <= document["webhooks"].keys()
    assert set(document["components"]["schemas"]["Event"]["properties"]["type"]["enum"]) == document["webhooks"].keys()


async def test_the_routes_are_those_of_the_description(house: House, document: dict[str, Any]) -> None:
    served = {route.path for route in house.api.routes() if "{rest" not in route.path}  # type: ignore[attr-defined]
    assert served == {f"/api/v1{path}" for path in document["paths"]} | {"/api/v1/openapi.json"}


async def a_busy_office(house: House) -> tuple[Case, Case, Case]:
    """A repair that was done, a visit put off, an emergency: everything that an answer can hold."""
    tap, visit = await house.open(room="kitchen"), await house.open("service_request", "home_visit")
    power = await house.open("repair", "no_power", address="+447700900456")
    await house.open("complaint", "general")
    house.clock.advance(timedelta(days=1))
    now = house.now
    clock = (await house.clocks(visit))["home_visit"]

    def work(session: Session) -> None:
        held = session.get_one(Case, tap.id)
        milestone.reached(session, house.office, held, "attended", house.staff, now=now)
        cases.close(session, house.office, held, "We fitted a washer.", house.staff, now=now)
        choice = Choice(date(2026, 11, 26), date(2026, 12, 9), "Away", "phone")
        choose_later(session, house.office, session.get_one(Clock, clock.id), choice, house.staff, now=now)
        handovers.take_in_conversation(session, house.office, power.conversation_id, house.staff, now=now)

    await house.run(work)
    house.clock.advance(timedelta(days=30))
    return tap, visit, power


async def test_every_answer_is_as_it_is_described(house: House, document: dict[str, Any]) -> None:
    tap, visit, power = await a_busy_office(house)
    await house.let_in(*SCOPES)
    talk, nobodys = power.conversation_id, references.make("repair", 9)
    asked = {
        "/cases": ["", "?limit=1", "?kind=repair&status=closed", "?due_before=2027-01-01T00:00:00Z&order=oldest", "?limit=0"],
        "/cases/{reference}": [f"/{each}" for each in (tap.reference, visit.reference, power.reference, "R-1", nobodys)],
        "/cases/{reference}/why": [f"/{each.reference}/why" for each in (tap, visit, power)],
        "/cases/{reference}/evidence": [f"/{tap.reference}/evidence"],
        "/conversations": ["", "?limit=1&channel=sms", "?owner=staff", "?owner=nobody"],
        "/conversations/{conversation}": [f"/{talk}", f"/{'0' * 32}"],
        "/conversations/{conversation}/messages": [f"/{talk}/messages", f"/{talk}/messages?after=1&limit=1"],
        "/contacts": ["?phone=07700900456", f"?reference={tap.reference}", "?phone=1"],
        "/contacts/{contact}": [f"/{tap.contact_id}"],
        "/performance": ["", "?from=2026-11-01&to=2027-01-31&cases=true"],
        "/performance/annual-return/{year}": ["/annual-return/2027"],
        "/policy": [""],
    }  # fmt: skip
    assert asked.keys() == document["paths"].keys()
    statuses = set()
    for path, queries in asked.items():
        for query in queries:
            answer = await house.get("/" + path.split("/")[1] + query)
            described(document, path, answer)
            statuses.add(answer.status)
    house.token = ""
    described(document, "/policy", await house.get("/policy"))
    await house.let_in("read:cases", name="little")
    described(document, "/policy", await house.get("/policy"))
    assert statuses == {200, 404, 422}


async def test_every_event_that_is_sent_is_as_it_is_described(
    house: House, document: dict[str, Any], receiver: Receiver
) -> None:
    await house.listen(receiver.url)
    await a_busy_office(house)
    await house.webhooks.settle()
    assert {"case.opened", "case.closed", "clock.deferred", "handover.taken"} <= set(receiver.types)
    for each in receiver.got:
        fits(document, {"$ref": "#/components/schemas/Event"}, each.event)


def test_answers_leave_room_for_more_fields(document: dict[str, Any]) -> None:
    assert not any(each.get("additionalProperties") is False for each in schemas(document["components"]["schemas"]))


@pytest.mark.parametrize("name", ["CaseAnswer", "ContactAnswer", "PolicyAnswer"])
def test_what_is_always_there_is_said_to_be(document: dict[str, Any], name: str) -> None:
    schema = document["components"]["schemas"][name]
    assert set(schema["required"]) == schema["properties"].keys()


async def test_a_description_that_is_known_is_not_sent_again(house: House) -> None:
    first = await house.get("/openapi.json", token="")
    again = await house.get("/openapi.json", token="", **{"If-None-Match": first.headers["ETag"]})
    assert again.status == 304
