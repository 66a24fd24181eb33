"""care: how a person may be reached, surveys after repairs"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision: str = "e2a94b07c5f1"
down_revision: str | None = "7c1e58d20a96"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    for name in ("quiet_from", "quiet_until", "safe_from", "safe_until"):
        op.add_column("contact", sa.Column(name, sa.String(), nullable=True))
    op.add_column("contact", sa.Column("never_by", sa.JSON(), nullable=True))
    op.add_column("contact", sa.Column("no_trace_since", Instant(), nullable=True))
    op.add_column("contact", sa.Column("safe_contact", sa.Text(), nullable=True))
    op.add_column("contact", sa.Column("no_surveys_since", Instant(), nullable=True))
    op.create_table(
        "survey",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("case_id", sa.String(), sa.ForeignKey("case.id"), nullable=False, unique=True),
        sa.Column("contact_id", sa.String(), sa.ForeignKey("contact.id"), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("act_at", Instant(), nullable=True),
        sa.Column("message_id", sa.String(), sa.ForeignKey("message.id"), nullable=True),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("reminded_at", Instant(), nullable=True),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("score", sa.Integer(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("answered_at", Instant(), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
    )
    op.create_index("ix_survey_contact_id", "survey", ["contact_id"])
    due = sa.text("act_at IS NOT NULL")
    op.create_index("ix_survey_act", "survey", ["act_at"], sqlite_where=due, postgresql_where=due)
