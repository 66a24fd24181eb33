"""How a person may be reached, on a page of their own; letters to print and to mark as posted; answers to surveys; news."""

import re
from datetime import timedelta

import pytest
from sqlmodel import Session, select
from unit.console.house import Browser, House

from bot.desk import case as cases
from bot.desk import milestone, reach
from bot.desk import staff as accounts
from bot.messages import Say
from bot.store.tables import Case, Clock, Contact, Event, Message, Staff, Survey, Task


async def the_case(house: House) -> Case:
    await house.tenant_says("my kitchen tap is dripping")
    (case,) = await house.rows(Case)
    return case


async def letter_to_write(house: House, case: Case, **wishes: str) -> str:
    """A task to write to the tenant of a case; its id."""
    now = house.clock.now()

    def work(session: Session) -> str:
        contact = session.get_one(Contact, case.contact_id)
        known = {"preferred_channel": "letter", "home_address": "14 High Street, Duns", "name": "Sam Taylor"}
        for name, value in (known | wishes).items():
            setattr(contact, name, value)
        session.add(contact)
        clock = session.exec(select(Clock).where(Clock.case_id == case.id, Clock.commitment == "progress_update")).one()
        says = [Say("utter_carried", {"text": "The joiner is ill.\n\nWe come on Friday."})]
        sent = reach.send(
            session, house.office, contact, session.get_one(Case, case.id), says, kind="update", about={"clocks": [clock.id]},
            once="test", now=now, due=clock.due_at,
        )  # fmt: skip
        reach.note(session, house.office, [clock], sent, now=now)
        assert sent.task is not None
        return sent.task.id

    return await house.store.run(work)


# --- the person


async def test_a_person_is_seen_and_changed_and_the_change_is_on_record(house: House, ama: Browser) -> None:
    case = await the_case(house)
    page = await ama.get(f"/staff/conversations/{case.conversation_id}")
    assert f"/staff/people/{case.contact_id}" in page
    assert "How to reach +447700900123" in await ama.get(f"/staff/people/{case.contact_id}")
    page = await ama.post(
        f"/staff/people/{case.contact_id}", preferred_channel="telegram", preferred_format="large_print", language="pl",
        quiet_from="20:00", quiet_until="09:00", safe_from="", safe_until="", safe_contact="", never_phone="on",
    )  # fmt: skip
    assert "Saved." in page
    assert "the way they prefer (none to telegram)" in page
    contact = (await house.rows(Contact))[0]
    assert (contact.preferred_channel, contact.preferred_format, contact.language) == ("telegram", "large_print", "pl")
    assert (contact.quiet_from, contact.never_by, contact.no_surveys_since is not None) == ("20:00", ["phone"], True)
    (event,) = [each for each in await house.rows(Event) if each.verb == "preferences_changed"]
    assert event.actor == (await house.staff("ama@example.org")).id
    page = await ama.get(f"/staff/conversations/{case.conversation_id}")
    for words in ("Large print", "20:00 to 09:00", "telephone"):
        assert words in page


async def test_what_cannot_be_is_refused_and_what_was_typed_stays(house: House, ama: Browser) -> None:
    case = await the_case(house)
    await ama.get(f"/staff/people/{case.contact_id}")
    page = await ama.post(
        f"/staff/people/{case.contact_id}", language="en", safe_from="10:00", safe_contact="Ring her sister"
    )
    assert ama.status == 409
    assert "both ends of the safe hours" in ama.said()
    assert "Ring her sister" in page
    assert (await house.rows(Contact))[0].safe_contact is None


async def test_what_is_safe_stands_on_every_page_of_them_and_reading_it_is_on_record(
    house: House, ama: Browser
) -> None:
    case = await the_case(house)
    await ama.get(f"/staff/people/{case.contact_id}")
    await ama.post(
        f"/staff/people/{case.contact_id}", language="en", safe_from="12:00", safe_until="13:00", no_trace="on",
        safe_contact="Only at work",
    )  # fmt: skip
    page = await ama.get(f"/staff/conversations/{case.conversation_id}")
    assert "Not safe to write to them now." in page
    assert "Only at work" in page
    await ama.get(f"/staff/people/{case.contact_id}")
    read = [each for each in await house.rows(Event) if each.verb == "case_read_in_confidence"]
    assert [each.subject for each in read] == [case.contact_id]


