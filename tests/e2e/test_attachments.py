"""Photos and voice notes: fetched from providers however they falter, or uploaded on the page, and never lost in silence."""

import io
import re
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from bot.bootstrap import Doorstep
from bot.channels import LARGEST_FILE
from bot.desk.attachment import MOST_ATTEMPTS
from bot.dev.standins import Fault
from bot.store.tables import Attachment, Case
from tests.e2e.conftest import CHAT, TENANT, World

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\0" * 200
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 200
PDF = b"%PDF-1.7 " + b"\0" * 100
VOICE = b"OggS\0\x02" + b"\0" * 100


def kept(world: World, attachment: Attachment) -> bytes:
    return (Path(world.doorstep.settings.files_dir) / attachment.digest[:2] / attachment.digest).read_bytes()


def on_disk(world: World) -> list[Path]:
    return [each for each in Path(world.doorstep.settings.files_dir).rglob("*") if each.is_file()]


async def files(world: World) -> list[Attachment]:
    return sorted(await world.rows(Attachment), key=lambda each: each.kind or each.id)


# --- with the providers


async def test_a_photo_by_whatsapp_is_fetched_with_our_credentials_and_kept(world: World):
    await world.twilio.photo_in(TENANT, JPEG)
    assert [each.state for each in await files(world)] == ["waiting"]  # the webhook does not wait for it
    assert await world.doorstep.fetching.settle() == 1
    (photo,) = await files(world)
    assert (photo.state, photo.kind, photo.size, photo.due_at) == ("kept", "image/jpeg", len(JPEG), None)
    assert kept(world, photo) == JPEG


async def test_a_voice_note_and_a_photo_by_telegram_are_fetched_by_their_file_ids(world: World):
    await world.telegram.photo_in(CHAT, PNG)
    await world.telegram.voice_in(CHAT, VOICE)
    await world.doorstep.fetching.settle()
    assert [(each.state, each.kind) for each in await files(world)] == [("kept", "audio/ogg"), ("kept", "image/png")]


async def test_what_the_sender_calls_it_does_not_decide_what_it_is(world: World):
    await world.twilio.photo_in(TENANT, b"<script>alert(1)</script>", media_type="image/jpeg")
    await world.doorstep.fetching.settle()
    (file,) = await files(world)
    assert (file.state, file.kind) == ("kept", None)


async def test_a_provider_in_trouble_is_asked_again_later_and_later(world: World):
    world.twilio.media_faults.add(Fault.refuse(503), Fault.refuse(500), Fault.refuse(429, retry_after=60))
    await world.twilio.photo_in(TENANT, JPEG)
    waits = []
    for _ in range(3):
        await world.doorstep.fetching.settle()
        (photo,) = await files(world)
        assert photo.state == "waiting"
        waits.append((photo.due_at - world.clock.now()).total_seconds())
        world.clock.advance(photo.due_at - world.clock.now())
    assert waits == [5, 15, 60]
    await world.doorstep.fetching.settle()
    (photo,) = await files(world)
    assert (photo.state, photo.attempts) == ("kept", 4)


async def test_a_file_that_the_provider_has_no_longer_becomes_a_task(world: World):
    await world.twilio.photo_in(TENANT, JPEG)
    world.twilio.files.clear()
    await world.doorstep.fetching.settle()
    (photo,) = await files(world)
    assert (photo.state, photo.due_at) == ("lost", None)
    assert "attachment_lost" in [each.kind for each in await world.tasks()]


async def test_a_file_is_given_up_after_a_day_and_a_half_and_not_in_silence(world: World):
    await world.twilio.photo_in(TENANT, JPEG)
    begun = world.clock.now()
    world.twilio.media_faults.add(*[Fault.refuse(500)] * MOST_ATTEMPTS)
    for _ in range(MOST_ATTEMPTS):
        await world.doorstep.fetching.settle()
        (photo,) = await files(world)
        if photo.due_at is not None:
            world.clock.advance(photo.due_at - world.clock.now())
    assert photo.state == "lost"
    assert timedelta(hours=24) < world.clock.now() - begun < timedelta(hours=48)
    assert "attachment_lost" in [each.kind for each in await world.tasks()]


