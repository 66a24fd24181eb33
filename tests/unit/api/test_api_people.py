"""Conversations, contacts, and what is about nobody: performance, the policy; and the evidence of a case."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlmodel import Session
from unit.api.house import PHONE, House

from bot.desk import case as cases
from bot.desk import contact as contacts
from bot.desk import conversation as desk
from bot.desk.preference import Wishes, prefer
from bot.messages import RememberContact
from bot.reports import gather, pack_faults
from bot.sla.performance import charter_year
from bot.sla.qualities import trace
from bot.store import conversations
from bot.store.tables import Address, Case, Contact


@pytest.fixture(autouse=True)
async def _let_in(house: House) -> None:
    await house.let_in()


# --- conversations


async def test_a_conversation_is_followed_from_where_it_was_left(house: House) -> None:
    case = await house.open(words="the tap drips")
    talk = case.conversation_id
    first = (await house.get(f"/conversations/{talk}/messages")).json
    assert [(each["seq"], each["direction"], each["author"]) for each in first["messages"]] == [
        (1, "in", "tenant"), (2, "out", "bot"),
    ]  # fmt: skip
    assert first["messages"][0]["text"] == "the tap drips"
    assert (first["messages"][1]["kind"], first["messages"][1]["case"]) == ("acknowledgement", case.reference)
    assert (await house.get(f"/conversations/{talk}/messages?after={first['after']}")).json["messages"] == []
    now = house.now

    def work(session: Session) -> None:
        desk.take_over(session, house.office, talk, house.staff, now=now)
        desk.reply(session, house.office, talk, house.staff, "We come on Tuesday.", now=now)

    await house.run(work)
    news = (await house.get(f"/conversations/{talk}/messages?after={first['after']}")).json
    assert [each["kind"] for each in news["messages"]] == ["notice", "staff"]
    assert news["messages"][1]["author_name"] == "Ann Example"
    one = (await house.get(f"/conversations/{talk}/messages?limit=1")).json
    assert (len(one["messages"]), one["after"]) == (1, 1)


async def test_conversations_are_listed_with_their_cases_and_found_by_who_answers(house: House) -> None:
    tap, other = await house.open(), await house.open(address="+447700900456")
    house.clock.advance(timedelta(hours=1))
    since, now = house.now, house.now
    await house.run(lambda s: desk.take_over(s, house.office, other.conversation_id, house.staff, now=now))
    page = (await house.get("/conversations")).json
    assert [each["id"] for each in page["conversations"]] == [other.conversation_id, tap.conversation_id]
    assert (page["conversations"][1]["cases"], page["next"]) == ([tap.reference], None)
    held = (await house.get("/conversations?owner=staff")).json["conversations"]
    assert [(each["id"], each["owner"]) for each in held] == [(other.conversation_id, "staff")]
    recent = (await house.get(f"/conversations?updated_since={quote(since.isoformat())}")).json["conversations"]
    assert [each["id"] for each in recent] == [other.conversation_id]
    first = (await house.get("/conversations?limit=1")).json
    second = (await house.get(f"/conversations?limit=1&cursor={first['next']}")).json
    assert [each["id"] for each in second["conversations"]] == [tap.conversation_id]


async def test_what_a_person_at_risk_said_is_not_there_for_a_token_that_may_not_know(house: House) -> None:
    case = await house.open("service_request", "safeguarding", words="he hits me")
    talk = case.conversation_id
    for path in (f"/conversations/{talk}", f"/conversations/{talk}/messages"):
        assert (await house.get(path)).status == 404
    assert (await house.get("/conversations")).json["conversations"] == []
    assert (await house.get(f"/contacts?reference={case.reference}")).json["contacts"] == []
    assert (await house.get(f"/contacts/{case.contact_id}")).json["open_cases"] == []
    assert (await house.get(f"/cases/{case.reference}/evidence")).status == 404
    await house.let_in("read:conversations", "read:contacts", "read:evidence", "read:confidential", name="safeguarding")
    assert (await house.get(f"/conversations/{talk}/messages")).json["messages"][0]["text"] == "he hits me"
    assert (await house.get(f"/contacts?reference={case.reference}")).json["contacts"][0]["open_cases"] == [
        case.reference
    ]
    assert (await house.get(f"/cases/{case.reference}/evidence")).status == 200


# --- contacts


async def test_a_person_is_found_by_number_however_it_is_written_and_by_case(house: House) -> None:
    case = await house.open()
    for written in ("07700900123", "07700 900 123", "+447700900123", "447700900123"):
        for way in (quote(written, safe=""), written.replace(" ", "%20")):
            found = (await house.get(f"/contacts?phone={way}")).json["contacts"]
            assert [each["id"] for each in found] == [case.contact_id], way
    found = (await house.get(f"/contacts?reference={case.reference}")).json["contacts"]
    assert [each["id"] for each in found] == [case.contact_id]
    assert (await house.get("/contacts?phone=07700900999")).json["contacts"] == []


async def test_a_number_that_a_person_gave_finds_them_too(house: House) -> None:
    case, now = await house.open(address="+447700900456"), house.now

    def work(session: Session) -> None:
        talk = conversations.load(session, case.conversation_id)
        assert talk is not None
        told = RememberContact(name="Jo Example", phone="01361 884000")
        contacts.remember(session, house.office, talk, told, now=now)

    await house.run(work)
    found = (await house.get("/contacts?phone=%2B441361884000")).json["contacts"]
    assert [(each["id"], each["name"]) for each in found] == [(case.contact_id, "Jo Example")]


async def test_no_more_is_told_of_a_person_than_it_takes(house: House) -> None:
    case = await house.open()
    now = house.now

    def work(session: Session) -> None:
        contact = session.get_one(Contact, case.contact_id)
        contact.name, contact.home_address, contact.postcode, contact.phone = "Jo", "1 Mill Row", "TD11 3AA", PHONE
        session.add(contact)
        address = conversations.load(session, case.conversation_id)
        assert address is not None
        contacts.opt_out(session, house.office, address.address_id, now=now)

    await house.run(work)
    answer = await house.get(f"/contacts/{case.contact_id}")
    assert answer.json == {
        "id": case.contact_id, "name": "Jo", "language": "en", "preferred_channel": None, "preferred_format": None,
        "never_by": [], "ask_first": False, "addresses": [{"channel": "sms", "may_receive": False}],
        "open_cases": [case.reference],
    }  # fmt: skip
    for kept_back in ("Mill Row", "TD11", PHONE):
        assert kept_back not in answer.text
    assert len(await house.rows(Address)) == 1


async def test_a_person_whom_a_message_may_put_at_risk_is_reached_through_staff_only(house: House) -> None:
    case = await house.open()
    at_risk = await house.open("service_request", "safeguarding", address="+447700900456")
    now = house.now
    wishes = Wishes(never_by=("letter", "sms"))
    await house.run(lambda s: prefer(
        s, house.office, s.get_one(Contact, case.contact_id), wishes, actor=house.staff.id, now=now
    ))  # fmt: skip
    told = (await house.get(f"/contacts/{case.contact_id}")).json
    assert (told["never_by"], told["ask_first"]) == (["letter", "sms"], False)
    assert told["addresses"] == [{"channel": "sms", "may_receive": False}]
    careful = (await house.get(f"/contacts/{at_risk.contact_id}")).json
    assert (careful["ask_first"], careful["open_cases"]) == (True, [])
    assert careful["addresses"] == [{"channel": "sms", "may_receive": False}]


# --- performance, policy, evidence


async def test_the_figures_are_those_of_the_report(house: House) -> None:
    case = await house.open()
    house.clock.advance(timedelta(days=20))
    now = house.now
    first, last = house.office.local(case.received_at).date(), house.office.local(now).date()
    report = await house.run(lambda s: gather(s, house.office.policy, first, last, now=now))
    told = (await house.get(f"/performance?from={first}&to={last}&cases=true")).json
    expected = report.as_json()
    assert {each["id"]: each["due"] for each in told["commitments"]} == {
        each["id"]: each["due"] for each in expected["commitments"]
    }
    late = next(each for each in told["commitments"] if each["id"] == "routine_repair")
    assert late["cases"]["missed_in_silence"] == [case.reference]
    assert told["by"]["channel"].keys() == {"sms"}
    plain = (await house.get(f"/performance?from={first}&to={last}")).json
    assert case.reference not in str(plain)
    assert plain["commitments"][0]["cases"] is None


async def test_without_days_the_figures_are_of_the_year_so_far(house: House) -> None:
    told = (await house.get("/performance")).json
    assert (told["from"], told["to"]) == ("2026-04-01", "2026-11-23")


async def test_the_annual_return_is_that_of_the_regulators_year(house: House) -> None:
    case = await house.open()
    await house.run(
        lambda s: cases.close(s, house.office, s.get_one(Case, case.id), "Done.", house.staff, now=house.now)
    )
    told = (await house.get("/performance/annual-return/2027")).json
    assert (told["from"], told["to"]) == tuple(day.isoformat() for day in charter_year(2027))
    indicators = {each["number"]: each for each in told["indicators"]}
    assert (indicators["10"]["value"], indicators["10"]["cases"]) == (100, [case.reference])
    assert indicators["11"]["value"] is None
    assert indicators["11"]["note"]


async def test_the_policy_tells_every_commitment_with_its_clause_and_what_becomes_of_it(house: House) -> None:
    told = (await house.get("/policy")).json
    policy = house.office.policy
    assert (told["id"], told["version"]) == (policy.id, policy.version)
    assert [each["id"] for each in told["commitments"]] == list(policy.commitments)
    visit = next(each for each in told["commitments"] if each["id"] == "home_visit")
    assert (visit["clause"], visit["figure"], visit["status"], visit["tenant_chooses"]) == (
        "B:122", "5 working days", "kept", True,
    )  # fmt: skip
    assert len(told["commitments"]) + len(told["qualities"]) == len(trace(policy))


async def test_the_evidence_of_a_case_is_a_file_whose_proof_holds_and_that_names_who_took_it(house: House) -> None:
    case = await house.open()
    answer = await house.get(f"/cases/{case.reference}/evidence")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{case.reference}.html"'
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert pack_faults(answer.text) == []
    assert "evidence taken" in answer.text
    assert "housing system (API)" in answer.text
