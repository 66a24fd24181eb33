"""Can staff work? The console in a real browser: live, by keyboard, on a desk and on a phone."""

import os
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import chromium_program
from playwright.async_api import Browser, Page, async_playwright, expect
from unit.console.house import House, open_house

pytestmark = pytest.mark.browser

DESK = {"width": 1280, "height": 800}
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


async def enter(house: House, page: Page, name: str = "Ama Mensah") -> None:
    """Sign in as a new member of staff does: by the one-time link."""
    await page.goto(str(house.client.make_url(f"/staff/welcome/{await house.hire(name)}")))
    await page.get_by_label("Password").fill("correct horse battery")
    await page.get_by_role("button", name="Save and sign in").click()
    await expect(page.locator("body")).to_have_attribute("data-live", "yes")


async def open_conversation(page: Page, who: str = "+447700900123") -> None:
    await page.locator(".line", has_text=who).get_by_role("link").click()
    await expect(page.get_by_role("heading", level=1, name=who)).to_be_visible()
    await expect(page.locator("body")).to_have_attribute("data-live", "yes")


async def picture(page: Page, name: str) -> None:
    """For people to look at: written where DOORSTEP_PICTURES points, if it does."""
    if folder := os.environ.get("DOORSTEP_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png")


async def test_a_conversation_arrives_live_is_taken_over_answered_and_handed_back(house: House, page: Page):
    await enter(house, page)
    await expect(page.get_by_text("No conversations yet.")).to_be_visible()

    await house.tenant_says("my kitchen tap is dripping all night")
    await open_conversation(page)
    await expect(page.get_by_text("The bot is answering.")).to_be_visible()
    await picture(page, "bot_answering")
    await page.get_by_role("region", name="Who is answering").get_by_role("button", name="Take over").click()
    await expect(page.get_by_text("You are answering.")).to_be_visible()
    await expect(page.get_by_role("textbox")).to_be_focused()

    await page.keyboard.type("A plumber comes on Tuesday morning.")
    await house.tenant_says("are you there?")
    await expect(page.get_by_role("log").get_by_text("are you there?")).to_be_visible()
    await expect(page.get_by_role("textbox")).to_have_value("A plumber comes on Tuesday morning.")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("log").get_by_text("A plumber comes on Tuesday morning.")).to_be_visible()
    await expect(page.get_by_role("textbox")).to_have_value("")
    await picture(page, "you_are_answering")

    await page.get_by_role("button", name="Hand back to the bot").click()
    await expect(page.get_by_text("The bot is answering.")).to_be_visible()


async def test_an_emergency_appears_at_once_on_a_page_that_shows_something_else(house: House, page: Page):
    await enter(house, page)
    await house.tenant_says("my tap is dripping")
    await open_conversation(page)
    await page.get_by_role("textbox").fill("half a thought")

    await house.tenant_says("i smell gas in the hall", address="+447700900456")

    alarm = page.get_by_role("region", name="Emergencies and people at risk").get_by_role("link")
    await expect(alarm).to_contain_text("Emergency: a smell of gas")
    await expect(page).to_have_title(re.compile(r"^\(1!\)"))
    await expect(page.get_by_role("textbox")).to_have_value("half a thought")
    await alarm.click()
    await expect(page.get_by_text("Danger to life: a smell of gas")).to_be_visible()
    await picture(page, "emergency")


async def test_a_draft_outlives_going_to_another_conversation_and_back(house: House, page: Page):
    await enter(house, page)
    await house.tenant_says("my tap is dripping")
    await house.tenant_says("another tap", address="+447700900456")
    await open_conversation(page)
    await page.get_by_role("textbox").fill("half a thought")

    await open_conversation(page, "+447700900456")
    await expect(page.get_by_role("textbox")).to_have_value("")
    await open_conversation(page)

    await expect(page.get_by_role("textbox")).to_have_value("half a thought")


async def test_two_members_of_staff_see_who_has_it_and_only_one_can_reply(house: House, page: Page, chromium: Browser):
    await enter(house, page)
    await house.tenant_says("my tap is dripping")
    await open_conversation(page)
    context = await chromium.new_context(viewport=DESK)
    other = await context.new_page()
    await enter(house, other, "Ben Okoro")
    await open_conversation(other)

    await page.get_by_role("region", name="Who is answering").get_by_role("button", name="Take over").click()

    await expect(other.get_by_text("Ama Mensah is answering.")).to_be_visible()
    await expect(other.get_by_role("button", name="Take over from Ama Mensah")).to_be_visible()
    await expect(other.get_by_role("button", name="Send")).to_have_count(0)
    await other.get_by_role("textbox").fill("me too")
    await other.keyboard.press("Control+Enter")
    await expect(other.get_by_role("alert").get_by_text("Take over before you send")).to_be_visible()
    await context.close()


async def test_single_keys_move_through_the_list_and_can_be_switched_off(house: House, page: Page):
    await enter(house, page)
    for number in range(3):
        house.clock.advance(timedelta(minutes=1))
        await house.tenant_says("a tap", address=f"+44770090012{number}")
    await expect(page.locator(".line")).to_have_count(3)

    await page.keyboard.press("j")
    await expect(page.get_by_role("heading", level=1)).to_have_text("+447700900122")
    await page.keyboard.press("j")
    await expect(page.get_by_role("heading", level=1)).to_have_text("+447700900121")
    await page.keyboard.press("k")
    await expect(page.get_by_role("heading", level=1)).to_have_text("+447700900122")
    await page.keyboard.press("?")
    await page.get_by_label("Single keys are on").uncheck()
    await page.get_by_role("button", name="Close").click()
    await page.keyboard.press("j")

    await expect(page.get_by_role("heading", level=1)).to_have_text("+447700900122")


