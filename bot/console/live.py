"""`/staff/live`: tells open pages that what they show has changed. The page then fetches itself again and keeps the rest.

A nudge from this process is passed on at once; what another process wrote is found by looking every two seconds. Only ids of
rows are compared, and nothing but "changed" is sent: every word a page shows comes through a request that checks who asks.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web
from sqlmodel import Session

from bot.console import pulse
from bot.console.pulse import Pulse
from bot.store import Store

log = logging.getLogger(__name__)

LOOK_EVERY: Final = 2.0
"""Seconds between looks for what another process wrote."""
HEARTBEAT: Final = 25.0
_LARGEST_FRAME: Final = 4096
_STILL_WRITING: Final = 5.0

StillSignedIn = Callable[[Session, str, datetime], bool]


@dataclass(slots=True, eq=False)
class _Page:
    """One open page: what it shows, and what it was last told."""

    connection: web.WebSocketResponse
    token: str
    viewing: str | None = None
    board: Pulse | None = None
    conversation: Pulse | None = None


class Live:
    """The open pages of this process. Looks at the database only while there are any."""

    def __init__(self, store: Store, now: Callable[[], datetime], still_signed_in: StillSignedIn) -> None:
        self._store = store
        self._now = now
        self._still_signed_in = still_signed_in
        self._pages: set[_Page] = set()
        self._changed = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def nudge(self) -> None:
        """Something was written by this process."""
        self._changed.set()

    async def serve(self, request: web.Request, token: str) -> web.WebSocketResponse:
        """Speak to one page until it goes. It says what it shows: `{"viewing": conversation id or null}`."""
        connection = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=_LARGEST_FRAME)
        await connection.prepare(request)
        page = _Page(connection, token)
        self._pages.add(page)
        self._watch()
        try:
            async for frame in connection:
                if frame.type is not WSMsgType.TEXT:
                    continue
                page.viewing, page.conversation = _viewing(frame.data), None
                self.nudge()
        finally:
            self._pages.discard(page)
        return connection

    async def close(self) -> None:
        """Let every page go; they will look for a server again."""
        for page in list(self._pages):
            await page.connection.close(code=WSCloseCode.GOING_AWAY)
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching

    def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._look_while_open())

    async def _look_while_open(self) -> None:
        while self._pages:
            self._changed.clear()
            try:
                await self._look()
            except Exception:  # a database that is away for a moment must not leave pages silent for ever
                log.exception("live_look_failed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), LOOK_EVERY)

    async def _look(self) -> None:
        pages = list(self._pages)
        viewed = {page.viewing for page in pages if page.viewing}
        tokens = {page.token for page in pages}
        now = self._now()

        def work(session: Session) -> tuple[Pulse, dict[str, Pulse], set[str]]:
            gone = {token for token in tokens if not self._still_signed_in(session, token, now)}
            return pulse.board_pulse(session), {each: pulse.conversation_pulse(session, each) for each in viewed}, gone

        whole, each, gone = await self._store.read(work)
        for page in pages:
            if page.token in gone:
                await self._tell(page, {"signed_out": True})
                await page.connection.close()
                continue
            conversation = each.get(page.viewing or "", ())
            if whole != page.board or conversation != page.conversation:
                # A page that has only just connected is told as well: something may have changed since it was made.
                page.board, page.conversation = whole, conversation
                await self._tell(page, {"changed": True})

    async def _tell(self, page: _Page, what: dict[str, bool]) -> None:
        try:
            await asyncio.wait_for(page.connection.send_json(what), _STILL_WRITING)
        except (ConnectionError, TimeoutError, RuntimeError):
            self._pages.discard(page)


def _viewing(data: Any) -> str | None:
    """The conversation a page says it shows: only ever compared with ids, so nothing else is asked of it."""
    text = str(data)
    return text if len(text) == 32 and text.isalnum() else None
