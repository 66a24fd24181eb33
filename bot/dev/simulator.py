"""The phone simulator: stand-ins of the providers for whatever has no account, started beside the product."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from bot.dev import phone
from bot.dev.standins.telegram import TelegramStandIn
from bot.dev.standins.twilio_voice import TwilioVoiceStandIn
from bot.settings import Settings
from bot.wallclock import WallClock

_NUMBER: Final = "+447700900000"
"""From the range that Ofcom keeps free for drama: it rings nobody."""


_LINE: Final = "+447700900001"
"""Where the 24-hour line is rung, if the settings do not say: on the page."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """The settings that point Doorstep at the stand-ins, and the routes of the page."""

    settings: Settings
    routes: Sequence[web.AbstractRouteDef]


@asynccontextmanager
async def simulator(settings: Settings, wall_clock: WallClock) -> AsyncIterator[Simulator]:
    """Stand-ins on ports of their own for the providers that the settings do not name, for as long as the context lasts."""
    given = settings.model_dump(exclude_none=True)
    if not settings.sms_on:
        given |= {
            "twilio_account_sid": "AC" + wall_clock.uuid().hex, "twilio_auth_token": wall_clock.token(),
            "twilio_from": _NUMBER, "emergency_line_call": settings.emergency_line_call or _LINE,
        }  # fmt: skip
    if not settings.telegram_on:
        given |= {
            "telegram_token": f"{wall_clock.randbits(30)}:{wall_clock.token()}",
            "telegram_secret": wall_clock.token(),
        }
    invented = Settings.model_validate(given)
    async with AsyncExitStack() as stack:
        twilio = TwilioVoiceStandIn(invented, wall_clock.now, receipts=True)
        twilio.by_hand = True
        telegram = TelegramStandIn(invented, wall_clock.now)
        if not settings.sms_on:
            given["twilio_api_url"] = await twilio.start()
            stack.push_async_callback(twilio.close)
        if not settings.telegram_on:
            given["telegram_api_url"] = await telegram.start()
            stack.push_async_callback(telegram.close)
        yield Simulator(Settings.model_validate(given), phone.routes(twilio, telegram))
