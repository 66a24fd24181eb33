"""What happens to an inbound message, from start to finish, in one transaction.

The message, triage's advice, the emergency case, the dialogue's answer, the case it opens, its clocks and its
acknowledgement are one commit: the provider is answered once they are all on disk, and a crash leaves all or nothing of
them. That is possible because the embedded dialogue engine is pure and takes well under a millisecond (docs/adr/0001).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from bot.arrival import Arrival, Engine, Means, Triage
from bot.desk import attachment as attachments
from bot.desk import conversation as desk
from bot.desk.office import Office
from bot.messages import Inbound
from bot.store import Store, conversations
from bot.store.tables import Conversation, InboundState, Message
from bot.wallclock import WallClock


@dataclass(frozen=True, slots=True)
class Arrived:
    """Where an inbound message stands in its conversation; the same for a message that had arrived already."""

    conversation_id: str
    seq: int
    again: bool


class Intake:
    """Receives messages. `nudge` is called after each commit, with the conversation's id: there may be something to send.
    `photo_link` gives the address of the page that takes photos for a case; None where nobody outside can reach us."""

    def __init__(
        self, store: Store, office: Office, engine: Engine, triage: Triage, wall_clock: WallClock,
        nudge: Callable[[str], None], photo_link: Callable[[str, datetime], str | None] = lambda _case_id, _now: None,
    ) -> None:  # fmt: skip
        self._store = store
        self.office = office
        self.engine = engine
        self.triage = triage
        self.photo_link = photo_link
        self._means = Means(office, engine, triage, office.repair_facts(), photo_link)
        self._wall_clock = wall_clock
        self._nudge = nudge

    async def receive(self, inbound: Inbound) -> Arrived:
        """Store a message and decide its answer. When this returns, both are on disk.

        Raises what the database raises if they are not; the provider is then to be told to try again.
        """
        now = self._wall_clock.now()
        arrived = await self._store.run(lambda session: self._receive(session, inbound, now))
        self._nudge(arrived.conversation_id)
        return arrived

    def _receive(self, session: Session, inbound: Inbound, now: datetime) -> Arrived:
        conversation, begun = desk.find_or_start(session, self.office, inbound.channel, inbound.address, now=now)
        message = self._message(conversation, inbound, now)
        if not conversations.add_inbound(session, message):
            known = conversations.inbound_seq(session, inbound.channel, inbound.provider_id)
            assert known is not None, "the unique key says that it is stored"
            return Arrived(*known, again=True)
        if inbound.attachments:
            files = [
                attachments.arriving(self.office, message, sent.handle, sent.media_type, sent.size, now=now)
                for sent in inbound.attachments
            ]
            conversations.add_attachments(session, files)
            for each in files:
                if each.digest is not None:
                    attachments.note_kept(session, self.office, each, actor="tenant", now=now)
        Arrival(self._means, session, conversation, message, inbound, begun, now).take()
        conversations.finish_inbound(session, message)
        conversations.save(session, conversation)
        return Arrived(conversation.id, message.seq, again=False)

    def _message(self, conversation: Conversation, inbound: Inbound, now: datetime) -> Message:
        conversation.seq += 1
        conversation.last_inbound_at = conversation.last_message_at = now
        return conversations.new_message(
            id=self.office.id(), conversation_id=conversation.id, seq=conversation.seq, direction="in",
            channel=inbound.channel, address=inbound.address, author="tenant", author_name=inbound.name or "",
            kind=inbound.content.value, text=inbound.text, provider_id=inbound.provider_id, case_id=inbound.case_id,
            detail=_detail(inbound), state=InboundState.PROCESSED.value, created_at=now,
        )  # fmt: skip


def _detail(inbound: Inbound) -> dict[str, Any]:
    detail: dict[str, Any] = {}
    if inbound.choice is not None:
        detail["choice"] = inbound.choice
    if inbound.edits is not None:
        detail["edits"] = inbound.edits
    if inbound.keyword is not None:
        detail["keyword"] = inbound.keyword.value
    return detail
