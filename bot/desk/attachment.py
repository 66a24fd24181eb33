"""The files that come with messages: what they are, where they are, and who may look at them.

    waiting ──▶ kept      fetched from the provider, or uploaded on the page
       └──────▶ lost      the provider has it no longer, or nobody could fetch it in time: staff are asked to ask again

A file is known by what is in it. Its name and the type that its sender gives decide nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, func, select

from bot.desk import task as tasks
from bot.desk.brief import is_in_confidence
from bot.desk.conversation import record
from bot.desk.office import Office
from bot.messages import UPLOADED
from bot.store import conversations
from bot.store.tables import Attachment, AttachmentState, Case, Conversation, Event, Message, Staff

PHOTOS: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/heic", "application/pdf"})
"""What can be uploaded."""
SHOWN: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})
"""Pictures that every browser shows."""
PLAYED: Final = frozenset({"audio/ogg", "audio/mpeg", "audio/mp4", "audio/wav", "audio/webm"})
ENDINGS: Final = {
    "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/heic": "heic", "image/gif": "gif",
    "application/pdf": "pdf", "audio/ogg": "ogg", "audio/mpeg": "mp3", "audio/mp4": "m4a", "audio/wav": "wav",
    "audio/webm": "weba", "audio/amr": "amr", "video/mp4": "mp4", "video/3gpp": "3gp",
}  # fmt: skip
"""How the name of a downloaded file of each kind ends; what is not known ends in `bin`."""

MOST_ATTEMPTS: Final = 14
"""A day and a half of trying."""
READ: Final = "attachment_read"
"""The event that says who looked at a file."""
LOST_TASK: Final = "attachment_lost"
LOOK_TASK: Final = "photo_or_voice_note"
_ASK_WITHIN: Final = timedelta(hours=2)
_FIRST_WAIT: Final = timedelta(seconds=5)
_LONGEST_WAIT: Final = timedelta(hours=4)
_READ_AGAIN: Final = timedelta(hours=1)
"""A player asks for a file in pieces, and a page that stays open asks again: that is one reading."""
_MAY_READ_IN_CONFIDENCE: Final = frozenset({"officer", "manager", "administrator"})


def kind_of(start: bytes, said: str = "") -> str | None:
    """What a file is, from its first 64 bytes: one of `ENDINGS`, or None. `said`, the type that its sender gives, only tells
    sound from moving pictures in a container that holds either."""
    for begins, kind in _BEGINNINGS:
        if start.startswith(begins):
            return kind
    if start[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(start[8:12])
    if start[4:8] == b"ftyp":
        return _in_boxes(start, said)
    if len(start) > 2 and start[0] == 0xFF and start[1] & 0xE6 == 0xE2:  # an MPEG layer 3 frame
        return "audio/mpeg"
    return None


_BEGINNINGS: Final = (
    (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF87a", "image/gif"), (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"), (b"OggS", "audio/ogg"), (b"ID3", "audio/mpeg"), (b"#!AMR", "audio/amr"),
    (b"\x1aE\xdf\xa3", "audio/webm"),
)  # fmt: skip
_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def _in_boxes(start: bytes, said: str) -> str | None:
    """ISO base media files: the brand says which."""
    brand = start[8:12]
    if brand in _HEIC:
        return "image/heic"
    if brand.startswith(b"3g"):
        return "video/3gpp"
    if brand == b"avif":
        return None
    return "audio/mp4" if brand.startswith((b"M4A", b"M4B")) or said.startswith("audio/") else "video/mp4"


# --- arriving


def arriving(
    office: Office, message: Message, handle: str, media_type: str, size: int | None, *, now: datetime
) -> Attachment:
    """The row of a file that has come with a message: to be fetched, unless it has been uploaded or is no file."""
    row = Attachment(id=office.id(), message_id=message.id, handle=handle, media_type=media_type, size=size)
    if handle.startswith(UPLOADED):
        row.state, row.digest = AttachmentState.KEPT.value, handle.removeprefix(UPLOADED)
        row.kind, row.kept_at = media_type, now
    elif handle.startswith(("geo:", "tel:")):
        row.state = AttachmentState.NO_FILE.value
    else:
        row.due_at = now
    return row


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to be fetched."""

    id: str
    channel: str
    handle: str
    media_type: str


def lease_due(session: Session, *, now: datetime, until: datetime, most: int) -> list[Wanted]:
    """Take the files that are due, until `until`: should whoever fetches them die, they are due again then."""
    due = session.exec(
        select(Attachment, Message.channel)
        .join(Message, col(Message.id) == Attachment.message_id)
        .where(col(Attachment.due_at) <= now)
        .order_by(col(Attachment.due_at))
        .limit(most)
        .with_for_update(skip_locked=True, of=Attachment)
    ).all()
    for row, _ in due:
        row.due_at, row.attempts = until, row.attempts + 1
        session.add(row)
    return [Wanted(row.id, channel, row.handle, row.media_type) for row, channel in due]


def is_due(session: Session, *, now: datetime) -> bool:
    """Whether any file is due: a look without a lock."""
    return session.exec(select(Attachment.id).where(col(Attachment.due_at) <= now).limit(1)).first() is not None


def release(session: Session, *, now: datetime) -> None:
    """Whatever was being fetched by a process that died is due now."""
    for row in session.exec(select(Attachment).where(col(Attachment.due_at) > now, Attachment.attempts > 0)):
        if row.error is None:
            row.due_at = now
            session.add(row)


