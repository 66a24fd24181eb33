"""What happens around an emergency that is handed over: what the tenant is told and asked, what whoever holds it is told."""

import io
import re
from datetime import timedelta

import aiohttp
import pytest
from sqlmodel import Session, select

from bot.desk import authority
from bot.desk import handover as desk
from bot.desk.conversation import NotAllowed
from bot.dev.standins.twilio_voice import BUSY, RINGING, person
from bot.store.tables import Case, Clock, Handover, Staff, Task
from tests.unit.handover.conftest import FLOOD, LINE, LINE_TEXT, MANAGER, OFFICER, TEAM, Night


async def staff(night: Night, name: str = "Ann Reid") -> Staff:
    member = Staff(
        id=night.doorstep.office.id(), email=f"{name[:3].lower()}@example.org", name=name, job_title="Housing officer",
        team="Housing", role="officer", created_at=night.clock.now(),
    )  # fmt: skip

    def work(session: Session) -> Staff:
        session.add(member)
        return member

    return await night.doorstep.store.run(work)


async def taken_by_line(night: Night) -> None:
    night.twilio.expect(LINE, person("1"))
    await night.text(FLOOD)
    await night.texts(LINE_TEXT)
    assert (await night.handover()).state == "taken"


async def test_whoever_took_it_by_telephone_is_sent_the_codes_for_later(night: Night) -> None:
    night.twilio.expect(LINE, person("1"))
    await night.text(FLOOD)
    (confirmation,) = await night.texts(LINE_TEXT)
    code = (await night.handover()).code
    assert f"{code} HERE" in confirmation
    assert f"{code} SAFE" in confirmation


async def test_attended_and_made_safe_are_recorded_by_code_and_meet_the_clock(night: Night) -> None:
    await taken_by_line(night)
    code = (await night.handover()).code
    await night.pass_time(minutes=50)
    *_, answer = await night.text(f"{code} here", LINE_TEXT)
    assert "somebody is there" in answer
    case = await night.case()
    assert case.attended_at is not None
    assert case.made_safe_at is None
    (clock,) = [each for each in await night.rows(Clock) if each.commitment == "emergency_repair"]
    assert (clock.state, clock.met_at) == ("met", case.attended_at)
    await night.texts()
    await night.text(f"{code} SAFE", LINE_TEXT)
    assert (await night.case()).made_safe_at is not None
    assert any("it is safe now" in each for each in await night.texts())


async def test_a_link_takes_it_only_when_its_button_is_pressed(night: Night) -> None:
    night.twilio.expect(LINE, BUSY)
    await night.text(FLOOD)
    (alert,) = await night.texts(LINE_TEXT)
    link = re.search(r"\S+/u/\S+", alert)
    assert link is not None
    for _ in range(2):
        async with night.http.get(link[0]) as page:
            assert page.status == 200
            words = await page.text()
            assert "I take it" in words
            assert page.headers["Cache-Control"] == "no-store"
        async with night.http.head(link[0]) as page:
            assert page.status == 405
    assert (await night.handover()).state == "waiting"
    async with night.http.post(link[0], data={"name": "Jo Bain"}) as page:
        assert "Somebody is there" in await page.text()
    handover = await night.handover()
    assert (handover.state, handover.how, handover.taken_by) == ("taken", "link", "Jo Bain (24-hour line)")
    report = str(page.url)
    async with night.http.post(report, data={"does": "attended"}) as page:
        assert "Somebody was there" in await page.text()
    async with night.http.post(report, data={"does": "safe"}) as page:
        assert "made safe" in await page.text()
    case = await night.case()
    assert case.attended_at == case.made_safe_at == night.clock.now()


async def test_links_that_are_forged_damaged_or_old_change_nothing(night: Night) -> None:
    night.twilio.expect(LINE, BUSY)
    await night.text(FLOOD)
    (alert,) = await night.texts(LINE_TEXT)
    link = re.search(r"\S+/u/\S+", alert)
    assert link is not None
    purpose, subject, expires, signature = link[0].rpartition("/")[2].split(".")
    base = link[0].rpartition("/")[0]
    for forged in (
        f"{purpose}.{subject}.zzzzzzz.{signature}", f"report.{subject}.{expires}.{signature}", "x", f"{purpose}.{subject}",
        f"{purpose}.{subject}.{expires}.{signature[:-1]}",
    ):  # fmt: skip
        async with night.http.post(f"{base}/{forged}") as page:
            assert page.status == 404
    night.clock.advance(timedelta(hours=25))
    async with night.http.post(link[0]) as page:
        assert page.status == 404
    assert (await night.handover()).state == "waiting"


async def test_later_answers_reach_whoever_has_taken_it_already(night: Night) -> None:
    await taken_by_line(night)
    await night.text("14 High Street, Duns TD11 3AU")
    await night.pass_time(minutes=1)
    (news,) = await night.texts(LINE_TEXT)
    assert "14 High Street" in news


