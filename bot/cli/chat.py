"""`doorstep chat` and `doorstep replay`: the whole product in this terminal, on a throw-away database."""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from bot import settings as settings_module
from bot.bootstrap import Doorstep, assemble
from bot.channels.terminal import TerminalChannel
from bot.messages import ChannelName, Content, Inbound
from bot.settings import Settings, SettingsError
from bot.store import open_store, schema
from bot.wallclock import HandClock, SystemClock, WallClock

_OF_PROVIDERS: Final = ("twilio_", "telegram_", "emergency_line_", "smtp_", "rasa_")


class ReplayError(SettingsError):
    """A recording cannot be replayed: `file:line: reason`."""


def add_parser(subparsers: Any) -> None:
    chat = subparsers.add_parser("chat", help="talk to the bot in this terminal")
    chat.add_argument(
        "--channel",
        choices=("web", "sms", "telegram"),
        default="web",
        help="whose words and choices (default: %(default)s)",
    )
    chat.add_argument(
        "--database", metavar="URL", help="keep the conversation in this database (default: throw it away)"
    )
    chat.set_defaults(run=run_chat)
    replay = subparsers.add_parser(
        "replay", help="feed recorded messages through a fresh instance and print the transcript",
        description='Each line of FILE is a message: {"at": TIME, "channel": "sms", "address": "+447700900123", "text": …}.',
    )  # fmt: skip
    replay.add_argument("file", type=Path, metavar="FILE.jsonl")
    replay.set_defaults(run=run_replay)


def run_chat(args: argparse.Namespace) -> int:
    return asyncio.run(_chat(args))


def run_replay(args: argparse.Namespace) -> int:
    return asyncio.run(_replay(list(_recording(args.file))))


async def _chat(args: argparse.Namespace) -> int:
    async with _instance(SystemClock(), args.database) as doorstep:
        channel = ChannelName(args.channel)

        async def receive(inbound: Inbound) -> None:
            await doorstep.intake.receive(inbound)
            await doorstep.outbox.deliver_due()

        terminal = TerminalChannel(doorstep.wall_clock, receive, lines=sys.stdin, screen=sys.stdout, name=channel)
        doorstep.channels[channel] = terminal
        await terminal.run(asyncio.Event())
    return 0


async def _replay(recording: list[tuple[datetime, Inbound]]) -> int:
    if not recording:
        return 0
    clock = HandClock(recording[0][0])
    async with _instance(clock, None) as doorstep:
        for at, inbound in recording:
            clock.move_to(max(at, clock.now()))
            await doorstep.intake.receive(inbound)
        shown = dict.fromkeys((inbound.channel, inbound.address) for _, inbound in recording)
        for channel, address in shown:
            print(f"# {channel.value} {address}")
            for message in await doorstep.outbox.transcript(channel, address):
                who = "tenant" if message.direction == "in" else message.author_name
                at_local = doorstep.office.local(message.created_at)
                print(f"{at_local:%Y-%m-%d %H:%M:%S} {who}: {message.text}")
                for choice in message.choices:
                    print(f"    [{choice['label']}]")
    return 0


@contextlib.asynccontextmanager
async def _instance(clock: WallClock, database: str | None) -> AsyncIterator[Doorstep]:
    """A Doorstep with the settings' policy and no provider."""
    with tempfile.TemporaryDirectory(prefix="doorstep-") as folder:
        given = settings_module.load({**os.environ, "DOORSTEP_DEV": "1"}).model_dump(exclude_none=True)
        given = {name: value for name, value in given.items() if not name.startswith(_OF_PROVIDERS)}
        settings = Settings.model_validate(given | {"database_url": database or f"sqlite:///{folder}/doorstep.db"})
        store = open_store(settings.database_url)
        schema.migrate(store)
        await store.close()
        doorstep = assemble(settings, clock)
        try:
            yield doorstep
        finally:
            await doorstep.outbox.close()
            await doorstep.store.close()


def _recording(file: Path) -> Iterator[tuple[datetime, Inbound]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ReplayError(f"{file}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            given = json.loads(line)
            at = datetime.fromisoformat(given["at"])
            if at.tzinfo is None:
                raise ValueError("the time needs an offset, such as +00:00")
            yield at, Inbound(
                ChannelName(given["channel"]), str(given["address"]), str(given.get("id", f"replay-{number}")),
                str(given["text"]), content=Content.TEXT,
            )  # fmt: skip
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
            raise ReplayError(f"{file}:{number}: {reason}") from error
