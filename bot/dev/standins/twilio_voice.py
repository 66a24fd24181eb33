"""A stand-in for Twilio Voice beside its Messages: calls, the TwiML that the bot answers with, keys, endings.

What becomes of a call to a number is said beforehand (`behaviours`): a person who presses keys, nobody, a busy tone, a
machine. Or calls are taken `by_hand`, on a page: they ring until somebody answers, presses keys and hangs up. The TwiML is
read as Twilio would read it, and what was said is kept.
"""

import asyncio
import xml.etree.ElementTree as ElementTree
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp import web

from bot.dev.standins import Faults, Now, drop_connection
from bot.dev.standins.twilio import _NUMBER, TwilioStandIn, _error
from bot.settings import Settings

RINGS_FOR: Final = 30.0
"""Seconds: how long a call that is taken by hand rings."""
READS: Final = 0.05
"""Seconds a character: a page is read before a key is pressed, where a voice would have been heard."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What becomes of one call."""

    status: str = "no-answer"
    """`completed` (somebody or something answers), `busy`, `no-answer`, `failed`; `ringing`: it never ends by itself."""
    keys: tuple[str | None, ...] = ()
    """What is pressed at each question, in order; None, or nothing left: no key is pressed."""
    answered_by: str = "human"


def person(*keys: str | None) -> Behaviour:
    """Somebody answers and presses these keys, one at each question."""
    return Behaviour("completed", keys)


MACHINE = Behaviour("completed", answered_by="machine_start")
BUSY = Behaviour("busy")
NO_ANSWER = Behaviour("no-answer")
FAILED = Behaviour("failed")
RINGING = Behaviour("ringing")


@dataclass(slots=True)
class TwilioCall:
    """One call that Twilio has made."""

    sid: str
    to: str
    from_: str
    url: str
    status_callback: str
    status: str = "queued"
    said: list[str] = field(default_factory=list)
    """Everything that was spoken, a sentence each."""
    pressed: list[str] = field(default_factory=list)
    hung_up: bool = False
    at: datetime | None = None
    asking: bool = False
    """A key is waited for."""
    keys: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    """Pressed by hand, and not yet taken."""
    talk: "asyncio.Task[None] | None" = None
    """The conversation, or the ringing, of a call that is taken by hand."""


Listen = Callable[[float], Awaitable[str | None]]
"""`listen(seconds)`: the key that is pressed within so long, or None."""


