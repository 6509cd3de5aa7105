"""What people do with connections that are there: compare the short codes, pause, resume, close, allow, look.

How a connection comes to be is in `invitations`. Each step is one transaction; what follows (a wake-up) can be
repeated after a crash. Never shows the half of a short code that must be read out by the other side, and never a
secret.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from node.clock import Clock
from node.errors import UsageError
from node.invitations import Invitations, found, in_words
from node.keys import KeyFolder
from node.overview import Overview, overview_of
from node.rules.fields import CREATABLE
from node.store import connections, outbox, problems, streams
from node.store.connections import Connection
from node.store.engine import Reader, Store, Transaction
from node.transport import own_address
from node.transport.errors import AddressRefused
from node.transport.pairing import Self, dump, load
from node.transport.transport import CLOSE_MID, Transport
from protocol import pairing
from protocol.identity import NodeKey
from protocol.messages import ConnClose, dump_message
from protocol.pairing import State


@dataclass(frozen=True, slots=True)
class Comparison:
    """How comparing the short codes went."""

    verified: bool
    tries_left: int


class Connections:
    """What people do with connections; ``invitations`` is how new ones come to be."""

    def __init__(
        self, *, store: Store, keys: KeyFolder, node_key: NodeKey, clock: Clock, transport: Transport, me: Self
    ) -> None:
        self._store = store
        self._clock = clock
        self._transport = transport
        self._me = me
        self.invitations = Invitations(
            store=store, keys=keys, node_key=node_key, clock=clock, transport=transport, me=me
        )

    async def verify(self, name: str, digits: str) -> Comparison:
        """Check the six digits that the other admin reads out; after three wrong ones the connection is closed.

        Raises:
            UsageError: if there is nothing to compare, or it is not six digits.
        """
        now_ms = self._clock.now_ms()

        async def compare(tx: Transaction) -> tuple[int, bool, int]:
            connection = found(await connections.by_name(tx, name), name)
            record = load(connection)
            if record is None:
                raise UsageError(f"There are no short codes to compare for {name}.")
            after = pairing.compare(record, digits)
            await connections.replace_pairing(tx, connection.id, connection.pairing, dump(after))
            if after.verified:
                await connections.set_verified(tx, connection.id)
            if after.state is State.ACTIVE and connection.state == connections.PENDING:
                await connections.set_state(tx, connection.id, connections.ACTIVE)
            if after.state is State.REJECTED:
                await _close(tx, connection, now_ms)
                await problems.report(tx, _rejected(connection), now_ms=now_ms)
            return connection.id, after.verified, after.tries_left

        with in_words():
            connection_id, verified, tries_left = await self._store.write(compare)
        self._transport.wake(connection_id, speak=True)
        return Comparison(verified, tries_left)

    async def pause(self, name: str) -> Connection:
        """Deactivate: what changes is collected, nothing is sent or applied, and the peer is told to wait.

        Raises:
            UsageError: if the connection is not active.
        """
        return await self._switch(name, connections.ACTIVE, connections.DEACTIVATED)

    async def resume(self, name: str) -> Connection:
        """Go on where `pause` stopped, or where a second copy of this node made the connection stop.

        What was known of a copy is forgotten with that: a person says that there is one node again.

        Raises:
            UsageError: if the connection is not deactivated.
        """
        return await self._switch(name, connections.DEACTIVATED, connections.ACTIVE)

    async def _switch(self, name: str, before: str, after: str) -> Connection:
        async def switch(tx: Transaction) -> int:
            connection = found(await connections.by_name(tx, name), name)
            if connection.state not in (before, after):
                raise UsageError(f"{name} is {connection.state}, not {before}; nothing was changed.")
            await connections.set_state(tx, connection.id, after)
            sending = await streams.load_tx(tx, connection.id)
            if after == connections.ACTIVE and sending is not None and sending.forked_at is not None:
                await streams.save_tx(tx, connection.id, replace(sending, forked_at=None))
            return connection.id

        connection_id = await self._store.write(switch)
        self._transport.wake(connection_id, speak=True)
        return await self._get(connection_id)

    async def close(self, name: str) -> Connection:
        """End a connection for good: the peer is told, then the keys are destroyed. Links and issues stay as they are.

        Raises:
            UsageError: if there is no such connection.
        """
        now_ms = self._clock.now_ms()
        connection = found(await self._store.read(lambda reader: connections.by_name(reader, name)), name)
        if connection.state == connections.CLOSED:
            return connection
        if connection.peer_statement is None:
            return await self.invitations.revoke(name)
        await self._store.write(lambda tx: _close(tx, connection, now_ms))
        self._transport.wake(connection.id)
        return await self._get(connection.id)

    async def tell_address(self) -> None:
        """Tell peers where this node is reached, those that were told another address before. For each start."""
        now_ms = self._clock.now_ms()
        for connection_id in await self._store.write(lambda tx: own_address.tell(tx, self._me.urls, now_ms)):
            self._transport.wake(connection_id)

    async def set_address(self, name: str, url: str) -> Connection:
        """Call a peer at another address from now on: both nodes have moved, and neither can tell the other.

        Raises:
            UsageError: if there is no such connection, it is closed, or this node may not call that address.
        """
        try:
            self._transport.client.check(url)
        except AddressRefused as error:
            raise UsageError(error.message, advice=error.advice) from None

        async def work(tx: Transaction) -> int:
            connection = found(await connections.by_name(tx, name), name)
            if connection.state == connections.CLOSED:
                raise UsageError(f"{name} is closed.", advice="Pair again with accord invite.")
            await connections.set_peer_urls(tx, connection.id, [url])
            return connection.id

        connection_id = await self._store.write(work)
        self._transport.wake(connection_id, speak=True)
        return await self._get(connection_id)

    async def allow(self, name: str, kinds: Collection[str]) -> Connection:
        """Let the rules of a connection have such things made in our Jira: words of ``rules.fields.CREATABLE``.

        Raises:
            UsageError: if there is no such connection.
        """
        return await self._set_may_create(name, lambda allowed: allowed | set(kinds))

    async def forbid(self, name: str, kinds: Collection[str]) -> Connection:
        """Take back what `allow` allowed; what was made stays.

        Raises:
            UsageError: if there is no such connection.
        """
        return await self._set_may_create(name, lambda allowed: allowed - set(kinds))

    async def _set_may_create(self, name: str, change: Callable[[set[str]], set[str]]) -> Connection:
        async def work(tx: Transaction) -> int:
            connection = found(await connections.by_name(tx, name), name)
            allowed = change(set(connection.may_create))
            await connections.set_may_create(tx, connection.id, [kind for kind in CREATABLE if kind in allowed])
            return connection.id

        return await self._get(await self._store.write(work))

    async def overview(self) -> list[Overview]:
        """Return all connections with how they stand, oldest first."""

        async def look(reader: Reader) -> list[Overview]:
            now_ms = self._clock.now_ms()
            return [await overview_of(reader, one, now_ms=now_ms) for one in await connections.every(reader)]

        return await self._store.read(look)

    async def by_name(self, name: str) -> Overview:
        """Return one connection with how it stands.

        Raises:
            UsageError: if there is no such connection.
        """

        async def look(reader: Reader) -> Overview:
            connection = found(await connections.by_name(reader, name), name)
            return await overview_of(reader, connection, now_ms=self._clock.now_ms())

        return await self._store.read(look)

    async def _get(self, connection_id: int) -> Connection:
        return found(await self._store.read(lambda reader: connections.get(reader, connection_id)), str(connection_id))


async def _close(tx: Transaction, connection: Connection, now_ms: int) -> None:
    await connections.set_closed(tx, connection.id, now_ms)
    await outbox.drop_queued(tx, connection.id, now_ms)
    await outbox.enqueue(
        tx,
        connection_id=connection.id,
        link_id=None,
        mid=CLOSE_MID,
        kind="conn.close",
        payload=dump_message(ConnClose()),
        now_ms=now_ms,
    )


def _rejected(connection: Connection) -> problems.Problem:
    return problems.Problem(
        connection_id=connection.id,
        stage=problems.PEER,
        ref=None,
        issue_key=None,
        code="ShortCodesDiffer",
        message=f"The short codes of {connection.name} did not match three times; the connection was closed.",
        advice="Somebody may stand between the two nodes. Tell the partner, and pair again over another channel.",
    )
