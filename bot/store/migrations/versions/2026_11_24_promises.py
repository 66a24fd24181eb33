"""promises: what time asks of a clock, and what became of it"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision: str = "5d1c7a90be42"
down_revision: str | None = "0b502750e017"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_INSTANTS = (
    "warn_from", "act_at", "asked_at", "owner_warned_at", "manager_warned_at", "told_at", "missed_at", "ended_at",
    "paused_at",
)  # fmt: skip
# Columns that refer to other tables are added in plain SQL, which SQLite and PostgreSQL both understand: Alembic would
# build SQLite's tables anew for them.
_REFERENCES = (
    ("clock", "told_message_id", "message"),
    ("clock", "extends_id", "clock"),
    ("task", "clock_id", "clock"),
    ('"case"', "owner_id", "staff"),
)
_UNSEEN = "channel = 'web' AND state = 'sent' AND kind IN ('acknowledgement', 'update', 'apology', 'warning')"


def upgrade() -> None:
    op.add_column("contact", sa.Column("preferred_channel", sa.String(), nullable=True))
    op.add_column("contact", sa.Column("preferred_format", sa.String(), nullable=True))
    op.add_column("message", sa.Column("once", sa.String(), nullable=True))
    op.add_column("case", sa.Column("closed_as", sa.String(), nullable=True))
    op.add_column("case", sa.Column("outcome", sa.Text(), nullable=True))
    for name in _INSTANTS:
        op.add_column("clock", sa.Column(name, Instant(), nullable=True))
    op.add_column("clock", sa.Column("content", sa.JSON(), nullable=True))
    op.add_column("clock", sa.Column("told_by", sa.String(), nullable=True))
    op.add_column("clock", sa.Column("reason", sa.Text(), nullable=True))
    op.add_column("clock", sa.Column("pauses", sa.JSON(), nullable=True))
    op.add_column("task", sa.Column("role", sa.String(), nullable=True))
    op.add_column("task", sa.Column("about", sa.JSON(), nullable=True))
    for table, column, other in _REFERENCES:
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR REFERENCES {other} (id)")
    # Every running clock is looked at once; what it calls for is worked out then.
    op.execute("UPDATE clock SET act_at = planned_at WHERE state = 'running'")
    op.drop_index("ix_clock_due", table_name="clock")
    _index("ix_clock_act", "clock", ["act_at"], "act_at IS NOT NULL")
    _index("uq_clock_running", "clock", ["case_id", "commitment"], "state = 'running'", unique=True)
    op.create_index("ix_clock_told_message_id", "clock", ["told_message_id"])
    _index("uq_message_once", "message", ["once"], "once IS NOT NULL", unique=True)
    _index("ix_message_unseen", "message", ["sent_at"], _UNSEEN)
    _index("uq_task_clock", "task", ["clock_id", "kind"], "clock_id IS NOT NULL", unique=True)


def _index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
