"""Sessions made ready before they are needed: fresh, with the prelude and one script inside, each for one evaluation.

Takes the making of a session out of the way of an evaluation. Makes none before a script was evaluated once, lends
none twice, and puts nothing into one but what the engine compiled: what an issue brings begins with the loan, and so
does every limit.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pydantic_monty import AsyncMontySession, MontyError

from node.errors import AccordError
from node.rules.script.workers import FROZEN, READY, Workers

_LOG = logging.getLogger(__name__)
_NOT_MADE = (MontyError, AccordError, OSError)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A session with a script inside, and the way to throw it away."""

    session: AsyncMontySession
    leaving: AsyncExitStack


@dataclass(frozen=True, slots=True)
class _Kept:
    """A session that is ready or about to be, for the script of this digest."""

    digest: bytes
    making: asyncio.Task[_Opened]


class Stock:
    """Ready sessions by script, one for each that came back, ``size`` at most; the oldest make room.

    ``rehearsal`` is code of ours that runs in each of them: the first run in a restored session costs more than others.
    """

    def __init__(self, workers: Workers, *, rehearsal: str, size: int = READY) -> None:
        self._workers = workers
        self._rehearsal = rehearsal
        self._size = size
        self._kept: deque[_Kept] = deque()
        self._behind: set[asyncio.Task[Any]] = set()
        self._closed = False

    @asynccontextmanager
    async def lend(self, digest: bytes, dump: bytes) -> AsyncIterator[AsyncMontySession]:
        """Lend a session in which the script only has to be called; the next one is made when it comes back.

        ``dump`` is the session that the engine compiled for ``digest``. Raises MontyError, ConfigError or OSError
        where no session can be had.
        """
        opened = await self._take(digest) or await self._open(dump)
        try:
            yield opened.session
        except MontyError:
            self._replace(opened, digest, dump)
            raise
        except BaseException:
            # Cancelled, or out of time: the box may still run, and nobody goes on before it has ended.
            await opened.leaving.__aexit__(*sys.exc_info())
            raise
        else:
            self._replace(opened, digest, dump)

    async def settled(self) -> None:
        """Wait until all that is being made or thrown away is done."""
        while running := [*self._behind, *(kept.making for kept in self._kept if not kept.making.done())]:
            await asyncio.gather(*running, return_exceptions=True)

    async def close(self) -> None:
        """Throw all sessions away and make none any more."""
        self._closed = True
        while self._kept:
            self._do(_thrown_away(self._kept.popleft().making))
        await self.settled()

    async def _open(self, dump: bytes) -> _Opened:
        pool = await self._workers.pool()
        async with AsyncExitStack() as leaving:
            checkout = pool.checkout(limits=self._workers.limits(), os_policy=FROZEN)
            session = await leaving.enter_async_context(checkout)
            await session.load_session(dump)
            await session.feed_run(self._rehearsal)
            return _Opened(session, leaving.pop_all())

    async def _reopen(self, used: _Opened, dump: bytes) -> _Opened:
        await used.leaving.aclose()
        return await self._open(dump)

    async def _take(self, digest: bytes) -> _Opened | None:
        """Take a session out of the stock, waiting for one that is about to be ready; None where there is none."""
        while (kept := next((kept for kept in self._kept if kept.digest == digest), None)) is not None:
            self._kept.remove(kept)
            try:
                opened = await asyncio.shield(kept.making)
            except _NOT_MADE:
                continue
            except BaseException:
                self._do(_thrown_away(kept.making))
                raise
            if _lives(opened.session.worker_pid):
                return opened
            self._do(opened.leaving.aclose())
        return None

    def _replace(self, used: _Opened, digest: bytes, dump: bytes) -> None:
        """Throw a used session away and make another in its place, while nobody waits for either."""
        if self._closed:
            self._do(used.leaving.aclose())
            return
        while len(self._kept) >= self._size:
            self._do(_thrown_away(self._kept.popleft().making))
        kept = _Kept(digest, asyncio.create_task(self._reopen(used, dump)))
        kept.making.add_done_callback(lambda made: self._made(kept, made))
        self._kept.append(kept)

    def _made(self, kept: _Kept, made: asyncio.Task[_Opened]) -> None:
        if made.cancelled() or made.exception() is None:
            return
        with suppress(ValueError):
            self._kept.remove(kept)
        _LOG.warning("no session for a script could be made ready ahead; it is made when needed: %s", made.exception())

    def _do(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._behind.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _LOG.warning("a used session for a script did not end as it should: %s", task.exception())


async def _thrown_away(making: asyncio.Task[_Opened]) -> None:
    with suppress(*_NOT_MADE):
        await (await making).leaving.aclose()


def _lives(pid: int | None) -> bool:
    """Whether this child of ours still runs. Where the platform cannot tell, the evaluation itself will."""
    if pid is None:
        return False
    if sys.platform == "win32" or not hasattr(os, "waitid"):
        return True
    try:
        # WNOWAIT: the pool, whose child it is, collects it.
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except ChildProcessError:
        return False
