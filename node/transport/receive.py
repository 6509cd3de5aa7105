"""From the peer's bytes to stored rows: bounds, keys, signatures, seals, and only then JSON and one unit of work.

The same path for what a peer posts to us and for what it answers to our own request. Whatever is not from a peer is
answered like a stranger. A message that is signed but not understood still takes its place in the stream, else it would
stop the stream for ever. Never calls the tracker and never applies anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

from node.clock import Clock
from node.store import blobs, connections, inbox, links, outbox, problems, streams
from node.store.connections import Connection
from node.store.engine import Store, Transaction
from node.store.inbox import Arrived
from node.transport.blobs import BlobFolder, Written
from node.transport.channel import Channel, Channels
from node.transport.crash import CrashPoint, live_on
from node.transport.pairing import confirmed
from node.transport.receipts import Allowance, Taken, our_ack, take_ack
from protocol import strict_json
from protocol.ack import Ack, dump_ack, parse_ack
from protocol.blob import MAX_BLOBS, Chunk, parse_chunk
from protocol.envelope import Kind, Opened, Slot, open_envelope, peek_header, seal_envelope
from protocol.errors import Bad, BadContent, NotNow
from protocol.framing import split_frames
from protocol.messages import (
    BlobGone,
    Code,
    ConnClose,
    IssueRemoved,
    IssueReplica,
    Message,
    Outcome,
    PairConfirm,
    Result,
    UnknownMessage,
    dump_message,
    parse_message,
)
from protocol.stream import NONCE_BYTES, AckEffect, Judgement, RxState, after_storing, hear, judge_data

MALFORMED: Final = "malformed"
"""The kind of a row whose message could not be understood."""
_MID_MARK: Final = "again"
_MAX_OVER: Final = 2
"""A peer that ignores its credit is stored up to this many times of it, then no further."""


@dataclass(frozen=True, slots=True)
class Item:
    """One DATA envelope that verified, and what it says."""

    opened: Opened
    arrived: Arrived
    message: Message | None
    """None if it was not understood."""


@dataclass(frozen=True, slots=True)
class Frames:
    """One exchange's worth of envelopes, opened. All from the same peer."""

    ack: Ack
    data: list[Item]
    chunks: list[Chunk]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What one exchange of the peer led to. ``ack`` is our receipt for it, not yet sealed."""

    connection: Connection
    ack: Ack
    taken: Taken
    stored: int
    """New messages in the inbox that wait to be applied."""
    answered: bool = False
    """Whether answers were put into the outbox."""
    files: bool = False
    """Whether a file that was waited for is all here now."""
    closed: bool = False
    """Whether the peer has just closed the connection."""
    refused: Judgement | None = None
    """Why the rest of the messages was not taken, if it was not."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom to tell, after the commit. Called on the event loop; must not block."""

    received: Callable[[int], None] = lambda _connection_id: None
    """Messages or files of this connection wait to be applied."""
    acked: Callable[[int], None] = lambda _connection_id: None
    """The peer has signed for more of our messages."""
    resync: Callable[[int], None] = lambda _connection_id: None
    """Every linked issue of this connection must be sent anew; see `node.transport.receipts.resync_cursor`."""
    queued: Callable[[int], None] = lambda _connection_id: None
    """Something was put into the outbox."""
    sealed: Callable[[int], None] = lambda _connection_id: None
    """Something of this connection was sealed and is in the ledger."""
    heard: Callable[[int, Taken], None] = lambda _connection_id, _taken: None
    """A receipt of this connection's peer was taken in."""
    closed: Callable[[int], None] = lambda _connection_id: None
    """The peer closed this connection."""


