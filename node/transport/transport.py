"""Everything of this room as one thing to start and stop: routes for peers, a sender per connection, housekeeping.

Made by the composition root. Its hooks tell the sync core what arrived; its `wake` is what the sync core calls after it
has put something into an outbox.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final

from aiohttp import web

from node.background import Background
from node.clock import Clock
from node.errors import AccordError
from node.keys import KeyFolder
from node.store import blobs, connections, envelopes, inbox, outbox, streams
from node.store.connections import Connection
from node.store.engine import Reader, Store, Transaction
from node.transport.blobs import BlobFolder
from node.transport.channel import Channels
from node.transport.client import ClientSettings, PeerClient
from node.transport.crash import CrashPoint, live_on
from node.transport.keeping import Keep, Keeping
from node.transport.outgoing import Outgoing
from node.transport.pairing import PairingDesk
from node.transport.receipts import Allowance, Taken
from node.transport.receive import Hooks, Receiver
from node.transport.sender import Sender
from node.transport.server import PeerServer
from protocol.identity import NodeKey
from protocol.stream import NONCE_BYTES, renewed

_log = logging.getLogger(__name__)

_DAY_MS: Final = 24 * 60 * 60 * 1_000
KEEP_SENT_MS: Final = 7 * _DAY_MS
KEEP_SENT_ROWS: Final = 10_000
"""What a peer signed for is kept so long and so many, so that a nightly backup of the peer heals by a plain resend."""
KEEP_RECEIVED_MS: Final = 90 * _DAY_MS
"""Ids of settled messages matter only across epochs (wire protocol, limits)."""
GOODBYE_MS: Final = 7 * _DAY_MS
"""How long a closed connection tries to tell its peer before its keys are destroyed."""
CLOSED_BY_PEER_MS: Final = _DAY_MS
"""How long the peer that closed can have its receipt again."""
HOUSEKEEPING_SECONDS: Final = 60.0
CRYPTO_THREADS: Final = 2
CLOSE_MID: Final = "conn-close"


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """What the admin may set."""

    client: ClientSettings = field(default_factory=ClientSettings)
    allowance: Allowance = field(default_factory=Allowance)
    keep: Keep = field(default_factory=Keep)


class Transport:
    """The node's transport."""

    def __init__(
        self,
        *,
        store: Store,
        keys: KeyFolder,
        node_key: NodeKey,
        files: BlobFolder,
        clock: Clock,
        settings: TransportSettings,
        hooks: Hooks | None = None,
        crash_point: CrashPoint = live_on,
    ) -> None:
        self._store = store
        self._keys = keys
        self._files = files
        self._clock = clock
        self._crash_point = crash_point
        self._hooks = hooks or Hooks()
        self._crypto = ThreadPoolExecutor(CRYPTO_THREADS, thread_name_prefix="crypto")
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._senders: dict[int, Sender] = {}
        self._housekeeping = Background("transport housekeeping", self._keep_house)
        self._running = False
        keeping = Keeping(settings.keep)
        self.channels = Channels(store, keys)
        self.client = PeerClient(settings.client, clock)
        self.desk = PairingDesk(
            store=store, keys=keys, node_key=node_key, clock=clock, client=self.client, crash_point=crash_point
        )
        self._receiver = Receiver(
            store=store,
            channels=self.channels,
            files=files,
            clock=clock,
            crypto=self._crypto,
            allowance=settings.allowance,
            keeping=keeping,
            hooks=replace(self._hooks, heard=self._heard, queued=self.wake),
            crash_point=crash_point,
        )
        self._outgoing = Outgoing(
            store=store,
            files=files,
            clock=clock,
            crypto=self._crypto,
            allowance=settings.allowance,
            keeping=keeping,
            sealed=self._hooks.sealed,
            crash_point=crash_point,
        )
        self._server = PeerServer(receiver=self._receiver, desk=self.desk, channels=self.channels, clock=clock)

    def add_routes(self, app: web.Application) -> None:
        """Put the routes that peers call into an application."""
        self._server.add_routes(app)

    async def start(self) -> None:
        """Begin to talk to every peer."""
        self._running = True
        await self._store.write(self._renew_nonces)
        await self.say_goodbye()
        for connection in await self._store.read(connections.every):
            if connection.state != connections.CLOSED or await self._has_keys(connection):
                # A peer may be backing off from us, and which files it asked for was known in memory only.
                self.wake(connection.id, speak=True)
        self._housekeeping.start()

    async def stop(self) -> None:
        """Stop talking; what was not finished is in the rows."""
        self._running = False
        await self._housekeeping.stop()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._senders.clear()
        await self.client.close()
        await asyncio.to_thread(self._crypto.shutdown)

    def wake(self, connection_id: int, *, speak: bool = False) -> None:
        """Let the sender of a connection look for work; with ``speak`` it tells the peer how we stand in any case."""
        if not self._running:
            return
        sender = self._senders.get(connection_id)
        if sender is None:
            sender = self._senders[connection_id] = Sender(
                connection_id,
                store=self._store,
                channels=self.channels,
                outgoing=self._outgoing,
                receiver=self._receiver,
                desk=self.desk,
                client=self.client,
                clock=self._clock,
                crash_point=self._crash_point,
            )
            task = self._tasks[connection_id] = asyncio.create_task(sender.run(), name=f"sender {connection_id}")
            task.add_done_callback(lambda done: self._ended(connection_id, done))
        sender.wake(speak=speak)

    async def say_goodbye(self) -> None:
        """Destroy the keys and files of closed connections that have nothing more to tell their peer."""
        now_ms = self._clock.now_ms()
        for connection in await self._store.read(connections.every):
            if connection.state != connections.CLOSED or not await self._has_keys(connection):
                continue
            if await self._store.read(lambda reader, one=connection: _is_over(reader, one, now_ms)):  # type: ignore[misc]  # bound early, on purpose
                await self.destroy(connection)

    async def destroy(self, connection: Connection) -> None:
        """Destroy the keys and files of a connection that has ended."""
        self.channels.forget(connection.id)
        if connection.conn is not None:
            await asyncio.to_thread(self._keys.destroy_connection, connection.conn)
        self._crash_point("closing: keys destroyed")
        await self._files.remove_connection(connection.id)
        self.wake(connection.id)

    async def _has_keys(self, connection: Connection) -> bool:
        return connection.conn is not None and await asyncio.to_thread(self._keys.has_connection, connection.conn)

    async def _renew_nonces(self, tx: Transaction) -> None:
        for connection in await connections.every(tx):
            state = await streams.load_tx(tx, connection.id)
            if state is not None:
                await streams.save_tx(tx, connection.id, renewed(state, self._clock.random_bytes(NONCE_BYTES)))

    def _heard(self, connection_id: int, taken: Taken) -> None:
        if connection_id not in self._senders:
            self.wake(connection_id)
        if (sender := self._senders.get(connection_id)) is not None:
            sender.heard(taken)
        self._hooks.heard(connection_id, taken)

    def _ended(self, connection_id: int, task: asyncio.Task[None]) -> None:
        """Forget a sender that has ended; one that failed by a mistake of ours is started anew, and said aloud."""
        self._senders.pop(connection_id, None)
        self._tasks.pop(connection_id, None)
        if task.cancelled() or (error := task.exception()) is None:
            return
        _log.error("the sender of connection %d failed", connection_id, exc_info=error)
        if isinstance(error, Exception) and self._running:
            asyncio.get_running_loop().call_later(_RESTART_SECONDS, self.wake, connection_id)

    async def _keep_house(self) -> None:
        while True:
            try:
                for connection in await self.desk.expire():
                    await self.destroy(connection)
                await self.say_goodbye()
                await self._prune()
            except AccordError as error:
                _log.warning("housekeeping: %s", error.message)
            except Exception:  # noqa: BLE001 - said aloud; the next round may go better
                _log.exception("housekeeping failed")
            await self._clock.sleep(HOUSEKEEPING_SECONDS)

    async def _prune(self) -> None:
        """Delete what was kept long enough."""
        now_ms = self._clock.now_ms()

        async def prune_rows(tx: Transaction) -> None:
            for connection in await connections.every(tx):
                await outbox.prune(tx, connection.id, before_ms=now_ms - KEEP_SENT_MS, keep=KEEP_SENT_ROWS)
                await inbox.prune(tx, connection.id, before_ms=now_ms - KEEP_RECEIVED_MS)
                await envelopes.prune(tx, connection.id)

        await self._store.write(prune_rows)
        for connection_id, sha256 in await self._store.read(
            lambda reader: blobs.stale_offers(reader, now_ms - KEEP_SENT_MS)
        ):
            await self._files.withdraw(connection_id, sha256)
            await self._store.write(lambda tx, c=connection_id, s=sha256: blobs.withdraw(tx, c, s))  # type: ignore[misc]  # bound early, on purpose


_RESTART_SECONDS: Final = 30.0


async def _is_over(reader: Reader, connection: Connection, now_ms: int) -> bool:
    """Tell whether a closed connection has nothing more to tell its peer."""
    since_ms = now_ms - (connection.closed_ms or 0)
    if connection.peer_statement is None:
        return True
    farewell = await outbox.find(reader, connection.id, CLOSE_MID)
    if farewell is None:
        return since_ms >= CLOSED_BY_PEER_MS
    return farewell.state == outbox.ACKED or since_ms >= GOODBYE_MS
