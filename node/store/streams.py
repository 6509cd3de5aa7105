"""Where each stream stands, and how reaching its peer goes. Statements only; `protocol.stream` decides.

A connection has one sending (``tx``) and one receiving (``rx``) stream, each kept as JSON. Back-off is a row as well,
so that a restart does not make a node run against a silent peer. Times are milliseconds since 1970 UTC.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from node.store.engine import Reader, Transaction
from protocol.envelope import Position
from protocol.stream import RxState, TxState

TX: Final = "tx"
RX: Final = "rx"


async def load_tx(reader: Reader, connection_id: int) -> TxState | None:
    """Return the state of the sending stream, None before the connection began."""
    value = await _load(reader, connection_id, TX)
    if value is None:
        return None
    return TxState(
        **{
            **value,
            "nonce": bytes.fromhex(value["nonce"]),
            "head": bytes.fromhex(value["head"]),
            "acked_head": bytes.fromhex(value["acked_head"]),
            "base": _position(value["base"]),
        }
    )


async def save_tx(tx: Transaction, connection_id: int, state: TxState) -> None:
    """Keep the state of the sending stream."""
    await _save(tx, connection_id, TX, asdict(state))


async def load_rx(reader: Reader, connection_id: int) -> RxState:
    """Return the state of the receiving stream, from its beginning where nothing came yet."""
    value = await _load(reader, connection_id, RX)
    if value is None:
        return RxState()
    epoch, seq = value["announced"]
    return RxState(_position(value["position"]), bytes.fromhex(value["peer_nonce"]), (epoch, seq))


async def save_rx(tx: Transaction, connection_id: int, state: RxState) -> None:
    """Keep the state of the receiving stream."""
    await _save(tx, connection_id, RX, asdict(state))


async def _load(reader: Reader, connection_id: int, direction: str) -> dict[str, Any] | None:
    row = await reader.fetch_one(
        "SELECT state FROM stream WHERE connection_id = :connection_id AND direction = :direction",
        {"connection_id": connection_id, "direction": direction},
    )
    return None if row is None else json.loads(row["state"])


async def _save(tx: Transaction, connection_id: int, direction: str, value: dict[str, Any]) -> None:
    state = json.dumps(value, default=bytes.hex, separators=(",", ":"))
    await tx.execute(
        "INSERT INTO stream (connection_id, direction, state) VALUES (:connection_id, :direction, :state)"
        " ON CONFLICT (connection_id, direction) DO UPDATE SET state = excluded.state",
        {"connection_id": connection_id, "direction": direction, "state": state},
    )


def _position(value: list[Any]) -> Position:
    epoch, seq, head = value
    return Position(epoch, seq, bytes.fromhex(head))


@dataclass(frozen=True, slots=True)
class Peer:
    """How reaching a peer goes: tries in vain since it was last heard, when the next one is due, what went wrong.

    ``last_error`` is a sentence and ``advice`` what to do about it; both are of the last try in vain.
    """

    attempts: int = 0
    due_ms: int = 0
    last_heard_ms: int | None = None
    last_error: str | None = None
    advice: str = ""


async def peer(reader: Reader, connection_id: int) -> Peer:
    """Return how reaching the peer goes."""
    row = await reader.fetch_one(
        "SELECT attempts, due_ms, last_heard_ms, last_error FROM peer WHERE connection_id = :id", {"id": connection_id}
    )
    if row is None:
        return Peer()
    error, _, advice = (row["last_error"] or "").partition("\n")
    return Peer(row["attempts"], row["due_ms"], row["last_heard_ms"], error or None, advice)


async def heard(tx: Transaction, connection_id: int, now_ms: int) -> None:
    """Note a valid frame of the peer: there is no reason to wait any more."""
    await tx.execute(
        "INSERT INTO peer (connection_id, last_heard_ms) VALUES (:id, :now_ms) ON CONFLICT (connection_id)"
        " DO UPDATE SET attempts = 0, due_ms = 0, last_heard_ms = excluded.last_heard_ms, last_error = NULL",
        {"id": connection_id, "now_ms": now_ms},
    )


async def failed(
    tx: Transaction, connection_id: int, *, attempts: int, due_ms: int, error: str, advice: str = ""
) -> None:
    """Note a try in vain, why it was, and when the next one is due."""
    await tx.execute(
        "INSERT INTO peer (connection_id, attempts, due_ms, last_error) VALUES (:id, :attempts, :due_ms, :error)"
        " ON CONFLICT (connection_id)"
        " DO UPDATE SET attempts = excluded.attempts, due_ms = excluded.due_ms, last_error = excluded.last_error",
        {"id": connection_id, "attempts": attempts, "due_ms": due_ms, "error": f"{error}\n{advice}"},
    )
