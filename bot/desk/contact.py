"""What we know of a person, and whether an address of theirs may be written to."""

from dataclasses import replace
from datetime import datetime

from sqlmodel import Session, select

from bot.desk.conversation import record
from bot.desk.office import Office
from bot.desk.preference import WAYS, prefer, wishes_of
from bot.messages import RememberContact
from bot.store import conversations
from bot.store.tables import Address, Case, Contact, Conversation


def remember(
    session: Session, office: Office, conversation: Conversation, told: RememberContact, *, now: datetime
) -> None:
    """Keep what the tenant told us about themselves; what they did not mention stays.

    Who asks for a format in a message goes on getting messages: the format is that of their letters.
    """
    contact = conversations.contact_of(session, conversation.contact_id)
    contact.name = told.name or contact.name
    contact.phone = told.phone or contact.phone
    contact.home_address = told.address or contact.home_address
    contact.postcode = told.postcode or contact.postcode
    session.add(contact)
    if told.preferred_format or told.preferred_channel:
        wishes = wishes_of(contact)
        # A way that must never be used stays so until staff change it: somebody else may be writing.
        ways = [told.preferred_channel, wishes.preferred_channel, conversation.channel]
        allowed = [each for each in ways if each in WAYS and each not in wishes.never_by]
        wished = replace(
            wishes, preferred_format=told.preferred_format or wishes.preferred_format,
            preferred_channel=allowed[0] if allowed else None,
        )  # fmt: skip
        prefer(session, office, contact, wished, actor="tenant", now=now)


def opt_out(session: Session, office: Office, address_id: str, *, now: datetime) -> bool:
    """Nothing more is sent to this address. False if it was so already."""
    address = conversations.address_of(session, address_id)
    if address.opted_out_at is not None:
        return False
    address.opted_out_at = now
    session.add(address)
    record(session, office, "opted_out", address_id, actor="tenant", now=now)
    return True


def opt_in(session: Session, office: Office, address_id: str, *, now: datetime) -> bool:
    """The contact asked for messages again, which also means that they are not blocking us. False if they got them."""
    address = conversations.address_of(session, address_id)
    if may_receive(address):
        return False
    address.opted_out_at = None
    address.blocked_at = None
    session.add(address)
    record(session, office, "opted_in", address_id, actor="tenant", now=now)
    return True


def block(session: Session, office: Office, address_id: str, *, now: datetime) -> None:
    """The provider says for good that this address cannot receive."""
    address = conversations.address_of(session, address_id)
    address.blocked_at = address.blocked_at or now
    session.add(address)
    record(session, office, "address_blocked", address_id, actor="provider", now=now)


def open_cases(session: Session, contact: Contact, *, most: int = 5) -> list[Case]:
    """The contact's open cases, newest first."""
    statement = (
        select(Case)
        .where(Case.contact_id == contact.id, Case.state == "open")
        .order_by(Case.received_at.desc())  # type: ignore[attr-defined]
        .limit(most)
    )
    return list(session.exec(statement))


def may_receive(address: Address) -> bool:
    return address.opted_out_at is None and address.blocked_at is None
