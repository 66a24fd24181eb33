"""What simulated years have found: each of these once let a promise be broken without a word."""

from datetime import UTC, date, datetime, timedelta

from sqlmodel import Session

from bot.channels import Blocked
from bot.desk import case as cases
from bot.desk import clock as clocks
from bot.desk import conversation as desk
from bot.desk import milestone, update
from bot.desk import task as tasks
from bot.desk.update import Content
from bot.messages import ChannelName, OpenCase
from bot.sla.performance import telling_counts_from
from bot.store import Store, conversations
from bot.store.tables import Case, Clock, Message
from tests.unit.promises.house import House


async def get(house: House, case: Case, commitment: str) -> Clock:
    return (await house.clocks(case))[commitment]


async def test_what_was_told_early_is_told_again_when_the_time_is_nearly_over(house: House) -> None:
    case = await house.open()
    clock = await get(house, case, "routine_repair")
    early = clock.deemed_at + timedelta(days=2)
    await house.until_instant(early)
    said = Content("The part has not come.", "Our supplier is late.", expected=date(2026, 12, 8))
    await house.run(lambda s: update.give(s, house.office, clock.id, said, house.staff, now=house.now))
    await house.deliver()
    assert [each.kind for each in await house.updates()] == ["apology"]

    await house.until_instant(clock.due_at + timedelta(days=1))

    rule = house.office.policy.commitments["routine_repair"]
    since = telling_counts_from(clock.deemed_at, clock.due_at, rule, house.office.policy.calendar)
    about = [each for each in await house.updates() if clock.id in each.detail["clocks"]]
    assert [since <= each.sent_at < clock.due_at for each in about] == [False, True]


async def test_an_outcome_that_nobody_read_is_rung_about_though_there_was_a_call_before(house: House) -> None:
    case = await house.open("enquiry", "general")
    await house.prefer(case, phone="+447700900123")
    house.lines[ChannelName.SMS].fails = Blocked
    clock = await get(house, case, "full_reply")
    await house.until_instant(clock.due_at - timedelta(hours=3))
    for call in await house.tasks("ring_about_promise"):
        await house.run(lambda s, call=call: tasks.done(s, house.office, call.id, house.staff, now=house.now))

    def close(session: Session) -> None:
        mine = session.get_one(Case, case.id)
        cases.close(session, house.office, mine, "Yes, you may keep a dog.", house.staff, now=house.now)

    await house.run(close)
    await house.deliver()
    (call,) = await house.tasks("ring_about_promise")
    assert "Yes, you may keep a dog." in call.detail
    await house.run(lambda s: tasks.done(s, house.office, call.id, house.staff, now=house.now))
    kept = await get(house, case, "full_reply")
    assert (kept.state, kept.met_at <= kept.due_at) == ("met", True)


async def test_two_things_to_ring_about_are_one_call_that_says_both(house: House) -> None:
    case = await house.open("enquiry", "general")
    await house.prefer(case, preferred_channel="phone", phone="+447700900123")
    await house.until_instant((await get(house, case, "full_reply")).due_at - timedelta(hours=1))
    calls = await house.tasks("ring_about_promise")
    assert len(calls) == 1
    told = {*calls[0].about["clocks"], *calls[0].about["meets"]}
    assert (await get(house, case, "full_reply")).id in told
    assert calls[0].detail == calls[0].about["words"]


async def test_a_call_for_which_the_office_closes_too_soon_is_for_whoever_is_on_call(house: House) -> None:
    case = await house.open("repair", "blocked_flue")  # one working day by law, until midnight
    house.lines[ChannelName.SMS].fails = Blocked
    clock = await get(house, case, "right_to_repair_1")
    await house.until_instant(clock.due_at - timedelta(minutes=1), step=timedelta(minutes=30))
    calls = [each for each in await house.tasks("ring_about_promise") if clock.id in each.about["clocks"]]
    assert [each.due_at <= clock.due_at for each in calls] == [True]
    in_hours = house.office.policy.calendar.deemed_received(calls[0].created_at + timedelta(minutes=30))
    assert calls[0].urgent == (calls[0].due_at <= in_hours)


async def test_a_warning_that_nobody_reads_leaves_time_to_ring_also_with_two_hours_to_come(store: Store) -> None:
    house = House(store, "east_lothian")
    case = await house.open("repair", "no_power", channel="web", address="session-1")
    await house.prefer(case, phone="+447700900123")
    clock = await get(house, case, "emergency_repair")
    await house.until_instant(clock.due_at - timedelta(minutes=10), step=timedelta(minutes=1))
    calls = [each for each in await house.tasks("ring_about_promise") if clock.id in each.about["clocks"]]
    assert len(calls) == 1
    assert calls[0].created_at <= clock.due_at - timedelta(minutes=10)


async def test_a_report_that_is_finished_weeks_later_is_promised_from_then(house: House) -> None:
    begun, now = datetime(2026, 11, 2, 10, tzinfo=UTC), house.now

    def work(session: Session) -> Case:
        talk, _ = desk.find_or_start(session, house.office, "sms", "+447700900123", now=now)
        asked = OpenCase("service_request", "callback", "ring me", "a call", details={"when_suits": "mornings"})
        case = cases.open_case(session, house.office, talk, asked, received_at=begun, now=now)
        conversations.save(session, talk)
        return case

    case = await house.run(work)
    assert all(each.due_at > now for each in (await house.clocks(case)).values())
    assert case.details == {"when_suits": "mornings", "begun": begun.isoformat()}


