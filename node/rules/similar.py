"""Finds the name that somebody probably meant. Pure; knows no names of its own.

A guess that is far off does more harm than none: it sends people to the wrong place. So a name counts as meant only
where a third of it at most was typed wrongly. Stands on nothing, since the process that parses scripts loads it too.
"""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST = 80
"""Characters of a name that are looked at."""
_MOST = 3
"""Mistakes in a name at most, however long it is."""
_LETTERS_A_MISTAKE = 3


def closest(name: str, known: Iterable[str], *, most: int = _MOST) -> str:
    """Return the known name that is nearest to ``name``, or nothing where none is near; case and blanks are ignored.

    ``most`` is how many letters may be wrong, where few are enough for a doubt.
    """
    wanted = _folded(name)
    best, fewest = "", most + 1
    for other in known:
        if other == name:
            continue
        folded = _folded(other)
        if folded == wanted:
            return other
        allowed = min(fewest - 1, max(len(wanted), len(folded)) // _LETTERS_A_MISTAKE)
        mistakes = _mistakes(wanted, folded, allowed)
        if mistakes is not None:
            best, fewest = other, mistakes
    return best


def _folded(name: str) -> str:
    letters = "".join(char for char in name[:_LONGEST].casefold() if char.isalnum())
    return letters or name[:_LONGEST]


def _mistakes(one: str, other: str, allowed: int) -> int | None:
    """Count letters that are missing, too many, wrong, or change places with their neighbour; None above ``allowed``.

    The optimal string alignment distance, computed only near the diagonal.
    """
    if allowed < 1 or abs(len(one) - len(other)) > allowed:
        return None
    far = allowed + 1
    before: list[int] = []
    row = [min(at, far) for at in range(len(other) + 1)]
    for at, letter in enumerate(one, start=1):
        older, before = before, row
        row = [min(at, far), *([far] * len(other))]
        for to in range(max(1, at - allowed), min(len(other), at + allowed) + 1):
            cost = int(letter != other[to - 1])
            row[to] = min(before[to] + 1, row[to - 1] + 1, before[to - 1] + cost)
            if to > 1 and at > 1 and letter == other[to - 2] and one[at - 2] == other[to - 1]:
                row[to] = min(row[to], older[to - 2] + 1)
        if min(row) > allowed:
            return None
    return row[-1] if row[-1] <= allowed else None
