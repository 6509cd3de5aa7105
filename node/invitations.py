"""Invitations: how a connection comes to be. Make a code, read one, accept one, take one back.

Each step is one transaction; what follows (a request, a wake-up) can be repeated after a crash. A name, a label or a
code that people typed is checked here; the protocol judges the rest. Never shows a secret but the code itself, to the
one who asked for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from node.clock import Clock
from node.errors import PeerError, UsageError
from node.keys import KeyFolder
from node.names import check_name, free_name
from node.store import connections, streams
from node.store.connections import Connection
from node.store.engine import Reader, Store, Transaction
from node.transport import own_address
from node.transport.errors import AddressRefused, PeerNonsense, PeerUnknown
from node.transport.pairing import Self, dump, end, load
from node.transport.transport import Transport
from protocol import pairing
from protocol.errors import Mistyped, ProtocolError
from protocol.fingerprint import fingerprint
from protocol.identity import NodeKey
from protocol.invitation import DEFAULT_VALIDITY, Invitation
from protocol.pairing import Role

MAX_OPEN_INVITATIONS: Final = 20
"""A node that has given out so many codes does not know any more to whom."""


@dataclass(frozen=True, slots=True)
class Invited:
    """A new invitation. ``code`` is a secret until it is used; ``expires_ms`` by our clock."""

    connection: Connection
    code: str
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Described:
    """What a code says about the one who made it; all of it but the fingerprint is untrusted text."""

    label: str
    fingerprint: str
    urls: tuple[str, ...]
    expires_ms: int
    name: str
    """The name that the connection would get."""
    accepted_as: str | None
    """The connection that this code has already made here."""


class Invitations:
    """What people do with invitations."""

    def __init__(
        self, *, store: Store, keys: KeyFolder, node_key: NodeKey, clock: Clock, transport: Transport, me: Self
    ) -> None:
        self._store = store
        self._keys = keys
        self._node_key = node_key
        self._clock = clock
        self._transport = transport
        self._me = me

    async def invite(
        self,
        peer_label: str,
        *,
        project: str,
        name: str | None = None,
        default_type: str | None = None,
        description: str = "",
        valid_seconds: int = DEFAULT_VALIDITY,
        only_for: str | None = None,
    ) -> Invited:
        """Make an invitation for ``peer_label`` and a pending connection, by default named ``Us_to_Them``.

        Raises:
            UsageError: if a name, the validity or ``only_for`` (a fingerprint) is not one, or too many codes are out.
        """
        if name is not None:
            check_name(name)
        now_ms = self._clock.now_ms()
        with in_words():
            record = pairing.invite(
                node_key=self._node_key,
                now=now_ms // 1000,
                random_bytes=self._clock.random_bytes,
                urls=self._me.urls,
                label=self._me.label,
                valid_for=valid_seconds,
                only_for=only_for,
                must_compare=self._me.must_compare,
            )

        async def store(tx: Transaction) -> int:
            if await connections.count_open_invitations(tx) >= MAX_OPEN_INVITATIONS:
                raise UsageError(
                    f"There are {MAX_OPEN_INVITATIONS} invitations that nobody has used yet.",
                    advice="Revoke those that are not needed any more: see accord connections.",
                )
            connection_id = await connections.insert(
                tx,
                name=await self._name(tx, name, peer_label),
                role=Role.INVITER,
                conn=record.conn,
                project=project,
                peer_label=peer_label,
                peer_urls=(),
                pairing=dump(record),
                default_type=default_type,
                description=description,
                now_ms=now_ms,
            )
            await own_address.told(tx, connection_id, self._me.urls)
            await connections.insert_invitation(
                tx, invite=record.id, connection_id=connection_id, expires_ms=record.deadline * 1000
            )
            return connection_id

        connection = await self._get(await self._store.write(store))
        return Invited(connection, record.code or "", record.deadline * 1000)

    async def describe(self, code: str) -> Described:
        """Say what a code says, without any effect.

        Raises:
            UsageError: if it is not a code, our own, or for another node.
        """
        invitation = self._read_code(code)
        terms = invitation.terms
        taken, known = await self._store.read(lambda reader: _names_and_conn(reader, invitation.connection_id))
        return Described(
            label=terms.label,
            fingerprint=fingerprint(terms.node_key),
            urls=terms.urls,
            expires_ms=terms.expires * 1000,
            name=known.name if known else free_name(None, self._me.label, terms.label, taken),
            accepted_as=known.name if known else None,
        )

    async def accept(
        self,
        code: str,
        *,
        project: str,
        name: str | None = None,
        default_type: str | None = None,
        description: str = "",
    ) -> Connection:
        """Use a code: ask the inviter, who may be away; then the connection stays pending and asks again by itself.

        The same code again goes on with the same connection.

        Raises:
            UsageError: if the code cannot be used, names no address that this node may call, or the inviter does not
                accept it.
        """
        invitation = self._read_code(code)
        if name is not None:
            check_name(name)
        self._must_be_callable(invitation)
        _, known = await self._store.read(lambda reader: _names_and_conn(reader, invitation.connection_id))
        if known is not None and known.state == connections.CLOSED:
            raise UsageError(
                f"This invitation was used for {known.name}, which is closed.", advice="Ask the inviter for a new code."
            )
        connection = known or await self._request(invitation, project, name, default_type, description)
        fresh = (await self._store.read(lambda reader: streams.peer(reader, connection.id))).attempts == 0
        try:
            connection = await self._transport.desk.ask(connection)
        except (PeerUnknown, PeerNonsense, AddressRefused) as error:
            if known is None and fresh:
                await self._forget(connection)
            raise UsageError(error.message, advice=error.advice) from None
        except PeerError:
            pass  # noted with the connection; the sender goes on asking
        self._transport.wake(connection.id)
        return connection

    async def revoke(self, name: str) -> Connection:
        """Take an invitation back, or stop asking an inviter; a code that is out can no longer be used.

        Raises:
            UsageError: if the connection has begun already; then it can be closed.
        """
        now_ms = self._clock.now_ms()

        async def revoke(tx: Transaction) -> Connection:
            connection = found(await connections.by_name(tx, name), name)
            record = load(connection)
            if connection.state != connections.PENDING or record is None:
                raise UsageError(
                    f"The invitation of {name} was used or has ended: the connection is {connection.state}.",
                    advice=f"To end the connection itself: accord close {name}.",
                )
            await end(tx, connection, pairing.cancel(record), now_ms)
            return connection

        with in_words():
            connection = await self._store.write(revoke)
        await self._transport.destroy(connection)
        return await self._get(connection.id)

    async def _request(
        self, invitation: Invitation, project: str, name: str | None, default_type: str | None, description: str
    ) -> Connection:
        now_ms = self._clock.now_ms()
        with in_words():
            record, keys = pairing.request(
                invitation,
                node_key=self._node_key,
                now=now_ms // 1000,
                random_bytes=self._clock.random_bytes,
                urls=self._me.urls,
                label=self._me.label,
                must_compare=self._me.must_compare,
            )
        await asyncio.to_thread(self._keys.keep_connection, record.conn, keys)

        async def store(tx: Transaction) -> int:
            connection_id = await connections.insert(
                tx,
                name=await self._name(tx, name, invitation.terms.label),
                role=Role.INVITEE,
                conn=record.conn,
                project=project,
                peer_label=invitation.terms.label,
                peer_urls=invitation.terms.urls,
                pairing=dump(record),
                default_type=default_type,
                description=description,
                now_ms=now_ms,
            )
            await own_address.told(tx, connection_id, self._me.urls)
            return connection_id

        return await self._get(await self._store.write(store))

    async def _name(self, tx: Transaction, name: str | None, peer_label: str) -> str:
        """Return the name of a new connection, and let a closed one that bears it make way."""
        chosen = free_name(name, self._me.label, peer_label, await connections.names(tx))
        await connections.set_aside(tx, chosen)
        return chosen

    async def _forget(self, connection: Connection) -> None:
        """Leave no trace of a code that the inviter refused at once."""
        await self._store.write(lambda tx: connections.delete(tx, connection.id))
        await self._transport.destroy(connection)

    async def _get(self, connection_id: int) -> Connection:
        return found(await self._store.read(lambda reader: connections.get(reader, connection_id)), str(connection_id))

    def _must_be_callable(self, invitation: Invitation) -> None:
        """Refuse a code at once whose inviter this node would never call: nobody would look for the reason later."""
        refused: PeerError | None = None
        for url in invitation.terms.urls:
            try:
                self._transport.client.check(url)
            except AddressRefused as error:
                refused = error
            else:
                return
        if refused is not None:
            raise UsageError(f"This code cannot be accepted here. {refused.message}", advice=refused.advice)

    def _read_code(self, code: str) -> Invitation:
        with in_words():
            invitation = Invitation.from_code(code)
            invitation.check_usable_by(self._node_key.public)
            return invitation


async def _names_and_conn(reader: Reader, conn: bytes) -> tuple[set[str], Connection | None]:
    return await connections.names(reader), await connections.by_conn(reader, conn)


def found(connection: Connection | None, name: str) -> Connection:
    """Return the connection that was looked for under this name. Raises UsageError where there is none."""
    if connection is None:
        raise UsageError(f"There is no connection named {name}.", advice="See accord connections for those there are.")
    return connection


@contextmanager
def in_words() -> Iterator[None]:
    """Turn the protocol's errors about what a person asked for into the node's."""
    try:
        yield
    except (Mistyped, ProtocolError) as error:
        raise UsageError(error.message, advice=error.advice) from None
    except ValueError:
        raise UsageError(
            "This cannot be put into an invitation: a name, an address or the validity is too long.",
            advice="A code is valid for at most 14 days; a name has at most 64 characters, an address 255.",
        ) from None
