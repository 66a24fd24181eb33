"""The program killed while an emergency is handed over: before an alert is sent, while its outcome is unknown, after it was
taken. What nobody has taken climbs on; what was taken rings nobody again."""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port

from bot.dev.standins import Fault
from bot.dev.standins.twilio_voice import RINGING, TwilioVoiceStandIn, person
from bot.wallclock import SystemClock
from tests.crash.test_kill import program
from tests.e2e.conftest import settings_for

TENANT, LINE, LINE_TEXT = "+447700900123", "+448006528104", "+447700900801"
FLOOD = "water is pouring through my ceiling and I cannot stop it"


class Association:
    """One installation that can be started and killed; its office is never open, so the 24-hour line is always first."""

    def __init__(self, folder: Path) -> None:
        self.port = unused_port()
        base = f"http://127.0.0.1:{self.port}"
        shipped = (Path(__file__).parents[2] / "bot/sla/policies/berwickshire.toml").read_text(encoding="utf-8")
        before, _, rest = shipped.partition("[on_call]\n")
        policy = folder / "policy.toml"
        policy.write_text(
            f'{before}[on_call]\nrungs = [{{ name = "24-hour line", until_minutes = 1 }}]\n{rest[rest.index("routes = ") :]}',
            encoding="utf-8",
        )
        self.plain = settings_for(folder, base, "http://127.0.0.1:9", "http://127.0.0.1:9")
        self.twilio = TwilioVoiceStandIn(self.plain, SystemClock().now)
        self.database = folder / "doorstep.db"
        self.environment = {
            "DOORSTEP_POLICY": str(policy), "DOORSTEP_DATABASE_URL": f"sqlite:///{self.database}",
            "DOORSTEP_PUBLIC_URL": base, "DOORSTEP_SECRET_KEY": "k" * 40,
            "DOORSTEP_TWILIO_ACCOUNT_SID": self.plain.twilio_account_sid or "",
            "DOORSTEP_TWILIO_AUTH_TOKEN": "a token for tests", "DOORSTEP_TWILIO_FROM": self.plain.twilio_from or "",
            "DOORSTEP_EMERGENCY_LINE_CALL": LINE, "DOORSTEP_EMERGENCY_LINE_TEXT": LINE_TEXT, "DOORSTEP_LOG": "error",
        }  # fmt: skip

    async def prepare(self) -> None:
        self.environment["DOORSTEP_TWILIO_API_URL"] = await self.twilio.start()
        migrate = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "migrate", env=os.environ | self.environment, stdout=asyncio.subprocess.DEVNULL
        )
        assert await migrate.wait() == 0

    def ask(self, question: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.database)) as rows:
            return rows.execute(question).fetchall()

    def hurry(self) -> None:
        """In the office's hours the console is asked first: end its turn, as five minutes would."""
        with closing(sqlite3.connect(self.database, timeout=20)) as rows, rows:
            rows.execute("UPDATE handover SET next_at = started_at, rung_until = started_at WHERE rung = -1")

    async def until(self, question: str, *, within: float = 30.0) -> None:
        async with asyncio.timeout(within):
            while not self.ask(question):
                await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=0.05)


async def kill(process: asyncio.subprocess.Process) -> None:
    process.send_signal(signal.SIGKILL)
    await process.wait()


@pytest.mark.crash
@pytest.mark.usefixtures("trained")
async def test_killed_at_each_boundary_what_is_not_taken_climbs_and_what_is_taken_rings_nobody(tmp_path: Path) -> None:
    home = Association(tmp_path)
    await home.prepare()

    # Killed while the alert is on its way: the line may or may not have been rung.
    home.twilio.call_faults.add(Fault.hold(accepted=False))
    async with program(home.environment, home.port) as process:
        assert (await home.twilio.text_in(TENANT, FLOOD)).status == 200
        home.hurry()
        await asyncio.wait_for(home.twilio.call_faults.until_held(), 30)
        assert home.ask("SELECT state FROM handover_attempt WHERE route = 'call'") == [("sending",)]
        await kill(process)
    home.twilio.call_faults.release()
    assert home.ask("SELECT state FROM handover") == [("waiting",)]

    # Started again, the same route is tried again at once; killed while it rings.
    home.twilio.expect(LINE, RINGING)
    async with program(home.environment, home.port) as process:
        await home.until("SELECT 1 FROM handover_attempt WHERE route = 'call' AND state = 'sent'")
        assert home.ask("SELECT state FROM handover_attempt WHERE route = 'call' ORDER BY n")[0] == ("unknown",)
        await kill(process)

    # The key pressed while the program is down is lost; pressed again, it is heard, and survives the next kill.
    (call,) = home.twilio.calls_to(LINE)
    await home.twilio.converse(call, ["1"])
    assert home.ask("SELECT state FROM handover") == [("waiting",)]
    async with program(home.environment, home.port) as process:
        await home.twilio.converse(call, ["1"])
        assert home.ask("SELECT state, how FROM handover") == [("taken", "call")]
        await kill(process)

    # Nobody is rung any more, the taker gets the codes and the tenant the news, once each.
    rung = len(home.twilio.calls)
    async with program(home.environment, home.port):
        await home.until("SELECT 1 FROM handover_attempt WHERE purpose = 'confirm' AND state = 'sent'")
        await home.until("SELECT 1 FROM message WHERE kind = 'handover' AND state = 'sent'")
        await asyncio.wait({asyncio.ensure_future(asyncio.Event().wait())}, timeout=3)
    assert len(home.twilio.calls) == rung
    assert home.ask("SELECT COUNT(*) FROM handover_attempt WHERE purpose = 'confirm'") == [(1,)]
    assert sum("has your emergency now" in each.body for each in home.twilio.sent_to(TENANT)) == 1
    await home.twilio.close()


@pytest.mark.crash
@pytest.mark.usefixtures("trained")
async def test_killed_again_and_again_an_emergency_is_handed_over_all_the_same(tmp_path: Path) -> None:
    home = Association(tmp_path)
    await home.prepare()
    async with program(home.environment, home.port) as process:
        assert (await home.twilio.text_in(TENANT, FLOOD)).status == 200
        home.hurry()
        await kill(process)
    for moment in (0.0, 0.2, 0.5, 0.9):
        async with program(home.environment, home.port) as process:
            await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=moment)
            await kill(process)
    home.twilio.usually[LINE] = person("1")
    async with program(home.environment, home.port):
        await home.until("SELECT 1 FROM handover WHERE state = 'taken'", within=60)
        await home.twilio.hung_up()
    assert home.ask("PRAGMA integrity_check") == [("ok",)]
    await home.twilio.close()
