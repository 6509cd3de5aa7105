"""How far the sweeps have come. Pure: `poller` stores it, and asks the tracker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

OVERLAP_MS = 120_000
"""How far a sweep looks back beyond the newest change it has seen, and for how long: an index may lag 2 minutes."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the sweeps have come.

    ``newest`` is the newest change seen, by the tracker's time; ``seen_ms`` when it was seen, by ours; ``settled``
    whether the index has had time since then to show everything older. ``ours`` says that ``newest`` is a guess by
    our clock, since the tracker has not told its time yet. ``unseen`` are projects that could not be swept, and from
    when on each has to be, once it can be seen again. ``link`` is the newest link whose issue was asked for since it
    is linked.
    """

    newest: int
    seen_ms: int
    settled: bool
    ours: bool = False
    unseen: Mapping[str, int] = field(default_factory=dict)
    link: int = 0


def moved(mark: Mark, newest: int, begun_ms: int) -> Mark:
    """Return the mark after a sweep that began at ``begun_ms`` and saw ``newest``."""
    if newest > mark.newest:
        return replace(mark, newest=newest, seen_ms=begun_ms, settled=False)
    return replace(mark, settled=mark.settled or begun_ms - mark.seen_ms >= OVERLAP_MS)
