import asyncio
import io
import threading
from datetime import UTC, datetime

import pytest

from bot.channels.terminal import TerminalChannel
from bot.messages import ChannelName, Choice, Content, Inbound, Keyword, Outbound
from bot.wallclock import HandClock

ROOMS = (Choice("Kitchen", "/kitchen"), Choice("Bathroom", "/bathroom"))


class Talk:
    """A terminal whose every line is answered with the same question."""

    def __init__(
        self, typed: str, name: ChannelName, text: str = "Which room?", choices: tuple[Choice, ...] = ROOMS
    ) -> None:
        self.screen = io.StringIO()
        self.heard: list[Inbound] = []
        self.answer = (text, choices)
        self.clock = HandClock(datetime(2026, 11, 24, 12, tzinfo=UTC))
        self.channel = TerminalChannel(
            self.clock, self.receive, lines=io.StringIO(typed), screen=self.screen, name=name, address="me", prompt=""
        )

    async def receive(self, inbound: Inbound) -> None:
        self.heard.append(inbound)
        text, choices = self.answer
        message = Outbound(str(len(self.heard)), inbound.channel, inbound.address, text, choices)
        assert await self.channel.send(message) == message.id


async def test_each_line_is_a_message_with_an_id_of_its_own():
    talk = Talk("hello\n\n  \nthe tap drips\n", ChannelName.TERMINAL)
    await talk.channel.run(asyncio.Event())
    assert [inbound.text for inbound in talk.heard] == ["hello", "the tap drips"]
    assert len({inbound.provider_id for inbound in talk.heard}) == 2
    assert {(inbound.channel, inbound.address) for inbound in talk.heard} == {(ChannelName.TERMINAL, "me")}


@pytest.mark.parametrize("name", [ChannelName.TELEGRAM, ChannelName.WEB, ChannelName.TERMINAL])
async def test_a_number_presses_the_button_that_was_shown(name: ChannelName):
    talk = Talk("1\n2\n3\n", name)
    await talk.channel.run(asyncio.Event())
    assert talk.screen.getvalue().startswith("Bot: Which room?\n   [1] Kitchen\n   [2] Bathroom\n")
    first, second, third = talk.heard
    assert (first.content, first.choice) == (Content.TEXT, None)
    assert (second.content, second.choice, second.text) == (Content.CHOICE, "/bathroom", "Bathroom")
    assert (third.content, third.choice) == (Content.TEXT, None)


async def test_by_text_a_digit_is_a_word_and_the_cost_is_shown():
    talk = Talk("tap\n1\n", ChannelName.SMS, text="Which room?\n1 for Kitchen")
    await talk.channel.run(asyncio.Event())
    assert talk.heard[1].choice is None
    assert talk.screen.getvalue().startswith("Bot: Which room?\n     1 for Kitchen\n   (1 text, GSM-7, 25 units)\n")


@pytest.mark.parametrize(
    ("name", "line", "keyword"),
    [
        (ChannelName.SMS, "Stop", Keyword.STOP),
        (ChannelName.TELEGRAM, "Stop", None),
        (ChannelName.TELEGRAM, "/start x", Keyword.START),
        (ChannelName.WEB, "stop", None),
    ],
)
async def test_keywords_are_those_of_the_channel(name: ChannelName, line: str, keyword: Keyword | None):
    talk = Talk(line, name)
    await talk.channel.run(asyncio.Event())
    assert talk.heard[0].keyword is keyword


class Silence(io.StringIO):
    """Somebody who types nothing until let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def __next__(self) -> str:
        self.let_go.wait(10)
        raise StopIteration


async def test_stopping_ends_the_talk_while_nobody_types():
    talk, silence = Talk("", ChannelName.WEB), Silence()
    channel = TerminalChannel(talk.clock, talk.receive, lines=silence, screen=talk.screen)
    stop = asyncio.Event()
    running = asyncio.create_task(channel.run(stop))
    stop.set()
    await asyncio.wait_for(running, 5)
    silence.let_go.set()


async def test_staff_speak_under_their_own_name():
    talk = Talk("", ChannelName.WEB)
    await talk.channel.send(Outbound("1", ChannelName.WEB, "me", "Hello", author="staff", author_name="Test Officer"))
    assert talk.screen.getvalue() == "Test Officer: Hello\n"
