import subprocess
import sys

import pytest

from bot.bootstrap import Knowledge, load_knowledge


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """Loaded once, with the classifier of today's examples (quick when `make setup` has built it)."""
    subprocess.run([sys.executable, "-m", "bot", "train"], check=True, capture_output=True)
    return load_knowledge()
