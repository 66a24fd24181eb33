"""The outbox's statements: what is due, who holds it, what became of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import and_, bindparam, exists, func, or_, select, update
from sqlmodel import Session, SQLModel

from bot.messages import DELIVERY_ORDER, DeliveryState
from bot.store.conversations import record
from bot.store.prepared import Prepared
from bot.store.tables import Message

_TABLES = SQLModel.metadata.tables
_MESSAGE, _CONVERSATION, _ADDRESS = _TABLES["message"], _TABLES["conversation"], _TABLES["address"]
_EARLIER = _MESSAGE.alias("earlier")

# A message may go when nothing sent earlier to the same conversation is still on its way. An urgent one waits only for
# urgent ones before it: a message that is being retried never delays advice.
_DUE = Prepared(
    select(_MESSAGE)
    .where(
        _MESSAGE.c.due_at.is_not(None),
        _MESSAGE.c.due_at <= bindparam("now"),
        ~exists().where(
            and_(
                _EARLIER.c.conversation_id == _MESSAGE.c.conversation_id,
                _EARLIER.c.seq < _MESSAGE.c.seq,
                _EARLIER.c.due_at.is_not(None),
                _EARLIER.c.urgent.is_(True) | _MESSAGE.c.urgent.is_(False),
            )
        ),
    )
    .order_by(_MESSAGE.c.urgent.desc(), _MESSAGE.c.due_at, _MESSAGE.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=_MESSAGE)
)
_LEASE = Prepared(
    update(_MESSAGE)
    .where(_MESSAGE.c.id == bindparam("message_id"))
    .values(
        state=DeliveryState.SENDING.value, due_at=bindparam("until", type_=_MESSAGE.c.due_at.type),
        attempts=_MESSAGE.c.attempts + 1,
    )
)  # fmt: skip


def _moved(state: DeliveryState, only_from: Iterable[DeliveryState]) -> Prepared:
    new = {name: bindparam(f"new_{name}", type_=_MESSAGE.c[name].type) for name in _MOVED}
    return Prepared(
        update(_MESSAGE)
        .where(_MESSAGE.c.id == bindparam("message_id"), or_(*(_MESSAGE.c.state == each.value for each in only_from)))
        .values(
            state=state.value, due_at=new["due_at"], error=new["error"],
            provider_id=func.coalesce(new["provider_id"], _MESSAGE.c.provider_id),
            sent_at=func.coalesce(new["sent_at"], _MESSAGE.c.sent_at),
            delivered_at=func.coalesce(_MESSAGE.c.delivered_at, new["delivered_at"]),
        )
    )  # fmt: skip


_MOVED = ("due_at", "error", "provider_id", "sent_at", "delivered_at")
_MOVE = {
    state: _moved(state, [each for each, place in DELIVERY_ORDER.items() if place < DELIVERY_ORDER[state]])
    for state in DeliveryState
    if DELIVERY_ORDER[state] > 0
}
_PUT_BACK = _moved(DeliveryState.QUEUED, [DeliveryState.SENDING])


def lease_due(
    session: Session, *, now: datetime, until: datetime, most: int, busy: Iterable[str] = ()
) -> list[Message]:
    """Take up to `most` due messages for this worker until `until`, urgent ones first, one at a time per conversation.

    They are returned as they were *before* the lease: one whose state was `sending` was leased by a worker that did not
    live to say what became of it. Conversations in `busy` are passed over.
    """
    held = set(busy)
    rows = _DUE.all(session, {"now": now, "most": most + len(held)})
    taken: list[Message] = []
    seen: set[str] = set(held)
    for row in rows:
        message = record(Message, row)
        if message.conversation_id in seen and not message.urgent:
            continue
        seen.add(message.conversation_id)
        taken.append(message)
    if taken:
        _LEASE.run_each(session, [{"message_id": each.id, "until": until} for each in taken])
    return taken


def release_leases(session: Session, *, now: datetime) -> int:
    """End every lease. Only for a process that knows itself to be alone: the leases are those of one that has died."""
    result = session.execute(
        update(_MESSAGE)
        .where(_MESSAGE.c.state == DeliveryState.SENDING.value, _MESSAGE.c.due_at > now)
        .values(due_at=now)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def move(
    session: Session, message_id: str, state: DeliveryState, *, now: datetime, provider_id: str | None = None,
    error: str | None = None, due_at: datetime | None = None, from_lease: bool = False,
) -> bool:  # fmt: skip
    """Move a message's delivery forward. False, and nothing changed, if it has come as far or further already.

    `from_lease` is the worker that holds the lease speaking: it may also put a message back to `queued`.
    """
    statement = _PUT_BACK if from_lease and state is DeliveryState.QUEUED else _MOVE.get(state)
    if statement is None:
        return False
    changed = statement.run(session, {
        "message_id": message_id, "new_due_at": due_at, "new_error": error, "new_provider_id": provider_id,
        "new_sent_at": now if state is DeliveryState.SENT else None,
        "new_delivered_at": now if state in {DeliveryState.DELIVERED, DeliveryState.READ} else None,
    })  # fmt: skip
    return bool(changed)


def extend_lease(session: Session, message_id: str, *, due_at: datetime, error: str | None) -> None:
    """Whether the provider has the message is not known yet: it stays `sending`, to be looked up at `due_at`."""
    session.execute(
        update(_MESSAGE)
        .where(_MESSAGE.c.id == message_id, _MESSAGE.c.state == DeliveryState.SENDING.value)
        .values(due_at=due_at, error=error)
    )


def remember_provider_id(session: Session, message_id: str, provider_id: str, *, now: datetime) -> None:
    """A receipt outran the answer to our own request: keep what the provider calls the message."""
    session.execute(
        update(_MESSAGE)
        .where(_MESSAGE.c.id == message_id, _MESSAGE.c.provider_id.is_(None))
        .values(provider_id=provider_id, sent_at=now)
    )


def by_provider_id(session: Session, channel: Sequence[str], provider_id: str) -> Message | None:
    row = session.execute(
        select(_MESSAGE).where(
            _MESSAGE.c.direction == "out", _MESSAGE.c.provider_id == provider_id, _MESSAGE.c.channel.in_(channel)
        )
    ).mappings().first()  # fmt: skip
    return record(Message, row) if row else None


def get(session: Session, message_id: str) -> Message | None:
    row = session.execute(select(_MESSAGE).where(_MESSAGE.c.id == message_id)).mappings().first()
    return record(Message, row) if row else None


def unseen(session: Session, channel: str, address: str, upto: int) -> list[Message]:
    """The outbound messages to an address up to `upto` that are not known to have been seen."""
    rows = session.execute(
        select(_MESSAGE)
        .join(_CONVERSATION, _CONVERSATION.c.id == _MESSAGE.c.conversation_id)
        .join(_ADDRESS, _ADDRESS.c.id == _CONVERSATION.c.address_id)
        .where(
            _ADDRESS.c.channel == channel,
            _ADDRESS.c.value == address,
            _MESSAGE.c.direction == "out",
            _MESSAGE.c.seq <= upto,
            _MESSAGE.c.delivered_at.is_(None),
        )
    ).mappings()
    return [record(Message, row) for row in rows]


def backlog(session: Session) -> int:
    """How many messages the providers have not taken yet: due, on their way, or waiting to be tried again."""
    return int(
        session.execute(select(func.count()).select_from(_MESSAGE).where(_MESSAGE.c.due_at.is_not(None))).scalar_one()
    )
