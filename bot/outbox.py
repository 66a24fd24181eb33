"""What happens to an outbound message: leased, sent outside any transaction, recorded; retried; its receipts.

Deliveries are at least once, in order for each conversation; advice in danger overtakes what is being retried. A state only
moves forward. A send whose outcome is unknown is looked up at the provider where that is possible; where it is not, advice
is sent again and the rest is marked `unknown` for staff: twice is better than never only when a life may depend on it.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session

from bot import faults
from bot.channels import (
    Blocked,
    CannotTell,
    Channel,
    ChannelError,
    OptedOut,
    PermanentFailure,
    TemporaryFailure,
    UnknownOutcome,
)  # fmt: skip
from bot.desk import clock as clocks
from bot.desk import contact as contacts
from bot.desk import reach
from bot.desk import task as tasks
from bot.desk.office import Office
from bot.desk.preference import is_safe
from bot.messages import ChannelName, Choice, DeliveryState, Outbound, Receipt
from bot.store import Store, conversations
from bot.store import outbox as rows
from bot.store.tables import Contact, Message
from bot.wallclock import WallClock

log = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=60)
"""How long a worker may take over one send: longer than any provider's time-out."""
IN_FLIGHT: Final = 128
"""Sends under way at once: more than the message rate times the slowest provider's latency."""
MOST_ATTEMPTS: Final = 12
"""About an hour of trying; then a person is asked to reach the tenant another way."""
_FIRST_WAIT: Final = 2.0
_LONGEST_WAIT: Final = 1800.0
_LONGEST_URGENT_WAIT: Final = 15.0
_LOOK_UP_AFTER: Final = timedelta(seconds=5)


