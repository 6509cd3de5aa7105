"""Which versions of the protocol this code speaks, and how two nodes agree on one.

Agreed at pairing, inside what both sides sign, and never lowered afterwards. No product name or version is ever sent.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, Field

from protocol.errors import VersionMismatch

SPOKEN: Final = (1, 1)
"""The lowest and the highest version that this code speaks."""

_Number: TypeAlias = Annotated[int, Field(ge=1, le=255)]


def _ordered(versions: tuple[int, int]) -> tuple[int, int]:
    if versions[0] > versions[1]:
        raise ValueError("lowest above highest")
    return versions


Range: TypeAlias = Annotated[tuple[_Number, _Number], Field(strict=False), AfterValidator(_ordered)]
"""``[lowest, highest]``"""


def agree(theirs: tuple[int, int], ours: tuple[int, int] = SPOKEN) -> int:
    """Return the highest version in both ranges.

    Raises:
        VersionMismatch: if there is none.
    """
    version = min(theirs[1], ours[1])
    if version < max(theirs[0], ours[0]):
        older = "This node is" if ours[1] < theirs[0] else "The other node is"
        raise VersionMismatch(
            f"The two nodes share no version of the protocol: ours {ours[0]} to {ours[1]}, theirs "
            f"{theirs[0]} to {theirs[1]}.",
            advice=f"{older} too old for the other; update it.",
        )
    return version
