"""What a unit of work may expect of the store, and what its neighbours may."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.store.engine import Store, Transaction
from node.store.errors import StoreBusy, StoreClosed, StoreConflict, StoreMisuse, StoreRefused
from tests.support.store_log import DEADLINE, Gate, adding, entries, open_with_log

NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
ENDLESS_READ = NUMBERS + "SELECT max(i) FROM n"  # noqa: S608 - words of ours
ENDLESS_WRITE = NUMBERS + "INSERT INTO log (entry) SELECT 'x' || i FROM n"  # noqa: S608 - the same


async def test_a_write_returns_the_result_of_its_work_and_is_seen_by_the_next_read(store: Store) -> None:
    """What write returned is in the database for everybody."""
    assert await store.write(adding("a")) == 1
    assert await entries(store) == ["a"]


async def test_a_failing_unit_is_rolled_back_alone(store: Store) -> None:
    """Neighbours of a unit that raised are committed; its own rows are not, and its caller gets the error."""

    async def fail(tx: Transaction) -> None:
        await adding("lost")(tx)
        raise LookupError("the caller's own error")

    outcomes = await asyncio.gather(
        store.write(adding("a")), store.write(fail), store.write(adding("b")), return_exceptions=True
    )
    assert isinstance(outcomes[1], LookupError)
    assert await entries(store) == ["a", "b"]


async def test_a_conflict_names_the_constraint_and_hurts_nobody_else(store: Store) -> None:
    """A broken UNIQUE is a StoreConflict with the column's name."""
    first, second, third = await asyncio.gather(
        store.write(adding("a")), store.write(adding("a")), store.write(adding("b")), return_exceptions=True
    )
    assert first == 1
    assert isinstance(second, StoreConflict)
    assert second.constraint == "log.entry"
    assert isinstance(third, int)
    assert await entries(store) == ["a", "b"]


async def test_a_unit_that_swallows_the_error_of_a_statement_is_refused_whole(store: Store) -> None:
    """All or nothing, on every database: a unit cannot go on after a failed statement."""

    async def swallow(tx: Transaction) -> None:
        await adding("a")(tx)
        try:
            await adding("a")(tx)
        except StoreConflict:
            return

    with pytest.raises(StoreMisuse, match="swallowed"):
        await store.write(swallow)
    assert await entries(store) == []


async def test_units_run_in_the_order_in_which_they_were_handed_in(store: Store) -> None:
    """A thousand concurrent writes are stored in call order, over the borders of many commits."""
    names = [f"entry {number}" for number in range(1000)]
    await asyncio.gather(*(store.write(adding(name)) for name in names))
    assert await entries(store) == names


async def commits_of(store: Store) -> list[str]:
    """Return a list that grows with every commit from here on."""
    commits: list[str] = []

    def count(statement: str) -> None:
        if statement == "COMMIT":
            commits.append(statement)

    await store._writer._driver.run(lambda raw: raw.set_trace_callback(count))
    return commits


async def test_many_callers_share_few_commits(store: Store) -> None:
    """Group commit: 400 concurrent callers cause far fewer than 400 commits."""
    commits = await commits_of(store)
    await asyncio.gather(*(store.write(adding(str(number))) for number in range(400)))
    assert 1 <= len(commits) <= 5


async def test_a_group_lingers_for_the_company_that_the_last_one_had_and_no_longer(path: Path) -> None:
    """After a commit of two, a lone unit waits for a second one, and goes when it has come."""
    async with await open_with_log(path, linger_seconds=DEADLINE * 2) as store, asyncio.timeout(DEADLINE):
        await asyncio.gather(store.write(adding("a")), store.write(adding("b")))
        commits = await commits_of(store)
        third = asyncio.create_task(store.write(adding("c")))
        for _ in range(20):
            await entries(store)
        assert not third.done()
        await asyncio.gather(third, store.write(adding("d")))
        assert len(commits) == 1


async def test_a_caller_that_writes_alone_never_lingers(path: Path) -> None:
    """One write after the other: nobody is waited for, however long the linger."""
    async with await open_with_log(path, linger_seconds=DEADLINE * 2) as store, asyncio.timeout(DEADLINE):
        for number in range(10):
            await store.write(adding(str(number)))


