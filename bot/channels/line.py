"""How people on call are reached: by call, text, email or webhook. One `Alert`, four routes, one way to send.

A route is any object with `async send(address, alert) -> str` (the provider's id) that raises the channels' errors. What it
says about an alert is the alert's; what comes back (a key, a code, a button) is read elsewhere.
"""

import asyncio
import hmac
import json
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from bot.channels import Channel, PermanentFailure, TemporaryFailure, UnknownOutcome
from bot.channels.wire import Wire
from bot.messages import ChannelName, Outbound
from bot.wallclock import WallClock

SIGNATURE: Final = "X-Doorstep-Signature"
"""`sha256=` and the hexadecimal HMAC-SHA256 of the timestamp, a full stop and the body, under the shared secret."""
TIMESTAMP: Final = "X-Doorstep-Timestamp"
"""When it was signed, in seconds since 1970: a receiver refuses what is older than five minutes."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person on call must be told. `id` is the attempt's: the same again is the same alert again."""

    id: str
    text: str
    """For a text message."""
    subject: str = ""
    body: str = ""
    """For an email."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """For a webhook: JSON."""


class Route(Protocol):
    """One way to reach somebody."""

    async def send(self, address: str, alert: Alert) -> str:
        """The provider's id. Raises TemporaryFailure, UnknownOutcome or PermanentFailure."""
        ...

    async def close(self) -> None: ...


class Caller(Protocol):
    """What makes telephone calls: `bot.channels.voice`."""

    async def call(self, number: str, call: str) -> str: ...

    async def close(self) -> None: ...


class ByCall:
    """Rings; what is said is asked for when somebody answers."""

    def __init__(self, voice: Caller) -> None:
        self._voice = voice

    async def send(self, address: str, alert: Alert) -> str:
        return await self._voice.call(address, alert.id)

    async def close(self) -> None:
        await self._voice.close()


class ByText:
    """Sends a text through the channel that tenants' texts use, so that the reply comes back there."""

    def __init__(self, sms: Channel, wall_clock: WallClock) -> None:
        self._sms = sms
        self._wall_clock = wall_clock

    async def send(self, address: str, alert: Alert) -> str:
        return await self._sms.send(
            Outbound(alert.id, ChannelName.SMS, address, alert.text, created_at=self._wall_clock.now(), urgent=True)
        )

    async def close(self) -> None:
        """The SMS channel is closed by whoever opened it."""


class ByEmail:
    """Sends mail through the server at `url`: `smtp://USER:PASSWORD@HOST:587?from=ADDRESS`, or `smtps://`.

    With `smtp://` the connection is encrypted if the server offers it, and always before a password is sent. `timeout` is
    in seconds, for each step of the exchange.
    """

    def __init__(self, url: str, wall_clock: WallClock, *, timeout: float = 10.0) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "smtps"
        self._host, self._port = parts.hostname or "", parts.port or (465 if self._secure else 587)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password or "")
        self._sender = parse_qs(parts.query)["from"][0]
        self._wall_clock = wall_clock
        self._timeout = timeout

    async def send(self, address: str, alert: Alert) -> str:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._sender, address, alert.subject
        mail["Date"] = format_datetime(self._wall_clock.now())
        # The same alert sent again has the same id, by which mail programs know it.
        mail["Message-ID"] = f"<{alert.id}@{self._sender.rpartition('@')[2]}>" if alert.id else make_msgid()
        mail["X-Priority"] = "1"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(alert.body or alert.text)
        await asyncio.to_thread(self._deliver, mail)
        return str(mail["Message-ID"])

    async def close(self) -> None:
        """Every mail has a connection of its own."""

    def _deliver(self, mail: EmailMessage) -> None:
        given = False
        try:
            with self._connect() as server:
                self._prepare(server)
                given = True
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise _refusal(code) from None
        except smtplib.SMTPResponseException as error:
            raise _refusal(error.smtp_code) from None
        except (OSError, smtplib.SMTPException) as error:
            if given:
                raise UnknownOutcome("the connection to the mail server broke off") from error
            raise TemporaryFailure("the mail server could not be reached") from error

    def _connect(self) -> smtplib.SMTP:
        if self._secure:
            return smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=ssl.create_default_context())
        return smtplib.SMTP(self._host, self._port, timeout=self._timeout)

    def _prepare(self, server: smtplib.SMTP) -> None:
        server.ehlo()
        if not self._secure and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        elif not self._secure and self._user is not None:
            raise PermanentFailure("the mail server offers no encryption, so no password is sent to it", code="no_tls")
        if self._user is not None:
            server.login(self._user, self._password)


class ByWebhook:
    """Posts JSON, signed with a secret that the receiver shares (`SIGNATURE`). An answer of 2xx means that it arrived, not
    that anybody has taken anything."""

    def __init__(self, secret: str, wall_clock: WallClock, *, timeout: float = 10.0) -> None:
        self._key = secret.encode()
        self._wall_clock = wall_clock
        self._wire = Wire("the webhook", timeout)

    async def send(self, address: str, alert: Alert) -> str:
        body = json.dumps({"id": alert.id, **alert.data}, ensure_ascii=False).encode()
        timestamp = str(int(self._wall_clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: sign(self._key, timestamp, body),
        }
        answer = await self._wire.call("POST", address, data=body, headers=headers)
        if not 200 <= answer.status < 300:
            raise PermanentFailure(f"the webhook answered {answer.status}", code=str(answer.status))
        return alert.id

    async def close(self) -> None:
        await self._wire.close()


def sign(key: bytes, timestamp: str, body: bytes) -> str:
    """The value of the `SIGNATURE` header."""
    return "sha256=" + hmac.digest(key, timestamp.encode() + b"." + body, "sha256").hex()


def _refusal(code: int) -> TemporaryFailure | PermanentFailure:
    failure = TemporaryFailure if 400 <= code < 500 else PermanentFailure
    return failure(f"the mail server answered {code}", code=str(code))
