"""`make bench`: the whole pipeline through the SMS webhook, beside the bare floor, in the same run."""

import argparse
import asyncio
import contextlib
import os
import socket
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web
from rich.console import Console
from rich.table import Table

from bench.load import ACCOUNT, SENDER, TOKEN, CpuClock, Provider, Result, run

HERE = Path(__file__).parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def server(
    command: list[str], port: int, environment: dict[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server process of its own, answering before it is measured and gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environment, cwd=HERE, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with aiohttp.ClientSession() as http:
            for _ in range(600):
                if process.returncode is not None:
                    raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get(f"http://127.0.0.1:{port}/healthz") as answer:
                        if answer.status == 200:
                            break
                await asyncio.sleep(0.05)
        yield process
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def measure(what: str, args: argparse.Namespace, provider: Provider, api: str, prefix: str) -> Result:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="doorstep-bench-") as folder:
        if what == "floor":
            command = [sys.executable, "-m", "bench.floor", "--port", str(port), "--database", f"{folder}/floor.db"]
            command += ["--public", base, "--api", api, "--account", ACCOUNT, "--token", TOKEN, "--sender", SENDER]
            environment: dict[str, str] = {}
        else:
            command = [sys.executable, "-m", "bot", "serve", "--port", str(port)]
            environment = {
                "DOORSTEP_DATABASE_URL": f"sqlite:///{folder}/doorstep.db", "DOORSTEP_PUBLIC_URL": base,
                "DOORSTEP_SECRET_KEY": "x" * 40, "DOORSTEP_TWILIO_ACCOUNT_SID": ACCOUNT, "DOORSTEP_LOG": "warning",
                "DOORSTEP_TWILIO_AUTH_TOKEN": TOKEN, "DOORSTEP_TWILIO_FROM": SENDER, "DOORSTEP_TWILIO_API_URL": api,
            }  # fmt: skip
            migrate = [sys.executable, "-m", "bot", "migrate"]
            step = await asyncio.create_subprocess_exec(
                *migrate, env=os.environ | environment, cwd=HERE, stdout=asyncio.subprocess.DEVNULL
            )
            if await step.wait() != 0:
                raise SystemExit("the database could not be prepared")
        async with server(command, port, environment) as process:
            cpu = CpuClock(process.pid)
            await run(base, provider, phones=args.phones, conversations=args.phones, cpu=cpu, prefix=f"{prefix}0")
            return await run(
                base, provider, phones=args.phones, conversations=args.conversations, cpu=cpu, prefix=f"{prefix}1"
            )


async def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the pipeline beside its floor.")
    parser.add_argument("--rounds", type=int, default=3, help="how often both are measured, in turn")
    parser.add_argument("--phones", type=int, default=32, help="phones that text at the same time")
    parser.add_argument("--conversations", type=int, default=250, help="conversations of eight messages each")
    args = parser.parse_args()
    provider = Provider()
    runner = web.AppRunner(provider.app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    api = f"http://127.0.0.1:{port}"
    found: dict[str, list[Result]] = {"floor": [], "doorstep": []}
    for number in range(args.rounds):
        for what, results in found.items():
            results.append(await measure(what, args, provider, api, str(number)))
    await runner.cleanup()
    Console().print(table(found, args))


def table(found: dict[str, list[Result]], args: argparse.Namespace) -> Table:
    shown = Table(title=f"{args.phones} phones at once, {args.rounds} rounds, medians")
    for heading in ("", "floor", "doorstep", "ratio"):
        shown.add_column(heading, justify="left" if not heading else "right")

    def median(what: str, figure: str) -> float:
        figures = {
            "rate": lambda r: r.per_second, "cpu": lambda r: r.cpu_per_message * 1000,
            "p50": lambda r: r.latency(0.5) * 1000, "p95": lambda r: r.latency(0.95) * 1000,
        }  # fmt: skip
        return statistics.median(figures[figure](result) for result in found[what])

    for figure, label in (
        ("rate", "messages a second"), ("cpu", "CPU ms a message"), ("p50", "reply ms, median"), ("p95", "reply ms, 95 %"),
    ):  # fmt: skip
        floor, doorstep = median("floor", figure), median("doorstep", figure)
        ratio = floor / doorstep if figure == "rate" else doorstep / floor
        shown.add_row(label, f"{floor:.2f}", f"{doorstep:.2f}", f"{ratio:.2f}x")
    return shown


if __name__ == "__main__":
    asyncio.run(main())
