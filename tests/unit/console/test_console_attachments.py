"""Photos and voice notes in the console: who sees them, how they are served, and what is on record."""

import hashlib
import re
from datetime import timedelta

import pytest
from aiohttp import ClientResponse
from sqlmodel import select
from unit.console.house import Browser, Case, Event, House, Task

from bot.desk.attachment import READ
from bot.messages import Attachment, ChannelName, Content, Inbound
from bot.reports import evidence_pack, pack_faults
from bot.store import seals, tables

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\0" * 2000
VOICE = b"OggS\0\x02" + b"\0" * 5000
ADDRESS = r"/staff/files/\w+"


async def opened(house: House, browser: Browser, conversation_id: str) -> str:
    await browser.get(f"/staff/conversations/{conversation_id}")
    found = re.search(ADDRESS, browser.page)
    assert found is not None, browser.page
    return found[0]


async def fetch(browser: Browser, address: str, **headers: str) -> tuple[ClientResponse, bytes]:
    answer = await browser.client.get(address, headers=headers)
    return answer, await answer.read()


async def readings(house: House) -> list[Event]:
    return [each for each in await house.rows(Event) if each.verb == READ]


async def test_a_photo_is_shown_where_it_was_sent_and_looking_is_on_record(house: House, ama: Browser):
    talk = (await house.tenant_sends(JPEG, "image/jpeg")).conversation_id
    address = await opened(house, ama, talk)
    assert f'<img src="{address}" alt="Photo from the tenant, 10am"' in ama.page

    answer, body = await fetch(ama, address)

    assert (answer.status, body) == (200, JPEG)
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert answer.headers["Content-Disposition"].startswith('inline; filename="2026-11-23-1000-')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    (event,) = await readings(house)
    assert event.actor == (await house.staff("ama@example.org")).id


async def test_looking_again_within_the_hour_is_one_reading_and_later_another(house: House, ama: Browser):
    address = await opened(house, ama, (await house.tenant_sends(JPEG, "image/jpeg")).conversation_id)
    for _ in range(3):
        await fetch(ama, address)
    house.clock.advance(timedelta(minutes=61))
    await fetch(ama, address)
    assert len(await readings(house)) == 2


async def test_a_voice_note_has_a_player_and_can_be_had_in_pieces(house: House, ama: Browser):
    address = await opened(house, ama, (await house.tenant_sends(VOICE, "audio/ogg")).conversation_id)
    assert "<audio controls" in ama.page
    answer, body = await fetch(ama, address, Range="bytes=0-99")
    assert (answer.status, len(body), answer.headers["Content-Type"]) == (206, 100, "audio/ogg")


@pytest.mark.parametrize("kind", ["application/pdf", "image/heic", "text/html", "image/svg+xml", "video/mp4"])
async def test_what_a_browser_might_run_is_only_ever_saved(house: House, ama: Browser, kind: str):
    address = await opened(house, ama, (await house.tenant_sends(b"<script>", kind)).conversation_id)
    assert "<img" not in ama.page.split('id="log"', 1)[1].split("</main>")[0]
    answer, _ = await fetch(ama, address)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment;")


async def test_a_photo_can_be_saved_too(house: House, ama: Browser):
    address = await opened(house, ama, (await house.tenant_sends(JPEG, "image/jpeg")).conversation_id)
    answer, _ = await fetch(ama, f"{address}?download")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Content-Disposition"].endswith('.jpg"')


async def test_nobody_outside_gets_a_file(house: House, ama: Browser):
    address = await opened(house, ama, (await house.tenant_sends(JPEG, "image/jpeg")).conversation_id)
    answer = await house.guest().get(address, allow_redirects=False)
    assert (answer.status, answer.headers["Location"][:14]) == (303, "/staff/sign-in")
    assert await readings(house) == []


async def test_a_file_that_is_none_is_said_to_be_none(house: House, ama: Browser):
    for name in ("nothing", "0" * 32):
        await ama.get(f"/staff/files/{name}")
        assert ama.status == 404


