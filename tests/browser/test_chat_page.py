"""The chat page and the widget in a real browser, against a real server with a transcript in memory."""

import re
from contextlib import suppress
from shutil import which

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import async_playwright, expect
from unit.webchat.chat_server import NUMBERS, ChatServer, Limits

CHROMIUM = next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None)

# One browser for the module (starting it costs more than any test here), and so one event loop.
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


def answer(inbound):
    text = inbound.text.lower()
    if "gas" in text:
        return [
            {"text": "Phone 0800 111 999 now. Go outside.", "urgent": True},
            {"text": "Your reference is R-4K7M-2QX."},
        ]
    if "tap" in text:
        return [
            {"text": "Is water getting out?", "choices": [("Yes, it leaks", "/affirm"), ("No, it only drips", "/deny")]}
        ]
    return [{"text": f"You said: {inbound.text}"}]


@pytest_asyncio.fixture(loop_scope="module")
async def server():
    server = ChatServer(privacy_url="https://tenacre.example/privacy")
    server.store.answer = answer
    yield await server.start()
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(browser, server):
    """Open the chat page in a window of its own; faults in its console fail the test."""
    faults = []
    contexts = []

    async def open_page(path="/chat", context=None, **options):
        context = context or await browser.new_context(**({"viewport": {"width": 390, "height": 800}} | options))
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(8_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if "Content Security Policy" in line.text else None)
        await page.goto(server.url + path)
        if path.startswith("/chat"):
            await expect(page.locator("#office")).to_contain_text(re.compile("open|closed"))
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert faults == []


async def say(page, words):
    await page.fill("#text", words)
    await page.press("#text", "Enter")


async def session_of(page):
    return (await page.evaluate("localStorage.getItem('doorstep.session')")).split(".")[0]


def bubbles(page):
    return page.locator(".message .bubble")


async def test_a_tenant_writes_and_reads_the_answer(open_page, server):
    page = await open_page()
    await say(page, "hello")
    await expect(bubbles(page)).to_have_text(["hello", "You said: hello"])
    await expect(page.locator(".tenant .state")).to_have_text("Sent")
    await server.store.until(lambda: (server.store.acknowledged or [(0, 0)])[-1][1] == 2)


async def test_a_starter_is_sent_as_the_tenants_own_words(open_page, server):
    page = await open_page()
    await page.locator(".starter").first.click()
    await expect(bubbles(page).first).to_have_text(server.channel._words.page["starters"][0])
    assert server.store.received[0].choice is None


async def test_answers_are_chosen_with_buttons_and_only_while_they_are_the_newest_thing_said(open_page, server):
    page = await open_page()
    await say(page, "my tap drips")
    group = page.get_by_role("group", name="Choose an answer")
    await group.get_by_role("button", name="No, it only drips").click()
    await expect(group).to_have_count(0)
    await expect(bubbles(page).nth(2)).to_have_text("No, it only drips")
    await expect(bubbles(page).nth(3)).to_have_text("You said: No, it only drips")
    assert server.store.received[-1].choice == "/deny"
    await expect(page.locator("#text")).to_be_focused()


async def test_a_restart_of_the_server_loses_and_doubles_nothing(open_page, server):
    page = await open_page()
    await say(page, "before")
    await expect(bubbles(page)).to_have_count(2)
    await server.stop()
    await say(page, "during")
    await expect(page.locator(".message.sending")).to_have_count(1)
    await expect(page.locator("#banner")).to_be_visible()
    for _, number in NUMBERS:
        await expect(page.locator("#banner")).to_contain_text(number)
    server.store.add(await session_of(page), "bot", "said while you were away")
    await server.start()
    await expect(bubbles(page)).to_have_count(5, timeout=15_000)
    assert sorted(await bubbles(page).all_inner_texts()) == sorted(
        ["before", "You said: before", "during", "said while you were away", "You said: during"]
    )
    await expect(page.locator("#banner")).to_be_hidden()
    assert [inbound.text for inbound in server.store.received] == ["before", "during"]


