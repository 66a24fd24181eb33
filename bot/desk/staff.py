"""Staff accounts: who works here, how they get in, what their role lets them do.

    StaffError
    ├── BadAccount          an email or a role that cannot be used, or an email that is taken
    ├── UnknownAccount      nobody has that email
    ├── LinkUnusable        a one-time link that is unknown, used or too old
    ├── WeakPassword        too short, or absurdly long
    ├── TryLater            too many failed sign-ins: says how long to wait
    └── SignInRefused       the password was right, but this account may not use the console

Passwords are slow to check on purpose, so they are hashed and compared outside transactions: `begin_sign_in` (a
transaction), `password_matches` (a thread), `finish_sign_in` (a transaction).

Attempts to sign in are counted in the database, as events: several processes share it, and a restart must not give an
attacker a fresh start. An attempt is written down before its password is looked at, so that many at once count too. After
a few failures each further one has to wait, a minute at most: an account is slowed down, never locked for ever. Whoever is
signed in already notices nothing, and a new one-time link (`doorstep staff reset`) always lets its owner in.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, update
from sqlmodel import Session, col, select

from bot.desk import task as tasks
from bot.desk.conversation import NotAllowed, record
from bot.desk.office import Office
from bot.store import conversations
from bot.store.tables import Conversation, Event, Owner, SignInLink, Staff, StaffSession

ROLES: Final = ("officer", "manager", "auditor", "administrator", "contractor")
ACTING_ROLES: Final = frozenset({"officer", "manager", "administrator"})
"""Who may take over, reply and tick off. Auditors read; contractors have no way into the console yet."""

LINK_LASTS: Final = timedelta(hours=24)
IDLE_FOR: Final = timedelta(hours=12)
"""A session that is not used for so long ends."""
SESSION_LASTS: Final = timedelta(hours=24)
"""A session ends after so long, used or not."""
SHORTEST_PASSWORD: Final = 12
LONGEST_PASSWORD: Final = 256

FORM_SENT: Final = "form_sent"
"""The event that remembers a form by its id, so that a button pressed twice acts once."""
FIRST_ADMINISTRATOR: Final = "admin@localhost"

_COUNTED_FOR: Final = timedelta(minutes=15)
_FREE_FOR_ACCOUNT: Final = 5
_FREE_FOR_ADDRESS: Final = 20
"""More than for an account: a whole office may share one address."""
_LONGEST_WAIT: Final = 60.0
_TOUCH_EVERY: Final = timedelta(minutes=5)
_HASHER: Final = PasswordHasher()
_NOBODYS_HASH: Final = (
    "$argon2id$v=19$m=65536,t=3,p=4$LoYGfsRD8LUYXQJT6ipZvA$s8JM+9sTocDj5Tp15XWFv3mBFMPi7COuwSNZZSQpUBQ"
)
"""Compared with where there is no account, so that an unknown email takes as long as a wrong password."""


class StaffError(Exception):
    """Something about a staff account does not allow this; the message says what, in words for staff."""


class BadAccount(StaffError):
    """An email or a role that cannot be used, or an email that is taken."""


class UnknownAccount(StaffError):
    """Nobody has that email."""


class LinkUnusable(StaffError):
    """A one-time link that is unknown, used or too old."""


class WeakPassword(StaffError):
    """Too short, or absurdly long."""


class TryLater(StaffError):
    """Too many failed sign-ins. `seconds` is how long to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many attempts. Please wait {seconds} second{'' if seconds == 1 else 's'} and try again.")
        self.seconds = seconds


class SignInRefused(StaffError):
    """The password was right, but this account may not use the console."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in that has begun: what its password is to be compared with."""

    staff_id: str | None
    password_hash: str | None
    account_key: str
    address_key: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody at a browser. `token` is the cookie's value: only its digest is stored."""

    token: str
    csrf: str
    staff: Staff
    seen_at: datetime


# --- accounts


