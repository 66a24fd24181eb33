"""Text messages and WhatsApp, both through Twilio.

Arrival: Twilio posts each message to `/channels/sms` and each delivery receipt to `/channels/sms/status`. Both are
believed only if Twilio's signature over the *public* address and all parameters fits the auth token. Bare words alone
have a meaning of their own (`KEYWORDS`): "cancel", "end" and "yes" are ordinary answers here, which is why the Messaging
Service's own opt-out list should be cut down to the same words.

Departure: one message of ours is one message of Twilio's, or several when it is longer than Twilio takes. Their last one
carries the status callback and its id stands for all. A send that is tried again, and a send whose outcome is unknown,
asks Twilio first which parts it already has, so a crash half way through repeats nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs, web
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from bot.channels import (
    LARGEST_FILE,
    Blocked,
    CannotTell,
    ChannelError,
    OptedOut,
    PermanentFailure,
    Receive,
    Report,
    TemporaryFailure,
    UnknownOutcome,
    WindowClosed,
    on_disk,
)
from bot.channels.splitting import split
from bot.channels.twilio_wire import Transport, at, signed_by_twilio
from bot.channels.wire import Wire
from bot.messages import Attachment, ChannelName, Content, DeliveryState, Inbound, Keyword, Outbound, Receipt
from bot.settings import Settings, SettingsError
from bot.wallclock import WallClock

log = logging.getLogger(__name__)

MAX_LENGTH: Final = 1600
"""Twilio refuses a longer body with error 21617."""

KEYWORDS: Final[Mapping[str, Keyword]] = {
    "stop": Keyword.STOP,
    "stopall": Keyword.STOP,
    "unsubscribe": Keyword.STOP,
    "start": Keyword.START,
    "unstop": Keyword.START,
    "help": Keyword.HELP,
}

FAILURES: Final[Mapping[int, type[ChannelError]]] = {
    # ours to put right: the message is kept and goes out once somebody has
    20003: TemporaryFailure,  # wrong account or token
    20005: TemporaryFailure,  # account suspended
    21606: TemporaryFailure,  # our sender cannot send
    21659: TemporaryFailure,  # our sender is not a number of this account
    # passing
    20429: TemporaryFailure,  # too many requests
    30001: TemporaryFailure,  # queue overflow
    30003: TemporaryFailure,  # phone switched off or out of reach
    30008: TemporaryFailure,  # unknown error at the network
    63018: TemporaryFailure,  # WhatsApp: too many messages
    # this address, for good
    21610: OptedOut,
    21211: Blocked,  # not a phone number
    21614: Blocked,  # not a mobile
    30004: Blocked,  # blocked by the phone's network
    30005: Blocked,  # unknown or dead number
    30006: Blocked,  # landline, or cannot be reached from our network
    63003: Blocked,  # not on WhatsApp
    63024: Blocked,  # not a WhatsApp number
    63016: WindowClosed,
    # this message, for good
    21408: PermanentFailure,  # country not switched on
    21612: PermanentFailure,  # no route from our number to this one
    21617: PermanentFailure,  # too long
    30007: PermanentFailure,  # filtered as spam by a network
}
"""What Twilio's error codes mean, in the answer to a send and in a receipt alike. A code that is not listed is permanent
when Twilio refuses the message (4xx), and passing when it refuses us (401, 403) or is in trouble itself (429, 5xx)."""

STATES: Final[Mapping[str, DeliveryState]] = {
    "accepted": DeliveryState.SENT,
    "scheduled": DeliveryState.SENT,
    "queued": DeliveryState.SENT,
    "sending": DeliveryState.SENT,
    "sent": DeliveryState.SENT,
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.READ,
    "undelivered": DeliveryState.FAILED,
    "failed": DeliveryState.FAILED,
    "canceled": DeliveryState.FAILED,
}

_EMPTY_TWIML: Final = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'
_WHATSAPP: Final = "whatsapp:"
_AROUND_A_WORD: Final = " \t\r\n.,!?:;\"'“”‘’"


def failure_of(code: str | int | None) -> type[ChannelError] | None:
    """What one of Twilio's error codes means, None if we do not know it."""
    return FAILURES.get(int(code)) if code is not None and str(code).isdecimal() else None


def keyword_of(text: str) -> Keyword | None:
    """The keyword that `text` consists of, and of nothing else: "STOP." is one, "stop the leak" is not."""
    return KEYWORDS.get(text.strip(_AROUND_A_WORD).casefold())


class Unreadable(ValueError):
    """Signed by Twilio, yet without what every message has: an id and an address."""