async def test_loading_the_page_again_shows_the_conversation_once_and_keeps_the_draft(open_page):
    page = await open_page()
    await say(page, "hello")
    await expect(bubbles(page)).to_have_count(2)
    await page.fill("#text", "half a sent")
    await page.reload()
    await expect(bubbles(page)).to_have_text(["hello", "You said: hello"])
    await expect(page.locator("#text")).to_have_value("half a sent")
    assert await page.locator("#log").get_attribute("aria-live") == "off"  # the past is not read out as news
    await expect(page.locator("#log")).to_have_attribute("aria-live", "polite")


async def test_what_was_not_sent_survives_a_reload(open_page, server):
    page = await open_page()
    await say(page, "hello")
    await expect(bubbles(page)).to_have_count(2)
    await page.context.set_offline(True)
    await page.evaluate("dispatchEvent(new Event('offline'))")
    await say(page, "written in a tunnel")
    await expect(page.locator("#banner-title")).to_have_text("You are offline")
    await page.context.set_offline(False)
    await page.reload()
    await expect(bubbles(page).last).to_have_text("You said: written in a tunnel")
    assert [inbound.text for inbound in server.store.received] == ["hello", "written in a tunnel"]


async def test_two_tabs_show_one_conversation(open_page):
    first = await open_page()
    await say(first, "from the first tab")
    await expect(bubbles(first)).to_have_count(2)
    second = await open_page(context=first.context)
    await expect(bubbles(second)).to_have_count(2)
    await say(second, "from the second tab")
    expected = [
        "from the first tab",
        "You said: from the first tab",
        "from the second tab",
        "You said: from the second tab",
    ]
    await expect(bubbles(second)).to_have_text(expected)
    await expect(bubbles(first)).to_have_text(expected)


async def test_ending_the_chat_clears_every_tab_and_begins_a_new_session(open_page):
    first = await open_page()
    await say(first, "private words")
    second = await open_page(context=first.context)
    await expect(bubbles(second)).to_have_count(2)
    before = await session_of(first)
    await first.bring_to_front()  # a page in the background is drawn only once a second
    await first.click("#end")
    await first.get_by_role("button", name="Yes, end it").click()
    await expect(bubbles(first)).to_have_count(0)
    await expect(bubbles(second)).to_have_count(0)
    await expect(first.locator("#welcome")).to_be_visible()
    await first.wait_for_function(
        "before => { const token = localStorage.getItem('doorstep.session'); return token && !token.startsWith(before); }",
        arg=before,
    )
    await say(first, "a new start")
    await expect(bubbles(first)).to_have_text(["a new start", "You said: a new start"])


async def test_safety_advice_stands_apart_and_is_announced_once_at_once(open_page):
    page = await open_page()
    await page.evaluate(
        """() => {
            window.announced = [];
            new MutationObserver(() => {
                const text = document.getElementById("alert").textContent;
                if (text) window.announced.push(text);
            }).observe(document.getElementById("alert"), { childList: true });
        }"""
    )
    await say(page, "I smell gas")
    await expect(page.locator(".urgent .bubble")).to_have_text("Phone 0800 111 999 now. Go outside.")
    await expect(page.locator(".urgent a")).to_have_attribute("href", "tel:0800111999")
    await expect(bubbles(page).last).to_have_text("Your reference is R-4K7M-2QX.")
    assert await page.evaluate("announced") == ["Safety advice: Phone 0800 111 999 now. Go outside."]
    await page.reload()
    await expect(page.locator(".urgent .bubble")).to_be_visible()
    await expect(page.locator("#alert")).to_be_empty()


