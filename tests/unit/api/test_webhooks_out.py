"""Other systems are told what happens: at least once, in order, signed; and staff hear of one that cannot be told."""

import base64
import hashlib
import hmac
import logging
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select
from unit.api.house import GIVE_UP_AFTER, House, Receiver, open_house

from bot.api import Webhooks
from bot.desk import case as cases
from bot.desk import conversation as desk
from bot.desk import handover as handovers
from bot.desk import webhook as hooks
from bot.desk.choice import Choice, choose_later
from bot.desk.webhook import LEASE, WebhookError
from bot.promises import Promises
from bot.store.outside import Webhook, WebhookDelivery
from bot.store.tables import Case, Clock, Event, Task


async def closed(house: House, case: Case) -> None:
    now = house.now
    await house.run(lambda s: cases.close(s, house.office, s.get_one(Case, case.id), "Done.", house.staff, now=now))


async def waiting(house: House) -> list[WebhookDelivery]:
    return [each for each in await house.rows(WebhookDelivery) if each.delivered_at is None]


def verified(secret: str, receiver: Receiver, number: int = 0) -> bool:
    """As a receiver checks it, with nothing of ours."""
    got = receiver.got[number]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{got.id}.{got.timestamp}.".encode() + got.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return hmac.compare_digest(got.signature, f"v1,{expected}")


# --- told


async def test_what_happens_is_told_signed_with_id_and_time(house: House, receiver: Receiver) -> None:
    hook = await house.listen(receiver.url)
    case = await house.open()
    assert await house.webhooks.settle() == 1
    got = receiver.got[0]
    assert got.event == {
        "id": got.id, "type": "case.opened", "timestamp": "2026-11-23T10:00:00+00:00",
        "data": {
            "case": case.reference, "kind": "repair", "category": "dripping_tap", "priority": "routine", "status": "open",
        },
    }  # fmt: skip
    assert int(got.timestamp) == int(house.now.timestamp())
    assert verified(hook.secret, receiver)
    assert not verified("whsec_" + base64.b64encode(b"another").decode(), receiver)
    event = next(each for each in await house.rows(Event) if each.verb == "case_opened")
    assert got.id == event.id


async def test_each_webhook_has_a_secret_of_its_own_and_is_told_only_what_it_asked_for(
    house: House, receiver: Receiver
) -> None:
    opened = await house.listen(receiver.url, "case.opened")
    closings = await house.listen(f"{receiver.url}?closings", "case.closed")
    assert opened.secret != closings.secret
    case = await house.open()
    await closed(house, case)
    await house.webhooks.settle()
    assert sorted(receiver.types) == ["case.closed", "case.opened"]
    number = receiver.types.index("case.closed")
    assert verified(closings.secret, receiver, number)
    assert not verified(opened.secret, receiver, number)


async def test_a_tenants_words_name_and_number_never_leave(house: House, receiver: Receiver) -> None:
    await house.listen(receiver.url)
    case = await house.open(words="Jo at 1 Mill Row says the tap drips")
    await closed(house, case)
    await house.webhooks.settle()
    sent = b"".join(each.body for each in receiver.got).decode()
    for word in ("Jo", "Mill Row", "tap drips", "7700", "Done."):
        assert word not in sent


async def test_missed_and_deferred_promises_takeovers_and_emergencies_are_told(
    house: House, receiver: Receiver
) -> None:
    await house.listen(receiver.url)
    visit, tap = await house.open("service_request", "home_visit"), await house.open(address="+447700900456")
    power = await house.open("repair", "no_power", address="+447700900789")
    clock, now = (await house.clocks(visit))["home_visit"], house.now

    def work(session: Session) -> None:
        choice = Choice(date(2026, 11, 26), date(2026, 12, 9), "Away", "phone")
        choose_later(session, house.office, session.get_one(Clock, clock.id), choice, house.staff, now=now)
        desk.take_over(session, house.office, tap.conversation_id, house.staff, now=now)
        handovers.take_in_conversation(session, house.office, power.conversation_id, house.staff, now=now)

    await house.run(work)
    house.clock.advance(timedelta(days=12))
    await Promises(house.store, house.office, house.clock, lambda _: None).sweep()
    await house.webhooks.settle()
    told = {each.event["type"]: each.event["data"] for each in receiver.got}
    assert told["clock.deferred"]["chosen"] == "2026-12-09"
    assert told["clock.deferred"]["commitment"] == "home_visit"
    assert told["conversation.taken_over"]["conversation"] == tap.conversation_id
    assert told["handover.taken"]["case"] == power.reference
    missed = [each.event["data"] for each in receiver.got if each.event["type"] == "clock.missed"]
    assert (tap.reference, "routine_repair") in {(each["case"], each["commitment"]) for each in missed}


