"""The values that cross module borders: what arrives, what leaves, what a turn of dialogue asks for.

All frozen. They carry no behaviour beyond validation, import nothing of ours, and are the only types that channels,
dialogue, triage and desk share.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class ChannelName(StrEnum):
    """Where a message comes from or goes to."""

    SMS = "sms"
    WHATSAPP = "whatsapp"
    TELEGRAM = "telegram"
    WEB = "web"
    TERMINAL = "terminal"


class Content(StrEnum):
    """What kind of thing a tenant sent."""

    TEXT = "text"
    CHOICE = "choice"
    """A button of ours was pressed: `Inbound.choice` holds the value that we issued."""
    MEDIA = "media"
    """A photo, voice note or file, with or without words."""
    UNSUPPORTED = "unsupported"
    """Authentic, but of a kind we do not understand (a poll, a sticker): stored, set aside, answered politely."""


UPLOADED: Final = "upload:"
"""How the handle of a file begins that we have already; the rest is its digest (`bot.store.files`)."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file the provider holds for us. `handle` is what the channel's `fetch` needs to get it, or begins with `UPLOADED`."""

    handle: str
    media_type: str
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message as a channel understood it, before anything is decided about it."""

    channel: ChannelName
    address: str
    """Who sent it, in the channel's own form: a number in E.164, a Telegram chat id, a web session id."""
    provider_id: str
    """Unique on its channel: the same id again is the same message again."""
    text: str
    content: Content = Content.TEXT
    choice: str | None = None
    attachments: tuple[Attachment, ...] = ()
    name: str | None = None
    """What the provider says the sender is called; never proof of who they are."""
    edits: str | None = None
    """This message replaces an earlier one, which the provider calls so; not always by that one's `provider_id`."""
    keyword: "Keyword | None" = None
    case_id: str | None = None
    """The case that it is about, where that is known: it came by a link that was made for the case."""


class Keyword(StrEnum):
    """Words with a legal or a safety meaning, on the bare word only (see `channels/sms.py`)."""

    STOP = "stop"
    START = "start"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer offered to a tenant: a button on Telegram and the web, a digit by text."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Outbound:
    """One message to be sent: a row of the outbox, as a channel needs to see it."""

    id: str
    channel: ChannelName
    address: str
    text: str
    choices: tuple[Choice, ...] = ()
    seq: int = 0
    """Its place in the conversation, counted from 1 over both directions."""
    author: str = "bot"
    """`bot` or `staff`."""
    author_name: str = ""
    created_at: datetime | None = None
    attempt: int = 1
    conversation_id: str = ""
    urgent: bool = False
    """Safety advice: a channel may set it apart. The web page announces it to a screen reader at once."""


class DeliveryState(StrEnum):
    """How far an outbound message has come. It only moves forward (`DELIVERY_ORDER`)."""

    QUEUED = "queued"
    SENDING = "sending"
    """Leased by a worker; what the provider made of it is not yet known."""
    SENT = "sent"
    """The provider accepted it. Not the same as delivered."""
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The provider may or may not have it, and cannot be asked. Staff see it."""


DELIVERY_ORDER: Final = {
    DeliveryState.QUEUED: 0,
    DeliveryState.SENDING: 1,
    DeliveryState.UNKNOWN: 2,
    DeliveryState.SENT: 3,
    DeliveryState.FAILED: 4,
    DeliveryState.DELIVERED: 5,
    DeliveryState.READ: 6,
}
"""A receipt may only raise a message's place in this order. A late `delivered` outranks an earlier `failed`: providers
retry on their side, and a delivery that happened has happened."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says has become of a message that we sent."""

    channel: ChannelName
    provider_id: str
    state: DeliveryState
    error_code: str | None = None
    message_id: str | None = None
    """Our own id of the message, where the provider repeats it: a receipt may outrun the answer to our request."""


# --- a turn of dialogue ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Say:
    """Something the bot wants to say: a response key and its arguments, never words (`bot/wording`)."""

    key: str
    args: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    """Choices made by the flow; the response's own are added by `wording`."""


@dataclass(frozen=True, slots=True)
class Command:
    """An effect that a flow asks for. The closed set is below; `desk` carries it out."""


