"""What is stored. Records, not validators: values are checked where they enter (`table=True` skips validation).

Ids are version 7 UUIDs as 32 hexadecimal characters, so rows made together lie together. Instants are aware UTC.
States are written as the values of their StrEnum.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import JSON, Column, Dialect, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime. SQLite keeps no zone, so it is put back on reading; a naive value is refused on writing."""

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _id() -> Any:
    return Field(sa_column=Column(String(32), primary_key=True))


def _instant(*, nullable: bool = True, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Instant, nullable=nullable, index=index))


def _json() -> Any:
    return Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


def _text(default: str | None = "") -> Any:
    return Field(default=default, sa_column=Column(Text, nullable=default is None))


class Owner(StrEnum):
    """Who answers a conversation."""

    BOT = "bot"
    STAFF = "staff"
    CLOSED = "closed"


class InboundState(StrEnum):
    """What became of an inbound message."""

    PROCESSED = "processed"
    SET_ASIDE = "set_aside"
    """It could not be dealt with: kept, answered safely, and put before staff."""


class ClockState(StrEnum):
    """Where a promise stands. `docs/promises.md` draws the ways from one to the next."""

    RUNNING = "running"
    PAUSED = "paused"
    """Stopped for a reason that the policy allows; it goes on, later, when the reason is gone."""
    ANSWERED = "answered"
    """What keeps it has been written and is on its way to the tenant."""
    MET = "met"
    MISSED = "missed"
    """Past due, and not kept yet. Late evidence turns it into `met`, with `missed_at` to tell."""
    EXTENDED = "extended"
    """A later date was given, as the policy allows; another clock (`extends_id`) runs to it."""
    DEFERRED = "deferred"
    """The tenant chose a later day than the one that was offered in time; another clock (`extends_id`) runs to it."""
    ENDED = "ended"
    """It no longer matters: the case was closed without it, or went to its next stage."""


FIRST_RESPONSE_EVIDENCE: Final = frozenset({"response_or_specific_ack", "ack", "response", "formal_ack"})
"""Kinds of evidence (`Clock.met_by`) that a first response is: an acknowledgement can be it, so none tells when it comes."""


class Contact(SQLModel, table=True):
    """A person, and what they told us about themselves."""

    __tablename__ = "contact"
    id: str = _id()
    name: str | None = None
    phone: str | None = None
    home_address: str | None = None
    postcode: str | None = None
    language: str = "en"
    preferred_channel: str | None = None
    """Where they want to hear from us: a ChannelName, `phone` or `letter`; None if they have not said."""
    preferred_format: str | None = None
    """A format that no message can have (large print, audio, braille …): then a person answers."""
    created_at: datetime = _instant(nullable=False)
    quiet_from: str | None = None
    """Local time (`21:30`) from which to `quiet_until` nothing is sent that they did not just ask for."""
    quiet_until: str | None = None
    safe_from: str | None = None
    """Local time from which to `safe_until` it is safe to reach them, and at no other; None: at any."""
    safe_until: str | None = None
    never_by: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    """Ways by which they must not be reached: ChannelNames, `phone`, `letter`."""
    no_trace_since: datetime | None = _instant()
    """Since when nothing may be left that somebody else might see: a person reaches them, or nobody does."""
    safe_contact: str | None = _text(None)
    """How trained staff may reach them safely, in words."""
    no_surveys_since: datetime | None = _instant()
    """Since when they do not want to be asked how it went."""


class Address(SQLModel, table=True):
    """A contact on one channel."""

    __tablename__ = "address"
    __table_args__ = (UniqueConstraint("channel", "value", name="uq_address_channel_value"),)
    id: str = _id()
    contact_id: str = Field(foreign_key="contact.id", index=True)
    channel: str
    value: str
    opted_out_at: datetime | None = _instant()
    blocked_at: datetime | None = _instant()
    """The provider said for good that this address cannot receive."""
    created_at: datetime = _instant(nullable=False)


