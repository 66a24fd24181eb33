"""A stand-in for Twilio: the Messages resource, signed webhook calls, delivery receipts, opt-outs.

Phones are numbers. What a phone writes is posted to the bot the way Twilio would; what the bot sends lies in
`TwilioStandIn.messages` and can be awaited. Error codes: https://www.twilio.com/docs/api/errors.
"""

import asyncio
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from twilio.request_validator import RequestValidator

from bot.dev.standins import Fault, Faults, Now, Server, drop_connection
from bot.settings import Settings

_NUMBER: Final = re.compile(r"(whatsapp:)?\+[1-9]\d{6,14}")
_GSM_7: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)
_GSM_7_DOUBLE: Final = frozenset("\f^{}\\[~]|€")
OPT_OUT_WORDS: Final = {
    "STOP": "STOP", "STOPALL": "STOP", "UNSUBSCRIBE": "STOP", "START": "START", "UNSTOP": "START", "HELP": "HELP",
}  # fmt: skip
"""The keywords of the Messaging Service, cut down as docs/operations.md asks for."""

_ERRORS: Final = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    21211: (400, "Invalid 'To' Phone Number: {to}"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21606: (400, "The 'From' phone number provided is not a valid, message-capable number of this account."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
}


@dataclass(slots=True)
class TwilioMessage:
    """One message that Twilio has, either way."""

    sid: str
    to: str
    from_: str
    body: str
    direction: str
    """`inbound` or `outbound-api`."""
    at: datetime
    status: str
    status_callback: str | None = None
    error_code: int | None = None
    media: tuple[str, ...] = ()


@dataclass(slots=True)
class Answer:
    """What the bot answered to a webhook call."""

    status: int
    body: str
    sid: str = ""


def segments(text: str) -> int:
    """How many text messages a network charges for `text`."""
    if all(symbol in _GSM_7 for symbol in text):
        length, single, joined = sum(2 if symbol in _GSM_7_DOUBLE else 1 for symbol in text), 160, 153
    else:
        length, single, joined = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= single else -(-length // joined)


class TwilioStandIn:
    """Twilio for one account.

    `deliver_to` is where the bot can be reached from here (`http://127.0.0.1:8080`) when that is not its public address;
    signatures are made over the public one all the same, as behind a proxy. With `receipts`, every accepted message is
    reported sent and then delivered by itself.
    """

    def __init__(self, settings: Settings, now: Now, deliver_to: str | None = None, *, receipts: bool = False) -> None:
        self._account = settings.twilio_account_sid or ""
        self._token = settings.twilio_auth_token.get_secret_value() if settings.twilio_auth_token else ""
        self._sender = settings.twilio_from or ""
        self._public_url = settings.public_url or ""
        self.deliver_to = deliver_to or self._public_url
        self._receipts = receipts
        self._now = now
        self._validator = RequestValidator(self._token)
        self._started = now()
        self._count = 0
        self._arrived = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self.messages: list[TwilioMessage] = []
        """Everything this account has sent and received, oldest first."""
        self.requests = 0
        """How many sends the bot has tried, refused ones included."""
        self.opted_out: set[str] = set()
        self.refused: dict[str, int] = {}
        """Numbers that cannot be sent to, with the error code that the bot gets."""
        self.files: dict[str, tuple[bytes, str]] = {}
        """Files that phones have sent, with their types, by id."""
        self.faults = Faults()
        self.media_faults = Faults()
        """What befalls the next fetches of files."""
        self.watch: Callable[[TwilioMessage], None] = lambda message: None
        """Called with every message and whenever its status changes: a simulator redraws then."""
        self.server = Server(self.application())

    # --- life

    def application(self) -> web.Application:
        application = web.Application()
        base = "/2010-04-01/Accounts/{account}/Messages"
        application.add_routes(
            [
                web.post(base + ".json", self._create),
                web.get(base + ".json", self._list),
                web.get(base + "/{sid}.json", self._fetch),
                web.get(base + "/{sid}/Media/{media}", self._media),
                web.get("/media/{media}", self._media_itself),
            ]
        )
        return application

    async def start(self, port: int = 0) -> str:
        """Listen on loopback and return the address for DOORSTEP_TWILIO_API_URL."""
        return await self.server.start(port=port)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.faults.release()
        self.media_faults.release()
        await self.server.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- what a phone does

    async def text_in(
        self,
        number: str,
        text: str,
        *,
        media: Sequence[tuple[str, str]] = (),
        whatsapp: bool = False,
        sid: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> Answer:
        """The phone `number` writes `text`; `media` are pairs of address and type. A `sid` given again is the same
        message delivered again. Twilio's own keywords take effect first, as with Advanced Opt-Out."""
        prefix = "whatsapp:" if whatsapp else ""
        sender, receiver = prefix + number, prefix + self._number
        message = TwilioMessage(
            sid or self._sid("MM" if media else "SM"), receiver, sender, text, "inbound", self._now(), "received",
            media=tuple(address for address, _ in media),
        )  # fmt: skip
        if all(known.sid != message.sid for known in self.messages):
            await self._keep(message)
        params = {
            "ToCountry": "GB",
            "SmsMessageSid": message.sid,
            "NumMedia": str(len(media)),
            "SmsSid": message.sid,
            "SmsStatus": "received",
            "Body": text,
            "FromCountry": "GB",
            "To": receiver,
            "NumSegments": str(segments(text)),
            "MessageSid": message.sid,
            "AccountSid": self._account,
            "From": sender,
            "ApiVersion": "2010-04-01",
        }
        for n, (address, media_type) in enumerate(media):
            params |= {f"MediaUrl{n}": address, f"MediaContentType{n}": media_type}
        word = OPT_OUT_WORDS.get(text.strip().upper())
        if word is not None and not whatsapp:
            params["OptOutType"] = word
            if word == "STOP":
                self.opted_out.add(sender)
            elif word == "START":
                self.opted_out.discard(sender)
        answer = await self.call("/channels/sms", params | dict(extra or {}))
        answer.sid = message.sid
        return answer

    async def photo_in(
        self, number: str, content: bytes, *, text: str = "", media_type: str = "image/jpeg", whatsapp: bool = True
    ) -> Answer:
        """The phone sends a file."""
        sid = self._sid("ME")
        self.files[sid] = (content, media_type)
        address = f"https://api.twilio.com/2010-04-01/Accounts/{self._account}/Messages/{self._sid('MM')}/Media/{sid}"
        return await self.text_in(number, text, media=[(address, media_type)], whatsapp=whatsapp)

    async def call(
        self, path: str, params: Mapping[str, str], *, signature: str | None = None, body: bytes | None = None
    ) -> Answer:
        """Call one of the bot's webhooks, properly signed unless `signature` says otherwise ("" leaves it out)."""
        url = self._public_url + path
        signed = self._validator.compute_signature(url, params) if signature is None else signature
        headers = {"X-Twilio-Signature": signed} if signed else {}
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        payload = io.BytesIO(body if body is not None else urlencode(params).encode())
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        async with self._session.post(self.deliver_to + path, data=payload, headers=headers) as response:
            return Answer(response.status, await response.text())

    async def report(self, sid: str, status: str, error_code: int | None = None) -> Answer:
        """Report that the message `sid` has come as far as `status`, to the callback the bot asked for."""
        message = self.message(sid)
        message.status, message.error_code = status, error_code
        self.watch(message)
        if message.status_callback is None:
            return Answer(204, "")
        params = {
            "SmsSid": sid, "SmsStatus": status, "MessageStatus": status, "To": message.to, "MessageSid": sid,
            "AccountSid": self._account, "From": message.from_, "ApiVersion": "2010-04-01",
        }  # fmt: skip
        if error_code is not None:
            params["ErrorCode"] = str(error_code)
        return await self.call(message.status_callback.removeprefix(self._public_url), params)

    # --- what a test asks

    def message(self, sid: str) -> TwilioMessage:
        """The message called `sid`; raises KeyError."""
        for message in self.messages:
            if message.sid == sid:
                return message
        raise KeyError(sid)

    def sent_to(self, number: str) -> list[TwilioMessage]:
        """What the bot has sent to a phone, on SMS and WhatsApp, oldest first."""
        return [m for m in self.messages if m.direction != "inbound" and m.to.removeprefix("whatsapp:") == number]

    async def until_sent_to(self, number: str, count: int = 1, within: float = 10.0) -> list[TwilioMessage]:
        """Wait until the bot has sent `count` messages to a phone, and return them all; raises TimeoutError."""
        async with asyncio.timeout(within), self._arrived:
            await self._arrived.wait_for(lambda: len(self.sent_to(number)) >= count)
        return self.sent_to(number)

    async def settled(self) -> None:
        """Wait until every delivery that is reported by itself has been."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- the REST API

    async def _create(self, request: web.Request) -> web.Response:
        if refusal := self._turned_away(request):
            return refusal
        self.requests += 1
        fields = {name: str(value) for name, value in (await request.post()).items()}
        fault = self.faults.take()
        if fault is not None and fault.status is not None:
            return _error(fault.code or {429: 20429}.get(fault.status, fault.status), status=fault.status, fault=fault)
        code = self._objection(fields)
        if code is not None:
            return _error(code, to=fields.get("To", ""))
        message = TwilioMessage(
            self._sid("SM"), fields["To"], fields.get("From") or self._number, fields["Body"], "outbound-api", self._now(),
            "accepted" if "MessagingServiceSid" in fields else "queued", fields.get("StatusCallback"),
        )  # fmt: skip
        if fault is None or fault.accepted:
            await self._keep(message)
            if self._receipts:
                self._report_by_itself(message.sid)
        if fault is not None:
            if fault.held:
                await self.faults.hold()
            return drop_connection(request)
        return web.json_response(self._shape(message), status=201)

    def _objection(self, fields: Mapping[str, str]) -> int | None:
        to, sender = fields.get("To", ""), fields.get("From") or fields.get("MessagingServiceSid")
        if not _NUMBER.fullmatch(to):
            return 21211
        if not sender:
            return 21603
        if not (_NUMBER.fullmatch(sender) or re.fullmatch(r"MG[0-9a-zA-Z]{1,32}", sender)):
            return 21606
        if sender.startswith("whatsapp:") != to.startswith("whatsapp:") and not sender.startswith("MG"):
            return 63007
        if not fields.get("Body", "").strip():
            return 21602
        if len(fields["Body"]) > 1600:
            return 21617
        if to in self.opted_out:
            return 21610
        return self.refused.get(to.removeprefix("whatsapp:"))

    async def _list(self, request: web.Request) -> web.Response:
        if refusal := self._turned_away(request):
            return refusal
        query = request.query
        found = [
            message
            for message in reversed(self.messages)
            if query.get("To") in {None, message.to}
            and query.get("From") in {None, message.from_}
            and ("DateSent>" not in query or message.at >= datetime.fromisoformat(query["DateSent>"]))
            and ("DateSent<" not in query or message.at <= datetime.fromisoformat(query["DateSent<"]))
        ]
        size = min(int(query.get("PageSize", "50")), 1000)
        page = int(query.get("Page", "0"))
        more = f"{request.path}?Page={page + 1}&PageSize={size}" if len(found) > (page + 1) * size else None
        listed = found[page * size : (page + 1) * size]
        return web.json_response(
            {
                "messages": [self._shape(message) for message in listed],
                "page": page,
                "page_size": size,
                "start": page * size,
                "end": page * size + max(len(listed) - 1, 0),
                "uri": request.path_qs,
                "first_page_uri": f"{request.path}?Page=0&PageSize={size}",
                "previous_page_uri": None,
                "next_page_uri": more,
            }
        )

    async def _fetch(self, request: web.Request) -> web.Response:
        if refusal := self._turned_away(request):
            return refusal
        with suppress(KeyError):
            return web.json_response(self._shape(self.message(request.match_info["sid"])))
        return _error(20404)

    async def _media(self, request: web.Request) -> web.Response:
        if refusal := self._turned_away(request):
            return refusal
        fault = self.media_faults.take()
        if fault is not None and fault.status is not None:
            return _error({429: 20429}.get(fault.status, fault.status), status=fault.status, fault=fault)
        if fault is not None:
            if fault.held:
                await self.media_faults.hold()
            return drop_connection(request)
        if request.match_info["media"] not in self.files:
            return _error(20404)
        raise web.HTTPTemporaryRedirect(f"{self.server.url}/media/{request.match_info['media']}")

    async def _media_itself(self, request: web.Request) -> web.Response:
        content, media_type = self.files[request.match_info["media"]]
        if "Authorization" in request.headers:
            return web.Response(status=400, text="credentials are not for here")
        return web.Response(body=content, content_type=media_type)

    def _turned_away(self, request: web.Request) -> web.Response | None:
        expected = aiohttp.encode_basic_auth(self._account, self._token)
        if request.headers.get("Authorization") != expected or request.match_info["account"] != self._account:
            return _error(20003)
        return None

    def _shape(self, message: TwilioMessage) -> dict[str, Any]:
        at = format_datetime(message.at.astimezone(UTC))
        uri = f"/2010-04-01/Accounts/{self._account}/Messages/{message.sid}"
        return {
            "account_sid": self._account,
            "api_version": "2010-04-01",
            "body": message.body,
            "date_created": at,
            "date_sent": at,
            "date_updated": at,
            "direction": message.direction,
            "error_code": message.error_code,
            "error_message": None,
            "from": message.from_,
            "messaging_service_sid": self._sender if self._sender.startswith("MG") else None,
            "num_media": str(len(message.media)),
            "num_segments": str(segments(message.body)),
            "price": None,
            "price_unit": "GBP",
            "sid": message.sid,
            "status": message.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": message.to,
            "uri": f"{uri}.json",
        }

    # --- inside

    @property
    def _number(self) -> str:
        """The number that phones see: a Messaging Service has picked one."""
        return self._sender if self._sender.startswith("+") else "+447700900000"

    def _sid(self, kind: str) -> str:
        # From the time, so that a stand-in started again does not give an id for the second time.
        self._count += 1
        return f"{kind}{int(self._started.timestamp() * 1000):016x}{self._count:016x}"

    async def _keep(self, message: TwilioMessage) -> None:
        async with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()
        self.watch(message)

    def _report_by_itself(self, sid: str) -> None:
        task = asyncio.create_task(self._reports(sid))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reports(self, sid: str) -> None:
        for status in ("sent", "delivered"):
            for _ in range(3):
                try:
                    answer = await self.report(sid, status)
                except (aiohttp.ClientError, TimeoutError):
                    continue
                if answer.status < 500:
                    break


def _error(code: int, *, status: int | None = None, to: str = "", fault: Fault | None = None) -> web.Response:
    known_status, message = _ERRORS.get(code, (status or 400, f"Error {code}"))
    headers = {"Retry-After": str(fault.retry_after)} if fault is not None and fault.retry_after is not None else {}
    return web.json_response(
        {
            "code": code,
            "message": message.format(to=to),
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status or known_status,
        },
        status=status or known_status,
        headers=headers,
    )
