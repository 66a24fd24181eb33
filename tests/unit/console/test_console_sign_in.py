"""Who gets in, who does not, and what stays behind."""

from datetime import timedelta
from pathlib import Path

import pytest
from unit.console.house import PASSWORD, Browser, Event, House

from bot.desk import staff as accounts
from bot.store.tables import SignInLink, StaffSession


async def test_a_one_time_link_lets_its_owner_choose_a_password_and_signs_in(house: House):
    token, browser = await house.hire("Ama Mensah"), Browser(house.client)

    shown = await browser.get(f"/staff/welcome/{token}")
    assert "Welcome, Ama Mensah" in shown
    await browser.post(f"/staff/welcome/{token}", password=PASSWORD)

    assert (browser.status, browser.path) == (200, "/staff")
    assert "Ama Mensah" in browser.page


async def test_opening_a_one_time_link_changes_nothing(house: House):
    token, browser = await house.hire(), Browser(house.client)

    for _ in range(3):
        await browser.get(f"/staff/welcome/{token}")

    [link] = await house.rows(SignInLink)
    assert link.used_at is None
    assert await house.rows(StaffSession) == []


async def test_a_one_time_link_works_once(house: House):
    token = await house.hire()
    await Browser(house.client).welcome(token)
    second = Browser(house.guest())

    await second.get(f"/staff/welcome/{token}")

    assert second.status == 410
    assert "used already" in second.page


async def test_a_one_time_link_is_too_old_after_a_day(house: House):
    token, browser = await house.hire(), Browser(house.client)
    house.clock.advance(timedelta(hours=24))

    await browser.get(f"/staff/welcome/{token}")

    assert browser.status == 410


async def test_a_short_password_is_refused_with_the_reason_and_the_link_still_works(house: House):
    token, browser = await house.hire(), Browser(house.client)

    await browser.welcome(token, "elevenchars")
    assert browser.status == 400
    assert "at least 12 characters" in browser.said()
    await browser.post(f"/staff/welcome/{token}", password="twelve chars")

    assert browser.path == "/staff"


async def test_neither_links_nor_cookies_nor_passwords_are_stored_as_they_are(house: House, ama: Browser):
    cookie = house.client.session.cookie_jar.filter_cookies(house.client.make_url("/staff"))["doorstep_staff"].value
    content = _database(house)

    assert cookie.encode() not in content
    assert PASSWORD.encode() not in content


def _database(house: House) -> bytes:
    file = house.store.engine.url.database or ""
    return b"".join(Path(file + suffix).read_bytes() for suffix in ("", "-wal"))


async def test_signing_in_with_the_password_leads_to_the_page_that_was_asked_for(house: House, ama: Browser):
    await house.tenant_says("my tap drips")
    browser = Browser(house.guest())
    await browser.get("/staff?view=mine")
    assert browser.path == "/staff/sign-in"

    await browser.post("/staff/sign-in", email="AMA@example.org ", password=PASSWORD, next="/staff?view=mine")

    assert (browser.status, browser.path) == (200, "/staff")


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example/staff", "/chat", "/staff\\..\\evil"])
async def test_signing_in_leads_nowhere_outside_the_console(house: House, ama: Browser, target: str):
    browser = Browser(house.guest())
    await browser.get("/staff/sign-in")

    await browser.post("/staff/sign-in", email="ama@example.org", password=PASSWORD, next=target)

    assert browser.path == "/staff"


@pytest.mark.parametrize("email", ["ama@example.org", "nobody@example.org"])
async def test_a_wrong_password_and_an_unknown_email_read_the_same(house: House, ama: Browser, email: str):
    browser = Browser(house.guest())

    await browser.sign_in(email, "not the password")

    assert browser.status == 401
    assert browser.said() == "That email and password do not go together. Check both and try again."


async def test_guessing_is_slowed_down_but_the_account_is_never_locked_for_ever(house: House, ama: Browser):
    browser = Browser(house.guest())
    for _ in range(5):
        await house.guess("ama@example.org")

    await browser.sign_in("ama@example.org")
    assert browser.status == 429
    assert "wait 1 second" in browser.said()
    house.clock.advance(timedelta(seconds=1))
    await browser.sign_in("ama@example.org")

    assert browser.path == "/staff"


async def test_however_long_somebody_guesses_the_wait_is_a_minute_at_most(house: House, ama: Browser):
    browser = Browser(house.guest())
    for _ in range(14):
        await house.guess("ama@example.org")
        house.clock.advance(timedelta(seconds=60))

    await browser.sign_in("ama@example.org")

    assert browser.path == "/staff"