class Conversation(SQLModel, table=True):
    """A run of messages with one address. `version` rises with every change of owner or dialogue state."""

    __tablename__ = "conversation"
    __table_args__ = (
        Index("ix_conversation_open", "address_id", unique=True, sqlite_where=text("owner <> 'closed'"),
              postgresql_where=text("owner <> 'closed'")),
        Index("ix_conversation_recent", "last_message_at"),
    )  # fmt: skip
    id: str = _id()
    address_id: str = Field(foreign_key="address.id", index=True)
    contact_id: str = Field(foreign_key="contact.id", index=True)
    channel: str
    address: str
    owner: str = Owner.BOT.value
    assignee_id: str | None = Field(default=None, foreign_key="staff.id")
    needs_person: str | None = None
    """Why a person should look (a key that the console explains), or None."""
    dialogue: dict[str, Any] = _json()
    hazard: dict[str, Any] = _json()
    """The present hazard: `{"hazard", "urgency", "case", "at"}`, or empty."""
    offered: list[dict[str, str]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """The choices of the newest outbound message; a digit is a choice only while there are any."""
    last_case_id: str | None = None
    matter_since: datetime | None = _instant()
    """When the tenant first wrote about what is now being asked about: a case counts from there, not from its last answer."""
    version: int = 0
    seq: int = 0
    acked_seq: int = 0
    created_at: datetime = _instant(nullable=False)
    last_inbound_at: datetime | None = _instant()
    last_message_at: datetime = _instant(nullable=False)


UNSEEN = "channel = 'web' AND state = 'sent' AND kind IN ('acknowledgement', 'update', 'apology', 'warning')"
"""What was put on a page that may be open nowhere, and carries a promise."""


class Message(SQLModel, table=True):
    """One turn, either way. The transcript is the outbox is the evidence."""

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("conversation_id", "seq", name="uq_message_seq"),
        Index("uq_message_inbound", "channel", "provider_id", unique=True, sqlite_where=text("direction = 'in'"),
              postgresql_where=text("direction = 'in'")),
        Index("ix_message_outbound_provider", "provider_id", sqlite_where=text("direction = 'out'"),
              postgresql_where=text("direction = 'out'")),
        Index("ix_message_due", "due_at", sqlite_where=text("due_at IS NOT NULL"),
              postgresql_where=text("due_at IS NOT NULL")),
        Index("uq_message_once", "once", unique=True, sqlite_where=text("once IS NOT NULL"),
              postgresql_where=text("once IS NOT NULL")),
        Index("ix_message_unseen", "sent_at", sqlite_where=text(UNSEEN), postgresql_where=text(UNSEEN)),
    )  # fmt: skip
    id: str = _id()
    conversation_id: str = Field(foreign_key="conversation.id")
    seq: int
    direction: str
    """`in` or `out`."""
    channel: str
    address: str
    author: str
    """`tenant`, `bot` or `staff`."""
    author_name: str = ""
    staff_id: str | None = Field(default=None, foreign_key="staff.id")
    kind: str = "reply"
    """Outbound: `reply`, `intro`, `advice`, `acknowledgement`, `holding`, `staff`, `notice`, and about a clock `update`,
    `apology`, `warning`. Inbound: its Content."""
    text: str = _text()
    choices: list[dict[str, str]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    detail: dict[str, Any] = _json()
    """Inbound: what was understood, triage's evidence, a pressed choice. Outbound: the response keys it was made from, and
    the `clocks` it is about."""
    once: str | None = None
    """What this message is for, where it may only be said once: the unique key decides."""
    case_id: str | None = Field(default=None, foreign_key="case.id", index=True)
    provider_id: str | None = None
    state: str
    """InboundState or DeliveryState."""
    urgent: bool = False
    attempts: int = 0
    due_at: datetime | None = _instant()
    """When a worker should next take it up; None when there is nothing left to do. While leased: when the lease ends."""
    error: str | None = None
    created_at: datetime = _instant(nullable=False)
    sent_at: datetime | None = _instant()
    delivered_at: datetime | None = _instant()


class AttachmentState(StrEnum):
    """Where the bytes of a file are."""

    WAITING = "waiting"
    """With the provider: to be fetched at `due_at`."""
    KEPT = "kept"
    LOST = "lost"
    """It could not be fetched, and will not be tried again."""
    NO_FILE = "no_file"
    """A place or a visiting card: the handle is all there is."""


class Attachment(SQLModel, table=True):
    """A file that came with a message."""

    __tablename__ = "attachment"
    __table_args__ = (
        Index("ix_attachment_due", "due_at", sqlite_where=text("due_at IS NOT NULL"),
              postgresql_where=text("due_at IS NOT NULL")),
    )  # fmt: skip
    id: str = _id()
    message_id: str = Field(foreign_key="message.id", index=True)
    handle: str = _text()
    media_type: str
    """What the sender says it is."""
    size: int | None = None
    state: str = AttachmentState.WAITING.value
    due_at: datetime | None = _instant()
    """When to fetch it; while it is being fetched, when to look again."""
    attempts: int = 0
    error: str | None = None
    digest: str | None = None
    """The name of its bytes in `bot.store.files`."""
    kind: str | None = None
    """What it is, found by looking into it: a media type; None for what is not known or not yet there."""
    kept_at: datetime | None = _instant()


class Case(SQLModel, table=True):
    """A matter with an owner, clocks and an outcome."""

    __tablename__ = "case"
    id: str = _id()
    reference: str = Field(unique=True)
    kind: str
    category: str
    priority: str
    state: str = "open"
    """`open` or `closed`."""
    contact_id: str = Field(foreign_key="contact.id", index=True)
    conversation_id: str = Field(foreign_key="conversation.id", index=True)
    channel: str
    words: str = _text()
    """The tenant's own words, whole."""
    summary: str = _text()
    details: dict[str, Any] = _json()
    hazard: str = "none"
    stage: int | None = None
    """Complaints: 1 or 2."""
    team: str = ""
    handler: str | None = None
    """The named person who deals with it, as told to the tenant."""
    owner_id: str | None = Field(default=None, foreign_key="staff.id")
    """The member of staff it is with; None while the whole team has it."""
    received_at: datetime = _instant(nullable=False)
    deemed_at: datetime = _instant(nullable=False)
    acknowledged_at: datetime | None = _instant()
    attended_at: datetime | None = _instant()
    made_safe_at: datetime | None = _instant()
    completed_at: datetime | None = _instant()
    closed_at: datetime | None = _instant()
    closed_as: str | None = None
    """How it ended: `done`, `withdrawn`, `duplicate` or `not_ours`."""
    outcome: str | None = _text(None)
    """What the tenant was told at the end."""


class Clock(SQLModel, table=True):
    """One commitment running on one case: a promise with the time it is due."""

    __tablename__ = "clock"
    __table_args__ = (
        UniqueConstraint("case_id", "commitment", "started_at", name="uq_clock_case_commitment"),
        Index("uq_clock_running", "case_id", "commitment", unique=True, sqlite_where=text("state = 'running'"),
              postgresql_where=text("state = 'running'")),
        Index("ix_clock_act", "act_at", sqlite_where=text("act_at IS NOT NULL"),
              postgresql_where=text("act_at IS NOT NULL")),
    )  # fmt: skip
    id: str = _id()
    case_id: str = Field(foreign_key="case.id", index=True)
    commitment: str
    policy_version_id: str = Field(foreign_key="policy_version.id")
    state: str = ClockState.RUNNING.value
    started_at: datetime = _instant(nullable=False)
    """The starting event: arrival, never the deemed time."""
    deemed_at: datetime = _instant(nullable=False)
    due_at: datetime = _instant(nullable=False)
    """The promise, or the law's limit: it never moves, but for a logged pause."""
    planned_at: datetime = _instant(nullable=False)
    """When we must act to keep it: the last closing time at or before `due_at`."""
    warn_from: datetime | None = _instant()
    """From here on a tenant who will be let down has to be told (`Explanation.warn_from`)."""
    act_at: datetime | None = _instant()
    """When to look at it next; None when time asks nothing more of it. The sweep reads these and no other rows."""
    met_by: str = ""
    """The kind of evidence that meets it, from the policy."""
    met_at: datetime | None = _instant()
    met_message_id: str | None = Field(default=None, foreign_key="message.id")
    automatic_response_at: datetime | None = _instant()
    """The first delivery of an automatic, case-specific response."""
    human_response_at: datetime | None = _instant()
    """The first response by a person."""
    asked_at: datetime | None = _instant()
    """A repeating clock: when staff were asked for what to say."""
    content: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    """What staff have given to be said about it: `desk.update.Content`."""
    owner_warned_at: datetime | None = _instant()
    manager_warned_at: datetime | None = _instant()
    told_by: str | None = None
    """How the tenant is told that it stands badly, or is updated: a channel, `phone` or `letter`; None while nobody has."""
    told_message_id: str | None = Field(default=None, foreign_key="message.id", index=True)
    told_at: datetime | None = _instant()
    """When the provider took that message, or a person made that call."""
    said_at: datetime | None = _instant()
    """When that message was written or that call asked for; None once it has got through, or a person was asked to hurry."""
    missed_at: datetime | None = _instant()
    ended_at: datetime | None = _instant()
    reason: str | None = _text(None)
    """Why it was paused, extended or ended, in staff's words."""
    paused_at: datetime | None = _instant()
    pauses: list[dict[str, str]] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    """Every pause that is over: `{"from", "to", "why", "reason", "by"}`."""
    extends_id: str | None = Field(default=None, foreign_key="clock.id")
    """The clock whose date this one extends, or that it runs in place of since the tenant chose a later day."""
    chosen: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    """The later day that the tenant chose, with what proves it: `desk.choice.Choice`."""


class Task(SQLModel, table=True):
    """Something a person must do."""

    __tablename__ = "task"
    __table_args__ = (
        Index("ix_task_open", "due_at", sqlite_where=text("done_at IS NULL"), postgresql_where=text("done_at IS NULL")),
        Index(
            "uq_task_clock",
            "clock_id",
            "kind",
            unique=True,
            sqlite_where=text("clock_id IS NOT NULL"),
            postgresql_where=text("clock_id IS NOT NULL"),
        ),
    )
    id: str = _id()
    kind: str
    """A key that the console explains: `emergency`, `callback`, `name_complaint_handler`, `cannot_deliver` …"""
    conversation_id: str = Field(foreign_key="conversation.id", index=True)
    case_id: str | None = Field(default=None, foreign_key="case.id", index=True)
    detail: str = _text()
    urgent: bool = False
    due_at: datetime = _instant(nullable=False)
    created_at: datetime = _instant(nullable=False)
    done_at: datetime | None = _instant()
    done_by: str | None = Field(default=None, foreign_key="staff.id")
    role: str | None = None
    """Whose it is, where it is not just anybody's: `owner` of the case, or `manager`."""
    clock_id: str | None = Field(default=None, foreign_key="clock.id")
    """The clock that asked for it: once for each kind of task."""
    about: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=True))
    """Of a call or a letter that stands for a message: its `clocks`, what it `meets`, its `words`."""


