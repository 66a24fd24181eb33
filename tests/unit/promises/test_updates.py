"""Progress updates: asked for, given, sent in time, never invented, never after the end."""

import itertools
from datetime import UTC, date, datetime

import pytest
from sqlmodel import Session

from bot.desk import case as cases
from bot.desk import conversation as desk
from bot.desk import milestone, update
from bot.desk.conversation import NotAllowed
from bot.desk.update import Content
from bot.sla.calendar import local
from bot.store.tables import Case, Clock, Event, Message, Task
from tests.unit.promises.house import House


def at(day: int, hour: int, minute: int = 0, month: int = 12) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


async def update_clock(house: House, case: Case) -> Clock:
    return await house.run(lambda session: next(
        each for each in session.exec(update.select(Clock).where(Clock.case_id == case.id, Clock.state == "running"))
        if each.commitment == "progress_update"
    ))  # fmt: skip


async def give(house: House, case: Case, **content: object) -> None:
    clock = await update_clock(house, case)
    said = Content(**({"what": "We have ordered the part."} | content))  # type: ignore[arg-type]
    await house.run(lambda session: update.give(session, house.office, clock.id, said, house.staff, now=house.now))


async def test_a_case_that_takes_longer_than_five_working_days_promises_an_update_when_it_is_opened(
    house: House,
) -> None:
    case = await house.open()
    acknowledgement = (await house.rows(Message))[0]
    assert "Tuesday 1 December" in acknowledgement.text  # St Andrew's Day is left out
    assert (await house.clocks(case))["progress_update"].due_at == at(1, 17)


async def test_staff_are_asked_two_working_days_ahead_once(house: House) -> None:
    await house.open()
    await house.until_instant(at(26, 8, 30, month=11))
    assert await house.tasks("give_update") == []
    await house.until_instant(at(30, 12, month=11))
    (task,) = await house.tasks("give_update")
    assert task.created_at == at(26, 9, month=11)
    assert task.role == "owner"


async def test_a_draft_says_what_has_happened_since(house: House) -> None:
    case = await house.open()
    await house.until_instant(at(25, 12, month=11))
    await house.run(lambda s: milestone.reached(
        s, house.office, s.get_one(Case, case.id), "made_safe", house.staff, now=house.now
    ))  # fmt: skip
    await house.until_instant(at(26, 12, month=11))
    (draft,) = await house.run(lambda s: update.drafts(s, house.office, now=house.now))
    assert draft.happened == ("We made it safe on Wednesday 25 November.",)
    assert draft.reference == case.reference
    assert local(draft.sent_at).hour == 13


async def test_what_staff_give_is_sent_at_once_under_their_name_and_the_next_one_counts_from_it(house: House) -> None:
    case = await house.open()
    await house.until_instant(at(26, 12, month=11))
    await give(house, case, reason="The part is late.", next_step="We will ring you.", expected=date(2026, 12, 4))
    await house.deliver()
    (said,) = await house.updates()
    assert (said.author, said.author_name, said.kind) == ("staff", "Ann Example", "update")
    for words in ("We have ordered the part.", "The part is late.", "Friday 4 December", "Friday 4 December"):
        assert words in said.text
    following = await update_clock(house, case)
    assert following.started_at == at(26, 12, month=11)
    assert house.office.day_in_words(following.due_at, house.now) in said.text
    assert await house.tasks("give_update") == []


async def test_without_content_the_update_says_who_was_asked_and_invents_no_date(house: House) -> None:
    case = await house.open()
    await house.until_instant(at(1, 13))
    (said,) = await house.updates()
    assert "our repairs team" in said.text
    assert "Thursday 26 November" in said.text
    following = await update_clock(house, case)
    assert house.office.day_in_words(following.due_at, house.now) in said.text
    assert said.text.count("December") == 1, "one date: that of the next update"
    (task,) = await house.tasks("no_update_given")
    assert task.role == "manager"


async def test_updates_go_on_until_the_case_is_closed_and_never_after(house: House) -> None:
    case = await house.open("enquiry", "general")
    await house.until_instant(datetime(2027, 1, 15, 12, tzinfo=UTC))
    before = [each for each in await house.updates() if each.kind == "update"]
    gaps = [
        house.office.policy.calendar.working_days_between(local(a.created_at).date(), local(b.created_at).date())
        for a, b in itertools.pairwise(before)
    ]
    assert len(before) > 4
    assert all(gap <= 5 for gap in gaps)
    await house.run(lambda s: cases.close(
        s, house.office, s.get_one(Case, case.id), "Your rent is £412.", house.staff, now=house.now
    ))  # fmt: skip
    await house.deliver()
    closed = len(await house.rows(Message))
    assert (await house.rows(Message))[-1].text.count("Your rent is £412.") == 1
    await house.until_instant(datetime(2027, 3, 1, 12, tzinfo=UTC))
    assert len(await house.rows(Message)) == closed
    assert {each.state for each in await house.rows(Clock)} <= {"met", "missed", "ended"}
    assert all(each.act_at is None for each in await house.rows(Clock))


