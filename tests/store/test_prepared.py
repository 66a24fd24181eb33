"""Prepared statements say the same as the objects do, in the same transaction, on both databases."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.exc import StatementError
from sqlmodel import Session, SQLModel
from sqlmodel import select as select_rows

from bot.store import Store, conversations, opening
from bot.store.prepared import Prepared, insert_unless_there
from bot.store.tables import Case, Clock, Contact, Conversation, Message, PolicyVersion
from bot.wallclock import HandClock

NOW = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=UTC)
CLOCK = HandClock(NOW, seed=11)
CONTACT = SQLModel.metadata.tables["contact"]
ADD_CONTACT = insert_unless_there(CONTACT, columns=["id", "language", "created_at"], returning="id")


def fresh_id() -> str:
    return CLOCK.uuid().hex


def begin(session: Session) -> Conversation:
    ids = (fresh_id(), fresh_id(), fresh_id())
    return conversations.start(session, "sms", "+447700900123", ids=ids, now=NOW)


async def test_what_is_written_by_a_prepared_statement_is_read_alike_by_objects_and_by_another(store: Store) -> None:
    def work(session: Session) -> tuple[Message, Message]:
        conversation = begin(session)
        said = conversations.new_message(
            id=fresh_id(), conversation_id=conversation.id, seq=1, direction="out", channel="sms", address="x",
            author="bot", text="words", choices=[{"label": "Yes", "value": "/affirm"}], detail={"keys": ["utter_a"]},
            state="queued", urgent=True, due_at=NOW, created_at=NOW,
        )  # fmt: skip
        conversations.add_outbound(session, said)
        (read,) = conversations.transcript(session, conversation.id)
        return session.exec(select_rows(Message)).one(), read

    by_object, by_statement = await store.run(work)
    assert by_object.model_dump() == by_statement.model_dump()
    assert (by_object.urgent, by_object.due_at, by_object.once) == (True, NOW, None)
    assert by_object.choices == [{"label": "Yes", "value": "/affirm"}]


async def test_a_prepared_statement_is_undone_with_the_savepoint_it_ran_in(store: Store) -> None:
    def fail(session: Session) -> None:
        with session.begin_nested():
            ADD_CONTACT.run(session, {"id": "gone", "language": "en", "created_at": NOW})
            raise RuntimeError

    def work(session: Session) -> list[str]:
        ADD_CONTACT.run(session, {"id": "kept", "language": "en", "created_at": NOW})
        with pytest.raises(RuntimeError):
            fail(session)
        return [each.id for each in session.exec(select_rows(Contact))]

    assert await store.run(work) == ["kept"]


async def test_an_insert_says_whether_the_key_was_free(store: Store) -> None:
    values = {"id": "one", "language": "en", "created_at": NOW}
    found = await store.run(lambda s: [ADD_CONTACT.first(s, values), ADD_CONTACT.first(s, values)])
    assert [each and dict(each) for each in found] == [{"id": "one"}, None]


async def test_a_value_that_was_forgotten_is_an_error_and_not_a_null(store: Store) -> None:
    wanted = Prepared(
        select(CONTACT).where(CONTACT.c.id == bindparam("id"), CONTACT.c.language == bindparam("language"))
    )
    with pytest.raises((KeyError, StatementError)):
        await store.run(lambda s: wanted.first(s, {"id": "one"}))


async def test_a_case_and_a_clock_that_were_just_written_can_be_changed_like_any_other(store: Store) -> None:
    def work(session: Session) -> str:
        conversation = begin(session)
        opening.add_policy(session, "v1", "berwickshire", "{}", now=NOW)
        case = opening.add_case(
            session, id=fresh_id(), reference="R-1", kind="repair", category="leak", priority="urgent", channel="sms",
            contact_id=conversation.contact_id, conversation_id=conversation.id, received_at=NOW, deemed_at=NOW,
        )  # fmt: skip
        clock = opening.new_clock(
            id=fresh_id(), case_id=case.id, commitment="repair", policy_version_id="v1", started_at=NOW, deemed_at=NOW,
            due_at=NOW, planned_at=NOW,
        )  # fmt: skip
        assert opening.add_clock(session, clock)
        assert not opening.add_clock(session, opening.new_clock(**conversations.columns_of(clock) | {"id": fresh_id()}))
        case.summary, clock.due_at = "a leak", NOW + timedelta(days=1)
        return case.id

    case_id = await store.run(work)

    def read(session: Session) -> tuple[str, datetime, bool, str]:
        case = session.get_one(Case, case_id)
        (clock,) = session.exec(select_rows(Clock))
        return (
            case.summary,
            clock.due_at,
            opening.has_policy(session, "v1"),
            session.get_one(PolicyVersion, "v1").content,
        )

    assert await store.read(read) == ("a leak", NOW + timedelta(days=1), True, "{}")


async def test_of_works_that_share_a_commit_each_is_told_of_its_own_outcome(store: Store) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold(_session: Session) -> None:
        begun.set()
        assert go_on.wait(30)

    def add(name: str) -> Any:
        values = {"id": name, "language": "en", "created_at": NOW}
        return store.run(lambda s: ADD_CONTACT.first(s, values))

    def fail(session: Session) -> None:
        ADD_CONTACT.run(session, {"id": "never", "language": "en", "created_at": NOW})
        session.add(Contact(id="never", created_at=NOW))  # the key is taken: this fails when the work is over

    held = asyncio.create_task(store.run(hold))
    await asyncio.to_thread(begun.wait, 30)
    waiting = [asyncio.create_task(each) for each in (add("first"), store.run(fail), add("second"))]
    given_up = asyncio.create_task(add("third"))
    await asyncio.sleep(0)  # all four are handed in while the first is held, so they share what comes next
    given_up.cancel()
    go_on.set()
    one, failed, two = await asyncio.gather(*waiting, return_exceptions=True)
    await held
    assert (dict(one), dict(two)) == ({"id": "first"}, {"id": "second"})
    assert isinstance(failed, Exception)
    assert given_up.cancelled()
    await store.run(lambda _session: None)  # after it, all that was handed in before is done
    there = await store.read(lambda s: sorted(each.id for each in s.exec(select_rows(Contact))))
    assert set(there) - {"third"} == {"first", "second"}