class SurveyState(StrEnum):
    """Where a survey stands."""

    WAITING = "waiting"
    """To be sent, at `act_at`."""
    SENT = "sent"
    ANSWERED = "answered"
    LEFT_OUT = "left_out"
    """It will not be sent, for `reason`."""


class Survey(SQLModel, table=True):
    """How a repair went, asked once for each: a promise in some policies, and evidence in all."""

    __tablename__ = "survey"
    __table_args__ = (
        Index("ix_survey_act", "act_at", sqlite_where=text("act_at IS NOT NULL"),
              postgresql_where=text("act_at IS NOT NULL")),
    )  # fmt: skip
    id: str = _id()
    case_id: str = Field(foreign_key="case.id", unique=True)
    contact_id: str = Field(foreign_key="contact.id", index=True)
    state: str = SurveyState.WAITING.value
    created_at: datetime = _instant(nullable=False)
    act_at: datetime | None = _instant()
    """When to send it, or to remind once; None when there is nothing left to do."""
    message_id: str | None = Field(default=None, foreign_key="message.id")
    """The message that asked; several repairs of a person are asked about in one."""
    by: str | None = None
    """How it was asked: a channel, `phone` or `letter`."""
    sent_at: datetime | None = _instant()
    reminded_at: datetime | None = _instant()
    expires_at: datetime | None = _instant()
    """From here on an answer is no longer taken."""
    score: int | None = None
    """1, very unhappy, to 5, very happy; the newest answer counts."""
    comment: str | None = _text(None)
    answered_at: datetime | None = _instant()
    answered_by: str | None = None
    """How the answer came: a channel, `page`, or the id of the member of staff who took it down."""
    reason: str | None = None
    """Of one that is left out: `at_risk`, `no_surveys`, `opted_out`, `asked_lately` or `withdrawn`."""