async def test_cases_of_people_at_risk_are_told_only_to_those_who_may_know(house: House, receiver: Receiver) -> None:
    await house.listen(receiver.url)
    await house.open("service_request", "safeguarding")
    await house.webhooks.settle()
    assert receiver.got == []
    await house.listen(f"{receiver.url}?trained", in_confidence=True)
    case = await house.open("service_request", "safeguarding", address="+447700900456")
    await house.webhooks.settle()
    assert {each.event["data"].get("case") for each in receiver.got} == {case.reference}


async def test_what_was_undone_is_never_told(house: House, receiver: Receiver) -> None:
    await house.listen(receiver.url)
    case = await house.open()

    def fails(session: Session) -> None:
        cases.close(session, house.office, session.get_one(Case, case.id), "Done.", house.staff, now=house.now)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError):
        await house.run(fails)
    await house.webhooks.settle()
    assert receiver.types == ["case.opened"]


async def test_what_happened_before_somebody_listened_is_not_told(house: House, receiver: Receiver) -> None:
    await house.open()
    await house.listen(receiver.url)
    assert await house.webhooks.settle() == 0


# --- in trouble


async def test_a_failing_receiver_is_tried_again_after_growing_pauses_and_gets_the_same_event(
    house: House, receiver: Receiver
) -> None:
    await house.listen(receiver.url)
    receiver.answers = [500, 503, 404, 302, 429, 200]
    await house.open()
    pauses = []
    while not receiver.got:
        await house.webhooks.settle()
        hook = await house.hook()
        if hook.next_at is None:
            break
        pauses.append((hook.next_at - house.now).total_seconds())
        assert await house.webhooks.settle() == 0, "not before its time"
        house.clock.move_to(hook.next_at)
    assert [round(pause / expected) for pause, expected in zip(pauses, (30, 60, 120, 240, 480), strict=True)] == [1] * 5
    assert receiver.tries == 6
    hook = await house.hook()
    assert (hook.failures, hook.failing_since, hook.last_error, hook.next_at) == (0, None, None, None)
    assert (await house.rows(WebhookDelivery))[0].attempts == 6


async def test_pauses_grow_to_an_hour_and_no_further(house: House, receiver: Receiver) -> None:
    await house.listen(receiver.url)
    receiver.answers = [500] * 30
    await house.open()
    for _ in range(12):
        await house.webhooks.settle()
        hook = await house.hook()
        assert hook.next_at is not None
        assert hook.next_at - house.now <= timedelta(hours=1.1)
        house.clock.move_to(hook.next_at)
    assert hook.next_at - house.now == timedelta(0)


async def test_a_receiver_that_asks_for_time_is_given_it(house: House, receiver: Receiver) -> None:
    await house.listen(receiver.url)
    receiver.answers, receiver.headers = [429], {"Retry-After": "600"}
    await house.open()
    await house.webhooks.settle()
    hook = await house.hook()
    assert hook.next_at is not None
    assert hook.next_at - house.now >= timedelta(seconds=540)


async def test_a_connection_that_breaks_off_may_have_delivered_so_it_comes_again_with_the_same_id(
    house: House, receiver: Receiver
) -> None:
    await house.listen(receiver.url)
    receiver.answers = [0]
    await house.open()
    await house.webhooks.settle()
    hook = await house.hook()
    assert "broke off" in (hook.last_error or "")
    assert hook.next_at is not None
    house.clock.move_to(hook.next_at)
    await house.webhooks.settle()
    assert (receiver.tries, len(receiver.got)) == (2, 1)
    assert receiver.got[0].id == (await house.rows(WebhookDelivery))[0].event_id


