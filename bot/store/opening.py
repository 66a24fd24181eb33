"""The statements that the opening of every case passes through: the case itself, its clocks, the policy behind them."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import make_transient_to_detached
from sqlmodel import Session, SQLModel

from bot.store.conversations import columns_of, defaults_of, record
from bot.store.prepared import Prepared, insert_unless_there
from bot.store.tables import Case, Clock

_TABLES = SQLModel.metadata.tables
_CASE, _CLOCK, _POLICY = _TABLES["case"], _TABLES["clock"], _TABLES["policy_version"]
_CASE_DEFAULTS, _CLOCK_DEFAULTS = defaults_of(Case), defaults_of(Clock)
_WITH_REFERENCE = Prepared(select(_CASE.c.id).where(_CASE.c.reference == bindparam("reference")))
_INSERT_CASE = Prepared(insert(_CASE))
_INSERT_CLOCK = insert_unless_there(_CLOCK, returning="id")
_HAS_POLICY = Prepared(select(_POLICY.c.id).where(_POLICY.c.id == bindparam("id")))
_INSERT_POLICY = insert_unless_there(_POLICY)


def reference_is_taken(session: Session, reference: str) -> bool:
    return _WITH_REFERENCE.first(session, {"reference": reference}) is not None


def add_case(session: Session, **values: Any) -> Case:
    """Write a case; columns not given have the table's defaults. It is one of the session's objects."""
    case = record(Case, _CASE_DEFAULTS() | values)
    _INSERT_CASE.run(session, columns_of(case))
    _adopt(session, case)
    return case


def new_clock(**values: Any) -> Clock:
    """A clock with every column: those not given have the table's defaults. `add_clock` writes it."""
    return record(Clock, _CLOCK_DEFAULTS() | values)


def add_clock(session: Session, clock: Clock) -> bool:
    """Write a new clock, from now on one of the session's objects; False, and nothing written, if a unique key is taken."""
    if _INSERT_CLOCK.first(session, columns_of(clock)) is None:
        return False
    _adopt(session, clock)
    return True


def has_policy(session: Session, version: str) -> bool:
    """Whether this version of a policy is kept."""
    return _HAS_POLICY.first(session, {"id": version}) is not None


def add_policy(session: Session, version: str, policy: str, content: str, *, now: datetime) -> None:
    """Keep a version of a policy, unless somebody else was quicker."""
    _INSERT_POLICY.run(session, {"id": version, "policy": policy, "content": content, "created_at": now})


def _adopt(session: Session, row: SQLModel) -> None:
    """Make what has just been written one of the session's objects without reading it back."""
    make_transient_to_detached(row)
    session.add(row)
