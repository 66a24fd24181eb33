"""What signed links open, in a real browser: an emergency to take, photos to send; and the telephones of `/dev/phone`."""

import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from conftest import chromium_program
from playwright.async_api import Browser, Page, async_playwright, expect

from bot.dev import phone
from bot.dev.standins import Server
from bot.dev.standins.telegram import TelegramStandIn
from bot.store.tables import Attachment, TenantCall
from tests.browser.pictures import fits, picture, png
from tests.unit.handover.conftest import (  # noqa: F401 - fixtures
    FLOOD,
    LINE,
    LINE_TEXT,
    TENANT,
    Night,
    database,
    knowledge,
    night,
    routes_to_line,
    rungs,
    starting_at,
)

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
WALL = png(400, 300, (200, 190, 170), (120, 90, 60))


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_program(), args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def old_phone(chromium: Browser) -> AsyncIterator[Page]:
    """A telephone that runs no scripts."""
    context = await chromium.new_context(viewport=PHONE, java_script_enabled=False)
    yield await context.new_page()
    await context.close()


async def link_in(texts: list[str]) -> str:
    found = re.search(r"http\S+/u/\S+", "\n".join(texts))
    assert found is not None, texts
    return found[0]


async def test_opening_the_link_does_not_take_an_emergency_and_pressing_the_button_does(night: Night, old_phone: Page):  # noqa: F811
    await night.text(FLOOD)
    await night.pass_time(minutes=1.5)
    link = await link_in(await night.texts(LINE_TEXT))

    for _ in range(2):
        await old_phone.goto(link)
    assert (await night.handover()).state == "waiting"
    await expect(old_phone.locator("h1")).to_contain_text("Emergency R-")
    await picture(old_phone, "signed_waiting")

    await old_phone.get_by_label("Your name").fill("Sam Reid")
    await old_phone.get_by_role("button", name="I take it").click()
    handover = await night.handover()
    assert (handover.state, handover.how) == ("taken", "link")
    await expect(old_phone.locator("main")).to_contain_text("has this")
    await picture(old_phone, "signed_taken")

    await old_phone.get_by_role("button", name="Somebody is there").click()
    assert (await night.case()).attended_at is not None
    assert (await night.case()).made_safe_at is None
    await old_phone.get_by_role("button", name="It is safe now").click()
    assert (await night.case()).made_safe_at is not None
    await expect(old_phone.get_by_role("button")).to_have_count(0)
    await picture(old_phone, "signed_safe")


async def test_photos_are_sent_from_a_phone_without_scripts(night: Night, old_phone: Page):  # noqa: F811
    await night.text(FLOOD)
    case = await night.case()
    link = night.doorstep.intake.photo_link(case.id, night.clock.now())
    assert link is not None
    await old_phone.goto(link)
    await expect(old_phone.get_by_role("heading", level=1, name="Send photos")).to_be_visible()
    await picture(old_phone, "upload_empty")
    chosen = old_phone.get_by_label("Your photos")

    await chosen.set_input_files([{"name": "leak.mov", "mimeType": "video/quicktime", "buffer": b"\0\0\0\x14ftypqt  "}])
    await old_phone.get_by_role("button", name="Send").click()
    await expect(old_phone.get_by_role("alert")).to_contain_text("We could not take leak.mov.")
    assert (await old_phone.title()).startswith("Not sent: ")
    await picture(old_phone, "upload_refused")

    files = [{"name": f"{n}.png", "mimeType": "image/png", "buffer": WALL + bytes([n])} for n in range(2)]
    await chosen.set_input_files(files)
    await old_phone.get_by_role("button", name="Send").click()
    await expect(old_phone.get_by_role("status")).to_contain_text("We have what you sent: 2 in all.")
    await picture(old_phone, "upload_done")
    await old_phone.reload()
    assert [each.kind for each in await night.rows(Attachment)] == ["image/png"] * 2


async def test_the_photo_page_fits_narrow_and_wide_screens(night: Night, chromium: Browser):  # noqa: F811
    await night.text(FLOOD)
    page = await chromium.new_page()
    await page.goto(night.doorstep.intake.photo_link((await night.case()).id, night.clock.now()) or "")
    await fits(page, 320, 390, 1280)
    assert await page.evaluate("document.querySelector('input[type=file]').getBoundingClientRect().height") >= 44
    await page.close()


# --- calls on the page of telephones


@pytest.fixture
async def telephones(night: Night, chromium: Browser) -> AsyncIterator[Page]:  # noqa: F811
    """`/dev/phone`, where somebody answers the calls."""
    night.twilio.by_hand = True
    telegram = TelegramStandIn(night.doorstep.settings, night.clock.now)
    application = web.Application()
    application.add_routes(phone.routes(night.twilio, telegram))
    server = Server(application)
    page = await chromium.new_page(viewport={"width": 1400, "height": 950})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    await page.goto(await server.start() + "/dev/phone")
    yield page
    await page.close()
    await server.close()
    assert faults == []


async def test_the_call_to_the_line_rings_is_heard_and_taken_by_a_key(night: Night, telephones: Page):  # noqa: F811
    await expect(telephones.get_by_text("Nobody has been rung yet.")).to_be_visible()
    await night.twilio.text_in(TENANT, FLOOD)
    await night.doorstep.handovers.settle()

    await expect(telephones.locator("#call-to")).to_have_text(LINE)
    await expect(telephones.locator("#call-state")).to_have_text("ringing…")
    await picture(telephones, "calls_ringing")
    await telephones.get_by_role("button", name="Answer", exact=True).click()
    said = telephones.get_by_role("log", name="What is said in the call")
    await expect(said).to_contain_text("with an emergency from a tenant")
    await expect(said).to_contain_text("To take it, press 1.")
    await expect(telephones.locator("#call-state")).to_have_text("press a key")
    await picture(telephones, "calls_talking")
    await telephones.get_by_role("button", name="1", exact=True).click()
    await expect(said).to_contain_text("It is yours now.")
    await expect(telephones.locator("#call-state")).to_have_text("ended")
    assert (await night.handover()).how == "call"
    await fits(telephones, 390)
    await picture(telephones, "calls_narrow", whole=True)


async def test_a_call_that_is_turned_away_goes_on_to_the_next_route(night: Night, telephones: Page):  # noqa: F811
    await night.twilio.text_in(TENANT, FLOOD)
    await night.doorstep.handovers.settle()
    await telephones.get_by_role("button", name="Decline").click()
    await expect(telephones.locator("#call-state")).to_have_text("turned away")
    await night.doorstep.handovers.settle()
    assert (await night.attempts())[:2] == [("24-hour line", "call", "busy"), ("24-hour line", "text", "sent")]


async def test_the_advice_to_somebody_who_takes_no_messages_is_heard_and_the_phone_put_down(
    night: Night,  # noqa: F811
    telephones: Page,
):
    for words in ("hello", "STOP", "i can smell gas in my kitchen"):
        await night.twilio.text_in(TENANT, words)
    await night.doorstep.calls.settle()
    await expect(telephones.locator("#call-to")).to_have_text(TENANT)
    await telephones.get_by_role("button", name="Answer", exact=True).click()
    await expect(telephones.get_by_role("log", name="What is said in the call")).to_contain_text("0800 111 999")
    await picture(telephones, "calls_advice")
    await telephones.get_by_role("button", name="Hang up").click()
    # Now the 24-hour line is rung, and the call before stands below.
    await expect(telephones.get_by_role("list", name="Calls before")).to_contain_text(f"{TENANT}: ended")
    (call,) = await night.rows(TenantCall)
    assert call.state == "answered"
