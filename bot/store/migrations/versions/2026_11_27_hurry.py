"""hurry: when what a tenant is to know was written, so that a person can say it while there is time"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision: str = "7c1e58d20a96"
down_revision: str | None = "c41f7e08b3d6"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("clock", sa.Column("said_at", Instant(), nullable=True))
