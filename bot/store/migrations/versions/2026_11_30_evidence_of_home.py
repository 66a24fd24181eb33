"""files that tenants send are kept, and calls to tenants who take no messages"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision: str = "93f2d6c81b05"
down_revision: str | None = "4d0b9e6f27a1"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    # What came before is fetched now, as far as the providers still have it.
    op.add_column("attachment", sa.Column("state", sa.String(), nullable=False, server_default="waiting"))
    op.add_column("attachment", sa.Column("due_at", Instant()))
    op.add_column("attachment", sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("attachment", sa.Column("error", sa.String()))
    op.add_column("attachment", sa.Column("digest", sa.String()))
    op.add_column("attachment", sa.Column("kind", sa.String()))
    op.add_column("attachment", sa.Column("kept_at", Instant()))
    op.execute(
        "UPDATE attachment SET due_at = (SELECT created_at FROM message WHERE message.id = attachment.message_id) "
        "WHERE handle NOT LIKE 'geo:%' AND handle NOT LIKE 'tel:%'"
    )
    op.execute("UPDATE attachment SET state = 'no_file' WHERE handle LIKE 'geo:%' OR handle LIKE 'tel:%'")
    _index("ix_attachment_due", "attachment", ["due_at"], "due_at IS NOT NULL")
    op.create_table(
        "tenant_call",
        sa.Column("id", sa.String(length=32), primary_key=True),
        sa.Column("conversation_id", sa.String(), sa.ForeignKey("conversation.id"), nullable=False),
        sa.Column("case_id", sa.String(), sa.ForeignKey("case.id")),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("hazard", sa.String(), nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("due_at", Instant()),
        sa.Column("answered_at", Instant()),
        sa.Column("ended_at", Instant()),
        sa.Column("provider_id", sa.String()),
        sa.Column("error", sa.String()),
    )
    op.create_index("ix_tenant_call_conversation_id", "tenant_call", ["conversation_id"])
    op.create_index("ix_tenant_call_case_id", "tenant_call", ["case_id"])
    _index("ix_tenant_call_due", "tenant_call", ["due_at"], "due_at IS NOT NULL")


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
