"""What a peer can make us keep, bounded: when to let go of what is settled, and how much is taken in the long run.

Credit bounds what waits; this bounds what does not wait any more. How much a peer has sent since the last look is
counted in memory, and the rows are only counted when that is enough to matter, so that an exchange costs no look at
them. After a start the first exchange looks. What is never forgotten or late (the ledger, the history) grows by what is
taken, so that has a pace; a peer that is faster for long waits as if it had used up its credit.
Never lets go of what waits, of what is held, or of the newest replica of a linked issue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from node.store import kept, outbox
from node.store.port import Transaction
from node.transport.receipts import Allowance

_MIB: Final = 1 << 20
_LARGE: Final = 16 << 10
"""So many bytes count as one message more in the long run: history holds the values of conflicts."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of one connection is kept at most, in bytes as `node.store.kept` counts them."""

    settled: int = 512 * _MIB
    """Of the peer's messages that are settled, beside the newest replica of each linked issue."""
    answers: int = 256 * _MIB
    """Of our answers that the peer has not taken, and as much of those that it has signed for."""
    between: int = 16 * _MIB
    """What a peer may send from one look at the rows to the next: so much more there can be for a moment."""
    burst: int = 250_000
    """Messages that are taken as fast as they can be: more than two first syncs of the largest projects."""
    per_second: int = 5
    """Messages by which that fills up again: 432,000 a day. An outcome counts as many as it has results."""


class Keeping:
    """Knows for each connection how much came since its rows were last looked at."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._since: dict[int, int] = {}
        self._left: dict[int, tuple[float, int]] = {}

    def is_due(self, connection_id: int) -> bool:
        """Tell whether the rows of a connection are to be looked at with what comes now."""
        return self._since.get(connection_id, self._keep.between) >= self._keep.between

    def allowed(self, connection_id: int, allowance: Allowance, now_ms: int) -> Allowance:
        """Return what of an allowance there is at this time, by the clock in milliseconds."""
        left = max(0, int(self._left_at(connection_id, now_ms)))
        return Allowance(min(allowance.messages, left), allowance.size)

    def is_spent(self, connection_id: int, now_ms: int) -> bool:
        """Tell whether the peer has to wait before we do more for it."""
        return self._left_at(connection_id, now_ms) < 1

    def came(self, connection_id: int, messages: int, size: int, now_ms: int, *, looked: bool = False) -> None:
        """Count what the peer has sent, or made us say, after the commit; ``looked``: with a look at the rows."""
        before = 0 if looked else self._since.get(connection_id, self._keep.between)
        self._since[connection_id] = before + messages * kept.ROW + size
        self._left[connection_id] = self._left_at(connection_id, now_ms) - messages - size / _LARGE, now_ms

    def _left_at(self, connection_id: int, now_ms: int) -> float:
        left, at_ms = self._left.get(connection_id, (self._keep.burst, now_ms))
        return min(self._keep.burst, left + max(0, now_ms - at_ms) * self._keep.per_second / 1_000)

    async def trim(self, tx: Transaction, connection_id: int) -> int:
        """Let go of what is too much, oldest first; return how many answers the peer will never get."""
        keep = self._keep
        excess = await kept.settled(tx, connection_id) - keep.settled
        if excess > 0:  # only then: linked issues are many
            excess -= await kept.pinned(tx, connection_id)
        await kept.let_go(tx, connection_id, excess)
        await kept.trim_answers(tx, connection_id, outbox.ACKED, keep.answers)
        return await kept.trim_answers(tx, connection_id, outbox.QUEUED, keep.answers)
