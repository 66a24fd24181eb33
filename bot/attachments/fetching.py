"""Fetching what providers hold: what is due is leased, fetched outside any transaction, put on disk and then recorded."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from bot import faults
from bot.channels import Channel, ChannelError, FileKeeper, PermanentFailure, TemporaryFailure
from bot.desk import attachment as desk
from bot.desk.attachment import Wanted
from bot.desk.office import Office
from bot.messages import Attachment, ChannelName
from bot.store import Store
from bot.store.files import Files
from bot.wallclock import WallClock

log = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=90)
"""How long one file may take: longer than the time-outs of all its requests together."""
IN_FLIGHT: Final = 4
"""Files under way at once: each may be 20 MB."""


class Fetching:
    """`look` is called by the beat; `settle` does the same and waits, for tests. `nudge` is called with a conversation's id
    once there is something in it to look at."""

    def __init__(
        self, store: Store, office: Office, channels: Mapping[ChannelName, Channel], files: Files, wall_clock: WallClock,
        nudge: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._store = store
        self._office = office
        self._channels = channels
        self._files = files
        self._wall_clock = wall_clock
        self._nudge = nudge
        self._under_way: set[asyncio.Task[None]] = set()

    async def look(self) -> int:
        """Start to fetch what is due. How many were begun."""
        now, room = self._wall_clock.now(), IN_FLIGHT - len(self._under_way)
        if room <= 0 or not await self._store.read(lambda session: desk.is_due(session, now=now)):
            return 0
        wanted = await self._store.run(lambda session: desk.lease_due(session, now=now, until=now + LEASE, most=room))
        for each in wanted:
            fetch = asyncio.create_task(self._fetch(each))
            self._under_way.add(fetch)
            fetch.add_done_callback(self._under_way.discard)
        return len(wanted)

    async def settle(self) -> int:
        """Fetch everything that is due, and wait until it is there. How many were tried."""
        tried = 0
        while True:
            tried += await self.look()
            if not self._under_way:
                return tried
            await asyncio.gather(*self._under_way)

    async def recover(self) -> None:
        """Take up at once what the process before us was fetching when it died (on PostgreSQL others may be alive)."""
        if self._store.is_sqlite:
            now = self._wall_clock.now()
            await self._store.run(lambda session: desk.release(session, now=now))

    async def close(self) -> None:
        """Let fetches under way finish."""
        if self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _fetch(self, wanted: Wanted) -> None:
        try:
            await self._bring(wanted)
        except PermanentFailure as failure:
            await self._failed(wanted, failure, for_good=True)
        except ChannelError as failure:
            await self._failed(wanted, failure, for_good=False)
        except Exception as failure:  # noqa: BLE001 - a full disk, a fault of ours: the next try may go better
            log.error("fetch_failed", extra={"attachment": wanted.id} | faults.of(failure))
            await self._failed(wanted, TemporaryFailure(code="internal error"), for_good=False)

    async def _bring(self, wanted: Wanted) -> None:
        keeper = self._channels.get(ChannelName(wanted.channel))
        if not isinstance(keeper, FileKeeper):
            failure = TemporaryFailure if keeper is None else PermanentFailure
            raise failure("the channel is switched off", code="channel_off")
        content = await keeper.fetch(Attachment(wanted.handle, wanted.media_type))
        digest = await asyncio.to_thread(self._files.keep, content, self._wall_clock.uuid().hex)
        kind, now = desk.kind_of(content[:64], wanted.media_type), self._wall_clock.now()
        conversation_id = await self._store.run(
            lambda session: desk.kept(session, self._office, wanted.id, digest, len(content), kind, now=now)
        )
        self._nudge(conversation_id)

    async def _failed(self, wanted: Wanted, failure: ChannelError, *, for_good: bool) -> None:
        now, code = self._wall_clock.now(), failure.code or type(failure).__name__
        wait = failure.retry_after if isinstance(failure, TemporaryFailure) else None
        log.warning("file_not_fetched", extra={"attachment": wanted.id, "error": code, "for_good": for_good})
        conversation_id = await self._store.run(
            lambda session: desk.not_fetched(
                session, self._office, wanted.id, code, for_good=for_good, now=now, wait=wait
            )
        )
        if conversation_id is not None:
            self._nudge(conversation_id)