async def test_too_large_a_file_is_not_tried_again(world: World):
    await world.twilio.photo_in(TENANT, JPEG + b"\0" * LARGEST_FILE)
    await world.doorstep.fetching.settle()
    assert [each.state for each in await files(world)] == ["lost"]


async def test_what_a_dead_process_was_fetching_is_fetched_again_at_once(world: World):
    world.twilio.media_faults.add(Fault.hold(accepted=False))
    await world.twilio.photo_in(TENANT, JPEG)
    assert await world.doorstep.fetching.look() == 1
    await world.twilio.media_faults.until_held()
    assert await world.doorstep.fetching.look() == 0  # leased: nobody else takes it
    await world.doorstep.fetching.recover()  # as the next process does
    assert await world.doorstep.fetching.look() == 1
    world.twilio.media_faults.release()
    await world.doorstep.fetching.settle()
    assert [each.state for each in await files(world)] == ["kept"]


async def test_a_place_is_no_file_and_nobody_tries_to_fetch_it(world: World):
    await world.telegram.says(CHAT, {"location": {"latitude": 55.9, "longitude": -2.5}})
    assert await world.doorstep.fetching.settle() == 0
    assert [(each.state, each.handle) for each in await files(world)] == [("no_file", "geo:55.9,-2.5")]


# --- the page


async def emergency(world: World) -> tuple[Case, str]:
    """A flood by text, its case, and the address of the page that takes photos for it."""
    await world.text("water is pouring through my ceiling and I cannot stop it")
    (case,) = await world.cases()
    return case, link_to(world.doorstep, case)


def link_to(doorstep: Doorstep, case: Case) -> str:
    link = doorstep.intake.photo_link(case.id, doorstep.wall_clock.now())
    assert link is not None
    return link


def form(*photos: tuple[str, bytes, str]) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for name, content, media_type in photos:
        data.add_field("photo", io.BytesIO(content), filename=name, content_type=media_type)
    return data


async def send(world: World, link: str, *photos: tuple[str, bytes, str]) -> tuple[int, str]:
    async with world.http.post(link, data=form(*photos)) as answer:
        return answer.status, " ".join(re.sub(r"<[^>]+>", " ", await answer.text()).split())


async def test_the_emergency_ends_with_the_link_and_what_is_sent_there_comes_into_the_conversation(world: World):
    answers = await world.text("water is pouring through my ceiling and I cannot stop it")
    for _ in range(12):
        (asked,) = [each for each in answers if each == answers[-1]]
        if "/u/photo." in asked:
            break
        answers = await world.text("12 High Street, Duns, TD11 3AA" if "address" in asked else "no")
    assert "If it is safe" in asked
    link = re.search(r"http\S+/u/photo\.\S+", asked)[0]

    status, text = await send(world, link, ("IMG_1.jpg", JPEG, "image/jpeg"), ("IMG_2.png", PNG, "image/png"))

    assert status == 200
    assert "Thank you. We have what you sent: 2 in all." in text
    (case,) = await world.cases()
    sent = [each for each in await world.messages() if each.provider_id and each.provider_id.startswith("upload:")]
    assert [(each.channel, each.kind, each.case_id) for each in sent] == [("sms", "media", case.id)]
    assert [(each.state, each.kind) for each in await files(world)] == [("kept", "image/jpeg"), ("kept", "image/png")]
    assert kept(world, (await files(world))[0]) == JPEG
    assert "photo_or_voice_note" in [each.kind for each in await world.tasks()]
    assert case.details["photo"] == "photo sent"
    assert len(await world.texts()) == 1  # the questions are over, and the tenant is told so


async def test_opening_the_link_changes_nothing(world: World):
    _, link = await emergency(world)
    before = len(await world.messages())
    for _ in range(3):
        async with world.http.get(link) as answer:
            assert answer.status == 200
            assert "Only take a photo if it is safe" in await answer.text()
    assert len(await world.messages()) == before
    assert await files(world) == []


