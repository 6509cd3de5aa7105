"""The loop that talks to one peer: woken by new rows or by the timer, one request in flight, never giving up.

It keeps nothing that matters: what to send and when to try again are rows, so it can be stopped at any line and started
again. HTTP statuses move nothing but the back-off; only signed receipts do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, replace
from typing import Final

from node.clock import Clock
from node.errors import AccordError, PeerError
from node.store import blobs, connections, outbox, problems, streams
from node.store.connections import Connection
from node.store.engine import Reader, Store, Transaction
from node.store.errors import StoreClosed
from node.store.streams import Peer
from node.transport import backoff
from node.transport.channel import Channel, Channels
from node.transport.client import PeerClient
from node.transport.crash import CrashPoint, live_on
from node.transport.errors import PeerNonsense, PeerUnreachable, waits_for_people
from node.transport.intake import Accepted
from node.transport.outgoing import Outgoing, Request
from node.transport.pairing import PairingDesk, load
from node.transport.receipts import Taken
from node.transport.receive import Receiver
from node.transport.unreached import note_try, unreached
from protocol.blob import MAX_BLOBS, Ranges
from protocol.errors import Bad
from protocol.framing import split_frames
from protocol.pairing import State
from protocol.stream import AckEffect

_log = logging.getLogger(__name__)

HEARTBEAT_MS: Final = backoff.CAP_MS
"""A silent connection is tried this often, so that a restored peer or a lost wake-up is noticed."""
ASK_AGAIN_MS: Final = 30_000
"""How often a peer is reminded of files that do not come."""
SILENT_MS: Final = 60 * 60 * 1_000
"""People are told of a peer that was not heard for an hour."""
_POLL_CAP_MS: Final = 60_000
"""How often a peer without credit is asked for some."""
_TROUBLE_SECONDS: Final = 5.0
"""After an error of this node itself: a full disk, a missing key file."""
_PATIENCE: Final = 3
"""Exchanges without progress that are normal in a row: a restored peer needs two to prove it."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one turn finds to do."""

    connection: Connection
    peer: Peer
    wanted: frozenset[str]
    """Files of the peer's that are not all here."""
    queued: bool
    """Whether messages wait to be sealed."""
    unacked: bool
    """Whether messages wait for the peer's receipt."""


