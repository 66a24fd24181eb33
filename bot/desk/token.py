"""Tokens that other systems show at the API: made, looked at, taken back. A secret is shown once, and kept only as a digest."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from bot.desk.conversation import record
from bot.desk.office import Office
from bot.store.outside import ApiToken

SCOPES: Final[Mapping[str, str]] = {
    "read:cases": "cases, their promises and why each date is what it is",
    "read:conversations": "conversations and their messages",
    "read:contacts": "who a person is, by telephone number or case",
    "read:performance": "the figures of the report and the regulator's return",
    "read:policy": "what is promised, and where it says so",
    "read:evidence": "everything about a case as one file",
    "read:confidential": "with the others: cases of people at risk as well",
}
"""What a token may be good for."""
PREFIX: Final = "ds_"
"""Begins every token, so that one that is left lying about is recognised."""
LASTS: Final = timedelta(days=365)
_TOUCH_EVERY: Final = timedelta(minutes=1)
_NOBODYS: Final = hashlib.sha256(b"nobody").hexdigest()


class TokenError(Exception):
    """What was asked cannot be done; the message says why."""


def add(
    session: Session, office: Office, name: str, scopes: Sequence[str], *, now: datetime, actor: str,
    lasts: timedelta | None = LASTS,
) -> tuple[ApiToken, str]:  # fmt: skip
    """Make a token; the second part is what the other system has to show, and cannot be had again.

    Raises TokenError for a name in use, an unknown scope, or none.
    """
    name = name.strip()
    unknown = sorted(set(scopes) - SCOPES.keys())
    if unknown or not scopes:
        raise TokenError(f"{', '.join(unknown) or 'nothing'} is not a scope; there are {', '.join(SCOPES)}")
    if not name or any(each.name == name and is_good(each, now=now) for each in everyone(session)):
        raise TokenError(f"there is a token named {name!r} already" if name else "a token needs a name: whose is it?")
    secret = office.wall_clock.token(32)
    token = ApiToken(
        id=office.id(), name=name, digest=_digest(secret), scopes=sorted(set(scopes)), created_at=now,
        expires_at=now + lasts if lasts is not None else None,
    )  # fmt: skip
    session.add(token)
    record(session, office, "token_added", token.id, actor=actor, now=now, name=name, scopes=token.scopes)
    return token, f"{PREFIX}{token.id}_{secret}"


def everyone(session: Session) -> list[ApiToken]:
    """Every token, by name; also those that no longer let anybody in."""
    return list(session.exec(select(ApiToken).order_by(col(ApiToken.name), col(ApiToken.id))))


def revoke(session: Session, office: Office, which: str, *, now: datetime, actor: str) -> ApiToken:
    """Take a token back (by id or name), at once. Raises TokenError if there is none that still lets anybody in."""
    for token in everyone(session):
        if which in {token.id, token.name} and token.revoked_at is None:
            token.revoked_at = now
            session.add(token)
            record(session, office, "token_revoked", token.id, actor=actor, now=now)
            return token
    raise TokenError(f"no token is named {which!r}, or it was taken back already")


def holder(session: Session, shown: str, *, now: datetime) -> ApiToken | None:
    """Whose token this is; None unless it is good. Takes as long for a secret that is nearly right as for any other."""
    token_id, _, secret = shown.removeprefix(PREFIX).partition("_")
    token = session.get(ApiToken, token_id[:32]) if shown.startswith(PREFIX) else None
    right = hmac.compare_digest(_digest(secret), token.digest if token is not None else _NOBODYS)
    return token if token is not None and right and is_good(token, now=now) else None


def is_good(token: ApiToken, *, now: datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or now < token.expires_at)


def is_to_be_touched(token: ApiToken, *, now: datetime) -> bool:
    """Whether the use of a token should be written down: not at every request."""
    return token.last_used_at is None or now - token.last_used_at >= _TOUCH_EVERY


def touch(session: Session, token_id: str, *, now: datetime) -> None:
    """Note that a token is being used."""
    token = session.get_one(ApiToken, token_id)
    token.last_used_at = now
    session.add(token)


def _digest(secret: str) -> str:
    # The secret has 256 bits of chance, so it needs none of the slowness that passwords do.
    return hashlib.sha256(secret.encode()).hexdigest()