def add(
    session: Session, office: Office, *, email: str, name: str, job_title: str, team: str, role: str, now: datetime,
    actor: str,
) -> Staff:  # fmt: skip
    """Make an account, without a way in yet (`invite`). A disabled account of that email comes back with these details."""
    email = _clean_email(email)
    if role not in ROLES:
        raise BadAccount(f"{role!r} is not a role; the roles are {', '.join(ROLES)}")
    if not name.strip():
        raise BadAccount("a name is needed: tenants are told who is answering")
    found = _by_email(session, email)
    if found is not None and found.disabled_at is None:
        raise BadAccount(f"{email} has an account already")
    member = found or Staff(id=office.id(), email=email, name="", created_at=now)
    member.name, member.job_title, member.team, member.role = name.strip(), job_title.strip(), team.strip(), role
    member.disabled_at = member.password_hash = None
    session.add(member)
    session.flush()
    record(session, office, "staff_added", member.id, actor=actor, now=now, role=role)
    return member


def find(session: Session, email: str) -> Staff:
    """Raises UnknownAccount."""
    found = _by_email(session, email.strip().lower())
    if found is None:
        raise UnknownAccount(f"nobody has the email {email}")
    return found


def everyone(session: Session) -> list[Staff]:
    """Every account, by email."""
    return list(session.exec(select(Staff).order_by(Staff.email)))


def disable(session: Session, office: Office, email: str, *, now: datetime, actor: str) -> Staff:
    """End an account: every browser is signed out, links stop working, conversations held are put before others."""
    member = find(session, email)
    if member.disabled_at is not None:
        return member
    member.disabled_at = now
    session.add(member)
    _close_ways_in(session, member, now=now)
    _leave_conversations(session, office, member, now=now)
    record(session, office, "staff_disabled", member.id, actor=actor, now=now)
    return member


def reset(session: Session, office: Office, email: str, *, now: datetime, actor: str) -> str:
    """Forget the password, sign out everywhere, and return the token of a new one-time link."""
    member = find(session, email)
    if member.disabled_at is not None:
        raise BadAccount(f"{member.email} is disabled; `doorstep staff add` brings the account back")
    member.password_hash = None
    session.add(member)
    return invite(session, office, member, now=now, actor=actor)


def invite(session: Session, office: Office, member: Staff, *, now: datetime, actor: str) -> str:
    """The token of a fresh one-time link for choosing a password; older links and sessions end."""
    _close_ways_in(session, member, now=now)
    token = office.wall_clock.token(32)
    session.add(SignInLink(digest=_digest(token), staff_id=member.id, expires_at=now + LINK_LASTS))
    record(session, office, "sign_in_link_made", member.id, actor=actor, now=now)
    return token


def link_address(base_url: str, token: str) -> str:
    """Where a one-time link leads."""
    return f"{base_url.rstrip('/')}/staff/welcome/{token}"


def first_administrator(session: Session, office: Office, *, now: datetime, base_url: str) -> str | None:
    """A link for the first administrator, made if there is no account at all; None once somebody has a password.

    Also fresh when the only account has never set a password: a link that was lost with a terminal is no way to be locked
    out of one's own machine.
    """
    members = everyone(session)
    if not members:
        member = add(
            session, office, email=FIRST_ADMINISTRATOR, name="Administrator", job_title="Administrator",
            team=office.policy.short_name, role="administrator", now=now, actor="bot",
        )  # fmt: skip
    elif len(members) == 1 and members[0].password_hash is None and members[0].disabled_at is None:
        member = members[0]
    else:
        return None
    return link_address(base_url, invite(session, office, member, now=now, actor="bot"))


# --- passwords


def check_password_length(password: str) -> None:
    """Raises WeakPassword. Length is all that is asked: rules about symbols make passwords worse."""
    if len(password) < SHORTEST_PASSWORD:
        raise WeakPassword(f"Use at least {SHORTEST_PASSWORD} characters. Three or four words together work well.")
    if len(password) > LONGEST_PASSWORD:
        raise WeakPassword(f"Use at most {LONGEST_PASSWORD} characters.")


def hash_password(password: str) -> str:
    """Slow on purpose (tens of milliseconds): not inside a transaction."""
    check_password_length(password)
    return _HASHER.hash(password)