class Event(SQLModel, table=True):
    """What happened, append-only: who did what to which row, when."""

    __tablename__ = "event"
    __table_args__ = (
        Index("ix_event_subject", "subject", "at"),
        Index("ix_event_unsealed", "id", sqlite_where=text("seal IS NULL"), postgresql_where=text("seal IS NULL")),
        Index("ix_event_seal", "seal"),
    )
    id: str = _id()
    at: datetime = _instant(nullable=False)
    actor: str
    """`bot`, `tenant`, `provider`, or a staff id."""
    verb: str
    subject: str
    """The id of the row that it happened to."""
    detail: dict[str, Any] = _json()
    detail_digest: str | None = None
    """Set when it is sealed: the detail may be erased afterwards, and the seal still holds."""
    seal: int | None = None
    """The number of the Seal over it; None while it waits for one."""


class Seal(SQLModel, table=True):
    """One link of the chain over all events (`bot.store.seals`)."""

    __tablename__ = "seal"
    number: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    previous: str
    """The hash of the seal before it."""
    root: str
    """The root of the hash tree over its events, in the order of their ids."""
    events: int
    at: datetime = _instant(nullable=False)
    hash: str
    """Of the five above."""


class PolicyVersion(SQLModel, table=True):
    """A policy as it stood, whole, with its calendar: a clock points at the version it was promised under."""

    __tablename__ = "policy_version"
    id: str = Field(sa_column=Column(String(64), primary_key=True))
    policy: str
    content: str = _text()
    created_at: datetime = _instant(nullable=False)