async def test_a_persons_reply_about_the_case_sets_the_update_back(house: House) -> None:
    case = await house.open()
    await house.until_instant(at(27, 11, month=11))

    def reply(session: Session) -> None:
        desk.take_over(session, house.office, case.conversation_id, house.staff, now=house.now)
        desk.reply(session, house.office, case.conversation_id, house.staff, "The plumber comes Monday.", now=house.now)

    await house.run(reply)
    await house.deliver()
    following = await update_clock(house, case)
    assert following.started_at == at(27, 11, month=11)
    await house.until_instant(at(1, 18))
    assert await house.updates() == []


async def test_what_is_given_at_night_waits_for_the_morning(house: House) -> None:
    case = await house.open()
    await house.until_instant(at(26, 22, month=11))
    await give(house, case)
    await house.deliver()
    assert await house.updates() == []
    await house.until_instant(at(27, 9, month=11))
    (said,) = await house.updates()
    assert said.created_at == at(27, 8, month=11)
    assert "We have ordered the part." in said.text


async def test_one_person_with_three_cases_gets_one_message(house: House) -> None:
    opened = [await house.open(category=each) for each in ("dripping_tap", "gutter", "fence_gate")]
    await house.until_instant(at(1, 18))
    (said,) = await house.updates()
    for case in opened:
        assert case.reference in said.text
    assert said.text.count("We will write to you again by") == 1


async def test_after_a_week_without_power_each_person_is_told_once(house: House) -> None:
    people = [await house.open(address=f"+4477009001{number:02}") for number in range(6)]
    await house.sleep_until(at(21, 11))
    await house.until_instant(at(22, 11))
    told = await house.updates()
    assert sorted(each.address for each in told) == sorted(f"+4477009001{number:02}" for number in range(6))
    assert all("late" in each.text for each in told)
    for case in people:
        assert (await house.clocks(case))["routine_repair"].state == "missed"


async def test_a_machine_that_wakes_at_night_waits_for_the_morning(house: House) -> None:
    await house.open()
    await house.sleep_until(at(2, 3))
    assert await house.updates() == []
    assert (await house.clocks())["progress_update"].missed_at is not None
    await house.until_instant(at(2, 8, 30))
    assert len(await house.updates()) == 1


async def test_the_preferred_channel_is_used(house: House) -> None:
    case = await house.open()
    await house.also_at(case, "telegram", "4242")
    await house.prefer(case, preferred_channel="telegram")
    await house.until_instant(at(1, 18))
    (said,) = await house.updates()
    assert said.channel == "telegram"
    assert (await house.rows(Clock))[-1].commitment == "progress_update"


@pytest.mark.parametrize(("wish", "task"), [
    ({"preferred_channel": "phone"}, "ring_about_promise"),
    ({"preferred_format": "large print", "home_address": "14 High Street"}, "write_about_promise"),
])  # fmt: skip
async def test_who_asked_for_calls_or_large_print_is_left_to_a_person(
    house: House, wish: dict[str, str], task: str
) -> None:
    case = await house.open()
    await house.prefer(case, **wish)
    await house.until_instant(at(1, 18))
    assert await house.updates() == []
    (asked,) = await house.tasks(task)
    assert "We have no news" in asked.detail
    assert asked.due_at <= at(1, 17)


async def test_a_person_at_risk_is_sent_nothing_and_trained_staff_are_asked(house: House) -> None:
    case = await house.open("service_request", "safeguarding")
    repair = await house.open()
    await house.until_instant(at(4, 12))
    assert await house.updates() == []
    asked = await house.tasks("contact_safely")
    assert all(each.urgent for each in asked)
    assert case.reference in "".join(each.detail for each in asked)
    assert (await house.clocks(repair))["routine_repair"].told_by == "phone"


async def test_nothing_can_be_said_about_a_promise_that_was_kept(house: House) -> None:
    case = await house.open()
    clock = (await house.clocks(case))["text_response"]
    assert clock.state == "met"
    with pytest.raises(NotAllowed):
        await house.run(lambda s: update.give(s, house.office, clock.id, Content("x"), house.staff, now=house.now))
    with pytest.raises(NotAllowed, match="Say what"):
        await give(house, case, what=" ")


async def test_closing_needs_an_outcome(house: House) -> None:
    case = await house.open()
    with pytest.raises(NotAllowed):
        await house.run(
            lambda s: cases.close(s, house.office, s.get_one(Case, case.id), " ", house.staff, now=house.now)
        )


async def test_a_message_of_the_past_is_taken_back_when_the_case_is_closed(house: House) -> None:
    case = await house.open()
    await house.until_instant(at(1, 12, 59))
    house.clock.move_to(at(1, 13))
    await house.promises.sweep()
    await house.run(
        lambda s: cases.close(s, house.office, s.get_one(Case, case.id), "Done.", house.staff, now=house.now)
    )
    await house.deliver()
    texts = [each.text for each in house.lines["sms"].sent]
    assert sum("no news" in each for each in texts) == 0
    assert "Done." in texts[-1]


async def test_events_name_what_was_written_and_the_tasks_end_with_the_clock(house: House) -> None:
    case = await house.open()
    await house.until_instant(at(4, 12))
    verbs = {each.verb for each in await house.rows(Event)}
    assert {"update_written", "apology_written", "clock_missed", "promise_warning", "clock_met"} <= verbs
    await house.run(lambda s: milestone.reached(
        s, house.office, s.get_one(Case, case.id), "attended", house.staff, now=house.now
    ))  # fmt: skip
    assert [
        each.kind for each in await house.rows(Task) if each.done_at is None and each.kind == "promise_at_risk"
    ] == []
