"""Alembic's entry point: it is handed an open connection by `bot.store.schema`, and knows no database address."""

from typing import Any, Literal

from alembic import context
from sqlmodel import SQLModel

from bot.store.tables import Instant


def _render(kind: str, value: Any, _context: Any) -> str | Literal[False]:
    """Write our own types by their short names, and SQLModel's strings as plain ones, so that migrations read easily."""
    if kind == "type" and isinstance(value, Instant):
        return "Instant()"
    if kind == "type" and type(value).__name__ == "AutoString":
        return "sa.String()"
    return False


connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True, render_item=_render)
with context.begin_transaction():
    context.run_migrations()
