"""A try to reach a peer that was in vain: when the next one is due, and what people hear of it. Calls nobody.

The same for a peer that we talk to (`sender`) and for an inviter that we still ask (`pairing`).
"""

from __future__ import annotations

from node.errors import PeerError
from node.store import problems, streams
from node.store.connections import Connection
from node.store.engine import Transaction
from node.store.problems import Problem
from node.store.streams import Peer
from node.transport import backoff
from node.transport.errors import PeerBusy


async def note_try(
    tx: Transaction, connection_id: int, known: Peer, error: PeerError, *, now_ms: int, jitter: float
) -> int:
    """Note a try in vain after those that are ``known``; return how long to wait now, in milliseconds.

    ``jitter`` is in [0, 1).
    """
    attempts = known.attempts + 1
    retry_after = error.retry_after if isinstance(error, PeerBusy) else None
    wait_ms = backoff.delay_ms(attempts, jitter, retry_after=retry_after)
    await streams.failed(
        tx, connection_id, attempts=attempts, due_ms=now_ms + wait_ms, error=error.message, advice=error.advice
    )
    return wait_ms


def unreached(connection: Connection, error: PeerError, *, what: str, advice: str) -> Problem:
    """Return what people hear: ``what`` does not go on, why, and what to do; it ends by itself when the peer answers.

    ``advice`` is for errors that give none.
    """
    return Problem(
        connection_id=connection.id,
        stage=problems.PEER,
        ref=connection.id,
        issue_key=None,
        code=type(error).__name__,
        message=f"{what} {error.message}",
        advice=error.advice or advice,
    )
