from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.console.house import Browser, House, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def ama(house: House) -> Browser:
    """An officer who is signed in."""
    return await house.sign_in("Ama Mensah", house.client)
