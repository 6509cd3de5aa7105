"""The inbox finds its next work however much waits, so that no partner's backlog keeps the node from another's."""

from __future__ import annotations

from node.store import inbox
from node.store.engine import Store, Transaction
from node.store.inbox import Arrived

CONNECTION = (
    "INSERT INTO connection (id, name, role, state, peer_label, peer_urls, project, description, created_ms)"
    " VALUES (:id, :name, 'inviter', 'active', 'Bob', '[]', 'UD', '', 0)"
)


def arrived(number: int, issue: str, *, code: int | None = None, size: int = 5_000) -> Arrived:
    return Arrived(1, number, 1, f"m{number}", "issue.replica", issue, b"x" * size, size, code)


async def test_work_is_found_in_as_much_as_credit_lets_three_partners_send(store: Store) -> None:
    """Twice 1,000 messages of each: no look goes through all of them for each of them, and nobody comes last."""

    async def receive(tx: Transaction) -> None:
        for connection_id in (1, 2, 3):
            await tx.execute(CONNECTION, {"id": connection_id, "name": f"Alice_to_Bob_{connection_id}"})
            messages = [arrived(number, f"i{number}", size=20_000) for number in range(1, 2_001)]
            await inbox.add(tx, connection_id, messages, 0)

    await store.write(receive)
    found = await store.read(lambda reader: inbox.ready(reader, 1, limit=24))
    assert [row.issue for row in found] == [f"i{number}" for number in range(1, 9) for _ in range(3)]
    assert [row.connection_id for row in found] == [1, 2, 3] * 8


async def test_work_is_found_for_an_issue_of_which_very_much_was_said_before(store: Store) -> None:
    """What is done stays for months, and none of it is read to find the oldest that is not."""

    async def receive(tx: Transaction) -> None:
        await tx.execute(CONNECTION, {"id": 1, "name": "Alice_to_Bob"})
        await inbox.add(tx, 1, [arrived(number, "i", code=2, size=20_000) for number in range(1, 3_001)], 0)
        await inbox.add(tx, 1, [arrived(number, "i") for number in range(3_001, 5_001)], 0)

    await store.write(receive)
    found = await store.read(lambda reader: inbox.ready(reader, 1, limit=24))
    assert [row.mid for row in found] == ["m3001"]