async def test_a_photo_that_comes_later_is_news_to_whoever_has_taken_it(night: Night) -> None:
    await taken_by_line(night)
    answers = await night.text("14 High Street, Duns TD11 3AU")
    for _ in range(9):
        if any("/u/photo." in each for each in answers):
            break
        answers = await night.text("no")
    await night.pass_time(minutes=1)
    await night.texts(LINE_TEXT)
    link = re.search(r"http\S+/u/photo\.\S+", "\n".join(answers))
    assert link is not None
    form = aiohttp.FormData()
    form.add_field("photo", io.BytesIO(b"\xff\xd8\xff\xe0" + bytes(90)), filename="a.jpg")
    async with night.http.post(link[0], data=form) as page:
        assert page.status == 200
    await night.pass_time(minutes=1)
    assert "Photos: 1, in the staff console" in "\n".join(await night.texts(LINE_TEXT))


async def test_an_alert_holds_what_has_been_answered_by_then(night: Night) -> None:
    await night.text(FLOOD)
    await night.text("14 High Street, Duns TD11 3AU")
    await night.pass_time(minutes=5.5)
    assert any("14 High Street" in each.body for each in night.twilio.sent_to(OFFICER))


async def test_advice_that_is_not_delivered_in_two_minutes_makes_the_holder_ring(night: Night) -> None:
    await taken_by_line(night)
    await night.pass_time(minutes=1.5)
    assert "ring_advice_not_delivered" not in await night.tasks()
    await night.pass_time(minutes=1)
    assert "ring_advice_not_delivered" in await night.tasks()
    assert any("may not have reached" in each for each in await night.texts(LINE_TEXT))


async def test_advice_that_is_delivered_raises_no_alarm(night: Night) -> None:
    await taken_by_line(night)
    for each in list(night.twilio.sent_to("+447700900123")):
        await night.twilio.report(each.sid, "delivered")
    await night.pass_time(minutes=5)
    assert (await night.looks())["advice_delivered"].found == "delivered"
    assert "ring_advice_not_delivered" not in await night.tasks()


async def test_a_tenant_who_falls_silent_is_rung_by_whoever_holds_it(night: Night) -> None:
    await taken_by_line(night)
    await night.pass_time(minutes=9)
    await night.text("14 High Street, Duns TD11 3AU")
    await night.pass_time(minutes=9)
    assert "ring_silent" not in await night.tasks()
    await night.pass_time(minutes=2)
    assert "ring_silent" in await night.tasks()
    assert any("gone quiet" in each for each in await night.texts(LINE_TEXT))


async def test_while_nobody_has_it_the_next_alert_says_that_the_tenant_is_silent(night: Night) -> None:
    await night.text(FLOOD)
    await night.pass_time(minutes=11)
    assert any("gone quiet" in each.body for each in night.twilio.sent_to(MANAGER))


async def test_before_the_time_is_over_the_tenant_is_asked_whether_somebody_came(night: Night) -> None:
    await taken_by_line(night)
    await night.pass_time(hours=4, minutes=55)
    assert not any("Has somebody come" in each for each in await night.texts())
    await night.pass_time(minutes=10)
    (question,) = [each for each in await night.texts() if "Has somebody come" in each]
    assert "Reply 1 for Yes" in question
    (answer,) = await night.text("1")
    assert "Thank you" in answer
    case = await night.case()
    assert case.attended_at == night.clock.now()
    (clock,) = [each for each in await night.rows(Clock) if each.commitment == "emergency_repair"]
    assert clock.state == "met"


@pytest.mark.parametrize("said", ["2", "no", "naw"])
async def test_when_nobody_came_the_ladder_begins_again(night: Night, said: str) -> None:
    await taken_by_line(night)
    await night.pass_time(hours=5, minutes=5)
    await night.texts(LINE_TEXT)
    night.twilio.usually[LINE] = RINGING
    answers = await night.text(said)
    assert any("asking people again" in each for each in answers)
    assert len(night.twilio.calls_to(LINE)) == 2
    assert (await night.handover()).concerns[-1] == "nobody_came"
    assert "ring_nobody_came" in await night.tasks()


async def test_nobody_is_asked_whether_somebody_came_once_that_is_known(night: Night) -> None:
    await taken_by_line(night)
    await night.text(f"{(await night.handover()).code} here", LINE_TEXT)
    await night.pass_time(hours=6)
    assert not any("Has somebody come" in each for each in await night.texts())


