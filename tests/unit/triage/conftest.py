from pathlib import Path

import pytest

from bot.triage import Triage, load_triage

NLU_DATA = Path(__file__).parents[3] / "nlu_data"


@pytest.fixture(scope="session")
def nlu_data() -> Path:
    return NLU_DATA


@pytest.fixture(scope="session")
def triage(nlu_data: Path) -> Triage:
    return load_triage(nlu_data)
