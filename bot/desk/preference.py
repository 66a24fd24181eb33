"""How a person wants to be reached, and how they may be: channel, language, format, quiet hours; safe hours and ways, and
whether anything may be left that somebody else could see.

What is for comfort (quiet hours, a format) moves or changes what we send. What is for safety (safe hours, ways that must not
be used, no trace) stops it: a person is asked instead (`bot.desk.reach`).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, time
from typing import Any, Final

from sqlmodel import Session, col, select

from bot.desk.conversation import NotAllowed, record
from bot.desk.office import Office
from bot.sla.clocks import is_quiet
from bot.store.tables import Contact, Event, Staff

FORMATS: Final = ("large_print", "audio", "easy_read", "bsl", "braille", "translation")
"""Formats that a person can ask for."""
WAYS: Final = ("sms", "whatsapp", "telegram", "web", "phone", "letter")
"""Ways by which somebody can be reached."""
CHANGED: Final = "preferences_changed"
LONGEST_NOTE: Final = 400
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,8})?")

Spans = tuple[tuple[time, time], ...]
"""Local times from which and to which nobody is to be written to; the second may lie on the next day."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """Everything about how one person is reached. Times are local, as `21:30`."""

    preferred_channel: str | None = None
    language: str = "en"
    preferred_format: str | None = None
    quiet_from: str | None = None
    quiet_until: str | None = None
    surveys: bool = True
    safe_from: str | None = None
    safe_until: str | None = None
    never_by: tuple[str, ...] = ()
    no_trace: bool = False
    safe_contact: str | None = None


def wishes_of(contact: Contact) -> Wishes:
    return Wishes(
        preferred_channel=contact.preferred_channel, language=contact.language, preferred_format=contact.preferred_format,
        quiet_from=contact.quiet_from, quiet_until=contact.quiet_until, surveys=contact.no_surveys_since is None,
        safe_from=contact.safe_from, safe_until=contact.safe_until, never_by=tuple(contact.never_by or ()),
        no_trace=contact.no_trace_since is not None, safe_contact=contact.safe_contact,
    )  # fmt: skip


def prefer(
    session: Session, office: Office, contact: Contact, wishes: Wishes, *, actor: str, now: datetime
) -> tuple[str, ...]:
    """Keep how a person is to be reached, and who changed what. The names of what changed.

    Raises NotAllowed for a time that is none, half a span, an unknown way or format, or a preferred way that must not be
    used. The words about safe contact stay out of the record of changes.
    """
    _check(wishes)
    before, after = asdict(wishes_of(contact)), asdict(wishes)
    changed = tuple(name for name in after if after[name] != before[name])
    if not changed:
        return ()
    contact.preferred_channel, contact.language = wishes.preferred_channel, wishes.language
    contact.preferred_format = wishes.preferred_format
    contact.quiet_from, contact.quiet_until = wishes.quiet_from, wishes.quiet_until
    contact.safe_from, contact.safe_until = wishes.safe_from, wishes.safe_until
    contact.never_by, contact.safe_contact = list(wishes.never_by) or None, wishes.safe_contact
    contact.no_trace_since = (contact.no_trace_since or now) if wishes.no_trace else None
    contact.no_surveys_since = None if wishes.surveys else (contact.no_surveys_since or now)
    session.add(contact)
    told = {name: [before[name], after[name]] for name in changed if name != "safe_contact"}
    record(session, office, CHANGED, contact.id, actor=actor, now=now, fields=list(changed), changes=told)
    return changed


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed what, and when."""

    at: datetime
    by: str
    """A name; or `The tenant`."""
    fields: tuple[str, ...]
    changes: Mapping[str, Sequence[Any]]


