"""Time in the sandbox: a source that tests may move, and the way Jira writes moments down.

Never sleeps. All moments are milliseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

FIRST_YEAR = 1000
LAST_YEAR = 9998


def system_milliseconds() -> int:
    """Return the machine's own time in milliseconds."""
    return time.time_ns() // 1_000_000


class SandboxClock:
    """A clock that never goes back and can be moved forward.

    ``source`` answers milliseconds; the machine's own time when nothing else is given.
    """

    def __init__(self, source: Callable[[], int] = system_milliseconds) -> None:
        self._source = source
        self._offset = 0
        self._last = 0

    def now_ms(self) -> int:
        """Return the present moment in milliseconds."""
        self._last = max(self._last, self._source() + self._offset)
        return self._last

    def advance(self, seconds: float) -> None:
        """Move the clock forward; a test need not wait for time to pass."""
        if seconds < 0:
            msg = "A clock only moves forward."
            raise ValueError(msg)
        self._offset += round(seconds * 1000)


@lru_cache(maxsize=256)
def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name; UTC for a name that the machine does not know."""
    if name in {"", "UTC", "Etc/UTC", "GMT", "Etc/GMT"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


@lru_cache(maxsize=20_000)
def write_moment(moment_ms: int, zone: tzinfo = UTC) -> str:
    """Write a moment as Jira does: milliseconds, and an offset without a colon (``2026-11-23T23:47:08.714+0000``)."""
    moment = datetime.fromtimestamp(moment_ms // 1000, zone)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment_ms % 1000:03d}{moment:%z}"


def read_moment(text: str) -> int:
    """Read a moment as Jira writes it into milliseconds. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text.strip())
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        msg = f"the year {moment.year} cannot be written in every time zone"
        raise ValueError(msg)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)
