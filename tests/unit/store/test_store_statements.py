"""Core expressions become fixed SQL text, once."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, insert, select, update

from node.store.engine import Store, Transaction, sql
from node.store.errors import StoreMisuse
from node.store.port import SQLITE
from node.store.schema import meta

PUT = sql(insert(meta))
RENAME = sql(update(meta).where(meta.c.key == bindparam("old")).values(key=bindparam("new")))
SOME = sql(
    select(meta.c.key)
    .where(meta.c.key.in_(["a", "b"]), meta.c.value != bindparam("not_value"))
    .order_by(meta.c.key)
    .limit(5)
)


async def test_expressions_run_with_named_parameters_and_fixed_values(store: Store) -> None:
    """INSERT of all columns, UPDATE with bound names, and IN and LIMIT with values fixed in the expression."""

    async def work(tx: Transaction) -> list[str]:
        await tx.executemany(PUT, [{"key": key, "value": "1"} for key in ("a", "b", "c")])
        await tx.execute(PUT, {"key": "d", "value": "2"})
        assert (await tx.execute(RENAME, {"old": "d", "new": "e"})).rowcount == 1
        return [row["key"] for row in await tx.fetch_all(SOME, {"not_value": "2"})]

    assert await store.write(work) == ["a", "b"]
    assert await store.fetch_all(SOME, {"not_value": "1"}) == []


async def test_fixed_values_reach_every_row_of_many(store: Store) -> None:
    """A statement with a fixed value runs once per row with it."""
    stamp = sql(update(meta).where(meta.c.key == bindparam("old")).values(value="seen"))

    async def work(tx: Transaction) -> None:
        await tx.executemany(PUT, [{"key": key, "value": "1"} for key in ("a", "b", "c")])
        assert (await tx.executemany(stamp, [{"old": "a"}, {"old": "c"}])).rowcount == 2

    await store.write(work)
    assert len(await store.fetch_all("SELECT 1 FROM meta WHERE value = 'seen'")) == 2


def test_an_expression_is_compiled_once() -> None:
    """The hot path hands over the same text object each time."""
    assert SOME.text(SQLITE) is SOME.text(SQLITE)


@pytest.mark.parametrize("values", [bindparam("keys", expanding=True), []], ids=["a list given later", "an empty list"])
def test_a_list_without_a_fixed_length_is_refused_with_the_way_out(values: object) -> None:
    """One text cannot hold a list that grows; json_each can."""
    with pytest.raises(StoreMisuse, match="json_each"):
        sql(select(meta).where(meta.c.key.in_(values))).text(SQLITE)  # type: ignore[arg-type]


async def test_counted_parameters_do_not_fit_an_expression(store: Store) -> None:
    """Expressions have named parameters; a sequence is refused, also in executemany."""

    async def one(tx: Transaction) -> None:
        await tx.execute(PUT, ("a", "1"))

    stamp = sql(update(meta).where(meta.c.key == bindparam("old")).values(value="seen"))

    async def many(tx: Transaction) -> None:
        await tx.executemany(stamp, [("a",)])

    for unit in (one, many):
        with pytest.raises(StoreMisuse, match="named"):
            await store.write(unit)


async def test_an_expression_without_parameters_needs_none(store: Store) -> None:
    """The short reads of the store take an expression as it is."""
    assert await store.fetch_all(sql(select(meta.c.key).where(meta.c.key == "nothing"))) == []
    assert await store.fetch_one(sql(select(meta.c.key).where(meta.c.key == "nothing"))) is None
