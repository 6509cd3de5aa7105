"""What peers say, taken in off the event loop and in one unit of work, and who is told of it afterwards.

The same path for what a peer posts to us and for what it answers to our own request. Whatever is not from a peer is
answered like a stranger. Never calls the tracker and never applies anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from node.clock import Clock
from node.store import blobs
from node.store.engine import Store
from node.transport.blobs import BlobFolder, Written
from node.transport.channel import Channel, Channels
from node.transport.crash import CrashPoint, live_on
from node.transport.frames import Frames, open_frames
from node.transport.intake import Accepted, take_in
from node.transport.keeping import Keeping
from node.transport.receipts import Allowance, Taken
from protocol.ack import Ack, dump_ack
from protocol.blob import MAX_BLOBS, Chunk
from protocol.envelope import Kind, Slot, peek_header, seal_envelope
from protocol.errors import Bad
from protocol.framing import split_frames
from protocol.stream import NONCE_BYTES, AckEffect

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom to tell, after the commit. Called on the event loop; must not block."""

    received: Callable[[int], None] = lambda _connection_id: None
    """Messages or files of this connection wait to be applied."""
    acked: Callable[[int], None] = lambda _connection_id: None
    """The peer has signed for more of our messages."""
    resync: Callable[[int], None] = lambda _connection_id: None
    """Every linked issue of this connection must be sent anew; see `node.store.cursors.resync`."""
    queued: Callable[[int], None] = lambda _connection_id: None
    """Something was put into the outbox, or what waits there may go now: the peer is reached elsewhere."""
    sealed: Callable[[int], None] = lambda _connection_id: None
    """Something of this connection was sealed and is in the ledger."""
    heard: Callable[[int, Taken], None] = lambda _connection_id, _taken: None
    """A receipt of this connection's peer was taken in."""
    confirmed: Callable[[int], None] = lambda _connection_id: None
    """The invitee of this connection has our answer: the connection begins."""
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
        keeping: Keeping,
        hooks: Hooks,
        crash_point: CrashPoint = live_on,
    ) -> None:
        self._store = store
        self._channels = channels
        self._files = files
        self._clock = clock
        self._crypto = crypto
        self._allowance = allowance
        self._keeping = keeping
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
        opened = await loop.run_in_executor(self._crypto, open_frames, channel, frames)
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
        looks = bool(frames.data or frames.ack.bl) and self._keeping.is_due(channel.connection_id)
        accepted = await self._store.write(
            lambda tx: take_in(
                tx,
                channel,
                frames,
                written,
                now_ms=now_ms,
                fresh_nonce=nonce,
                allowance=self._keeping.allowed(channel.connection_id, self._allowance, now_ms),
                trim=self._keeping if looks else None,
            )
        )
        if accepted is not None:
            self._keeping.came(channel.connection_id, accepted.messages, accepted.size, now_ms, looked=looks)
        return accepted

    def _tell(self, connection_id: int, accepted: Accepted) -> None:
        if accepted.dropped:
            _log.warning(
                "connection %d: the peer does not take our answers; the oldest %d of them were forgotten",
                connection_id,
                accepted.dropped,
            )
        if accepted.stored or accepted.files:
            self._hooks.received(connection_id)
        if accepted.taken.delivered:
            self._hooks.acked(connection_id)
        if accepted.taken.effect is AckEffect.RESYNC or accepted.resync:
            self._hooks.resync(connection_id)
        if accepted.answered or accepted.moved:
            self._hooks.queued(connection_id)
        self._hooks.heard(connection_id, accepted.taken)
        if accepted.confirmed:
            self._hooks.confirmed(connection_id)
        if accepted.closed:
            self._hooks.closed(connection_id)


def _seal_ack(channel: Channel, ack: Ack, clock: Clock) -> bytes:
    return seal_envelope(
        channel.sealing, Slot(Kind.ACK), dump_ack(ack), now_ms=clock.now_ms(), random_bytes=clock.random_bytes
    ).envelope
