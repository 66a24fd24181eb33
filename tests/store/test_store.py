"""The store keeps its word on both databases: whole works, in order, decided by unique keys."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, select

from bot.messages import DeliveryState
from bot.store import SchemaTooOld, Store, StoreClosed, conversations, open_store, outbox, schema
from bot.store.conversations import Superseded
from bot.store.tables import Contact, Conversation, Message, PolicyVersion
from bot.wallclock import HandClock

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
CLOCK = HandClock(NOW, seed=7)


def fresh_id() -> str:
    return CLOCK.uuid().hex


def begin(session: Session, address: str = "+447700900123") -> Conversation:
    return conversations.start(session, "sms", address, ids=(fresh_id(), fresh_id(), fresh_id()), now=NOW)


def message(conversation: Conversation, seq: int, *, direction: str = "in", **values: object) -> Message:
    given: dict[str, object] = {
        "id": fresh_id(), "conversation_id": conversation.id, "seq": seq, "direction": direction, "channel": "sms",
        "address": conversation.address, "author": "tenant" if direction == "in" else "bot", "text": "hello",
        "state": "processed" if direction == "in" else "queued", "created_at": NOW,
    }  # fmt: skip
    return Message(**(given | values))


async def test_migrations_build_exactly_the_declared_tables(store: Store) -> None:
    assert schema.differences(store) == []
    schema.check(store)


async def test_a_database_without_our_schema_is_refused_with_the_command_to_run(database_url: str) -> None:
    empty = open_store(database_url)
    with pytest.raises(SchemaTooOld, match="doorstep migrate"):
        schema.check(empty)
    await empty.close()


async def test_a_work_that_fails_takes_nothing_else_with_it(store: Store) -> None:
    def good(name: str) -> None:
        async def run() -> None:
            await store.run(lambda s: s.add(Contact(id=fresh_id(), name=name, created_at=NOW)))

        return run()  # type: ignore[return-value]

    def bad(session: Session) -> None:
        session.add(Contact(id=fresh_id(), name="never", created_at=NOW))
        session.flush()
        raise RuntimeError("half way")

    results = await asyncio.gather(good("one"), store.run(bad), good("two"), return_exceptions=True)  # type: ignore[func-returns-value]
    assert isinstance(results[1], RuntimeError)
    names = await store.read(lambda s: sorted(c.name or "" for c in s.exec(select(Contact))))
    assert names == ["one", "two"]


async def test_instants_come_back_aware_and_equal(store: Store) -> None:
    identity = fresh_id()
    await store.run(lambda s: s.add(Contact(id=identity, created_at=NOW)))
    found = await store.read(lambda s: s.get_one(Contact, identity).created_at)
    assert found == NOW
    assert found.utcoffset() == timedelta(0)


async def test_the_same_inbound_message_is_stored_once(store: Store) -> None:
    def work(session: Session) -> list[bool]:
        conversation = begin(session)
        first, again = message(conversation, 1, provider_id="SM1"), message(conversation, 2, provider_id="SM1")
        return [conversations.add_inbound(session, first), conversations.add_inbound(session, again)]

    assert await store.run(work) == [True, False]


async def test_an_outbound_message_may_carry_the_id_of_an_inbound_one(store: Store) -> None:
    def work(session: Session) -> None:
        conversation = begin(session)
        assert conversations.add_inbound(session, message(conversation, 1, provider_id="77"))
        conversations.add_outbound(session, message(conversation, 2, direction="out", provider_id="77"))

    await store.run(work)


async def test_two_workers_that_meet_a_new_address_share_one_conversation(store: Store) -> None:
    found = await asyncio.gather(*(store.run(lambda s: begin(s).id) for _ in range(8)))
    assert len(set(found)) == 1


async def test_a_stale_version_is_refused(store: Store) -> None:
    first = await store.run(begin)
    stale = first.model_copy()
    await store.run(lambda s: conversations.save(s, first))
    with pytest.raises(Superseded):
        await store.run(lambda s: conversations.save(s, stale))


async def test_counting_goes_on_in_the_next_conversation_of_an_address(store: Store) -> None:
    def work(session: Session) -> int:
        conversation = begin(session)
        conversation.seq, conversation.owner = 5, "closed"
        conversations.save(session, conversation)
        return begin(session).seq

    assert await store.run(work) == 5


class TestOutbox:
    async def put(self, store: Store, *rows: dict[str, object]) -> list[str]:
        def work(session: Session) -> list[str]:
            conversation = begin(session)
            ids = []
            for seq, values in enumerate(rows, 1):
                row = message(conversation, seq, direction="out", **({"due_at": NOW} | values))
                conversations.add_outbound(session, row)
                ids.append(row.id)
            return ids

        return await store.run(work)

    async def lease(self, store: Store, at: datetime = NOW, most: int = 10) -> list[Message]:
        return await store.run(lambda s: outbox.lease_due(s, now=at, until=at + timedelta(seconds=60), most=most))

    async def test_one_message_of_a_conversation_goes_at_a_time_and_in_order(self, store: Store) -> None:
        first, second = await self.put(store, {}, {})
        assert [each.id for each in await self.lease(store)] == [first]
        assert await self.lease(store) == []
        await store.run(lambda s: outbox.move(s, first, DeliveryState.SENT, now=NOW, provider_id="SM1"))
        assert [each.id for each in await self.lease(store)] == [second]

    async def test_advice_overtakes_a_message_that_is_being_retried(self, store: Store) -> None:
        later = NOW + timedelta(minutes=5)
        _, advice = await self.put(store, {"due_at": later}, {"urgent": True})
        assert [each.id for each in await self.lease(store)] == [advice]

    async def test_a_lease_that_ran_out_shows_that_the_outcome_is_unknown(self, store: Store) -> None:
        (identity,) = await self.put(store, {})
        await self.lease(store)
        again = await self.lease(store, NOW + timedelta(seconds=61))
        assert [(each.id, each.state, each.attempts) for each in again] == [(identity, "sending", 1)]

    async def test_a_delivery_state_only_moves_forward(self, store: Store) -> None:
        (identity,) = await self.put(store, {})

        async def move(state: DeliveryState) -> bool:
            return await store.run(lambda s: outbox.move(s, identity, state, now=NOW))

        assert await move(DeliveryState.DELIVERED)
        assert not await move(DeliveryState.SENT)
        assert not await move(DeliveryState.FAILED)
        assert not await move(DeliveryState.DELIVERED)
        assert await move(DeliveryState.READ)

    async def test_two_workers_never_lease_the_same_message(self, store: Store) -> None:
        await asyncio.gather(*(self.put_for(store, f"+4477009001{n:02}") for n in range(20)))
        leases = await asyncio.gather(*(self.lease(store, most=20) for _ in range(4)))
        leased = [each.id for lease in leases for each in lease]
        assert len(leased) == len(set(leased)) == 20

    async def put_for(self, store: Store, address: str) -> None:
        def work(session: Session) -> None:
            conversation = begin(session, address)
            conversations.add_outbound(session, message(conversation, 1, direction="out", due_at=NOW))

        await store.run(work)


async def test_work_handed_in_after_closing_is_refused(database_url: str) -> None:
    store = open_store(database_url)
    await store.close()
    with pytest.raises(StoreClosed):
        await store.run(lambda s: s.get(PolicyVersion, "x"))