async def test_awaiting_anything_but_the_transaction_is_refused(store: Store) -> None:
    """Sleeping, waiting for a future or writing through the store inside a unit is a StoreMisuse, at once."""
    future = asyncio.get_running_loop().create_future()

    async def sleep(tx: Transaction) -> None:
        await adding("lost")(tx)
        await asyncio.sleep(0.01)

    async def wait(tx: Transaction) -> None:
        await adding("lost")(tx)
        await future

    async def nest(tx: Transaction) -> None:
        await adding("lost")(tx)
        await store.write(adding("inner"))

    async def peek(tx: Transaction) -> None:
        await adding("lost")(tx)
        await store.fetch_one("SELECT 1")

    for unit in (sleep, wait, nest, peek):
        with pytest.raises(StoreMisuse):
            await store.write(unit)
    assert await store.write(adding("a")) == 1
    assert await entries(store) == ["a"]


async def test_a_transaction_is_dead_after_its_unit(store: Store) -> None:
    """A transaction that was kept cannot reach into somebody else's unit."""
    kept: list[Transaction] = []

    async def keep(tx: Transaction) -> None:
        kept.append(tx)

    await store.write(keep)
    with pytest.raises(StoreMisuse, match="ended"):
        await kept[0].execute("DELETE FROM log")


async def test_a_unit_whose_rows_cannot_be_made_is_refused_whole(store: Store) -> None:
    """Rows that were in before the fault do not stay, even if the unit hides the fault."""

    def rows() -> Iterator[tuple[str]]:
        yield ("a",)
        raise LookupError("no second row")

    async def hide(tx: Transaction) -> None:
        with contextlib.suppress(LookupError):
            await tx.executemany("INSERT INTO log (entry) VALUES (?)", rows())

    with pytest.raises(StoreMisuse, match="swallowed"):
        await store.write(hide)
    assert await entries(store) == []


async def test_work_that_raises_what_a_future_cannot_carry_still_answers(store: Store) -> None:
    """StopIteration from a plain function is our mistake, and stops neither the writer nor a reader."""

    def stop(_session: object) -> Awaitable[None]:
        raise StopIteration

    for call in (store.write, store.read):
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(StoreMisuse, match="StopIteration"):
                await call(stop)
    assert await store.write(adding("a")) == 1


async def test_a_unit_that_ends_the_transaction_itself_is_named(store: Store) -> None:
    """COMMIT and ROLLBACK belong to the store."""

    async def end(tx: Transaction) -> None:
        await tx.execute("ROLLBACK")

    with pytest.raises(StoreMisuse, match="ended the transaction"):
        await store.write(end)
    assert await store.write(adding("a")) == 1


async def test_a_cancelled_caller_leaves_its_neighbours_alone(store: Store) -> None:
    """Cancelled before its unit began: not done. Cancelled while it ran: done. Neighbours: done."""
    gate = Gate("running")
    running = asyncio.create_task(store.write(gate))
    await asyncio.to_thread(gate.reached.wait, DEADLINE)
    waiting = [asyncio.create_task(store.write(adding(name))) for name in ("before", "cancelled", "after")]
    await asyncio.sleep(0)
    waiting[1].cancel()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gate.open()
    await asyncio.gather(waiting[0], waiting[2])
    assert waiting[1].cancelled()
    assert await entries(store) == ["running", "before", "after"]


async def test_an_endless_read_in_a_unit_is_stopped_and_its_neighbours_commit(path: Path) -> None:
    """The time limit holds inside SQLite, for one unit only."""

    async def endless(tx: Transaction) -> None:
        await adding("lost")(tx)
        await tx.fetch_one(ENDLESS_READ)

    async with await open_with_log(path, unit_seconds=0.2) as store:
        outcomes = await asyncio.gather(
            store.write(adding("a")), store.write(endless), store.write(adding("b")), return_exceptions=True
        )
        assert isinstance(outcomes[1], StoreBusy)
        assert await entries(store) == ["a", "b"]


async def test_an_endless_write_is_stopped_and_the_store_goes_on(path: Path) -> None:
    """SQLite gives up the whole group when a write is stopped: its neighbours hear that they may try again."""

    async def endless(tx: Transaction) -> None:
        await tx.execute(ENDLESS_WRITE)

    async with await open_with_log(path, unit_seconds=0.2) as store:
        outcomes = await asyncio.gather(
            store.write(adding("a")), store.write(endless), store.write(adding("b")), return_exceptions=True
        )
        assert all(isinstance(outcome, StoreBusy) for outcome in outcomes)
        assert len({id(outcome) for outcome in outcomes}) == 3
        assert await entries(store) == []
        await store.write(adding("a"))
        assert await entries(store) == ["a"]


