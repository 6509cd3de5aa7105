"""Time and randomness, handed to whoever needs them, so that tests can own both.

Never imported for its functions: rooms receive a ``Clock`` from the composition root.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from typing import Protocol


class Clock(Protocol):
    """What the node knows of time and chance."""

    def now_ms(self) -> int:
        """Return wall time in milliseconds since 1970-01-01 UTC."""
        ...

    def random_bytes(self, count: int) -> bytes:
        """Return bytes fit for secrets."""
        ...

    def jitter(self) -> float:
        """Return a number in [0, 1), for spreading retries; not for secrets."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        ...


class SystemClock:
    """The machine's own time and randomness."""

    def now_ms(self) -> int:
        """Return wall time in milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000

    def random_bytes(self, count: int) -> bytes:
        """Return bytes fit for secrets."""
        return os.urandom(count)

    def jitter(self) -> float:
        """Return a number in [0, 1), for spreading retries; not for secrets."""
        return random.random()  # noqa: S311 - spreads retries, protects nothing

    async def sleep(self, seconds: float) -> None:
        """Wait; cancellable."""
        await asyncio.sleep(seconds)