async def test_guessing_at_many_accounts_from_one_address_is_slowed_down(house: House, ama: Browser):
    browser = Browser(house.guest())
    for number in range(20):
        await house.guess(f"staff{number}@example.org")

    await browser.sign_in("ama@example.org")

    assert browser.status == 429


async def test_whoever_is_signed_in_notices_nothing_of_somebody_guessing(house: House, ama: Browser):
    for number in range(24):
        await house.guess(f"staff{number % 5}@example.org" if number < 20 else "ama@example.org", f"192.0.2.{number}")

    await ama.get("/staff")

    assert ama.path == "/staff"


async def test_a_session_ends_after_twelve_hours_without_use(house: House, ama: Browser):
    house.clock.advance(timedelta(hours=11, minutes=59))
    await ama.get("/staff")
    assert ama.path == "/staff"
    house.clock.advance(timedelta(hours=11, minutes=59))
    await ama.get("/staff")
    assert ama.path == "/staff"

    house.clock.advance(timedelta(minutes=2))
    await ama.get("/staff")

    assert ama.path == "/staff/sign-in"  # 24 hours after signing in, however much it was used


async def test_an_unused_session_is_over_after_twelve_hours(house: House, ama: Browser):
    house.clock.advance(timedelta(hours=12))

    await ama.get("/staff")

    assert ama.path == "/staff/sign-in"


async def test_signing_out_ends_the_session_on_the_server(house: House, ama: Browser):
    jar = house.client.session.cookie_jar.filter_cookies(house.client.make_url("/staff"))
    cookie = jar["doorstep_staff"].value
    await ama.post("/staff/sign-out")
    assert ama.path == "/staff/sign-in"

    answer = await house.guest().get("/staff", headers={"Cookie": f"doorstep_staff={cookie}"})

    assert answer.url.path == "/staff/sign-in"


async def test_a_disabled_account_is_out_at_once_everywhere(house: House, ama: Browser):
    now = house.clock.now()
    await house.store.run(
        lambda session: accounts.disable(session, house.office, "ama@example.org", now=now, actor="test")
    )

    await ama.get("/staff")
    assert ama.path == "/staff/sign-in"
    await ama.sign_in("ama@example.org")

    assert ama.status == 401


async def test_a_reset_forgets_the_password_and_signs_out(house: House, ama: Browser):
    now = house.clock.now()
    token = await house.store.run(
        lambda session: accounts.reset(session, house.office, "ama@example.org", now=now, actor="test")
    )
    await ama.get("/staff")
    assert ama.path == "/staff/sign-in"
    await ama.sign_in("ama@example.org")
    assert ama.status == 401

    await ama.welcome(token, "another long password")

    assert ama.path == "/staff"


async def test_a_contractor_may_not_use_the_console_yet(house: House):
    browser = Browser(house.client)

    await browser.get(f"/staff/welcome/{await house.hire('Con Tractor', role='contractor')}")

    assert browser.status == 403
    assert "Contractors cannot use this console yet" in browser.page


@pytest.mark.parametrize("csrf", ["", "forged"])
async def test_signing_in_with_a_forged_form_is_refused(house: House, ama: Browser, csrf: str):
    browser = Browser(house.guest())
    await browser.get("/staff/sign-in")

    await browser.post("/staff/sign-in", email="ama@example.org", password=PASSWORD, csrf=csrf)

    assert browser.status == 403


async def test_cookies_are_out_of_reach_of_scripts_and_other_sites(house: House):
    answer = await house.client.get("/staff/sign-in")

    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert answer.headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


async def test_getting_in_and_out_is_on_record(house: House, ama: Browser):
    await ama.post("/staff/sign-out")

    verbs = [event.verb for event in await house.rows(Event)]

    assert verbs == ["staff_added", "sign_in_link_made", "password_set", "signed_in", "signed_out"]


async def test_the_first_administrator_gets_a_link_until_a_password_is_chosen(house: House):
    async def link() -> str | None:
        now = house.clock.now()
        return await house.store.run(
            lambda session: accounts.first_administrator(session, house.office, now=now, base_url="http://here/")
        )

    lost, fresh = await link(), await link()
    assert lost is not None
    assert fresh is not None
    assert fresh.startswith("http://here/staff/welcome/")
    browser = Browser(house.client)
    await browser.get(lost.removeprefix("http://here"))
    assert browser.status == 410
    await browser.welcome(fresh.rpartition("/")[2])

    assert browser.path == "/staff"
    assert await link() is None
