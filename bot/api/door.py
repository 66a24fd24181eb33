"""Who may ask, for what, and how often. Without a good token nothing is answered but the description of the API."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import hdrs, web

from bot.api.problems import Problem
from bot.desk import token as tokens
from bot.desk.office import Office
from bot.store import Store
from bot.store.outside import ApiToken
from bot.wallclock import WallClock

CONFIDENTIAL: Final = "read:confidential"
_SCHEME: Final = "bearer"
_LONGEST: Final = 200


@dataclass(slots=True)
class _Bucket:
    """How many requests are left, as of a moment."""

    left: float
    at: float


class Door:
    """Lets in whoever shows a good token, as long as they do not ask too often: `per_minute` requests each, in this process,
    which may come all at once."""

    def __init__(self, store: Store, office: Office, wall_clock: WallClock, per_minute: int) -> None:
        self._store = store
        self._office = office
        self._wall_clock = wall_clock
        self._per_minute = per_minute
        self._buckets: dict[str, _Bucket] = {}

    async def holder(self, request: web.Request, *, now: datetime) -> ApiToken:
        """Whose token the request shows. Raises Problem."""
        given = request.headers.getall(hdrs.AUTHORIZATION, [])
        scheme, _, shown = (given[0] if len(given) == 1 else "").partition(" ")
        if scheme.lower() != _SCHEME or not shown.strip():
            raise Problem(
                "no-token", "Send the header Authorization: Bearer and a token. `doorstep token add` makes one.",
                headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="doorstep"'},
            )  # fmt: skip
        token = await self._store.read(lambda session: tokens.holder(session, shown.strip()[:_LONGEST], now=now))
        if token is None:
            raise Problem(
                "bad-token", "It is unknown, taken back or too old. `doorstep token list` shows those that are good.",
                headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="doorstep", error="invalid_token"'},
            )  # fmt: skip
        self._take(token.id)
        if tokens.is_to_be_touched(token, now=now):
            await self._store.run(lambda session: tokens.touch(session, token.id, now=now))
        return token

    def check(self, token: ApiToken, scope: str) -> None:
        """Raises Problem unless the token is good for this."""
        if scope not in token.scopes:
            raise Problem(
                "missing-scope", f"This needs the scope {scope}; the token has {', '.join(token.scopes)}.",
                headers={hdrs.WWW_AUTHENTICATE: f'Bearer realm="doorstep", error="insufficient_scope", scope="{scope}"'},
            )  # fmt: skip

    def _take(self, token_id: str) -> None:
        now, rate = self._wall_clock.monotonic(), self._per_minute / 60
        bucket = self._buckets.setdefault(token_id, _Bucket(self._per_minute, now))
        bucket.left = min(self._per_minute, bucket.left + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.left < 1:
            wait = int((1 - bucket.left) / rate) + 1
            raise Problem(
                "too-many-requests", f"This token may ask {self._per_minute} times a minute. Try again in {wait} s.",
                headers={hdrs.RETRY_AFTER: str(wait)},
            )  # fmt: skip
        bucket.left -= 1
