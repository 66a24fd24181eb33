"""A tenant who was offered a day in time, and chose a later one."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session

from bot.desk import clock as clocks
from bot.desk import milestone, why
from bot.desk.choice import Choice, choose_later
from bot.desk.conversation import NotAllowed
from bot.reports import Report, gather
from bot.sla import load_policy
from bot.store import conversations
from bot.store.tables import Case, Clock, ClockState, Event, Message, Staff
from tests.unit.promises.house import PHONE, House

OFFERED, CHOSEN = date(2026, 11, 26), date(2026, 12, 9)


def at(day: int, hour: int, minute: int = 0, month: int = 12) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


async def wants_a_visit(house: House) -> tuple[Case, Clock]:
    case = await house.open("service_request", "home_visit")
    return case, (await house.clocks(case))["home_visit"]


async def chooses(house: House, clock: Clock, **changes: Any) -> Clock:
    told = {"offered": OFFERED, "chosen": CHOSEN, "reason": "Away until the 8th.", "how": "phone"} | changes
    officer = Staff(id="b" * 32, email="b@example.org", name="Bo Example", role="officer", created_at=house.now)

    def work(session: Session) -> Clock:
        session.merge(officer)
        session.flush()
        return choose_later(
            session, house.office, session.get_one(Clock, clock.id), Choice(**told), session.get_one(Staff, officer.id),
            now=house.now,
        )  # fmt: skip

    return await house.run(work)


async def visited(house: House, case: Case) -> None:
    await house.run(lambda s: milestone.reached(
        s, house.office, s.get_one(Case, case.id), "visited", house.staff, now=house.now
    ))  # fmt: skip


async def reported(house: House) -> Report:
    return await house.run(
        lambda s: gather(s, house.office.policy, date(2026, 11, 1), date(2026, 12, 31), now=house.now)
    )


async def test_the_promise_runs_to_the_day_they_chose_and_the_first_date_stays(house: House) -> None:
    _case, clock = await wants_a_visit(house)
    later = await chooses(house, clock)
    assert later.due_at == at(9, 17)
    assert (later.commitment, later.extends_id, later.state) == ("home_visit", clock.id, "running")
    first = next(each for each in await house.rows(Clock) if each.id == clock.id)
    assert (first.due_at, first.state) == (clock.due_at, ClockState.DEFERRED)
    assert first.act_at is None
    assert later.chosen is not None
    assert (later.chosen["offered"], later.chosen["chosen"]) == ("2026-11-26", "2026-12-09")


async def test_the_tenant_is_told_both_days_and_can_say_that_it_is_wrong(house: House) -> None:
    _, clock = await wants_a_visit(house)
    await chooses(house, clock)
    await house.deliver()
    said = (await house.updates())[-1].text
    assert "Wednesday 9 December" in said
    assert "Thursday 26 November" in said
    assert "Is that not what you asked for? Tell us here." in said


async def test_why_says_what_was_offered_what_they_chose_and_how_we_know(house: House) -> None:
    _, clock = await wants_a_visit(house)
    later = await chooses(house, clock)
    proof = await house.run(lambda s: why.proof(s, house.office, s.get_one(Clock, later.id)))
    assert proof.due == later.due_at
    told = "\n".join(proof.why)
    assert "Thursday 26 November was offered, in time: it was due by 5pm on Monday 30 November" not in told
    assert "Thursday 26 November was offered, in time: it was due by 5pm on Tuesday 1 December." in told
    assert "The tenant chose Wednesday 9 December instead, on the phone: Away until the 8th." in told
    assert proof.why[-1] == "Due: 5pm on Wednesday 9 December."


async def test_a_message_of_theirs_is_found_as_the_evidence(house: House) -> None:
    case, clock = await wants_a_visit(house)
    with pytest.raises(NotAllowed, match="no message of theirs"):
        await chooses(house, clock, how="message")
    house.clock.advance(timedelta(minutes=5))

    def says(session: Session) -> str:
        talk = conversations.load(session, case.conversation_id)
        assert talk is not None
        talk.seq += 1
        message = Message(
            id=house.office.id(), conversation_id=talk.id, seq=talk.seq, direction="in", channel="sms", address=PHONE,
            author="tenant", text="can you make it the 9th", state="processed", created_at=house.now,
        )  # fmt: skip
        session.add(message)
        conversations.save(session, talk)
        return message.id

    theirs = await house.run(says)
    later = await chooses(house, clock, how="message")
    assert later.chosen is not None
    assert later.chosen["message"] == theirs
    event = next(each for each in await house.rows(Event) if each.verb == "clock_deferred")
    assert (event.detail["message"], event.detail["offered"], event.actor) == (theirs, "2026-11-26", "b" * 32)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"offered": date(2026, 12, 2)}, "day that was offered has to lie between today and Tuesday 1 December"),
        ({"offered": date(2026, 11, 22)}, "day that was offered has to lie between today"),
        ({"chosen": date(2026, 12, 1)}, "has to be later than Tuesday 1 December"),
        ({"chosen": date(2029, 1, 1)}, "within a year"),
        ({"reason": "  "}, "Say why they want a later day"),
        ({"how": "carrier pigeon"}, "how they told us"),
    ],
)
async def test_a_choice_without_proof_or_sense_is_refused(house: House, changes: dict[str, Any], reason: str) -> None:
    _, clock = await wants_a_visit(house)
    with pytest.raises(NotAllowed, match=reason):
        await chooses(house, clock, **changes)


async def test_what_the_policy_leaves_no_choice_about_cannot_be_put_off(house: House) -> None:
    emergency = await house.open("repair", "no_power")
    for case in (emergency, await house.open("complaint", "general")):
        for clock in (await house.clocks(case)).values():
            if clock.commitment in {"emergency_repair", "complaint_decision", "progress_update"}:
                with pytest.raises(NotAllowed, match="does not let this be put off"):
                    await chooses(house, clock)


async def test_what_is_late_already_stays_late(house: House) -> None:
    _, clock = await wants_a_visit(house)
    await house.until_instant(at(2, 9))
    with pytest.raises(NotAllowed, match="what was late stays late"):
        await chooses(house, clock, offered=date(2026, 12, 1))


async def test_kept_on_the_chosen_day_it_is_counted_apart(house: House) -> None:
    case, clock = await wants_a_visit(house)
    await chooses(house, clock)
    await house.until_instant(at(9, 11))
    await visited(house, case)
    await house.until_instant(at(10, 9))
    report = await reported(house)
    result = next(each for each in report.performance.results if each.commitment == "home_visit")
    assert (result.chosen, result.kept, result.missed, result.share) == ((case.reference,), (), 0, None)
    told = next(each for each in report.as_json()["commitments"] if each["id"] == "home_visit")
    assert (told["kept_on_chosen_day"], told["due"]) == (1, 0)
    assert told["cases"]["kept_on_chosen_day"] == (case.reference,)


async def test_missed_on_the_chosen_day_it_is_missed_like_any_other_and_never_in_silence(house: House) -> None:
    case, clock = await wants_a_visit(house)
    await chooses(house, clock)
    await house.until_instant(at(10, 9))
    result = next(each for each in (await reported(house)).performance.results if each.commitment == "home_visit")
    assert (result.told, result.silent, result.chosen) == ((case.reference,), (), ())


async def test_the_first_date_passes_without_a_warning_or_an_apology(house: House) -> None:
    _case, clock = await wants_a_visit(house)
    await chooses(house, clock)
    await house.until_instant(at(2, 9))
    assert not [each for each in await house.updates() if each.kind in {"apology", "warning"}]
    assert await house.tasks(clocks.AT_RISK, clocks.AT_RISK_MANAGER) == []


async def test_they_may_choose_again(house: House) -> None:
    _, clock = await wants_a_visit(house)
    later = await chooses(house, clock)
    again = await chooses(house, later, offered=date(2026, 12, 9), chosen=date(2026, 12, 16), how="letter")
    assert again.due_at == at(16, 17)
    proof = await house.run(lambda s: why.proof(s, house.office, s.get_one(Clock, again.id)))
    assert sum("The tenant chose" in step for step in proof.why) == 2


async def test_a_repair_put_off_by_its_tenant_is_not_outside_its_target(house: House) -> None:
    case = await house.open("repair", "dripping_tap")
    await chooses(house, (await house.clocks(case))["routine_repair"], chosen=date(2026, 12, 18))
    await house.until_instant(at(18, 10))
    await house.run(lambda s: milestone.reached(
        s, house.office, s.get_one(Case, case.id), "completed", house.staff, now=house.now
    ))  # fmt: skip
    in_target = next(each for each in (await reported(house)).annual if each.number == "10")
    assert in_target.value == 100


def test_a_policy_that_lets_tenants_put_off_an_emergency_is_refused(tmp_path) -> None:
    from bot.sla import PolicyError
    from bot.sla.loading import SHIPPED

    text = (SHIPPED / "berwickshire.toml").read_text(encoding="utf-8")
    file = tmp_path / "mine.toml"
    file.write_text(text.replace('mode = "hours"', 'mode = "hours"\ntenant_chooses = true'), encoding="utf-8")
    with pytest.raises(PolicyError, match="nobody chooses a later day for what is counted in hours"):
        load_policy(str(file))