def history(session: Session, contact_id: str, *, most: int = 20) -> list[Change]:
    """What was changed about how a person is reached, the newest first."""
    found = session.exec(
        select(Event)
        .where(Event.subject == contact_id, Event.verb == CHANGED)
        .order_by(col(Event.at).desc(), col(Event.id).desc())
        .limit(most)
    ).all()
    names = {
        each.id: each.name for each in session.exec(select(Staff).where(col(Staff.id).in_({e.actor for e in found})))
    }
    return [
        Change(
            each.at, names.get(each.actor, "The tenant" if each.actor == "tenant" else each.actor),
            tuple(each.detail.get("fields", ())), each.detail.get("changes", {}),
        )
        for each in found
    ]  # fmt: skip


# --- what follows from it


def quiet_spans(office: Office, contact: Contact) -> Spans:
    """When what we send by ourselves has to wait: the policy's quiet hours, the person's own, and all but their safe ones."""
    spans = [office.policy.quiet_hours] if office.policy.quiet_hours else []
    if contact.quiet_from and contact.quiet_until:
        spans.append((time.fromisoformat(contact.quiet_from), time.fromisoformat(contact.quiet_until)))
    if contact.safe_from and contact.safe_until:
        spans.append((time.fromisoformat(contact.safe_until), time.fromisoformat(contact.safe_from)))
    return tuple(spans)


def is_safe(contact: Contact, now: datetime) -> bool:
    """Whether something may be sent to this person now without putting them at risk."""
    if contact.no_trace_since is not None:
        return False
    if not (contact.safe_from and contact.safe_until):
        return True
    unsafe = (time.fromisoformat(contact.safe_until), time.fromisoformat(contact.safe_from))
    return not is_quiet((unsafe,), now)


def needs_care(contact: Contact) -> bool:
    """Whether reaching this person in the wrong way may put them at risk."""
    return bool(contact.no_trace_since or contact.safe_from or contact.safe_contact)


def in_words(contact: Contact) -> str:
    """What whoever rings, writes or visits has to know first; empty if there is nothing."""
    told = []
    if contact.no_trace_since is not None:
        told.append("Leave no trace: no message, voicemail, letter or card.")
    if contact.safe_from and contact.safe_until:
        told.append(f"Safe only from {contact.safe_from} to {contact.safe_until}.")
    if contact.never_by:
        told.append(f"Never by {', '.join(contact.never_by)}.")
    if contact.safe_contact:
        told.append(f"How: {contact.safe_contact}")
    if contact.preferred_format:
        told.append(f"Format: {contact.preferred_format.replace('_', ' ')}.")
    if contact.language != "en":
        told.append(f"Language: {contact.language}.")
    return " ".join(told)


# --- inside


def _check(wishes: Wishes) -> None:
    _one_of(wishes.preferred_channel, WAYS, "a way to reach somebody")
    _one_of(wishes.preferred_format, FORMATS, "a format")
    for way in wishes.never_by:
        _one_of(way, WAYS, "a way to reach somebody")
    if wishes.preferred_channel in wishes.never_by:
        raise NotAllowed("The way they prefer is also one that must never be used. Choose one or the other.")
    if not _LANGUAGE.fullmatch(wishes.language):
        raise NotAllowed("Give the language as its code, such as en, pl or ar.")
    for name, first, last in (
        ("quiet hours", wishes.quiet_from, wishes.quiet_until), ("safe hours", wishes.safe_from, wishes.safe_until),
    ):  # fmt: skip
        if (first is None) != (last is None) or (first is not None and first == last):
            raise NotAllowed(f"Give both ends of the {name}, or neither.")
        for given in (first, last):
            if given is not None and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", given):
                raise NotAllowed(f"{name.capitalize()}: {given} is not a time of day such as 21:30.")
    if len(wishes.safe_contact or "") > LONGEST_NOTE:
        raise NotAllowed(f"How to reach them safely: {LONGEST_NOTE} characters are the most.")


def _one_of(given: str | None, known: Iterable[str], what: str) -> None:
    if given is not None and given not in known:
        raise NotAllowed(f"{given} is not {what}.")
