"""Tenants: when they write, what about, how they answer. They read what reaches their phone or page and nothing else, save
that they understand at once what they are asked (the response's key stands in for reading the question)."""

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from bot.messages import ChannelName, Content, Inbound, Outbound
from bot.simulation.chance import Chance
from bot.sla.calendar import at_local

MATTERS_A_YEAR: Final = 3.5
"""How often a tenant has something to say, on average."""
_MOST_TURNS: Final = 16
_GIVEN: Final = (
    "Jean", "Wullie", "Aisha", "Kasia", "Morag", "Tomasz", "Ewan", "Fiona", "Calum", "Priya", "Isla", "Hamish", "Agnes",
    "Omar", "Sheila", "Duncan", "Maria", "Rory", "Ling", "Effie",
)  # fmt: skip
_FAMILY: Final = (
    "Wilson", "McLean", "Khan", "Nowak", "Fraser", "Kowalski", "Burns", "Reid", "Scott", "Patel", "Gordon", "Kerr", "Young",
    "Ali", "Hume", "Lamb", "Silva", "Bell", "Chen", "Douglas",
)  # fmt: skip
_STREETS: Final = (
    "Castle Street",
    "High Street",
    "Station Road",
    "Mill Lane",
    "Bridge Street",
    "Kirk Wynd",
    "Home Avenue",
)
_LAST_WORDS: Final = ("thanks", "ok thank you", "cheers")
_CHASES: Final = ("any news on my repair?", "what is happening with my case?", "when is someone coming?")


@dataclass(frozen=True, slots=True)
class Habits:
    """`tenants.toml`."""

    hours: Sequence[float]
    days: Sequence[float]
    months: Sequence[float]
    channels: Mapping[str, float]
    matters: Sequence[Mapping[str, Any]]
    answers: Mapping[str, Sequence[str]]


def load_habits() -> Habits:
    given = tomllib.loads((Path(__file__).parent / "tenants.toml").read_text(encoding="utf-8"))
    return Habits(
        given["hours"]["weights"], given["days"]["weights"], given["months"]["weights"], given["channels"],
        given["matters"], given["answers"],
    )  # fmt: skip


@dataclass(slots=True)
class Tenant:
    """One person on one channel."""

    name: str
    home: str
    phone: str
    channel: ChannelName
    address: str
    turns: int = 0
    """How many more times this talk goes on; 0 when nobody is talking."""
    heard: list[Outbound] = field(default_factory=list)
    answering: bool = False
    frightened: bool = False
    """They were told what to do in danger: whoever reads that goes on until they have said where they are."""
    on_page_until: datetime | None = None
    """Of a web visitor: how long the page stays open."""


def people(count: int, habits: Habits, chance: Chance) -> list[Tenant]:
    """So many tenants, each with a name, a home and a way to write."""
    found = []
    for number in range(count):
        channel = ChannelName(chance.weighted(habits.channels))
        phone = f"+4477009{number:05d}"
        address = {ChannelName.TELEGRAM: str(100_000 + number), ChannelName.WEB: f"visitor-{number}"}.get(
            channel, phone
        )
        home = f"{1 + number % 90} {chance.pick(_STREETS)}, Duns TD11 3{'ABDEFGHJ'[number % 8]}{'LNPQRSTU'[number // 8 % 8]}"
        found.append(Tenant(f"{chance.pick(_GIVEN)} {chance.pick(_FAMILY)}", home, phone, channel, address))
    return found


def days_of(first: date, days: int) -> list[date]:
    return [first + timedelta(days=offset) for offset in range(days)]


def is_christmas(day: date) -> bool:
    """The fortnight in which offices are mostly closed."""
    return (day.month, day.day) >= (12, 20) or (day.month, day.day) <= (1, 3)


def opting_out(tenant: Tenant, first: datetime, days: int, chance: Chance) -> list[tuple[datetime, str]]:
    """When a tenant, one in forty a year, tells us to stop writing to them, and half of them to go on some weeks later."""
    if tenant.channel is ChannelName.WEB or not chance.happens(0.025 * days / 365):
        return []
    at = first + timedelta(days=chance.uniform(0, days))
    said = [(at, "STOP")]
    if chance.happens(0.5):
        said.append((at + timedelta(days=chance.about(20)), "START"))
    return said


def storms(first: date, days: int, chance: Chance) -> frozenset[date]:
    """Two days of storm every few weeks from October to March."""
    found: set[date] = set()
    for offset in range(days):
        day = first + timedelta(days=offset)
        if day.month in {10, 11, 12, 1, 2, 3} and chance.happens(1 / 28):
            found |= {day, day + timedelta(days=1)}
    return frozenset(found)


def matters(
    first: date, days: int, count: int, habits: Habits, stormy: frozenset[date], chance: Chance
) -> Iterator[tuple[datetime, Mapping[str, Any]]]:
    """When somebody has something to say, and what: in the rhythm of the day, the week and the year."""
    usual = count * MATTERS_A_YEAR / 365 / (sum(habits.days) / 7) / (sum(habits.months) / 12)
    for offset in range(days):
        day = first + timedelta(days=offset)
        christmas = is_christmas(day)
        busy = usual * habits.days[day.weekday()] * habits.months[day.month - 1]
        busy *= 2.2 if day in stormy else 1.0
        busy *= 0.8 if christmas else 1.0
        weights = {
            place: _weight(matter, day, stormy=day in stormy, christmas=christmas)
            for place, matter in enumerate(habits.matters)
        }
        for _ in range(_how_many(busy, chance)):
            hour = chance.weighted(dict(enumerate(habits.hours)))
            at = at_local(day, time(hour)) + timedelta(seconds=round(chance.uniform(0, 3599)))
            yield at, habits.matters[chance.weighted(weights)]


