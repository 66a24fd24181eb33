"""Telephone calls to people on call, and to tenants who take no messages, through Twilio Voice.

A call is spoken by a script that is asked for when it is answered (`Script`), so what is said is what is known at that moment.
One key is gathered: what it means is the script's business. An answering machine presses no key, and is told no details.
Twilio posts to `/channels/voice/answer`, `/channels/voice/key` and `/channels/voice/status`, signed like text messages.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from multidict import MultiDict
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.twiml.voice_response import VoiceResponse

from bot.channels import PermanentFailure, TemporaryFailure, UnknownOutcome, on_disk
from bot.channels.twilio_wire import Transport, signed_by_twilio
from bot.channels.wire import Wire
from bot.settings import Settings, SettingsError

log = logging.getLogger(__name__)

ENDINGS: Final[Mapping[str, str]] = {
    "completed": "not_taken",
    "busy": "busy",
    "no-answer": "no_answer",
    "failed": "failed",
    "canceled": "failed",
}
"""What Twilio's word for the end of a call means. A call that was taken has been noted before it ends."""

MOST_TIMES: Final = 3
"""How often the summary is read to somebody who presses nothing."""
_RINGS_FOR: Final = 30
"""Seconds: before most networks' voicemail begins."""
_WAITS_FOR_KEY: Final = 8
_VOICE: Final = {"voice": "Polly.Amy", "language": "en-GB"}


@dataclass(frozen=True, slots=True)
class Script:
    """What is said in a call."""

    text: str
    ask: str | None
    """What is said before a key is waited for; None: nothing is asked, and the call ends."""
    goodbye: str = ""
    """What is said when no key was pressed."""
    times: int = MOST_TIMES
    """How often it is said to somebody who presses nothing."""


Asked = Callable[[str], Awaitable[Script | None]]
"""`asked(call)`: the script of a call of ours; None if we know no such call."""
Pressed = Callable[[str, str], Awaitable[Script | None]]
"""`pressed(call, key)`: somebody pressed a key. What to say now; None to say the whole again."""
Ended = Callable[[str, str, str | None], Awaitable[object]]
"""`ended(call, outcome, error code)`: a call is over: a value of `ENDINGS`, or `machine`."""


