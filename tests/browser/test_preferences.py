"""How a person may be reached, a letter to print, news to tick, and the page of a survey: in a real browser."""

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from conftest import chromium_program
from playwright.async_api import Browser, Page, async_playwright, expect
from prometheus_client import CollectorRegistry
from sqlmodel import Session, select
from unit.console.house import House, ScriptedTriage, open_house

from bot.desk import milestone, reach
from bot.handover.pages import Pages
from bot.links import Links
from bot.messages import Say
from bot.store.tables import Case, Clock, Contact, Conversation, Staff, Survey
from bot.surveys import PURPOSE, SurveyPage, Surveys
from bot.web import application

pytestmark = pytest.mark.browser

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_program(), args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def page(chromium: Browser) -> AsyncIterator[Page]:
    """A page that fails its test if a script fails or the browser refuses something (CSP included)."""
    context = await chromium.new_context(viewport=DESK)
    opened = await context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    yield opened
    await context.close()
    assert [each for each in faults if "409" not in each] == []


async def enter(house: House, page: Page) -> None:
    await page.goto(str(house.client.make_url(f"/staff/welcome/{await house.hire()}")))
    await page.get_by_label("Password").fill("correct horse battery")
    await page.get_by_role("button", name="Save and sign in").click()
    await expect(page.locator("body")).to_have_attribute("data-live", "yes")


async def picture(page: Page, name: str) -> None:
    """For people to look at: written where DOORSTEP_PICTURES points, if it does."""
    if folder := os.environ.get("DOORSTEP_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png", full_page=True)


async def the_case(house: House) -> Case:
    await house.tenant_says("my kitchen tap is dripping")
    (case,) = await house.rows(Case)
    return case


async def test_a_person_is_made_safe_to_reach_and_everybody_who_writes_to_them_sees_it(house: House, page: Page):
    case = await the_case(house)
    await enter(house, page)
    await page.goto(str(house.client.make_url(f"/staff/conversations/{case.conversation_id}")))
    await page.get_by_role("link", name="How to reach them").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("How to reach +447700900123")
    await page.get_by_label("Letters and papers").select_option("Large print")
    await page.get_by_role("group", name="Safe hours").get_by_label("from").fill("12:00")
    await page.get_by_role("group", name="Safe hours").get_by_label("to", exact=True).fill("13:30")
    await page.get_by_role("group", name="Never by").get_by_label("Telephone").check()
    await page.get_by_label("How to reach them safely").fill("Only at work, ask for Sam.")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").get_by_text("Saved.")).to_be_visible()
    await expect(page.get_by_role("group", name="Safe hours").get_by_label("from")).to_have_value("12:00")
    await picture(page, "person")
    await page.set_viewport_size(PHONE)
    await picture(page, "person_phone")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing to scroll sideways"
    await page.set_viewport_size(DESK)
    await page.goto(str(house.client.make_url(f"/staff/conversations/{case.conversation_id}")))
    await expect(page.get_by_role("alert").get_by_text("Not safe to write to them now.")).to_be_visible()
    await picture(page, "not_safe_now")


async def test_a_letter_is_read_printed_large_and_marked_as_posted(house: House, page: Page):
    case, now = await the_case(house), house.clock.now()

    def work(session: Session) -> str:
        contact = session.get_one(Contact, case.contact_id)
        contact.preferred_channel, contact.home_address, contact.name = "letter", "14 High Street, Duns", "Sam Taylor"
        session.add(contact)
        clock = session.exec(select(Clock).where(Clock.case_id == case.id, Clock.commitment == "progress_update")).one()
        says = [Say("utter_update", {
            "reference": case.reference, "summary": case.summary, "what": "The joiner is ill.", "reason": "There is no other.",
            "next_step": "We ring you on Thursday.", "expected": None,
        })]  # fmt: skip
        sent = reach.send(
            session, house.office, contact, session.get_one(Case, case.id), says, kind="update", about={"clocks": [clock.id]},
            once="test", now=now, due=clock.due_at,
        )  # fmt: skip
        assert sent.task is not None
        return sent.task.id

    task = await house.store.run(work)
    await enter(house, page)
    await page.goto(str(house.client.make_url("/staff")))
    await page.get_by_role("link", name="Print a letter").click()
    letter = page.get_by_role("main")
    await expect(letter.get_by_text("Dear Sam Taylor")).to_be_visible()
    await expect(page.get_by_role("button", name="Print", exact=True)).to_be_visible()
    await picture(page, "letter")
    usual = await letter.evaluate("each => parseFloat(getComputedStyle(each).fontSize)")
    await page.get_by_role("link", name="Large print").click()
    large = await letter.evaluate("each => parseFloat(getComputedStyle(each).fontSize)")
    assert (round(usual * 0.75), round(large * 0.75)) == (12, 18), "points"
    await picture(page, "letter_large")
    await page.emulate_media(media="print")
    await expect(page.get_by_role("button", name="I have posted it")).to_be_hidden()
    await expect(letter.get_by_text("The joiner is ill.")).to_be_visible()
    if folder := os.environ.get("DOORSTEP_PICTURES"):
        await page.pdf(path=f"{folder}/letter.pdf", prefer_css_page_size=True)
    await page.emulate_media(media="screen")
    await page.get_by_role("button", name="I have posted it").click()
    await expect(page.get_by_role("status").get_by_text("by Ama Mensah")).to_be_visible()
    assert f"/staff/tasks/{task}/letter" in page.url


