"""A node that is started at another address, and its admin at the command line."""

from __future__ import annotations

from pathlib import Path

from node.demo.jira import Person
from tests.support.served import home, pair
from tests.support.two_nodes import eventually


async def test_a_node_that_moved_tells_its_partner(tmp_path: Path) -> None:
    """Blue's node gets another port at each start: Green's next change arrives, and an admin can name an address."""
    async with home(tmp_path, "blue", "UD") as blue, home(tmp_path, "green", "SC") as green:
        await pair(blue, green)

        async def address() -> str:
            [one] = (await green.accord("--json", "connections")).data["connections"]
            return str(one["peer_urls"][0])

        before = await address()
        assert (await blue.terminate()).status == 0
        await blue.serve()

        async def told() -> bool:
            return await address() != before

        await eventually(told, "Green is told", pause=0.3)
        noted = await green.accord("errors")
        assert (noted.status, "has told a new address" in noted.out) == (0, True), noted
        async with Person(green.sandbox.url, "bob") as bob, Person(blue.sandbox.url, "alice") as alice:
            fields = {"project": {"key": "SC"}, "issuetype": {"name": "Task"}, "summary": "To the new place"}
            await bob.call("POST", "/rest/api/2/issue", json={"fields": fields})
            assert (await green.accord("sync", "Green_to_Blue", "SC-1")).status == 0

            async def arrived() -> bool:
                return len(await alice.every_issue()) == 1

            await eventually(arrived, "the issue arrives")
        now = await address()
        said = await green.accord("connections", "address", "Green_to_Blue", f"{now}/")
        assert (said.status, f"{now}/" in said.out) == (0, True), said
        refused = await green.accord("connections", "address", "Green_to_Blue", "ftp://blue")
        assert (refused.status, "https://" in refused.err) == (1, True), refused
