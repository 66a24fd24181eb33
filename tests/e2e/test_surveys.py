"""How a repair went: asked once, at a decent hour, where it does no harm; answered by a digit, a button or a page."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session

from bot.desk import case as cases
from bot.desk import conversation as desk
from bot.desk import milestone
from bot.desk import preference as preferences
from bot.desk.preference import Wishes
from bot.dialogue import active_form
from bot.messages import OpenCase
from bot.reports import evidence_pack, gather
from bot.store import conversations
from bot.store.tables import Case, Contact, Conversation, Message, Staff, Survey
from tests.e2e.conftest import CHAT, TENANT, World

TUESDAY_MORNING = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.fixture
def policy() -> str:
    return "east_lothian"


async def run(world: World, work: Callable[[Session], Any]) -> Any:
    return await world.doorstep.store.run(work)


def officer(session: Session, world: World) -> Staff:
    return session.merge(Staff(
        id="a" * 32, email="a@example.org", name="Ann Example", job_title="Repairs officer", team="Repairs", role="manager",
        created_at=world.clock.now(),
    ))  # fmt: skip


async def report(
    world: World, *, channel: str = "sms", address: str = TENANT, summary: str = "dripping tap", **details: str
) -> Case:
    """A repair that a tenant reported."""
    now, office = world.clock.now(), world.doorstep.office

    def work(session: Session) -> Case:
        talk, _ = desk.find_or_start(session, office, channel, address, now=now)
        asked = OpenCase("repair", "dripping_tap", "it drips", summary, details=details)
        case = cases.open_case(session, office, talk, asked, received_at=now, now=now)
        conversations.save(session, talk)
        return case

    case = await run(world, work)
    await world.doorstep.outbox.deliver_due()
    return case


async def finish(world: World, case: Case, outcome: str = "completed") -> None:
    now = world.clock.now()
    await run(world, lambda session: milestone.reached(
        session, world.doorstep.office, session.get_one(Case, case.id), outcome, officer(session, world), now=now,
    ))  # fmt: skip


async def wish(world: World, case: Case, **wishes: Any) -> None:
    now = world.clock.now()
    await run(world, lambda session: preferences.prefer(
        session, world.doorstep.office, session.get_one(Contact, case.contact_id), Wishes(**wishes), actor="a" * 32, now=now,
    ))  # fmt: skip


async def at(world: World, moment: datetime) -> list[str]:
    """Time passes; what the tenant's phone gets then."""
    await world.texts()
    world.clock.move_to(moment)
    await world.doorstep.promises.sweep()
    await world.doorstep.surveys.sweep()
    return [*await world.texts(), *await world.texts()]  # one at a time in a conversation


async def the_survey(world: World) -> Survey:
    (found,) = await world.rows(Survey)
    return found


async def asked(world: World, **report_: Any) -> Case:
    case = await report(world, **report_)
    await finish(world, case)
    await at(world, TUESDAY_MORNING)
    return case


def link_in(text: str) -> str:
    found = re.search(r"https?://\S+/u/\S+", text)
    assert found is not None, text
    return found[0]


# --- asked


async def test_on_the_next_working_morning_the_tenant_is_asked_once_and_the_promise_is_kept(world: World) -> None:
    case = await report(world)
    await finish(world, case)
    assert await at(world, TUESDAY_MORNING - timedelta(minutes=1)) == []
    (text,) = await at(world, TUESDAY_MORNING)
    assert case.reference in text
    assert "1 for very unhappy" in text
    assert "5 for very happy" in text
    assert world.base in link_in(text)
    assert (await world.clocks())["repair_survey"].state == "met"
    later = await at(world, TUESDAY_MORNING + timedelta(hours=5))
    assert [each for each in later if "How happy" in each] == []


async def test_closing_the_case_afterwards_asks_no_second_time(world: World) -> None:
    case = await report(world)
    await finish(world, case)
    now = world.clock.now()
    await run(world, lambda session: cases.close(
        session, world.doorstep.office, session.get_one(Case, case.id), "A new washer.", officer(session, world), now=now,
    ))  # fmt: skip
    texts = await at(world, TUESDAY_MORNING)
    assert len(texts) == 1
    assert len(await world.rows(Survey)) == 1


