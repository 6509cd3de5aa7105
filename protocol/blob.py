"""The bytes of a file, beside the stream: chunks, and which of them are missing.

Each chunk is a BLOB envelope (epoch 0, seq = index + 1) with the payload ``blob id (32) || index (u32) || bytes``.
The blob id is the SHA-256 of the whole file, as the signed replica names it. The receiver's ACK lists what it misses;
the sender sends only that. The receiver writes a chunk at its offset and, when none is missing, compares the digest of
the whole. Never touches a file, and never takes a name for a path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from protocol.envelope import Header, Kind, Slot
from protocol.errors import Bad, BadContent
from protocol.replica import MAX_BLOB_BYTES

CHUNK_BYTES: Final = 1_048_000
"""Bytes of file in every chunk but the last."""
MAX_RANGES: Final = 256
"""Missing ranges that one ACK lists for one blob; the rest is asked for later."""
MAX_BLOBS: Final = 4
"""Files in transfer at a time, per connection and direction."""
MAX_CHUNK_INDEX: Final = -(-MAX_BLOB_BYTES // CHUNK_BYTES) - 1
_ID: Final = 32
_PREFIX: Final = _ID + 4

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Chunk indexes from..to, both included, ascending, apart from each other."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a file. ``blob`` is the SHA-256 of the whole, in hex."""

    blob: str
    index: int
    data: bytes

    @property
    def offset(self) -> int:
        """Where in the file it goes, in bytes."""
        return self.index * CHUNK_BYTES


def chunk_count(size: int) -> int:
    """Return how many chunks a file of ``size`` bytes has; none, if it is empty.

    Raises:
        ValueError: if the size is negative or over 2 GiB.
    """
    if not 0 <= size <= MAX_BLOB_BYTES:
        raise ValueError("a file has 0 to 2 GiB")
    return -(-size // CHUNK_BYTES)


def chunk_size(size: int, index: int) -> int:
    """Return the bytes of one chunk of a file of ``size`` bytes.

    Raises:
        ValueError: if the file has no such chunk.
    """
    if not 0 <= index < chunk_count(size):
        raise ValueError("the file has no such chunk")
    return min(CHUNK_BYTES, size - index * CHUNK_BYTES)


def blob_slot(index: int) -> Slot:
    """Return where the envelope of a chunk goes."""
    return Slot(Kind.BLOB, seq=index + 1)


def dump_chunk(chunk: Chunk) -> bytes:
    """Write the payload of a BLOB envelope."""
    return b"".join((bytes.fromhex(chunk.blob), chunk.index.to_bytes(4, "big"), chunk.data))


def parse_chunk(header: Header, payload: bytes) -> Chunk:
    """Read the payload of a BLOB envelope that has verified; its size must still be compared with `chunk_size`.

    Raises:
        BadContent: if it is not a chunk, or not the one that its header names.
    """
    index = int.from_bytes(payload[_ID:_PREFIX], "big")
    if not _PREFIX < len(payload) <= _PREFIX + CHUNK_BYTES or header.seq != index + 1:
        raise BadContent("not a chunk")
    return Chunk(payload[:_ID].hex(), index, payload[_PREFIX:])


def add_to_ranges(ranges: Ranges, index: int) -> Ranges:
    """Return ``ranges`` with one more chunk in them."""
    first = last = index
    apart: list[tuple[int, int]] = []
    for low, high in ranges:
        if high < index - 1 or low > index + 1:
            apart.append((low, high))
        else:
            first, last = min(first, low), max(last, high)
    return tuple(sorted([*apart, (first, last)]))


def missing_ranges(held: Ranges, count: int) -> Ranges:
    """Return which of ``count`` chunks are not in ``held``."""
    missing: list[tuple[int, int]] = []
    at = 0
    for low, high in held:
        if low > at:
            missing.append((at, low - 1))
        at = high + 1
    if at < count:
        missing.append((at, count - 1))
    return tuple(missing)


def indexes(ranges: Ranges) -> Iterator[int]:
    """Yield every chunk index of ``ranges``, ascending."""
    for low, high in ranges:
        yield from range(low, high + 1)


def check_ranges(ranges: Iterable[tuple[int, int]], *, count: int) -> Ranges:
    """Check ranges that a peer asks for against a file of ``count`` chunks.

    Raises:
        Bad: if they are out of bounds, out of order, or touch each other.
    """
    checked = tuple(ranges)
    before = -2
    for low, high in checked:
        if not before + 1 < low <= high < count:
            raise Bad("chunk ranges")
        before = high
    return checked
