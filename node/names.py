"""The names of connections: what people may type, and what a connection is called if they type nothing. Pure."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Final

from node.errors import UsageError

MAX_NAME: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def check_name(name: str) -> None:
    """Check a name that was typed.

    Raises:
        UsageError: saying what a name may hold.
    """
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name[:MAX_NAME]!r} cannot be the name of a connection.",
            advice="Use letters, digits, hyphens, dots and underscores, and begin with a letter or digit.",
        )


def free_name(name: str | None, ours: str, theirs: str, taken: AbstractSet[str]) -> str:
    """Return the name that was typed, if it is free, or one like ``Blue_to_Green`` that is.

    Raises:
        UsageError: if the name that was typed is taken.
    """
    if name is not None:
        if name in taken:
            raise UsageError(f"There is a connection named {name} already.", advice="Choose another name.")
        return name
    base = default_name(ours, theirs)
    number = 1
    while (candidate := base if number == 1 else f"{base}_{number}") in taken:
        number += 1
    return candidate


def default_name(ours: str, theirs: str) -> str:
    """Return the name of a connection as the reference product would call it: ``Blue_to_Green``."""
    return f"{_word(ours)}_to_{_word(theirs)}"


def _word(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "_", label).strip("_-")[:24] or "Peer"
