"""From queued rows to sealed bytes, and from sealed bytes to one request. Never sends, never waits for the peer.

Sealing is late: a row gets its place in the stream only when there is credit to send it, so that what was replaced in
the meantime never leaves. What waits then shares envelopes, in its order; nothing waits for company. Sealing happens
beside the database; the commit notices if the stream moved meanwhile.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import accumulate, takewhile
from typing import Final

from node.clock import Clock
from node.store import changes, connections, envelopes, ledger, links, outbox, shadows, streams
from node.store.engine import Reader, Store, Transaction
from node.store.envelopes import Kept
from node.store.ledger import Leaving
from node.store.outbox import Queued, Sealed
from node.transport.blobs import BlobFolder
from node.transport.channel import Channel
from node.transport.crash import CrashPoint, live_on
from node.transport.keeping import Keeping
from node.transport.receipts import Allowance, our_ack
from node.transport.wire import MAX_DATA, MAX_EXCHANGE
from protocol.ack import Ack, dump_ack
from protocol.blob import CHUNK_BYTES, Ranges, blob_slot, dump_chunk, indexes
from protocol.envelope import MIN_ENVELOPE, Kind, Slot, seal_envelope
from protocol.envelope import Sealed as SealedEnvelope
from protocol.framing import FRAME_OVERHEAD, join_frames
from protocol.messages import BlobGone, dump_message
from protocol.packing import next_envelopes, pack
from protocol.stream import TxState, after_sealing, next_slot

_BATCH_BYTES: Final = MAX_EXCHANGE - (64 << 10)
"""Leaves room for the receipt that comes first."""
_CHUNK_ENVELOPE: Final = MIN_ENVELOPE + FRAME_OVERHEAD + 36 + CHUNK_BYTES
_CLOSE: Final = "conn.close"
_BATCH: Final = 256
"""Messages that are sealed at a time, as far as one request holds them."""
_AHEAD: Final = 2 * _BATCH
"""Messages without a receipt: what is on its way, and as many again sealed meanwhile for the next request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One exchange, ready to be posted: its bytes, and how many DATA and BLOB envelopes are in them."""

    body: bytes
    data: int
    chunks: int


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rows by envelope, and the stream that they continue."""

    sending: TxState
    envelopes: list[list[Queued]]


@dataclass(frozen=True, slots=True)
class _SealedBatch:
    """Rows with their place, their envelopes, what the ledger notes of each row, and the stream after them."""

    rows: list[Sealed]
    envelopes: list[Kept]
    leaving: list[Leaving]
    after: TxState


class _Moved(Exception):
    """The stream moved while a batch was sealed beside it: nothing of the batch was kept."""