async def test_two_repairs_finished_on_one_day_are_asked_about_in_one_message_and_answered_with_one_digit(
    world: World,
) -> None:
    first, second = await report(world), await report(world, summary="stiff door")
    await finish(world, first)
    await finish(world, second)
    (text,) = await at(world, TUESDAY_MORNING)
    assert first.reference in text
    assert second.reference in text
    await world.text("4")
    assert [each.score for each in await world.rows(Survey)] == [4, 4]
    met = [each for each in await world.rows(type((await world.clocks())["repair_survey"])) if each.state == "met"]
    assert len([each for each in met if each.commitment == "repair_survey"]) == 2


async def test_where_every_repair_is_asked_about_a_second_one_on_the_same_day_is_too(world: World) -> None:
    await asked(world)
    world.clock.advance(timedelta(minutes=90))
    second = await report(world, summary="stiff door")
    await finish(world, second)
    texts = await at(world, TUESDAY_MORNING + timedelta(days=1))
    assert any(second.reference in each and "How happy" in each for each in texts)


@pytest.mark.parametrize("policy", ["berwickshire"])
async def test_where_the_policy_asks_seldom_a_second_repair_within_the_time_is_left_out(world: World) -> None:
    await asked(world)
    second = await report(world, summary="stiff door")
    await finish(world, second)
    assert await at(world, TUESDAY_MORNING + timedelta(days=1)) == []
    left_out = [each for each in await world.rows(Survey) if each.case_id == second.id]
    assert [(each.state, each.reason) for each in left_out] == [("left_out", "asked_lately")]


async def test_a_person_at_risk_is_never_asked_and_the_clock_says_why(world: World) -> None:
    case = await report(world, safe_to_message="no")
    await finish(world, case)
    assert await at(world, TUESDAY_MORNING) == []
    assert (await the_survey(world)).reason == "at_risk"
    clock = (await world.clocks())["repair_survey"]
    assert (clock.state, clock.reason) == ("ended", "Not asked: a message may put this person at risk.")


async def test_nobody_is_asked_after_they_stopped_our_messages(world: World) -> None:
    case = await report(world)
    await finish(world, case)
    await world.text("STOP")
    assert await at(world, TUESDAY_MORNING) == []
    assert (await the_survey(world)).reason == "opted_out"


async def test_who_wants_no_surveys_gets_none(world: World) -> None:
    case = await report(world)
    await wish(world, case, surveys=False)
    await finish(world, case)
    assert await at(world, TUESDAY_MORNING) == []
    assert (await the_survey(world)).reason == "no_surveys"


async def test_who_asked_for_letters_gets_a_letter(world: World) -> None:
    case = await report(world)
    await wish(world, case, preferred_channel="letter")
    await run(world, lambda session: session.add(
        _with_home(session.get_one(Contact, case.contact_id))
    ))  # fmt: skip
    await finish(world, case)
    assert await at(world, TUESDAY_MORNING) == []
    (task,) = [each for each in await world.tasks() if each.kind == "write_about_promise" and "happy" in each.detail]
    assert "very happy, happy, in between" in task.detail
    assert (await the_survey(world)).by == "letter"


def _with_home(contact: Contact) -> Contact:
    contact.home_address = "14 High Street"
    return contact


async def test_it_waits_for_the_hours_in_which_it_is_safe_to_write(world: World) -> None:
    case = await report(world)
    await wish(world, case, safe_from="13:00", safe_until="14:30")
    await finish(world, case)
    assert await at(world, TUESDAY_MORNING) == []
    assert len(await at(world, TUESDAY_MORNING + timedelta(hours=3))) == 1


