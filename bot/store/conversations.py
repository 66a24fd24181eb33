"""Conversations and their messages: the statements that every message passes through.

Each is prepared once (`store.prepared`) because each runs for every message; the rows are handed out as detached objects, and
what a caller changes on a Conversation is written back by `save`, which compares its version.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    ScalarSelect,
    and_,
    bindparam,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlmodel import Session, SQLModel

from bot.store.prepared import Prepared, insert_unless_there
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
    return record(Message, _MESSAGE_DEFAULTS() | values)


def defaults_of(table: type[SQLModel]) -> Callable[[], dict[str, Any]]:
    """What makes the columns that a row of a table need not be given, afresh for each row."""
    plain: dict[str, Any] = {}
    made: dict[str, Callable[[], Any]] = {}
    for name, field in table.model_fields.items():
        if field.default_factory is not None:
            made[name] = cast("Callable[[], Any]", field.default_factory)
        elif not field.is_required():
            plain[name] = field.default
    return lambda: plain | {name: make() for name, make in made.items()}


class Superseded(Exception):
    """The conversation changed (its version differs) between being read and being saved."""


_TABLES = SQLModel.metadata.tables
_MESSAGE_DEFAULTS, _CONVERSATION_DEFAULTS = defaults_of(Message), defaults_of(Conversation)
_ADDRESS, _CONTACT = _TABLES["address"], _TABLES["contact"]
_CONVERSATION, _MESSAGE = _TABLES["conversation"], _TABLES["message"]
_CASE, _CLOCK = _TABLES["case"], _TABLES["clock"]

_OPEN = Prepared(
    select(_CONVERSATION)
    .join(_ADDRESS, _ADDRESS.c.id == _CONVERSATION.c.address_id)
    .where(
        _ADDRESS.c.channel == bindparam("channel"),
        _ADDRESS.c.value == bindparam("value"),
        _CONVERSATION.c.owner != Owner.CLOSED.value,
    )
    .with_for_update(of=_CONVERSATION)
)
_INSERT_MESSAGE = Prepared(insert(_MESSAGE))
_KNOWN = Prepared(
    select(_CONTACT.c.name, _CONTACT.c.phone, _CONTACT.c.home_address, _CONTACT.c.postcode, _CONTACT.c.language).where(
        _CONTACT.c.id == bindparam("id")
    )
)


def _awaited(which: ColumnElement[bool]) -> ScalarSelect[Any]:
    """When the earliest thing that the tenant waits for is due, among `which`."""
    return (
        select(func.min(_CLOCK.c.due_at))
        .where(
            _CLOCK.c.case_id == _CASE.c.id,
            _CLOCK.c.state == ClockState.RUNNING.value,
            and_(*(_CLOCK.c.met_by != each for each in sorted(FIRST_RESPONSE_EVIDENCE))),
            which,
        )
        .scalar_subquery()
    )


_OPEN_CASES = Prepared(
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
_WORDS_BEFORE = Prepared(
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
_THE_CONVERSATION = select(_CONVERSATION).where(_CONVERSATION.c.id == bindparam("id"))
_BY_ID, _BY_ID_LOCKED = Prepared(_THE_CONVERSATION), Prepared(_THE_CONVERSATION.with_for_update())
_SAVED = (
    "owner", "assignee_id", "needs_person", "dialogue", "hazard", "offered", "last_case_id", "matter_since", "version",
    "seq", "last_inbound_at", "last_message_at",
)  # fmt: skip
_SAVE = Prepared(
    update(_CONVERSATION)
    .where(_CONVERSATION.c.id == bindparam("saved_id"), _CONVERSATION.c.version == bindparam("read_version"))
    .values({name: bindparam(f"new_{name}", type_=_CONVERSATION.c[name].type) for name in _SAVED})
)
_FINISH = Prepared(
    update(_MESSAGE)
    .where(_MESSAGE.c.id == bindparam("message_id"))
    .values(state=bindparam("new_state"), detail=bindparam("new_detail", type_=_MESSAGE.c.detail.type))
)
# The conditions of partial unique indexes, as they are declared: PostgreSQL does not recognise an index by a condition
# with a parameter in it, once it has prepared the statement for any value of it.
_INBOUND, _GOING_ON = text("direction = 'in'"), text("owner <> 'closed'")
_INSERT_INBOUND = insert_unless_there(
    _MESSAGE, index_elements=["channel", "provider_id"], index_where=_INBOUND, returning="id"
)
_ADDRESS_OF = Prepared(
    select(_ADDRESS.c.id, _ADDRESS.c.contact_id).where(
        _ADDRESS.c.channel == bindparam("channel"), _ADDRESS.c.value == bindparam("value")
    )
)
_WRITTEN_TO = Prepared(
    select(_ADDRESS)
    .join(_CONVERSATION, _CONVERSATION.c.address_id == _ADDRESS.c.id)
    .where(_CONVERSATION.c.id == bindparam("conversation"))
)
_INSERT_CONTACT = Prepared(insert(_CONTACT), columns=["id", "language", "created_at"])
_INSERT_ADDRESS = insert_unless_there(
    _ADDRESS, index_elements=["channel", "value"], columns=["id", "contact_id", "channel", "value", "created_at"]
)
_COUNTED_TO = Prepared(
    select(func.max(_CONVERSATION.c.seq).label("seq")).where(_CONVERSATION.c.address_id == bindparam("address"))
)
_INSERT_CONVERSATION = insert_unless_there(_CONVERSATION, index_elements=["address_id"], index_where=_GOING_ON)


def find_open(session: Session, channel: str, address: str) -> Conversation | None:
    """The conversation going on with an address, locked until the transaction ends."""
    row = _OPEN.first(session, {"channel": channel, "value": address})
    return record(Conversation, row) if row else None


def load(session: Session, conversation_id: str, *, lock: bool = True) -> Conversation | None:
    """One conversation by its id, locked until the transaction ends unless it is only to be read."""
    row = (_BY_ID_LOCKED if lock else _BY_ID).first(session, {"id": conversation_id})
    return record(Conversation, row) if row else None


def save(session: Session, conversation: Conversation) -> None:
    """Write back what was changed, and raise the version. Raises Superseded if another has saved since it was read."""
    read = conversation.version
    conversation.version += 1
    values: dict[str, Any] = {f"new_{name}": getattr(conversation, name) for name in _SAVED}
    if _SAVE.run(session, values | {"saved_id": conversation.id, "read_version": read}) != 1:
        raise Superseded(conversation.id)


def start(session: Session, channel: str, address: str, *, ids: Sequence[str], now: datetime) -> Conversation:
    """Begin a conversation with an address that has none going on, making the address and its contact if they are new.

    `ids` are three fresh ids: for a contact, an address and the conversation. Two workers that begin with the same new
    address at once both end up with the one conversation (the unique keys decide).
    """
    value = {"channel": channel, "value": address}
    known = _ADDRESS_OF.first(session, value)
    if known is None:
        _INSERT_CONTACT.run(session, {"id": ids[0], "language": "en", "created_at": now})
        _INSERT_ADDRESS.run(session, value | {"id": ids[1], "contact_id": ids[0], "created_at": now})
        known = _ADDRESS_OF.first(session, value)
        assert known is not None, "an address was just made"
    # Counting goes on where the address's last conversation stopped: a web page knows one row of numbers.
    counted = _COUNTED_TO.first(session, {"address": known["id"]})
    fresh = _CONVERSATION_DEFAULTS() | {
        "id": ids[2], "address_id": known["id"], "contact_id": known["contact_id"], "channel": channel,
        "address": address, "seq": (counted and counted["seq"]) or 0, "created_at": now, "last_message_at": now,
    }  # fmt: skip
    _INSERT_CONVERSATION.run(session, fresh)
    found = find_open(session, channel, address)
    assert found is not None, "a conversation was just begun"
    return found


def add_inbound(session: Session, message: Message) -> bool:
    """Store an inbound message; False if the same one (channel and provider id) is stored already."""
    return _INSERT_INBOUND.first(session, columns_of(message)) is not None


def finish_inbound(session: Session, message: Message) -> None:
    """Write down what became of an inbound message, and what was understood."""
    _FINISH.run(session, {"message_id": message.id, "new_state": message.state, "new_detail": message.detail})


def add_outbound(session: Session, message: Message) -> None:
    """Put a message in the outbox."""
    _INSERT_MESSAGE.run(session, columns_of(message))


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
    row = _WORDS_BEFORE.first(session, {"conversation": conversation_id, "seq": seq, "since": since})
    return row["text"] if row else None


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


def known_of(session: Session, contact_id: str) -> Mapping[str, Any]:
    """What a contact has told us: `name`, `phone`, `home_address`, `postcode`; and the `language` to write in (ISO 639-1)."""
    row = _KNOWN.first(session, {"id": contact_id})
    assert row is not None, "a conversation has a contact"
    return row


def open_cases_of(session: Session, contact_id: str) -> Sequence[Mapping[str, Any]]:
    """The five newest open cases; `due_at` is when the earliest thing the tenant still waits for is due."""
    return _OPEN_CASES.all(session, {"contact": contact_id})


def address_of(session: Session, address_id: str) -> Address:
    return session.get_one(Address, address_id)


def address_written_to(session: Session, conversation_id: str) -> Address:
    """The address of a conversation, to be read and not changed."""
    row = _WRITTEN_TO.first(session, {"conversation": conversation_id})
    assert row is not None, "a conversation has an address"
    return record(Address, row)


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