async def test_what_happens_meanwhile_waits_behind_and_arrives_in_order(house: House, receiver: Receiver) -> None:
    await house.listen(receiver.url, "case.opened", "case.closed")
    receiver.answers = [500]
    case = await house.open()
    await house.webhooks.settle()
    await closed(house, case)
    house.clock.advance(timedelta(seconds=1))
    other = await house.open(address="+447700900456")
    assert await house.webhooks.settle() == 0
    hook = await house.hook()
    assert hook.next_at is not None
    house.clock.move_to(hook.next_at)
    assert await house.webhooks.settle() == 3
    assert [(each.event["type"], each.event["data"]["case"]) for each in receiver.got] == [
        ("case.opened", case.reference), ("case.closed", case.reference), ("case.opened", other.reference),
    ]  # fmt: skip


async def test_what_happens_at_one_instant_is_told_in_the_order_in_which_it_was_done(
    house: House, receiver: Receiver
) -> None:
    await house.listen(receiver.url, "case.opened", "handover.started")
    for number in range(10, 16):
        await house.open("repair", "no_power", address=f"+4477009004{number}")
    await house.webhooks.settle()
    assert receiver.types == ["case.opened", "handover.started"] * 6


async def test_one_that_is_down_keeps_no_other_waiting(house: House, receiver: Receiver) -> None:
    await house.listen("http://127.0.0.1:9/nobody")
    await house.listen(receiver.url)
    await house.open()
    await house.webhooks.settle()
    assert receiver.types == ["case.opened"]
    down = next(each for each in await house.rows(Webhook) if ":9" in each.url)
    assert down.last_error == "could not be reached"


# --- given up


async def test_after_days_of_failure_it_is_disabled_and_a_manager_is_asked_to_look(
    house: House, receiver: Receiver
) -> None:
    await house.listen(receiver.url + "?key=secret")
    receiver.answers = [500] * 1000
    case = await house.open()
    started = house.now
    while (hook := await house.hook()).disabled_at is None:
        await house.webhooks.settle()
        hook = await house.hook()
        if hook.next_at is not None:
            house.clock.move_to(hook.next_at)
    assert hook.disabled_at is not None
    assert GIVE_UP_AFTER <= hook.disabled_at - started <= GIVE_UP_AFTER + timedelta(hours=1.2)
    asked = next(each for each in await house.rows(Task) if each.kind == "webhook_disabled")
    assert (asked.case_id, asked.conversation_id, asked.role) == (case.id, case.conversation_id, "manager")
    assert asked.detail == "127.0.0.1: answered 500. Waiting: 1."
    assert next(each for each in await house.rows(Event) if each.verb == "webhook_disabled").subject == hook.id
    tries = receiver.tries
    await house.open(address="+447700900456")
    house.clock.advance(timedelta(days=1))
    assert await house.webhooks.settle() == 0
    assert receiver.tries == tries
    assert len(await waiting(house)) == 1, "what happens now is left out"


async def test_one_that_works_again_in_time_is_not_disabled(house: House, receiver: Receiver) -> None:
    await house.listen(receiver.url)
    for _ in range(3):
        receiver.answers = [500]
        await house.open()
        await house.webhooks.settle()
        house.clock.advance(timedelta(days=2))
        await house.webhooks.settle()
    assert (await house.hook()).disabled_at is None
    assert len(receiver.got) == 3


async def test_one_that_says_it_is_gone_is_disabled_at_once(house: House, receiver: Receiver) -> None:
    await house.listen(receiver.url)
    receiver.answers = [410]
    await house.open()
    await house.webhooks.settle()
    assert (await house.hook()).disabled_at == house.now
    assert [each.kind for each in await house.rows(Task)].count("webhook_disabled") == 1


@pytest.mark.parametrize("skip", [False, True])
async def test_enabled_again_it_begins_with_what_waited_or_without(
    house: House, receiver: Receiver, skip: bool
) -> None:
    hook = await house.listen(receiver.url)
    receiver.answers = [410]
    case = await house.open()
    await house.webhooks.settle()
    now = house.now
    await house.run(lambda s: hooks.enable(s, house.office, hook.id[:20], now=now, actor="test", skip=skip))
    later = await house.open(address="+447700900456")
    await house.webhooks.settle()
    told = [each.event["data"]["case"] for each in receiver.got]
    assert told == ([later.reference] if skip else [case.reference, later.reference])


# --- restarts, several processes, housekeeping


