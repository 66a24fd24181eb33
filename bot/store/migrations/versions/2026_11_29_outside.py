"""outside: tokens, webhooks and what is on its way to them; the later day that a tenant chose"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision: str = "4d0b9e6f27a1"
down_revision: str | None = "e2a94b07c5f1"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "api_token",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant()),
        sa.Column("last_used_at", Instant()),
        sa.Column("revoked_at", Instant()),
    )
    op.create_table(
        "webhook",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("in_confidence", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("next_at", Instant()),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", Instant()),
        sa.Column("last_error", sa.String()),
        sa.Column("delivered_at", Instant()),
        sa.Column("disabled_at", Instant()),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("webhook_id", sa.String(32), primary_key=True),
        sa.Column("event_id", sa.String(32), primary_key=True),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("case_id", sa.String()),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("delivered_at", Instant()),
    )
    waiting, done = sa.text("delivered_at IS NULL"), sa.text("delivered_at IS NOT NULL")
    op.create_index(
        "ix_webhook_delivery_waiting", "webhook_delivery", ["webhook_id", "event_id"], sqlite_where=waiting,
        postgresql_where=waiting,
    )  # fmt: skip
    op.create_index(
        "ix_webhook_delivery_done", "webhook_delivery", ["delivered_at"], sqlite_where=done, postgresql_where=done
    )
    op.add_column("clock", sa.Column("chosen", sa.JSON(), nullable=True))
