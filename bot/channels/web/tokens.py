"""Session tokens: what lets a browser come back to its own conversation, and to nobody else's.

A token is `<session id>.<seconds since 1970 when issued, base 36>.<HMAC-SHA256 of both>`. Nothing is stored to issue one: a
visitor who never writes leaves no trace. The session id is the contact's address on the web channel.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

RESUMABLE: Final = timedelta(hours=24)
"""How long after its issue a token opens its session again."""

RENEW_AFTER: Final = timedelta(hours=1)
"""A visitor who is still here with a token older than this is handed a new one, so that a long chat does not run out."""

_SKEW: Final = timedelta(minutes=5)
_FORM: Final = re.compile(r"([A-Za-z0-9_-]{16,64})\.([0-9a-z]{1,10})\.([A-Za-z0-9_-]{43})")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Session:
    """A session that has proved itself."""

    id: str
    issued: datetime

    def ageing(self, now: datetime) -> bool:
        """Whether it is time to hand out a new token for this session."""
        return now - self.issued > RENEW_AFTER


class Signer:
    """Issues and reads tokens under one secret. Its key serves no other purpose than the web chat's sessions."""

    def __init__(self, secret: str) -> None:
        if not secret:
            raise ValueError("session tokens need a secret key")
        self._key = hmac.digest(secret.encode(), b"doorstep web chat session, 1", "sha256")

    def issue(self, session_id: str, now: datetime) -> str:
        """A token that opens `session_id` for the next 24 hours."""
        body = f"{session_id}.{_base36(int(now.timestamp()))}"
        return f"{body}.{self._sign(body)}"

    def read(self, token: str, now: datetime) -> Session | None:
        """The session a token proves; None if it is forged, damaged, too old or from the future."""
        match = _FORM.fullmatch(token)
        if match is None:
            return None
        body, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._sign(body), signature):
            return None
        issued = datetime.fromtimestamp(int(match[2], 36), UTC)
        if not -_SKEW <= now - issued <= RESUMABLE:
            return None
        return Session(match[1], issued)

    def _sign(self, body: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._key, body.encode(), "sha256")).rstrip(b"=").decode()


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits or "0"