class Staff(SQLModel, table=True):
    """A person who works for the association."""

    __tablename__ = "staff"
    id: str = _id()
    email: str = Field(unique=True)
    name: str
    """As tenants see it."""
    job_title: str = ""
    team: str = ""
    role: str = "officer"
    """`officer`, `manager`, `auditor`, `administrator` or `contractor`: what the person may do."""
    password_hash: str | None = None
    created_at: datetime = _instant(nullable=False)
    disabled_at: datetime | None = _instant()


class SignInLink(SQLModel, table=True):
    """A one-time link that lets a member of staff in to choose a password. Only a digest of its token is kept."""

    __tablename__ = "sign_in_link"
    digest: str = Field(sa_column=Column(String(64), primary_key=True))
    staff_id: str = Field(foreign_key="staff.id")
    expires_at: datetime = _instant(nullable=False)
    used_at: datetime | None = _instant()


class StaffSession(SQLModel, table=True):
    """A signed-in browser. Only a digest of its cookie is kept."""

    __tablename__ = "staff_session"
    digest: str = Field(sa_column=Column(String(64), primary_key=True))
    staff_id: str = Field(foreign_key="staff.id", index=True)
    csrf: str
    created_at: datetime = _instant(nullable=False)
    seen_at: datetime = _instant(nullable=False)
    expires_at: datetime = _instant(nullable=False)


class HandoverState(StrEnum):
    """Where a handover stands. `docs/handover.md` draws the ways from one to the next."""

    WAITING = "waiting"
    """Nobody has taken it: the ladder climbs."""
    TAKEN = "taken"
    STOOD_DOWN = "stood_down"
    """A person decided that it is no emergency, or no longer one, and gave the tenant a reason."""
    GRANTED = "granted"
    """A manager who was asked for an authorisation gave it."""
    REFUSED = "refused"


class Handover(SQLModel, table=True):
    """One thing that a person on call has to take: an emergency (one for each case), or an authorisation to be given."""

    __tablename__ = "handover"
    __table_args__ = (
        Index("uq_handover_case", "case_id", unique=True, sqlite_where=text("purpose = 'emergency'"),
              postgresql_where=text("purpose = 'emergency'")),
        Index("ix_handover_case_id", "case_id"),
        Index("ix_handover_next", "next_at", sqlite_where=text("next_at IS NOT NULL"),
              postgresql_where=text("next_at IS NOT NULL")),
    )  # fmt: skip
    id: str = _id()
    purpose: str = "emergency"
    """`emergency` or `authority`."""
    case_id: str = Field(foreign_key="case.id")
    conversation_id: str = Field(foreign_key="conversation.id", index=True)
    code: str = Field(unique=True)
    """What the person on call replies to take it."""
    state: str = HandoverState.WAITING.value
    rung: int = 0
    """The rung that is being alerted, an index of the policy's ladder; -1 is the staff console."""
    lap: int = 1
    """How often the ladder has been begun."""
    step: int = 0
    """How many attempts this rung has had: decides the route of the next."""
    rung_until: datetime | None = _instant()
    """When the next rung's turn comes; None until this one has been alerted."""
    next_at: datetime | None = _instant()
    """When the ladder has to be looked at next; None once somebody has taken it."""
    started_at: datetime = _instant(nullable=False)
    concerns: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """What else whoever takes it must know: keys such as `silent`, `advice_not_delivered`, `nobody_came`."""
    told_lap: int = 0
    """The last lap in which the tenant was told that nobody has taken it yet."""
    taken_at: datetime | None = _instant()
    taken_by: str | None = None
    """The rung's or the person's name."""
    taken_rung: int | None = None
    taken_staff_id: str | None = Field(default=None, foreign_key="staff.id")
    how: str | None = None
    """How it was taken: `call`, `text`, `link` or `console`."""
    question: str = _text()
    """Of an authorisation: what for."""
    asked_by: str | None = Field(default=None, foreign_key="staff.id")
    """Of an authorisation: who needs it."""
    reason: str | None = _text(None)
    """Why it was stood down, as the tenant was told; or what a manager said to their answer."""