def password_matches(password_hash: str | None, password: str) -> bool:
    """Slow on purpose, and as slow where there is no account (`None`): not inside a transaction."""
    try:
        return _HASHER.verify(password_hash or _NOBODYS_HASH, password[:LONGEST_PASSWORD]) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


# --- ways in


def link_holder(session: Session, token: str, *, now: datetime) -> Staff:
    """Whose one-time link this is. Changes nothing: mail programs open links to look at them. Raises LinkUnusable."""
    link = session.get(SignInLink, _digest(token))
    if link is None or link.used_at is not None or link.expires_at <= now:
        raise LinkUnusable("This link has been used already or is too old. Ask an administrator for a new one.")
    member = session.get_one(Staff, link.staff_id)
    if member.disabled_at is not None:
        raise LinkUnusable("This account has been closed.")
    _check_may_enter(member)
    return member


def choose_password(session: Session, office: Office, token: str, password_hash: str, *, now: datetime) -> SignedIn:
    """Use up a one-time link: its password is set and its owner signed in. Raises LinkUnusable."""
    member = link_holder(session, token, now=now)
    # Of two that come at once one finds the link used: the update decides, not the look before it.
    used = session.execute(
        update(SignInLink)
        .where(col(SignInLink.digest) == _digest(token), col(SignInLink.used_at).is_(None))
        .values(used_at=now)
    )
    if used.rowcount != 1:  # type: ignore[attr-defined]
        raise LinkUnusable("This link has been used already. Ask an administrator for a new one.")
    _close_ways_in(session, member, now=now)
    member.password_hash = password_hash
    session.add(member)
    record(session, office, "password_set", member.id, actor=member.id, now=now)
    return _enter(session, office, member, now=now)


def begin_sign_in(session: Session, office: Office, email: str, address: str, *, now: datetime) -> Attempt:
    """Write an attempt down and say what its password is to be compared with. Raises TryLater before anything is compared.

    `address` is where the browser is, as far as that is known.
    """
    email = email.strip().lower()
    account_key, address_key = _digest(f"account {email}")[:32], _digest(f"address {address}")[:32]
    wait = max(
        _wait(session, account_key, _FREE_FOR_ACCOUNT, now=now), _wait(session, address_key, _FREE_FOR_ADDRESS, now=now)
    )
    if wait > 0:
        raise TryLater(math.ceil(wait))
    for key in (account_key, address_key):
        record(session, office, "sign_in_tried", key, actor="provider", now=now)
    member = _by_email(session, email)
    if member is None or member.disabled_at is not None:
        return Attempt(None, None, account_key, address_key)
    return Attempt(member.id, member.password_hash, account_key, address_key)


def finish_sign_in(session: Session, office: Office, attempt: Attempt, *, now: datetime) -> SignedIn:
    """Let in whoever's password matched. Raises SignInRefused if the account is of a kind that may not use the console."""
    member = session.get_one(Staff, attempt.staff_id)
    if member.disabled_at is not None or member.password_hash != attempt.password_hash:
        raise SignInRefused("This account has just been changed. Please try again.")
    _check_may_enter(member)
    for key in (attempt.account_key, attempt.address_key):
        record(session, office, "sign_in_succeeded", key, actor=member.id, now=now)
    return _enter(session, office, member, now=now)


# --- sessions


def signed_in(session: Session, token: str, *, now: datetime) -> SignedIn | None:
    """Who is at the browser with this cookie; None if its session has ended or the account has."""
    found = session.get(StaffSession, _digest(token))
    if found is None or now >= found.expires_at or now - found.seen_at >= IDLE_FOR:
        return None
    member = session.get_one(Staff, found.staff_id)
    if member.disabled_at is not None or member.role == "contractor":
        return None
    return SignedIn(token, found.csrf, member, found.seen_at)


def is_to_be_touched(who: SignedIn, *, now: datetime) -> bool:
    """Whether the use of a session should be written down: not at every click."""
    return now - who.seen_at >= _TOUCH_EVERY


def touch(session: Session, token: str, *, now: datetime) -> None:
    """Note that a session is being used."""
    session.execute(update(StaffSession).where(col(StaffSession.digest) == _digest(token)).values(seen_at=now))