def kept(
    session: Session, office: Office, attachment_id: str, digest: str, size: int, kind: str | None, *, now: datetime
) -> str:
    """A file has been fetched. Its conversation's id."""
    row = session.get_one(Attachment, attachment_id)
    row.state, row.digest, row.size, row.kind = AttachmentState.KEPT.value, digest, size, kind
    row.kept_at, row.due_at, row.error = now, None, None
    session.add(row)
    note_kept(session, office, row, actor="provider", now=now)
    return session.get_one(Message, row.message_id).conversation_id


def note_kept(session: Session, office: Office, row: Attachment, *, actor: str, now: datetime) -> None:
    """Put on record what was kept, so that it can be shown later that the file is the one that came."""
    record(
        session, office, "attachment_kept", row.id, actor=actor, now=now, message=row.message_id, digest=row.digest,
        size=row.size,
    )  # fmt: skip


def not_fetched(
    session: Session, office: Office, attachment_id: str, error: str, *, for_good: bool, now: datetime,
    wait: float | None = None,
) -> str | None:  # fmt: skip
    """A file could not be fetched: try again later (`wait` seconds at least), or have a person ask for it. The conversation's
    id once it is lost."""
    row = session.get_one(Attachment, attachment_id)
    row.error = error
    session.add(row)
    if not for_good and row.attempts < MOST_ATTEMPTS:
        pause = min(_FIRST_WAIT * 3 ** (row.attempts - 1), _LONGEST_WAIT)
        row.due_at = now + max(pause, timedelta(seconds=wait or 0))
        return None
    row.state, row.due_at = AttachmentState.LOST.value, None
    message = session.get_one(Message, row.message_id)
    talk = conversations.load(session, message.conversation_id)
    assert talk is not None, "a message has a conversation"
    tasks.add(session, office, talk, LOST_TASK, due_at=now + _ASK_WITHIN, now=now)
    talk.needs_person = talk.needs_person or LOST_TASK
    conversations.save(session, talk)
    record(session, office, "attachment_lost", row.id, actor="bot", now=now, message=message.id)
    return talk.id


def of_messages(session: Session, message_ids: Sequence[str]) -> dict[str, list[Attachment]]:
    """The files of messages, in the order in which they came."""
    found: dict[str, list[Attachment]] = {}
    for each in session.exec(
        select(Attachment).where(col(Attachment.message_id).in_(message_ids)).order_by(col(Attachment.id))
    ):
        found.setdefault(each.message_id, []).append(each)
    return found


def uploaded_to(session: Session, case_id: str) -> int:
    """How many files have been uploaded for a case."""
    return session.exec(
        select(func.count())
        .select_from(Attachment)
        .join(Message, col(Message.id) == Attachment.message_id)
        .where(Message.case_id == case_id, col(Attachment.handle).startswith(UPLOADED))
    ).one()


# --- looked at


def is_sensitive(session: Session, talk: Conversation) -> bool:
    """Whether a conversation is about a person at risk, so that only those who must know look at what was sent."""
    if talk.hazard.get("sensitive"):
        return True
    return any(is_in_confidence(case) for case in session.exec(select(Case).where(Case.conversation_id == talk.id)))


@dataclass(frozen=True, slots=True)
class Readable:
    """A file that somebody may look at."""

    id: str
    digest: str
    kind: str | None
    in_confidence: bool
    name: str
    """What to call it when it is downloaded: nothing of the tenant's is in it."""


class NotForYou(Exception):
    """A file of a person at risk, for somebody who need not know."""


def look(session: Session, attachment_id: str, staff: Staff, *, now: datetime) -> tuple[Readable, bool] | None:
    """A file that `staff` asks for, and whether that has still to be recorded (`note_reading`). None if there is none, or not
    yet. Raises NotForYou."""
    row = session.get(Attachment, attachment_id)
    if row is None or row.state != AttachmentState.KEPT or row.digest is None:
        return None
    message = session.get_one(Message, row.message_id)
    talk = conversations.load(session, message.conversation_id, lock=False)
    assert talk is not None, "a message has a conversation"
    sensitive = is_sensitive(session, talk)
    if sensitive and not may_read_in_confidence(staff):
        raise NotForYou
    name = f"{message.created_at:%Y-%m-%d-%H%M}-{row.id[-6:]}.{ENDINGS.get(row.kind or '', 'bin')}"
    return Readable(row.id, row.digest, row.kind, sensitive, name), not _read_lately(session, row.id, staff, now)


def may_read_in_confidence(staff: Staff) -> bool:
    return staff.role in _MAY_READ_IN_CONFIDENCE


def note_reading(session: Session, office: Office, found: Readable, staff: Staff, *, now: datetime) -> None:
    """Put on record that somebody has looked at a file."""
    if not _read_lately(session, found.id, staff, now):
        record(session, office, READ, found.id, actor=staff.id, now=now, in_confidence=found.in_confidence)


def _read_lately(session: Session, attachment_id: str, staff: Staff, now: datetime) -> bool:
    return session.exec(
        select(Event.id).where(
            Event.subject == attachment_id, Event.verb == READ, Event.actor == staff.id, Event.at > now - _READ_AGAIN
        )
    ).first() is not None  # fmt: skip