@dataclass(frozen=True, slots=True)
class OpenCase(Command):
    """Open a case and acknowledge it."""

    kind: str
    """`repair`, `complaint`, `enquiry` or `service_request`."""
    category: str
    """For a repair an id of `nlu_data/repairs.yml`; for a service request one of `SERVICE_REQUESTS`; else `general` …"""
    words: str
    """The tenant's own words."""
    summary: str
    priority: str = "routine"
    """`emergency`, `urgent` or `routine`; only repairs have any but `routine`."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Answers by slot name, as the tenant gave them: kept whole with the case."""


@dataclass(frozen=True, slots=True)
class AddToCase(Command):
    """Add what the tenant said to a case of theirs that is already open."""

    reference: str
    words: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RememberContact(Command):
    """Keep what the tenant told us about themselves, so that it is not asked again."""

    name: str | None = None
    address: str | None = None
    postcode: str | None = None
    phone: str | None = None
    preferred_format: str | None = None
    """Letters and papers in large print, Braille …"""
    preferred_channel: str | None = None
    """Where they want to hear from us: a ChannelName, `phone` or `letter`."""


@dataclass(frozen=True, slots=True)
class CallStaff(Command):
    """Put the conversation before a person. The bot keeps answering until someone takes over."""

    reason: str
    """A key that staff screens explain: `asked_for_person`, `not_understood`, `abusive`, `safeguarding` …"""


COMMANDS: Final[Mapping[str, type[Command]]] = {
    "open_case": OpenCase,
    "add_to_case": AddToCase,
    "remember_contact": RememberContact,
    "call_staff": CallStaff,
}

SERVICE_REQUESTS: Final = frozenset({
    "callback", "home_visit", "format", "subject_access", "freedom_of_information", "housing_application", "gas_safety",
    "appointment", "antisocial_behaviour", "praise", "office_arrival", "representative", "details_change",
    "safeguarding", "data_protection_complaint",
})  # fmt: skip


class BadCommand(ValueError):
    """A flow uttered a custom payload that is not one of the commands; the message names the field."""


def parse_command(payload: Mapping[str, Any]) -> Command:
    """Turn a flow's custom payload, `{"command": "open_case", "kind": "repair", …}`, into a typed command.

    Raises BadCommand for an unknown command, an unknown field or a missing one.
    """
    fields = dict(payload)
    name = fields.pop("command", None)
    kind = COMMANDS.get(str(name))
    if kind is None:
        raise BadCommand(f"unknown command {name!r}; known: {', '.join(COMMANDS)}")
    try:
        return kind(**fields)
    except TypeError as error:
        raise BadCommand(f"{name}: {error}") from error


def command_payload(command: Command) -> dict[str, Any]:
    """The custom payload that `parse_command` reads back as `command`."""
    name = next(name for name, kind in COMMANDS.items() if kind is type(command))
    return {"command": name} | asdict(command)


@dataclass(frozen=True, slots=True)
class Understanding:
    """What the classifier and the extractors made of a text."""

    intent: str
    confidence: float
    ranking: tuple[tuple[str, float], ...] = ()
    entities: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one inbound message leads to: things to say and to do, in order, and the dialogue's new state."""

    steps: tuple[Say | Command, ...]
    state: Mapping[str, Any]
    """JSON: kept on the conversation's row, handed back with the next message."""
    understanding: Understanding


# --- triage ---------------------------------------------------------------------------------------------------------


class Urgency(StrEnum):
    """The level of the case that follows from a text, present and real (`docs/glossary.md`)."""

    DANGER = "danger"
    EMERGENCY = "emergency"
    ROUTINE = "routine"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Assessment:
    """What triage made of a text. `urgency` speaks of danger and emergency only; the classifier tells routine from none."""

    urgency: Urgency
    hazard: str
    """An id of `nlu_data/hazards.yml`, or `none`."""
    advice: bool
    """Safety words are to be shown, also for history, "what if" and doubt."""
    evidence: tuple[str, ...]
    """What in the text decided it, in the order read."""
    advice_keys: tuple[str, ...] = ()
    """Response keys of the advice, the danger text first."""
    sensitive: bool = False
    """A person is at risk: no visible trace where that is unsafe, and a human at once."""
    language: str = "en"


NO_DANGER: Final = Assessment(Urgency.NONE, "none", advice=False, evidence=())