async def test_nobody_is_asked_in_the_middle_of_a_report_of_something_else(world: World) -> None:
    case = await report(world)
    await finish(world, case)
    world.clock.move_to(TUESDAY_MORNING - timedelta(minutes=5))
    await world.text("my toilet will not flush")
    assert await at(world, TUESDAY_MORNING) == []
    (survey,) = await world.rows(Survey)
    assert survey.act_at == TUESDAY_MORNING + timedelta(hours=1)


async def test_if_no_quiet_moment_comes_before_it_is_due_it_is_asked_without_digits(world: World) -> None:
    case = await report(world)
    await finish(world, case)
    world.clock.move_to(TUESDAY_MORNING + timedelta(hours=6, minutes=30))
    await world.text("my toilet will not flush")
    before = (await world.rows(Conversation))[0].offered
    texts = await at(world, TUESDAY_MORNING + timedelta(hours=6, minutes=31))
    (survey,) = [each for each in texts if "How happy" in each]
    assert "1 for" not in survey
    assert link_in(survey)
    assert (await world.rows(Conversation))[0].offered == before, "a digit means what it meant before"


async def test_who_does_not_answer_is_reminded_once(world: World) -> None:
    await asked(world)
    texts = [text for day in range(1, 20) for text in await at(world, TUESDAY_MORNING + timedelta(days=day))]
    again = [each for each in texts if "We will not ask again" in each]
    assert len(again) == 1


# --- answered


async def test_a_digit_in_reply_is_kept_and_who_is_happy_is_thanked(world: World) -> None:
    case = await asked(world)
    (thanks,) = await world.text("5")
    assert "Thank you" in thanks
    survey = await the_survey(world)
    assert (survey.state, survey.score, survey.answered_by, survey.case_id) == ("answered", 5, "sms", case.id)
    assert [each.kind for each in await world.tasks() if each.kind == "unhappy_with_repair"] == []


async def test_a_digit_days_later_still_answers_where_nothing_was_said_since(world: World) -> None:
    await asked(world)
    world.clock.advance(timedelta(days=3))
    (thanks,) = await world.text("5")
    assert "Thank you" in thanks
    assert (await the_survey(world)).score == 5


async def test_a_digit_after_we_said_something_else_is_no_answer(world: World) -> None:
    await asked(world)
    await world.text("what are your opening hours")
    await world.text("5")
    assert (await the_survey(world)).score is None


async def test_a_digit_that_answers_a_form_stays_that(world: World) -> None:
    await asked(world)
    said = await world.text("my toilet will not flush")
    assert any("1 for" in each for each in said), said
    await world.text("1")
    assert (await the_survey(world)).score is None


async def test_who_is_unhappy_is_told_how_to_complain_and_somebody_looks(world: World) -> None:
    case = await asked(world)
    first, *_ = await world.text("1. it still drips all night")
    assert "We are sorry" in first
    survey = await the_survey(world)
    assert (survey.score, survey.comment) == (1, "it still drips all night")
    (task,) = [each for each in await world.tasks() if each.kind == "unhappy_with_repair"]
    assert (task.case_id, task.role) == (case.id, "owner")


async def test_from_an_unhappy_answer_one_digit_leads_to_a_complaint(world: World) -> None:
    await asked(world)
    (text,) = await world.text("2")
    assert "1 for make a complaint" in text
    said = await world.text("1")
    talk = (await world.rows(Conversation))[-1]
    assert active_form(talk.dialogue) == "complaint_form", said


async def test_danger_in_reply_comes_before_everything(world: World) -> None:
    await asked(world)
    said = await world.text("1, and now i can smell gas")
    assert any("0800 111 999" in each for each in said)
    (emergency,) = [each for each in await world.cases() if each.priority == "emergency"]
    assert emergency.hazard == "gas_leak"


async def test_words_in_reply_are_kept_and_answered_like_any_message(world: World) -> None:
    await asked(world)
    said = await world.text("what are your opening hours")
    assert said
    assert (await the_survey(world)).comment == "what are your opening hours"