async def test_what_follows_safety_advice_does_not_push_it_off_the_screen(open_page, server):
    server.store.answer = lambda inbound: [
        {"text": "Ring 999 or 0800 111 999 now.", "urgent": True},
        *({"text": "And then there is more to say about it. " * 6, "urgent": n == 0} for n in range(5)),
    ]
    page = await open_page(viewport={"width": 320, "height": 568}, reduced_motion="reduce")
    await say(page, "I smell gas")
    await expect(bubbles(page)).to_have_count(7)
    await expect(page.get_by_role("link", name="999", exact=True)).to_be_in_viewport()
    await expect(page.locator(".urgent a").nth(1)).to_have_attribute("href", "tel:0800111999")
    await page.get_by_role("button", name="New messages").click()
    await expect(bubbles(page).last).to_be_in_viewport()
    await say(page, "I am outside")
    await expect(page.locator(".tenant .bubble").last).to_have_text("I am outside")


async def test_a_refused_message_says_why_and_can_be_sent_again(open_page, server):
    await server.stop()
    server.limits = Limits(burst=1, per_second=5)
    await server.start()
    page = await open_page()
    await say(page, "one")
    await say(page, "two")
    await expect(page.locator(".notice")).to_contain_text("0800 111 999")
    await page.get_by_role("button", name="Try again").click()
    await expect(bubbles(page)).to_have_text(["one", "You said: one", "two", "You said: two"])


async def test_a_message_that_is_too_long_is_not_sent_and_not_cut(open_page, server):
    page = await open_page()
    await say(page, "x" * 2_001)
    await expect(page.locator("#count")).to_have_text("1 over the limit")
    await expect(page.locator("#text")).to_have_value("x" * 2_001)
    assert server.store.received == []


async def test_words_that_look_like_html_are_only_words(open_page):
    page = await open_page()
    words = "<img src=x onerror=document.title='no'> <b>bold</b> https://example.org/a?b=1."
    await say(page, words)
    await expect(bubbles(page).first).to_have_text(words)
    assert await page.locator(".bubble img, .bubble b").count() == 0
    assert await bubbles(page).first.locator("a").get_attribute("href") == "https://example.org/a?b=1"
    assert await page.title() == "Chat with Tenacre Homes"


async def test_staff_are_shown_by_name_and_while_they_write(open_page, server):
    page = await open_page()
    await say(page, "hello")
    await expect(bubbles(page)).to_have_count(2)
    session = await session_of(page)
    await server.channel.show_typing(session, "Ann")
    await expect(page.get_by_role("status")).to_have_text("Ann is writing…")
    await server.say(session, "I am Ann. How can I help?", author="staff", name="Ann")
    await expect(page.locator(".staff .sender")).to_have_text("Ann, staff")
    await expect(page.locator("#typing")).to_be_hidden()


async def test_leaving_quickly_goes_elsewhere_and_leaves_nothing_behind(open_page, server):
    page = await open_page()
    await page.route("https://www.bbc.co.uk/**", lambda route: route.fulfill(body="the weather"))
    await say(page, "private words")
    await expect(bubbles(page)).to_have_count(2)
    await page.fill("#text", "a draft")
    await page.click("#exit")
    await page.wait_for_url("https://www.bbc.co.uk/weather")
    await page.goto(server.url + "/chat/static/door.svg")
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("embed", ["", "?embed=1"])
async def test_nothing_is_cut_off_sideways_at_any_width(open_page, width, embed):
    page = await open_page("/chat" + embed, viewport={"width": width, "height": 700})
    await say(page, "my tap drips " + "W" * 60)
    await expect(page.get_by_role("group", name="Choose an answer")).to_be_visible()
    await page.evaluate("document.getElementById('banner').hidden = false")
    wide = await page.evaluate(
        """() => [...document.querySelectorAll("body *")]
            .filter((element) => element.checkVisibility() && !element.closest(".unseen, .skip, svg"))
            .map((element) => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
            .filter(([, box]) => box.width > 1 && (box.right > innerWidth + 1 || box.left < -1))
            .map(([html]) => html)"""
    )
    assert wide == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_zoomed_to_400_percent_the_message_box_can_still_be_reached(open_page):
    page = await open_page(viewport={"width": 320, "height": 256})
    await say(page, "hello")
    await expect(bubbles(page)).to_have_count(2)
    await page.locator("#send").scroll_into_view_if_needed()
    await expect(page.locator("#send")).to_be_in_viewport()


