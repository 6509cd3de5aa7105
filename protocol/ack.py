"""The receipt: what a receiver signs to say which messages it holds, how many more it takes, and what it misses.

An ACK is the payload of an envelope of kind ACK: not sequenced, never acknowledged, only ever merged by maximum. It
carries the head of the chain, so it is a receipt for the whole prefix. 64-bit numbers travel as strings.
Decides nothing: what follows from an ACK is `protocol.stream`.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationError

from protocol import strict_json
from protocol.blob import MAX_BLOBS, MAX_CHUNK_INDEX, MAX_RANGES
from protocol.envelope import Position
from protocol.errors import BadContent
from protocol.primitives import Bytes16, Bytes32, Frozen
from protocol.replica import BlobId
from protocol.strict_json import MAX_INTEGER
from protocol.version import SPOKEN, Range

FEATURES: Final = ("blob1",)
"""What this code can do beyond the core; unknown ones are ignored."""
DEFAULT_MESSAGES: Final = 1_000
DEFAULT_BYTES: Final = 64 << 20
"""Credit that a sender may assume before the first ACK."""

_Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]


def _epoch(text: str) -> str:
    if int(text) >= 1 << 64:
        raise ValueError("over 64 bits")
    return text


_Epoch = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,19})$"), AfterValidator(_epoch)]
_Index = Annotated[int, Field(ge=0, le=MAX_CHUNK_INDEX)]
_Range = Annotated[tuple[_Index, _Index], Field(strict=False)]


class Received(Frozen):
    """The place up to which the maker of the ACK holds the other's stream."""

    e: _Epoch
    s: _Count
    h: Bytes32

    @property
    def position(self) -> Position:
        """The same as a `Position`."""
        return Position(int(self.e), self.s, self.h)


class Sent(Frozen):
    """How far the maker of the ACK has sealed its own stream: shows what a transport dropped."""

    e: _Epoch
    n: _Count


class Credit(Frozen):
    """What the maker of the ACK will still store beyond ``rx``: messages, and bytes of envelopes. 0 is a pause."""

    m: _Count
    b: _Count


class Ack(Frozen):
    """A receipt. ``n`` is its maker's nonce, ``en`` the newest nonce that it has seen of the other side."""

    rx: Received
    tx: Sent
    cr: Credit
    n: Bytes16
    en: Bytes16
    pv: Range = SPOKEN
    f: Annotated[tuple[Annotated[str, Field(max_length=32)], ...], Field(strict=False, max_length=32)] = FEATURES
    bl: Annotated[
        dict[BlobId, Annotated[tuple[_Range, ...], Field(strict=False, max_length=MAX_RANGES)]],
        Field(max_length=MAX_BLOBS),
    ] = Field(default_factory=dict)
    """Missing chunks of files that its maker wants, by blob id."""


def dump_ack(ack: Ack) -> bytes:
    """Write the payload of an ACK envelope."""
    return strict_json.dump(ack.model_dump())


def parse_ack(payload: bytes) -> Ack:
    """Read the payload of an ACK envelope that has verified.

    Raises:
        BadContent: if it is not an ACK.
    """
    try:
        return Ack.model_validate(strict_json.parse_object(payload))
    except ValidationError:
        raise BadContent("not an ACK") from None
