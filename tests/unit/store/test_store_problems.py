"""Problems of a connection for which no row waits: each kind is one, and none hides another."""

from __future__ import annotations

from node.store import problems
from node.store.engine import Store, Transaction
from node.store.problems import Problem
from tests.unit.store.test_store_inbox import CONNECTION


def of_bob(code: str, message: str) -> Problem:
    return Problem(connection_id=1, stage=problems.PEER, ref=None, issue_key=None, code=code, message=message)


async def test_a_restored_node_keeps_its_problem_when_its_peer_has_moved(store: Store) -> None:
    """What a person may skip stays where it is; the same kind once more is counted, with its newest words."""

    async def happen(tx: Transaction) -> None:
        await tx.execute(CONNECTION, {"id": 1, "name": "Alice_to_Bob"})
        await problems.report(tx, of_bob("NewEpoch", "Alice was restored."), now_ms=1)
        await problems.report(tx, of_bob("PeerMoved", "Bob has moved."), now_ms=2)
        await problems.report(tx, of_bob("PeerMoved", "Bob has moved again."), now_ms=3)

    await store.write(happen)
    found = {one.code: (one.message, one.count) for one in await store.read(problems.open_problems)}
    assert found == {"NewEpoch": ("Alice was restored.", 1), "PeerMoved": ("Bob has moved again.", 2)}
