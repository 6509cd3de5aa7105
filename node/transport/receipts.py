"""What a receipt of the peer changes here, and what ours says: rows and decisions of one unit of work.

`protocol.stream` decides; this carries it out and writes down for people what they should know: a restored database,
or two copies of one node. Never sends, never seals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from node.store import blobs, connections, cursors, envelopes, inbox, outbox, problems, streams
from node.store.connections import Connection
from node.store.engine import Reader, Transaction
from node.transport import own_address, restored
from protocol.ack import DEFAULT_BYTES, DEFAULT_MESSAGES, Ack
from protocol.blob import MAX_BLOBS, MAX_RANGES, Ranges
from protocol.envelope import head_of
from protocol.stream import AckEffect, RxState, TxState, Verdict, judge_ack, make_ack

_PAIR_AGAIN: Final = "Close this connection on both sides and pair the nodes again."


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a peer may send beyond what we have applied: messages, and bytes of envelopes."""

    messages: int = DEFAULT_MESSAGES
    size: int = DEFAULT_BYTES


@dataclass(frozen=True, slots=True)
class Taken:
    """What a receipt of the peer led to. ``asked`` are the chunks of our files that it misses."""

    effect: AckEffect
    state: TxState
    asked: dict[str, Ranges]
    delivered: int
    """How many more of our messages it has signed for."""


async def take_ack(
    tx: Transaction, connection: Connection, before: TxState, ack: Ack, *, now_ms: int, fresh_nonce: bytes
) -> Taken:
    """Judge a receipt and store what follows from it."""
    verdict = await _judge(tx, connection.id, before, ack, now_ms=now_ms, fresh_nonce=fresh_nonce)
    state = verdict.state
    delivered = 0
    match verdict.effect:
        case AckEffect.ACKED:
            if state.acked > before.acked:
                delivered = await outbox.mark_acked(tx, connection.id, state.epoch, before.acked, state.acked, now_ms)
        case AckEffect.RESEND:
            await outbox.mark_lost(tx, connection.id, state.epoch, state.acked)
        case AckEffect.NEW_EPOCH:
            await _begin_anew(tx, connection)
            await restored.note(tx, connection, now_ms=now_ms, seed=fresh_nonce)
        case AckEffect.RESYNC:
            await _begin_anew(tx, connection)
            await cursors.ask_resync(tx, connection.id, now_ms)
            await own_address.tell_again(tx, connection, now_ms)
        case AckEffect.STOP | AckEffect.NEEDS_STATEMENT:
            await connections.set_state(tx, connection.id, connections.DEACTIVATED)
        case AckEffect.STALE:
            pass
    if verdict.effect not in (AckEffect.ACKED, AckEffect.STALE, AckEffect.NEW_EPOCH):
        await problems.report(tx, _told(connection, verdict), now_ms=now_ms)
    if state != before:
        await streams.save_tx(tx, connection.id, state)
    return Taken(verdict.effect, state, dict(ack.bl), delivered)


async def _begin_anew(tx: Transaction, connection: Connection) -> None:
    """Let a new epoch seal what is not acknowledged; the envelopes of the one that ends are never sent again."""
    await outbox.requeue(tx, connection.id)
    await envelopes.drop_ours(tx, connection.id)


async def _judge(
    tx: Transaction, connection_id: int, before: TxState, ack: Ack, *, now_ms: int, fresh_nonce: bytes
) -> Verdict:
    theirs = ack.rx.position
    head_there = None
    if theirs.epoch == before.epoch and 0 < theirs.seq < before.sealed:
        envelope = await envelopes.at(tx, connection_id, theirs.epoch, theirs.seq)
        head_there = None if envelope is None else head_of(envelope)
    held_from = before.sealed + 1
    if theirs.epoch < before.epoch or theirs.seq < before.acked:  # only a loss asks for it
        held_from = await envelopes.held_from(tx, connection_id, before.epoch) or held_from
    return judge_ack(
        before, ack, head_there=head_there, held_from=held_from, now=now_ms // 1000, fresh_nonce=fresh_nonce
    )


async def our_ack(reader: Reader, connection: Connection, tx: TxState, rx: RxState, allowance: Allowance) -> Ack:
    """Return the receipt to send: how far we hold the peer's stream, how much more we take, what we miss."""
    messages = size = 0
    if connection.state in (connections.ACTIVE, connections.PENDING):
        waiting, waiting_size = await inbox.backlog(reader, connection.id)
        messages, size = max(0, allowance.messages - waiting), max(0, allowance.size - waiting_size)
    missing = {}
    if connection.state == connections.ACTIVE:
        missing = {
            blob.sha256: blob.missing[:MAX_RANGES]
            for blob in await blobs.wanted(reader, connection.id, limit=MAX_BLOBS)
        }
    return make_ack(tx, rx, messages=messages, size=size, missing=missing)


def _told(connection: Connection, verdict: Verdict) -> problems.Problem:
    """Say for people what was noticed about one of the two nodes."""
    name = connection.name
    message, advice = {
        AckEffect.RESEND: (
            f"The node behind {name} was restored from a backup; what it had lost is sent to it again.",
            "Nothing needs to be done.",
        ),
        AckEffect.RESYNC: (
            f"The node behind {name} was restored from an old backup; every linked issue is sent to it again.",
            "Nothing needs to be done; it may take a while.",
        ),
        AckEffect.STOP: (
            f"Two nodes use this node's identity: {name} was stopped.",
            "Find the copy of this node, stop it for good, and then resume the connection.",
        ),
        AckEffect.NEEDS_STATEMENT: (
            f"The node behind {name} holds newer keys of this node than this node itself: {name} was stopped.",
            _PAIR_AGAIN,
        ),
    }[verdict.effect]
    return problems.Problem(
        connection_id=connection.id,
        stage=problems.PEER,
        ref=None,
        issue_key=None,
        code=verdict.effect.name.title().replace("_", ""),
        message=message,
        advice=advice,
    )