async def test_a_report_that_is_finished_within_its_time_counts_from_its_beginning(house: House) -> None:
    begun, now = house.now - timedelta(hours=1), house.now

    def work(session: Session) -> Case:
        talk, _ = desk.find_or_start(session, house.office, "sms", "+447700900123", now=now)
        asked = OpenCase("repair", "dripping_tap", "it drips", "Dripping tap")
        case = cases.open_case(session, house.office, talk, asked, received_at=begun, now=now)
        conversations.save(session, talk)
        return case

    case = await house.run(work)
    assert (case.received_at, "begun" in case.details) == (begun, False)
    assert [each.kind for each in await house.rows(Message)] == ["acknowledgement"]


async def test_the_first_update_is_promised_from_when_the_case_is_acknowledged(house: House) -> None:
    begun, now = house.now - timedelta(days=7, hours=2), house.now

    def work(session: Session) -> Case:
        talk, _ = desk.find_or_start(session, house.office, "web", "session-1", now=now)
        asked = OpenCase("repair", "damp_mould", "mould", "Damp or mould")
        case = cases.open_case(session, house.office, talk, asked, received_at=begun, now=now)
        conversations.save(session, talk)
        return case

    case = await house.run(work)
    assert case.received_at == begun
    assert (await get(house, case, "progress_update")).started_at == now


async def test_whoever_writes_from_a_closed_office_is_not_promised_to_be_seen_in_a_quarter_of_an_hour(
    house: House,
) -> None:
    await house.until_instant(datetime(2026, 11, 24, 21, 29, tzinfo=UTC))
    case = await house.open("service_request", "office_arrival")
    assert "office_visit" not in await house.clocks(case)
    (said,) = [each for each in await house.rows(Message) if each.case_id == case.id]
    assert "closed, so nobody can see you" in said.text
    await house.until_instant(datetime(2026, 11, 25, 10, tzinfo=UTC))
    again = await house.open("service_request", "office_arrival", address="+447700900777")
    assert "office_visit" in await house.clocks(again)


async def test_with_minutes_left_a_person_is_asked_ahead_to_say_what_a_page_may_not_show(house: House) -> None:
    case = await house.open("service_request", "office_arrival", channel="web", address="session-1")
    clock = await get(house, case, "office_visit")
    await house.until_instant(clock.deemed_at + timedelta(minutes=8), step=timedelta(minutes=1))
    (call,) = await house.tasks("ring_about_promise")
    assert (call.urgent, call.due_at, call.about["from"]) == (True, clock.due_at, clock.warn_from.isoformat())
    await house.until_instant(clock.warn_from + timedelta(minutes=1), step=timedelta(minutes=1))
    await house.run(lambda s: tasks.done(s, house.office, call.id, house.staff, now=house.now))
    await house.until_instant(clock.due_at + timedelta(minutes=5), step=timedelta(minutes=1))
    clock = await get(house, case, "office_visit")
    assert (clock.state, clock.warn_from <= clock.told_at < clock.due_at) == ("missed", True)
    assert await house.tasks("ring_about_promise") == []


async def test_what_is_kept_while_its_clock_stands_still_is_kept_in_time(house: House) -> None:
    case = await house.open()
    clock = await get(house, case, "routine_repair")
    await house.until_instant(clock.due_at - timedelta(hours=3), step=timedelta(hours=6))

    def nobody_in(session: Session) -> None:
        stopped = session.get_one(Clock, clock.id)
        clocks.pause(session, house.office, stopped, "no_access", "Nobody let us in.", house.staff, now=house.now)

    def done(session: Session) -> None:
        mine = session.get_one(Case, case.id)
        milestone.reached(session, house.office, mine, "completed", house.staff, now=house.now)

    await house.run(nobody_in)
    await house.until_instant(clock.due_at + timedelta(days=2))
    await house.run(done)
    kept = await get(house, case, "routine_repair")
    assert (kept.state, kept.due_at > clock.due_at, kept.met_at <= kept.due_at) == ("met", True, True)
    assert [list(each) for each in kept.pauses] == [["from", "why", "reason", "by", "to"]]


async def test_an_open_case_of_which_all_was_kept_in_time_is_not_forgotten(house: House) -> None:
    case = await house.open("repair", "no_power")
    await house.until_instant(house.now + timedelta(hours=2))

    def done(session: Session) -> None:
        mine = session.get_one(Case, case.id)
        milestone.reached(session, house.office, mine, "completed", house.staff, now=house.now)

    await house.run(done)
    update_due = (await get(house, case, "progress_update")).due_at
    assert update_due == house.office.policy.explain("progress_update", house.now).due
    await house.until_instant(update_due)
    assert [each.kind for each in await house.updates()] == ["update"]


async def test_quiet_hours_that_cover_all_of_the_time_in_which_it_counts_give_way(house: House) -> None:
    await house.until_instant(datetime(2026, 11, 23, 23, tzinfo=UTC))
    case = await house.open("repair", "blocked_flue")  # one working day by law, until midnight
    await house.prefer(case, quiet_from="18:00", quiet_until="11:00")
    clock = await get(house, case, "right_to_repair_1")
    await house.until_instant(clock.due_at + timedelta(minutes=1), step=timedelta(minutes=30))
    told = (await get(house, case, "right_to_repair_1")).told_at
    assert told is not None
    assert clock.warn_from <= told < clock.due_at
