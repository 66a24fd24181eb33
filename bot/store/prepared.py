"""Statements that run for every message, prepared once.

SQLAlchemy looks a statement up, binds it and wraps its result anew each time that it is executed; on the path of a message
that took longer than the database. A `Prepared` is an ordinary Core statement, written once for both databases. On SQLite
its text and the conversions of its values are worked out when it first runs; from then on the driver is spoken to directly,
on the connection and in the transaction of the session that is given. On PostgreSQL, where the way to the server costs more
than that, SQLAlchemy executes it.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Dialect, Executable, Table
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.sql.compiler import SQLCompiler
from sqlmodel import Session

Values = Mapping[str, Any]
Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as SQLite's driver takes it."""

    text: str
    places: tuple[tuple[str | None, Any], ...]
    """For each `?`: the name of the value and how it is converted, or None and the constant that stands there."""
    columns: tuple[str, ...]
    """Of the rows that it returns."""
    conversions: tuple[tuple[str, Convert], ...]
    """Of those columns whose values the driver does not return as they are."""

    def bind(self, values: Values) -> list[Any]:
        return [
            convert if name is None else values[name] if convert is None else convert(values[name])
            for name, convert in self.places
        ]

    def read(self, row: Sequence[Any]) -> dict[str, Any]:
        found = dict(zip(self.columns, row, strict=True))
        for name, convert in self.conversions:
            found[name] = convert(found[name])
        return found


class Prepared:
    """A Core statement; `postgresql` where that database needs one of its own. `columns` are those that an INSERT is given
    values for, all of the table's if left out.

    A statement that fails raises the driver's own error on SQLite, and SQLAlchemy's around it on PostgreSQL.
    """

    def __init__(
        self, statement: Executable, *, postgresql: Executable | None = None, columns: Iterable[str] | None = None
    ) -> None:
        self._statement = statement
        self._on_server = statement if postgresql is None else postgresql
        self._columns = None if columns is None else list(columns)
        self._compiled: _Compiled | None = None

    def first(self, session: Session, values: Values) -> Mapping[str, Any] | None:
        """The first row, by column."""
        connection = session.connection()
        if (driver := _sqlite(connection)) is None:
            row = connection.execute(self._on_server, values).mappings().first()
            return None if row is None else dict(row)
        compiled = self._compiled or self._compile(connection.dialect)
        # All rows, so that a statement that changes some is carried through.
        found = driver.execute(compiled.text, compiled.bind(values)).fetchall()
        return compiled.read(found[0]) if found else None

    def all(self, session: Session, values: Values) -> Sequence[Mapping[str, Any]]:
        """Every row, by column."""
        connection = session.connection()
        if (driver := _sqlite(connection)) is None:
            return [dict(row) for row in connection.execute(self._on_server, values).mappings()]
        compiled = self._compiled or self._compile(connection.dialect)
        return [compiled.read(row) for row in driver.execute(compiled.text, compiled.bind(values)).fetchall()]

    def run(self, session: Session, values: Values) -> int:
        """How many rows were changed."""
        connection = session.connection()
        if (driver := _sqlite(connection)) is None:
            return cast("CursorResult[Any]", connection.execute(self._on_server, values)).rowcount
        compiled = self._compiled or self._compile(connection.dialect)
        return driver.execute(compiled.text, compiled.bind(values)).rowcount

    def run_each(self, session: Session, rows: Sequence[Values]) -> None:
        """`run` for each set of values."""
        connection = session.connection()
        if (driver := _sqlite(connection)) is None:
            connection.execute(self._on_server, rows)
            return
        compiled = self._compiled or self._compile(connection.dialect)
        driver.executemany(compiled.text, [compiled.bind(values) for values in rows])

    def _compile(self, dialect: Dialect) -> _Compiled:
        compiled = cast(
            SQLCompiler,
            self._statement.compile(dialect=dialect, column_keys=self._columns),  # type: ignore[attr-defined]
        )
        assert not compiled.post_compile_params, "an IN over a list has no text of its own"
        constants = compiled.construct_params(_check=False)
        places: list[tuple[str | None, Any]] = []
        for name in compiled.positiontup or ():
            bound = compiled.binds[name]
            convert = bound.type.dialect_impl(dialect).bind_processor(dialect)
            if bound.required:
                places.append((name, convert))
            else:
                places.append((None, convert(constants[name]) if convert else constants[name]))
        returned = list(getattr(self._statement, "exported_columns", ()))
        conversions = (
            (each.key, convert)
            for each in returned
            if (convert := each.type.dialect_impl(dialect).result_processor(dialect, None)) is not None
        )
        self._compiled = _Compiled(
            compiled.string, tuple(places), tuple(each.key for each in returned), tuple(conversions)
        )
        return self._compiled


def insert_unless_there(
    table: Table, *, columns: Iterable[str] | None = None, returning: str | None = None, **conflict: Any
) -> Prepared:
    """An INSERT that does nothing where a unique key is taken; `conflict` names the key as `on_conflict_do_nothing` takes
    it, any key if left out. `returning` is a column of the row, if one was written."""
    sqlite = sqlite_insert(table).on_conflict_do_nothing(**conflict)
    postgres = postgres_insert(table).on_conflict_do_nothing(**conflict)
    if returning is None:
        return Prepared(sqlite, postgresql=postgres, columns=columns)
    wanted = table.c[returning]
    return Prepared(sqlite.returning(wanted), postgresql=postgres.returning(wanted), columns=columns)


def _sqlite(connection: Connection) -> sqlite3.Connection | None:
    """SQLite's own connection beneath SQLAlchemy's; None for another database."""
    driver = connection.connection.dbapi_connection
    return driver if isinstance(driver, sqlite3.Connection) else None