class Outgoing:
    """Makes what the sender posts."""

    def __init__(
        self,
        *,
        store: Store,
        files: BlobFolder,
        clock: Clock,
        crypto: Executor,
        allowance: Allowance,
        keeping: Keeping,
        sealed: Callable[[int], None] = lambda _connection_id: None,
        crash_point: CrashPoint = live_on,
    ) -> None:
        self._store = store
        self._files = files
        self._clock = clock
        self._crypto = crypto
        self._allowance = allowance
        self._keeping = keeping
        self._sealed = sealed
        self._crash_point = crash_point

    async def seal(self, channel: Channel) -> int:
        """Give queued messages their place in the stream and their bytes, as many as credit allows for one request."""
        batch = await self._store.read(lambda reader: _next_batch(reader, channel.connection_id))
        if not batch.envelopes:
            return 0
        loop = asyncio.get_running_loop()
        sealed = await loop.run_in_executor(self._crypto, _seal, channel, batch, self._clock)
        self._crash_point("sending: sealed")
        try:
            await self._store.write(lambda tx: _keep(tx, channel, batch.sending, sealed))
        except _Moved:
            return 0
        self._crash_point("sending: stored")
        self._sealed(channel.connection_id)
        return len(sealed.rows)

    async def request(self, channel: Channel, asked: dict[str, Ranges], *, messages: bool = True) -> Request:
        """Put together one request: our receipt, sealed messages without a receipt, and chunks that were asked for.

        Without ``messages`` it is the receipt alone.
        """

        async def look(reader: Reader) -> tuple[Ack | None, list[bytes]]:
            connection = await connections.get(reader, channel.connection_id)
            sending = await streams.load_tx(reader, channel.connection_id)
            if connection is None or sending is None:
                return None, []
            receiving = await streams.load_rx(reader, connection.id)
            allowance = self._keeping.allowed(connection.id, self._allowance, self._clock.now_ms())
            ack = await our_ack(reader, connection, sending, receiving, allowance)
            if not messages:
                return ack, []
            sealed = await envelopes.after(
                reader, connection.id, sending.epoch, sending.acked, limit=MAX_DATA, size=MAX_EXCHANGE
            )
            return ack, sealed

        ack, sealed = await self._store.read(look)
        if ack is None:
            return Request(b"", 0, 0)
        loop = asyncio.get_running_loop()
        request, given = await loop.run_in_executor(self._crypto, self._assemble, channel, ack, sealed, asked)
        if given:
            await self._store.write(
                lambda tx: ledger.append(
                    tx,
                    channel.connection_id,
                    conn=channel.sealing.conn,
                    peer_node_key=channel.peer_node_key,
                    rows=given,
                )
            )
            self._sealed(channel.connection_id)
        return request

    async def give_up_files(self, channel: Channel, asked: dict[str, Ranges]) -> dict[str, Ranges]:
        """Tell the peer which files it asks for are not here any more; return those that are.

        Each such answer counts as a message of the peer's: who asks for ever for what never was hears no more of it.
        """
        here = {sha256: ranges for sha256, ranges in asked.items() if await self._holds(channel, sha256)}
        for sha256 in asked.keys() - here.keys():
            now_ms = self._clock.now_ms()
            if self._keeping.is_spent(channel.connection_id, now_ms):
                break
            self._keeping.came(channel.connection_id, 1, 0, now_ms)
            await self._store.write(lambda tx, gone=sha256: self._note_gone(tx, channel.connection_id, gone))  # type: ignore[misc]  # bound early, on purpose
        return here

    async def _holds(self, channel: Channel, sha256: str) -> bool:
        return await self._files.has_outgoing(channel.connection_id, sha256)

    async def _note_gone(self, tx: Transaction, connection_id: int, sha256: str) -> None:
        now_ms = self._clock.now_ms()
        told = await outbox.enqueue(
            tx,
            connection_id=connection_id,
            link_id=None,
            # One notice per file and hour: the peer may ask again later, and must hear it again.
            mid=f"gone-{sha256[:32]}-{now_ms // 3_600_000:x}",
            kind="blob.gone",
            payload=dump_message(BlobGone(blob=sha256)),
            now_ms=now_ms,
        )
        offered = await links.that_offered(tx, connection_id, sha256) if told else []
        if offered:  # it is in our tracker still, or the next look at its issue says that it is not
            await shadows.forget_digest(tx, sha256)
            for issue_id in offered:
                await changes.add(tx, source=changes.POLL, now_ms=now_ms, issue=issue_id)

    def _assemble(
        self, channel: Channel, ack: Ack, sealed: Sequence[bytes], asked: dict[str, Ranges]
    ) -> tuple[Request, list[Leaving]]:
        """Return the request, and what the ledger notes of the files in it: receipts hold nothing of an issue."""
        frames = [
            seal_envelope(
                channel.sealing,
                Slot(Kind.ACK),
                dump_ack(ack),
                now_ms=self._clock.now_ms(),
                random_bytes=self._clock.random_bytes,
            ).envelope
        ]
        left = MAX_EXCHANGE - len(frames[0]) - FRAME_OVERHEAD
        for envelope in sealed:
            left -= len(envelope) + FRAME_OVERHEAD
            if left < 0:
                break
            frames.append(envelope)
        data = len(frames) - 1
        given: list[Leaving] = []
        for sha256, ranges in asked.items():
            chunks: dict[int, bytes] = {}
            for index in indexes(ranges):
                left -= _CHUNK_ENVELOPE
                if left < 0 or len(frames) > MAX_DATA:
                    break
                chunk = self._seal_chunk(channel, sha256, index)
                if chunk is not None:
                    frames.append(chunk.envelope)
                    chunks[index] = chunk.head
            if chunks:
                given.append(_file_leaving(sha256, chunks, self._clock.now_ms()))
        return Request(join_frames(frames), data, len(frames) - 1 - data), given

    def _seal_chunk(self, channel: Channel, sha256: str, index: int) -> SealedEnvelope | None:
        chunk = self._files.read_chunk(channel.connection_id, sha256, index)
        if chunk is None:
            return None
        return seal_envelope(
            channel.sealing,
            blob_slot(index),
            dump_chunk(chunk),
            now_ms=self._clock.now_ms(),
            random_bytes=self._clock.random_bytes,
        )


