"""What each channel brings to the contract suite: how its provider behaves, for good and ill.

A new channel adds a class here and a line to `CASES`; `test_channel_contract.py` then holds it to the same promises as
the others. What a channel's provider cannot do is said in the class's attributes.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from aiohttp import web

from bot.channels import Blocked, Channel, ChannelError, OptedOut
from bot.channels.sms import SmsChannel
from bot.channels.telegram import TelegramChannel
from bot.dev.standins import Faults, Server
from bot.dev.standins.telegram import TelegramStandIn
from bot.dev.standins.twilio import TwilioStandIn
from bot.messages import ChannelName, Choice, DeliveryState, Inbound, Outbound, Receipt
from bot.settings import Settings
from bot.wallclock import HandClock

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PUBLIC_URL = "https://chat.example.org"
PATIENT, IMPATIENT = 10.0, 0.4
"""Seconds a channel waits for its provider; impatient where the provider is going to say nothing."""
NOBODY_LISTENS = "http://127.0.0.1:9"


class Ledger:
    """Stands where the store stands: keeps what channels hand over, or fails to."""

    def __init__(self) -> None:
        self.received: list[Inbound] = []
        self.receipts: list[Receipt] = []
        self.broken = False

    async def receive(self, inbound: Inbound) -> None:
        if self.broken:
            raise OSError(f"disk full while storing {inbound.text!r} of {inbound.address}")
        self.received.append(inbound)

    async def report(self, receipt: Receipt) -> None:
        if self.broken:
            raise OSError("disk full")
        self.receipts.append(receipt)


class Case(Protocol):
    """One channel, its provider's stand-in, and one tenant at the other end."""

    name: ChannelName
    channel: Channel
    address: str
    secrets: Sequence[str]
    """What must never reach a log."""
    blocked: type[ChannelError]
    """What a send to someone who turned us away raises."""
    can_be_asked: bool
    """The provider can say whether it has a message."""

    async def open(self, ledger: Ledger) -> None: ...
    async def close(self) -> None: ...
    def unusable(self) -> list[Settings]:
        """Settings in which something the channel cannot do without is missing."""
        ...

    def build(self, settings: Settings) -> Channel: ...
    def impatient(self) -> Channel:
        """The channel once more, giving its provider little time."""
        ...

    def elsewhere(self) -> Channel:
        """The channel, pointed at an address where nobody listens."""
        ...

    async def say(self, text: str) -> int:
        """The tenant writes; the status that the provider got."""
        ...

    async def say_again(self) -> int:
        """The provider hands on the last message once more."""
        ...

    async def forge(self) -> list[int]:
        """Somebody who is not the provider calls, in several ways."""
        ...

    async def garble(self) -> list[int]:
        """The provider's secret, and nothing readable with it."""
        ...

    async def flood(self, size: int) -> int: ...
    async def be_strange(self) -> int:
        """Authentic, from the tenant, and of a kind we do not know."""
        ...

    async def show(self, photo: bytes) -> int:
        """The tenant sends a photo, with the words "look at this"."""
        ...

    def lose_files(self) -> None:
        """The provider has thrown away what tenants sent."""
        ...

    async def turn_away(self) -> int:
        """The tenant opts out of the channel or blocks us."""
        ...

    async def report(self, provider_id: str, state: DeliveryState) -> int: ...
    def arrived(self) -> list[str]:
        """The texts that have reached the tenant, in order."""
        ...

    @property
    def faults(self) -> Faults: ...


