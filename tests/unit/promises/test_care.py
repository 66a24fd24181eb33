"""People are reached in their own way and hours, and never where it might do harm; what cannot be sent, a person does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session

from bot.desk import authority, milestone, survey, update
from bot.desk import case as cases
from bot.desk import contact as contacts
from bot.desk import conversation as desk
from bot.desk import handover as handovers
from bot.desk import letter as letters
from bot.desk import preference as preferences
from bot.desk import task as tasks
from bot.desk.conversation import NotAllowed
from bot.desk.preference import Wishes
from bot.desk.update import Content
from bot.messages import RememberContact
from bot.sla.clocks import is_quiet, next_decent
from bot.store import conversations
from bot.store.tables import Case, Clock, Contact, Conversation, Event, Message
from tests.unit.promises.house import House


def at(day: int, hour: int, minute: int = 0, month: int = 12) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


async def wish(house: House, case: Case, **wishes: Any) -> None:
    await house.run(lambda session: preferences.prefer(
        session, house.office, session.get_one(Contact, case.contact_id), Wishes(**wishes), actor=house.staff.id, now=house.now,
    ))  # fmt: skip


async def close(house: House, case: Case) -> None:
    await house.run(lambda session: cases.close(
        session, house.office, session.get_one(Case, case.id), "A new washer.", house.staff, now=house.now,
    ))  # fmt: skip


class TestHours:
    async def test_an_update_comes_within_the_hours_in_which_it_is_safe(self, house: House) -> None:
        case = await house.open()
        await wish(house, case, safe_from="09:30", safe_until="11:00")
        await house.until_instant(at(1, 17, 30))
        (said,) = await house.updates()
        assert said.created_at.date() == at(1, 0).date()
        assert at(1, 9, 30) <= said.created_at < at(1, 11)
        assert (await house.clocks(case))["progress_update"].missed_at is None

    async def test_an_update_keeps_out_of_a_persons_own_quiet_hours(self, house: House) -> None:
        case = await house.open()
        await wish(house, case, quiet_from="12:00", quiet_until="15:00")
        await house.until_instant(at(1, 17, 30))
        (said,) = await house.updates()
        assert not at(1, 12) <= said.created_at < at(1, 15)
        assert said.created_at < at(1, 17)

    async def test_where_no_safe_hour_is_left_before_it_is_due_a_person_is_asked_in_time(self, house: House) -> None:
        case = await house.open()
        await wish(house, case, safe_from="19:00", safe_until="20:30")
        await house.until_instant(at(30, 8, month=11))
        await wish(house, case, safe_from="03:00", safe_until="03:30")
        await house.until_instant(at(1, 16, 59))
        assert await house.updates() == []
        (task,) = await house.tasks("contact_safely")
        assert task.created_at < at(1, 17)
        assert "Safe only from 03:00 to 03:30." in task.detail
        assert "We have no news to give you yet." in task.detail

    async def test_what_staff_give_outside_safe_hours_waits_for_them(self, house: House) -> None:
        case = await house.open()
        await wish(house, case, safe_from="14:00", safe_until="16:00")
        await house.until_instant(at(26, 12, month=11))
        clock = (await house.clocks(case))["progress_update"]
        await house.run(lambda session: update.give(
            session, house.office, clock.id, Content("We have ordered the part."), house.staff, now=house.now,
        ))  # fmt: skip
        await house.until_instant(at(26, 13, 59, month=11))
        assert await house.updates() == []
        await house.until_instant(at(26, 14, 30, month=11))
        (said,) = await house.updates()
        assert "ordered the part" in said.text
        assert await house.tasks("contact_safely") == []

    async def test_the_end_of_a_case_outside_safe_hours_is_for_a_person_to_tell(self, house: House) -> None:
        case = await house.open()
        await wish(house, case, safe_from="14:00", safe_until="16:00")
        await close(house, case)
        await house.deliver()
        assert await house.updates() == []
        (task,) = await house.tasks("contact_safely")
        assert "A new washer." in task.detail
        assert task.role == "owner"

    async def test_what_was_to_be_sent_in_safe_hours_and_is_late_is_not_sent_after_them(self, house: House) -> None:
        case = await house.open()
        await wish(house, case, safe_from="09:00", safe_until="11:00")
        house.clock.move_to(at(24, 10, 59, month=11))
        await close(house, case)
        house.clock.move_to(at(24, 11, 1, month=11))
        await house.deliver()
        (said,) = await house.updates()
        assert (said.state, said.error) == ("failed", "not_safe_now")
        assert len(await house.tasks("contact_safely")) == 1

    async def test_hours_over_midnight_and_several_spans_are_understood(self) -> None:
        spans = ((at(1, 21).time(), at(1, 8).time()), (at(1, 8).time(), at(1, 10).time()))
        assert is_quiet(spans, at(1, 23))
        assert next_decent(spans, at(1, 22)) == at(2, 10)
        everything = ((at(1, 0).time(), at(1, 12).time()), (at(1, 12).time(), at(1, 0).time()))
        assert next_decent(everything, at(1, 22)) == at(1, 22), "with no other hour at all, it is not put off for ever"


class TestWays:
    async def test_nothing_is_sent_to_somebody_for_whom_nothing_may_be_left(self, house: House) -> None:
        case = await house.open()
        await wish(house, case, no_trace=True, safe_contact="Ring her sister.")
        await house.until_instant(at(2, 12))
        assert await house.updates() == []
        (task,) = await house.tasks("contact_safely")
        assert "Leave no trace" in task.detail
        assert "Ring her sister." in task.detail

    async def test_a_way_that_must_never_be_used_is_passed_over(self, house: House) -> None:
        case = await house.open()
        await house.also_at(case, "telegram", "77")
        await wish(house, case, never_by=("sms",))
        await house.until_instant(at(1, 13))
        (said,) = await house.updates()
        assert said.channel == "telegram"

    async def test_somebody_who_must_not_be_rung_is_written_to_by_letter(self, house: House) -> None:
        case = await house.open()
        await wish(house, case, never_by=("sms", "phone"))
        await house.until_instant(at(1, 13))
        (task,) = await house.tasks("write_about_promise")
        assert "Never by sms, phone." in task.detail

    async def test_a_format_with_messages_wanted_beside_it_does_not_stop_messages(self, house: House) -> None:
        case = await house.open()
        await wish(house, case, preferred_format="large_print", preferred_channel="sms")
        await house.until_instant(at(1, 13))
        assert [each.channel for each in await house.updates()] == ["sms"]

    async def test_the_clock_shows_which_way_it_went(self, house: House) -> None:
        case = await house.open()
        await wish(house, case, preferred_channel="letter")
        await house.prefer(case, home_address="14 High Street")
        await house.until_instant(at(1, 13))
        told = [each for each in await house.rows(Clock) if each.told_by is not None]
        assert [each.told_by for each in told] == ["letter"]

    async def test_an_update_leaves_a_question_that_stands_as_it_was(self, house: House) -> None:
        case = await house.open()

        def ask(session: Session) -> None:
            talk = conversations.load(session, case.conversation_id)
            assert talk is not None
            talk.offered = [{"label": "kitchen", "value": "kitchen"}]
            conversations.save(session, talk)

        await house.run(ask)
        await house.until_instant(at(1, 13))
        assert len(await house.updates()) == 1
        (talk,) = await house.rows(Conversation)
        assert talk.offered == [{"label": "kitchen", "value": "kitchen"}]


class TestEmergencies:
    async def test_what_becomes_of_an_emergency_is_told_by_a_person_where_nothing_may_be_left(
        self, house: House
    ) -> None:
        case = await house.open(category="flooding")
        await wish(house, case, no_trace=True, safe_contact="Ring her sister.")
        before = len(await house.rows(Message))

        def tell(session: Session) -> None:
            handover = handovers.of_case(session, case.id)
            assert handover is not None
            handovers.tell_not_taken(session, house.office, handover, "utter_handover_not_taken", now=house.now)

        await house.run(tell)
        assert len(await house.rows(Message)) == before
        (task,) = await house.tasks("contact_safely")
        assert task.urgent
        assert "Ring her sister." in task.detail


class TestPreferences:
    async def test_every_change_is_on_record_with_who_made_it_and_without_words_about_safety(
        self, house: House
    ) -> None:
        case = await house.open()
        await wish(house, case, preferred_channel="telegram", safe_contact="Only at work")
        (event,) = [each for each in await house.rows(Event) if each.verb == preferences.CHANGED]
        assert (event.actor, event.subject) == (house.staff.id, case.contact_id)
        assert event.detail == {
            "fields": ["preferred_channel", "safe_contact"], "changes": {"preferred_channel": [None, "telegram"]},
        }  # fmt: skip
        (change,) = await house.run(lambda session: preferences.history(session, case.contact_id))
        assert (change.by, change.fields) == ("Ann Example", ("preferred_channel", "safe_contact"))

    async def test_changing_nothing_is_not_on_record(self, house: House) -> None:
        case = await house.open()
        await wish(house, case)
        assert [each for each in await house.rows(Event) if each.verb == preferences.CHANGED] == []

    @pytest.mark.parametrize(("wishes", "why"), [
        ({"safe_from": "09:00"}, "both ends"),
        ({"safe_from": "09:00", "safe_until": "09:00"}, "both ends"),
        ({"quiet_from": "9am", "quiet_until": "10:00"}, "not a time of day"),
        ({"preferred_channel": "pigeon"}, "not a way"),
        ({"preferred_format": "papyrus"}, "not a format"),
        ({"never_by": ("pigeon",)}, "not a way"),
        ({"preferred_channel": "sms", "never_by": ("sms",)}, "must never be used"),
        ({"language": "English"}, "code"),
        ({"safe_contact": "x" * 401}, "400"),
    ])  # fmt: skip
    async def test_what_cannot_be_kept_is_refused_with_the_reason(
        self, house: House, wishes: dict[str, Any], why: str
    ) -> None:
        case = await house.open()
        with pytest.raises(NotAllowed, match=why):
            await wish(house, case, **wishes)

    async def test_what_is_kept_is_what_was_wished(self, house: House) -> None:
        case = await house.open()
        wished = Wishes("sms", "pl", "braille", "20:00", "07:00", False, "09:00", "10:00", ("phone",), True, "At work")
        await house.run(lambda session: preferences.prefer(
            session, house.office, session.get_one(Contact, case.contact_id), wished, actor="tenant", now=house.now,
        ))  # fmt: skip
        kept = await house.run(lambda s: preferences.wishes_of(s.get_one(Contact, case.contact_id)))
        assert kept == wished


class TestLetters:
    async def letter_task(self, house: House) -> tuple[Case, str]:
        case = await house.open()
        await house.prefer(case, preferred_channel="letter", home_address="14 High Street", name="Sam Taylor")
        await house.until_instant(at(1, 13))
        (task,) = await house.tasks("write_about_promise")
        return case, task.id

    async def test_posting_a_letter_keeps_its_words_and_proves_the_promise(self, house: House) -> None:
        case, task_id = await self.letter_task(house)
        await house.run(lambda session: letters.posted(session, house.office, task_id, house.staff, now=house.now))
        await house.run(lambda session: letters.posted(session, house.office, task_id, house.staff, now=house.now))
        assert await house.tasks("write_about_promise") == []
        clock = next(each for each in await house.rows(Clock) if each.told_by == "letter")
        assert (clock.state, clock.told_at, clock.case_id) == ("met", house.now, case.id)
        (event,) = [each for each in await house.rows(Event) if each.verb == "letter_posted"]
        assert (event.actor, event.at) == (house.staff.id, house.now)

        def kept(session: Session) -> str:
            return str((session.get_one(tasks.Task, task_id).about or {})["letter"])

        assert "Dear Sam Taylor" in await house.run(kept)

    async def test_a_letter_instead_of_a_call_shows_as_a_letter(self, house: House) -> None:
        case = await house.open()
        await house.prefer(case, preferred_channel="phone", home_address="14 High Street")
        await house.until_instant(at(1, 13))
        (task,) = await house.tasks("ring_about_promise")
        await house.run(lambda session: letters.posted(session, house.office, task.id, house.staff, now=house.now))
        assert [each.told_by for each in await house.rows(Clock) if each.told_by] == ["letter"]
        assert case.state == "open"


class TestNews:
    async def reply(self, house: House, case: Case, text: str, news: bool) -> None:
        await house.run(
            lambda session: desk.take_over(session, house.office, case.conversation_id, house.staff, now=house.now)
        )
        await house.run(lambda session: desk.reply(
            session, house.office, case.conversation_id, house.staff, text, now=house.now, news_of=[case.id] if news else [],
        ))  # fmt: skip
        await house.deliver()

    async def test_thanks_and_bye_is_no_news(self, house: House) -> None:
        case = await house.open()
        house.clock.advance(timedelta(days=1))
        await self.reply(house, case, "Thanks, bye", news=False)
        assert (await house.clocks(case))["progress_update"].started_at == at(23, 10, month=11)

    async def test_news_puts_the_next_update_off(self, house: House) -> None:
        case = await house.open()
        house.clock.advance(timedelta(days=1))
        await self.reply(house, case, "The plumber comes on Monday.", news=True)
        running = [
            each for each in await house.rows(Clock) if each.commitment == "progress_update" and each.state == "running"
        ]
        assert [each.started_at for each in running] == [at(24, 10, month=11)]

    async def test_an_update_goes_out_while_a_person_answers_and_changes_nothing_of_that(self, house: House) -> None:
        case = await house.open()
        await self.reply(house, case, "I am looking into it.", news=False)
        await house.until_instant(at(1, 13))
        (said,) = await house.updates()
        assert (said.author, said.author_name) == ("bot", house.office.policy.service_name)
        (talk,) = await house.rows(Conversation)
        assert (talk.owner, talk.assignee_id) == ("staff", house.staff.id)


class TestTheCase:
    async def test_a_case_is_given_to_a_person_or_to_a_team(self, house: House) -> None:
        case = await house.open()

        def assign(session: Session) -> None:
            mine = session.get_one(Case, case.id)
            milestone.assign(session, house.office, mine, house.staff, house.staff, now=house.now)
            assert update.responsible(session, mine) == "Ann Example"
            team = house.office.policy.teams[-1][0]
            milestone.assign_team(session, house.office, mine, team.name, house.staff, now=house.now)
            assert update.responsible(session, mine) == team.label
            with pytest.raises(NotAllowed):
                milestone.assign_team(session, house.office, mine, "nobody", house.staff, now=house.now)

        await house.run(assign)

    async def test_a_second_handler_of_a_complaint_is_told_too_and_the_same_one_is_not(self, house: House) -> None:
        case = await house.open("complaint", "general")

        async def name(who: str) -> None:
            await house.run(lambda session: milestone.name_handler(
                session, house.office, session.get_one(Case, case.id), who, house.staff, now=house.now,
            ))  # fmt: skip
            await house.deliver()

        for who in ("Bea Carr", "Cal Dunn", "Bea Carr"):
            await name(who)
        with pytest.raises(NotAllowed, match="told already"):
            await name("Bea Carr")
        told = [each.text for each in await house.rows(Message) if "is dealing with it" in each.text]
        assert [text.count("Bea Carr") for text in told] == [1, 0, 1]

    async def test_closing_ends_a_request_for_authority(self, house: House) -> None:
        case = await house.open()
        if not any(rung.may_authorise for rung in house.office.policy.ladder):
            pytest.skip("the policy names nobody")

        def work(session: Session) -> str:
            mine = session.get_one(Case, case.id)
            asked = authority.ask(session, house.office, mine, "May we spend £500?", house.staff, now=house.now)
            cases.close(session, house.office, mine, "Done.", house.staff, now=house.now)
            return asked.state

        assert await house.run(work) == "stood_down"

    async def test_staff_take_an_answer_down_that_came_by_telephone(self, house: House) -> None:
        case = await house.open()
        await close(house, case)
        await house.run(lambda session: survey.take_down(
            session, house.office, session.get_one(Case, case.id), 2, "Still drips", house.staff, now=house.now,
        ))  # fmt: skip
        (kept,) = await house.rows(survey.Survey)
        assert (kept.score, kept.comment, kept.answered_by) == (2, "Still drips", house.staff.id)
        assert len(await house.tasks("unhappy_with_repair")) == 1


class TestWhatTenantsSay:
    async def tell(self, house: House, case: Case, **told: str) -> Contact:
        def work(session: Session) -> Contact:
            talk = conversations.load(session, case.conversation_id)
            assert talk is not None
            contacts.remember(session, house.office, talk, RememberContact(**told), now=house.now)
            return session.get_one(Contact, case.contact_id)

        return await house.run(work)

    async def test_a_format_is_kept_and_messages_go_on(self, house: House) -> None:
        case = await house.open()
        contact = await self.tell(house, case, preferred_format="large_print")
        assert (contact.preferred_format, contact.preferred_channel) == ("large_print", "sms")
        (event,) = [each for each in await house.rows(Event) if each.verb == preferences.CHANGED]
        assert event.actor == "tenant"

    async def test_a_way_that_must_never_be_used_is_not_brought_back_by_a_message(self, house: House) -> None:
        case = await house.open()
        await wish(house, case, never_by=("phone",))
        contact = await self.tell(house, case, preferred_channel="phone")
        assert (contact.preferred_channel, contact.never_by) == ("sms", ["phone"])

    async def test_a_name_alone_changes_no_preference(self, house: House) -> None:
        case = await house.open()
        contact = await self.tell(house, case, name="Sam Taylor")
        assert (contact.name, contact.preferred_channel) == ("Sam Taylor", None)
