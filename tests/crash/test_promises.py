"""The real program, killed with SIGKILL while it catches up on updates that fell due while it was off."""

import asyncio
import random
import re
import signal
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp.test_utils import unused_port
from sqlmodel import Session

from bot.desk import case as cases
from bot.desk import conversation as desk
from bot.dev.standins.twilio import TwilioStandIn
from bot.messages import OpenCase
from bot.sla import load_policy
from bot.store import Store, conversations, open_store, schema
from bot.wallclock import SystemClock
from tests.crash.test_kill import program, until_ready
from tests.e2e.conftest import settings_for
from tests.unit.promises.house import House

PHONES = [f"+4477009005{number:02}" for number in range(90)]
KILLS = 3


def wakeful_policy(folder: Path) -> Path:
    """Berwickshire's policy without quiet hours: the test may run at night."""
    shipped = Path(__file__).parents[2] / "bot" / "sla" / "policies" / "berwickshire.toml"
    text = re.sub(r"\[quiet_hours\]\n(?:\w+ = .*\n)+", "", shipped.read_text(encoding="utf-8"))
    path = folder / "wakeful.toml"
    path.write_text(text, encoding="utf-8")
    return path


async def report_repairs(store: Store, policy: Path) -> None:
    """Each phone reported a repair nine days ago, and was acknowledged; then the machine was off."""
    house = House(store, load_policy(str(policy)), start=SystemClock().now() - timedelta(days=9))
    for phone in PHONES:

        def work(session: Session, phone: str = phone) -> None:
            talk, _ = desk.find_or_start(session, house.office, "sms", phone, now=house.now)
            asked = OpenCase("repair", "dripping_tap", "the tap drips", "Dripping tap")
            cases.open_case(session, house.office, talk, asked, received_at=house.now, now=house.now)
            conversations.save(session, talk)

        await store.run(work)

    def acknowledged(session: Session) -> None:
        rows = session.connection()
        rows.exec_driver_sql("UPDATE message SET state = 'delivered', due_at = NULL, provider_id = 'SM' || id")
        rows.exec_driver_sql("UPDATE clock SET state = 'met', act_at = NULL WHERE commitment = 'text_response'")

    await store.run(acknowledged)


@pytest.mark.crash
@pytest.mark.usefixtures("trained")
async def test_killed_while_catching_up_every_tenant_gets_one_update(tmp_path: Path) -> None:
    chance = random.Random(20261201)
    port = unused_port()
    base = f"http://127.0.0.1:{port}"
    plain = settings_for(tmp_path, base, "http://127.0.0.1:9", "http://127.0.0.1:9")
    twilio = TwilioStandIn(plain, SystemClock().now)
    policy, database = wakeful_policy(tmp_path), tmp_path / "doorstep.db"
    environment = {
        "DOORSTEP_DATABASE_URL": f"sqlite:///{database}", "DOORSTEP_PUBLIC_URL": base, "DOORSTEP_SECRET_KEY": "k" * 40,
        "DOORSTEP_TWILIO_ACCOUNT_SID": plain.twilio_account_sid or "", "DOORSTEP_TWILIO_AUTH_TOKEN": "a token for tests",
        "DOORSTEP_TWILIO_FROM": plain.twilio_from or "", "DOORSTEP_TWILIO_API_URL": await twilio.start(),
        "DOORSTEP_LOG": "error", "DOORSTEP_POLICY": str(policy),
    }  # fmt: skip
    store = open_store(f"sqlite:///{database}")
    schema.migrate(store)
    await report_repairs(store, policy)
    await store.close()

    def sent() -> int:
        return sum(len(twilio.sent_to(phone)) for phone in PHONES)

    for _ in range(KILLS):
        async with program(environment, port) as process:
            over = asyncio.ensure_future(process.wait())
            enough = sent() + chance.randint(1, 12)
            async with asyncio.timeout(90):
                while sent() < enough:
                    done, _ = await asyncio.wait({over}, timeout=0.02)
                    assert not done, "the program ended by itself"
            process.send_signal(signal.SIGKILL)
            await over
        assert sent() < len(PHONES), "the kill came too late"
    async with program(environment, port) as process:
        over = asyncio.ensure_future(process.wait())
        async with asyncio.timeout(90):
            while sent() < len(PHONES):
                done, _ = await asyncio.wait({over}, timeout=0.1)
                assert not done, "the program ended by itself"
        await until_ready(process, port, idle=True)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0

    with sqlite3.connect(database) as rows:
        for phone in PHONES:
            written = rows.execute(
                "SELECT state FROM message WHERE address = ? AND kind IN ('update', 'apology')", (phone,)
            ).fetchall()
            assert len(written) == 1, f"{phone}: {written}"
            assert written[0][0] in {"sent", "delivered"}
            assert len(twilio.sent_to(phone)) == 1
        running = rows.execute(
            "SELECT case_id, count(*) FROM clock WHERE commitment = 'progress_update' AND state = 'running' GROUP BY case_id"
        ).fetchall()
        assert len(running) == len(PHONES)
        assert {count for _, count in running} == {1}
    await twilio.close()
