"""The demo as its visitor meets it: what it shows and that new issues enter; and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from node.demo.jira import Person
from node.demo.samples import Sample
from tests.support.served import REPOSITORY
from tests.support.two_nodes import eventually


@dataclass(slots=True)
class Demo:
    """A demo that runs, and what it has said so far."""

    process: asyncio.subprocess.Process
    folder: Path
    """Where it may make its temporary folder."""
    said: list[str] = field(default_factory=list)

    async def read(self) -> None:
        """Take in what it says until it ends."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.said.append(line.decode())

    @property
    def text(self) -> str:
        """Everything said."""
        return "".join(self.said)

    def processes(self) -> list[int]:
        """Return the ids of the processes that work in its folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != self.process.pid:
                try:
                    command = (entry / "cmdline").read_bytes().decode(errors="replace")
                except OSError:
                    continue
                if str(self.folder) in command:
                    found.append(int(entry.name))
        return found

    def left_behind(self) -> list[Path]:
        """Return what is in the place of its temporary folder."""
        return sorted(self.folder.iterdir())


@asynccontextmanager
async def demo(folder: Path, *, ignoring_interrupts: bool = False) -> AsyncIterator[Demo]:
    """Start the interactive demo without a terminal, as a script in the background would."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACCORD_", "COV_"))}
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" if ignoring_interrupts else ""
    run = f"{ignore}import sys; sys.argv = ['/somewhere/accord', 'demo']\nfrom node.__main__ import main\nmain()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", run,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**kept, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder), "COLUMNS": "80"},
    )  # fmt: skip
    running = Demo(process, folder)
    reading = asyncio.create_task(running.read())
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        for left in running.processes():
            os.kill(left, signal.SIGKILL)
        await reading


async def _stopped(running: Demo, number: signal.Signals) -> None:
    running.process.send_signal(number)
    assert await asyncio.wait_for(running.process.wait(), 60) == 0
    assert (running.processes(), running.left_behind()) == ([], [])
    assert "Traceback" not in running.text


@pytest.mark.timeout(240)
async def test_a_visitor_sees_what_to_try_and_a_new_issue_enters_by_itself(tmp_path: Path) -> None:
    """Lines are whole, the commands are those of this very program, and what is created on one side arrives."""
    async with demo(tmp_path, ignoring_interrupts=True) as running:

        async def greeted() -> bool:
            return "Green_to_Blue" in running.text and "applied" in running.text

        await eventually(greeted, "the demo shows what happens")
        blue, green = (str(re.search(rf"{name}'s Jira:\s+(\S+)", running.text)[1]) for name in ("Blue", "Green"))  # type: ignore[index]
        commands = [shlex.split(line) for line in running.said if line.startswith("  /")]
        assert [command[0] for command in commands] == ["/somewhere/accord"] * 3
        assert all(Path(command[2]).joinpath("accord.toml").exists() for command in commands)
        assert all(re.match(r"\d\d:\d\d:\d\d (Blue|Green) ", one) for one in running.said if one[:2].isdecimal())

        async with Person(blue, "alice") as alice, Person(green, "bob") as bob:
            await alice.create("UD", Sample("Entered by itself", "No command was needed.", "Task"))

            async def arrived() -> bool:
                return any(
                    one["fields"]["summary"] == "Entered by itself" for one in (await bob.every_issue()).values()
                )

            await eventually(arrived, "the new issue arrives")
        await _stopped(running, signal.SIGINT)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_demo_that_is_told_to_end_while_it_starts_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    """A service manager, a closed terminal: processes end and the folder goes, also when only half of it is up."""
    async with demo(tmp_path) as running:

        async def half_up() -> bool:
            return len(running.processes()) >= 2

        await eventually(half_up, "two processes are up")
        await _stopped(running, number)
