"""Group commit: many callers, one connection that writes, one fsync for all that wait.

Units of work run in the order in which they were handed in, each in a savepoint of its own, so that one that fails is
rolled back alone. Nobody hears of a result before the commit is on the disk. Never runs a unit twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any, TypeVar

from node.store.driver import Driver, Limit, translate
from node.store.errors import (
    StoreBusy,
    StoreClosed,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreMisuse,
    StoreUnavailable,
)
from node.store.port import Write
from node.store.session import SqliteTransaction, drive

T = TypeVar("T")

GROUP_LIMIT = 256
"""Units of work per commit: beyond it a commit gets slower without getting cheaper."""

LINGER_SECONDS = 0.002
"""How long a group waits for company when the last one had some: a fifth more throughput for a third less CPU."""

GRACE_SECONDS = 1.0
"""How far past its limit a unit may be before the rest of the node stops waiting for it."""


class Unit:
    """One unit of work and the caller that waits for it."""

    __slots__ = ("context", "error", "future", "result", "work")

    def __init__(self, work: Write[Any], future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future
        self.context = contextvars.copy_context()
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Tell the caller, unless it went away."""
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)

    def refuse(self, error: StoreError) -> None:
        """Tell the caller that nothing was done; the unit itself may be in the hands of the other thread."""
        if not self.future.done():
            self.future.set_exception(error)


class Group:
    """The units of one commit. ``run`` belongs to the database's thread, the rest to the event loop."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = units
        self._unit_began = time.monotonic()
        self._fate = threading.Lock()
        self._committing = False
        self._abandoned = False

    def overdue(self, seconds: float) -> bool:
        """Say whether the running unit has had more than its time, which only code between statements can take."""
        return time.monotonic() - self._unit_began > seconds

    def abandon(self) -> bool:
        """Make sure that the group will not commit; false if it is already past that point."""
        with self._fate:
            self._abandoned = not self._committing
            return self._abandoned

    def run(self, raw: sqlite3.Connection, limit: Limit) -> None:
        """Run and commit the units; afterwards each has its result or its error."""
        try:
            if raw.in_transaction:  # a rollback failed before, with the disk
                raw.execute("ROLLBACK")
            raw.execute("BEGIN IMMEDIATE")
            for unit in self.units:
                session = self._run_unit(raw, unit, limit)
                if not raw.in_transaction:  # SQLite gave up everything, the neighbours' work too
                    self._fail(session.failure or _ended_by_itself())
                    return
            if self._may_commit():
                raw.execute("COMMIT")
        except sqlite3.Error as error:
            self._fail(translate(error))
        finally:
            if raw.in_transaction:
                raw.execute("ROLLBACK")

    def _run_unit(self, raw: sqlite3.Connection, unit: Unit, limit: Limit) -> SqliteTransaction:
        raw.execute("SAVEPOINT unit")
        session = SqliteTransaction(raw, limit)
        self._unit_began = time.monotonic()
        limit.begin()
        try:
            unit.result = unit.context.run(drive, unit.work, session)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to the caller of this unit
            unit.error = error
        finally:
            limit.end()
        if raw.in_transaction:
            if unit.error is not None:
                raw.execute("ROLLBACK TO unit")
            raw.execute("RELEASE unit")
        return session

    def _may_commit(self) -> bool:
        with self._fate:
            self._committing = not self._abandoned
            return self._committing

    def _fail(self, error: StoreError) -> None:
        for unit in self.units:
            if unit.error is None:
                unit.error = _again(error)


def _ended_by_itself() -> StoreMisuse:
    return StoreMisuse("a unit of work ended the transaction by itself, and its neighbours lost their work")


def _again(error: StoreError) -> StoreError:
    """Return the same error for another caller: one object raised in many tasks would collect all their traces."""
    kinds: tuple[type[StoreError], ...] = (StoreFull, StoreBusy, StoreDamaged, StoreMisuse)
    kind = next((kind for kind in kinds if isinstance(error, kind)), StoreUnavailable)
    twin = kind(error.message, advice=error.advice)
    twin.__cause__ = error.__cause__ or error
    return twin


class Writer:
    """The one task that hands groups to the one connection that writes."""

    def __init__(self, driver: Driver, *, linger_seconds: float = LINGER_SECONDS) -> None:
        self._driver = driver
        self._linger_seconds = linger_seconds
        self._queue: deque[Unit] = deque()
        self._arrived = asyncio.Event()
        self._company = asyncio.Event()
        self._expected = 1
        self._closing = False
        self._stuck = False
        self._task = asyncio.create_task(self._serve(), name="store writer")

    async def write(self, work: Write[T]) -> T:
        """Run the unit of work; return its result when it is on the disk.

        A caller that is cancelled before its unit began leaves nothing behind; later the unit goes its way.
        """
        try:
            future = asyncio.get_running_loop().create_future()
        except RuntimeError:
            raise StoreMisuse("a unit of work may not start another: pass its transaction on instead") from None
        if self._closing:
            raise _closed()
        if self._stuck:
            raise _behind_stuck()
        self._queue.append(Unit(work, future))
        self._arrived.set()
        if len(self._queue) >= self._expected:
            self._company.set()
        result: T = await future
        return result

    async def close(self) -> None:
        """Finish what was handed in, refuse the rest, close the connection."""
        self._closing = True
        self._arrived.set()
        self._company.set()
        try:
            await asyncio.shield(self._task)
        finally:
            await self._driver.close()

    async def _serve(self) -> None:
        try:
            await self._serve_groups()
        finally:
            self._closing = True
            for unit in self._queue:
                unit.refuse(_closed())

    async def _serve_groups(self) -> None:
        while True:
            await self._arrived.wait()
            if self._expected > 1 and not self._closing:
                await self._linger()
            units = [unit for unit in self._take() if not unit.future.done()]
            if units:
                await self._commit(Group(units))
            elif self._closing and not self._queue:
                return

    async def _linger(self) -> None:
        """Wait for as many units as came last time, but not for long."""
        if len(self._queue) >= self._expected:
            return
        self._company.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._linger_seconds):
                await self._company.wait()

    def _take(self) -> list[Unit]:
        count = min(len(self._queue), GROUP_LIMIT)
        taken = [self._queue.popleft() for _ in range(count)]
        self._expected = max(count, 1)
        if not self._queue and not self._closing:
            self._arrived.clear()
        return taken

    async def _commit(self, group: Group) -> None:
        seconds = self._driver.limit.seconds
        job = asyncio.create_task(self._driver.run(lambda raw: group.run(raw, self._driver.limit)))
        while not (await asyncio.wait({job}, timeout=seconds + GRACE_SECONDS))[0]:
            if group.overdue(seconds + GRACE_SECONDS) and group.abandon():
                self._stuck = True
                for unit in (*group.units, *self._queue):
                    unit.refuse(_behind_stuck())
                await asyncio.wait({job})
                self._stuck = False
        error = job.exception()
        for unit in group.units:
            if error is not None and unit.error is None:
                unit.error = _failed(error)
            unit.settle()


def _closed() -> StoreClosed:
    return StoreClosed("the store is closed: the node is shutting down")


def _behind_stuck() -> StoreBusy:
    return StoreBusy(
        "a unit of work does not end, and nothing can be stored until it does; nothing of this was stored",
        advice="If the node does not go on by itself within a minute, restart it; no stored work is lost.",
    )


def _failed(error: BaseException) -> StoreError:
    if isinstance(error, sqlite3.Error):
        return translate(error)
    failure = StoreUnavailable("the database's thread failed; nothing of this was stored")
    failure.__cause__ = error
    return failure