async def test_of_a_person_at_risk_nothing_is_shown_until_it_is_opened(house: House, ama: Browser):
    talk = (await house.tenant_says("he hit me")).conversation_id
    await house.tenant_sends(JPEG, "image/jpeg")
    address = await opened(house, ama, talk)
    assert "<img" not in ama.page.split('id="log"', 1)[1].split("</main>")[0]
    assert "that you looked is recorded" in ama.page
    answer, body = await fetch(ama, address)
    assert (body, answer.headers["Cache-Control"]) == (JPEG, "no-store")
    assert [each.detail["in_confidence"] for each in await readings(house)] == [True]


async def test_who_need_not_know_cannot_open_what_a_person_at_risk_sent(house: House, ama: Browser):
    talk = (await house.tenant_says("he hit me")).conversation_id
    await house.tenant_sends(JPEG, "image/jpeg")
    address = await opened(house, ama, talk)
    other = await house.sign_in("Ben Okoro", house.guest(), role="auditor")
    await other.get(f"/staff/conversations/{talk}")
    assert address not in other.page
    assert "Only those who must know can open it" in other.page
    await other.get(address)
    assert other.status == 403
    assert await readings(house) == []


async def test_the_task_to_look_leads_to_the_photo_and_can_be_ticked_off(house: House, ama: Browser):
    await house.tenant_says("my tap drips")
    house.clock.advance(timedelta(minutes=1))
    talk = (await house.tenant_sends(JPEG, "image/jpeg")).conversation_id
    message = (await house.transcript(talk))[-2]
    assert message.kind == "media"

    await ama.get("/staff")

    assert f'href="/staff/conversations/{talk}#message-{message.id}">Look at it' in ama.page
    (task,) = [each for each in await house.rows(Task) if each.kind == "photo_or_voice_note"]
    assert task.due_at - task.created_at == timedelta(minutes=15)
    await ama.get(f"/staff/conversations/{talk}")
    assert f'id="message-{message.id}"' in ama.page
    await ama.post(f"/staff/tasks/{task.id}/done", conversation=talk)
    assert "Look at it" not in ama.page


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "A file is on its way"),
        ({"error": "503"}, "could not be fetched yet; we keep trying"),
        ({"state": "lost"}, "could not be fetched: ask them to send it again"),
        ({"state": "no_file", "handle": "geo:55.9,-2.5"}, "A place on the map: 55.9,-2.5"),
    ],
)
async def test_what_is_not_there_says_why(house: House, ama: Browser, changes: dict, says: str):
    file = Attachment("https://api.twilio.com/x", "image/jpeg")
    inbound = Inbound(ChannelName.SMS, "+447700900123", "one", "", Content.MEDIA, attachments=(file,))
    talk = (await house.intake.receive(inbound)).conversation_id

    def change(session):
        row = session.exec(select(tables.Attachment)).one()
        for name, value in changes.items():
            setattr(row, name, value)

    await house.store.run(change)
    await ama.get(f"/staff/conversations/{talk}")
    assert says in ama.page


async def test_the_evidence_of_a_case_names_its_photos_by_their_digests(house: House):
    await house.tenant_says("my tap drips")
    (case,) = await house.rows(Case)
    await house.tenant_sends(JPEG, "image/jpeg")
    now = house.clock.now()
    await house.store.run(lambda session: seals.seal(session, now=now))

    pack = await house.store.read(lambda session: evidence_pack(session, house.office, case.reference, now=now))

    digest = hashlib.sha256(JPEG).hexdigest()
    assert f"image/jpeg, {len(JPEG)} bytes, SHA-256 {digest}" in pack
    assert f'"digest": "{digest}"' in pack
    assert pack_faults(pack) == []
    assert pack_faults(pack.replace(f'"digest": "{digest}"', f'"digest": "{digest[::-1]}"')) != []