def parse_message(params: Mapping[str, str]) -> Inbound:
    """The message in the (verified) parameters of a webhook call; raises Unreadable."""
    provider_id = params.get("MessageSid") or params.get("SmsMessageSid") or params.get("SmsSid")
    sender = params.get("From", "")
    if not provider_id or not sender.removeprefix(_WHATSAPP).strip():
        raise Unreadable("no MessageSid or no From")
    text = params.get("Body", "")
    attachments = _attachments(params)
    if attachments:
        content = Content.MEDIA
    elif text.strip():
        content = Content.TEXT
    else:
        content = Content.UNSUPPORTED
    opt_out_type = params.get("OptOutType", "").strip().casefold()
    return Inbound(
        channel=ChannelName.WHATSAPP if sender.startswith(_WHATSAPP) else ChannelName.SMS,
        address=sender.removeprefix(_WHATSAPP).strip(),
        provider_id=provider_id,
        text=text,
        content=content,
        attachments=attachments,
        name=params.get("ProfileName") or None,
        # Advanced Opt-Out tells us what Twilio itself took the message for; it may know words that we do not.
        keyword=KEYWORDS.get(opt_out_type) or (None if attachments else keyword_of(text)),
    )


def _attachments(params: Mapping[str, str]) -> tuple[Attachment, ...]:
    count = params.get("NumMedia", "0")
    found = [
        Attachment(params[f"MediaUrl{n}"], params.get(f"MediaContentType{n}", "application/octet-stream"))
        for n in range(min(int(count), 20) if count.isdecimal() else 0)
        if params.get(f"MediaUrl{n}")
    ]
    if params.get("Latitude") and params.get("Longitude"):
        found.append(Attachment(f"geo:{params['Latitude']},{params['Longitude']}", "application/geo"))
    return tuple(found)


def parse_receipt(params: Mapping[str, str]) -> Receipt | None:
    """The receipt in the (verified) parameters of a status callback, None for a status that we do not know; raises
    Unreadable."""
    provider_id = params.get("MessageSid") or params.get("SmsSid")
    status = params.get("MessageStatus") or params.get("SmsStatus")
    if not provider_id or not status:
        raise Unreadable("no MessageSid or no MessageStatus")
    state = STATES.get(status.casefold())
    if state is None:
        return None
    to = params.get("To", "")
    channel = ChannelName.WHATSAPP if to.startswith(_WHATSAPP) else ChannelName.SMS
    return Receipt(channel, provider_id, state, params.get("ErrorCode") or None)