def sign_out(session: Session, office: Office, token: str, *, now: datetime) -> None:
    """End one browser's session."""
    found = session.get(StaffSession, _digest(token))
    if found is not None:
        session.delete(found)
        record(session, office, "signed_out", found.staff_id, actor=found.staff_id, now=now)


def check_may_act(member: Staff) -> None:
    """Raises NotAllowed if the member's role only lets them read."""
    if member.role not in ACTING_ROLES:
        raise NotAllowed(f"Your account is {_a(member.role)}'s: you can read everything here, but not change anything.")


def is_again(session: Session, form_id: str, member: Staff) -> bool:
    """Whether a form with this id has been carried out for this member already (`FORM_SENT` was recorded)."""
    found = session.exec(
        select(Event.id).where(Event.subject == form_id, Event.verb == FORM_SENT, Event.actor == member.id)
    )
    return bool(form_id) and found.first() is not None


# --- inside


def _enter(session: Session, office: Office, member: Staff, *, now: datetime) -> SignedIn:
    token, csrf = office.wall_clock.token(32), office.wall_clock.token(24)
    session.execute(delete(StaffSession).where(col(StaffSession.expires_at) <= now))
    session.add(
        StaffSession(
            digest=_digest(token),
            staff_id=member.id,
            csrf=csrf,
            created_at=now,
            seen_at=now,
            expires_at=now + SESSION_LASTS,
        )
    )
    record(session, office, "signed_in", member.id, actor=member.id, now=now)
    return SignedIn(token, csrf, member, now)


def _check_may_enter(member: Staff) -> None:
    if member.role == "contractor":
        raise SignInRefused("This account is a contractor's. Contractors cannot use this console yet.")


def _close_ways_in(session: Session, member: Staff, *, now: datetime) -> None:
    session.execute(delete(StaffSession).where(col(StaffSession.staff_id) == member.id))
    session.execute(
        update(SignInLink)
        .where(col(SignInLink.staff_id) == member.id, col(SignInLink.used_at).is_(None))
        .values(used_at=now)
    )


def _leave_conversations(session: Session, office: Office, member: Staff, *, now: datetime) -> None:
    """What they held stays with staff, so that the bot does not burst in; others are told that nobody answers it now."""
    held = session.exec(
        select(Conversation.id).where(Conversation.owner == Owner.STAFF.value, Conversation.assignee_id == member.id)
    )
    for conversation_id in _all(held):
        conversation = conversations.load(session, conversation_id)
        if conversation is None or conversation.assignee_id != member.id:
            continue
        tasks.add(
            session,
            office,
            conversation,
            "holder_left",
            due_at=now + timedelta(minutes=15),
            now=now,
            detail=member.name,
        )
        conversation.needs_person = conversation.needs_person or "holder_left"
        conversations.save(session, conversation)


def _wait(session: Session, key: str, free: int, *, now: datetime) -> float:
    """Seconds until the next attempt under this key may be made."""
    since = now - _COUNTED_FOR
    success = session.exec(
        select(func.max(Event.at)).where(Event.subject == key, Event.verb == "sign_in_succeeded", Event.at > since)
    ).one()
    tried: tuple[int, Any] = session.exec(
        select(func.count(), func.max(Event.at)).where(
            Event.subject == key, Event.verb == "sign_in_tried", Event.at > (success or since)
        )
    ).one()
    number, last = tried
    if number < free or last is None:
        return 0.0
    pause = timedelta(seconds=min(2.0 ** (number - free), _LONGEST_WAIT))
    return float((last + pause - now).total_seconds())


def _by_email(session: Session, email: str) -> Staff | None:
    return session.exec(select(Staff).where(Staff.email == email)).first()


def _clean_email(email: str) -> str:
    email = email.strip().lower()
    name, at, domain = email.partition("@")
    if not (name and at and domain) or "@" in domain or any(symbol.isspace() for symbol in email):
        raise BadAccount(f"{email!r} is not an email address")
    return email


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _all(found: Any) -> Sequence[str]:
    return list(found)


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