class HandoverAttempt(SQLModel, table=True):
    """One try to reach somebody on the ladder, or to tell whoever took it something: written before it is sent."""

    __tablename__ = "handover_attempt"
    __table_args__ = (
        Index("uq_handover_attempt_n", "handover_id", "n", unique=True),
        Index("ix_handover_attempt_due", "due_at", sqlite_where=text("due_at IS NOT NULL"),
              postgresql_where=text("due_at IS NOT NULL")),
    )  # fmt: skip
    id: str = _id()
    handover_id: str = Field(foreign_key="handover.id")
    n: int
    """Its place among the handover's attempts, counted from 1."""
    purpose: str = "alert"
    """`alert`: take this; `confirm`, `notice` and `update` go to whoever took it."""
    lap: int = 1
    rung: int = 0
    rung_name: str = ""
    route: str = ""
    """`call`, `text`, `email`, `webhook`, `console`; `none` where the rung cannot be reached."""
    says: str = ""
    """Of a notice: the key of what it says."""
    state: str = "queued"
    """`queued`, `sending`, `sent`, `delivered`, `taken`, `not_taken`, `busy`, `no_answer`, `machine`, `failed`, `unknown`
    or `no_route`."""
    at: datetime = _instant(nullable=False)
    due_at: datetime | None = _instant()
    """Of what goes to whoever took it: when to send it, or to try again; None once it is out."""
    ended_at: datetime | None = _instant()
    provider_id: str | None = None
    error: str | None = None
    once: str | None = Field(default=None, unique=True)


class TenantCall(SQLModel, table=True):
    """One try to tell a tenant by telephone what to do in danger, as no message may go to them: written before it is made."""

    __tablename__ = "tenant_call"
    __table_args__ = (
        Index("ix_tenant_call_due", "due_at", sqlite_where=text("due_at IS NOT NULL"),
              postgresql_where=text("due_at IS NOT NULL")),
    )  # fmt: skip
    id: str = _id()
    conversation_id: str = Field(foreign_key="conversation.id", index=True)
    case_id: str | None = Field(default=None, foreign_key="case.id", index=True)
    number: str
    hazard: str
    keys: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """The response keys of the advice."""
    n: int = 1
    """Which try it is, counted from 1."""
    state: str = "waiting"
    """`waiting`, `ringing`, `answered`, `heard`, `busy`, `no_answer`, `machine`, `failed`, `unknown` or `not_made`."""
    at: datetime = _instant(nullable=False)
    due_at: datetime | None = _instant()
    """When to ring; while it rings, when to take it for lost."""
    answered_at: datetime | None = _instant()
    ended_at: datetime | None = _instant()
    provider_id: str | None = None
    error: str | None = None


class FollowUp(SQLModel, table=True):
    """A look at an emergency that is due: did the advice arrive, has the tenant fallen silent, has somebody come?"""

    __tablename__ = "follow_up"
    __table_args__ = (
        Index("uq_follow_up_open", "handover_id", "kind", unique=True, sqlite_where=text("done_at IS NULL"),
              postgresql_where=text("done_at IS NULL")),
        Index("ix_follow_up_due", "due_at", sqlite_where=text("done_at IS NULL"), postgresql_where=text("done_at IS NULL")),
    )  # fmt: skip
    id: str = _id()
    kind: str
    """`advice_delivered`, `tenant_silent` or `somebody_came`."""
    handover_id: str = Field(foreign_key="handover.id", index=True)
    due_at: datetime = _instant(nullable=False)
    done_at: datetime | None = _instant()
    found: str | None = None
    """What the look found."""
