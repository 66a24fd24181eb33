"""Delivers what has happened to those who asked to be told: leased, sent outside any transaction, and what became of it
recorded. `bot.desk.webhook` holds the rules; here is the wire.

A receiver checks the signature as the Standard Webhooks specification has it, so that libraries exist for it:
HMAC-SHA256 over `id.timestamp.body`, under the secret's bytes.
"""

import asyncio
import base64
import hmac
import json
import logging
from datetime import timedelta
from typing import Any, Final

from bot import faults
from bot.channels import ChannelError, TemporaryFailure
from bot.channels.wire import Wire
from bot.desk import webhook as desk
from bot.desk.office import Office
from bot.desk.webhook import Sending
from bot.store import Store
from bot.wallclock import WallClock

log = logging.getLogger(__name__)

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
_TIMEOUT: Final = 10.0
_LARGEST_ANSWER: Final = 64 * 1024
_GONE: Final = 410
_AT_ONCE: Final = 200
"""Deliveries to one webhook before another look at whether it is still wanted."""


class Webhooks:
    """`deliver` is called by the beat; `settle` does the same and waits, for tests. `give_up_after` so much time of nothing
    but failure a webhook is disabled."""

    def __init__(self, store: Store, office: Office, wall_clock: WallClock, *, give_up_after: timedelta) -> None:
        self._store = store
        self._office = office
        self._wall_clock = wall_clock
        self._give_up_after = give_up_after
        self._wire = Wire("the webhook", _TIMEOUT)
        self._busy: dict[str, asyncio.Task[int]] = {}

    async def deliver(self) -> int:
        """Begin with every webhook for which something waits. How many were begun with."""
        now = self._wall_clock.now()
        due = await self._store.read(lambda session: desk.due(session, now=now))
        begun = [each for each in due if each not in self._busy]
        for webhook_id in begun:
            task = asyncio.create_task(self._deliver_to(webhook_id))
            self._busy[webhook_id] = task
            task.add_done_callback(lambda _task, which=webhook_id: self._busy.pop(which, None))  # type: ignore[misc]
        return len(begun)

    async def settle(self) -> int:
        """Deliver what can be delivered now, and wait for it. How many attempts were made."""
        attempts = 0
        while await self.deliver() or self._busy:
            attempts += sum(await asyncio.gather(*self._busy.values()))
        return attempts

    async def close(self) -> None:
        """Let sends under way finish."""
        if self._busy:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)
        await self._wire.close()

    async def _deliver_to(self, webhook_id: str) -> int:
        """One after the other, until nothing waits or one fails. How many attempts were made."""
        try:
            return await self._one_by_one(webhook_id)
        except Exception as error:  # noqa: BLE001 - the database may be away for a moment: the lease ends, and it is tried again
            log.error("webhooks_failed", extra={"webhook": webhook_id} | faults.of(error))
            return 0

    async def _one_by_one(self, webhook_id: str) -> int:
        for attempts in range(_AT_ONCE):
            now = self._wall_clock.now()
            sending = await self._store.run(lambda session, now=now: desk.lease(session, webhook_id, now=now))  # type: ignore[misc]
            if sending is None:
                return attempts
            if not await self._attempt(sending):
                return attempts + 1
        return _AT_ONCE

    async def _attempt(self, sending: Sending) -> bool:
        error, wait, gone = None, None, False
        try:
            status = await self._send(sending)
            if not 200 <= status < 300:
                error, gone = f"answered {status}", status == _GONE
        except ChannelError as failure:
            error = str(failure).removeprefix("the webhook ")
            wait = failure.retry_after if isinstance(failure, TemporaryFailure) else None
        except Exception as failure:  # noqa: BLE001 - a fault of ours is tried again like one of theirs
            log.error("webhook_failed", extra={"webhook": sending.webhook_id} | faults.of(failure))
            error = "internal error"
        now = self._wall_clock.now()
        if error is None:
            await self._store.run(lambda session: desk.arrived(session, sending.webhook_id, sending.event_id, now=now))
            return True
        log.warning("webhook_not_delivered", extra={"webhook": sending.webhook_id, "event": sending.event_id})
        said = error
        await self._store.run(
            lambda session: desk.failed(
                session, self._office, sending.webhook_id, sending.event_id, said, now=now,
                give_up_after=self._give_up_after, wait=wait, gone=gone,
            )
        )  # fmt: skip
        return False

    async def _send(self, sending: Sending) -> int:
        body = encoded(sending.body)
        timestamp = str(int(self._wall_clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json", "User-Agent": "Doorstep", ID: sending.event_id, TIMESTAMP: timestamp,
            SIGNATURE: sign(sending.secret, sending.event_id, timestamp, body),
        }  # fmt: skip
        answer = await self._wire.call("POST", sending.url, data=body, headers=headers, largest=_LARGEST_ANSWER)
        return answer.status


def encoded(body: dict[str, Any]) -> bytes:
    """The bytes of an event: the same at every attempt."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def sign(secret: str, event_id: str, timestamp: str, body: bytes) -> str:
    """The value of the `SIGNATURE` header."""
    key = base64.b64decode(secret.removeprefix(desk.SECRET_PREFIX))
    signed = b".".join((event_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
