"""What other systems read about cases: pages, filters, one case whole."""

from datetime import date, timedelta
from urllib.parse import quote

import pytest
from sqlmodel import Session
from unit.api.house import MONDAY, House

from bot import references
from bot.desk import case as cases
from bot.desk import milestone
from bot.desk.choice import Choice, choose_later
from bot.store.tables import Case, Clock


@pytest.fixture(autouse=True)
async def _let_in(house: House) -> None:
    await house.let_in("read:cases")


async def listed(house: House, query: str = "") -> list[str]:
    return [each["reference"] for each in (await house.get(f"/cases?{query}")).json["cases"]]


async def test_a_case_is_read_whole_with_its_promises_and_why_each_date_is_what_it_is(house: House) -> None:
    case = await house.open(room="kitchen")
    told = (await house.get(f"/cases/{case.reference}")).json
    assert (told["reference"], told["kind"], told["category"], told["status"]) == (
        case.reference, "repair", "dripping_tap", "open",
    )  # fmt: skip
    assert (told["words"], told["details"]) == ("the tap drips", {"room": "kitchen"})
    clock = next(each for each in told["clocks"] if each["commitment"] == "routine_repair")
    assert (clock["state"], clock["due_at"], clock["clause"]) == ("running", "2026-12-03T23:59:59Z", "B:112")
    assert "Due: Thursday 3 December 2026, 11:59:59pm." in clock["why"]
    assert told["next_due"]["commitment"] == min(told["clocks"], key=lambda each: each["due_at"])["commitment"]


async def test_a_reference_is_read_as_people_write_it(house: House) -> None:
    case = await house.open()
    answer = await house.get(f"/cases/{case.reference.lower().replace('-', '')}")
    assert (answer.status, answer.json["reference"]) == (200, case.reference)


async def test_milestones_appear_as_they_are_written_down(house: House) -> None:
    case = await house.open()
    house.clock.advance(timedelta(days=1))
    now = house.now

    def work(session: Session) -> None:
        held = session.get_one(Case, case.id)
        milestone.reached(session, house.office, held, "attended", house.staff, now=now)
        cases.close(session, house.office, held, "We fitted a new washer.", house.staff, now=now)

    await house.run(work)
    told = (await house.get(f"/cases/{case.reference}")).json
    assert [each["name"] for each in told["milestones"]] == ["attended", "completed", "closed"]
    assert (told["status"], told["closed_as"], told["outcome"]) == ("closed", "done", "We fitted a new washer.")
    assert next(each for each in told["clocks"] if each["commitment"] == "routine_repair")["state"] == "met"


async def test_the_later_day_that_a_tenant_chose_is_read_with_both_clocks(house: House) -> None:
    case = await house.open("service_request", "home_visit")
    clock = (await house.clocks(case))["home_visit"]
    choice = Choice(date(2026, 11, 26), date(2026, 12, 9), "Away until the 8th", "phone")
    await house.run(
        lambda s: choose_later(s, house.office, s.get_one(Clock, clock.id), choice, house.staff, now=house.now)
    )
    told = (await house.get(f"/cases/{case.reference}")).json["clocks"]
    first, later = (each for each in told if each["commitment"] == "home_visit")
    assert (first["state"], first["tenant_chose"]) == ("deferred", None)
    assert (later["state"], later["extends"], later["due_at"]) == ("running", first["id"], "2026-12-09T17:00:00Z")
    assert later["tenant_chose"] == {
        "offered": "2026-11-26", "chosen": "2026-12-09", "how": "phone", "reason": "Away until the 8th",
    }  # fmt: skip


async def test_a_case_that_does_not_exist_is_404_and_one_that_cannot_exist_is_422(house: House) -> None:
    case = await house.open()
    wrong = case.reference[:-1] + ("2" if case.reference[-1] != "2" else "3")
    nobodys = references.make("repair", 12345)
    missing = await house.get(f"/cases/{nobodys}")
    assert missing.status == 404
    assert missing.json["detail"] == f"There is no case {nobodys}."
    refused = await house.get(f"/cases/{wrong}")
    assert refused.status == 422
    assert refused.json["errors"] == [
        {
            "in": "path", "name": "reference",
            "detail": "is not a case reference: it looks like R-4K7M-2QX, and its last symbol is a check",
        }
    ]  # fmt: skip


