"""What the rest of the node knows of the database: units of work, rows and statements; never a driver.

A *unit of work* is an ``async`` function of one transaction. Its rules hold for every database behind this port:

* It awaits only its transaction. Anything else (a lock, a queue, HTTP, ``asyncio.sleep``, ``Store.write``) is refused
  with `StoreMisuse`: a commit that waits for the world would stop the node.
* It runs away from the event loop, on the database's own thread. So it reads what it closes over, returns its result,
  and touches nothing else that lives on the loop: wake others after ``await store.write(...)`` has returned.
* It is all or nothing. After a statement failed the unit is lost: it must let the error go up. Where a conflict is
  expected, say so in SQL (``ON CONFLICT``).
* It is short: no signing of megabytes, no rule, no parsing of strangers' bytes. One that takes longer than the
  store's limit is stopped and rolled back with `StoreBusy`.

Statements are SQL text, or SQLAlchemy Core expressions wrapped once, at module level, by `sql`. Parameters are named
(``:name``, a mapping; the only style for `sql`) or, in SQL text only, counted (``?``, a sequence). Values are ``int``,
``str``, ``bytes``, ``float`` or ``None``: Core's Python-side defaults and type conversions do not run. A row is read by
name: ``row["issue_key"]``.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql.elements import CompilerElement

from node.store.errors import StoreMisuse

T = TypeVar("T")

Value: TypeAlias = int | float | str | bytes | None
Parameters: TypeAlias = Mapping[str, Value] | Sequence[Value]
NO_PARAMETERS: Parameters = {}


class Row(Protocol):
    """One row, read by column name."""

    def __getitem__(self, key: str, /) -> Any:
        """Return the value of a column; an unknown name is an ``IndexError`` or ``KeyError``."""
        ...

    def keys(self) -> Iterable[str]:
        """Return the column names in the order of the statement."""
        ...


class Result(NamedTuple):
    """What a statement without rows did."""

    rowcount: int
    """Rows inserted, updated or deleted; -1 where the database does not say (a statement that begins with WITH)."""

    lastrowid: int
    """The id of the inserted row, meaningful only after an INSERT of one row into a table with an INTEGER primary key.

    Not for ``ON CONFLICT DO NOTHING`` (it keeps the id of an earlier insert), nor for code that shall run on another
    database: ``INSERT ... RETURNING id`` through ``fetch_one`` is right everywhere.
    """


class Sql:
    """A Core expression that becomes SQL text once per dialect."""

    __slots__ = ("_compiled", "_expression", "_guard")

    def __init__(self, expression: CompilerElement) -> None:
        self._expression = expression
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}
        self._guard = threading.Lock()

    def text(self, dialect: Dialect) -> tuple[str, dict[str, Any]]:
        """Return the SQL text and the values that the expression itself fixed.

        Raises:
            StoreMisuse: the expression cannot become one fixed text.
        """
        found = self._compiled.get(dialect.name)
        if found is None:
            with self._guard:
                found = self._compiled[dialect.name] = _compile(self._expression, dialect)
        return found


def sql(expression: CompilerElement) -> Sql:
    """Wrap a Core expression for ``execute`` and ``fetch``; call it once, at module level."""
    return Sql(expression)


Statement: TypeAlias = str | Sql


class Reader(Protocol):
    """One snapshot of the database. Never writes."""

    async def fetch_one(self, statement: Statement, parameters: Parameters = ..., /) -> Row | None:
        """Run the statement to its end and return its first row, or None."""
        ...

    async def fetch_all(self, statement: Statement, parameters: Parameters = ..., /) -> list[Row]:
        """Run the statement and return all its rows; the caller bounds them with LIMIT."""
        ...


class Transaction(Reader, Protocol):
    """One unit of work. Sees what it wrote; others see it after the commit."""

    async def execute(self, statement: Statement, parameters: Parameters = ..., /) -> Result:
        """Run a statement whose rows, if any, nobody wants."""
        ...

    async def executemany(self, statement: Statement, rows: Iterable[Parameters], /) -> Result:
        """Run an INSERT, UPDATE or DELETE once per row."""
        ...


Write: TypeAlias = Callable[[Transaction], Awaitable[T]]
Read: TypeAlias = Callable[[Reader], Awaitable[T]]

SQLITE: Dialect = sqlite.dialect(paramstyle="named")


def _compile(expression: CompilerElement, dialect: Dialect) -> tuple[str, dict[str, Any]]:
    compiled = expression.compile(dialect=dialect)
    text = str(compiled)
    fixed: dict[str, Any] = {}
    for bind, name in getattr(compiled, "bind_names", {}).items():
        if bind.expanding:
            values = list(bind.effective_value or ())
            if not values:
                raise StoreMisuse(f"IN (:{name}) has no fixed, non-empty list of values; use json_each(:{name})")
            names = [f"{name}_{number}" for number in range(1, len(values) + 1)]
            fixed.update(zip(names, values, strict=True))
            text = text.replace(f"__[POSTCOMPILE_{name}]", ", ".join(f":{each}" for each in names))
        elif not bind.required:
            fixed[name] = bind.effective_value
    if "[POSTCOMPILE_" in text:
        raise StoreMisuse(f"a statement cannot become one fixed text: {text}")
    return text, fixed
