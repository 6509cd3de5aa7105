"""Several envelopes in one request, answer or file: ``u32 length || envelope``, repeated.

No transport decides anything: the same bytes may come by HTTPS, in a file, twice, or never.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from protocol.envelope import MAX_ENVELOPE, MIN_ENVELOPE
from protocol.errors import Bad

MAX_FRAMES: Final = 257
"""One ACK and 256 more."""
MAX_FRAMED_BYTES: Final = 8 << 20
"""Bytes of one request or answer: 8 MiB."""
FRAME_OVERHEAD: Final = 4


def join_frames(envelopes: Iterable[bytes]) -> bytes:
    """Frame envelopes.

    Raises:
        ValueError: if there are more, or they are larger, than one exchange carries.
    """
    parts: list[bytes] = []
    for envelope in envelopes:
        parts += (len(envelope).to_bytes(FRAME_OVERHEAD, "big"), envelope)
    framed = b"".join(parts)
    if len(parts) > 2 * MAX_FRAMES or len(framed) > MAX_FRAMED_BYTES:
        raise ValueError("more than one exchange carries")
    return framed


def split_frames(data: bytes | memoryview) -> list[memoryview]:
    """Return views of the envelopes; nothing is copied and nothing is verified.

    Raises:
        Bad: if a length is out of bounds or does not fit, or if there are too many.
    """
    view = memoryview(data)
    end = len(view)
    if end > MAX_FRAMED_BYTES:
        raise Bad("more bytes than one exchange carries")
    frames: list[memoryview] = []
    at = 0
    while at < end:
        start = at + FRAME_OVERHEAD
        length = int.from_bytes(view[at:start], "big")
        if start > end or not MIN_ENVELOPE <= length <= min(MAX_ENVELOPE, end - start):
            raise Bad("frame length")
        if len(frames) == MAX_FRAMES:
            raise Bad("more frames than one exchange carries")
        at = start + length
        frames.append(view[start:at])
    return frames