# --- lists


async def test_pages_follow_each_other_without_a_gap_or_a_repetition_while_cases_are_opened(house: House) -> None:
    opened = [(await house.open()).reference for _ in range(7)]
    first = (await house.get("/cases?limit=3")).json
    later = (await house.open()).reference
    second = (await house.get(f"/cases?limit=3&cursor={first['next']}")).json
    third = (await house.get(f"/cases?limit=3&cursor={second['next']}")).json
    read = [each["reference"] for page in (first, second, third) for each in page["cases"]]
    assert read == opened[::-1]
    assert third["next"] is None
    assert (await listed(house, "limit=1")) == [later]


async def test_the_oldest_come_first_if_they_are_asked_for(house: House) -> None:
    opened = [(await house.open()).reference for _ in range(4)]
    page = (await house.get("/cases?order=oldest&limit=3")).json
    rest = (await house.get(f"/cases?order=oldest&limit=3&cursor={page['next']}")).json
    assert [each["reference"] for each in page["cases"] + rest["cases"]] == opened


async def test_cases_are_found_by_kind_category_priority_and_status(house: House) -> None:
    tap, power, moan = (
        await house.open(),
        await house.open("repair", "no_power"),
        await house.open("complaint", "general"),
    )
    await house.run(
        lambda s: cases.close(s, house.office, s.get_one(Case, tap.id), "Done.", house.staff, now=house.now)
    )
    assert await listed(house, "kind=complaint") == [moan.reference]
    assert await listed(house, "kind=repair") == [power.reference, tap.reference]
    assert await listed(house, "category=no_power") == [power.reference]
    assert await listed(house, "status=closed") == [tap.reference]
    assert await listed(house, "kind=repair&status=open") == [power.reference]
    assert await listed(house, "priority=emergency") == [power.reference]


async def test_cases_are_found_by_what_is_due_before(house: House) -> None:
    visit = await house.open("service_request", "home_visit")
    await house.open("service_request", "freedom_of_information")
    due = {each.due_at for each in (await house.clocks(visit)).values()}
    assert await listed(
        house, f"due_before={quote((min(due) + timedelta(seconds=1)).isoformat())}&category=home_visit"
    ) == [visit.reference]
    assert await listed(house, f"due_before={quote(MONDAY.isoformat())}") == []


async def test_only_what_changed_is_read_by_those_who_have_the_rest(house: House) -> None:
    old, other = await house.open(), await house.open("service_request", "home_visit")
    house.clock.advance(timedelta(hours=1))
    since = house.now.isoformat()
    assert await listed(house, f"updated_since={quote(since)}") == []
    await house.get(f"/cases/{old.reference}")
    assert await listed(house, f"updated_since={quote(since)}") == [], "looking at a case does not change it"
    clock = (await house.clocks(other))["home_visit"]
    choice = Choice(date(2026, 11, 26), date(2026, 12, 9), "Away", "phone")
    await house.run(
        lambda s: choose_later(s, house.office, s.get_one(Clock, clock.id), choice, house.staff, now=house.now)
    )
    assert await listed(house, f"updated_since={quote(since)}") == [other.reference]


async def test_a_case_of_a_person_at_risk_does_not_exist_for_a_token_that_may_not_know_of_it(house: House) -> None:
    case = await house.open("service_request", "safeguarding", address="+447700900456")
    assert await listed(house) == []
    for path in ("", "/why"):
        assert (await house.get(f"/cases/{case.reference}{path}")).status == 404
    await house.let_in("read:cases", "read:confidential", name="safeguarding team")
    assert await listed(house) == [case.reference]
    assert (await house.get(f"/cases/{case.reference}")).status == 200
