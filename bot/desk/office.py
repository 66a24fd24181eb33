"""What every transition needs to know besides the rows: whose policy, whose words, whose randomness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bot.messages import Say
from bot.sla import Explanation, Phone, Policy
from bot.wallclock import WallClock
from bot.wording import Rendered, Wording, day_in_words, moment_in_words

_ALWAYS_SHOWN: Final = ("emergency", "gas")
"""The national numbers that stand on every page (ids of `nlu_data/directory.yml`)."""
_ELAPSED: Final = frozenset({"hours", "minutes"})


@dataclass(frozen=True, slots=True)
class Office:
    """An association at work. Holds no state of its own; `wall_clock` gives ids and chance, never the time."""

    policy: Policy
    wording: Wording
    wall_clock: WallClock
    numbers: Mapping[str, str]
    """The national numbers, by their ids in `nlu_data/directory.yml`."""
    public_url: str | None = None
    """Where this Doorstep is reached: its own pages stand in for those that the policy does not name."""

    def id(self) -> str:
        """A fresh id for a row."""
        return self.wall_clock.uuid().hex

    def facts(self, now: datetime) -> dict[str, Any]:
        """The standard placeholders of every response, as they stand at `now`: whom to ring at this hour, when we open."""
        policy = self.policy
        phone = policy.phone(now)
        return {
            "association": policy.name,
            "short_name": policy.short_name,
            "service_name": policy.service_name,
            "phone": phone.number if phone else None,
            "office_phone": _tellable(policy.office_phone),
            "emergency_phone": _tellable(policy.emergency_phone),
            "hours": policy.hours_in_words(),
            "next_opening": self.moment_in_words(policy.calendar.next_opening(now), now),
            "privacy_url": self.privacy_url,
            "complaints_url": policy.complaints_url,
        } | {f"number_{name}": number for name, number in self.numbers.items()}

    def render(self, says: Sequence[Say], *, channel: str, now: datetime, language: str = "en") -> Rendered:
        """The words of several things said at once, as one message of the channel."""
        return self.wording.render_all(says, channel=channel, language=language, args=self.facts(now))

    def due_in_words(self, promise: Explanation, now: datetime) -> str:
        """When a promise falls due, as it is told: the hour where hours are counted, else the day."""
        if self.policy.commitments[promise.commitment].mode in _ELAPSED:
            return self.moment_in_words(promise.due, now)
        return self.day_in_words(promise.due, now)

    def day_in_words(self, instant: datetime, now: datetime) -> str:
        return day_in_words(self.local(instant).date(), self.local(now).date())

    def moment_in_words(self, instant: datetime, now: datetime) -> str:
        return moment_in_words(self.local(instant), self.local(now).date())

    def local(self, instant: datetime) -> datetime:
        return instant.astimezone(self.policy.calendar.zone)

    @property
    def privacy_url(self) -> str | None:
        """The association's own privacy notice, else the one that Doorstep serves."""
        return self.policy.privacy_url or (f"{self.public_url}/privacy" if self.public_url else None)

    def numbers_to_ring(self, now: datetime) -> list[tuple[str, str]]:
        """Whom to ring at this hour, each with its label, the most urgent first: for a page that has lost its connection."""
        phone = self.policy.phone(now)
        national = [(self.wording.label("number", name), self.numbers[name]) for name in _ALWAYS_SHOWN]
        return [*national, (phone.label, phone.number)] if phone else national

    def repair_facts(self) -> dict[str, dict[str, Any]]:
        """What the policy makes of each category of repair, for flows."""
        return {
            category: {"priority": repair.priority, "qualifying_days": repair.qualifying_days}
            for category, repair in self.policy.repairs.items()
        }


def _tellable(phone: Phone | None) -> str | None:
    """A number may be told to tenants only once it is verified (`doorstep check --live` insists)."""
    return phone.number if phone is not None and phone.verified else None
