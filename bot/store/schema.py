"""The schema's version: what the database has, what the program needs, and the way from one to the other."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlmodel import SQLModel

from bot.store import outside as _outside  # noqa: F401 - its tables belong to the schema
from bot.store.database import SchemaTooOld, Store


def migrate(store: Store) -> str:
    """Bring the database to the newest schema and return its revision. Does nothing when it is there already."""
    with store.engine.begin() as connection:
        command.upgrade(_config(connection), "head")
    return newest()


def check(store: Store) -> None:
    """Raise SchemaTooOld unless the database has the schema that this program needs."""
    with store.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current != newest():
        raise SchemaTooOld(
            f"the database's schema is {current or 'missing'}, this program needs {newest()}: run `doorstep migrate`"
        )


def newest() -> str:
    """The newest revision this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head() or "none"


def differences(store: Store) -> list[Any]:
    """What distinguishes the migrated database from the tables as declared: empty when the migrations are complete."""
    with store.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), SQLModel.metadata))


def draft(store: Store, message: str) -> None:
    """Write the next migration from the difference; for developers, who then read it (`make migration m="…"`)."""
    with store.engine.begin() as connection:
        command.revision(_config(connection), message=message, autogenerate=True)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("file_template", "%%(year)d_%%(month).2d_%%(day).2d_%%(slug)s")
    config.attributes["connection"] = connection
    return config