async def test_everything_can_be_done_with_the_keyboard(open_page, server):
    page = await open_page(viewport={"width": 1280, "height": 800})
    await expect(page.locator("#text")).to_be_focused()
    await page.locator(".skip").focus()
    reached = []
    for _ in range(24):
        reached.append(
            await page.evaluate(
                """() => {
                    const one = document.activeElement;
                    const { outlineStyle, outlineWidth } = getComputedStyle(one);
                    return [one.id || one.className, outlineStyle !== "none" && outlineWidth !== "0px"];
                }"""
            )
        )
        if reached[-1][0] == "send":
            break
        await page.keyboard.press("Tab")
    names = [name for name, _ in reached]
    for name in ("skip", "exit", "scroll", "text", "send"):
        assert name in names
    assert names.count("choice starter") == 4
    assert all(visible for _, visible in reached), reached
    await page.locator("#text").focus()
    await page.keyboard.type("my tap")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("drips")
    await page.keyboard.press("Enter")
    await expect(page.locator(".choices")).to_be_visible()
    assert server.store.received[0].text == "my tap\ndrips"
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await expect(bubbles(page).nth(2)).to_have_text("No, it only drips")


CONTRAST = """() => {
    const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const behind = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const [r, g, b, a = 1] = parse(getComputedStyle(one).backgroundColor);
            if (a === 1) return [r, g, b];
        }
        throw new Error("nothing behind");
    };
    const bad = [];
    for (const element of document.querySelectorAll("body *")) {
        if (!element.checkVisibility({ opacityProperty: true }) || element.closest(".unseen, .skip, noscript")) continue;
        if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
        const pair = [luminance(parse(getComputedStyle(element).color)), luminance(behind(element))].sort((a, b) => b - a);
        const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
        if (ratio < 4.5) bad.push([element.textContent.trim().slice(0, 40), ratio.toFixed(2)]);
    }
    return bad;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_word_has_enough_contrast(open_page, server, scheme):
    page = await open_page(color_scheme=scheme, reduced_motion="reduce")
    assert await page.evaluate(CONTRAST) == []
    await say(page, "I smell gas")
    await expect(bubbles(page)).to_have_count(3)
    await server.say(await session_of(page), "I am Ann.", author="staff", name="Ann", choices=[("Yes", "y")])
    await expect(page.locator(".choices")).to_be_visible()
    await server.stop()
    await say(page, "are you there")
    await expect(page.locator("#banner")).to_be_visible()
    await page.locator("#danger summary").evaluate("summary => summary.click()")
    assert await page.evaluate(CONTRAST) == []


async def test_everything_that_can_be_pressed_is_large_enough(open_page):
    page = await open_page(viewport={"width": 320, "height": 700}, has_touch=True)
    await say(page, "my tap drips")
    await expect(page.locator(".choices")).to_be_visible()
    small = await page.evaluate(
        """() => [...document.querySelectorAll("button, a, summary, textarea")]
            .filter((one) => one.checkVisibility() && !one.closest(".skip, p, .bubble"))
            .map((one) => [one.id || one.className, one.getBoundingClientRect()])
            .filter(([, box]) => box.width < 24 || box.height < 24)
            .map(([name]) => name)"""
    )
    assert small == []


async def test_roles_and_names_are_what_a_screen_reader_needs(open_page):
    page = await open_page()
    log = page.get_by_role("log")
    await expect(log).to_have_attribute("aria-live", "polite")
    await expect(page.get_by_role("textbox", name="Your message")).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_be_visible()
    await expect(page.get_by_role("main")).to_have_count(1)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Tenacre Homes")
    assert await page.locator("html").get_attribute("lang") == "en-GB"
    await say(page, "hello")
    await expect(log.locator("article .sender")).to_have_text(["You", "Tenacre Homes, automated"])
    nameless = await page.evaluate(
        """() => [...document.querySelectorAll("button, a, textarea, img, svg")]
            .filter((one) => !one.textContent.trim() && !one.labels?.length)
            .filter((one) => !["aria-label", "alt", "aria-hidden"].some((name) => one.hasAttribute(name)))
            .map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert nameless == []
    ids = await page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))


