"""The house, on SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.store import Store, open_store, schema
from tests.unit.promises.house import House


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/doorstep.db")
    schema.migrate(opened)
    yield opened
    opened.close_now()


@pytest.fixture
def house(store: Store) -> House:
    return House(store)