class Sender:
    """Talks to one peer."""

    def __init__(
        self,
        connection_id: int,
        *,
        store: Store,
        channels: Channels,
        outgoing: Outgoing,
        receiver: Receiver,
        desk: PairingDesk,
        client: PeerClient,
        clock: Clock,
        crash_point: CrashPoint = live_on,
    ) -> None:
        self._id = connection_id
        self._store = store
        self._channels = channels
        self._outgoing = outgoing
        self._receiver = receiver
        self._desk = desk
        self._client = client
        self._clock = clock
        self._crash_point = crash_point
        self._woken = asyncio.Event()
        self._asked: dict[str, Ranges] = {}
        self._speak = False
        self._told: frozenset[str] = frozenset()
        self._told_ms = 0
        self._fruitless = 0
        self._polls = 0
        self._backing_off = False
        self._starving = False

    def wake(self, *, speak: bool = False) -> None:
        """Look for work now; with ``speak`` say how we stand even if there is none."""
        self._speak = self._speak or speak
        self._woken.set()

    def heard(self, taken: Taken) -> None:
        """Note what the peer's newest receipt asks of us; whoever speaks to us is worth trying at once."""
        self._asked = taken.asked
        fed = self._starving and taken.state.credit_messages > 0
        if taken.asked or taken.effect is not AckEffect.ACKED or self._backing_off or fed:
            self._woken.set()

    async def run(self) -> None:
        """Talk until cancelled, or until the connection has ended."""
        while True:
            self._woken.clear()
            try:
                pause = await self._turn()
            except StoreClosed:
                return
            except AccordError as error:
                _log.warning("connection %d: %s", self._id, error.message)
                pause = _TROUBLE_SECONDS
            if pause is None:
                return
            if pause > 0:
                await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        waiting = {asyncio.create_task(self._woken.wait()), asyncio.create_task(self._clock.sleep(seconds))}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            # Not one await each with its CancelledError suppressed: that would swallow our own cancellation, too.
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _turn(self) -> float | None:
        """Do one piece of work; return after how many seconds to look again, None if there will never be any."""
        work = await self._store.read(self._look)
        if work is None:
            return None
        now_ms = self._clock.now_ms()
        self._backing_off = work.peer.due_ms > now_ms
        if self._backing_off:
            return (work.peer.due_ms - now_ms) / 1_000
        if work.connection.state == connections.PENDING and await self._pair(work.connection):
            return 0
        channel = await self._channels.by_id(self._id)
        if channel is None:
            return None if work.connection.state == connections.CLOSED else HEARTBEAT_MS / 1_000
        return await self._talk(channel, work, now_ms)

    async def _look(self, reader: Reader) -> Work | None:
        connection = await connections.get(reader, self._id)
        if connection is None:
            return None
        wanted = await blobs.wanted(reader, self._id, limit=MAX_BLOBS)
        return Work(
            connection,
            await streams.peer(reader, self._id),
            frozenset(blob.sha256 for blob in wanted),
            queued=await outbox.has(reader, self._id, outbox.QUEUED),
            unacked=await outbox.has(reader, self._id, outbox.SEALED),
        )

    async def _pair(self, connection: Connection) -> bool:
        """Ask the inviter, if we are still waiting for its answer; tell whether that changed anything."""
        record = load(connection)
        if record is None or record.state is not State.REQUESTED:
            return False
        with contextlib.suppress(PeerError):  # the desk has noted it, and when to try again
            await self._desk.ask(connection)
        return True

    async def _talk(self, channel: Channel, work: Work, now_ms: int) -> float:
        sends = work.connection.state != connections.DEACTIVATED
        if sends and work.queued and not work.unacked and await self._outgoing.seal(channel):
            work = replace(work, unacked=True)
        if not self._has_reason(work, now_ms, sends=sends):
            return self._idle(queued=work.queued and sends, now_ms=now_ms, peer=work.peer)
        try:
            request, accepted = await self._exchange(channel, work, sends=sends)
        except PeerError as error:
            self._told = frozenset()  # what was to be told may not have been heard
            return await self._failed(work, error)
        return self._next(request, accepted)

    def _has_reason(self, work: Work, now_ms: int, *, sends: bool) -> bool:
        """Tell whether there is anything to say to the peer now."""
        if self._speak or (sends and (work.unacked or self._asked)):
            return True
        if now_ms - max(work.peer.last_heard_ms or 0, work.connection.created_ms) >= HEARTBEAT_MS:
            return True
        unheard = now_ms - self._told_ms >= ASK_AGAIN_MS
        return sends and bool(work.wanted) and (unheard or not work.wanted <= self._told)

    def _idle(self, *, queued: bool, now_ms: int, peer: Peer) -> float:
        """Return how long nothing needs to be said; a peer that gave no credit is asked again, ever less often."""
        self._starving = queued
        if queued:
            wait_ms = min(_POLL_CAP_MS, backoff.FIRST_MS << min(self._polls, 10))
            self._polls += 1
            self._speak = True
            return wait_ms / 1_000
        quiet_ms = HEARTBEAT_MS - (now_ms - (peer.last_heard_ms or now_ms))
        return max(1.0, min(quiet_ms, ASK_AGAIN_MS if self._told else HEARTBEAT_MS) / 1_000)

    async def _exchange(self, channel: Channel, work: Work, *, sends: bool) -> tuple[Request, Accepted]:
        """Post one request and take the answer in; the next batch is sealed while this one is on its way."""
        self._speak = False
        asked = await self._outgoing.give_up_files(channel, self._asked) if sends else {}
        request = await self._outgoing.request(channel, asked, messages=sends)
        self._told, self._told_ms = work.wanted, self._clock.now_ms()
        self._crash_point("sending: ready")
        posting = asyncio.create_task(self._post(work.connection, request.body))
        sealing = asyncio.create_task(self._outgoing.seal(channel)) if sends else None
        try:
            answer = await posting
        finally:
            if sealing is not None:
                await sealing
        self._crash_point("sending: answered")
        try:
            accepted = await self._receiver.accept(channel, split_frames(answer))
        except Bad as error:
            _log.warning("connection %d: an answer was refused: %s", self._id, error.reason)
            raise PeerNonsense(
                f"What {work.connection.name}'s peer answered is not signed by it as it should be.",
                advice="Tell its admin; nothing of the answer was believed.",
            ) from None
        self._crash_point("sending: receipt stored")
        if accepted is None:
            raise PeerNonsense(f"{work.connection.name} ended while its peer answered.")
        return request, accepted

    async def _post(self, connection: Connection, body: bytes) -> bytes:
        failure: PeerError = PeerUnreachable(
            f"No address of the peer of {connection.name} is known; this node waits until it is called.",
            advice="Ask its admin for the address under which its node can be reached.",
        )
        for url in connection.peer_urls:
            try:
                return await self._client.exchange(url, body)
            except PeerError as error:
                failure = error
        raise failure

    def _next(self, request: Request, accepted: Accepted) -> float:
        moved = accepted.taken.delivered or request.chunks or not request.data
        self._fruitless = 0 if moved else self._fruitless + 1
        if accepted.taken.delivered:
            self._polls = 0
        if self._fruitless < _PATIENCE:
            return 0
        return backoff.delay_ms(self._fruitless - _PATIENCE + 1, self._clock.jitter()) / 1_000

    async def _failed(self, work: Work, error: PeerError) -> float:
        """Note a try in vain, and tell people once it has lasted."""
        now_ms = self._clock.now_ms()
        jitter = self._clock.jitter()
        self._backing_off = True

        async def note(tx: Transaction) -> int:
            known = await streams.peer(tx, self._id)
            wait_ms = await note_try(tx, self._id, known, error, now_ms=now_ms, jitter=jitter)
            silent = now_ms - (known.last_heard_ms or work.connection.created_ms) >= SILENT_MS
            lasts = waits_for_people(error) and work.connection.state != connections.CLOSED
            if silent or lasts:
                how = "has not been heard for over an hour" if silent else "cannot be called"
                problem = unreached(
                    work.connection,
                    error,
                    what=f"The peer of {work.connection.name} {how}.",
                    advice="What waits is kept and sent as soon as it answers; ask its admin.",
                )
                await problems.report(tx, problem, now_ms=now_ms)
            return wait_ms

        return await self._store.write(note) / 1_000
