"""An association with a real database and a clock moved by hand; messages are taken off the outbox by hand as well."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlmodel import Session, SQLModel, select

from bot.channels import PermanentFailure
from bot.desk import case as cases
from bot.desk import conversation as desk
from bot.desk.office import Office
from bot.messages import ChannelName, DeliveryState, OpenCase, Outbound, Receipt
from bot.outbox import Outbox
from bot.promises import Promises
from bot.sla import Policy, load_policy
from bot.store import Store, conversations
from bot.store.tables import Address, Case, Clock, Contact, Message, Staff, Task
from bot.wallclock import HandClock
from bot.wording import Wording, load_responses

T = TypeVar("T")
WORDS = load_responses(Path(__file__).parents[3] / "nlu_data" / "domain")
MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)
PHONE = "+447700900123"


@dataclass
class Line:
    """A channel that takes everything, or refuses everything."""

    name: ChannelName
    fails: type[PermanentFailure] | None = None
    sent: list[Outbound] = field(default_factory=list)
    max_length: int = 4000

    def routes(self) -> Sequence[Any]:
        return ()

    async def send(self, message: Outbound) -> str:
        if self.fails is not None:
            raise self.fails
        self.sent.append(message)
        return f"{self.name}-{message.id}"

    async def find_sent(self, message: Outbound) -> str | None:
        return f"{self.name}-{message.id}" if any(each.id == message.id for each in self.sent) else None

    async def close(self) -> None: ...


class House:
    """The desk, the outbox and the sweep over one store."""

    def __init__(
        self, store: Store, policy: str | Policy = "berwickshire", start: datetime = MONDAY, seed: int = 5
    ) -> None:
        self.clock = HandClock(start, seed=seed)
        self.store = store
        loaded = load_policy(policy) if isinstance(policy, str) else policy
        self.office = Office(loaded, Wording(WORDS), self.clock, {"gas": "0800 111 999", "emergency": "999"})
        self.lines = {name: Line(name) for name in (ChannelName.SMS, ChannelName.TELEGRAM, ChannelName.WEB)}
        self.outbox = Outbox(store, self.office, self.lines, self.clock)  # type: ignore[arg-type]
        self.promises = self.sweeper()
        self.staff = Staff(
            id="a" * 32, email="a@example.org", name="Ann Example", job_title="Repairs officer", team="Repairs",
            role="manager", created_at=start,
        )  # fmt: skip
        store.run_now(lambda session: session.merge(self.staff))

    def sweeper(self) -> Promises:
        return Promises(self.store, self.office, self.clock, self.outbox.nudge)

    @property
    def now(self) -> datetime:
        return self.clock.now()

    async def run(self, work: Callable[[Session], T]) -> T:
        return await self.store.run(work)

    async def rows(self, table: type[SQLModel]) -> list[Any]:
        return await self.store.read(lambda session: list(session.exec(select(table).order_by(table.id))))  # type: ignore[attr-defined]

    async def open(
        self, kind: str = "repair", category: str = "dripping_tap", channel: str = "sms", address: str = PHONE
    ) -> Case:
        """A case that a tenant has just reported, acknowledged and delivered."""
        now = self.now

        def work(session: Session) -> Case:
            conversation, _ = desk.find_or_start(session, self.office, channel, address, now=now)
            conversation.last_inbound_at = now
            asked = OpenCase(kind, category, "the tap drips", "Dripping tap")
            case = cases.open_case(session, self.office, conversation, asked, received_at=now, now=now)
            conversations.save(session, conversation)
            return case

        case = await self.run(work)
        await self.deliver()
        return case

    async def also_at(self, case: Case, channel: str, address: str) -> None:
        """The person of a case can be reached here as well."""
        await self.run(
            lambda session: session.add(
                Address(
                    id=self.office.id(), contact_id=case.contact_id, channel=channel, value=address, created_at=self.now
                )
            )
        )

    async def prefer(self, case: Case, **wishes: Any) -> None:
        def work(session: Session) -> None:
            contact = session.get_one(Contact, case.contact_id)
            for name, value in wishes.items():
                setattr(contact, name, value)
            session.add(contact)

        await self.run(work)

    async def deliver(self) -> None:
        """Send what is due, and have the networks confirm it."""
        await self.outbox.deliver_due()
        for message in await self.rows(Message):
            if message.direction == "out" and message.state == "sent" and message.channel != "web":
                await self.outbox.report(
                    Receipt(ChannelName(message.channel), message.provider_id, DeliveryState.DELIVERED)
                )

    async def until_instant(self, instant: datetime, *, step: timedelta = timedelta(hours=12)) -> None:
        """Let time pass, from one thing that is due to the next and in steps, sweeping and delivering on the way."""
        while self.now < instant:
            due = [each.act_at for each in await self.rows(Clock) if each.act_at is not None and each.act_at > self.now]
            self.clock.move_to(min([self.now + step, instant, *due]))
            await self.beat()

    async def beat(self) -> None:
        await self.promises.sweep()
        await self.promises.carry_on_unseen()
        await self.deliver()

    async def sleep_until(self, instant: datetime) -> None:
        """The machine is off until then."""
        self.clock.move_to(instant)
        await self.beat()

    async def clocks(self, case: Case | None = None) -> dict[str, Clock]:
        found = await self.rows(Clock)
        return {each.commitment: each for each in found if case is None or each.case_id == case.id}

    async def updates(self) -> list[Message]:
        return [each for each in await self.rows(Message) if each.kind in {"update", "apology", "warning"}]

    async def tasks(self, *kinds: str) -> list[Task]:
        return [each for each in await self.rows(Task) if each.kind in kinds and each.done_at is None]
