"""Issues of the peer that rules asked for and that are not linked here yet: a parent, the other end of a link.

As soon as one is linked, the last replica of the issue whose rules asked is looked at again, whether it was applied
without it, skipped, or held. Statements only, each over the transaction of its caller.
"""

from __future__ import annotations

from collections.abc import Iterable

from node.store import inbox, links
from node.store.port import Reader, Transaction


async def remember(tx: Transaction, connection_id: int, issue: str, remotes: Iterable[str]) -> None:
    """Note what the rules asked for in vain when they last looked at an issue of the peer's, in place of what was.

    One that was linked in the meantime is looked at again at once.
    """
    await forget(tx, connection_id, issue)
    again = False
    for remote in remotes:
        here = await links.local_key(tx, connection_id, remote) is not None
        again = again or here
        await tx.execute(
            "INSERT INTO awaited (connection_id, issue, remote, here) VALUES (:connection_id, :issue, :remote, :here)"
            " ON CONFLICT DO NOTHING",
            {"connection_id": connection_id, "issue": issue, "remote": remote, "here": int(here)},
        )
    if again:
        await inbox.look_again(tx, connection_id, issue)


async def forget(tx: Transaction, connection_id: int, issue: str) -> None:
    """Nobody waits for anything on behalf of this issue."""
    await tx.execute(
        "DELETE FROM awaited WHERE connection_id = :connection_id AND issue = :issue",
        {"connection_id": connection_id, "issue": issue},
    )


async def arrived(tx: Transaction, connection_id: int, names: Iterable[str | None]) -> None:
    """An issue of the peer's, known by these names, is linked: look again at those that waited for it."""
    for name in names:
        if name is None:
            continue
        rows = await tx.fetch_all(
            "UPDATE awaited SET here = 1 WHERE connection_id = :connection_id AND remote = :remote AND here = 0"
            " RETURNING issue",
            {"connection_id": connection_id, "remote": name},
        )
        for row in rows:
            await inbox.look_again(tx, connection_id, row["issue"])


async def came(reader: Reader, connection_id: int, issue: str) -> bool:
    """Tell whether something that an issue waited for is linked since the rules last looked at it."""
    row = await reader.fetch_one(
        "SELECT 1 AS one FROM awaited WHERE connection_id = :connection_id AND issue = :issue AND here = 1 LIMIT 1",
        {"connection_id": connection_id, "issue": issue},
    )
    return row is not None


async def drop_of_closed_connections(tx: Transaction) -> None:
    """Forget what nobody will look at again."""
    await tx.execute("DELETE FROM awaited WHERE connection_id IN (SELECT id FROM connection WHERE state = 'closed')")