async def test_motion_stops_for_those_who_ask_for_it(open_page):
    page = await open_page(reduced_motion="reduce")
    await say(page, "hello")
    await expect(bubbles(page)).to_have_count(2)
    assert await page.evaluate("document.getAnimations().length") == 0


async def test_without_javascript_the_numbers_are_there(browser, server):
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(server.url + "/chat")
    for label, number in NUMBERS:
        await expect(page.locator(".noscript").get_by_role("link", name=f"{label} {number}")).to_be_visible()


# --- the widget -----------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(loop_scope="module")
async def landlords_site(server):
    """A page of another site, under a strict policy of its own, that embeds the widget."""

    async def home(request):
        return web.Response(
            text=f"<!doctype html><title>Tenacre</title><h1>Tenacre</h1><script async src='{server.url}/widget.js'></script>",
            content_type="text/html",
            headers={"Content-Security-Policy": f"default-src 'none'; script-src {server.url}; frame-src {server.url}"},
        )

    application = web.Application()
    application.add_routes([web.get("/", home)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site = f"http://127.0.0.1:{runner.addresses[0][1]}"
    await server.stop()
    server.options["frame_ancestors"] = ("'self'", site)
    await server.start()
    yield site
    await runner.cleanup()


async def test_the_widget_opens_the_chat_on_another_site_and_gives_the_focus_back(browser, server, landlords_site):
    page = await (await browser.new_context(viewport={"width": 1280, "height": 800})).new_page()
    faults = []
    page.on("console", lambda line: faults.append(line.text) if "Security" in line.text else None)
    await page.goto(landlords_site)
    launcher = page.get_by_role("button", name="Chat with us")
    await launcher.click()
    chat = page.frame_locator("doorstep-chat iframe")
    await expect(chat.locator("#text")).to_be_focused()
    await chat.locator("#text").fill("hello")
    await chat.locator("#text").press("Enter")
    await expect(chat.locator(".bubble")).to_have_text(["hello", "You said: hello"])
    await chat.locator("#text").press("Escape")
    await expect(launcher).to_be_focused()
    assert await page.evaluate("doorstep.isOpen()") is False
    (session,) = server.store.messages
    await server.say(session, "one more thing")
    await expect(page.get_by_role("button", name="Chat with us, 1 unread")).to_be_visible()
    await page.evaluate("doorstep.open()")
    await expect(chat.locator(".bubble").last).to_have_text("one more thing")
    await expect(chat.locator(".bubble").last).to_be_in_viewport()
    assert faults == []
    with suppress(KeyError):
        assert "doorstep.session" not in await page.evaluate("Object.keys(localStorage)")


async def test_a_site_that_is_not_allowed_cannot_embed_the_chat(browser, server, landlords_site):
    await server.stop()
    server.options["frame_ancestors"] = ("'self'",)
    await server.start()
    page = await (await browser.new_context()).new_page()
    faults = []
    page.on("console", lambda line: faults.append(line.text))
    await page.goto(landlords_site)
    await page.get_by_role("button", name="Chat with us").click()
    await page.wait_for_function("() => true")
    await expect(page.frame_locator("doorstep-chat iframe").locator("#text")).to_have_count(0)
    assert any("frame-ancestors" in fault for fault in faults)