async def test_what_a_process_was_sending_when_it_died_is_sent_by_the_next(house: House, receiver: Receiver) -> None:
    hook = await house.listen(receiver.url)
    await house.open()
    now = house.now
    assert await house.run(lambda s: hooks.lease(s, hook.id, now=now)) is not None
    after = Webhooks(house.store, house.office, house.clock, give_up_after=GIVE_UP_AFTER)
    assert await after.settle() == 0, "another process may be sending it"
    house.clock.advance(LEASE)
    assert await after.settle() == 1
    await after.close()
    assert receiver.types == ["case.opened"]


async def test_of_two_processes_one_sends(house: House, receiver: Receiver) -> None:
    hook = await house.listen(receiver.url)
    await house.open()
    now = house.now
    leased = [await house.run(lambda s: hooks.lease(s, hook.id, now=now)) for _ in range(2)]
    assert leased[0] is not None
    assert leased[1] is None


async def test_what_arrived_is_forgotten_after_a_month(house: House, receiver: Receiver) -> None:
    await house.listen(receiver.url)
    await house.open()
    await house.webhooks.settle()
    house.clock.advance(timedelta(days=31))
    await house.open(address="+447700900456")
    await house.webhooks.settle()
    assert len(await house.rows(WebhookDelivery)) == 1


async def test_removed_it_is_told_nothing_and_nothing_waits(house: House, receiver: Receiver) -> None:
    hook = await house.listen(receiver.url)
    await house.open()
    now = house.now
    await house.run(lambda s: hooks.remove(s, house.office, hook.url, now=now, actor="test"))
    assert await house.webhooks.settle() == 0
    assert await house.rows(WebhookDelivery) == []


async def test_a_ping_shows_whether_anything_arrives(house: House, receiver: Receiver) -> None:
    hook = await house.listen(receiver.url, "case.closed")
    now = house.now
    await house.run(lambda s: hooks.ping(s, house.office, hook.id, now=now))
    await house.webhooks.settle()
    assert receiver.types == ["webhook.ping"]
    assert verified(hook.secret, receiver)


async def test_the_log_names_no_address(house: House, caplog: pytest.LogCaptureFixture) -> None:
    await house.listen("http://127.0.0.1:9/secret-path?key=hidden")
    await house.open()
    with caplog.at_level(logging.DEBUG, logger="bot"):
        await house.webhooks.settle()
    assert "webhook_not_delivered" in caplog.text
    assert "secret-path" not in caplog.text + repr([vars(each) for each in caplog.records])


@pytest.mark.parametrize(
    "url",
    ["http://example.org/x", "ftp://example.org", "https://", "https://u:p@example.org", "https://example.org/#a", "x"],
)
async def test_an_address_that_would_carry_it_in_the_clear_or_nowhere_is_refused(house: House, url: str) -> None:
    with pytest.raises(WebhookError):
        await house.listen(url)


async def test_an_event_that_does_not_exist_is_refused_with_those_that_do(house: House) -> None:
    with pytest.raises(WebhookError, match=r"case.exploded is not an event; there are case.opened"):
        await house.listen("https://example.org", "case.exploded")


@pytest.mark.postgres
async def test_on_postgresql_it_is_the_same(tmp_path: Path, postgres_server: str, receiver: Receiver) -> None:
    import uuid

    import psycopg

    name = f"d{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    async with open_house(tmp_path, database_url=f"{postgres_server}/{name}") as house:
        await house.listen(receiver.url)
        receiver.answers = [500]
        opened = [await house.open(address=f"+4477009001{number}") for number in range(10, 13)]
        await house.webhooks.settle()
        hook = await house.hook()
        assert hook.next_at is not None
        house.clock.move_to(hook.next_at)
        await house.webhooks.settle()
        assert [each.event["data"]["case"] for each in receiver.got] == [each.reference for each in opened]
        await house.let_in()
        first = (await house.get("/cases?limit=2")).json
        second = (await house.get(f"/cases?limit=2&cursor={first['next']}&updated_since=2026-11-23T10:00:00Z")).json
        read = [each["reference"] for each in first["cases"] + second["cases"]]
        assert read == [each.reference for each in opened][::-1]
        assert (await house.get("/cases?due_before=2027-01-01T00:00:00Z&limit=1")).status == 200
        assert (await house.get("/conversations?updated_since=2026-11-23T10:00:00Z")).status == 200

        def work(session: Session) -> int:
            return len(session.exec(select(Event).where(Event.verb == "api_read")).all())

        assert await house.run(work) == 4
