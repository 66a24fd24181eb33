"""What has been written and does not get through is said by a person while there is time."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from bot.channels import TemporaryFailure
from bot.desk import case as cases
from bot.desk import handover as handovers
from bot.desk import milestone, notice, update
from bot.desk import task as tasks
from bot.desk.conversation import NotAllowed
from bot.desk.update import Content
from bot.links import Links
from bot.messages import ChannelName
from bot.reports.report import verdicts
from bot.sla.performance import Verdict
from bot.store import Store
from bot.store.tables import Case, Clock, Task
from bot.surveys import Surveys
from tests.unit.promises.house import House

MINUTE = timedelta(minutes=1)


async def get(house: House, case: Case, commitment: str) -> Clock:
    return (await house.clocks(case))[commitment]


async def verdict_of(house: House, case: Case, clock: Clock) -> Verdict:
    judged = await house.run(lambda s: verdicts(s, house.office.policy, now=house.now))
    mine = (case.reference, clock.commitment, clock.due_at)
    (found,) = [verdict for each, verdict in judged if (each.case, each.commitment, each.due) == mine]
    return found


async def ring_about(house: House, *calls: Task) -> None:
    for call in calls:
        await house.run(lambda s, call=call: tasks.done(s, house.office, call.id, house.staff, now=house.now))


@pytest.mark.parametrize("policy", ["berwickshire", "east_lothian"])
async def test_a_warning_that_the_network_will_not_take_is_rung_about_before_the_time_is_over(
    store: Store, policy: str
) -> None:
    house = House(store, policy)
    case = await house.open("repair", "no_power")
    clock = await get(house, case, "emergency_repair")
    house.lines[ChannelName.SMS].fails = TemporaryFailure  # for hours

    await house.until_instant(clock.due_at - 8 * MINUTE, step=MINUTE)

    (call,) = await house.tasks("ring_about_promise")
    assert clock.id in call.about["clocks"]
    assert call.urgent
    assert call.created_at <= clock.due_at - 10 * MINUTE
    await ring_about(house, call)
    await house.until_instant(clock.due_at + 30 * MINUTE, step=MINUTE)
    assert await verdict_of(house, case, clock) is Verdict.MISSED_AND_TOLD
    assert len(await house.tasks("ring_about_promise")) == 0


async def test_a_warning_that_waits_behind_another_message_is_rung_about_as_well(house: House) -> None:
    case = await house.open("repair", "no_power")
    clock = await get(house, case, "emergency_repair")
    await house.until_instant(clock.warn_from - 5 * MINUTE, step=timedelta(minutes=30))
    house.lines[ChannelName.SMS].fails = TemporaryFailure
    await house.open("repair", "gutter")  # its acknowledgement is tried again and again, and what follows waits for it
    await house.until_instant(clock.due_at - 8 * MINUTE, step=MINUTE)
    (call,) = await house.tasks("ring_about_promise")
    assert clock.id in call.about["clocks"]


async def test_what_gets_through_in_time_is_not_rung_about(house: House) -> None:
    case = await house.open("repair", "no_power")
    clock = await get(house, case, "emergency_repair")
    line = house.lines[ChannelName.SMS]
    line.fails = TemporaryFailure
    await house.until_instant(clock.warn_from + (clock.due_at - clock.warn_from) / 2 + 5 * MINUTE, step=MINUTE)
    line.fails = None
    await house.until_instant(clock.due_at, step=MINUTE)
    assert await house.tasks("ring_about_promise") == []
    assert await verdict_of(house, case, clock) is Verdict.MISSED_AND_TOLD


async def test_a_call_that_nobody_makes_becomes_urgent_and_the_managers_before_it_is_due(house: House) -> None:
    case = await house.open()
    await house.prefer(case, preferred_channel="phone", phone="+447700900123")
    clock = await get(house, case, "routine_repair")
    while not any(clock.id in each.about["clocks"] for each in await house.tasks("ring_about_promise")):
        await ring_about(house, *await house.tasks("ring_about_promise"))
        await house.until_instant(house.now + timedelta(hours=1))
    calls = await house.tasks("ring_about_promise")
    assert [(each.urgent, each.role == "manager") for each in calls] == [(False, False)]
    await house.until_instant(clock.planned_at - timedelta(hours=1))
    assert [(each.urgent, each.role) for each in await house.tasks("ring_about_promise")] == [(True, "manager")]


async def test_closing_one_case_does_not_take_back_what_is_said_of_another(house: House) -> None:
    first = await house.open()
    second = await house.open(category="gutter")
    clock = await get(house, second, "routine_repair")
    await house.until_instant(clock.warn_from)
    house.lines[ChannelName.SMS].fails = TemporaryFailure
    while (await get(house, second, "routine_repair")).told_by is None:
        await house.until_instant(house.now + timedelta(minutes=10))

    def close(session: Session) -> None:
        cases.close(session, house.office, session.get_one(Case, first.id), "It is done.", house.staff, now=house.now)

    await house.run(close)
    house.lines[ChannelName.SMS].fails = None
    await house.until_instant(clock.due_at + MINUTE)
    assert await verdict_of(house, second, clock) is Verdict.MISSED_AND_TOLD


async def test_an_answer_that_is_not_read_is_rung_about_before_it_is_late(house: House) -> None:
    case = await house.open("enquiry", "general", channel="web", address="session-1")
    await house.prefer(case, phone="+447700900123")
    clock = await get(house, case, "full_reply")
    await house.until_instant(clock.due_at - timedelta(minutes=16), step=timedelta(minutes=7))
    await ring_about(house, *await house.tasks("ring_about_promise"))

    def close(session: Session) -> None:
        mine = session.get_one(Case, case.id)
        cases.close(session, house.office, mine, "Yes, you may keep a dog.", house.staff, now=house.now)

    await house.run(close)
    await house.until_instant(clock.due_at - 7 * MINUTE, step=MINUTE)
    (call,) = await house.tasks("ring_about_promise")
    assert "Yes, you may keep a dog." in call.detail


async def test_a_call_that_was_asked_for_late_becomes_the_managers_as_well(house: House) -> None:
    case = await house.open("enquiry", "general")
    clock = await get(house, case, "full_reply")
    await house.until_instant(clock.due_at - timedelta(hours=5), step=timedelta(hours=1))
    house.lines[ChannelName.SMS].fails = TemporaryFailure  # from now on its provider is out of order
    await house.until_instant(clock.due_at - timedelta(minutes=20), step=timedelta(minutes=10))
    (call,) = [each for each in await house.tasks("ring_about_promise") if clock.id in each.about["clocks"]]
    assert (call.urgent, call.role) == (True, "manager")


async def test_news_for_a_manager_who_cannot_be_reached_goes_to_whoever_can(house: House) -> None:
    case = await house.open("repair", "no_power")
    only_the_line = [["text"], [], [], []]

    def lease(session: Session) -> list[tuple[int, str]]:
        until = house.now + MINUTE
        leased = notice.lease_due(session, house.office, only_the_line, now=house.now, until=until)
        return [(each.rung, each.route) for each in leased]

    def warn(session: Session) -> None:
        handover = handovers.of_case(session, case.id)
        assert handover is not None
        handovers.take(session, house.office, handover.id, by="24-hour line", how="text", now=house.now, rung=0)
        notice.notify(session, house.office, handover, "notice", "notice_nobody_came", now=house.now, rung=1)

    await house.run(warn)
    assert await house.run(lease) == []
    assert await house.run(lease) == [(0, "text")]


async def test_a_survey_on_a_page_that_nobody_reads_is_rung_about_in_time(store: Store) -> None:
    house = House(store, "east_lothian")
    case = await house.open(channel="web", address="session-1")
    await house.prefer(case, phone="+447700900123")

    def finish(session: Session) -> None:
        mine = session.get_one(Case, case.id)
        milestone.reached(session, house.office, mine, "completed", house.staff, now=house.now)

    await house.run(finish)
    promised = await get(house, case, "repair_survey")
    await house.until_instant(promised.warn_from, step=MINUTE * 20)

    def apologise(session: Session) -> None:
        update.give(session, house.office, promised.id, Content("We will ask you."), house.staff, now=house.now)

    with pytest.raises(NotAllowed):  # there is nothing to tell about it: it is kept by asking
        await house.run(apologise)
    links = Links("k" * 40, "https://doorstep.example.org", house.clock)
    surveys = Surveys(store, house.office, links, house.clock, house.outbox.nudge)
    while not any(promised.id in each.about.get("meets", ()) for each in await house.tasks("ring_about_promise")):
        assert house.now < promised.due_at
        await surveys.sweep()
        await house.until_instant(house.now + MINUTE * 10)
    await ring_about(house, *await house.tasks("ring_about_promise"))
    kept = await get(house, case, "repair_survey")
    assert (kept.state, kept.met_at <= kept.due_at) == ("met", True)
