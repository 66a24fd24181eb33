"""What has happened, as it is written down. `bot.store.seals` proves later that nobody rewrote it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, SQLModel

from bot.store.prepared import Prepared
from bot.store.tables import Event

_EVENT = SQLModel.metadata.tables[str(Event.__tablename__)]
_APPEND = Prepared(insert(_EVENT), columns=["id", "at", "actor", "verb", "subject", "detail"])


def append(
    session: Session, event_id: str, *, at: datetime, actor: str, verb: str, subject: str, detail: Mapping[str, Any]
) -> None:
    """Write down one event. It waits for its seal."""
    _APPEND.run(session, {"id": event_id, "at": at, "actor": actor, "verb": verb, "subject": subject, "detail": detail})
