"""The load: phones that text and wait for their answer, and the provider that takes the answers.

Each phone holds a conversation from greeting to acknowledgement, in the words of a tenant, then starts the next as another
phone. A phone texts again once it has been answered. Reply latency is from posting the webhook to the first answer that
reaches the provider.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from aiohttp import web
from twilio.request_validator import RequestValidator

ACCOUNT: Final = "AC" + "0" * 32
TOKEN: Final = "the bench's own token"
SENDER: Final = "+447700900000"

_STREETS: Final = (
    "High Street",
    "Station Road",
    "Castle Street",
    "Trinity Park",
    "Boston Court",
    "Langtongate",
    "Todlaw Road",
)
_FIRST: Final = ("Sam", "Ailsa", "Mohammed", "Jean", "Kirsty", "Piotr", "Agnes", "Callum", "Rhona", "Derek", "Isla")
_LAST: Final = (
    "Taylor",
    "Robertson",
    "Khan",
    "Nowak",
    "Dodds",
    "Purves",
    "Elliot",
    "Hume",
    "Renton",
    "Swan",
    "Blaikie",
    "Lamb",
    "Fairbairn",
)
_DAYS: Final = ("mondays", "tuesdays", "wednesdays", "thursdays", "fridays")


def conversation(number: int) -> tuple[str, ...]:
    """What one tenant writes. No two write quite the same, so that nothing is saved by remembering what was read lately;
    only the shortest messages are the same from everybody, as they are in life."""

    def one_of(choices: Sequence[str], step: int = 1) -> str:
        return choices[number // step % len(choices)]

    first, days = one_of(_FIRST), number % 29 + 2
    return (
        "hi there",
        f"the {one_of(('kitchen', 'bathroom'))} tap wont stop dripping, its been {days} days now and {number % 11} buckets",
        f"{number % 187 + 1} {one_of(_STREETS)}, Duns TD11 3{one_of('ABDEFGHJ', 3)}{one_of('UXYZ', 5)}",
        f"its {first} {one_of(_LAST)}",
        f"{one_of(_DAYS)} after {number % 7 + 1} are best, not {one_of(_DAYS, 4)}",
        "1",
        f"when will someone come, its {first} with the tap, {days + number % 13} days is long",
        "thanks",
    )


@dataclass
class Result:
    """One run: how many messages, how long, how much processor time of the server, and each reply's latency in seconds."""

    messages: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds

    @property
    def cpu_per_message(self) -> float:
        return self.cpu / self.messages

    def latency(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Provider:
    """Takes texts the way Twilio's REST API does, and wakes the phone that waits for one."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Event] = {}
        self._count = 0
        self.app = web.Application()
        self.app.router.add_post("/2010-04-01/Accounts/{account}/Messages.json", self._send)

    def expect(self, phone: str) -> asyncio.Event:
        self._waiting[phone] = asyncio.Event()
        return self._waiting[phone]

    async def _send(self, request: web.Request) -> web.Response:
        fields = await request.post()
        self._count += 1
        if waiting := self._waiting.get(str(fields["To"])):
            waiting.set()
        body = {
            "sid": f"SM{self._count:032x}", "status": "queued", "to": fields["To"], "from": SENDER, "body": fields["Body"],
            "account_sid": ACCOUNT, "num_segments": "1", "direction": "outbound-api",
        }  # fmt: skip
        return web.json_response(body, status=201)


async def run(
    base: str, provider: Provider, *, phones: int, conversations: int, cpu: "CpuClock", prefix: str
) -> Result:
    """Hold `conversations` conversations, `phones` of them at a time, with the server at `base`."""
    validator = RequestValidator(TOKEN)
    result = Result()
    numbers = iter(range(conversations))
    connector = aiohttp.TCPConnector(limit=phones + 4)
    async with aiohttp.ClientSession(connector=connector) as http:

        async def phone() -> None:
            for number in numbers:
                await converse(f"+4477{prefix}{number:06}", number)

        async def converse(sender: str, number: int) -> None:
            for turn, body in enumerate(conversation(number)):
                answered = provider.expect(sender)
                params = {
                    "MessageSid": f"SM{prefix}{number:020}{turn:010}", "AccountSid": ACCOUNT, "From": sender, "To": SENDER,
                    "Body": body, "NumMedia": "0",
                }  # fmt: skip
                signature = validator.compute_signature(f"{base}/channels/sms", params)
                began = time.perf_counter()
                async with http.post(
                    f"{base}/channels/sms", data=params, headers={"X-Twilio-Signature": signature}
                ) as answer:
                    assert answer.status == 200, await answer.text()
                await asyncio.wait_for(answered.wait(), 30)
                result.latencies.append(time.perf_counter() - began)
                result.messages += 1

        before, began = cpu.read(), time.perf_counter()
        await asyncio.gather(*(phone() for _ in range(phones)))
        result.seconds = time.perf_counter() - began
        result.cpu = cpu.read() - before
    return result


class CpuClock:
    """User and system seconds that a process has used, threads included (Linux)."""

    def __init__(self, pid: int) -> None:
        self._stat = f"/proc/{pid}/stat"

    def read(self) -> float:
        with open(self._stat, encoding="ascii") as stream:
            fields: Sequence[str] = stream.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100