async def test_a_button_answers_whenever_it_is_pressed(world: World) -> None:
    await world.telegram.text_in(CHAT, "hello")
    await asked(world, channel="telegram", address=str(CHAT))
    sent = world.telegram.sent_to(CHAT)[-1]
    (survey,) = await world.rows(Survey)
    await world.telegram.text_in(CHAT, "what are your opening hours")
    await world.doorstep.outbox.deliver_due()
    assert await world.telegram.press(CHAT, f"/survey:{survey.id}:4", sent.message_id) == 200
    survey = await the_survey(world)
    assert (survey.score, survey.answered_by) == (4, "telegram")


async def test_a_button_of_somebody_elses_survey_answers_nothing(world: World) -> None:
    await asked(world)
    (survey,) = await world.rows(Survey)
    await world.telegram.text_in(CHAT, "hello")
    await world.doorstep.outbox.deliver_due()
    await world.telegram.press(CHAT, f"/survey:{survey.id}:1", world.telegram.sent_to(CHAT)[-1].message_id)
    assert (await the_survey(world)).score is None


# --- the page


async def page(world: World, case: Case) -> str:
    message = next(each for each in await world.rows(Message) if each.kind == "survey" and each.case_id == case.id)
    return link_in(message.text)


async def test_opening_the_page_changes_nothing_and_sending_it_keeps_the_answer(world: World) -> None:
    case = await asked(world)
    link = await page(world, case)
    async with world.http.get(link) as answer:
        shown = await answer.text()
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert case.reference in shown
    assert (await the_survey(world)).score is None
    async with world.http.post(link, data={"score": "4", "comment": ""}) as answer:
        assert "Your answer was: Happy" in (await answer.text()) or "Your answer was: happy" in (await answer.text())
    survey = await the_survey(world)
    assert (survey.score, survey.answered_by) == (4, "page")


async def test_the_page_wants_an_answer_and_keeps_what_was_written(world: World) -> None:
    link = await page(world, await asked(world))
    async with world.http.post(link, data={"comment": "tidy work"}) as answer:
        assert answer.status == 400
        assert "tidy work" in await answer.text()
    assert (await the_survey(world)).state == "sent"


async def test_danger_written_on_the_page_is_answered_there_and_opens_an_emergency(world: World) -> None:
    link = await page(world, await asked(world))
    async with world.http.post(link, data={"score": "1", "comment": "it smells of gas in the kitchen now"}) as answer:
        assert "0800 111 999" in await answer.text()
    (emergency,) = [each for each in await world.cases() if each.priority == "emergency"]
    assert emergency.hazard == "gas_leak"
    assert any("0800 111 999" in each for each in await world.texts())


async def test_what_is_written_on_the_page_is_taken_in_once_however_often_it_is_sent(world: World) -> None:
    link = await page(world, await asked(world))
    for _ in range(2):
        async with world.http.post(link, data={"score": "5", "comment": "what are your opening hours"}) as answer:
            assert "Our answer goes to the place where we sent you this link" in await answer.text()
    written = [each for each in await world.rows(Message) if each.text == "what are your opening hours"]
    assert len(written) == 1


async def test_a_link_that_is_too_old_or_changed_opens_nothing(world: World) -> None:
    link = await page(world, await asked(world))
    async with world.http.get(link[:-3] + "AAA") as answer:
        assert answer.status == 404
    world.clock.advance(timedelta(days=31))
    async with world.http.post(link, data={"score": "1"}) as answer:
        assert answer.status == 404
    assert (await the_survey(world)).score is None


async def test_the_answer_is_in_the_report_and_in_the_evidence_of_the_case(world: World) -> None:
    case = await asked(world)
    await world.text("5")
    office, now = world.doorstep.office, world.clock.now()
    report_ = await run(world, lambda s: gather(s, office.policy, date(2026, 4, 1), date(2027, 3, 31), now=now))
    indicator = next(each for each in report_.annual if each.number == "12")
    assert (indicator.value, indicator.cases) == (100.0, (case.reference,))
    pack = await run(world, lambda session: evidence_pack(session, office, case.reference, now=now))
    assert "5 of 5" in pack
