"""How many bad requests one address may make: a token bucket per address, in bounded memory.

Counts failures only, so a peer that signs is never slowed down by it, and asks nobody for the time.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

PER_SECOND: Final = 10.0
"""Bad requests per second and address (wire protocol, limits)."""
BURST: Final = 20.0
MAX_ADDRESSES: Final = 10_000
"""The oldest is forgotten beyond that; it gets a full bucket, which is the lesser harm."""


class FailureLimiter:
    """Buckets of failures. Times are milliseconds."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def allows(self, address: str, now_ms: int) -> bool:
        """Tell whether another request of this address is worth looking at."""
        return self._left(address, now_ms) >= 1.0

    def failed(self, address: str, now_ms: int) -> None:
        """Count one bad request."""
        self._buckets[address] = (self._left(address, now_ms) - 1.0, now_ms)
        self._buckets.move_to_end(address)
        while len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)

    def _left(self, address: str, now_ms: int) -> float:
        left, since_ms = self._buckets.get(address, (BURST, now_ms))
        return min(BURST, left + max(0, now_ms - since_ms) / 1_000 * PER_SECOND)
