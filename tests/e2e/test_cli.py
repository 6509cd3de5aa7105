"""The command line with real processes: two nodes served, paired and worked with by ``accord`` alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from node.demo.jira import Person
from tests.support.served import Home, Said, home, init, is_active
from tests.support.two_nodes import eventually


@pytest.mark.timeout(240)  # some forty commands, each a process that starts
async def test_a_first_connection_by_hand(tmp_path: Path) -> None:
    """Init, serve, check, invite, accept, verify, sync, status, and everything after that, as the guide says it."""
    async with home(tmp_path, "blue", "UD") as blue, home(tmp_path, "green", "SC") as green:
        await asyncio.gather(init(blue, "Blue"), init(green, "Green"))
        await asyncio.gather(blue.serve(), green.serve())
        checked = await blue.accord("--json", "check")
        assert checked.status in {0, 3}
        assert {"ok"} <= {one["state"] for one in checked.data["findings"]}

        invited = (await blue.accord("--json", "invite", "Green", "--project", "UD")).data
        assert invited["connection"] == "Blue_to_Green"
        refused = await green.accord("accept", invited["code"], "--project", "SC")
        assert (refused.status, "--yes" in refused.err) == (2, True)
        accepted = await green.accord("accept", "-", "--project", "SC", "--yes", given=invited["code"])
        assert accepted.status == 0, accepted
        assert "Green_to_Blue" in accepted.out

        await eventually(lambda: is_active(blue), "Blue is connected too", pause=0.3)
        say = (await blue.accord("--json", "verify", "Blue_to_Green")).data["short_code"]["say"]
        assert (await green.accord("verify", "Green_to_Blue", "000000")).status == 1
        assert (await green.accord("verify", "Green_to_Blue", say)).status == 0

        async with Person(blue.sandbox.url, "alice") as alice, Person(green.sandbox.url, "bob") as bob:
            await _work(blue, green, alice, bob)

        assert (await blue.accord("close", "Blue_to_Green")).status == 2
        assert (await blue.accord("close", "Blue_to_Green", "--yes")).status == 0
        assert (await blue.accord("sync", "Blue_to_Green", "UD-1")).status == 1
        for side in (blue, green):
            ended = await side.terminate()
            assert (ended.status, "Traceback" in ended.err) == (0, False), ended
            assert not (side.folder / "running.json").exists()
            assert not any(side.token in text for text in side.everything)
        stopped = await blue.accord("queue")
        assert (stopped.status, "serve" in stopped.err) == (1, True)


async def _work(blue: Home, green: Home, alice: Person, bob: Person) -> None:
    """Sync issues, one of them held, and deal with it."""
    fields = {"project": {"key": "UD"}, "issuetype": {"name": "Task"}, "summary": "By hand"}
    for _ in range(2):
        await alice.call("POST", "/rest/api/2/issue", json={"fields": fields})
    mixed = await blue.accord("--json", "sync", "Blue_to_Green", "UD-1", "UD-99")
    assert mixed.status == 1
    assert [one["result"] for one in mixed.data["results"]] == ["queued", "failed"]

    async def arrived() -> bool:
        return len(await bob.every_issue()) == 1 and (await blue.accord("--json", "queue")).data["quiet"]

    await eventually(arrived, "the issue arrives", pause=0.3)
    status = await blue.accord("status", "UD-1")
    assert (status.status, "SC-1" in status.out) == (0, True)
    assert (await blue.accord("status", "UD-2")).status == 1
    assert (await blue.accord("errors")).status == 0

    green.sandbox.faults.add("error", "/issue", method="POST", count=2, status=400)
    assert (await blue.accord("sync", "Blue_to_Green", "-", given="UD-2\n")).status == 0

    async def held() -> Said | None:
        said = await green.accord("--json", "errors")
        return said if said.status == 3 else None

    said = await eventually(held, "Green is told", pause=0.3)
    number = str(said.data["problems"][0]["id"])
    assert (await green.accord("retry", number)).status == 0
    said = await eventually(held, "Green is told again", pause=0.3)
    number = str(said.data["problems"][0]["id"])
    assert (await green.accord("retry", "987654")).status == 1
    assert (await green.accord("skip", number)).status == 0
    assert (await green.accord("errors")).status == 0

    assert (await blue.accord("pause", "Blue_to_Green")).status == 0
    await alice.edit("UD-1", {"summary": "While paused"})
    assert (await bob.every_issue())["SC-1"]["fields"]["summary"] == "By hand"
    assert (await blue.accord("resume", "Blue_to_Green")).status == 0

    async def resumed() -> bool:
        return bool((await bob.every_issue())["SC-1"]["fields"]["summary"] == "While paused")

    await eventually(resumed, "what waited goes on")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("queue",), 1, "accord"),
        (("serve",), 1, "init"),
        (("check",), 1, "init"),
        (("nonsense",), 2, "No such command"),
        (("sync", "X"), 2, "No issue"),
        (("init", "--name", "no spaces please", "--jira-url", "http://127.0.0.1:1"), 2, "name"),
        (("init", "--name", "Blue", "--jira-url", "ftp://x"), 2, "url"),
        (("init", "--name", "Blue", "--jira-url", "http://127.0.0.1:1"), 2, "ACCORD_JIRA_TOKEN"),
    ],
)
async def test_commands_that_cannot_work(tmp_path: Path, arguments: tuple[str, ...], status: int, words: str) -> None:
    """Without a node, a token or sense a command ends with words, a next step and the right exit status."""
    async with home(tmp_path, "blue", "UD") as blue:
        said = await blue.accord(*arguments)
        assert said.status == status, said
        assert words.lower() in said.err.lower(), said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion(tmp_path: Path, shell: str) -> None:
    """Each shell gets a script of its own."""
    async with home(tmp_path, "blue", "UD") as blue:
        said = await blue.accord("completion", shell)
        assert (said.status, "_ACCORD_COMPLETE" in said.out) == (0, True)
