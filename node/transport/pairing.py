"""The handshake of `protocol.pairing` against this node's rows, key files and the network.

Each step stores first and speaks then, so after a crash the same message goes out again, byte for byte. Keys reach
their file before the database names them. Never decides what a message is worth (the protocol does), never tells a
stranger more than that he is not known here.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from node.clock import Clock
from node.errors import PeerError
from node.keys import KeyFolder
from node.store import connections, outbox, problems, streams
from node.store.connections import Connection
from node.store.engine import Reader, Store, Transaction
from node.transport.client import PeerClient
from node.transport.crash import CrashPoint, live_on
from node.transport.errors import PeerNonsense, PeerUnknown
from node.transport.unreached import note_try, unreached
from protocol import handshake, messages, pairing
from protocol.errors import Bad
from protocol.identity import NodeKey, read_statement
from protocol.pairing import Established, InviteePairing, InviterPairing, Pairing, Reception, Role, State, Verdict
from protocol.stream import NONCE_BYTES, start_tx

_ENDED_INVITATION: Final = {
    State.EXPIRED: connections.EXPIRED,
    State.LOCKED: connections.LOCKED,
    State.CANCELLED: connections.REVOKED,
}
CONFIRM_MID: Final = "pair-confirm"
"""The id of the one confirmation of a connection: the outbox takes it once."""


@dataclass(frozen=True, slots=True)
class Self:
    """What a node tells about itself when it pairs. ``label`` names the organisation, ``urls`` reach the node."""

    label: str
    urls: tuple[str, ...]
    must_compare: bool = False
    """Whether a connection may carry issues only after the short codes were compared."""


def dump(record: Pairing) -> str:
    """Write a pairing record as the database keeps it."""
    return json.dumps(record.model_dump(), separators=(",", ":"))


def load(connection: Connection) -> InviterPairing | InviteePairing | None:
    """Read the pairing record of a connection."""
    if connection.pairing is None:
        return None
    value = json.loads(connection.pairing)
    kind = InviterPairing if connection.role == Role.INVITER else InviteePairing
    return kind.model_validate(value)


class PairingDesk:
    """Answers requests for our invitations, and asks inviters until they answer."""

    def __init__(
        self,
        *,
        store: Store,
        keys: KeyFolder,
        node_key: NodeKey,
        clock: Clock,
        client: PeerClient,
        crash_point: CrashPoint = live_on,
    ) -> None:
        self._store = store
        self._keys = keys
        self._node_key = node_key
        self._clock = clock
        self._client = client
        self._crash_point = crash_point
        self._one_at_a_time = asyncio.Lock()

    async def answer(self, message: bytes) -> bytes | None:
        """Answer a request (M1) with M2, or with the hint that the code was used; None: answer as to a stranger."""
        try:
            kind, invite = handshake.peek(message)
        except Bad:
            return None
        if kind != "request":
            return None
        # Two requests at once would make two sets of keys for one connection.
        async with self._one_at_a_time:
            return await self._answer(invite, message)

    async def _answer(self, invite: bytes, message: bytes) -> bytes | None:
        connection = await self._invited(invite)
        record = load(connection) if connection else None
        if connection is None or not isinstance(record, InviterPairing):
            return None
        now_ms = self._clock.now_ms()
        reception = await asyncio.to_thread(
            pairing.receive_request,
            record,
            message,
            node_key=self._node_key,
            now=now_ms // 1000,
            random_bytes=self._clock.random_bytes,
        )
        if reception.established is not None:
            await asyncio.to_thread(self._keys.keep_connection, record.conn, reception.established.keys)
            self._crash_point("request: keys kept")
        if reception.pairing != record or reception.verdict is Verdict.USED:
            nonce = self._clock.random_bytes(NONCE_BYTES)
            await self._store.write(lambda tx: _note_request(tx, connection, reception, now_ms, nonce))
            self._crash_point("request: stored")
        return reception.answer

    async def _invited(self, invite: bytes) -> Connection | None:
        async def find(reader: Reader) -> Connection | None:
            found = await connections.invitation(reader, invite)
            return None if found is None else await connections.get(reader, found.connection_id)

        return await self._store.read(find)

    async def ask(self, connection: Connection) -> Connection:
        """Send our request (M1) once and take the answer in; return the connection as it is then.

        A try in vain is noted with the time of the next one.

        Raises:
            PeerError: if there was no answer, or not the one that makes a connection.
        """
        record = load(connection)
        if not isinstance(record, InviteePairing) or record.state is not State.REQUESTED:
            return connection
        try:
            reception = await self._ask(connection, record)
        except PeerError as error:
            await self._note_failure(connection, error)
            raise
        now_ms = self._clock.now_ms()
        self._crash_point("answer: received")
        nonce = self._clock.random_bytes(NONCE_BYTES)
        await self._store.write(lambda tx: _note_answer(tx, connection, reception, now_ms, nonce))
        self._crash_point("answer: stored")
        return await self._again(connection)

    async def _ask(self, connection: Connection, record: InviteePairing) -> Reception:
        answer = await self._deliver(record)
        secrets = await asyncio.to_thread(self._keys.connection, record.conn)
        reception = await asyncio.to_thread(
            pairing.receive_answer, record, answer, keys=secrets.keys, now=self._clock.now_ms() // 1000
        )
        if reception.verdict is Verdict.USED:
            raise PeerNonsense(
                f"The inviter says that somebody else has already used the invitation of {connection.name}.",
                advice="Call the partner: if it was neither of you, a stranger saw the code. Ask for a new one.",
            )
        if reception.verdict is not Verdict.ACCEPTED:
            raise PeerNonsense(
                f"The answer to the invitation of {connection.name} is not from the node that made the code.",
                advice="Somebody may stand between the two nodes. Tell the partner, and check the address in the code.",
            )
        return reception

    async def _deliver(self, record: InviteePairing) -> bytes:
        failure: PeerError = PeerUnknown(
            "The invitation names no address of the inviter.",
            advice="Let the side that can be reached make the invitation.",
        )
        for url in record.inviter_urls:
            try:
                return await self._client.pair(url, record.request_bytes)
            except PeerUnknown:
                failure = PeerUnknown(
                    "The inviter does not accept this invitation: it has expired, was revoked, or was used.",
                    advice="Ask the inviter for a new code.",
                )
            except PeerError as error:
                failure = error
        raise failure

    async def _note_failure(self, connection: Connection, error: PeerError) -> None:
        now_ms = self._clock.now_ms()
        jitter = self._clock.jitter()

        async def note(tx: Transaction) -> None:
            known = await streams.peer(tx, connection.id)
            await note_try(tx, connection.id, known, error, now_ms=now_ms, jitter=jitter)
            now = await connections.get(tx, connection.id)
            if now is not None and now.state == connections.PENDING:  # revoked while we asked: nobody waits any more
                problem = unreached(
                    connection,
                    error,
                    what=f"{connection.name} is not paired yet.",
                    advice="It is asked again by itself; call the inviter's admin if this lasts.",
                )
                await problems.report(tx, problem, now_ms=now_ms)

        await self._store.write(note)

    async def expire(self) -> list[Connection]:
        """End the pairings whose time is over; call it now and then. Return the connections that ended."""
        now_ms = self._clock.now_ms()
        ended = []
        for connection in await self._store.read(connections.pending):
            record = load(connection)
            if record is None:
                continue
            after = pairing.expire(record, now=now_ms // 1000)
            if after != record and await self._store.write(lambda tx, c=connection, a=after: end(tx, c, a, now_ms)):  # type: ignore[misc]  # bound early, on purpose
                ended.append(connection)
        return ended

    async def _again(self, connection: Connection) -> Connection:
        found = await self._store.read(lambda reader: connections.get(reader, connection.id))
        return connection if found is None else found


async def end(tx: Transaction, connection: Connection, after: Pairing, now_ms: int) -> bool:
    """Store that a pairing has ended without a connection; its keys are for the caller to destroy."""
    if not await connections.replace_pairing(tx, connection.id, connection.pairing, dump(after)):
        return False
    await connections.end_invitation(tx, connection.id, _ENDED_INVITATION.get(after.state, connections.USED))
    await problems.close(tx, stage=problems.PEER, ref=connection.id)
    await connections.set_closed(tx, connection.id, now_ms)
    return True


async def confirmed(tx: Transaction, connection: Connection, now_ms: int) -> None:
    """Take the invitee's first message in: it has our answer, so the connection begins.

    Raises:
        NotNow: if it cannot, because nobody was accepted.
    """
    record = load(connection)
    if not isinstance(record, InviterPairing):
        return
    after = pairing.receive_confirm(record, now=now_ms // 1000)
    await connections.replace_pairing(tx, connection.id, connection.pairing, dump(after))
    if after.state is State.ACTIVE and connection.state == connections.PENDING:
        await connections.set_state(tx, connection.id, connections.ACTIVE)


async def _note_request(
    tx: Transaction, connection: Connection, reception: Reception, now_ms: int, nonce: bytes
) -> None:
    if reception.verdict is Verdict.USED:
        await problems.report(tx, _used_twice(connection), now_ms=now_ms)
        return
    after = reception.pairing
    if after.state in _ENDED_INVITATION:
        await end(tx, connection, after, now_ms)
        return
    if not await connections.replace_pairing(tx, connection.id, connection.pairing, dump(after)):
        return
    if reception.established is not None:
        await connections.end_invitation(tx, connection.id, connections.USED)
        await _pin(tx, connection, reception.established, nonce)


async def _note_answer(
    tx: Transaction, connection: Connection, reception: Reception, now_ms: int, nonce: bytes
) -> None:
    after = reception.pairing
    if reception.established is None or not await connections.replace_pairing(
        tx, connection.id, connection.pairing, dump(after)
    ):
        return
    await _pin(tx, connection, reception.established, nonce)
    if after.state is State.ACTIVE:
        await connections.set_state(tx, connection.id, connections.ACTIVE)
    await streams.heard(tx, connection.id, now_ms)
    await problems.close(tx, stage=problems.PEER, ref=connection.id)
    await outbox.enqueue(
        tx,
        connection_id=connection.id,
        link_id=None,
        mid=CONFIRM_MID,
        kind="pair.confirm",
        payload=messages.dump_message(messages.PairConfirm()),
        now_ms=now_ms,
    )


async def _pin(tx: Transaction, connection: Connection, established: Established, nonce: bytes) -> None:
    await connections.pin(
        tx,
        connection.id,
        own_statement=established.our_statement.model_dump_json().encode(),
        peer_statement=established.peer_statement.model_dump_json().encode(),
        peer_node_key=established.peer_node_key,
        peer_urls=established.peer_urls,
    )
    version = read_statement(established.our_statement).v
    await streams.save_tx(tx, connection.id, start_tx(version, nonce))


def _used_twice(connection: Connection) -> problems.Problem:
    return problems.Problem(
        connection_id=connection.id,
        stage=problems.PEER,
        ref=connection.id,
        issue_key=None,
        code="InvitationUsedTwice",
        message=f"Somebody else tried to use the invitation of {connection.name}, which was already used.",
        advice="Compare the short codes with the partner (accord verify); if they differ, close the connection.",
    )