def _weight(matter: Mapping[str, Any], day: date, *, stormy: bool, christmas: bool) -> float:
    weight = float(matter["weight"])
    if day.month in {11, 12, 1, 2, 3}:
        weight *= matter.get("winter", 1.0)
    if day.month in {5, 6, 7, 8}:
        weight *= matter.get("summer", 1.0)
    if stormy:
        weight *= matter.get("storm", 1.0)
    return float(weight * (matter.get("christmas", 1.0) if christmas else 1.0))


def _how_many(expected: float, chance: Chance) -> int:
    """A Poisson draw, cut into parts small enough for the plain method."""
    total, left = 0, expected
    while left > 0:
        part = min(left, 30.0)
        left -= part
        limit, product = math.exp(-part), chance.uniform(0, 1)
        while product > limit:
            total += 1
            product *= chance.uniform(0, 1)
    return total


class Talker:
    """Has tenants begin talks and answer what reaches them. `say` hands a message in; `keys` tells what a message asked."""

    def __init__(
        self, habits: Habits, chance: Chance, now: Callable[[], datetime],
        later: Callable[[datetime, Callable[[], object]], None], say: Callable[[Inbound], object],
        keys: Callable[[str], Sequence[str]],
    ) -> None:  # fmt: skip
        self._habits = habits
        self._chance = chance
        self._now = now
        self._later = later
        self._say = say
        self._keys = keys
        self._count = 0

    def begin(self, tenant: Tenant, matter: Mapping[str, Any]) -> object:
        """Start to talk about something, unless the tenant is in the middle of a talk."""
        if tenant.turns:
            return None
        tenant.turns, tenant.frightened = _MOST_TURNS, False
        tenant.heard.clear()
        tenant.on_page_until = self._now() + timedelta(minutes=15)
        # Nobody writes back: the talk is over after a while, whatever became of it.
        self._later(self._now() + timedelta(hours=20), lambda: setattr(tenant, "turns", 0))
        return self._write(tenant, self._chance.pick(matter["texts"]))

    def hear(self, tenant: Tenant, message: Outbound) -> None:
        """A message has reached the tenant."""
        if not tenant.turns:
            return
        tenant.heard.append(message)
        tenant.frightened = tenant.frightened or message.urgent
        if tenant.answering:
            return
        if self._chance.happens(0.03) and not message.urgent and not tenant.frightened:
            tenant.turns = 0  # something else came up
            return
        tenant.answering = True
        wait = self._chance.minutes(0.8) if self._chance.happens(0.9) else self._chance.minutes(40)
        self._later(self._now() + wait, lambda: self._answer(tenant))

    def write(self, tenant: Tenant, words: str) -> object:
        """Say something out of the blue."""
        return self._write(tenant, words)

    def _answer(self, tenant: Tenant) -> object:
        tenant.answering = False
        heard, tenant.heard = tenant.heard, []
        tenant.turns -= 1
        if tenant.turns <= 0:
            tenant.turns = 0
            return None
        keys = [(message, key) for message in heard for key in self._keys(message.id)]
        asked = [(message, key) for message, key in keys if message.choices or "utter_ask_" in key]
        if any(key.startswith("utter_ack_") for _, key in keys) and not asked:
            tenant.turns = 0
            if self._chance.happens(0.12):
                back = self._now() + timedelta(days=self._chance.about(6))
                self._later(back, lambda: self.begin(tenant, {"texts": _CHASES}))
            return self._write(tenant, self._chance.pick(_LAST_WORDS)) if self._chance.happens(0.3) else None
        if not asked:
            tenant.turns = 0
            return None
        message, key = asked[-1]
        return self._choose(tenant, message) if message.choices else self._write(tenant, self._words(tenant, key))

    def _choose(self, tenant: Tenant, message: Outbound) -> object:
        wanted = [each for each in message.choices if each.value == "send"] or [
            each for each in message.choices if each.value not in {"change", "/talk_to_person"}
        ]
        choice = self._chance.pick(wanted or message.choices)
        if tenant.channel in {ChannelName.TELEGRAM, ChannelName.WEB}:
            return self._write(tenant, choice.label, choice=choice.value)
        return self._write(tenant, str(1 + list(message.choices).index(choice)))

    def _words(self, tenant: Tenant, key: str) -> str:
        answers = self._habits.answers
        said = self._chance.pick(answers.get(key.removeprefix("utter_ask_"), answers["other"]))
        return {"NAME": tenant.name, "ADDRESS": tenant.home, "PHONE": tenant.phone.replace("+44", "0")}.get(said, said)

    def _write(self, tenant: Tenant, words: str, *, choice: str | None = None) -> object:
        self._count += 1
        if tenant.channel is ChannelName.WEB:
            tenant.on_page_until = self._now() + timedelta(minutes=10)
        return self._say(
            Inbound(
                tenant.channel,
                tenant.address,
                f"in-{self._count}",
                words,
                content=Content.CHOICE if choice else Content.TEXT,
                choice=choice,
                name=tenant.name,
            )
        )


def beginning(day: date) -> datetime:
    """Midnight of a local day."""
    return at_local(day, time()).astimezone(UTC)
