"""What an officer does with a case: each form once as it should go, and once refused."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select
from unit.console.house import Browser, Case, House, Task

from bot.desk import case as cases
from bot.desk import clock as clocks
from bot.desk import update
from bot.messages import OpenCase
from bot.store import conversations
from bot.store.tables import Clock, ClockState


@pytest.fixture
async def talk(house: House, ama: Browser) -> str:
    return (await house.tenant_says("my tap is dripping")).conversation_id


async def opened(house: House, talk: str, kind: str, category: str, **details: str) -> str:
    """Another case in the conversation; returns its id."""
    now = house.clock.now()

    def work(session: Session) -> str:
        conversation = conversations.load(session, talk)
        assert conversation is not None
        asked = OpenCase(kind, category, "their words", "what it is about", details=details)
        case = cases.open_case(session, house.office, conversation, asked, received_at=now, now=now)
        conversations.save(session, conversation)
        return case.id

    return await house.store.run(work)


async def case_of(house: House, case_id: str = "") -> Case:
    return next(each for each in await house.rows(Case) if case_id in {each.id, ""})


async def clock_of(house: House, case_id: str, commitment: str) -> Clock:
    def work(session: Session) -> Clock:
        found = session.exec(select(Clock).where(Clock.case_id == case_id, Clock.commitment == commitment))
        return sorted(found, key=lambda each: each.started_at)[-1]

    return await house.store.read(work)


async def send(browser: Browser, talk: str, case_id: str, verb: str, **fields: str) -> None:
    await browser.get(f"/staff/conversations/{talk}")
    await browser.post(f"/staff/cases/{case_id}/{verb}", conversation=talk, **fields)


async def said_last(house: House, talk: str) -> str:
    return (await house.transcript(talk))[-1].text


# --- the update


async def test_the_update_that_is_asked_for_shows_its_deadline_and_goes_out_under_the_officers_name(
    house: House, ama: Browser, talk: str
):
    case = await case_of(house)
    clock = await clock_of(house, case.id, clocks.PROGRESS_UPDATE)
    now = house.clock.now()

    def ask(session: Session) -> None:
        found, held = session.get_one(Case, case.id), session.get_one(Clock, clock.id)
        update.ask(session, house.office, found, held, now=now)

    await house.store.run(ask)
    shown = await ama.get(f"/staff/conversations/{talk}")
    assert "Give the update that is due" in shown
    assert "you were asked and have not answered" in shown
    assert f'href="#update-{case.id}"' in shown

    await ama.post(
        f"/staff/cases/{case.id}/update", conversation=talk, clock=clock.id, what="A washer is on order.",
        reason="The part is out of stock.", next_step="We fit it.", expected="2026-12-01",
    )  # fmt: skip

    assert ama.status == 200
    last = (await house.transcript(talk))[-1]
    assert last.author_name == "Ama Mensah"
    assert all(
        each in last.text for each in ("A washer is on order.", "The part is out of stock.", "Tuesday 1 December")
    )
    assert [each.kind for each in await house.rows(Task) if each.kind == "give_update" and each.done_at is None] == []
    assert "Written, on its way" in ama.page


async def test_an_update_with_a_day_that_is_over_is_refused_and_what_was_typed_stays(
    house: House, ama: Browser, talk: str
):
    case = await case_of(house)
    clock = await clock_of(house, case.id, clocks.PROGRESS_UPDATE)

    await send(ama, talk, case.id, "update", clock=clock.id, what="A <washer> is on order.", expected="2026-11-01")

    assert ama.status == 409
    assert ama.said() == "That day is over. Give a day from today on, or none."
    assert ">A &lt;washer&gt; is on order.</textarea>" in ama.page
    assert f'id="update-{case.id}" open' in ama.page


async def test_an_update_that_says_nothing_is_refused(house: House, ama: Browser, talk: str):
    case = await case_of(house)
    clock = await clock_of(house, case.id, clocks.PROGRESS_UPDATE)

    await send(ama, talk, case.id, "update", clock=clock.id)

    assert ama.said() == "Say what has happened, or why it takes longer."


async def test_the_tenant_is_told_why_a_promise_will_be_late(house: House, ama: Browser, talk: str):
    case = await case_of(house)
    clock = await clock_of(house, case.id, "routine_repair")

    await send(ama, talk, case.id, "update", clock=clock.id, reason="the joiner is ill", expected="2027-01-11")

    assert "the joiner is ill" in await said_last(house, talk)
    assert "Monday 11 January" in await said_last(house, talk)


# --- what happened


async def test_finishing_the_work_earlier_today_is_written_down_and_keeps_the_promise(
    house: House, ama: Browser, talk: str
):
    case = await case_of(house)
    house.clock.advance(timedelta(hours=2))

    await send(ama, talk, case.id, "record", outcome="completed", at="2026-11-23T11:30")

    kept = await clock_of(house, case.id, "routine_repair")
    assert kept.state == ClockState.MET
    assert house.office.local((await case_of(house)).completed_at).hour == 11
    assert "The work is finished" in ama.page
    assert "Kept" in ama.page


async def test_what_is_yet_to_come_cannot_be_written_down(house: House, ama: Browser, talk: str):
    case = await case_of(house)

    await send(ama, talk, case.id, "record", outcome="completed", at="2026-11-24T11:30")

    assert ama.status == 409
    assert ama.said() == "Give a time between the report and now."
    assert (await case_of(house)).completed_at is None


async def test_a_time_that_is_none_is_refused(house: House, ama: Browser, talk: str):
    case = await case_of(house)

    await send(ama, talk, case.id, "record", outcome="completed", at="yesterday")

    assert ama.said().startswith("Give the time as year-month-day and hour")


# --- complaints


async def test_naming_the_handler_tells_the_tenant_and_ticks_the_task_off(house: House, ama: Browser, talk: str):
    complaint = await opened(house, talk, "complaint", "general")

    await send(ama, talk, complaint, "handler", name="Ben Okoro")

    assert (await case_of(house, complaint)).handler == "Ben Okoro"
    assert "Ben Okoro" in await said_last(house, talk)
    assert [
        each.kind for each in await house.rows(Task) if each.kind == "name_complaint_handler" and not each.done_at
    ] == []


async def test_naming_another_handler_afterwards_tells_the_tenant_and_the_same_one_again_is_refused(
    house: House, ama: Browser, talk: str
):
    complaint = await opened(house, talk, "complaint", "general")
    await send(ama, talk, complaint, "handler", name="Ben Okoro")

    await send(ama, talk, complaint, "handler", name="Somebody Else")
    assert "Somebody Else" in await said_last(house, talk)
    await send(ama, talk, complaint, "handler", name="Somebody Else")

    assert ama.status == 409
    assert ama.said().startswith("The tenant was told already that Somebody Else deals with this.")


async def test_a_complaint_goes_to_stage_2_once(house: House, ama: Browser, talk: str):
    complaint = await opened(house, talk, "complaint", "general")

    await send(ama, talk, complaint, "stage2")

    assert (await case_of(house, complaint)).stage == 2
    assert (await clock_of(house, complaint, "complaint_full_response")).state == ClockState.RUNNING
    assert "No longer needed" in ama.page
    await send(ama, talk, complaint, "stage2")
    assert ama.said() == "Only a complaint or an appeal at stage 1 can go to stage 2."


# --- clocks


async def test_a_clock_that_the_policy_lets_wait_is_stopped_with_a_reason_and_runs_on(
    house: House, ama: Browser, talk: str
):
    request = await opened(house, talk, "service_request", "freedom_of_information")
    clock = await clock_of(house, request, "freedom_of_information")

    await send(ama, talk, request, "pause", clock=clock.id, why="clarification", reason="Which year is meant?")

    assert (await clock_of(house, request, "freedom_of_information")).state == ClockState.PAUSED
    assert "Stopped" in ama.page
    assert "Which year is meant?" in ama.page
    house.clock.advance(timedelta(hours=1))
    await send(ama, talk, request, "resume", clock=clock.id)
    assert (await clock_of(house, request, "freedom_of_information")).state == ClockState.RUNNING


async def test_a_clock_that_the_policy_lets_nothing_stop_keeps_running(house: House, ama: Browser, talk: str):
    case = await case_of(house)
    clock = await clock_of(house, case.id, clocks.PROGRESS_UPDATE)

    await send(ama, talk, case.id, "pause", clock=clock.id, why="no_access", reason="nobody in")

    assert ama.status == 409
    assert "what may stop this clock is: nothing" in ama.said()


async def test_a_promise_of_another_case_cannot_be_changed_through_this_one(house: House, ama: Browser, talk: str):
    case = await case_of(house)
    complaint = await opened(house, talk, "complaint", "general")
    clock = await clock_of(house, case.id, "routine_repair")

    await send(ama, talk, complaint, "resume", clock=clock.id)

    assert ama.said() == "There is no such promise on this case."


async def test_a_manager_gives_a_later_date_and_the_tenant_is_told_why(house: House, talk: str):
    manager = await house.sign_in("Mo Grant", house.guest(), role="manager")
    complaint = await opened(house, talk, "complaint", "general")
    clock = await clock_of(house, complaint, "complaint_decision")
    assert "Give a later date" in await manager.get(f"/staff/conversations/{talk}")

    await send(manager, talk, complaint, "extend", clock=clock.id, reason="a witness is away")

    later = await clock_of(house, complaint, "complaint_decision")
    assert later.extends_id == clock.id
    assert later.due_at > clock.due_at
    assert "a witness is away" in await said_last(house, talk)
    assert "Given a later date" in manager.page


async def test_an_officer_is_not_offered_a_later_date_and_is_refused_one(house: House, ama: Browser, talk: str):
    complaint = await opened(house, talk, "complaint", "general")
    clock = await clock_of(house, complaint, "complaint_decision")
    assert "Give a later date" not in await ama.get(f"/staff/conversations/{talk}")

    await send(ama, talk, complaint, "extend", clock=clock.id, reason="a witness is away")

    assert ama.status == 409
    assert ama.said() == "A manager has to approve a later date."


# --- the end


async def test_closing_a_case_tells_the_tenant_the_outcome_and_leaves_nothing_to_do(
    house: House, ama: Browser, talk: str
):
    case = await case_of(house)

    await send(ama, talk, case.id, "close", outcome="The tap has a new washer.", **{"as": "done"})

    assert ama.status == 200
    assert ama.path == f"/staff/conversations/{talk}"
    assert (await case_of(house)).state == "closed"
    assert "The tap has a new washer." in await said_last(house, talk)
    assert "Told at the end:" in ama.page
    assert "Close the case" not in ama.page
    assert [each.kind for each in await house.rows(Task) if each.done_at is None] == []


async def test_closing_without_an_outcome_is_refused(house: House, ama: Browser, talk: str):
    case = await case_of(house)

    await send(ama, talk, case.id, "close", outcome=" ")

    assert ama.status == 409
    assert "with an outcome that the tenant can read" in ama.said()
    assert (await case_of(house)).state == "open"


async def test_an_emergency_that_nobody_has_taken_is_not_closed(house: House, ama: Browser):
    talk = (await house.tenant_says("i smell gas")).conversation_id
    case = await case_of(house)

    await send(ama, talk, case.id, "close", outcome="All is well.")

    assert ama.said().startswith("Nobody has taken this emergency yet.")
    assert (await case_of(house)).state == "open"


# --- who may, and from where


@pytest.mark.parametrize("verb", ["update", "record", "handler", "stage2", "pause", "resume", "extend", "close"])
async def test_every_form_needs_its_token_and_a_case(house: House, ama: Browser, talk: str, verb: str):
    case = await case_of(house)
    await ama.get(f"/staff/conversations/{talk}")

    await ama.post(f"/staff/cases/{case.id}/{verb}", csrf="stolen", conversation=talk)
    assert ama.status == 403
    await ama.get(f"/staff/conversations/{talk}")
    await ama.post(f"/staff/cases/none/{verb}", conversation=talk)
    assert ama.said() == "There is no such case."


async def test_an_auditor_reads_the_case_and_changes_nothing(house: House, talk: str):
    case = await case_of(house)
    auditor = await house.sign_in("Dot Audit", house.guest(), role="auditor")
    assert "Close the case" not in await auditor.get(f"/staff/conversations/{talk}")

    await auditor.post(f"/staff/cases/{case.id}/close", csrf=auditor.field("csrf"), conversation=talk, outcome="Done.")

    assert auditor.status == 409
    assert (await case_of(house)).state == "open"


# --- the tenant chose a later day


async def test_a_later_day_that_the_tenant_chose_is_noted_and_they_are_told_both_days(
    house: House, ama: Browser, talk: str
):
    case_id = await opened(house, talk, "service_request", "home_visit")
    clock = await clock_of(house, case_id, "home_visit")
    shown = await ama.get(f"/staff/conversations/{talk}")
    assert "The tenant chose a later day" in shown
    await ama.post(
        f"/staff/cases/{case_id}/later-day", conversation=talk, clock=clock.id, offered="2026-11-26", chosen="2026-12-09",
        how="message", reason="Away until the 8th",
    )  # fmt: skip
    assert ama.status == 200
    later = await clock_of(house, case_id, "home_visit")
    assert (later.extends_id, f"{later.due_at:%Y-%m-%d %H:%M}") == (clock.id, "2026-12-09 17:00")
    assert "Put off: the tenant chose a later day" in ama.page
    assert "The tenant chose Wednesday 9 December instead, in a message: Away until the 8th." in ama.page
    assert "We had offered you Thursday 26 November." in await said_last(house, talk)


async def test_a_later_day_without_an_offer_in_time_is_refused_and_what_was_typed_stays(
    house: House, ama: Browser, talk: str
):
    case_id = await opened(house, talk, "service_request", "home_visit")
    clock = await clock_of(house, case_id, "home_visit")
    fields = {"offered": "2026-12-05", "chosen": "2026-12-09", "how": "phone", "reason": "Away then"}
    await send(ama, talk, case_id, "later-day", clock=clock.id, **fields)
    assert ama.status == 409
    assert "The day that was offered has to lie between today and Tuesday 1 December" in ama.said()
    assert 'value="Away then"' in ama.page
    assert (await clock_of(house, case_id, "home_visit")).id == clock.id


async def test_nobody_is_offered_to_put_off_what_the_policy_leaves_no_choice_about(
    house: House, ama: Browser, talk: str
):
    case_id = await opened(house, talk, "complaint", "general")
    page = await ama.get(f"/staff/conversations/{talk}")
    clock = await clock_of(house, case_id, "complaint_decision")
    assert f'id="chosen-{clock.id}"' not in page