async def test_the_same_photos_sent_twice_are_one_message(world: World):
    _, link = await emergency(world)
    for _ in range(2):
        assert (await send(world, link, ("a.jpg", JPEG, "image/jpeg")))[0] == 200
    assert len(await files(world)) == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("holiday.jpg", b"<html>not a photo</html>", "We could not take holiday.jpg. Send a photo"),
        ("plan.exe", b"MZ\x90\0" * 10, "We could not take plan.exe."),
        ("huge.jpg", JPEG + b"\0" * 10 * 1024 * 1024, "We could not take huge.jpg. It is over 10 MB."),
        ("", b"", "No photo was chosen."),
    ],
)
async def test_what_cannot_be_taken_is_said_in_plain_words(world: World, name: str, content: bytes, says: str):
    _, link = await emergency(world)
    status, text = await send(world, link, (name, content, "image/jpeg"))
    assert status == 400
    assert says in text
    assert await files(world) == []
    assert on_disk(world) == []


async def test_good_files_are_kept_beside_bad_ones(world: World):
    _, link = await emergency(world)
    status, text = await send(
        world, link, ("a.jpg", JPEG, "image/jpeg"), ("b.svg", b"<svg/>", "image/svg+xml"), ("c.pdf", PDF, "image/png")
    )
    assert status == 400
    assert "We could not take b.svg." in text
    assert "We have what you sent: 2 in all." in text
    assert [each.kind for each in await files(world)] == ["application/pdf", "image/jpeg"]


async def test_more_than_can_be_taken_at_once_is_said(world: World):
    _, link = await emergency(world)
    status, text = await send(world, link, *((f"{n}.jpg", JPEG + bytes([n]), "image/jpeg") for n in range(11)))
    assert (status, len(await files(world))) == (400, 10)
    assert "We could not take 10.jpg. Send 10 at a time" in text


async def test_a_name_cannot_bring_markup_into_the_page(world: World):
    _, link = await emergency(world)
    async with world.http.post(link, data=form(("<img src=x>.jpg", b"nothing", "image/jpeg"))) as answer:
        assert "<img" not in await answer.text()


async def test_a_form_that_is_none_is_an_error_and_no_fault(world: World):
    _, link = await emergency(world)
    for body, kind in (
        (b"x=1", "application/x-www-form-urlencoded"),
        (b"--b\r\nnonsense", "multipart/form-data; boundary=b"),
    ):
        async with world.http.post(link, data=body, headers={"Content-Type": kind}) as answer:
            assert answer.status == 400


async def test_a_link_that_is_old_or_changed_opens_nothing(world: World):
    _, link = await emergency(world)
    assert (await send(world, link[:-1] + ("A" if link[-1] != "A" else "B"), ("a.jpg", JPEG, "image/jpeg")))[0] == 404
    world.clock.advance(timedelta(days=2))
    assert (await send(world, link, ("a.jpg", JPEG, "image/jpeg")))[0] == 404
    assert await files(world) == []


async def test_a_person_at_risk_is_neither_offered_the_link_nor_can_one_be_used(world: World):
    answers = await world.text("my husband hits me and he is coming home now")
    for _ in range(6):
        assert not any("/u/photo." in each for each in answers)
        answers = await world.text("no")
    (case,) = await world.cases()
    assert case.category == "safeguarding"
    assert (await send(world, link_to(world.doorstep, case), ("a.jpg", JPEG, "image/jpeg")))[0] == 404


async def test_nothing_is_taken_for_a_case_that_is_closed(world: World):
    case, link = await emergency(world)

    def close(session):
        session.get_one(Case, case.id).state = "closed"

    await world.doorstep.store.run(close)
    status, text = await send(world, link, ("a.jpg", JPEG, "image/jpeg"))
    assert status == 409
    assert "is closed" in text
    assert await files(world) == []