class Outbox:
    """Delivers what is due through the channels, as long as `run` runs or whenever `deliver_due` is called."""

    def __init__(
        self, store: Store, office: Office, channels: Mapping[ChannelName, Channel], wall_clock: WallClock
    ) -> None:
        self._store = store
        self._office = office
        self._channels = channels
        self._wall_clock = wall_clock
        self._waiting = asyncio.Event()
        self._busy: dict[str, str] = {}  # message id -> conversation id, for what this worker is sending
        self._paused: dict[str, datetime] = {}  # channel -> until when its provider wants silence
        self._sends: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """Sends under way."""
        return len(self._sends)

    def nudge(self, _conversation_id: str = "") -> None:
        """There may be something to send."""
        self._waiting.set()

    async def run(self) -> None:
        """Deliver until cancelled. Woken by `nudge`; what is due later, or was left by a crash, is found by the beat."""
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            try:
                await self._start_due()
            except Exception as error:  # noqa: BLE001 - the next nudge or beat tries again; sending must never stop for good
                log.error("outbox_failed", extra=faults.of(error))

    async def recover(self) -> None:
        """Take up at once what the process before us was sending when it died. On PostgreSQL others may be alive and
        sending: there a lease has to run out."""
        if self._store.is_sqlite:
            now = self._wall_clock.now()
            await self._store.run(lambda session: rows.release_leases(session, now=now))
        self.nudge()

    async def deliver_due(self) -> int:
        """Send everything that is due now and wait for it; for the beat, tests and the command line. How many were tried."""
        tried = 0
        while True:
            tried += await self._start_due()
            if not self._sends:
                return tried
            await asyncio.gather(*self._sends)

    async def close(self) -> None:
        """Let sends under way finish."""
        if self._sends:
            await asyncio.gather(*self._sends, return_exceptions=True)

    async def _start_due(self) -> int:
        room = IN_FLIGHT - len(self._sends)
        if room <= 0:
            return 0
        now = self._wall_clock.now()
        busy = set(self._busy.values())

        def work(session: Session) -> list[tuple[Message, str | None]]:
            taken = rows.lease_due(session, now=now, until=now + LEASE, most=room, busy=busy)
            return [(each, None if each.urgent else _barred(session, each, now)) for each in taken]

        taken = await self._store.run(work)
        for message, barred in taken:
            self._busy[message.id] = message.conversation_id
            send = asyncio.create_task(self._deliver(message, barred))
            self._sends.add(send)
            send.add_done_callback(self._sends.discard)
        return len(taken)

    async def _deliver(self, message: Message, barred: str | None) -> None:
        try:
            await self._attempt(message, barred)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not leave the message leased for ever, nor stop the others
            log.error("send_failed", extra={"message_id": message.id, "channel": message.channel} | faults.of(error))
            await self._postpone(message, TemporaryFailure("internal error"))
        finally:
            self._busy.pop(message.id, None)
            self.nudge()

    async def _attempt(self, message: Message, barred: str | None) -> None:
        """`barred`: why it must not be sent now; None if it may be."""
        channel = self._channels.get(ChannelName(message.channel))
        if channel is None:
            await self._give_up(message, PermanentFailure(f"the channel {message.channel} is switched off"))
            return
        until = self._paused.get(message.channel)
        if until is not None and until > self._wall_clock.now() and not message.urgent:
            await self._put_back(message, until, None)
            return
        outbound = _outbound(message)
        try:
            provider_id = await self._look_up(channel, message, outbound)
            if provider_id is None:
                if barred is not None:
                    raise PermanentFailure("nothing may be sent to this address now", code=barred)
                provider_id = await channel.send(outbound)
        except UnknownOutcome as failure:
            # Still `sending`: whoever leases it next sees that, and asks the provider first.
            await self._put_back(
                message, self._wall_clock.now() + _LOOK_UP_AFTER, failure.code, state=DeliveryState.SENDING
            )
        except TemporaryFailure as failure:
            await self._postpone(message, failure)
        except PermanentFailure as failure:
            await self._give_up(message, failure)
        except CannotTell:
            await self._ask_staff(message)
        else:
            await self._sent(message, provider_id)

    async def _look_up(self, channel: Channel, message: Message, outbound: Outbound) -> str | None:
        """The provider's id, if an earlier attempt of unknown outcome turns out to have succeeded."""
        if message.state != DeliveryState.SENDING:
            return None
        try:
            found = await channel.find_sent(outbound)
        except CannotTell:
            if message.urgent:
                return None
            raise
        if found is None:
            return None
        # Two messages may have the same words: one that is known under this id already is not the one we look for.
        known = await self._store.read(lambda session: rows.by_provider_id(session, [message.channel], found))
        return found if known is None or known.id == message.id else None

    async def _sent(self, message: Message, provider_id: str) -> None:
        now = self._wall_clock.now()

        def work(session: Session) -> None:
            if not rows.move(session, message.id, DeliveryState.SENT, now=now, provider_id=provider_id):
                rows.remember_provider_id(session, message.id, provider_id, now=now)
                return
            clocks.delivery_moved(session, self._office, message, DeliveryState.SENT, now=now)

        await self._store.run(work)

    async def _postpone(self, message: Message, failure: TemporaryFailure) -> None:
        attempts = message.attempts + 1
        if attempts >= MOST_ATTEMPTS:
            await self._give_up(message, PermanentFailure(str(failure), code=failure.code))
            return
        longest = _LONGEST_URGENT_WAIT if message.urgent else _LONGEST_WAIT
        wait = min(_FIRST_WAIT * 2 ** (attempts - 1), longest) * self._wall_clock.uniform(0.8, 1.2)
        if failure.retry_after is not None:
            wait = max(wait if not message.urgent else 0.0, failure.retry_after)
            self._paused[message.channel] = self._wall_clock.now() + timedelta(seconds=failure.retry_after)
        await self._put_back(message, self._wall_clock.now() + timedelta(seconds=wait), failure.code)

    async def _put_back(
        self, message: Message, due_at: datetime, error: str | None, *, state: DeliveryState = DeliveryState.QUEUED
    ) -> None:
        now = self._wall_clock.now()

        def work(session: Session) -> None:
            if state is DeliveryState.SENDING:
                rows.extend_lease(session, message.id, due_at=due_at, error=error)
            else:
                rows.move(session, message.id, state, now=now, due_at=due_at, error=error, from_lease=True)

        await self._store.run(work)

    async def _give_up(self, message: Message, failure: ChannelError) -> None:
        """The promise does not end with the message: a person is asked to reach the tenant another way."""
        await self._end(message, DeliveryState.FAILED, failure, "cannot_deliver")

    async def _ask_staff(self, message: Message) -> None:
        await self._end(message, DeliveryState.UNKNOWN, UnknownOutcome(), "may_not_have_arrived")

    async def _end(self, message: Message, state: DeliveryState, failure: ChannelError, task: str) -> None:
        now = self._wall_clock.now()
        error = failure.code or failure.staff_text

        def work(session: Session) -> None:
            if not rows.move(session, message.id, state, now=now, error=error):
                return
            if state is DeliveryState.UNKNOWN:
                self._tell_staff(session, message, task, now)
            conversation = conversations.load(session, message.conversation_id, lock=False)
            if conversation is not None and isinstance(failure, OptedOut):
                contacts.opt_out(session, self._office, conversation.address_id, now=now)
            elif conversation is not None and isinstance(failure, Blocked):
                contacts.block(session, self._office, conversation.address_id, now=now)
            if state is DeliveryState.FAILED:
                self._failed(session, message, now)

        await self._store.run(work)
        log.warning("not_delivered", extra={"message_id": message.id, "channel": message.channel, "state": state.value})

    def _failed(self, session: Session, message: Message, now: datetime) -> None:
        """What carried a promise goes another way; of the rest staff are told."""
        if not reach.carry_on(session, self._office, message, now=now):
            self._tell_staff(session, message, "cannot_deliver", now)

    def _tell_staff(self, session: Session, message: Message, task: str, now: datetime) -> None:
        conversation = conversations.load(session, message.conversation_id)
        if conversation is None:
            return
        tasks.add(
            session, self._office, conversation, task, due_at=now + timedelta(minutes=5 if message.urgent else 60), now=now,
            case_id=message.case_id, urgent=message.urgent, about=reach.what_it_proves(message),
        )  # fmt: skip
        if conversation.needs_person is None:
            conversation.needs_person = task
            conversations.save(session, conversation)

    async def report(self, receipt: Receipt) -> None:
        """Record what a provider says has become of a message. Receipts repeat and come out of order: a state only rises."""
        now = self._wall_clock.now()

        def work(session: Session) -> None:
            message = rows.by_provider_id(session, [receipt.channel.value], receipt.provider_id)
            if message is None and receipt.message_id is not None:
                # The receipt outran the answer to our own request.
                message = rows.get(session, receipt.message_id)
                if message is not None:
                    rows.remember_provider_id(session, message.id, receipt.provider_id, now=now)
            if message is None:
                log.info("receipt_for_unknown_message", extra={"channel": receipt.channel.value})
                return
            if not rows.move(session, message.id, receipt.state, now=now, error=receipt.error_code):
                return
            if receipt.state is DeliveryState.FAILED:
                self._failed(session, message, now)
            else:
                clocks.delivery_moved(session, self._office, message, receipt.state, now=now)

        await self._store.run(work)

    async def transcript(self, channel: ChannelName, address: str, after: int = 0) -> list[Message]:
        """Everything said with an address, both ways, in order, from the message after `after`: what a web page replays."""
        return await self._store.read(
            lambda session: conversations.address_transcript(session, channel.value, address, after=after)
        )

    async def seen(self, channel: ChannelName, address: str, upto: int) -> None:
        """The tenant has been shown everything up to `upto`: the web's delivery receipt."""
        now = self._wall_clock.now()

        def work(session: Session) -> None:
            for message in rows.unseen(session, channel.value, address, upto):
                if rows.move(session, message.id, DeliveryState.DELIVERED, now=now):
                    clocks.delivery_moved(session, self._office, message, DeliveryState.DELIVERED, now=now)

        await self._store.run(work)

    async def backlog(self) -> int:
        """How many messages the providers have not taken yet."""
        return await self._store.read(rows.backlog)


def _barred(session: Session, message: Message, now: datetime) -> str | None:
    """Why a message must not be sent: its address takes none; or we send it by ourselves, and that is not safe now."""
    address = conversations.address_written_to(session, message.conversation_id)
    if not contacts.may_receive(address):
        return "opted_out"
    if message.detail.get("pushed"):
        contact = session.get_one(Contact, address.contact_id)
        if not is_safe(contact, now) or address.channel in (contact.never_by or ()):
            return "not_safe_now"
    return None


def _outbound(message: Message) -> Outbound:
    return Outbound(
        id=message.id, channel=ChannelName(message.channel), address=message.address, text=message.text,
        choices=tuple(Choice(each["label"], each["value"]) for each in message.choices), seq=message.seq,
        author=message.author, author_name=message.author_name, created_at=message.created_at,
        attempt=message.attempts + 1, conversation_id=message.conversation_id, urgent=message.urgent,
    )  # fmt: skip
