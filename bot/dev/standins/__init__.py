"""Local stand-ins for Twilio and Telegram: what `make run`'s phone simulator talks through, and what the tests hang on.

Each is a small aiohttp application that keeps the provider's promises towards the bot (addresses, parameters, error
codes, signatures, delivery receipts) and remembers every message. They know settings and the public interfaces of the
two providers, and nothing of the bot.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from aiohttp import web

Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with the next send. Make one with the functions below."""

    status: int | None = None
    """Answer with this HTTP status; None: do not answer."""
    code: int | None = None
    """The provider's own error code, where it has such codes."""
    retry_after: int | None = None
    """Seconds, said with a 429."""
    accepted: bool = False
    """The provider has the message, whatever the bot gets to hear."""
    held: bool = False
    """Say nothing until `Faults.release` is called; then drop the connection."""

    @classmethod
    def refuse(cls, status: int, code: int | None = None, retry_after: int | None = None) -> Self:
        return cls(status=status, code=code, retry_after=retry_after)

    @classmethod
    def hold(cls, *, accepted: bool) -> Self:
        return cls(accepted=accepted, held=True)

    @classmethod
    def drop(cls, *, accepted: bool) -> Self:
        """Close the connection without an answer."""
        return cls(accepted=accepted)


class Faults:
    """The faults that the next sends meet, one each, in order; None is a send that goes well."""

    def __init__(self) -> None:
        self._next: deque[Fault | None] = deque()
        self._held = 0
        self._changed = asyncio.Condition()
        self._released = asyncio.Event()

    def add(self, *faults: Fault | None) -> None:
        self._next.extend(faults)

    def take(self) -> Fault | None:
        return self._next.popleft() if self._next else None

    async def hold(self) -> None:
        """Called by a stand-in: wait until released."""
        async with self._changed:
            self._held += 1
            self._changed.notify_all()
        try:
            await self._released.wait()
        finally:
            self._held -= 1

    async def until_held(self) -> None:
        """Return once a send is being held."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._held > 0)

    def release(self) -> None:
        """Let go of what is held now; what comes later is held again."""
        self._released.set()
        self._released = asyncio.Event()


class Server:
    """An aiohttp application on a loopback port, for the time between `start` and `close`."""

    def __init__(self, application: web.Application) -> None:
        self._application = application
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen, and return the address, such as http://127.0.0.1:49152. Port 0: any that is free."""
        self._runner = web.AppRunner(self._application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound = self._runner.addresses[0]
        self.url = f"http://{bound[0]}:{bound[1]}"
        return self.url

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def drop_connection(request: web.Request) -> web.Response:
    """Close the connection without an answer. (aiohttp wants one all the same; nobody will read it.)"""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
