"""What a test needs beyond Python it finds by itself; what is not there is skipped, and said at the end of the run.

`DOORSTEP_REQUIRE=postgres,browser` (set by `.ci/run`) turns a missing one into a failure.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_REQUIRED = {name.strip() for name in os.environ.get("DOORSTEP_REQUIRE", "").split(",") if name.strip()}
_NEEDS = {
    "postgres": "PostgreSQL's server programs (on Debian or Ubuntu: apt install postgresql)",
    "browser": "Chromium (on Debian or Ubuntu: apt install chromium)",
}


def postgres_programs() -> Path | None:
    """Where initdb and postgres are."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


def chromium_program() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def _is_there(need: str) -> bool:
    return (postgres_programs() if need == "postgres" else chromium_program()) is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    for need in _NEEDS:
        if item.get_closest_marker(need) is None or _is_there(need):
            continue
        if need in _REQUIRED:
            pytest.fail(f"DOORSTEP_REQUIRE names {need}, but {_NEEDS[need]} cannot be found", pytrace=False)
        pytest.skip(f"needs {_NEEDS[need]}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each suite that did not run, from the reports (which also come from other processes, with pytest-xdist)."""
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ()) if report.longrepr]
    for need, program in _NEEDS.items():
        if count := sum(program in reason for reason in reasons):
            terminalreporter.write_line(f"Not run: {count} tests of the suite '{need}', which needs {program}.")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of our own on a free port, for the run: its URL without a database name."""
    programs = postgres_programs()
    assert programs is not None
    with tempfile.TemporaryDirectory(prefix="doorstep-pg-") as folder:
        data = Path(folder) / "data"
        as_user: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(folder, "postgres", "postgres")
            as_user = ["runuser", "-u", "postgres", "--"]
        run = [*as_user, str(programs / "initdb"), "-D", str(data), "-U", "doorstep", "-A", "trust", "-E", "UTF8", "-N"]
        subprocess.run(run, check=True, capture_output=True, cwd=folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        control = [*as_user, str(programs / "pg_ctl"), "-D", str(data), "-w", "-s"]
        subprocess.run([*control, "-o", options, "-l", f"{folder}/log", "start"], check=True, cwd=folder)
        try:
            yield f"postgresql://doorstep@127.0.0.1:{port}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, cwd=folder)


@pytest.fixture(scope="session")
def trained() -> None:
    """The classifier of today's examples (quick when `make setup` has built it)."""
    subprocess.run([sys.executable, "-m", "bot", "train"], check=True, capture_output=True)
