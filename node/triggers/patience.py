"""How long to leave a tracker alone that does not answer, or asks for patience. Decides about no issue."""

from __future__ import annotations

from typing import Any

from node.crew import Crew
from node.errors import TrackerBusy, TrackerError, TrackerNonsense, TrackerUncertain

MAX_BACKOFF_MS = 300_000
"""The longest wait for a tracker that does not answer: 5 minutes."""
UNFINISHED_MS = 60_000
"""How long the tracker has to finish a call of which nothing was heard in time, before it is looked up: a minute.

A call that is looked up too early is not found, and what it makes in the end would be there twice.
"""
TELL_AFTER = 3
"""Tries after which a tracker that does not answer becomes a problem that people see."""


MAX_PAUSE = 30.0
"""Seconds for which failures keep a whole crew from the tracker; the row itself may wait longer."""


def leave_alone(crew: Crew[Any], key: str, error: TrackerError, seconds: float) -> None:
    """Let a crew leave the tracker alone, at once where it asks for patience, else once a second issue fails too.

    An answer of a strange shape says something only about one issue.
    """
    if isinstance(error, TrackerBusy):
        crew.pause(min(seconds, MAX_PAUSE))
    elif not isinstance(error, TrackerNonsense):
        crew.trouble(key, min(seconds, MAX_PAUSE))


def backoff_ms(attempts: int) -> float:
    """Return how long to wait after so many failures: 1 s, doubling, at most 5 minutes."""
    return float(min(MAX_BACKOFF_MS, 1000 * 2 ** min(max(attempts - 1, 0), 12)))


def patience_ms(error: TrackerError, attempts: int, jitter: float) -> float:
    """Return how long to wait after so many failures; never less than the tracker asked for, or may need to finish."""
    if isinstance(error, TrackerBusy):
        return 1000 * error.retry_after * (1 + jitter / 4)
    unfinished = isinstance(error, TrackerUncertain) and error.unfinished
    return max(backoff_ms(attempts) * (0.5 + jitter), UNFINISHED_MS if unfinished else 0)
