"""Talking to the bot in a terminal (`doorstep chat`): for trying things out, and for people who write flows.

It stands in for one of the real channels, so that words, choices and promises come out as they would there: by SMS a
menu of digits and what the text costs, on Telegram and the web buttons, which are pressed here by typing their number.
"""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, TextIO

from aiohttp import web

from bot.channels import Receive
from bot.channels.sms import keyword_of
from bot.channels.telegram import COMMANDS
from bot.messages import ChannelName, Choice, Content, Inbound, Keyword, Outbound
from bot.wallclock import WallClock
from bot.wording.gsm import segments

TEXT_CHANNELS: Final = frozenset({ChannelName.SMS, ChannelName.WHATSAPP})


class TerminalChannel:
    """One conversation over a pair of text streams, as `name` would carry it, from `address`.

    `receive` may do more than store: the next line is read only when it returns, so one that also delivers what became
    due makes a transcript in which every answer stands under its question.
    """

    max_length = 20_000

    def __init__(
        self,
        wall_clock: WallClock,
        receive: Receive,
        *,
        lines: TextIO,
        screen: TextIO,
        name: ChannelName = ChannelName.TERMINAL,
        address: str = "terminal",
        prompt: str = "> ",
    ) -> None:
        self.name = name
        self._wall_clock = wall_clock
        self._receive = receive
        self._lines = lines
        self._screen = screen
        self._address = address
        self._prompt = prompt
        self._choices: tuple[Choice, ...] = ()

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        return []

    async def run(self, stop: asyncio.Event) -> None:
        """Read lines until there are no more, or until `stop` is set. A blank line says nothing."""
        arrived = _read_aside(self._lines)
        stopping = asyncio.create_task(_put_when(stop, arrived))
        self._show_prompt()
        while (line := await arrived.get()) is not None:
            if line.strip():
                await self._receive(self._parse(line.rstrip("\r\n")))
            self._show_prompt()
        stopping.cancel()

    async def send(self, message: Outbound) -> str:
        self._choices = message.choices
        self._screen.write(self._shown(message))
        self._screen.flush()
        return message.id

    async def find_sent(self, message: Outbound) -> str | None:
        """What was printed was printed by `send`, which cannot leave it open."""
        return None

    async def close(self) -> None:
        """The streams belong to whoever opened them."""

    def _parse(self, line: str) -> Inbound:
        pressed = self._pressed(line)
        return Inbound(
            channel=self.name,
            address=self._address,
            provider_id=str(self._wall_clock.uuid()),
            text=pressed.label if pressed else line,
            content=Content.CHOICE if pressed else Content.TEXT,
            choice=pressed.value if pressed else None,
            keyword=None if pressed else self._keyword(line),
        )

    def _pressed(self, line: str) -> Choice | None:
        """The button a number means. By text there are none: there a digit is a word like any other."""
        number = line.strip()
        if self.name in TEXT_CHANNELS or not (number.isascii() and number.isdecimal()):
            return None
        return self._choices[int(number) - 1] if 1 <= int(number) <= len(self._choices) else None

    def _keyword(self, line: str) -> Keyword | None:
        if self.name in TEXT_CHANNELS:
            return keyword_of(line)
        if self.name is ChannelName.TELEGRAM:
            return COMMANDS.get(line.split()[0].casefold())
        return None

    def _shown(self, message: Outbound) -> str:
        who = message.author_name or message.author.capitalize()
        shown = [f"{who}: " + message.text.replace("\n", "\n" + " " * (len(who) + 2))]
        if self.name is ChannelName.SMS:
            cost = segments(message.text)
            shown.append(f"   ({cost.count} text{'s' if cost.count > 1 else ''}, {cost.encoding}, {cost.units} units)")
        elif self.name is not ChannelName.WHATSAPP:
            shown += [f"   [{number}] {choice.label}" for number, choice in enumerate(message.choices, start=1)]
        return "\n".join(shown) + "\n"

    def _show_prompt(self) -> None:
        self._screen.write(self._prompt)
        self._screen.flush()


async def _put_when(stop: asyncio.Event, arrived: asyncio.Queue[str | None]) -> None:
    await stop.wait()
    arrived.put_nowait(None)


def _read_aside(lines: TextIO) -> asyncio.Queue[str | None]:
    """The lines of a stream as they come, then None. They are read by a thread of their own, which does not keep the
    program from ending while it waits for somebody to type."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[str | None] = asyncio.Queue()

    def hand_over(line: str | None) -> None:
        with suppress(RuntimeError):  # the talk is over and the loop with it
            loop.call_soon_threadsafe(arrived.put_nowait, line)

    def read() -> None:
        for line in lines:
            hand_over(line)
        hand_over(None)

    threading.Thread(target=read, name="terminal", daemon=True).start()
    return arrived
