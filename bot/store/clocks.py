"""How clocks are begun: the statements that the opening of every case passes through."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import make_transient_to_detached
from sqlmodel import Session, SQLModel

from bot.store.conversations import columns_of, defaults_of, record
from bot.store.prepared import Prepared, insert_unless_there
from bot.store.tables import Clock

_CLOCK, _POLICY = SQLModel.metadata.tables["clock"], SQLModel.metadata.tables["policy_version"]
_DEFAULTS = defaults_of(Clock)
_INSERT = insert_unless_there(_CLOCK, returning="id")
_HAS_POLICY = Prepared(select(_POLICY.c.id).where(_POLICY.c.id == bindparam("id")))
_INSERT_POLICY = insert_unless_there(_POLICY)


def new_clock(**values: Any) -> Clock:
    """A clock with every column: those not given have the table's defaults."""
    return record(Clock, _DEFAULTS() | values)


def add(session: Session, clock: Clock) -> bool:
    """Write a new clock, from now on one of the session's objects; False, and nothing written, if a unique key is taken."""
    if _INSERT.first(session, columns_of(clock)) is None:
        return False
    make_transient_to_detached(clock)  # it is a row: the session need not read what has just been written
    session.add(clock)
    return True


def has_policy(session: Session, version: str) -> bool:
    """Whether this version of a policy is kept."""
    return _HAS_POLICY.first(session, {"id": version}) is not None


def add_policy(session: Session, version: str, policy: str, content: str, *, now: datetime) -> None:
    """Keep a version of a policy, unless somebody else was quicker."""
    _INSERT_POLICY.run(session, {"id": version, "policy": policy, "content": content, "created_at": now})
