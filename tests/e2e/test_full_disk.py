"""A node whose disk is full: it says so, keeps what it has, and goes on when there is room again."""

from __future__ import annotations

import resource
from pathlib import Path

from node.admin.client import AdminClient
from node.config import NodeFolder
from node.demo.jira import Person
from tests.support.served import home, pair
from tests.support.two_nodes import eventually, there


async def test_a_full_disk(tmp_path: Path) -> None:
    """Nothing can be written for a while: commands say so in words; with room again all that happened arrives."""
    async with home(tmp_path, "blue", "UD") as blue, home(tmp_path, "green", "SC") as green:
        await pair(blue, green)
        async with Person(blue.sandbox.url, "alice") as alice, Person(green.sandbox.url, "bob") as bob:
            fields = {"project": {"key": "UD"}, "issuetype": {"name": "Task"}, "summary": "before"}
            for _ in range(2):
                await alice.call("POST", "/rest/api/2/issue", json={"fields": fields})
            assert (await blue.accord("sync", "Blue_to_Green", "UD-1")).status == 0

            async def shown(text: str) -> bool:
                return any(one["fields"]["summary"] == text for one in (await bob.every_issue()).values())

            await eventually(lambda: shown("before"), "the first issue arrives")
            process = there(blue.server).pid
            plenty = resource.prlimit(process, resource.RLIMIT_FSIZE)
            resource.prlimit(process, resource.RLIMIT_FSIZE, (4096, plenty[1]))
            refused = await blue.accord("sync", "Blue_to_Green", "UD-2")
            assert refused.status == 1
            assert "full" in refused.err or "disk" in refused.err, refused
            await alice.edit("UD-1", {"summary": "meanwhile"})
            await blue.sandbox.sender.drained()
            assert blue.sandbox.sender.counts.refused >= 1
            assert (await blue.accord("queue")).status == 0
            told = await blue.accord("errors")
            assert told.status == 3
            assert "Nothing can be stored" in told.out, told
            resource.prlimit(process, resource.RLIMIT_FSIZE, plenty)
            await AdminClient(NodeFolder(blue.folder)).acall("POST", "/api/v1/sweep", {})
            await eventually(lambda: shown("meanwhile"), "what happened meanwhile arrives")
            assert (await blue.accord("sync", "Blue_to_Green", "UD-2")).status == 0
            await eventually(lambda: shown("before"), "the second issue arrives")
            assert "Nothing can be stored" not in (await blue.accord("errors")).out
        ended = await blue.terminate()
        assert ended.status == 0, ended