async def test_more_than_a_few_words_are_taken_for_news_until_somebody_says_otherwise(house: House, page: Page):
    case = await the_case(house)
    await enter(house, page)
    await page.goto(str(house.client.make_url(f"/staff/conversations/{case.conversation_id}")))
    await page.get_by_role("region", name="Who is answering").get_by_role("button", name="Take over").click()
    await expect(page.get_by_text("unless you write news first")).to_be_visible()
    news = page.get_by_label(f"News on {case.reference}")
    await page.get_by_role("textbox").first.fill("Thanks, bye")
    await expect(news).not_to_be_checked()
    await page.get_by_role("textbox").first.fill("The plumber has the part and comes on Monday morning at nine.")
    await expect(news).to_be_checked()
    await picture(page, "news")
    await news.uncheck()
    await page.get_by_role("textbox").first.press_sequentially(" Sorry for the wait.")
    await expect(news).not_to_be_checked()


async def test_the_page_of_a_survey_is_used_with_the_keyboard_on_a_phone(house: House, chromium: Browser):
    case = await the_case(house)
    links = Links("k" * 40, "http://unused", house.clock)
    surveys = Surveys(house.store, house.office, links, house.clock, lambda _: None)
    refusing = Pages(house.store, house.office, None, links, house.clock)  # type: ignore[arg-type]
    shown = SurveyPage(house.store, house.office, ScriptedTriage(), house.clock, house.intake.receive, refusing.refusal)  # type: ignore[arg-type]
    links.serve({PURPOSE: shown.serve}, refusal=refusing.refusal)

    def finish(session: Session) -> None:
        me = Staff(id="b" * 32, email="b@example.org", name="Ben Okoro", role="officer", created_at=house.clock.now())
        session.add(me)
        milestone.reached(session, house.office, session.get_one(Case, case.id), "completed", me, now=house.clock.now())
        talk = session.get_one(Conversation, case.conversation_id)
        talk.last_inbound_at = house.clock.now() - timedelta(days=1)
        session.add(talk)

    await house.store.run(finish)
    house.clock.advance(timedelta(days=1))
    await surveys.sweep()
    (survey,) = await house.rows(Survey)

    async def ready() -> dict[str, bool]:
        return {"database": True}

    app = application([*links.routes(), *refusing.routes()], ready=ready, figures=CollectorRegistry())
    async with TestClient(TestServer(app)) as client:
        context = await chromium.new_context(viewport=PHONE)
        page = await context.new_page()
        token = links.token(PURPOSE, survey.id, house.clock.now() + timedelta(days=1))
        await page.goto(str(client.make_url(f"/u/{token}")))
        await expect(page.get_by_role("heading", level=1)).to_have_text("How did the repair go?")
        await expect(page.get_by_role("group")).to_contain_text(case.reference)
        await picture(page, "survey")
        await page.keyboard.press("Tab")
        await page.keyboard.press("ArrowDown")
        await page.get_by_label("What went well").fill("tidy work")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_role("status")).to_contain_text("Your answer was: happy.")
        await picture(page, "survey_answered")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await context.close()
    (survey,) = await house.rows(Survey)
    assert (survey.score, survey.comment) == (4, "tidy work")
