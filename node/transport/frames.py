"""From the frames of one exchange to what they say: keys, signatures, seals, and only then JSON. No rows, no loop.

All or nothing: one frame that is not from the peer makes the whole exchange a stranger's. A message that is signed but
not understood is kept as it is, with its outcome: it must take its place in the stream, else it would stop it for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from node.store.inbox import Arrived
from node.transport.channel import Channel
from protocol import strict_json
from protocol.ack import Ack, parse_ack
from protocol.blob import Chunk, parse_chunk
from protocol.envelope import Header, Kind, Opened, open_envelope
from protocol.errors import Bad, BadContent
from protocol.messages import (
    BlobGone,
    Code,
    ConnClose,
    IssueRemoved,
    IssueReplica,
    Message,
    NodeAddress,
    Outcome,
    PairConfirm,
    Result,
    ResyncBegin,
    ResyncEnd,
    ResyncPlease,
    UnknownMessage,
    parse_message,
)
from protocol.packing import messages_of

MALFORMED: Final = "malformed"
"""The kind of a row whose message could not be understood."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message, and the row that it becomes."""

    arrived: Arrived
    message: Message | None
    """None if it was not understood."""


@dataclass(frozen=True, slots=True)
class Item:
    """One DATA envelope that verified, and what it says: at least one message."""

    opened: Opened
    envelope: bytes
    said: list[Said]


@dataclass(frozen=True, slots=True)
class Frames:
    """One exchange's worth of envelopes, opened. All from the same peer."""

    ack: Ack
    data: list[Item]
    chunks: list[Chunk]


def open_frames(channel: Channel, frames: Sequence[memoryview]) -> Frames:
    """Open all envelopes of an exchange: one receipt first, then messages and chunks. All or nothing. Blocks.

    Raises:
        Bad: if one of them is not what it claims.
    """
    ack: Ack | None = None
    data: list[Item] = []
    chunks: list[Chunk] = []
    for frame in frames:
        opened = open_envelope(channel.opening, frame)
        if (opened.header.kind == Kind.ACK) != (ack is None):
            raise Bad("not exactly one receipt, and not first")
        if ack is None:
            ack = parse_ack(opened.payload)
        elif opened.header.kind == Kind.BLOB:
            chunks.append(parse_chunk(opened.header, opened.payload))
        else:
            data.append(_item(opened, bytes(frame)))
    if ack is None:
        raise Bad("an exchange without a receipt")
    return Frames(ack, data, chunks)


def _item(opened: Opened, envelope: bytes) -> Item:
    try:
        payloads = messages_of(opened)
    except BadContent:
        row = _row(opened.header, 1, opened.payload, len(envelope), kind=MALFORMED, code=Code.MALFORMED)
        return Item(opened, envelope, [Said(row, None)])
    # What the envelope is longer than its messages counts with the first of them, so that all together are its size.
    shares = [len(payload) for payload in payloads]
    shares[0] += len(envelope) - sum(shares)
    numbered = enumerate(zip(payloads, shares, strict=True), start=1)
    return Item(opened, envelope, [_read(opened, place, payload, share) for place, (payload, share) in numbered])


def _read(opened: Opened, place: int, payload: bytes, size: int) -> Said:
    message: Message | None = None
    kind, code, mid, issue = MALFORMED, None, None, None
    try:
        message = parse_message(payload)
        kind = message.t
    except BadContent:
        code = Code.MALFORMED
    match message:
        case IssueReplica():
            mid, issue = message.mid, message.replica.issue
        case IssueRemoved():
            mid, issue = message.mid, message.issue
        case ResyncPlease():
            mid, code = message.mid, Code.APPLIED
        case ResyncBegin() | ResyncEnd():
            mid = message.mid
        case PairConfirm() | ConnClose() | BlobGone() | NodeAddress():
            code = Code.APPLIED
        case UnknownMessage():
            code = Code.UNSUPPORTED if opened.header.critical else Code.IGNORED
            mid = _mid_of(payload)
        case None:
            mid = _mid_of(payload)
        case Outcome():
            pass
    return Said(_row(opened.header, place, payload, size, kind=kind, mid=mid, issue=issue, code=code), message)


def _row(
    header: Header,
    place: int,
    payload: bytes,
    size: int,
    *,
    kind: str,
    mid: str | None = None,
    issue: str | None = None,
    code: Code | None = None,
) -> Arrived:
    return Arrived(
        epoch=header.epoch,
        seq=header.seq,
        place=place,
        mid=mid,
        kind=kind,
        issue=issue,
        payload=payload,
        size=size,
        code=None if code is None else int(code),
    )


def _mid_of(payload: bytes) -> str | None:
    """Find the id of a message that we do not understand, so that its sender can be told."""
    try:
        value = strict_json.parse_object(payload).get("mid")
        return Result.model_validate({"mid": value, "c": 0}).mid
    except (BadContent, ValueError):
        return None
