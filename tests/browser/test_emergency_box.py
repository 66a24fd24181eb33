"""An emergency in the console, in a real browser: taken, attended, made safe, called off; photos looked at."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conftest import chromium_program
from playwright.async_api import Locator, Page, async_playwright, expect
from unit.console.house import House, open_house

from bot.store.tables import Case, Handover
from tests.browser.pictures import fits, picture, png

pytestmark = pytest.mark.browser

TILES = png(320, 240, (120, 150, 170), (60, 80, 95), (150, 110, 80))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page that fails its test if a script fails or the browser refuses something."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_program(), args=["--no-sandbox"])
        opened = await browser.new_page(viewport={"width": 1280, "height": 900})
        faults: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        yield opened
        await browser.close()
        assert [each for each in faults if "409" not in each] == []


async def enter(house: House, page: Page, path: str) -> None:
    await page.goto(str(house.client.make_url(f"/staff/welcome/{await house.hire()}")))
    await page.get_by_label("Password").fill("correct horse battery")
    await page.get_by_role("button", name="Save and sign in").click()
    await expect(page.locator("body")).to_have_attribute("data-live", "yes")
    await page.goto(str(house.client.make_url(path)))
    await expect(page.locator("body")).to_have_attribute("data-live", "yes")


async def emergency(house: House, page: Page) -> Locator:
    """Somebody signed in before an emergency: the box that says who has it."""
    talk = (await house.tenant_says("i smell gas in the hall")).conversation_id
    await enter(house, page, f"/staff/conversations/{talk}")
    return page.get_by_role("region", name="Who has this emergency")


async def state(house: House) -> str:
    (handover,) = await house.rows(Handover)
    return handover.state


async def test_an_emergency_is_taken_then_attended_then_made_safe(house: House, page: Page):
    box = await emergency(house, page)
    await expect(box).to_contain_text("Nobody has taken it yet")
    await picture(page, "box_waiting")

    await box.get_by_role("button", name=re.compile("^I take R-")).click()
    await expect(box).to_contain_text("Taken: Ama Mensah")
    assert await state(house) == "taken"
    await expect(page.get_by_role("log")).to_contain_text("has your emergency now")
    await picture(page, "box_taken")

    await box.get_by_role("button", name="Somebody is there").click()
    await expect(box).to_contain_text("Somebody was there")
    (case,) = await house.rows(Case)
    assert (case.attended_at is not None, case.made_safe_at) == (True, None)
    await expect(box.get_by_role("button", name="Somebody is there")).to_have_count(0)

    await box.get_by_role("button", name="It is safe now").click()
    await expect(box).to_contain_text("safe 10am")
    (case,) = await house.rows(Case)
    assert case.made_safe_at is not None
    await expect(box.get_by_role("button")).to_have_count(0)
    await picture(page, "box_safe")


async def test_safe_at_once_is_attended_as_well(house: House, page: Page):
    box = await emergency(house, page)
    await box.get_by_role("button", name=re.compile("^I take R-")).click()
    await box.get_by_role("button", name="It is safe now").click()
    await expect(box).to_contain_text("safe 10am")
    (case,) = await house.rows(Case)
    assert case.attended_at is not None
    assert case.made_safe_at is not None


async def test_calling_off_needs_a_reason_that_the_tenant_is_told(house: House, page: Page):
    box = await emergency(house, page)
    await box.get_by_text("Call it off", exact=True).click()
    await box.get_by_label(re.compile("^Why")).fill("It was the neighbour's barbecue.")
    await picture(page, "box_calling_off")
    await box.get_by_role("button", name="Call it off and tell the tenant").click()

    await expect(box).to_contain_text("Called off")
    await expect(page.get_by_role("log")).to_contain_text("Why: It was the neighbour's barbecue.")
    assert await state(house) == "stood_down"
    await expect(box.get_by_role("button")).to_have_count(0)
    await picture(page, "box_called_off")


async def test_calling_off_without_a_reason_changes_nothing(house: House, page: Page):
    box = await emergency(house, page)
    await box.get_by_text("Call it off", exact=True).click()
    await box.get_by_label(re.compile("^Why")).fill("   ")
    await box.get_by_role("button", name="Call it off and tell the tenant").click()
    await expect(page.get_by_role("alert")).to_contain_text("Write down why")
    assert await state(house) == "waiting"


async def test_the_task_leads_to_the_photo_which_is_shown_and_fits_a_phone(house: House, page: Page):
    for number in range(12):
        await house.tenant_says(f"hello {number}")
    await house.tenant_sends(TILES, "image/png")
    await house.tenant_sends(b"OggS\0\2" + bytes(4000), "audio/ogg", text="and I said this")
    await house.tenant_sends(b"%PDF-1.7" + bytes(4000), "application/pdf")
    for number in range(12):
        await house.tenant_says(f"are you there {number}")
    await enter(house, page, "/staff")
    await page.get_by_role("link", name="Look at it").first.click()

    photo = page.get_by_role("img", name=re.compile("^Photo from the tenant"))
    await expect(photo).to_be_in_viewport()
    assert await photo.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
    await expect(page.get_by_label(re.compile("^Voice note from the tenant"))).to_be_visible()
    await expect(page.get_by_text("Document (PDF), 3 kB")).to_be_visible()
    await picture(page, "photo_in_conversation")
    await fits(page, 390, 320)
    await photo.scroll_into_view_if_needed()
    await picture(page, "photo_on_a_phone")