async def test_a_tenants_markup_is_text_and_runs_nothing(house: House, page: Page):
    await enter(house, page)
    await house.tenant_says("<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script> gas")
    await open_conversation(page)

    await expect(page.get_by_role("log").get_by_text("<script>document.title='owned'</script>")).to_be_visible()
    assert "owned" not in await page.title()


async def test_on_a_phone_everything_is_in_one_column_and_nothing_is_cut_off(house: House, page: Page):
    await page.set_viewport_size(PHONE)
    house.banners.append("The emergency number has not been verified. Tenants in danger get the national numbers only.")
    await enter(house, page)
    await house.tenant_says("i smell gas in the hall, what do i do")
    await house.tenant_says("a tap as well", address="+447700900456")
    await expect(page.locator(".line")).to_have_count(2)
    await picture(page, "phone_list")
    await page.locator(".line", has_text="+447700900123").get_by_role("link").click()
    await expect(page.get_by_text("The bot is answering.")).to_be_visible()
    await picture(page, "phone_conversation")

    for width in (390, 320):
        await page.set_viewport_size({"width": width, "height": 844})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.get_by_role("region", name="Who is answering").get_by_role("button", name="Take over").click()
    await page.get_by_role("textbox").fill("Please ring the number now.")
    await page.get_by_role("button", name="Send").click()

    await expect(page.get_by_role("log").get_by_text("Please ring the number now.")).to_be_visible()


async def test_without_javascript_staff_can_still_read_and_reply(house: House, chromium: Browser):
    await house.tenant_says("my tap is dripping")
    context = await chromium.new_context(viewport=DESK, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(str(house.client.make_url(f"/staff/welcome/{await house.hire()}")))
    await page.locator("input[type=password]").fill("correct horse battery")
    await page.locator("button", has_text="Save and sign in").click()
    await page.locator(".line a").click()
    await page.locator("#take-over button").click()
    await page.locator("#text").fill("Written without scripts.")
    await page.locator("#composer button", has_text="Send").click()

    assert "Written without scripts." in await page.locator("#log").inner_text()
    await context.close()


async def test_words_in_a_form_of_the_case_stay_while_the_case_changes_and_go_once_it_is_sent(house: House, page: Page):
    await enter(house, page)
    await house.tenant_says("my tap is dripping")
    await open_conversation(page)
    side = page.get_by_role("complementary", name="Case and tasks")
    await side.get_by_text("Close the case").click()
    await side.get_by_label("What came of it").fill("A new washer is in.")
    news = side.locator("details", has=page.get_by_text("Tell the tenant how it is going")).last
    await news.get_by_text("Tell the tenant how it is going").click()
    await news.get_by_label("What has happened").fill("The part is on order.")
    await news.get_by_role("button", name="Send the update").click()

    await expect(page.get_by_role("log").get_by_text("The part is on order.")).to_be_visible()
    await expect(side.get_by_label("What came of it")).to_have_value("A new washer is in.")
    await expect(news.get_by_label("What has happened")).to_be_hidden()
    await side.get_by_role("button", name="Close it and tell the tenant").click()

    await expect(side.get_by_text("Told at the end:")).to_be_visible()
    await expect(page.get_by_role("log").get_by_text("A new washer is in.")).to_be_visible()


async def test_a_case_is_closed_without_javascript_and_a_refusal_keeps_the_words(house: House, chromium: Browser):
    await house.tenant_says("i smell gas")
    context = await chromium.new_context(viewport=PHONE, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(str(house.client.make_url(f"/staff/welcome/{await house.hire()}")))
    await page.locator("input[type=password]").fill("correct horse battery")
    await page.locator("button", has_text="Save and sign in").click()
    await page.locator(".line a").click()
    await page.locator("summary", has_text="Close the case").click()
    await page.locator("textarea[name=outcome]").fill("The gas engineer made it safe.")
    await page.locator("button", has_text="Close it and tell the tenant").click()

    assert "Nobody has taken this emergency yet." in await page.locator(".work .error").inner_text()
    assert await page.locator("textarea[name=outcome]").input_value() == "The gas engineer made it safe."
    await page.locator("button", has_text="I take it").click()
    await page.locator("summary", has_text="Close the case").click()
    await page.locator("textarea[name=outcome]").fill("The gas engineer made it safe.")
    await page.locator("button", has_text="Close it and tell the tenant").click()
    assert "The gas engineer made it safe." in await page.locator(".told").inner_text()
    await context.close()


@pytest.mark.parametrize(("name", "title"), [("policy", "What we promise"), ("reports", "Promises and results")])
async def test_every_page_of_the_bar_fits_a_desk_and_a_phone(house: House, page: Page, name: str, title: str):
    await house.tenant_says("my tap is dripping")
    house.clock.advance(timedelta(days=40))  # promises are over: there are figures to show
    await enter(house, page)
    await page.get_by_role("navigation", name="Pages").locator(f'[href="/staff/{name}"]').click()
    await expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()

    for width in (1280, 390, 320):
        await page.set_viewport_size({"width": width, "height": 844})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await picture(page, f"{name}_{width}")


async def test_a_task_that_a_form_answers_leads_to_the_form(house: House, page: Page):
    await enter(house, page)
    await house.tenant_says("my tap is dripping")
    await open_conversation(page)
    case = page.get_by_role("group", name=re.compile("^Work on R-"))
    fragment = await case.locator("details").first.get_attribute("id")

    await page.goto(f"{page.url}#{fragment}")
    await page.reload()

    await expect(case.get_by_label("What has happened")).to_be_visible()
