"""The channel contract: what Doorstep asks of anything that carries messages.

    ChannelError
    ├── TemporaryFailure        try again (`retry_after` seconds if the provider said)
    ├── UnknownOutcome          the provider may or may not have it: look it up, or ask staff
    └── PermanentFailure        never try this address again for this message
        ├── OptedOut            the contact said STOP to the provider
        ├── Blocked             the contact blocked us, or the address cannot receive
        └── WindowClosed        WhatsApp's 24 hours are over

A channel is a plain class with these parts (no base class: shared code is a function):

- `name: ChannelName`;
- arrival: `routes()` (aiohttp route definitions) and/or `run(stop)` (`Receiver`); both hand every parsed message to the
  `receive` callable the channel was built with, and answer the provider only after it returns (`on_disk`);
- departure: `async send(message) -> str`, the provider's id, or one of the errors below;
- `async find_sent(message) -> str | None`: the provider's id of a send whose outcome is unknown, None when the provider
  surely does not have it; raises `CannotTell` when it cannot be asked;
- `max_length: int`: `send` splits longer texts at sentences by itself;
- `async fetch(attachment) -> bytes` where the provider keeps files for us (`FileKeeper`);
- `async close()`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, runtime_checkable

from aiohttp.web import AbstractRouteDef, HTTPServiceUnavailable  # by name: `web` here is our own subpackage

from bot import faults
from bot.messages import Attachment, ChannelName, Inbound, Outbound, Receipt

log = logging.getLogger(__name__)

LARGEST_FILE: Final = 20 * 1024 * 1024
"""Bytes. Telegram hands no larger ones to a bot."""


class ChannelError(Exception):
    """Something went wrong while sending. `staff_text` is what staff read; it never holds tenants' words or numbers."""

    staff_text = "The message could not be sent."

    def __init__(self, detail: str = "", *, code: str | None = None) -> None:
        super().__init__(detail or self.staff_text)
        self.code = code


class TemporaryFailure(ChannelError):
    staff_text = "The provider could not take the message just now. Doorstep is trying again."

    def __init__(self, detail: str = "", *, code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class UnknownOutcome(ChannelError):
    staff_text = "The provider did not answer, so this message may or may not have gone out."


class PermanentFailure(ChannelError):
    staff_text = "The message cannot be delivered to this address."


class OptedOut(PermanentFailure):
    staff_text = "This contact has opted out (STOP) on this channel."


class Blocked(PermanentFailure):
    staff_text = "This contact has blocked us or cannot receive messages on this channel."


class WindowClosed(PermanentFailure):
    staff_text = "WhatsApp only allows an approved template now: the tenant last wrote more than 24 hours ago."


class CannotTell(Exception):
    """The provider offers no way to ask whether it has a message."""


Receive = Callable[[Inbound], Awaitable[object]]
"""Stores the message and decides the answer; when it returns, both are on disk. Raises if they are not."""

Report = Callable[[Receipt], Awaitable[object]]
"""Records a delivery receipt; when it returns, it is on disk."""


async def on_disk(work: Awaitable[object]) -> None:
    """Await what `receive` or `report` does, and answer the provider 503 if it fails: then the provider calls again.

    Of the failure the log gets only its type and place, and the provider nothing: a database's message may repeat a tenant's
    words.
    """
    try:
        await work
    except Exception as error:
        log.error("call_not_stored", extra=faults.of(error))
        raise HTTPServiceUnavailable(text="not stored; call again") from error


class Channel(Protocol):
    """See the module's docstring."""

    name: ChannelName
    max_length: int

    def routes(self) -> Sequence[AbstractRouteDef]: ...

    async def send(self, message: Outbound) -> str: ...

    async def find_sent(self, message: Outbound) -> str | None: ...

    async def close(self) -> None: ...


@runtime_checkable
class Receiver(Protocol):
    """A channel with something to do of its own accord: fetch messages, or tell its provider where to bring them."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Never raises for what a provider does: it tries again."""
        ...


@runtime_checkable
class FileKeeper(Protocol):
    """A channel whose provider holds the files that tenants send, for a while."""

    async def fetch(self, attachment: Attachment) -> bytes:
        """The file, as the provider has it: neither looked at nor to be trusted.

        Raises TemporaryFailure or UnknownOutcome (try again), or PermanentFailure: gone, larger than `LARGEST_FILE`, or no
        file at all but a place or a visiting card.
        """
        ...
