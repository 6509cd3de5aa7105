"""Nodes as their admins have them: served by a process of their own, reached by the command line alone."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

    async def on_a_screen(self, *arguments: str, columns: int = 80) -> str:
        """Run one command in a terminal of so many columns and return what stands there, without colours."""
        ours, its = os.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = self._environment(TERM="xterm")
        del environment["COLUMNS"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "node", "--dir", str(self.folder), *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=its, stderr=its, env=environment,
        )  # fmt: skip
        os.close(its)
        text = await asyncio.wait_for(asyncio.to_thread(_read_all, ours), 30)
        await process.wait()
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r\n", "\n")

    async def serve(self, *options: str) -> None:
        """Start the node and wait until it is ready."""
        self.server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "node", "--dir", str(self.folder), "serve", *options,
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


def _read_all(terminal: int) -> str:
    """Read until the last process has closed its side, which Linux reports as an error."""
    parts = []
    with suppress(OSError):
        while part := os.read(terminal, 65_536):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


@asynccontextmanager
async def home(root: Path, name: str, project: str) -> AsyncIterator[Home]:
    """Make a folder and a Jira for one side; its node does not run yet."""
    world = default_world()
    create_project(world, project)
    async with running_sandbox(world, control_open=True) as sandbox:
        side = Home(root / name, sandbox, world.create_token(there(world.user_named("accord"))))
        try:
            yield side
        finally:
            if side.server is not None:
                side.server.kill()
                await side.server.wait()


async def init(home: Home, name: str) -> None:
    """Create the side's node."""
    said = await home.accord(
        "init", "--name", name, "--jira-url", home.sandbox.url, "--port", "0", "--admin-port", "0",
        "--allow-http", "--allow-private-peers", ACCORD_JIRA_TOKEN=home.token,
    )  # fmt: skip
    assert said.status == 0, said


async def pair(blue: Home, green: Home) -> None:
    """Create, serve and connect both sides: Blue invites."""
    await asyncio.gather(init(blue, "Blue"), init(green, "Green"))
    await asyncio.gather(blue.serve(), green.serve())
    code = (await blue.accord("--json", "invite", "Green", "--project", "UD")).data["code"]
    assert (await green.accord("accept", code, "--project", "SC", "--yes")).status == 0
    await eventually(lambda: is_active(blue), "Blue is connected too", pause=0.3)


async def is_active(side: Home) -> bool:
    """Tell whether the side's first connection is active."""
    found = (await side.accord("--json", "connections")).data["connections"]
    return bool(found[0]["state"] == "active")
