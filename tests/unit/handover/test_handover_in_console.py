"""What staff see of an emergency in the console, and what they can do about it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.console.house import Browser, House, open_house

from bot.store.tables import Handover


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


async def emergency(house: House) -> tuple[Browser, str, str]:
    """Somebody signed in who looks at an emergency: their browser, the conversation's page and the case's address."""
    talk = (await house.tenant_says("i smell gas")).conversation_id
    ama = Browser(house.client)
    await ama.welcome(await house.hire())
    await ama.get(f"/staff/conversations/{talk}")
    found = re.search(r"/staff/cases/\w+", ama.page)
    assert found is not None
    return ama, talk, found[0]


async def state(house: House) -> list[str]:
    return [each.state for each in await house.rows(Handover)]


async def test_an_emergency_shows_that_nobody_has_it_until_somebody_takes_it(house: House) -> None:
    ama, talk, case = await emergency(house)
    assert "Nobody has taken it yet" in ama.page
    await ama.post(f"{case}/take", conversation=talk)
    assert await state(house) == ["taken"]
    assert "Taken</b>: Ama Mensah" in ama.page


async def test_taking_the_conversation_over_takes_its_emergency(house: House) -> None:
    ama, talk, _ = await emergency(house)
    await ama.post(f"/staff/conversations/{talk}/take-over", holder=ama.field("holder"))
    assert await state(house) == ["taken"]


async def test_calling_off_without_a_reason_is_refused(house: House) -> None:
    ama, talk, case = await emergency(house)
    await ama.post(f"{case}/stand-down", conversation=talk, reason=" ")
    assert ama.status == 409
    assert await state(house) == ["waiting"]
    await ama.post(f"{case}/stand-down", conversation=talk, reason="It was the neighbour's barbecue.")
    assert await state(house) == ["stood_down"]
    assert "barbecue" in (await house.transcript(talk))[-1].text


async def test_who_came_is_recorded_and_a_manager_can_be_asked(house: House) -> None:
    ama, talk, case = await emergency(house)
    await ama.post(f"{case}/take", conversation=talk)
    await ama.post(f"{case}/authority", conversation=talk, question="May we pay for a hotel?")
    assert "May we pay for a hotel?" in ama.page
    await ama.post(f"{case}/report", conversation=talk, does="attended")
    assert "Somebody was there" in ama.page


async def test_an_auditor_reads_and_takes_nothing(house: House) -> None:
    talk = (await house.tenant_says("i smell gas")).conversation_id
    auditor = await house.sign_in("Ben Okoro", house.guest(), role="auditor")
    await auditor.get(f"/staff/conversations/{talk}")
    assert "Nobody has taken it yet" in auditor.page
    assert "I take it" not in auditor.page