class TwilioVoiceStandIn(TwilioStandIn):
    """Twilio for one account, calls included. `calls` are all that were made, oldest first."""

    def __init__(self, settings: Settings, now: Now, deliver_to: str | None = None, *, receipts: bool = False) -> None:
        self.calls: list[TwilioCall] = []
        self.call_requests = 0
        """How many calls the bot has tried to make, refused ones included."""
        self.call_faults = Faults()
        """What goes wrong with the next requests for a call."""
        self.behaviours: dict[str, deque[Behaviour]] = {}
        self.usually: dict[str, Behaviour] = {}
        """What becomes of calls for which nothing else was said; else nobody answers."""
        self.by_hand = False
        """Whether calls for which nothing was said are answered by somebody (`answer`, `press`, `hang_up`)."""
        self.watch_calls: Callable[[TwilioCall], None] = lambda call: None
        """Called whenever something happens to a call: a simulator redraws then."""
        self._talking: set[asyncio.Task[None]] = set()
        super().__init__(settings, now, deliver_to, receipts=receipts)

    def application(self) -> web.Application:
        application = super().application()
        application.add_routes([web.post("/2010-04-01/Accounts/{account}/Calls.json", self._call)])
        return application

    def expect(self, number: str, *behaviours: Behaviour) -> None:
        """What becomes of the next calls to a number, in order."""
        self.behaviours.setdefault(number, deque()).extend(behaviours)

    def calls_to(self, number: str) -> list[TwilioCall]:
        return [each for each in self.calls if each.to == number]

    def call_named(self, sid: str) -> TwilioCall:
        """The call `sid`; raises KeyError."""
        for call in self.calls:
            if call.sid == sid:
                return call
        raise KeyError(sid)

    async def hung_up(self) -> None:
        """Wait until every conversation under way is over."""
        while self._talking:
            await asyncio.gather(*self._talking)

    async def close(self) -> None:
        for task in list(self._talking):
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)
        self.call_faults.release()
        await super().close()

    # --- what happens in a call

    async def ring(self, call: TwilioCall, behaviour: Behaviour) -> None:
        """Let a call take its course and report how it ended."""
        if behaviour.status == "ringing":
            return
        if behaviour.status == "completed":
            await self.converse(call, behaviour.keys, behaviour.answered_by)
        await self.end(call, behaviour.status)

    async def converse(self, call: TwilioCall, keys: Sequence[str | None] = (), answered_by: str = "human") -> None:
        """Somebody answers and presses `keys`, one at each question, until the call is hung up."""
        waiting = deque(keys)

        async def listen(_seconds: float) -> str | None:
            return waiting.popleft() if waiting else None

        await self._converse(call, listen, answered_by)

    async def _converse(self, call: TwilioCall, listen: Listen, answered_by: str) -> None:
        call.status = "in-progress"
        self.watch_calls(call)
        url: str | None = call.url
        extra = {"AnsweredBy": answered_by}
        for _ in range(20):
            if url is None:
                return
            url, extra = await self._speak(call, url, extra, listen)

    async def end(self, call: TwilioCall, status: str) -> None:
        """Report the end of a call, as often as a test likes."""
        call.status, call.asking = status, False
        self.watch_calls(call)
        await self._post(call, call.status_callback, {"CallStatus": status, "CallDuration": "20"})

    # --- by hand

    def answer(self, sid: str, *, machine: bool = False) -> bool:
        """Take a call that rings, oneself or by an answering machine. False if it rings no longer."""
        call = self.call_named(sid)
        if call.status != "ringing":
            return False
        if call.talk is not None:
            call.talk.cancel()
        call.talk = self._start(self._talk_by_hand(call, "machine_start" if machine else "human"))
        return True

    def press(self, sid: str, key: str) -> bool:
        """Press a key in a call. False if nobody waits for one."""
        call = self.call_named(sid)
        if not call.asking:
            return False
        call.keys.put_nowait(key)
        return True

    async def hang_up(self, sid: str) -> bool:
        """End a call, or turn it away while it rings. False if it is over."""
        call = self.call_named(sid)
        if call.status not in {"ringing", "in-progress"}:
            return False
        if call.talk is not None:
            call.talk.cancel()
        call.hung_up = True
        await self.end(call, "busy" if call.status == "ringing" else "completed")
        return True

    async def _ring_by_hand(self, call: TwilioCall) -> None:
        call.status = "ringing"
        self.watch_calls(call)
        await asyncio.sleep(RINGS_FOR)
        await self.end(call, "no-answer")

    async def _talk_by_hand(self, call: TwilioCall, answered_by: str) -> None:
        async def listen(seconds: float) -> str | None:
            try:
                return await asyncio.wait_for(call.keys.get(), seconds)
            except TimeoutError:
                return None

        await self._converse(call, listen, answered_by)
        call.talk = None
        await self.end(call, "completed")

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._talking.add(task)
        task.add_done_callback(self._talking.discard)
        return task

    async def _speak(
        self, call: TwilioCall, url: str, extra: dict[str, str], listen: Listen
    ) -> tuple[str | None, dict[str, str]]:
        answer = await self._post(call, url, {"CallStatus": "in-progress", **extra})
        if answer is None:
            return None, {}
        for verb in ElementTree.fromstring(answer):
            if verb.tag == "Say":
                call.said.append(verb.text or "")
            elif verb.tag == "Gather":
                spoken = [each.text or "" for each in verb.iter("Say")]
                call.said.extend(spoken)
                call.asking = True
                self.watch_calls(call)
                key = await listen(float(verb.get("timeout") or 5) + READS * sum(map(len, spoken)))
                call.asking = False
                if key is not None:
                    call.pressed.append(key)
                    return urljoin(url, verb.get("action") or ""), {"Digits": key}
            elif verb.tag == "Redirect":
                return urljoin(url, verb.text or ""), {}
            elif verb.tag == "Hangup":
                call.hung_up = True
                return None, {}
        call.hung_up = True
        return None, {}

    async def _post(self, call: TwilioCall, url: str, params: dict[str, str]) -> str | None:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        known = {
            "CallSid": call.sid,
            "AccountSid": self._account,
            "From": call.from_,
            "To": call.to,
            "Direction": "outbound-api",
        }
        try:
            answer = await self.call(path, known | params)
        except (aiohttp.ClientError, TimeoutError):
            return None  # the bot is not there: Twilio hangs up
        return answer.body if answer.status == 200 else None

    # --- the REST API

    async def _call(self, request: web.Request) -> web.Response:
        if refusal := self._turned_away(request):
            return refusal
        self.call_requests += 1
        fields = {name: str(value) for name, value in (await request.post()).items()}
        fault = self.call_faults.take()
        if fault is not None and fault.status is not None:
            return _error(fault.code or fault.status, status=fault.status, fault=fault)
        if not _NUMBER.fullmatch(fields.get("To", "")):
            return _error(21211, to=fields.get("To", ""))
        call = TwilioCall(
            self._sid("CA"),
            fields["To"],
            fields.get("From", ""),
            fields.get("Url", ""),
            fields.get("StatusCallback", ""),
            at=self._now(),
        )
        if fault is None or fault.accepted:
            self.calls.append(call)
            expected = self.behaviours.get(call.to)
            if self.by_hand and not expected and call.to not in self.usually:
                call.talk = self._start(self._ring_by_hand(call))
            else:
                self._start(self.ring(call, expected.popleft() if expected else self.usually.get(call.to, NO_ANSWER)))
        if fault is not None:
            if fault.held:
                await self.call_faults.hold()
            return drop_connection(request)
        return web.json_response(self._call_shape(call), status=201)

    def _call_shape(self, call: TwilioCall) -> dict[str, Any]:
        return {
            "sid": call.sid, "account_sid": self._account, "to": call.to, "from": call.from_, "status": "queued",
            "direction": "outbound-api", "api_version": "2010-04-01",
            "uri": f"/2010-04-01/Accounts/{self._account}/Calls/{call.sid}.json",
        }  # fmt: skip
