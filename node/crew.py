"""Workers that take stored rows: at most so many at a time, never two on one key, woken by news or by the clock.

Holds no work of its own: what is not finished is a row, so stopping or crashing loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from node.clock import Clock
from node.errors import AccordError

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """Work on one key."""

    key: str
    item: T


class Crew(Generic[T]):
    """Runs ``work`` for every job that ``find`` returns.

    Args:
        name: for the log.
        find: returns jobs that can be done now; jobs whose key is being worked on are passed over.
        work: does one job. It stores its own failures; one that escapes is logged and does not stop the crew.
        next_due_ms: returns when the next job that was not due at the given moment comes due, None for never. What
            was due then and was not begun waits for a worker or for news, not for the clock.
        size: jobs at a time.
    """

    def __init__(
        self,
        name: str,
        *,
        find: Callable[[], Awaitable[Sequence[Job[T]]]],
        work: Callable[[T], Awaitable[None]],
        next_due_ms: Callable[[int], Awaitable[int | None]],
        clock: Clock,
        size: int,
    ) -> None:
        self._name = name
        self._find = find
        self._work = work
        self._next_due_ms = next_due_ms
        self._clock = clock
        self._size = size
        self._news = asyncio.Event()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._boss: asyncio.Task[None] | None = None
        self._pause_until_ms = 0
        self._troubled: set[str] = set()

    def start(self) -> None:
        """Begin to work."""
        self._boss = asyncio.create_task(self._lead(), name=f"crew {self._name}")
        self._news.set()

    def wake(self) -> None:
        """There is news: look for jobs."""
        self._news.set()

    def pause(self, seconds: float) -> None:
        """The tracker is not to be had: leave it alone for a while."""
        self._pause_until_ms = max(self._pause_until_ms, self._clock.now_ms() + int(seconds * 1000))

    def trouble(self, key: str, seconds: float) -> None:
        """The work on a key failed for a while. Once that on another fails too, nobody works before the time is over.

        One sick issue keeps only itself waiting; a tracker that is down is not asked for each issue.
        """
        self._troubled.add(key)
        if len(self._troubled) > 1:
            self.pause(seconds)

    def paused_ms(self) -> int:
        """Return for how many milliseconds the tracker is still left alone."""
        return max(0, self._pause_until_ms - self._clock.now_ms())

    @property
    def busy(self) -> bool:
        """Tell whether anything is being worked on."""
        return bool(self._running)

    async def stop(self) -> None:
        """Stop at once; rows that were being worked on are found again."""
        tasks = [task for task in (self._boss, *self._running.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._boss = None

    async def _lead(self) -> None:
        while True:
            self._news.clear()
            if (wait_ms := self.paused_ms()) > 0:
                await self._clock.sleep(wait_ms / 1000)
                continue
            looked = self._clock.now_ms()
            try:
                await self._hire()
                due = await self._next_due_ms(looked)
            except asyncio.CancelledError:
                raise
            except AccordError as error:
                _LOG.warning("the %s crew could not look for work; it tries again: %s", self._name, error.message)
                due = self._clock.now_ms() + 1000
            except Exception:  # noqa: BLE001 - rows stay; one fault must not end the crew
                _LOG.exception("the %s crew could not look for work; it tries again in a second", self._name)
                due = self._clock.now_ms() + 1000
            await self._rest(due)

    async def _hire(self) -> None:
        free = self._size - len(self._running)
        started = 0
        if free <= 0:
            return
        for job in await self._find():
            if started >= free:
                break
            if job.key in self._running:
                continue
            started += 1
            task = asyncio.create_task(self._do(job), name=f"{self._name} {job.key}")
            self._running[job.key] = task

    async def _do(self, job: Job[T]) -> None:
        self._troubled.discard(job.key)
        try:
            await self._work(job.item)
            if job.key not in self._troubled:
                self._troubled.clear()
        except asyncio.CancelledError:
            raise
        except AccordError as error:
            _LOG.warning("the %s crew could not deal with %s; it tries again: %s", self._name, job.key, error.message)
            await self._clock.sleep(1)
        except Exception:  # noqa: BLE001 - the same
            _LOG.exception("the %s crew failed on %s; the row stays and is tried again", self._name, job.key)
            await self._clock.sleep(1)
        finally:
            self._running.pop(job.key, None)
            self._news.set()

    async def _rest(self, due_ms: int | None) -> None:
        """Wait for news, for the next row that comes due, or for a worker to be free."""
        if len(self._running) >= self._size:
            await self._news.wait()
            return
        timeout = None if due_ms is None else max(0.01, (due_ms - self._clock.now_ms()) / 1000)
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            return
