"""Time and chance, as objects you hold.

Nothing else in the product reads the machine's clock or draws a random number: a service holds a `WallClock`, everything
else is handed `now`. So a test, a replay or a simulated year moves time by hand and a seed reproduces a run.
"""

import random
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID


class WallClock(Protocol):
    """What time it is (aware UTC) and what chance says."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float:
        """Seconds since some fixed point, for measuring how long something took."""
        ...

    def uniform(self, low: float, high: float) -> float: ...

    def token(self, size: int = 24) -> str:
        """An unguessable URL-safe string made of `size` random bytes."""
        ...

    def randbits(self, bits: int) -> int: ...

    def uuid(self) -> UUID: ...


class SystemClock:
    """The machine's clock and the operating system's randomness."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def uniform(self, low: float, high: float) -> float:
        return random.uniform(low, high)

    def token(self, size: int = 24) -> str:
        return secrets.token_urlsafe(size)

    def randbits(self, bits: int) -> int:
        return secrets.randbits(bits)

    def uuid(self) -> UUID:
        return time_ordered_uuid(self.now(), secrets.randbits(74))


class HandClock:
    """A clock moved by hand, with a seeded source of chance. For tests, `replay` and `simulate`; never for serving:
    its tokens can be guessed from the seed."""

    def __init__(self, start: datetime, seed: int = 0) -> None:
        if start.tzinfo is None:
            raise ValueError("the starting time needs a time zone")
        self._now = start.astimezone(UTC)
        self._started = self._now
        self._random = random.Random(seed)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        if by < timedelta(0):
            raise ValueError("time does not run backwards")
        self._now += by

    def move_to(self, instant: datetime) -> None:
        self.advance(instant.astimezone(UTC) - self._now)

    def monotonic(self) -> float:
        return (self._now - self._started).total_seconds()

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)

    def token(self, size: int = 24) -> str:
        return self._random.randbytes(size).hex()

    def randbits(self, bits: int) -> int:
        return self._random.getrandbits(bits)

    def uuid(self) -> UUID:
        return time_ordered_uuid(self._now, self._random.getrandbits(74))


def time_ordered_uuid(now: datetime, chance: int) -> UUID:
    """A version 7 UUID (RFC 9562): rows made together lie together, so indexes stay small.

    `chance` supplies the 74 random bits.
    """
    milliseconds = int(now.timestamp() * 1000) & ((1 << 48) - 1)
    high = (chance >> 62) & 0xFFF
    low = chance & ((1 << 62) - 1)
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)
