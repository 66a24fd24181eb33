"""Signed links with one purpose and an end: `/u/{token}`.

A token says what it is for, about which row, and until when, under a signature; nothing is stored to make one. GET shows a
page and changes nothing, because mail programs and chats open links to look at them; POST does what the page's button says.
Each purpose has one `Page`, handed over by the composition root.
"""

import base64
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from bot.wallclock import WallClock

_BASE: Final = 36
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Link:
    """What a token says, once its signature has been found to fit."""

    purpose: str
    subject: str
    """The id of a row, and whatever else the purpose needs; letters, digits, hyphens and colons."""
    expires_at: datetime
    token: str


Page = Callable[[web.Request, Link], Awaitable[web.StreamResponse]]


class Links:
    """Makes links and serves them. Its key serves no other purpose."""

    def __init__(self, secret: str, public_url: str | None, wall_clock: WallClock) -> None:
        if not secret:
            raise ValueError("links need a secret key")
        self._key = hmac.digest(secret.encode(), b"doorstep signed link, 1", "sha256")
        self._public_url = public_url
        self._wall_clock = wall_clock
        self._pages: dict[str, Page] = {}
        self._refusal: Callable[[], web.Response] = lambda: web.Response(status=404, text="This link cannot be used.")

    def serve(self, pages: Mapping[str, Page], *, refusal: Callable[[], web.Response]) -> None:
        """What each purpose shows and does; `refusal` is the page for a token that is forged, damaged or too old."""
        self._pages |= pages
        self._refusal = refusal

    def address(self, purpose: str, subject: str, expires_at: datetime) -> str | None:
        """The link as it is sent; None where nobody outside can reach us."""
        if self._public_url is None:
            return None
        return f"{self._public_url}/u/{self.token(purpose, subject, expires_at)}"

    def token(self, purpose: str, subject: str, expires_at: datetime) -> str:
        body = f"{purpose}.{subject}.{_written(int(expires_at.timestamp()))}"
        return f"{body}.{self._sign(body)}"

    def read(self, token: str, now: datetime) -> Link | None:
        """What a token says; None if it is forged, damaged or too old."""
        body, _, signature = token.rpartition(".")
        parts = body.split(".")
        if len(parts) != 3 or not hmac.compare_digest(self._sign(body).encode(), signature.encode("utf-8", "replace")):
            return None
        expires_at = datetime.fromtimestamp(int(parts[2], _BASE), UTC)
        return Link(parts[0], parts[1], expires_at, token) if now < expires_at else None

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [web.get("/u/{token}", self._serve, allow_head=False), web.post("/u/{token}", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        link = self.read(request.match_info["token"], self._wall_clock.now())
        page = self._pages.get(link.purpose) if link is not None else None
        if link is None or page is None:
            return self._refusal()
        return await page(request, link)

    def _sign(self, body: str) -> str:
        # 16 bytes are beyond guessing, and keep the link short enough for a text message.
        return base64.urlsafe_b64encode(hmac.digest(self._key, body.encode(), "sha256")[:16]).rstrip(b"=").decode()


def _written(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, _BASE)
        digits = _DIGITS[rest] + digits
    return digits or "0"
