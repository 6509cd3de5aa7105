"""A peer that lost more than the transport keeps is told everything again, and nothing is made twice by it."""

from __future__ import annotations

from pathlib import Path

from node.store import cursors
from node.store.engine import Store
from tests.support.two_nodes import eventually, quiet, two_nodes


async def test_every_linked_issue_is_sent_again_and_nothing_changes(tmp_path: Path) -> None:
    """The transport left word that Bob lost everything: Alice sends each issue once more; his Jira stays as it was."""
    async with two_nodes(tmp_path) as (alice, bob):
        keys = [await alice.create(summary=f"Issue {number}") for number in range(3)]
        await alice.person.comment(keys[0], "A word")
        await alice.sync(*keys)
        twins = [await alice.twin(key) for key in keys]
        await quiet(alice, bob)
        before = [(await bob.issue(twin))["fields"] for twin in twins]
        await alice.stop()
        async with await Store.open(alice.folder.database) as store:
            await store.write(lambda tx: cursors.write(tx, cursors.resync(1), "1"))
        await alice.start()

        async def sent_again() -> bool:
            links = (await alice.call("GET", f"/api/v1/connections/{alice.connection}/links"))["links"]
            return all(link["sent"] > 1 for link in links)

        await eventually(sent_again, "all three issues were sent again")
        await quiet(alice, bob)
        assert [(await bob.issue(twin))["fields"] for twin in twins] == before
        assert len(bob.sandbox.world.issues) == len(keys)
        assert await alice.problems() == await bob.problems() == []
