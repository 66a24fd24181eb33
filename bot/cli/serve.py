"""`doorstep serve` and `doorstep migrate`."""

import argparse
import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from rich.console import Console as Screen
from rich.panel import Panel

from bot import settings as settings_module
from bot.bootstrap import DATA, Doorstep, assemble
from bot.cli import logs
from bot.desk.staff import first_administrator
from bot.dev.simulator import simulator
from bot.settings import Settings
from bot.store import open_store, schema
from bot.wallclock import SystemClock

_SHUTDOWN: Final = 10.0
"""Seconds that requests under way get to finish."""


def add_parser(subparsers: Any) -> None:
    serve = subparsers.add_parser("serve", help="run the product", description="Run the product.")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=8080, help="port to listen on (default: %(default)s)")
    serve.add_argument(
        "--role", choices=("all", "web", "worker"), default="all",
        help="web: serve people and providers; worker: look for what is due; all: both (default)",
    )  # fmt: skip
    serve.set_defaults(run=run_serve)
    migrate = subparsers.add_parser("migrate", help="bring the database to the newest schema")
    migrate.set_defaults(run=run_migrate)


def run_migrate(_args: argparse.Namespace) -> int:
    store = open_store(settings_module.load().database_url)
    try:
        print(f"The database has schema {schema.migrate(store)}.")
    finally:
        store.close_now()
    return 0


def run_serve(args: argparse.Namespace) -> int:
    settings = settings_module.load()
    logs.set_up(settings.log)
    if settings.dev:
        settings = _for_development(settings, args)
    with asyncio.Runner(loop_factory=_event_loop) as runner:
        return runner.run(_serve(settings, args))


async def _serve(settings: Settings, args: argparse.Namespace) -> int:
    async with AsyncExitStack() as stack:
        phones = await stack.enter_async_context(simulator(settings, SystemClock())) if settings.dev else None
        if phones is not None:
            settings = phones.settings
        doorstep = assemble(settings, SystemClock())
        if phones is not None:
            doorstep.extra_routes += phones.routes
        app = doorstep.application(public=args.role != "worker", work=args.role != "web")
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, args.host, args.port).start()
        await _greet(doorstep, args)
        await _until_told_to_stop()
    return 0


async def _until_told_to_stop() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


async def _greet(doorstep: Doorstep, args: argparse.Namespace) -> None:
    """Say where to go, and let the first administrator in."""
    base = doorstep.settings.public_url or f"http://{args.host}:{args.port}"
    now = doorstep.wall_clock.now()
    link = await doorstep.store.run(
        lambda session: first_administrator(session, doorstep.office, now=now, base_url=base)
    )
    lines = [f"{doorstep.office.policy.service_name} is open.", "", f"Web chat         {base}/chat"]
    if doorstep.settings.dev:
        lines.append(f"Phone simulator  {base}/dev/phone")
    lines.append(f"Staff console    {base}/staff")
    if link is not None:
        lines += ["", "Sign in for the first time (this link works once):", link]
    screen = Screen(soft_wrap=True)
    screen.print(
        Panel.fit("\n".join(lines), title="Doorstep", padding=(1, 3)) if screen.is_terminal else "\n".join(lines)
    )


def _for_development(settings: Settings, args: argparse.Namespace) -> Settings:
    """Fill in what a newcomer has no account for: an address on this machine, and a secret kept beside the database."""
    found: dict[str, object] = {}
    if settings.public_url is None:
        found["public_url"] = f"http://{args.host}:{args.port}"
    if settings.secret_key is None:
        found["secret_key"] = _kept_secret(DATA / "development-secret")
    values = settings.model_dump(exclude_none=True) | found
    return Settings.model_validate(values)


def _kept_secret(path: Path) -> str:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(SystemClock().token(32), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


def _event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)