class SmsChannel:
    """SMS and WhatsApp on one Twilio account; `Outbound.channel` says which of the two a message takes.

    `timeout` is how long Twilio may take to answer a send, in seconds.
    """

    name = ChannelName.SMS
    names = (ChannelName.SMS, ChannelName.WHATSAPP)
    max_length = MAX_LENGTH

    def __init__(
        self, settings: Settings, wall_clock: WallClock, receive: Receive, report: Report, *, timeout: float = 10.0
    ) -> None:
        """Raises SettingsError that names whatever Twilio cannot be used without."""
        token = settings.twilio_auth_token.get_secret_value() if settings.twilio_auth_token else None
        missing = [
            name
            for name, value in {
                "DOORSTEP_TWILIO_ACCOUNT_SID": settings.twilio_account_sid,
                "DOORSTEP_TWILIO_AUTH_TOKEN": token,
                "DOORSTEP_TWILIO_FROM": settings.twilio_from,
                "DOORSTEP_PUBLIC_URL": settings.public_url,
            }.items()
            if not value
        ]
        if missing:
            raise SettingsError(f"text messages cannot be used without {', '.join(missing)}")
        self._account = settings.twilio_account_sid or ""
        self._token = token or ""
        self._from = settings.twilio_from or ""
        self._public_url = settings.public_url or ""
        self._api_url = settings.twilio_api_url
        self._validator = RequestValidator(self._token)
        self._wall_clock = wall_clock
        self._receive = receive
        self._report = report
        self._wire = Wire("Twilio", timeout)
        self._client: Client | None = None

    # --- arrival

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [web.post("/channels/sms", self._arrive), web.post("/channels/sms/status", self._account_for)]

    async def _arrive(self, request: web.Request) -> web.Response:
        params = await signed_by_twilio(request, self._validator, self._public_url)
        try:
            inbound = parse_message(params)
        except Unreadable as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        await on_disk(self._receive(inbound))
        return web.Response(text=_EMPTY_TWIML, content_type="text/xml")

    async def _account_for(self, request: web.Request) -> web.Response:
        params = await signed_by_twilio(request, self._validator, self._public_url)
        try:
            receipt = parse_receipt(params)
        except Unreadable as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        if receipt is None:
            log.warning("status_unknown", extra={"provider_id": params.get("MessageSid")})
        else:
            await on_disk(self._report(replace(receipt, message_id=request.query.get("message"))))
        return web.Response(text=_EMPTY_TWIML, content_type="text/xml")

    # --- departure

    async def send(self, message: Outbound) -> str:
        parts = split(message.text, self.max_length)
        if not parts:
            raise PermanentFailure("there is nothing to send")
        there: dict[str, list[str]] = {}
        if message.attempt > 1 and len(parts) > 1:
            try:
                there = await self._at_provider(message)
            except CannotTell as error:
                raise TemporaryFailure("Twilio cannot say how much of the message it has") from error
        provider_id = ""
        for number, part in enumerate(parts, start=1):
            if there.get(part):
                provider_id = there[part].pop(0)
            else:
                provider_id = await self._send_part(message, part, last=number == len(parts))
        return provider_id

    async def find_sent(self, message: Outbound) -> str | None:
        """See the contract. A text of ours that went to the same address with the same words before `message` was
        written is not it; one that went out after that and is known to be another message has to be told apart by its
        provider id, which the caller knows."""
        there = await self._at_provider(message)
        provider_id = None
        for part in split(message.text, self.max_length):
            if not there.get(part):
                return None
            provider_id = there[part].pop(0)
        return provider_id

    async def fetch(self, attachment: Attachment) -> bytes:
        """See `FileKeeper`. Twilio keeps a file until it is told to delete it, and hands it over by a redirection."""
        address = attachment.handle
        host = urlsplit(address).hostname or ""
        # Our credentials go with the request, so it goes nowhere else.
        if not address.startswith("https://") or not host.endswith(".twilio.com"):
            raise PermanentFailure("not a file that Twilio holds")
        headers = {"Authorization": aiohttp.encode_basic_auth(self._account, self._token)}
        answer = await self._wire.call("GET", at(self._api_url, address), headers=headers, largest=LARGEST_FILE)
        if answer.status in {301, 302, 303, 307, 308}:
            answer = await self._wire.call("GET", answer.headers.get(hdrs.LOCATION, ""), largest=LARGEST_FILE)
        if answer.status != 200:
            failure = TemporaryFailure if answer.status in {401, 403} else PermanentFailure
            raise failure(f"Twilio answered {answer.status}", code=str(answer.status))
        return answer.body

    async def close(self) -> None:
        await self._wire.close()

    async def _send_part(self, message: Outbound, part: str, *, last: bool) -> str:
        sender: dict[str, str]
        if self._from.startswith("MG"):
            sender = {"messaging_service_sid": self._from}
        else:
            sender = {"from_": _address(message.channel, self._from)}
        if last:
            # Our own id goes along: a receipt may overtake the answer that tells us Twilio's.
            sender["status_callback"] = f"{self._public_url}/channels/sms/status?message={message.id}"
        try:
            sent = await self._messages.create_async(to=_address(message.channel, message.address), body=part, **sender)
        except (TwilioRestException, TwilioServiceException) as error:
            # Without the cause: Twilio's own words repeat the tenant's number.
            ours = error.status in {401, 403}
            failure = failure_of(error.code) or (TemporaryFailure if ours else PermanentFailure)
            raise failure(f"Twilio answered {error.status} with error {error.code}", code=str(error.code)) from None
        except (TwilioException, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnknownOutcome(f"Twilio's answer could not be read ({type(error).__name__})") from None
        return str(sent.sid)

    async def _at_provider(self, message: Outbound) -> dict[str, list[str]]:
        """What Twilio took for this address since `message` was written: ids by their words, newest first."""
        since: datetime = message.created_at or self._wall_clock.now() - timedelta(hours=1)
        try:
            found = await self._messages.list_async(
                to=_address(message.channel, message.address), date_sent_after=since.replace(microsecond=0), limit=200
            )
        except (ChannelError, TwilioException, ValueError) as error:
            raise CannotTell(f"Twilio could not be asked: {type(error).__name__}") from None
        there: dict[str, list[str]] = {}
        for sent in found:
            if str(sent.direction).startswith("outbound") and sent.body:
                there.setdefault(sent.body.strip(), []).append(sent.sid)
        return there

    @property
    def _messages(self) -> Any:
        if self._client is None:
            self._client = Client(self._account, self._token, http_client=Transport(self._wire, self._api_url))
        return self._client.messages


def _address(channel: ChannelName, number: str) -> str:
    return _WHATSAPP + number if channel is ChannelName.WHATSAPP else number
