"""Conversations and their messages: the statements that every message passes through.

Written as prepared Core statements because each runs for every message; the rows are handed out as detached objects, and
what a caller changes on a Conversation is written back by `save`, which compares its version.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    RowMapping,
    ScalarSelect,
    bindparam,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import Session, SQLModel

from bot.store.tables import (
    FIRST_RESPONSE_EVIDENCE,
    Address,
    Attachment,
    ClockState,
    Contact,
    Conversation,
    Message,
    Owner,
)

RowType = TypeVar("RowType", bound=SQLModel)


def record(table: type[RowType], values: Mapping[str, Any] | RowMapping) -> RowType:
    """An object of a table from all its columns, without the second set of checks that SQLModel's constructor makes: a row
    from the database, or one about to be written, holds what the columns hold. (The way the ORM itself loads a row.)"""
    made: RowType = inspect(table).class_manager.new_instance()
    made.__dict__.update(values)
    return made


def new_message(**values: Any) -> Message:
    """A message with every column: those not given have the table's defaults."""
    return record(Message, {name: make() for name, make in _MESSAGE_DEFAULTS.items()} | values)


class Superseded(Exception):
    """The conversation changed (its version differs) between being read and being saved."""


_TABLES = SQLModel.metadata.tables
_MESSAGE_DEFAULTS: Mapping[str, Callable[[], Any]] = {
    name: field.default_factory or (lambda value=field.default: value)  # type: ignore[misc]
    for name, field in Message.model_fields.items()
    if not field.is_required()
}
_ADDRESS, _CONTACT = _TABLES["address"], _TABLES["contact"]
_CONVERSATION, _MESSAGE = _TABLES["conversation"], _TABLES["message"]
_CASE, _CLOCK = _TABLES["case"], _TABLES["clock"]

_OPEN = (
    select(_CONVERSATION)
    .join(_ADDRESS, _ADDRESS.c.id == _CONVERSATION.c.address_id)
    .where(
        _ADDRESS.c.channel == bindparam("channel"),
        _ADDRESS.c.value == bindparam("value"),
        _CONVERSATION.c.owner != Owner.CLOSED.value,
    )
    .with_for_update(of=_CONVERSATION)
)
_INSERT_MESSAGE = insert(_MESSAGE)
_KNOWN = select(
    _CONTACT.c.name, _CONTACT.c.phone, _CONTACT.c.home_address, _CONTACT.c.postcode, _CONTACT.c.language
).where(_CONTACT.c.id == bindparam("id"))


def _awaited(which: ColumnElement[bool]) -> ScalarSelect[Any]:
    """When the earliest thing that the tenant waits for is due, among `which`."""
    return (
        select(func.min(_CLOCK.c.due_at))
        .where(
            _CLOCK.c.case_id == _CASE.c.id,
            _CLOCK.c.state == ClockState.RUNNING.value,
            _CLOCK.c.met_by.not_in(FIRST_RESPONSE_EVIDENCE),
            which,
        )
        .scalar_subquery()
    )


_OPEN_CASES = (
    select(
        _CASE.c.id,
        _CASE.c.reference,
        _CASE.c.kind,
        _CASE.c.category,
        _CASE.c.summary,
        _CASE.c.received_at,
        _CASE.c.team,
        func.coalesce(_awaited(_CLOCK.c.met_by != "update"), _awaited(_CLOCK.c.met_by == "update")).label("due_at"),
    )
    .where(_CASE.c.contact_id == bindparam("contact"), _CASE.c.state == "open")
    .order_by(_CASE.c.received_at.desc())
    .limit(5)
)
_WORDS_BEFORE = (
    select(_MESSAGE.c.text)
    .where(
        _MESSAGE.c.conversation_id == bindparam("conversation"),
        _MESSAGE.c.direction == "in",
        _MESSAGE.c.seq < bindparam("seq"),
        _MESSAGE.c.created_at > bindparam("since", type_=_MESSAGE.c.created_at.type),
    )
    .order_by(_MESSAGE.c.seq.desc())
    .limit(1)
)
_BY_ID = select(_CONVERSATION).where(_CONVERSATION.c.id == bindparam("id"))
_BY_ID_LOCKED = _BY_ID.with_for_update()
_SAVED = (
    "owner", "assignee_id", "needs_person", "dialogue", "hazard", "offered", "last_case_id", "matter_since", "version",
    "seq", "last_inbound_at", "last_message_at",
)  # fmt: skip
_SAVE = (
    update(_CONVERSATION)
    .where(_CONVERSATION.c.id == bindparam("saved_id"), _CONVERSATION.c.version == bindparam("read_version"))
    .values({name: bindparam(f"new_{name}", type_=_CONVERSATION.c[name].type) for name in _SAVED})
)
_FINISH = (
    update(_MESSAGE)
    .where(_MESSAGE.c.id == bindparam("message_id"))
    .values(state=bindparam("new_state"), detail=bindparam("new_detail", type_=_MESSAGE.c.detail.type))
)
# The conditions of partial unique indexes, as they are declared: PostgreSQL does not recognise an index by a condition
# with a parameter in it, once it has prepared the statement for any value of it.
_INBOUND, _GOING_ON = text("direction = 'in'"), text("owner <> 'closed'")
_ON_CONFLICT = {
    "sqlite": sqlite_insert(_MESSAGE)
    .on_conflict_do_nothing(index_elements=["channel", "provider_id"], index_where=_INBOUND)
    .returning(_MESSAGE.c.id),
    "postgresql": postgres_insert(_MESSAGE)
    .on_conflict_do_nothing(index_elements=["channel", "provider_id"], index_where=_INBOUND)
    .returning(_MESSAGE.c.id),
}


