"""A crash point that kills: from the named place on, nothing of the node goes any further."""

from __future__ import annotations

import asyncio


class Killed(BaseException):
    """Stands for kill -9: nothing in the node may catch it."""


class Death:
    """Dies at the ``visit``-th arrival at ``place``; a dead node dies again wherever it is looked at."""

    def __init__(self, place: str, visit: int = 1) -> None:
        self._place = place
        self._left = visit
        self.seen: list[str] = []
        self.dead = asyncio.Event()

    def __call__(self, place: str) -> None:
        """Arrive at a place."""
        if self.dead.is_set():
            raise Killed(place)
        self.seen.append(place)
        if place == self._place:
            self._left -= 1
            if self._left == 0:
                self.dead.set()
                raise Killed(place)
