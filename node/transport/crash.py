"""Named places where a test kills the node, to prove that a crash there loses nothing and doubles nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

CrashPoint: TypeAlias = Callable[[str], None]
"""Called with the name of the place that was just reached; returns at once, or kills."""


def live_on(_place: str, /) -> None:
    """Do nothing: what a node uses outside tests."""