class Receiver:
    """Takes in what peers say."""

    def __init__(
        self,
        *,
        store: Store,
        channels: Channels,
        files: BlobFolder,
        clock: Clock,
        crypto: Executor,
        allowance: Allowance,
        hooks: Hooks,
        crash_point: CrashPoint = live_on,
    ) -> None:
        self._store = store
        self._channels = channels
        self._files = files
        self._clock = clock
        self._crypto = crypto
        self._allowance = allowance
        self._hooks = hooks
        self._crash_point = crash_point
        self._file_locks: dict[int, asyncio.Lock] = {}

    async def receive(self, body: bytes) -> bytes | None:
        """Take in a posted exchange and return our sealed receipt; None: answer as to a stranger."""
        try:
            frames = split_frames(body)
            if not frames:
                return None
            channel = await self._channels.by_conn(peek_header(frames[0]).conn)
            if channel is None:
                return None
            accepted = await self.accept(channel, frames)
        except Bad:
            return None
        if accepted is None:
            return None
        envelope = await self.seal_ack(channel, accepted.ack)
        self._crash_point("received: receipt sealed")
        return envelope

    async def accept(self, channel: Channel, frames: Sequence[memoryview]) -> Accepted | None:
        """Take in frames that claim to come over ``channel``; None if the connection has ended here.

        Raises:
            Bad: if one of them is not what it claims; then nothing was stored.
        """
        loop = asyncio.get_running_loop()
        opened = await loop.run_in_executor(self._crypto, _open, channel, frames)
        self._crash_point("received: verified")
        if opened.chunks:
            async with self._file_locks.setdefault(channel.connection_id, asyncio.Lock()):
                written = await self._write_chunks(channel, opened.chunks)
                self._crash_point("received: chunks written")
                accepted = await self._commit(channel, opened, written)
        else:
            accepted = await self._commit(channel, opened, [])
        if accepted is not None:
            self._crash_point("received: stored")
            self._tell(channel.connection_id, accepted)
        return accepted

    async def seal_ack(self, channel: Channel, ack: Ack) -> bytes:
        """Sign and seal a receipt, off the event loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._crypto, _seal_ack, channel, ack, self._clock)

    async def _write_chunks(self, channel: Channel, chunks: Sequence[Chunk]) -> list[Written]:
        connection_id = channel.connection_id
        wanted = await self._store.read(lambda reader: blobs.wanted(reader, connection_id, limit=MAX_BLOBS * 4))
        return await asyncio.to_thread(self._files.write_chunks, connection_id, wanted, chunks)

    async def _commit(self, channel: Channel, frames: Frames, written: Sequence[Written]) -> Accepted | None:
        now_ms = self._clock.now_ms()
        nonce = self._clock.random_bytes(NONCE_BYTES)
        return await self._store.write(
            lambda tx: _take(tx, channel, frames, written, now_ms=now_ms, fresh_nonce=nonce, allowance=self._allowance)
        )

    def _tell(self, connection_id: int, accepted: Accepted) -> None:
        if accepted.stored or accepted.files:
            self._hooks.received(connection_id)
        if accepted.taken.delivered:
            self._hooks.acked(connection_id)
        if accepted.taken.effect is AckEffect.RESYNC:
            self._hooks.resync(connection_id)
        if accepted.answered:
            self._hooks.queued(connection_id)
        self._hooks.heard(connection_id, accepted.taken)
        if accepted.closed:
            self._hooks.closed(connection_id)


def _open(channel: Channel, frames: Sequence[memoryview]) -> Frames:
    """Open all envelopes of an exchange: one receipt first, then messages and chunks. All or nothing. Blocks."""
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
    message: Message | None = None
    kind, code, mid, issue = MALFORMED, None, None, None
    try:
        message = parse_message(opened.payload)
        kind = message.t
    except BadContent:
        code = Code.MALFORMED
    match message:
        case IssueReplica():
            mid, issue = message.mid, message.replica.issue
        case IssueRemoved():
            mid, issue = message.mid, message.issue
        case PairConfirm() | ConnClose() | BlobGone():
            code = Code.APPLIED
        case UnknownMessage():
            code = Code.UNSUPPORTED if opened.header.critical else Code.IGNORED
            mid = _mid_of(opened.payload)
        case None:
            mid = _mid_of(opened.payload)
        case Outcome():
            pass
    arrived = Arrived(
        epoch=opened.header.epoch,
        seq=opened.header.seq,
        mid=mid,
        kind=kind,
        issue=issue,
        envelope=envelope,
        payload=opened.payload,
        code=None if code is None else int(code),
    )
    return Item(opened, arrived, message)


def _mid_of(payload: bytes) -> str | None:
    """Find the id of a message that we do not understand, so that its sender can be told."""
    try:
        value = strict_json.parse_object(payload).get("mid")
        return Result.model_validate({"mid": value, "c": 0}).mid
    except (BadContent, ValueError):
        return None


def _seal_ack(channel: Channel, ack: Ack, clock: Clock) -> bytes:
    return seal_envelope(
        channel.sealing, Slot(Kind.ACK), dump_ack(ack), now_ms=clock.now_ms(), random_bytes=clock.random_bytes
    ).envelope


@dataclass(slots=True)
class _Intake:
    """What is found out while messages are judged one after the other."""

    rx: RxState
    items: list[Item] = field(default_factory=list)
    refused: Judgement | None = None


async def _take(
    tx: Transaction,
    channel: Channel,
    frames: Frames,
    written: Sequence[Written],
    *,
    now_ms: int,
    fresh_nonce: bytes,
    allowance: Allowance,
) -> Accepted | None:
    """The one unit of work of an exchange."""
    connection = await connections.get(tx, channel.connection_id)
    sending = await streams.load_tx(tx, channel.connection_id)
    if connection is None or sending is None:
        return None
    rx_before = await streams.load_rx(tx, connection.id)
    intake = _Intake(rx_before)
    if connection.state != connections.CLOSED:
        room = _MAX_OVER * allowance.messages - (await inbox.backlog(tx, connection.id))[0]
        _judge_all(intake, frames.data, channel.peer_version, room)
    stored, answered = await _store_items(tx, connection, intake.items, now_ms)
    rx = hear(intake.rx, frames.ack)
    if rx != rx_before:
        await streams.save_rx(tx, connection.id, rx)
    taken = await take_ack(tx, connection, sending, frames.ack, now_ms=now_ms, fresh_nonce=fresh_nonce)
    await streams.heard(tx, connection.id, now_ms)
    await problems.close(tx, stage=problems.PEER, ref=connection.id)
    files = [await _note_file(tx, connection, one, now_ms) for one in written]
    after = await connections.get(tx, connection.id) or connection
    return Accepted(
        connection=after,
        ack=await our_ack(tx, after, taken.state, rx, allowance),
        taken=taken,
        stored=stored,
        answered=answered,
        files=any(files),
        closed=any(isinstance(item.message, ConnClose) for item in intake.items),
        refused=intake.refused,
    )


def _judge_all(intake: _Intake, items: Sequence[Item], peer_version: int, room: int) -> None:
    """Take messages as long as each follows the one before; what does not fit is left for the sender to repeat."""
    for item in items:
        header = item.opened.header
        judgement = judge_data(intake.rx, header, item.opened.base, peer_version=peer_version)
        if judgement is Judgement.DUPLICATE:
            continue
        if judgement is not Judgement.STORE or len(intake.items) >= room:
            intake.refused = judgement
            return
        intake.rx = after_storing(intake.rx, header, item.opened.head)
        intake.items.append(item)


async def _store_items(tx: Transaction, connection: Connection, items: Sequence[Item], now_ms: int) -> tuple[int, bool]:
    """Store new messages; one that came in another epoch before only gets its outcome again.

    Return how many wait to be applied, and whether there were answers.
    """
    mids = [item.arrived.mid for item in items if item.arrived.mid is not None]
    seen: dict[str, int | None] = dict(await inbox.known(tx, connection.id, mids))
    fresh: list[Arrived] = []
    answers: list[Result] = []
    for item in items:
        one = item.arrived
        if one.mid is not None and one.mid in seen:
            if (code := seen[one.mid]) is not None:
                answers.append(await _same_again(tx, connection, item, code))
            continue
        if one.mid is not None:
            seen[one.mid] = None
            if one.code is not None:
                answers.append(Result(mid=one.mid, c=one.code))
        fresh.append(one)
        await _act(tx, connection, item.message, now_ms)
    await inbox.add(tx, connection.id, fresh, now_ms)
    if answers:
        first = items[0].arrived
        await outbox.enqueue(
            tx,
            connection_id=connection.id,
            link_id=None,
            mid=f"{_MID_MARK}-{first.epoch:x}-{first.seq:x}",
            kind="outcome",
            payload=dump_message(Outcome(results=tuple(answers))),
            now_ms=now_ms,
        )
    return sum(1 for one in fresh if one.code is None), bool(answers)


async def _same_again(tx: Transaction, connection: Connection, item: Item, code: int) -> Result:
    """Answer a message that was settled before, with our handle, since a restored sender has forgotten that as well."""
    one = item.arrived
    link = await links.find(tx, connection.id, twin=one.issue) if one.issue is not None else None
    return Result(mid=one.mid or "", c=code, issue=None if link is None else link.handle)


async def _act(tx: Transaction, connection: Connection, message: Message | None, now_ms: int) -> None:
    """Carry out what a message says about the connection itself."""
    match message:
        case PairConfirm():
            try:
                await confirmed(tx, connection, now_ms)
            except NotNow:
                return  # a confirmation of a pairing that has ended here moves nothing
        case ConnClose():
            await connections.set_closed(tx, connection.id, now_ms)
            await outbox.drop_queued(tx, connection.id, now_ms)
            await problems.report(tx, _closed_by_peer(connection), now_ms=now_ms)
        case BlobGone():
            await blobs.arrived(tx, connection.id, message.blob)
        case _:
            return


async def _note_file(tx: Transaction, connection: Connection, written: Written, now_ms: int) -> bool:
    """Store what chunks did to one file; tell whether it is all here now."""
    if written.damaged:
        await problems.report(tx, _damaged_file(connection), now_ms=now_ms)
    if written.missing:
        await blobs.set_missing(tx, connection.id, written.blob.sha256, written.missing)
        return False
    await blobs.arrived(tx, connection.id, written.blob.sha256)
    return True


def _closed_by_peer(connection: Connection) -> problems.Problem:
    return problems.Problem(
        connection_id=connection.id,
        stage=problems.PEER,
        ref=None,
        issue_key=None,
        code="ClosedByPeer",
        message=f"The other side has closed {connection.name}; nothing is sent or received over it any more.",
        advice="Ask its admin. To go on, pair the two nodes again.",
    )


def _damaged_file(connection: Connection) -> problems.Problem:
    return problems.Problem(
        connection_id=connection.id,
        stage=problems.PEER,
        ref=None,
        issue_key=None,
        code="DamagedFile",
        message=f"A file that came over {connection.name} was not the one that was announced; it is fetched again.",
        advice="If this repeats, ask the admin of the other side to look at its disk.",
    )