def _file_leaving(sha256: str, chunks: dict[int, bytes], now_ms: int) -> Leaving:
    """Return the ledger's row for chunks of one file; ``head`` covers the heads of their envelopes in order."""
    payload = json.dumps({"blob": sha256, "chunks": sorted(chunks)}, separators=(",", ":")).encode()
    head = hashlib.sha256(b"".join(chunks[index] for index in sorted(chunks))).digest()
    return Leaving(at_ms=now_ms, kind=ledger.FILE, mid=sha256, head=head, payload=payload)


async def _next_batch(reader: Reader, connection_id: int) -> _Batch:
    """Choose the oldest queued rows that fit one request and the credit that is left, envelope by envelope."""
    sending = await streams.load_tx(reader, connection_id)
    if sending is None:
        return _Batch(TxState(0, 0, b""), [])
    unacked, unacked_bytes = await envelopes.unacked(reader, connection_id, sending.epoch, sending.acked)
    room = min(_BATCH, _AHEAD - unacked)
    if room <= 0:
        return _Batch(sending, [])
    waiting = await outbox.next_queued(reader, connection_id, rows=room, size=_BATCH_BYTES - room * MIN_ENVELOPE)
    if waiting and waiting[0].kind == _CLOSE:
        # A closed connection needs no credit to say so: it is the last that the peer will store.
        return _Batch(sending, [waiting[:1]])
    rows = list(takewhile(lambda row: row.kind != _CLOSE, waiting))
    counts = next_envelopes(
        sending, [len(row.payload) for row in rows], unacked_messages=unacked, unacked_bytes=unacked_bytes
    )
    ends = list(accumulate(counts))
    return _Batch(sending, [rows[end - count : end] for end, count in zip(ends, counts, strict=True)])


def _seal(channel: Channel, batch: _Batch, clock: Clock) -> _SealedBatch:
    state = batch.sending
    sealed = _SealedBatch([], [], [], state)
    now_ms = clock.now_ms()
    for rows in batch.envelopes:
        slot = next_slot(state)
        one = seal_envelope(
            channel.sealing,
            slot,
            pack([row.payload for row in rows]),
            now_ms=now_ms,
            random_bytes=clock.random_bytes,
            several=len(rows) > 1,
        )
        sealed.envelopes.append(Kept(slot.epoch, slot.seq, len(rows), one.envelope))
        for place, row in enumerate(rows, start=1):
            sealed.rows.append(Sealed(row.id, slot.epoch, slot.seq))
            sealed.leaving.append(
                Leaving(
                    at_ms=now_ms,
                    kind=row.kind,
                    head=one.head,
                    payload=row.payload,
                    link_id=row.link_id,
                    issue_key=row.issue_key,
                    mid=row.mid,
                    epoch=slot.epoch,
                    seq=slot.seq,
                    revision=row.revision,
                    rule_version=row.rule_version,
                    place=place if len(rows) > 1 else None,
                    places=len(rows) if len(rows) > 1 else None,
                )
            )
        state = after_sealing(state, one.head)
    return replace(sealed, after=state)


async def _keep(tx: Transaction, channel: Channel, before: TxState, sealed: _SealedBatch) -> None:
    """Store a sealed batch and its rows of the ledger, if the stream still ends where the batch begins."""
    connection_id = channel.connection_id
    now = await streams.load_tx(tx, connection_id)
    if now is None or (now.epoch, now.sealed, now.head) != (before.epoch, before.sealed, before.head):
        raise _Moved
    if not await outbox.mark_sealed(tx, sealed.rows):
        raise _Moved
    await envelopes.keep(tx, connection_id, streams.TX, sealed.envelopes)
    await ledger.append(
        tx, connection_id, conn=channel.sealing.conn, peer_node_key=channel.peer_node_key, rows=sealed.leaving
    )
    await streams.save_tx(tx, connection_id, replace(now, sealed=sealed.after.sealed, head=sealed.after.head))
