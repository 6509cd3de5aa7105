"""The command line with real processes: two nodes served, paired and worked with by ``accord`` alone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from node.demo.jira import Person
from node.sandbox.app import RunningSandbox, running_sandbox
from node.sandbox.seed import create_project, default_world
from tests.support.two_nodes import eventually, there

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What ``--json`` printed."""
        return json.loads(self.out)


@dataclass(slots=True)
class Home:
    """One side as its admin has it: a folder and a command line."""

    folder: Path
    sandbox: RunningSandbox
    token: str
    server: asyncio.subprocess.Process | None = field(default=None)
    everything: list[str] = field(default_factory=list)

    def _environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACCORD_", "COV_"))}
        return {**kept, "PYTHONPATH": str(REPOSITORY), "NO_COLOR": "1", "COLUMNS": "200", **more}

    async def accord(self, *arguments: str, given: str = "", **environment: str) -> Said:
        """Run one command to its end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "node", "--dir", str(self.folder), *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=self._environment(**environment),
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(given.encode()), 30)
        said = Said(process.returncode or 0, out.decode(), err.decode())
        self.everything += [said.out, said.err]
        assert "Traceback" not in said.err + said.out, said
        return said

    async def serve(self) -> None:
        """Start the node and wait until it is ready."""
        self.server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "node", "--dir", str(self.folder), "serve",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=self._environment(),
        )  # fmt: skip
        await eventually(self._is_up, "the node is up")

    async def _is_up(self) -> bool:
        assert there(self.server).returncode is None, "the node ended at once"
        return (self.folder / "running.json").exists()

    async def terminate(self) -> Said:
        """Stop the node as a service manager does."""
        server = there(self.server)
        server.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(server.communicate(), 15)
        self.server = None
        said = Said(server.returncode or 0, out.decode(), err.decode())
        self.everything += [said.out, said.err]
        return said


@asynccontextmanager
async def _home(root: Path, name: str, project: str) -> AsyncIterator[Home]:
    world = default_world()
    create_project(world, project)
    async with running_sandbox(world, control_open=True) as sandbox:
        home = Home(root / name, sandbox, world.create_token(there(world.user_named("accord"))))
        try:
            yield home
        finally:
            if home.server is not None:
                home.server.kill()
                await home.server.wait()


async def _init(home: Home, name: str) -> None:
    said = await home.accord(
        "init", "--name", name, "--jira-url", home.sandbox.url, "--port", "0", "--admin-port", "0",
        "--allow-http", "--allow-private-peers", ACCORD_JIRA_TOKEN=home.token,
    )  # fmt: skip
    assert said.status == 0, said


async def test_a_first_connection_by_hand(tmp_path: Path) -> None:
    """Init, serve, check, invite, accept, verify, sync, status, and everything after that, as the guide says it."""
    async with _home(tmp_path, "blue", "UD") as blue, _home(tmp_path, "green", "SC") as green:
        await asyncio.gather(_init(blue, "Blue"), _init(green, "Green"))
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

        async def active() -> bool:
            found = (await blue.accord("--json", "connections")).data["connections"]
            return bool(found[0]["state"] == "active")

        await eventually(active, "Blue is connected too", pause=0.3)
        say = (await blue.accord("--json", "verify", "Blue_to_Green")).data["short_code"]["say"]
        assert (await green.accord("verify", "Green_to_Blue", "000000")).status == 1
        assert (await green.accord("verify", "Green_to_Blue", say)).status == 0

        async with Person(blue.sandbox.url, "alice") as alice, Person(green.sandbox.url, "bob") as bob:
            await _work(blue, green, alice, bob)

        assert (await blue.accord("close", "Blue_to_Green")).status == 2
        assert (await blue.accord("close", "Blue_to_Green", "--yes")).status == 0
        assert (await blue.accord("sync", "Blue_to_Green", "UD-1")).status == 1
        for home in (blue, green):
            ended = await home.terminate()
            assert (ended.status, "Traceback" in ended.err) == (0, False), ended
            assert not (home.folder / "running.json").exists()
            assert not any(home.token in text for text in home.everything)
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
    async with _home(tmp_path, "blue", "UD") as blue:
        said = await blue.accord(*arguments)
        assert said.status == status, said
        assert words.lower() in said.err.lower(), said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion(tmp_path: Path, shell: str) -> None:
    """Each shell gets a script of its own."""
    async with _home(tmp_path, "blue", "UD") as blue:
        said = await blue.accord("completion", shell)
        assert (said.status, "_ACCORD_COMPLETE" in said.out) == (0, True)