async def test_standing_down_needs_a_reason_which_the_tenant_is_told_and_may_contradict(night: Night) -> None:
    await taken_by_line(night)
    ann, handover = await staff(night), await night.handover()
    office, now = night.doorstep.office, night.clock.now()
    with pytest.raises(NotAllowed):
        await night.doorstep.store.run(lambda session: desk.stand_down(session, office, handover, "  ", ann, now=now))
    await night.doorstep.store.run(
        lambda session: desk.stand_down(session, office, handover, "The water has stopped by itself.", ann, now=now)
    )
    told = await night.texts()
    assert any("The water has stopped by itself." in each and "do not agree" in each for each in told)
    assert any("called off" in each for each in await night.texts(LINE_TEXT))
    answers = await night.text("1")
    assert any("asked a person to look" in each for each in answers)
    assert (await night.handover()).state == "waiting"
    (clock,) = [each for each in await night.rows(Clock) if each.commitment == "emergency_repair"]
    assert clock.state == "running"


async def test_a_downgrade_tells_why_what_instead_and_by_when(night: Night) -> None:
    await taken_by_line(night)
    ann, handover = await staff(night), await night.handover()
    office, now = night.doorstep.office, night.clock.now()
    await night.doorstep.store.run(
        lambda session: desk.stand_down(
            session, office, handover, "The leak is small and held by a bucket.", ann, now=now, priority="routine"
        )
    )
    (told,) = [each for each in await night.texts() if "bucket" in each]
    assert "a normal repair" in told
    assert "Tuesday 8 December" in told
    assert (await night.case()).priority == "routine"


async def test_the_same_danger_told_again_after_it_was_called_off_is_an_emergency_again(night: Night) -> None:
    await taken_by_line(night)
    ann, handover = await staff(night), await night.handover()
    office, now = night.doorstep.office, night.clock.now()
    await night.doorstep.store.run(lambda session: desk.stand_down(session, office, handover, "Stopped.", ann, now=now))
    night.twilio.usually[LINE] = RINGING
    night.clock.advance(timedelta(minutes=3))
    await night.text(FLOOD)
    assert (await night.handover()).state == "waiting"
    assert len(night.twilio.calls_to(LINE)) == 2
    assert len(await night.rows(Case)) == 1


async def test_a_manager_can_be_asked_for_authority_and_answers_by_code(night: Night) -> None:
    await taken_by_line(night)
    ann, case = await staff(night), await night.case()
    office, now = night.doorstep.office, night.clock.now()
    night.twilio.usually[MANAGER] = BUSY
    asked = await night.doorstep.store.run(
        lambda session: authority.ask(session, office, case, "May we put the family in a hotel?", ann, now=now)
    )
    (question,) = await night.texts(MANAGER)
    assert "hotel" in question
    assert "Ann Reid" in question
    assert not night.twilio.sent_to(OFFICER)
    (answer,) = await night.text(f"{asked.code} yes", MANAGER)
    assert "pass your answer on" in answer
    (row,) = [each for each in await night.rows(Handover) if each.purpose == "authority"]
    assert (row.state, row.taken_by) == ("granted", "section manager")
    assert "authority_granted" in await night.tasks()


async def test_authority_that_nobody_gives_climbs_to_the_next_who_may(night: Night) -> None:
    await taken_by_line(night)
    ann, case = await staff(night), await night.case()
    office, now = night.doorstep.office, night.clock.now()
    await night.doorstep.store.run(lambda session: authority.ask(session, office, case, "A hotel?", ann, now=now))
    await night.pass_time(minutes=11)
    assert night.twilio.sent_to(TEAM)
    assert not any("Nobody has taken" in each for each in await night.texts())


async def test_a_person_at_risk_is_handed_over_without_a_word_of_what_they_wrote(night: Night) -> None:
    night.twilio.expect(LINE, BUSY)
    await night.text("my husband hit me and i am hiding in the bathroom")
    (alert,) = await night.texts(LINE_TEXT)
    assert "A person may be at risk" in alert
    assert "bathroom" not in alert
    assert "+447700900123" not in alert
    before = len(night.twilio.sent_to("+447700900123"))
    await night.pass_time(hours=7)
    assert len(night.twilio.sent_to("+447700900123")) == before, "nothing is sent to them by itself"


async def test_ticking_the_alarm_off_is_taking_it(night: Night) -> None:
    await night.text(FLOOD)
    ann = await staff(night)
    handover = await night.handover()
    now = night.clock.now()

    def work(session: Session) -> None:
        desk.take_in_conversation(session, night.doorstep.office, handover.conversation_id, ann, now=now)

    await night.doorstep.store.run(work)
    assert any("Ann Reid, Housing officer, Housing, has your emergency now" in each for each in await night.texts())
    open_alarms = [each for each in await night.rows(Task) if each.kind == "emergency" and each.done_at is None]
    assert not open_alarms
    calls = len(night.twilio.calls)
    await night.pass_time(hours=1)
    assert len(night.twilio.calls) == calls


async def test_everything_is_on_record(night: Night) -> None:
    from bot.store.tables import Event

    await taken_by_line(night)
    verbs = {each.verb for each in await night.rows(Event)}
    assert {"handover_started", "handover_climbed", "handover_taken"} <= verbs
    assert (await night.doorstep.store.read(lambda session: len(list(session.exec(select(Handover)))))) == 1
