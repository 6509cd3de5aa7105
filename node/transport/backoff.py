"""When to try a silent peer again: full jitter, from one second, doubling, to fifteen minutes, and never giving up.

Pure. Full jitter spreads better than a fixed delay with a little noise: nodes that lost the same peer at the same
moment do not come back at the same moment.
"""

from __future__ import annotations

from typing import Final

FIRST_MS: Final = 1_000
CAP_MS: Final = 15 * 60 * 1_000
"""Minutes, not hours: a peer that is back is found soon, also when it cannot call us."""
LONGEST_RETRY_AFTER_MS: Final = 60 * 60 * 1_000
"""An hour: what a peer, or a proxy in front of it, may ask for."""
_DOUBLINGS: Final = 10
"""2**10 seconds are beyond the cap."""


def delay_ms(attempts: int, jitter: float, *, retry_after: float | None = None) -> int:
    """Return how long to wait after ``attempts`` tries in vain (1 or more), in milliseconds.

    ``jitter`` is in [0, 1). ``retry_after`` is what the peer asked for, in seconds; the wait is never shorter than it,
    but at most an hour.
    """
    ceiling = min(CAP_MS, FIRST_MS << min(attempts - 1, _DOUBLINGS))
    wait = int(ceiling * jitter)
    if retry_after is None:
        return wait
    return max(wait, min(int(retry_after * 1_000), LONGEST_RETRY_AFTER_MS))