async def test_an_auditor_sees_a_person_and_changes_nothing(house: House) -> None:
    case = await the_case(house)
    auditor = await house.sign_in("Ada Bell", house.client, role="auditor")
    page = await auditor.get(f"/staff/people/{case.contact_id}")
    assert ">Save<" not in page
    await auditor.post(f"/staff/people/{case.contact_id}", language="pl")
    assert auditor.status == 409
    assert (await house.rows(Contact))[0].language == "en"


async def test_there_is_no_page_of_nobody(house: House, ama: Browser) -> None:
    await ama.get("/staff/people/nobody")
    assert ama.status == 404
    await ama.get("/staff/tasks/nothing/letter")
    assert ama.status == 404
    assert house.nudged == []


# --- letters


async def test_a_letter_has_letterhead_address_date_reference_words_name_and_role(house: House, ama: Browser) -> None:
    case = await the_case(house)
    task = await letter_to_write(house, case)
    assert f"/staff/tasks/{task}/letter" in await ama.get("/staff")
    page = await ama.get(f"/staff/tasks/{task}/letter")
    for words in (
        "Berwickshire Housing Association", "55 Newtown Street", "Sam Taylor<br>14 High Street<br>Duns", "23 November 2026",
        f"Your reference: {case.reference}", "Dear Sam Taylor", "The joiner is ill.", "We come on Friday.", "Ama Mensah",
        "Repairs officer, Repairs",
    ):  # fmt: skip
        assert words in page
    assert "letter.css" in page
    assert 'class="letter-page"' in page


@pytest.mark.parametrize("wanted", ["large_print", "large print"])
async def test_a_letter_is_in_large_print_where_that_was_asked_for(house: House, ama: Browser, wanted: str) -> None:
    task = await letter_to_write(house, await the_case(house), preferred_format=wanted)
    assert 'class="letter-page large"' in await ama.get(f"/staff/tasks/{task}/letter")
    assert 'class="letter-page"' in await ama.get(f"/staff/tasks/{task}/letter?size=usual")


async def test_a_format_that_no_printer_makes_is_said(house: House, ama: Browser) -> None:
    task = await letter_to_write(house, await the_case(house), preferred_format="braille")
    assert "They asked for this format: <b>Braille</b>" in await ama.get(f"/staff/tasks/{task}/letter")


async def test_before_a_letter_to_somebody_at_risk_is_posted_the_page_says_what_is_safe(
    house: House, ama: Browser
) -> None:
    case = await the_case(house)
    task = await letter_to_write(house, case)
    await ama.get(f"/staff/people/{case.contact_id}")
    await ama.post(f"/staff/people/{case.contact_id}", language="en", never_letter="on", preferred_channel="phone")
    page = await ama.get(f"/staff/tasks/{task}/letter")
    assert "Be careful before you post anything." in page
    assert "Never by letter." in page


async def test_posting_a_letter_is_evidence_with_who_and_when(house: House, ama: Browser) -> None:
    case = await the_case(house)
    task = await letter_to_write(house, case)
    await ama.get(f"/staff/tasks/{task}/letter")
    house.clock.advance(timedelta(minutes=20))
    page = await ama.post(f"/staff/tasks/{task}/posted")
    assert "Posted 10:20am today by Ama Mensah." in page
    clock = next(each for each in await house.rows(Clock) if each.commitment == "progress_update")
    assert (clock.told_by, clock.told_at) == ("letter", house.clock.now())
    (event,) = [each for each in await house.rows(Event) if each.verb == "letter_posted"]
    assert (event.subject, event.actor) == (task, (await house.staff("ama@example.org")).id)
    assert "by letter" in await ama.get(f"/staff/conversations/{case.conversation_id}")
    await ama.post(f"/staff/tasks/{task}/posted")
    assert len([each for each in await house.rows(Event) if each.verb == "letter_posted"]) == 1


