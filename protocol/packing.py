"""Several messages in one DATA envelope: ``u32 length || message``, repeated. One signature and one seal for all.

Each message keeps its own id and its own outcome; the envelope has one place in the stream. Only what waits already is
packed, in its order, and never more than the receiver gave credit for. Never parses a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from protocol.envelope import BASE_BYTES, MIN_ENVELOPE, Opened
from protocol.errors import BadContent
from protocol.messages import MAX_PAYLOAD
from protocol.stream import TxState, may_seal

MAX_MESSAGES: Final = 64
"""Messages in one envelope: beyond it signature and seal are under a tenth of what a message costs."""
LENGTH_BYTES: Final = 4


def pack(messages: Sequence[bytes]) -> bytes:
    """Return the payload of an envelope that carries ``messages``: one alone is the payload itself.

    Raises:
        ValueError: if there are none, more than 64, or an empty one among several.
    """
    if len(messages) == 1:
        return messages[0]
    if not 0 < len(messages) <= MAX_MESSAGES or not all(messages):
        raise ValueError("an envelope carries 1 to 64 messages, none of them empty")
    parts: list[bytes] = []
    for message in messages:
        parts += (len(message).to_bytes(LENGTH_BYTES, "big"), message)
    return b"".join(parts)


def messages_of(opened: Opened) -> list[bytes]:
    """Return the messages of a DATA envelope that has verified, in their order, unparsed.

    Raises:
        BadContent: if its payload is not cut as it says; the envelope still takes its place (outcome 301).
    """
    return unpack(opened.payload) if opened.several else [opened.payload]


def unpack(payload: bytes) -> list[bytes]:
    """Cut a payload of several messages into them.

    Raises:
        BadContent: if a length is zero or goes beyond the end, or there are none or more than 64.
    """
    messages: list[bytes] = []
    at, end = 0, len(payload)
    while at < end:
        start = at + LENGTH_BYTES
        at = start + int.from_bytes(payload[at:start], "big")
        if not start < at <= end:
            raise BadContent("the length of a message among several")
        if len(messages) == MAX_MESSAGES:
            raise BadContent("more messages than one envelope carries")
        messages.append(payload[start:at])
    if not messages:
        raise BadContent("an envelope of several messages without one")
    return messages


def next_envelopes(tx: TxState, sizes: Sequence[int], *, unacked_messages: int, unacked_bytes: int) -> list[int]:
    """Say how many of the waiting messages go into each of the next envelopes, as far as credit goes.

    ``sizes`` are the bytes of the messages in their order; ``unacked_messages`` and ``unacked_bytes`` (of envelopes)
    are sealed and not acknowledged. The sum of the result is how many messages may be sealed now.
    """
    counts: list[int] = []
    empty = MIN_ENVELOPE + (BASE_BYTES if tx.sealed == 0 else 0)
    at, sealed_bytes = 0, unacked_bytes
    while at < len(sizes):
        count = bulk = 0
        for size in sizes[at : at + MAX_MESSAGES]:
            grown = _payload_size(bulk + size, count + 1)
            fits = count == 0 or grown <= MAX_PAYLOAD
            if not fits or not may_seal(
                tx,
                unacked_messages=unacked_messages + at,
                unacked_bytes=sealed_bytes,
                messages=count + 1,
                size=empty + grown,
            ):
                break
            bulk, count = bulk + size, count + 1
        if count == 0:
            break
        counts.append(count)
        sealed_bytes += empty + _payload_size(bulk, count)
        at, empty = at + count, MIN_ENVELOPE
    return counts


def _payload_size(bulk: int, count: int) -> int:
    """Return the bytes of a payload of ``count`` messages that have ``bulk`` bytes together."""
    return bulk + (count * LENGTH_BYTES if count > 1 else 0)