async def test_a_unit_that_stands_still_frees_its_callers_and_is_never_committed(path: Path) -> None:
    """Code that does not come back cannot be killed, but everybody else hears of it, and its work is not stored."""
    async with await open_with_log(path, unit_seconds=0.1) as store:
        gate = Gate("stuck")
        units = [asyncio.create_task(store.write(unit)) for unit in (adding("before"), gate, adding("behind"))]
        try:
            async with asyncio.timeout(DEADLINE):
                outcomes = await asyncio.gather(*units, return_exceptions=True)
                assert all(isinstance(outcome, StoreBusy) for outcome in outcomes)
                with pytest.raises(StoreBusy, match="does not end"):
                    await store.write(adding("later"))
                assert await entries(store) == []
        finally:
            gate.open()
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    await store.write(adding("a"))
                    break
                except StoreBusy:
                    await asyncio.sleep(0.01)
        assert await entries(store) == ["a"]


async def test_values_come_back_as_they_were_and_impossible_ones_are_refused(store: Store) -> None:
    """Integers of 64 bits, any Unicode text, bytes and NULL are stored; what cannot be is a StoreRefused in words."""

    async def keep(tx: Transaction) -> None:
        await tx.execute("CREATE TABLE box (i INTEGER, t TEXT, b BLOB, r REAL) STRICT")
        row = (-(2**63), "\0 \U0001f642 ' \u202e", bytes(range(256)), 0.1)
        await tx.execute("INSERT INTO box VALUES (?, ?, ?, ?)", row)
        await tx.executemany("INSERT INTO box VALUES (?, ?, ?, ?)", [(None,) * 4, row])
        found = await tx.fetch_all("SELECT i, t, b, r FROM box")
        assert [tuple(each[name] for name in "itbr") for each in found] == [row, (None,) * 4, row]

    await store.write(keep)
    for column, value in (("i", 2**63), ("i", "text"), ("t", "\ud800"), ("b", "text")):

        async def refuse(tx: Transaction, column: str = column, value: int | str = value) -> None:
            await tx.execute(f"INSERT INTO box ({column}) VALUES (:value)", {"value": value})  # noqa: S608 - a name above

        with pytest.raises(StoreRefused, match="cannot be stored"):
            await store.write(refuse)


async def test_a_wrong_statement_is_our_mistake_and_says_so(store: Store) -> None:
    """Bad SQL, a missing table, a missing parameter and a writing read are StoreMisuse, not sqlite3's errors."""
    for statement in ("SELEKT 1", "SELECT * FROM nowhere", "SELECT :absent", "DELETE FROM log"):
        with pytest.raises(StoreMisuse):
            await store.fetch_all(statement, {})


async def test_a_unit_sees_the_context_of_its_caller(store: Store) -> None:
    """Context variables (log fields, say) follow a unit to the database's thread."""
    name = contextvars.ContextVar("name", default="nobody")
    name.set("Alice")

    async def ask(tx: Transaction) -> str:
        return name.get()

    assert await store.write(ask) == "Alice"


async def test_closing_finishes_what_was_handed_in_and_refuses_the_rest(path: Path) -> None:
    """Nothing accepted is dropped, nothing is accepted later; closing twice is harmless."""
    store = await open_with_log(path)
    writes = [asyncio.create_task(store.write(adding(str(number)))) for number in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writes)
    await store.close()
    with pytest.raises(StoreClosed):
        await store.write(adding("late"))
    with pytest.raises(StoreClosed):
        await store.fetch_all("SELECT 1")
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM log").fetchone() == (50,)
    raw.close()


@settings(max_examples=20)
@given(
    units=st.lists(
        st.tuples(st.lists(st.integers(0, 8), min_size=1, max_size=3), st.booleans()),
        max_size=12,
    )
)
def test_any_mix_of_units_leaves_what_running_them_one_by_one_would_leave(
    units: list[tuple[list[int], bool]],
) -> None:
    """Grouping is invisible: the table, the order and each caller's outcome are those of single transactions."""
    expected: list[str] = []
    fates: list[bool] = []
    for numbers, fails in units:
        added = [str(number) for number in numbers]
        possible = not fails and len({*expected, *added}) == len(expected) + len(added)
        fates.append(possible)
        expected += added if possible else []

    async def run(folder: Path) -> tuple[list[str], list[bool]]:
        async with await open_with_log(folder / "accord.db") as store:

            def unit(numbers: list[int], fails: bool) -> Callable[[Transaction], Awaitable[None]]:
                async def work(tx: Transaction) -> None:
                    for number in numbers:
                        await adding(str(number))(tx)
                    if fails:
                        raise LookupError

                return work

            outcomes = await asyncio.gather(*(store.write(unit(*each)) for each in units), return_exceptions=True)
            return await entries(store), [outcome is None for outcome in outcomes]

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(run(Path(folder))) == (expected, fates)
