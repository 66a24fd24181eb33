"""Before and after a deadline: warnings, apologies, misses, other ways to a person, evidence, pauses, later dates, stages."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import Session

from bot.channels import Blocked
from bot.desk import case as cases
from bot.desk import clock as clocks
from bot.desk import contact as contacts
from bot.desk import handover as handovers
from bot.desk import letter as letters
from bot.desk import milestone, update
from bot.desk import task as tasks
from bot.desk.conversation import NotAllowed
from bot.desk.update import Content
from bot.desk.why import proof as proof_of
from bot.messages import ChannelName, DeliveryState, Receipt
from bot.sla import load_policy
from bot.store import Store, conversations
from bot.store.tables import Case, Clock, HandoverAttempt, Message, PolicyVersion, Staff, Task
from tests.unit.promises.house import House


def at(day: int, hour: int, minute: int = 0, month: int = 12) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


async def get(house: House, case: Case, commitment: str) -> Clock:
    return next(each for each in await house.rows(Clock) if each.case_id == case.id and each.commitment == commitment)


async def reached(house: House, case: Case, outcome: str) -> None:
    await house.run(lambda s: milestone.reached(
        s, house.office, s.get_one(Case, case.id), outcome, house.staff, now=house.now
    ))  # fmt: skip


class TestBeforeADeadline:
    async def test_the_owner_then_the_manager_is_warned_and_then_the_tenant_told_in_time(self, house: House) -> None:
        case = await house.open()
        await house.until_instant(at(4, 12))
        clock = await get(house, case, "routine_repair")
        assert clock.owner_warned_at is not None
        assert clock.manager_warned_at is not None
        assert clock.told_at is not None
        assert clock.warn_from is not None
        assert clock.owner_warned_at < clock.manager_warned_at < clock.told_at < clock.due_at
        assert clock.warn_from <= clock.told_at
        assert (clock.state, clock.told_by) == ("missed", "sms")
        (apology,) = [each for each in await house.updates() if each.kind == "apology"]
        assert "Our last day for this repair is Thursday 3 December." in apology.text
        assert "our repairs team" in apology.text
        assert "complain" in apology.text
        warned = await house.tasks("promise_at_risk", "promise_at_risk_manager", "promise_missed")
        assert sorted(each.kind for each in warned) == ["promise_at_risk", "promise_at_risk_manager", "promise_missed"]

    async def test_a_kept_promise_is_not_apologised_for(self, house: House) -> None:
        case = await house.open()
        await house.until_instant(at(30, 12, month=11))
        await reached(house, case, "attended")
        await house.until_instant(at(4, 12))
        assert [each.kind for each in await house.updates()] == ["update"]
        clock = await get(house, case, "routine_repair")
        assert (clock.state, clock.missed_at) == ("met", None)
        assert await house.tasks("promise_at_risk", "promise_missed") == []

    async def test_a_reason_and_a_date_that_staff_give_are_told(self, house: House) -> None:
        case = await house.open()
        await house.until_instant(at(2, 12))
        clock = await get(house, case, "routine_repair")
        said = Content("The part has not come.", "Our supplier is late.", expected=date(2026, 12, 8))
        await house.run(lambda s: update.give(s, house.office, clock.id, said, house.staff, now=house.now))
        await house.deliver()
        apology = (await house.updates())[-1]
        assert (apology.kind, apology.author_name) == ("apology", "Ann Example")
        for words in ("Our supplier is late.", "Tuesday 8 December", "We may be late"):
            assert words in apology.text
        assert (await get(house, case, "routine_repair")).told_at == at(2, 12)
        await house.until_instant(at(4, 12))
        assert [each.kind for each in await house.updates()].count("apology") == 1

    async def test_a_delay_notice_with_its_reason_keeps_the_promise_of_a_full_reply(self, house: House) -> None:
        case = await house.open("enquiry", "general")
        await house.until_instant(at(30, 12, month=11))
        clock = await get(house, case, "full_reply")
        said = Content("We are still checking.", "A colleague is away.")
        await house.run(lambda s: update.give(s, house.office, clock.id, said, house.staff, now=house.now))
        await house.deliver()
        assert (await get(house, case, "full_reply")).state == "met"

    async def test_an_emergency_at_night_goes_to_the_ladder_and_tells_the_tenant_at_once(self, store: Store) -> None:
        house = House(store, start=at(23, 23, month=11))
        case = await house.open(category="no_power")
        clock = await get(house, case, "emergency_repair")
        await house.until_instant(at(24, 6, month=11))
        alarms = await house.tasks("emergency_at_risk", "emergency_at_risk_manager")
        assert [(each.kind, each.urgent) for each in alarms] == [
            ("emergency_at_risk", True), ("emergency_at_risk_manager", True),
        ]  # fmt: skip
        assert await house.tasks("promise_at_risk", "promise_at_risk_manager") == []
        (warning,) = [each for each in await house.updates() if each.kind == "warning"]
        assert clock.warn_from is not None
        assert clock.warn_from <= warning.created_at < clock.due_at
        assert "0800 652 8104" in warning.text

    async def test_every_promise_that_is_missed_was_told_of_in_its_last_fifth(self, house: House) -> None:
        for number, (kind, category) in enumerate([
            ("repair", "dripping_tap"), ("repair", "extractor_fan"), ("repair", "damp_mould"), ("enquiry", "general"),
            ("complaint", "general"), ("service_request", "subject_access"), ("service_request", "callback"),
            ("service_request", "freedom_of_information"), ("service_request", "home_visit"),
        ]):  # fmt: skip
            await house.open(kind, category, address=f"+4477009002{number:02}")
        await house.until_instant(datetime(2027, 1, 20, tzinfo=UTC))
        missed = [each for each in await house.rows(Clock) if each.missed_at is not None]
        assert len(missed) >= 8
        for each in missed:
            assert each.told_at is not None, each.commitment
            assert each.warn_from <= each.told_at <= each.due_at, each.commitment


class TestWhatProvesWhat:
    async def test_late_evidence_meets_late_and_early_evidence_written_down_late_meets_in_time(
        self, house: House
    ) -> None:
        one, two = await house.open(), await house.open(address="+447700900777")
        await house.until_instant(at(5, 12))
        await reached(house, one, "attended")
        clock = await get(house, one, "routine_repair")
        assert (clock.state, clock.missed_at) == ("met", clock.due_at)
        assert clock.met_at is not None
        assert clock.met_at > clock.due_at
        await house.run(lambda s: milestone.reached(
            s, house.office, s.get_one(Case, two.id), "attended", house.staff, now=house.now, at=at(2, 10)
        ))  # fmt: skip
        assert (await get(house, two, "routine_repair")).missed_at is None

    async def test_completion_proves_attendance_but_attendance_no_completion(self, store: Store) -> None:
        house = House(store, policy="east_lothian")
        case = await house.open()
        await reached(house, case, "attended")
        assert (await get(house, case, "routine_repair")).state == "running"
        await reached(house, case, "completed")
        assert (await get(house, case, "routine_repair")).state == "met"
        assert (await get(house, case, "repair_survey")).state == "running"

    async def test_an_investigation_starts_the_clocks_of_its_summary_and_its_work(self, house: House) -> None:
        case = await house.open(category="damp_mould")
        await house.until_instant(at(25, 12, month=11))
        await reached(house, case, "investigation_completed")
        assert (await get(house, case, "damp_investigation")).state == "met"
        assert (await get(house, case, "damp_summary")).state == "running"
        assert (await get(house, case, "damp_work")).started_at == at(25, 12, month=11)

    async def test_what_only_a_message_proves_is_not_ticked_off(self, house: House) -> None:
        case = await house.open()
        for outcome in ("update", "formal_ack", "nonsense"):
            with pytest.raises(NotAllowed):
                await reached(house, case, outcome)

    async def test_an_answer_keeps_its_promise_once_it_has_arrived(self, house: House) -> None:
        case = await house.open("enquiry", "general")
        await house.run(lambda s: cases.close(
            s, house.office, s.get_one(Case, case.id), "It is £412.", house.staff, now=house.now
        ))  # fmt: skip
        assert (await get(house, case, "full_reply")).state == "answered"
        await house.deliver()
        assert (await get(house, case, "full_reply")).state == "met"

    async def test_closing_without_doing_ends_what_was_promised(self, house: House) -> None:
        case = await house.open()
        await house.run(lambda s: cases.close(
            s, house.office, s.get_one(Case, case.id), "You asked us to leave it.", house.staff, now=house.now,
            as_="withdrawn",
        ))  # fmt: skip
        assert (await get(house, case, "routine_repair")).state == "ended"


class TestWhenAChannelFails:
    async def test_the_next_address_is_used_and_the_clock_shows_it(self, house: House) -> None:
        case = await house.open()
        await house.also_at(case, "telegram", "4242")
        house.lines[ChannelName.SMS].fails = Blocked
        await house.until_instant(at(1, 14))
        first, second = sorted(await house.updates(), key=lambda each: each.channel)
        assert (first.channel, first.state) == ("sms", "failed")
        assert (second.channel, second.state) == ("telegram", "delivered")
        assert not second.text.startswith("BHA:")
        clock = await get(house, case, "progress_update")
        assert (clock.state, clock.told_by) == ("met", "telegram")

    async def test_with_no_address_left_a_person_rings_and_that_keeps_the_promise(self, house: House) -> None:
        case = await house.open()
        house.lines[ChannelName.SMS].fails = Blocked
        await house.until_instant(at(1, 14))
        (task,) = await house.tasks("ring_about_promise")
        clock = await get(house, case, "progress_update")
        assert (clock.state, clock.told_by, clock.told_at) == ("answered", "phone", None)
        await house.run(lambda s: tasks.done(s, house.office, task.id, house.staff, now=house.now))
        clock = await get(house, case, "progress_update")
        assert (clock.state, clock.told_at) == ("met", at(1, 14))

    async def test_a_network_that_says_later_that_it_did_not_arrive_takes_the_evidence_back(self, house: House) -> None:
        case = await house.open()
        house.clock.move_to(at(1, 13))
        await house.promises.sweep()
        await house.outbox.deliver_due()
        assert (await get(house, case, "progress_update")).state == "met"
        (said,) = await house.updates()
        await house.outbox.report(Receipt(ChannelName.SMS, said.provider_id, DeliveryState.FAILED, "30006"))
        clock = await get(house, case, "progress_update")
        assert (clock.state, clock.met_at, clock.told_by) == ("answered", None, "phone")
        assert len(await house.tasks("ring_about_promise")) == 1

    async def test_a_promise_on_a_page_that_nobody_reads_goes_another_way(self, house: House) -> None:
        case = await house.open(channel="web", address="session-1")
        await house.prefer(case, phone="+447700900123")
        house.clock.advance(timedelta(minutes=11))
        await house.beat()
        (acknowledgement, *_) = await house.rows(Message)
        assert (acknowledgement.state, acknowledgement.error) == ("failed", "not_seen")
        (task,) = await house.tasks("ring_about_promise")
        assert case.reference in task.detail

    async def test_a_letter_is_ready_to_print_in_the_name_of_who_sends_it(self, house: House) -> None:
        case = await house.open()
        await house.prefer(case, preferred_channel="letter", home_address="14 High Street", name="Sam Taylor")
        await house.until_instant(at(1, 14))
        (task,) = await house.tasks("write_about_promise")
        assert task.created_at < at(1, 0), "a letter takes longer than a text"
        letter = await house.run(lambda s: letters.compose(s, house.office, task, house.staff, now=house.now))
        text = letter.text
        for words in ("14 High Street", "Dear Sam Taylor", case.reference, "Ann Example", "Repairs officer"):
            assert words in text

    async def test_an_opted_out_tenant_is_rung(self, house: House) -> None:
        case = await house.open()
        conversation = case.conversation_id

        def stop(session: Session) -> None:
            found = conversations.load(session, conversation)
            assert found is not None
            contacts.opt_out(session, house.office, found.address_id, now=house.now)

        await house.run(stop)
        await house.until_instant(at(1, 14))
        assert await house.updates() == []
        assert len(await house.tasks("ring_about_promise")) == 1


class TestPausesAndLaterDates:
    async def test_only_what_the_policy_names_stops_a_clock_and_only_with_a_reason(self, house: House) -> None:
        case = await house.open("service_request", "subject_access")
        clock = await get(house, case, "subject_access")

        async def pause(why: str, reason: str) -> None:
            await house.run(lambda s: clocks.pause(
                s, house.office, s.get_one(Clock, clock.id), why, reason, house.staff, now=house.now
            ))  # fmt: skip

        for why, reason in (("no_access", "shut"), ("identity", "  ")):
            with pytest.raises(NotAllowed):
                await pause(why, reason)
        await pause("identity", "We asked for a bill with your name.")
        assert (await get(house, case, "subject_access")).act_at is None

    async def test_a_clock_goes_on_as_much_later_as_it_stood_still_and_says_why(self, house: House) -> None:
        case = await house.open("service_request", "housing_application")
        clock = await get(house, case, "housing_application")
        await house.run(lambda s: clocks.pause(
            s, house.office, s.get_one(Clock, clock.id), "awaiting_tenant", "Page 3 is missing.", house.staff, now=house.now
        ))  # fmt: skip
        await house.until_instant(at(25, 10, month=11))
        await house.run(lambda s: clocks.resume(
            s, house.office, s.get_one(Clock, clock.id), house.staff, now=house.now
        ))  # fmt: skip
        after = await get(house, case, "housing_application")
        assert clock.due_at == at(1, 17)
        assert after.due_at == at(3, 17)
        proof = await house.run(lambda s: proof_of(s, house.office, s.get_one(Clock, clock.id)))
        assert proof.due == at(3, 17)
        assert any("Page 3 is missing." in step for step in proof.why)

    async def test_a_manager_may_extend_once_and_the_tenant_is_told_why(self, house: House) -> None:
        case = await house.open("complaint", "general")
        clock = await get(house, case, "complaint_decision")
        officer = Staff(
            id=house.office.id(), email="b@example.org", name="B", role="officer", created_at=house.now
        )  # fmt: skip

        def extend(session: Session, who: Staff) -> Clock:
            return update.extend(session, house.office, clock.id, "A witness is away.", who, now=house.now)

        with pytest.raises(NotAllowed):
            await house.run(lambda s: extend(s, officer))
        later = await house.run(lambda s: extend(s, house.staff))
        assert (clock.due_at, later.due_at) == (at(27, 17, month=11), at(7, 17))
        with pytest.raises(NotAllowed):
            await house.run(lambda s: extend(s, house.staff))
        await house.deliver()
        said = (await house.updates())[-1].text
        for words in ("A witness is away.", "Monday 7 December", "Friday 27 November"):
            assert words in said
        proof = await house.run(lambda s: proof_of(s, house.office, s.get_one(Clock, later.id)))
        assert proof.due == later.due_at
        assert any("A witness is away." in step for step in proof.why)

    async def test_stage_2_starts_its_own_clocks_and_names_who_deals_with_it(self, house: House) -> None:
        case = await house.open("complaint", "general")
        await house.run(lambda s: milestone.name_handler(
            s, house.office, s.get_one(Case, case.id), "Jo Example", house.staff, now=house.now
        ))  # fmt: skip
        await house.deliver()
        assert (await get(house, case, "complaint_acknowledgement")).state == "met"
        await house.until_instant(at(25, 12, month=11))
        await house.run(lambda s: cases.close(
            s, house.office, s.get_one(Case, case.id), "We uphold it.", house.staff, now=house.now
        ))  # fmt: skip
        await house.deliver()
        assert "stage 2" in (await house.updates())[-1].text
        assert (await get(house, case, "complaint_decision")).state == "met"
        await house.until_instant(at(26, 12, month=11))
        await house.run(
            lambda s: milestone.stage2(s, house.office, s.get_one(Case, case.id), house.staff, now=house.now)
        )
        await house.deliver()
        assert (await get(house, case, "complaint_stage2_acknowledgement")).state == "met"
        assert (await get(house, case, "complaint_full_response")).started_at == at(26, 12, month=11)
        with pytest.raises(NotAllowed):
            await house.run(lambda s: milestone.stage2(
                s, house.office, s.get_one(Case, case.id), house.staff, now=house.now
            ))  # fmt: skip

    async def test_last_years_date_is_proved_under_last_years_policy(self, house: House) -> None:
        case = await house.open()
        clock = await get(house, case, "routine_repair")
        old = load_policy("east_lothian")

        def rewrite(session: Session) -> None:
            session.add(PolicyVersion(id=old.version, policy=old.id, content=old.snapshot, created_at=house.now))
            session.flush()
            row = session.get_one(Clock, clock.id)
            row.policy_version_id = old.version
            row.due_at = old.explain("routine_repair", row.started_at).due
            session.add(row)

        await house.run(rewrite)
        proof = await house.run(lambda s: proof_of(s, house.office, s.get_one(Clock, clock.id)))
        assert (proof.policy, proof.version) == ("east_lothian", old.version)
        assert proof.due == old.explain("routine_repair", clock.started_at).due


async def test_the_same_sweep_in_two_processes_writes_one_of_everything(house: House) -> None:
    for number in range(5):
        await house.open(address=f"+4477009003{number:02}")
    house.clock.move_to(at(1, 13))
    others = [house.sweeper() for _ in range(4)]
    await asyncio.gather(*(each.sweep() for each in others))
    assert len(await house.updates()) == 5
    kinds = [(each.kind, each.clock_id) for each in await house.rows(Task) if each.clock_id]
    assert len(kinds) == len(set(kinds))


async def test_at_night_whoever_took_the_emergency_is_woken_and_then_the_next_rung(store: Store) -> None:
    house = House(store, start=at(23, 23, month=11))
    case = await house.open(category="no_power")
    handover = await house.run(lambda s: handovers.of_case(s, case.id))
    if handover is None:
        handover = await house.run(lambda s: handovers.start(
            s, house.office, conversations.load(s, case.conversation_id), s.get_one(Case, case.id), now=house.now  # type: ignore[arg-type]
        ))  # fmt: skip
    await house.run(
        lambda s: handovers.take(s, house.office, handover.id, by="Line", how="call", now=house.now, rung=0)
    )
    await house.until_instant(at(24, 6, month=11))
    woken = [each for each in await house.rows(HandoverAttempt) if (each.once or "").startswith("promise:")]
    assert [each.rung for each in sorted(woken, key=lambda each: each.at)] == [0, 1]