def find_open(session: Session, channel: str, address: str) -> Conversation | None:
    """The conversation going on with an address, locked until the transaction ends."""
    row = session.execute(_OPEN, {"channel": channel, "value": address}).mappings().first()
    return record(Conversation, row) if row else None


def load(session: Session, conversation_id: str, *, lock: bool = True) -> Conversation | None:
    """One conversation by its id, locked until the transaction ends unless it is only to be read."""
    row = session.execute(_BY_ID_LOCKED if lock else _BY_ID, {"id": conversation_id}).mappings().first()
    return record(Conversation, row) if row else None


def save(session: Session, conversation: Conversation) -> None:
    """Write back what was changed, and raise the version. Raises Superseded if another has saved since it was read."""
    read = conversation.version
    conversation.version += 1
    values: dict[str, Any] = {f"new_{name}": getattr(conversation, name) for name in _SAVED}
    result = cast(
        "CursorResult[Any]", session.execute(_SAVE, values | {"saved_id": conversation.id, "read_version": read})
    )
    if result.rowcount != 1:
        raise Superseded(conversation.id)


def start(session: Session, channel: str, address: str, *, ids: Sequence[str], now: datetime) -> Conversation:
    """Begin a conversation with an address that has none going on, making the address and its contact if they are new.

    `ids` are three fresh ids: for a contact, an address and the conversation. Two workers that begin with the same new
    address at once both end up with the one conversation (the unique keys decide).
    """
    known = session.execute(
        select(_ADDRESS.c.id, _ADDRESS.c.contact_id).where(_ADDRESS.c.channel == channel, _ADDRESS.c.value == address)
    ).first()
    if known is None:
        session.execute(insert(_CONTACT), {"id": ids[0], "language": "en", "created_at": now})
        session.execute(
            _insert_ignore(session, "address", ["channel", "value"]),
            {"id": ids[1], "contact_id": ids[0], "channel": channel, "value": address, "created_at": now},
        )
        known = session.execute(
            select(_ADDRESS.c.id, _ADDRESS.c.contact_id).where(
                _ADDRESS.c.channel == channel, _ADDRESS.c.value == address
            )
        ).one()
    # Counting goes on where the address's last conversation stopped: a web page knows one row of numbers.
    seq = session.execute(select(func.max(_CONVERSATION.c.seq)).where(_CONVERSATION.c.address_id == known.id)).scalar()
    fresh = Conversation(
        id=ids[2], address_id=known.id, contact_id=known.contact_id, channel=channel, address=address, seq=seq or 0,
        created_at=now, last_message_at=now,
    )  # fmt: skip
    statement = _dialect_insert(session, "conversation").on_conflict_do_nothing(
        index_elements=["address_id"], index_where=_GOING_ON
    )
    session.execute(statement, fresh.model_dump())
    found = find_open(session, channel, address)
    assert found is not None, "a conversation was just begun"
    return found


