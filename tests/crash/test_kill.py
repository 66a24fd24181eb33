"""What survives: the real program, killed with SIGKILL at random moments while messages arrive, and started again."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import unused_port

from bot.dev.standins.twilio import TwilioStandIn
from bot.wallclock import SystemClock
from tests.e2e.conftest import settings_for

PHONES = [f"+4477009001{number:02}" for number in range(12)]
WORDS = (
    "hello", "my kitchen tap is dripping", "14 High Street, Duns TD11 3AU", "Sam Taylor", "mornings", "1", "thanks",
    "can you call me back", "when is someone coming", "i want to complain nobody came", "what are your opening hours",
)  # fmt: skip
KILLS = 6


@asynccontextmanager
async def program(environment: dict[str, str], port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program, once it is ready to take messages."""
    command = (sys.executable, "-m", "bot", "serve", "--port", str(port))
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await until_ready(process, port)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_ready(process: asyncio.subprocess.Process, port: int, *, idle: bool = False) -> None:
    ended = asyncio.ensure_future(process.wait())
    async with asyncio.timeout(60), aiohttp.ClientSession() as http:
        while True:
            assert process.returncode is None, "the program ended by itself"
            try:
                async with http.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    body = await answer.json()
                    if answer.status == 200 and not (idle and body["backlog"]):
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.wait({ended}, timeout=0.05)


@pytest.mark.crash
@pytest.mark.usefixtures("trained")
async def test_killed_at_random_every_accepted_message_is_answered_once_and_in_order(tmp_path: Path) -> None:
    chance = random.Random(20261123)
    port = unused_port()
    base = f"http://127.0.0.1:{port}"
    plain = settings_for(tmp_path, base, "http://127.0.0.1:9", "http://127.0.0.1:9")
    twilio = TwilioStandIn(plain, SystemClock().now)
    url = await twilio.start()
    database = tmp_path / "doorstep.db"
    environment = {
        "DOORSTEP_DATABASE_URL": f"sqlite:///{database}", "DOORSTEP_PUBLIC_URL": base, "DOORSTEP_SECRET_KEY": "k" * 40,
        "DOORSTEP_TWILIO_ACCOUNT_SID": plain.twilio_account_sid or "", "DOORSTEP_TWILIO_AUTH_TOKEN": "a token for tests",
        "DOORSTEP_TWILIO_FROM": plain.twilio_from or "", "DOORSTEP_TWILIO_API_URL": url, "DOORSTEP_LOG": "error",
    }  # fmt: skip
    migrate = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "migrate", env=os.environ | environment, stdout=asyncio.subprocess.DEVNULL
    )
    assert await migrate.wait() == 0

    accepted: dict[str, list[str]] = defaultdict(list)

    async def phone(number: str, stop: asyncio.Event) -> None:
        """Texts on and on; like Twilio, hands a message over again until it has been answered with 200."""
        while not stop.is_set():
            words = chance.choice(WORDS)
            sid: str | None = None
            while not stop.is_set():
                sid = sid or f"SM{chance.getrandbits(128):032x}"
                try:
                    answer = await twilio.text_in(number, words, sid=sid)
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.wait({asyncio.ensure_future(stop.wait())}, timeout=0.05)
                    continue
                if answer.status == 200:
                    accepted[number].append(sid)
                    break

    for round_number in range(KILLS):
        async with program(environment, port) as process:
            stop = asyncio.Event()
            phones = [asyncio.create_task(phone(number, stop)) for number in PHONES]
            moment = chance.uniform(0.3, 1.2)
            await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=moment)
            process.send_signal(signal.SIGKILL)
            await process.wait()
            stop.set()
            await asyncio.gather(*phones)
        assert any(accepted.values()), f"nothing was accepted in round {round_number}"
    async with program(environment, port) as process:
        await until_ready(process, port, idle=True)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0

    with sqlite3.connect(database) as rows:
        assert rows.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert rows.execute("PRAGMA foreign_key_check").fetchall() == []
        for number in PHONES:
            stored = [sid for (sid,) in rows.execute(
                "SELECT provider_id FROM message WHERE address = ? AND direction = 'in' ORDER BY seq", (number,)
            )]  # fmt: skip
            # What was accepted is there, once each, in the order it was sent. One more may be: stored, but the kill came
            # before Twilio heard so.
            assert len(stored) == len(set(stored))
            assert [sid for sid in stored if sid in set(accepted[number])] == accepted[number]
            turns = rows.execute(
                "SELECT direction, state, text FROM message WHERE address = ? ORDER BY seq", (number,)
            ).fetchall()
            assert {state for direction, state, _ in turns if direction == "out"} <= {"sent", "delivered"}
            assert turns[-1][0] == "out", "the last thing a tenant said was answered"
            answered = all(after == "out" for (before, _, _), (after, _, _) in pairwise(turns) if before == "in")
            assert answered, "every message was answered before the next was read"
            said = [text for direction, _, text in turns if direction == "out"]
            assert [each.body for each in twilio.sent_to(number)] == said, "sent in order, none lost, none twice"
    await twilio.close()
