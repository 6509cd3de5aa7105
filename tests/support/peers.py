"""Two real nodes' transports, Alice and Bob, over real HTTP on loopback with real databases; no tracker, no rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from typing_extensions import override

from node.clock import SystemClock
from node.connections import Connections
from node.keys import KeyFolder
from node.store import connections, envelopes, inbox, outbox, problems, streams
from node.store.engine import Store, Transaction
from node.store.inbox import Received
from node.transport.blobs import BlobFolder
from node.transport.client import ClientSettings
from node.transport.crash import live_on
from node.transport.pairing import Self
from node.transport.receive import Hooks
from node.transport.transport import Transport, TransportSettings
from protocol.envelope import seal_envelope
from protocol.messages import IssueReplica, dump_message
from protocol.replica import Replica
from protocol.stream import after_sealing, next_slot

LOOPBACK = "127.0.0.1"


class QuickClock(SystemClock):
    """The machine's clock, with short waits between tries and a hand to turn it forward."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    @override
    def now_ms(self) -> int:
        """Return the time, turned forward."""
        return super().now_ms() + self.ahead_ms

    @override
    def jitter(self) -> float:
        """Return little, so that tests wait little."""
        return 0.01


@dataclass
class PeerNode:
    """One side. ``start`` and ``stop`` may be called again and again on the same folder: a restart."""

    name: str
    folder: Path
    settings: TransportSettings = field(
        default_factory=lambda: TransportSettings(client=ClientSettings(allow_http=True, allow_private=True))
    )
    clock: QuickClock = field(default_factory=QuickClock)
    crash_point: Callable[[str], None] = live_on
    must_compare: bool = False
    port: int = 0
    public_url: str | None = None
    """The address that the peer is told, if it is not the node's own: a proxy's."""
    received: list[int] = field(default_factory=list)
    resyncs: list[int] = field(default_factory=list)
    delivered: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever the peer has signed for more."""

    async def start(self) -> None:
        """Open the folder's database and keys, listen, talk."""
        self.keys = KeyFolder(self.folder / "keys", self.clock.random_bytes)
        node_key = self.keys.identity(has_met=False) or self.keys.create_node_key()
        self.store = await Store.open(self.folder / "node.db")
        self.files = BlobFolder(self.folder / "blobs", self.clock)
        self.transport = Transport(
            store=self.store,
            keys=self.keys,
            node_key=node_key,
            files=self.files,
            clock=self.clock,
            settings=self.settings,
            hooks=Hooks(
                received=self.received.append,
                resync=self.resyncs.append,
                acked=lambda _connection_id: self.delivered.set(),
            ),
            crash_point=self.crash_point,
        )
        app = web.Application()
        self.transport.add_routes(app)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.connections = Connections(
            store=self.store,
            keys=self.keys,
            node_key=node_key,
            clock=self.clock,
            transport=self.transport,
            me=Self(self.name, (self.public_url or self.url,), self.must_compare),
        )
        self.invitations = self.connections.invitations
        await self.transport.start()

    async def stop(self) -> None:
        """Stop as a node does."""
        try:
            await self.transport.stop()
        finally:
            try:
                await self._runner.cleanup()
            finally:
                await self.store.close()

    async def restart(self) -> None:
        """Stop, and start on the same files and port."""
        await self.stop()
        await self.start()

    @property
    def url(self) -> str:
        """The node's own base URL."""
        return f"http://{LOOPBACK}:{self.port}"

    async def row(self, name: str) -> connections.Connection:
        """Return the row of a connection."""
        found = await self.store.read(lambda reader: connections.by_name(reader, name))
        assert found is not None
        return found

    async def state(self, name: str) -> str:
        """Return the state of a connection."""
        return (await self.row(name)).state

    async def say(self, connection_id: int, *numbers: int, revision: int = 1, issue: str = "i") -> None:
        """Put replicas of issues of all sizes into the outbox at once, one per number, and wake the sender."""
        texts = {f"{issue}{number}": "x" * (number * 997 % 5_000) for number in numbers}
        messages = [replica(one, revision, text=text) for one, text in texts.items()]
        await self.say_together(connection_id, [(message.mid, dump_message(message)) for message in messages])

    async def say_together(self, connection_id: int, messages: Sequence[tuple[str, bytes]]) -> None:
        """Put messages, each an id and its bytes, into the outbox in one unit of work, and wake the sender."""

        async def work(tx: Transaction) -> None:
            for mid, payload in messages:
                await self._enqueue(tx, connection_id, mid, payload, None)

        await self.store.write(work)
        self.transport.wake(connection_id)

    async def enqueue(self, connection_id: int, mid: str, payload: bytes, *, link_id: int | None = None) -> None:
        """Put one message into the outbox as a replica, whatever it holds."""
        await self.store.write(lambda tx: self._enqueue(tx, connection_id, mid, payload, link_id))

    async def _enqueue(
        self, tx: Transaction, connection_id: int, mid: str, payload: bytes, link_id: int | None
    ) -> None:
        await outbox.enqueue(
            tx,
            connection_id=connection_id,
            link_id=link_id,
            mid=mid,
            kind="issue.replica",
            payload=payload,
            now_ms=self.clock.now_ms(),
        )

    async def envelopes(self, direction: str) -> list[int]:
        """Return how many messages each envelope that is kept carries, in order; ``tx`` or ``rx``."""
        rows = await self.store.fetch_all(
            "SELECT messages FROM envelope WHERE direction = :direction ORDER BY epoch, seq", {"direction": direction}
        )
        return [row["messages"] for row in rows]

    async def seal_by_hand(self, connection_id: int, payload: bytes, *, messages: int) -> None:
        """Seal any payload as ``messages`` messages, whatever the credit: what a peer of another make may do."""
        channel = await self.transport.channels.by_id(connection_id)
        assert channel is not None

        async def work(tx: Transaction) -> None:
            state = await streams.load_tx(tx, connection_id)
            assert state is not None
            slot = next_slot(state)
            sealed = seal_envelope(
                channel.sealing, slot, payload, now_ms=1, random_bytes=self.clock.random_bytes, several=messages > 1
            )
            mid = f"by-hand-{slot.seq}"
            await self._enqueue(tx, connection_id, mid, payload, None)
            row = await tx.fetch_one("SELECT id FROM outbox WHERE mid = :mid", {"mid": mid.encode()})
            assert row is not None
            await outbox.mark_sealed(tx, [outbox.Sealed(row["id"], slot.epoch, slot.seq)])
            kept = envelopes.Kept(slot.epoch, slot.seq, messages, sealed.envelope)
            await envelopes.keep(tx, connection_id, streams.TX, [kept])
            await streams.save_tx(tx, connection_id, after_sealing(state, sealed.head))

        await self.store.write(work)
        self.transport.wake(connection_id)

    async def settle(self, row: Received, code: int = 0) -> None:
        """End a received message with an outcome, as an apply worker does."""
        await self.store.write(lambda tx: inbox.finish(tx, row.id, code, self.clock.now_ms()))

    async def inbox(self) -> list[Received]:
        """Return what waits to be applied, oldest first."""
        return await self.store.read(lambda reader: inbox.ready(reader, self.clock.now_ms(), limit=100_000))

    async def issues(self) -> list[str]:
        """Return the handles of the issues that arrived, in order."""
        rows = await self.store.fetch_all("SELECT issue FROM inbox WHERE issue IS NOT NULL ORDER BY id")
        return [row["issue"] for row in rows]

    async def unacked(self) -> int:
        """Count what no peer has signed for yet."""
        row = await self.store.fetch_one("SELECT COUNT(*) AS n FROM outbox WHERE state IN ('queued', 'sealed')")
        assert row is not None
        return int(row["n"])

    async def open_problems(self) -> list[problems.Problem]:
        """Return the problems that are not over, newest first."""
        return await self.store.read(problems.open_problems)

    async def problems(self) -> list[str]:
        """Return the codes of all problems, oldest first."""
        rows = await self.store.fetch_all("SELECT code FROM problem ORDER BY id")
        return [row["code"] for row in rows]


def replica(issue: str, revision: int = 1, *, text: str = "") -> IssueReplica:
    """Return a message about one issue whose id depends on the issue and the revision alone."""
    return IssueReplica(
        mid=f"{issue}-{revision}",
        revision=revision,
        replica=Replica(issue=issue, key=issue.upper(), fields={"summary": f"{issue} at {revision}", "text": text}),
    )


async def until(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Wait until ``condition`` (may be a coroutine function) holds; fail at the deadline."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            await asyncio.sleep(0.01)


async def paired(alice: PeerNode, bob: PeerNode) -> tuple[connections.Connection, connections.Connection]:
    """Pair two running nodes through a code; return each side's connection, both active."""
    invited = await alice.invitations.invite(bob.name, project="UD")
    theirs = await bob.invitations.accept(invited.code, project="SC")

    async def active() -> bool:
        return await alice.state(invited.connection.name) == "active" and await bob.unacked() == 0

    await until(active)
    return await alice.row(invited.connection.name), await bob.row(theirs.name)
