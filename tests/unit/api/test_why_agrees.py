"""One date, one explanation: the command line, the console, the API and the evidence of a case say the same."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry
from sqlmodel import Session, select
from unit.console.house import Case, House, open_house

from bot.api import Api
from bot.cli import main
from bot.desk import case as cases
from bot.desk import token as tokens
from bot.desk import update
from bot.desk.choice import Choice, choose_later
from bot.messages import OpenCase
from bot.reports import evidence_pack
from bot.store import conversations
from bot.store.tables import Clock, Staff
from bot.web import application


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


async def opened(house: House, conversation_id: str, kind: str, category: str) -> Case:
    now = house.clock.now()

    def work(session: Session) -> Case:
        talk = conversations.load(session, conversation_id)
        assert talk is not None
        asked = OpenCase(kind, category, "their words", "what it is about")
        case = cases.open_case(session, house.office, talk, asked, received_at=now, now=now)
        conversations.save(session, talk)
        return case

    return await house.store.run(work)


async def clock_of(house: House, case: Case, commitment: str) -> Clock:
    wanted = select(Clock).where(Clock.case_id == case.id, Clock.commitment == commitment)
    return await house.store.read(lambda session: session.exec(wanted).one())


async def in_the_api(house: House, reference: str) -> tuple[list[list[str]], list[list[str]], dict]:
    """Why each date is what it is, by both addresses that tell it; and the second answer whole."""
    now = house.clock.now()
    _, shown = await house.store.run(
        lambda s: tokens.add(s, house.office, reference, ["read:cases"], now=now, actor="test")
    )

    async def ready() -> dict[str, bool]:
        return {"database": True}

    routes = Api(house.store, house.office, house.clock, per_minute=100).routes()
    headers = {"Authorization": f"Bearer {shown}"}
    async with TestClient(TestServer(application(routes, ready=ready, figures=CollectorRegistry()))) as client:
        whole = await (await client.get(f"/api/v1/cases/{reference}", headers=headers)).json()
        reasons = await (await client.get(f"/api/v1/cases/{reference}/why", headers=headers)).json()
    return [each["why"] for each in whole["clocks"]], [each["why"] for each in reasons["promises"]], reasons


async def test_the_command_line_the_console_the_api_and_the_pack_give_the_same_explanation(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ann = await house.sign_in("Ann Example", house.client, role="manager")
    talk = (await house.tenant_says("hello")).conversation_id
    case = await opened(house, talk, "service_request", "home_visit")
    complaint = await opened(house, talk, "complaint", "general")
    manager: Staff = await house.staff("ann@example.org")
    visit, decision = await clock_of(house, case, "home_visit"), await clock_of(house, complaint, "complaint_decision")
    house.clock.advance(timedelta(hours=1))
    now = house.clock.now()

    def work(session: Session) -> None:
        choice = Choice(date(2026, 11, 26), date(2026, 12, 9), "Away <until> the 8th", "phone")
        choose_later(session, house.office, session.get_one(Clock, visit.id), choice, manager, now=now)
        update.extend(session, house.office, decision.id, "A witness & a letter", manager, now=now)

    await house.store.run(work)
    monkeypatch.setenv("DOORSTEP_DATABASE_URL", f"sqlite:///{tmp_path}/doorstep.db")
    monkeypatch.setenv("DOORSTEP_DEV", "1")
    for each in (case, complaint):
        assert await asyncio.to_thread(main, ["why", each.reference, "--json"]) == 0
        printed = json.loads(capsys.readouterr().out)
        in_api, in_why, answer = await in_the_api(house, each.reference)
        page = await ann.get(f"/staff/conversations/{talk}")
        shown = [
            [unescape(step) for step in re.findall(r"<li>(.*?)</li>", steps, re.DOTALL)]
            for steps in re.findall(r"<ol[^>]*>(.*?)</ol>", page, re.DOTALL)
        ]
        pack = await house.store.read(lambda s, ref=each.reference: evidence_pack(s, house.office, ref, now=now))
        packed = [
            [unescape(step) for step in re.findall(r"<li>(.*?)</li>", steps, re.DOTALL)]
            for steps in re.findall(r"<th>Why this date</th><td><ol>(.*?)</ol>", pack, re.DOTALL)
        ]
        told = [promise["why"] for promise in printed["promises"]]
        assert len(told) >= 3
        assert answer == printed
        assert told == in_why == in_api == packed
        assert all(steps in shown for steps in told)
        said = " ".join(step for steps in told for step in steps)
        assert ("instead, on the phone: Away <until> the 8th." in said) is (each is case)
        assert ("it was extended: A witness & a letter." in said) is (each is complaint)
