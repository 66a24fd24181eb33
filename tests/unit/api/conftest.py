from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.api.house import House, Receiver, open_house, open_receiver


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with open_receiver() as opened:
        yield opened
