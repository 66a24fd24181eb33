"""seals: the hash chain over events"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision: str = "c41f7e08b3d6"
down_revision: str | None = "8a3f60c2d915"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "seal",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
    )
    op.add_column("event", sa.Column("detail_digest", sa.String()))
    op.add_column("event", sa.Column("seal", sa.Integer()))
    unsealed = sa.text("seal IS NULL")
    op.create_index("ix_event_unsealed", "event", ["id"], sqlite_where=unsealed, postgresql_where=unsealed)
    op.create_index("ix_event_seal", "event", ["seal"])