class VoiceChannel:
    """Calls out. `timeout` is how long Twilio may take to answer a request, in seconds."""

    name = "call"

    def __init__(
        self, settings: Settings, *, asked: Asked, pressed: Pressed, ended: Ended, machine: Callable[[str], Awaitable[str]],
        timeout: float = 10.0,
    ) -> None:  # fmt: skip
        """`machine` gives the words for an answering machine. Raises SettingsError that names what is missing."""
        token = settings.twilio_auth_token.get_secret_value() if settings.twilio_auth_token else None
        sender = settings.twilio_voice_from or settings.twilio_from
        missing = [
            name
            for name, value in {
                "DOORSTEP_TWILIO_ACCOUNT_SID": settings.twilio_account_sid,
                "DOORSTEP_TWILIO_AUTH_TOKEN": token,
                "DOORSTEP_TWILIO_VOICE_FROM": sender if sender and sender.startswith("+") else None,
                "DOORSTEP_PUBLIC_URL": settings.public_url,
            }.items()
            if not value
        ]
        if missing:
            raise SettingsError(f"calls cannot be made without {', '.join(missing)}")
        self._account, self._token = settings.twilio_account_sid or "", token or ""
        self._from, self._public_url = sender or "", settings.public_url or ""
        self._api_url = settings.twilio_api_url
        self._asked, self._pressed, self._ended, self._machine = asked, pressed, ended, machine
        self._validator = RequestValidator(self._token)
        self._wire = Wire("Twilio", timeout)
        self._client: Client | None = None

    async def call(self, number: str, call: str) -> str:
        """Ring `number`; `call` is our own id of the call, which Twilio repeats. Returns Twilio's id.

        Raises TemporaryFailure, PermanentFailure or UnknownOutcome.
        """
        try:
            made = await self._calls.create_async(
                to=number, from_=self._from, url=self._url("answer", call), status_callback=self._url("status", call),
                status_callback_event=["completed"], machine_detection="Enable", timeout=_RINGS_FOR,
            )  # fmt: skip
        except (TwilioRestException, TwilioServiceException) as error:
            # Without the cause: Twilio's own words repeat the number.
            failure = TemporaryFailure if error.status in {401, 403} else PermanentFailure
            raise failure(f"Twilio answered {error.status} with error {error.code}", code=str(error.code)) from None
        except (TwilioException, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnknownOutcome(f"Twilio's answer could not be read ({type(error).__name__})") from None
        return str(made.sid)

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return [
            web.post("/channels/voice/answer", self._answer),
            web.post("/channels/voice/key", self._key),
            web.post("/channels/voice/status", self._status),
        ]

    async def close(self) -> None:
        await self._wire.close()

    # --- calls of Twilio's

    async def _answer(self, request: web.Request) -> web.Response:
        params = await signed_by_twilio(request, self._validator, self._public_url)
        call = request.query.get("call", "")
        if params.get("AnsweredBy", "human").startswith(("machine", "fax")):
            await on_disk(self._ended(call, "machine", None))
            return _spoken(Script(await self._machine(call), None))
        script = await self._asked(call)
        return self._say(call, script, _times(request))

    async def _key(self, request: web.Request) -> web.Response:
        params = await signed_by_twilio(request, self._validator, self._public_url)
        call, key = request.query.get("call", ""), params.get("Digits", "")[:1]
        said: list[Script | None] = []

        async def press() -> None:
            said.append(await self._pressed(call, key))

        await on_disk(press())
        if said[0] is not None:
            return self._say(call, said[0], 1)
        return self._say(call, await self._asked(call), 1)

    async def _status(self, request: web.Request) -> web.Response:
        params: MultiDict[str] = await signed_by_twilio(request, self._validator, self._public_url)
        status, call = params.get("CallStatus", "").casefold(), request.query.get("call", "")
        if not status:
            raise web.HTTPBadRequest(text="no CallStatus")
        outcome = ENDINGS.get(status)
        if outcome is not None:
            await on_disk(self._ended(call, outcome, params.get("ErrorCode") or params.get("SipResponseCode")))
        return _spoken(None)

    # --- what is said

    def _say(self, call: str, script: Script | None, times: int) -> web.Response:
        if script is None or script.ask is None:
            return _spoken(script)
        if times > script.times:
            return _spoken(Script(script.goodbye, None))
        response = VoiceResponse()
        gather = response.gather(
            num_digits=1,
            timeout=_WAITS_FOR_KEY,
            action=self._url("key", call),
            method="POST",
            action_on_empty_result=False,
        )
        _add(gather, script.text)
        _add(gather, script.ask)
        response.redirect(f"{self._url('answer', call)}&times={times + 1}", method="POST")
        return _xml(response)

    def _url(self, what: str, call: str) -> str:
        return f"{self._public_url}/channels/voice/{what}?call={call}"

    @property
    def _calls(self) -> Any:
        if self._client is None:
            self._client = Client(self._account, self._token, http_client=Transport(self._wire, self._api_url))
        return self._client.calls


def _times(request: web.Request) -> int:
    said = request.query.get("times", "1")
    return int(said) if said.isdecimal() and len(said) < 3 else 1


def _spoken(script: Script | None) -> web.Response:
    """Say something and hang up; nothing at all for a call that we do not know."""
    response = VoiceResponse()
    if script is not None:
        _add(response, script.text)
    response.hangup()
    return _xml(response)


def _add(place: Any, text: str) -> None:
    """A line is a sentence: a voice pauses after it."""
    for line in filter(None, (each.strip() for each in text.split("\n"))):
        place.say(line, **_VOICE)


def _xml(response: VoiceResponse) -> web.Response:
    return web.Response(text=str(response), content_type="text/xml")