class TwilioCase:
    """SMS or WhatsApp."""

    address = "+447700900123"
    secrets = ("AC0123456789", "the-twilio-token")
    blocked: type[ChannelError] = OptedOut
    can_be_asked = True
    settings = Settings(
        public_url=PUBLIC_URL,
        twilio_account_sid="AC0123456789",
        twilio_auth_token="the-twilio-token",
        twilio_from="+447700900000",
    )

    def __init__(self, name: ChannelName) -> None:
        self.name = name
        self.clock = HandClock(NOON)
        self.provider = TwilioStandIn(self.settings, self.clock.now)
        self.faults = self.provider.faults
        self.last = ("", "")

    async def open(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.live = self.settings.model_copy(update={"twilio_api_url": await self.provider.start()})
        self.channel = self.build(self.live)
        self.bot = await served(self.channel)
        self.provider.deliver_to = self.bot.url

    async def close(self) -> None:
        await self.channel.close()
        await self.bot.close()
        await self.provider.close()

    def build(self, settings: Settings, timeout: float = PATIENT) -> SmsChannel:
        return SmsChannel(settings, self.clock, self.ledger.receive, self.ledger.report, timeout=timeout)

    def impatient(self) -> SmsChannel:
        return self.build(self.live, IMPATIENT)

    def unusable(self) -> list[Settings]:
        return [
            self.settings.model_copy(update={name: None})
            for name in ("public_url", "twilio_account_sid", "twilio_auth_token", "twilio_from")
        ]

    def elsewhere(self) -> SmsChannel:
        return self.build(self.settings.model_copy(update={"twilio_api_url": NOBODY_LISTENS}))

    async def say(self, text: str, **extra: Any) -> int:
        answer = await self.provider.text_in(self.address, text, whatsapp=self.whatsapp, **extra)
        self.last = (text, answer.sid)
        return answer.status

    async def say_again(self) -> int:
        return await self.say(self.last[0], sid=self.last[1])

    async def forge(self) -> list[int]:
        params = {"From": self.address, "Body": "I am not who I seem", "MessageSid": "SM1"}
        proper = self.provider._validator.compute_signature(f"{PUBLIC_URL}/channels/sms", params)
        elsewhere = self.provider._validator.compute_signature(f"{self.bot.url}/channels/sms", params)
        attempts = [
            (params, ""),
            (params, "nonsense"),
            (params, elsewhere),
            (params | {"Body": "changed on the way"}, proper),
            (params | {"From": "+447700900999"}, proper),
            (params | {"Extra": "1"}, proper),
        ]
        statuses = [(await self.provider.call("/channels/sms", p, signature=s)).status for p, s in attempts]
        receipt = {"MessageSid": "SM1", "MessageStatus": "delivered"}
        statuses.append((await self.provider.call("/channels/sms/status", receipt, signature="nonsense")).status)
        return statuses

    async def garble(self) -> list[int]:
        call = self.provider.call
        return [
            (await call("/channels/sms", {}, body=b"Body=\xff\xfe")).status,
            (await call("/channels/sms", {})).status,
            (await call("/channels/sms", {"Body": "from nobody"})).status,
            (await call("/channels/sms/status", {"MessageStatus": "sent"})).status,
        ]

    async def flood(self, size: int) -> int:
        return (
            await self.provider.call("/channels/sms", {"MessageSid": "SM1", "From": "+44", "Body": "x" * size})
        ).status

    async def be_strange(self) -> int:
        return await self.say("", extra={"MessageType": "interactive", "SomethingNew": "1"})

    async def show(self, photo: bytes) -> int:
        answer = await self.provider.photo_in(self.address, photo, text="look at this", whatsapp=self.whatsapp)
        return answer.status

    def lose_files(self) -> None:
        self.provider.files.clear()

    async def turn_away(self) -> int:
        self.provider.opted_out.add(("whatsapp:" if self.whatsapp else "") + self.address)
        return await self.say("STOP")

    async def report(self, provider_id: str, state: DeliveryState) -> int:
        word = {DeliveryState.FAILED: "undelivered"}.get(state, state.value)
        return (await self.provider.report(provider_id, word, 30005 if state is DeliveryState.FAILED else None)).status

    def arrived(self) -> list[str]:
        return [message.body for message in self.provider.sent_to(self.address)]

    @property
    def whatsapp(self) -> bool:
        return self.name is ChannelName.WHATSAPP


class TelegramCase:
    """Telegram by webhook; polling has its own tests."""

    name = ChannelName.TELEGRAM
    address = "700900123"
    secrets = ("7000000001:the-telegram-token", "the-telegram-secret")
    blocked: type[ChannelError] = Blocked
    can_be_asked = False
    settings = Settings(
        public_url=PUBLIC_URL, telegram_token="7000000001:the-telegram-token", telegram_secret="the-telegram-secret"
    )

    def __init__(self) -> None:
        self.clock = HandClock(NOON)
        self.provider = TelegramStandIn(self.settings, self.clock.now)
        self.provider.chats.add(self.chat)
        self.faults = self.provider.faults

    async def open(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.live = self.settings.model_copy(update={"telegram_api_url": await self.provider.start()})
        self.channel = self.build(self.live)
        self.bot = await served(self.channel)
        self.provider.deliver_to = self.bot.url
        await self.channel.start()

    async def close(self) -> None:
        await self.channel.close()
        await self.bot.close()
        await self.provider.close()

    def build(self, settings: Settings, timeout: float = PATIENT) -> TelegramChannel:
        return TelegramChannel(settings, self.clock, self.ledger.receive, self.ledger.report, timeout=timeout)

    def impatient(self) -> TelegramChannel:
        return self.build(self.live, IMPATIENT)

    def unusable(self) -> list[Settings]:
        return [self.settings.model_copy(update={name: None}) for name in ("telegram_token", "telegram_secret")]

    def elsewhere(self) -> TelegramChannel:
        return self.build(self.settings.model_copy(update={"telegram_api_url": NOBODY_LISTENS}))

    async def say(self, text: str) -> int:
        return await self.provider.text_in(self.chat, text) or 0

    async def say_again(self) -> int:
        return await self.provider.again() or 0

    async def forge(self) -> list[int]:
        body = b'{"update_id": 1, "message": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}, "text": "hi"}}'
        secret = self.secrets[1]
        return [
            await self.provider.call(body, secret=given) for given in ("", "nonsense", secret[:-1], secret + "x", "é")
        ]

    async def garble(self) -> list[int]:
        bodies = (b"", b"not json", b"\xff\xfe", b"[]", b"null", b"{}", b'{"update_id": "1"}', b"[" * 100_000)
        return [await self.provider.call(body) for body in bodies]

    async def flood(self, size: int) -> int:
        return await self.provider.call(b'{"update_id": 1, "x": "' + b"x" * size + b'"}')

    async def be_strange(self) -> int:
        chat = {"id": self.chat, "type": "private", "first_name": "Test"}
        return await self.provider.deliver({"something_new": {"chat": chat, "data": [1, 2]}}) or 0

    async def show(self, photo: bytes) -> int:
        return await self.provider.photo_in(self.chat, photo, caption="look at this") or 0

    def lose_files(self) -> None:
        self.provider.files.clear()

    async def turn_away(self) -> int:
        return await self.provider.block(self.chat) or 0

    async def report(self, provider_id: str, state: DeliveryState) -> int:
        raise NotImplementedError("Telegram sends no receipts")

    def arrived(self) -> list[str]:
        return [message.text for message in self.provider.sent_to(self.chat)]

    @property
    def chat(self) -> int:
        return int(self.address)


CASES: dict[str, Callable[[], Case]] = {
    "sms": lambda: TwilioCase(ChannelName.SMS),
    "whatsapp": lambda: TwilioCase(ChannelName.WHATSAPP),
    "telegram": TelegramCase,
    # The web chat has no provider that could forge or refuse: its promises are in tests/unit/webchat. A case added here
    # is picked up by every test of the suite.
}

WITH_RECEIPTS = ("sms", "whatsapp")
"""The cases whose provider tells what has become of a message (`Case.report`)."""


def outbound(case: Case, text: str, *, choices: tuple[Choice, ...] = (), attempt: int = 1) -> Outbound:
    return Outbound(
        id="0190f5d0-0000-7000-8000-000000000001",
        channel=case.name,
        address=case.address,
        text=text,
        choices=choices,
        created_at=NOON,
        attempt=attempt,
    )


async def served(channel: Channel) -> Server:
    """The channel's routes on a loopback port, as the application would serve them."""
    application = web.Application()
    application.add_routes(channel.routes())
    server = Server(application)
    await server.start()
    return server