def add_inbound(session: Session, message: Message) -> bool:
    """Store an inbound message; False if the same one (channel and provider id) is stored already."""
    statement = _ON_CONFLICT[session.get_bind().dialect.name]
    return session.execute(statement, columns_of(message)).first() is not None


def finish_inbound(session: Session, message: Message) -> None:
    """Write down what became of an inbound message, and what was understood."""
    session.execute(_FINISH, {"message_id": message.id, "new_state": message.state, "new_detail": message.detail})


def add_outbound(session: Session, message: Message) -> None:
    """Put a message in the outbox."""
    session.execute(_INSERT_MESSAGE, columns_of(message))


def add_attachments(session: Session, attachments: Sequence[Attachment]) -> None:
    session.execute(insert(_TABLES["attachment"]), [each.model_dump() for each in attachments])


def inbound_seq(session: Session, channel: str, provider_id: str) -> tuple[str, int] | None:
    """The conversation and place of an inbound message that is stored already."""
    row = session.execute(
        select(_MESSAGE.c.conversation_id, _MESSAGE.c.seq).where(
            _MESSAGE.c.channel == channel, _MESSAGE.c.provider_id == provider_id, _MESSAGE.c.direction == "in"
        )
    ).first()
    return (row.conversation_id, row.seq) if row else None


def words_before(session: Session, conversation_id: str, seq: int, *, since: datetime) -> str | None:
    """What the tenant wrote last before the message `seq`, if it was after `since`."""
    return session.execute(_WORDS_BEFORE, {"conversation": conversation_id, "seq": seq, "since": since}).scalar()


def transcript(session: Session, conversation_id: str, *, after: int = 0) -> list[Message]:
    """The messages of a conversation in order, from the one after `after`."""
    rows = session.execute(
        select(_MESSAGE)
        .where(_MESSAGE.c.conversation_id == conversation_id, _MESSAGE.c.seq > after)
        .order_by(_MESSAGE.c.seq)
    ).mappings()
    return [record(Message, row) for row in rows]


def address_transcript(session: Session, channel: str, address: str, *, after: int = 0) -> list[Message]:
    """Every message of an address in order, over all its conversations, from the one after `after`."""
    rows = session.execute(
        select(_MESSAGE)
        .join(_CONVERSATION, _CONVERSATION.c.id == _MESSAGE.c.conversation_id)
        .join(_ADDRESS, _ADDRESS.c.id == _CONVERSATION.c.address_id)
        .where(_ADDRESS.c.channel == channel, _ADDRESS.c.value == address, _MESSAGE.c.seq > after)
        .order_by(_MESSAGE.c.seq)
    ).mappings()
    return [record(Message, row) for row in rows]


def columns_of(row: SQLModel) -> dict[str, Any]:
    """A row's values by column."""
    return {name: value for name, value in row.__dict__.items() if not name.startswith("_")}


def known_of(session: Session, contact_id: str) -> RowMapping:
    """What a contact has told us: `name`, `phone`, `home_address`, `postcode`."""
    return session.execute(_KNOWN, {"id": contact_id}).mappings().one()


def open_cases_of(session: Session, contact_id: str) -> Sequence[RowMapping]:
    """The five newest open cases; `due_at` is when the earliest thing the tenant still waits for is due."""
    return session.execute(_OPEN_CASES, {"contact": contact_id}).mappings().all()


def address_of(session: Session, address_id: str) -> Address:
    return session.get_one(Address, address_id)


def contact_of(session: Session, contact_id: str) -> Contact:
    return session.get_one(Contact, contact_id)


def recent(session: Session, *, limit: int = 100, owner: str | None = None) -> list[Conversation]:
    """The conversations in which something was said last, newest first; those that need a person come before the rest."""
    statement = select(_CONVERSATION).order_by(
        _CONVERSATION.c.needs_person.is_(None), _CONVERSATION.c.last_message_at.desc()
    )
    if owner is not None:
        statement = statement.where(_CONVERSATION.c.owner == owner)
    return [record(Conversation, row) for row in session.execute(statement.limit(limit)).mappings()]


def count(session: Session) -> int:
    return int(session.execute(select(func.count()).select_from(_CONVERSATION)).scalar_one())


def _dialect_insert(session: Session, table: str) -> Any:
    make = postgres_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    return make(_TABLES[table])


def _insert_ignore(session: Session, table: str, columns: list[str]) -> Any:
    return _dialect_insert(session, table).on_conflict_do_nothing(index_elements=columns)
