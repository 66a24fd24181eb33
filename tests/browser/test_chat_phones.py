"""The phone simulator in a real browser, against the real stand-ins and a bot that only echoes."""

from shutil import which

import pytest
from playwright.async_api import async_playwright, expect
from unit.webchat.test_phone_simulator import Desk

CHROMIUM = next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.browser


async def test_a_developer_plays_a_tenant_on_both_phones():
    desk = await Desk().start()
    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page()
        faults = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.goto(desk.url + "/dev/phone")
        texts, telegram = (
            page.get_by_role("log", name="Text messages"),
            page.get_by_role("log", name="Telegram messages"),
        )

        await page.fill("#sms-text", "€" * 81)
        await expect(page.locator("#sms-counter")).to_have_text("162/306 · 2 segments")
        await page.fill("#sms-text", "it – drips")
        await expect(page.locator("#sms-counter")).to_have_text("10/70 · 1 segment · Unicode")
        await page.fill("#sms-text", "my tap drips")
        await page.press("#sms-text", "Enter")
        await expect(texts.locator(".bubble")).to_have_text(["my tap drips", "You said: my tap drips"])
        await expect(texts.locator(".meta").first).to_contain_text("taken")

        await page.click("#as-whatsapp")
        await expect(texts).to_contain_text("Write to the landlord")
        await page.click("#as-sms")
        await page.get_by_role("button", name="New phone").first.click()
        await expect(texts).to_contain_text("Write to the landlord")

        await page.fill("#chat", "555000111")
        await page.press("#chat", "Tab")
        await page.click("#start")
        await telegram.get_by_role("button", name="Yes").click()
        await page.click("#block")
        await expect(page.locator("#telegram-state")).to_have_text("blocked")
        kinds = [next(key for key in heard[2] if key != "update_id") for heard in desk.heard if heard[0] == "telegram"]
        assert kinds == ["message", "callback_query", "my_chat_member"]
        assert faults == []
        await browser.close()
    await desk.stop()
