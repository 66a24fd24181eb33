"""handover: the on-call ladder, its attempts, and the looks that are due at an emergency"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision: str = "8a3f60c2d915"
down_revision: str | None = "5d1c7a90be42"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "handover",
        sa.Column("id", sa.String(length=32), primary_key=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), sa.ForeignKey("case.id"), nullable=False),
        sa.Column("conversation_id", sa.String(), sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("code", sa.String(), nullable=False, unique=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("rung", sa.Integer(), nullable=False),
        sa.Column("lap", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("rung_until", Instant()),
        sa.Column("next_at", Instant()),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("concerns", sa.JSON(), nullable=False),
        sa.Column("told_lap", sa.Integer(), nullable=False),
        sa.Column("taken_at", Instant()),
        sa.Column("taken_by", sa.String()),
        sa.Column("taken_rung", sa.Integer()),
        sa.Column("taken_staff_id", sa.String(), sa.ForeignKey("staff.id")),
        sa.Column("how", sa.String()),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(), sa.ForeignKey("staff.id")),
        sa.Column("reason", sa.Text()),
    )
    op.create_index("ix_handover_case_id", "handover", ["case_id"])
    op.create_index("ix_handover_conversation_id", "handover", ["conversation_id"])
    _index("ix_handover_next", "handover", ["next_at"], "next_at IS NOT NULL")
    _index("uq_handover_case", "handover", ["case_id"], "purpose = 'emergency'", unique=True)
    op.create_table(
        "handover_attempt",
        sa.Column("id", sa.String(length=32), primary_key=True),
        sa.Column("handover_id", sa.String(), sa.ForeignKey("handover.id"), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("lap", sa.Integer(), nullable=False),
        sa.Column("rung", sa.Integer(), nullable=False),
        sa.Column("rung_name", sa.String(), nullable=False),
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("says", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("due_at", Instant()),
        sa.Column("ended_at", Instant()),
        sa.Column("provider_id", sa.String()),
        sa.Column("error", sa.String()),
        sa.Column("once", sa.String(), unique=True),
    )
    op.create_index("uq_handover_attempt_n", "handover_attempt", ["handover_id", "n"], unique=True)
    _index("ix_handover_attempt_due", "handover_attempt", ["due_at"], "due_at IS NOT NULL")
    op.create_table(
        "follow_up",
        sa.Column("id", sa.String(length=32), primary_key=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("handover_id", sa.String(), sa.ForeignKey("handover.id"), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("done_at", Instant()),
        sa.Column("found", sa.String()),
    )
    op.create_index("ix_follow_up_handover_id", "follow_up", ["handover_id"])
    _index("ix_follow_up_due", "follow_up", ["due_at"], "done_at IS NULL")
    _index("uq_follow_up_open", "follow_up", ["handover_id", "kind"], "done_at IS NULL", unique=True)


def _index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