async def test_what_is_no_letter_cannot_be_posted(house: House, ama: Browser) -> None:
    await the_case(house)
    (task,) = [each for each in await house.rows(Task) if each.kind == "repair"]
    await ama.get(f"/staff/tasks/{task.id}/letter")
    assert ama.status == 404
    await ama.get("/staff")
    await ama.post(f"/staff/tasks/{task.id}/posted")
    assert ama.status == 409


# --- on the case


async def test_a_case_is_given_to_a_colleague_and_to_a_team(house: House, ama: Browser) -> None:
    case = await the_case(house)
    await house.hire("Ben Okoro")
    page = await ama.get(f"/staff/conversations/{case.conversation_id}")
    ben = await house.staff("ben@example.org")
    assert f'value="staff:{ben.id}"' in page
    await ama.post(f"/staff/cases/{case.id}/assign", conversation=case.conversation_id, to=f"staff:{ben.id}")
    assert (await house.rows(Case))[0].owner_id == ben.id
    await ama.post(f"/staff/cases/{case.id}/assign", conversation=case.conversation_id, to="team:housing")
    given = (await house.rows(Case))[0]
    assert (given.owner_id, given.team) == (None, house.office.policy.team("service_request", "home_visit").label)
    await ama.post(f"/staff/cases/{case.id}/assign", conversation=case.conversation_id, to="staff:nobody")
    assert ama.status == 409


async def test_an_answer_to_a_survey_is_taken_down_and_shown(house: House, ama: Browser) -> None:
    case, now = await the_case(house), house.clock.now()

    def finish(session: Session) -> None:
        me = accounts.find(session, "ama@example.org")
        milestone.reached(session, house.office, session.get_one(Case, case.id), "completed", me, now=now)

    await house.store.run(finish)
    page = await ama.get(f"/staff/conversations/{case.conversation_id}")
    assert "The tenant will be asked how it went." in page
    await ama.post(f"/staff/cases/{case.id}/survey", conversation=case.conversation_id, score="", what="")
    assert ama.said() == "Choose how happy they are."
    page = await ama.post(
        f"/staff/cases/{case.id}/survey", conversation=case.conversation_id, score="2", what="Left a mess"
    )
    assert re.search(r"2 of 5: unhappy \(.*taken down by Ama Mensah\)", page)
    assert "Left a mess" in page
    assert "Unhappy with a repair" in page
    (survey,) = await house.rows(Survey)
    assert survey.state == "answered"


async def test_a_reply_puts_the_update_off_only_if_it_is_ticked_as_news(house: House, ama: Browser) -> None:
    case = await the_case(house)
    page = await ama.get(f"/staff/conversations/{case.conversation_id}")
    await ama.post(f"/staff/conversations/{case.conversation_id}/take-over", holder="bot")
    page = await ama.get(f"/staff/conversations/{case.conversation_id}")
    assert f'name="news" value="{case.id}"' in page
    assert "unless you write news first" in page
    await ama.post(f"/staff/conversations/{case.conversation_id}/reply", text="Thanks, bye", form="1")
    await ama.post(f"/staff/conversations/{case.conversation_id}/reply", text="He comes Monday", form="2", news=case.id)
    await ama.post(f"/staff/conversations/{case.conversation_id}/reply", text="Not hers", form="3", news="x" * 32)
    said = [
        each.detail["news_of"] for each in await house.rows(Message) if each.author == "staff" and each.kind == "staff"
    ]
    assert said == [[], [case.id], []]


async def test_an_emergency_that_nobody_has_taken_cannot_be_closed(house: House, ama: Browser) -> None:
    await house.tenant_says("i smell gas")
    (case,) = await house.rows(Case)
    await ama.get(f"/staff/conversations/{case.conversation_id}")
    await ama.post(f"/staff/cases/{case.id}/close", conversation=case.conversation_id, outcome="Done")
    assert "Nobody has taken this emergency yet" in ama.said()

    def by_hand(session: Session) -> None:
        me = session.exec(select(Staff)).one()
        cases.close(session, house.office, session.get_one(Case, case.id), "Done", me, now=house.clock.now())

    with pytest.raises(Exception, match="Nobody has taken"):
        await house.store.run(by_hand)
