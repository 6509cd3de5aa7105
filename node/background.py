"""Work that goes on beside everything else, from its start to its stop, and rests until there is news.

Knows nothing of the work and keeps nothing: what was not finished when it stops is a row, and is found again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

_LOG = logging.getLogger(__name__)


class Background:
    """One such piece of work.

    Args:
        name: for the log.
        work: goes on until it is stopped, or ends by itself; a fault that escapes it ends it too, and is logged.
    """

    def __init__(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._name = name
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    @property
    def started(self) -> bool:
        """Tell whether it was started and not stopped since; it may have ended by itself."""
        return self._task is not None

    def start(self) -> None:
        """Begin, or begin anew where it has ended; nothing happens while it goes on."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Stop at once, wherever it waits; nothing happens where it was not started."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def soon(self) -> None:
        """There is news: end the rest; where the work does not rest now, its next rest is over at once."""
        self._news.set()

    async def rest(self, seconds: float) -> None:
        """Wait for news, ``seconds`` at the most. For the work itself to call."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()

    async def _run(self) -> None:
        try:
            await self._work()
        except Exception:  # noqa: BLE001 - said aloud; nobody else waits for it
            _LOG.exception("%s has ended because of a fault; it begins anew when the node does", self._name)
