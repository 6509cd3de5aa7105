"""Starts and stops the demo's processes: a sandbox Jira and a node for each side, found by the files they write.

Everything runs on the loopback and in a folder of its own; what was started is stopped, by its own process id.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomlkit

from node.admin.client import AdminClient
from node.config import GuardSettings, JiraSettings, NodeFolder, NodeSettings, Secret, Settings, SyncSettings
from node.errors import ConfigError

START_SECONDS = 60.0
STOP_SECONDS = 15.0
SYNC_USER = "accord"


@dataclass(slots=True)
class Side:
    """One organisation of the demo."""

    name: str
    project: str
    project_name: str
    root: Path
    token: str = field(repr=False)
    jira_url: str = ""
    sandbox: asyncio.subprocess.Process | None = None
    node: asyncio.subprocess.Process | None = None

    @property
    def folder(self) -> NodeFolder:
        """The node's folder."""
        return NodeFolder(self.root / "node")

    async def call(self, method: str, path: str, body: object | None = None) -> Any:
        """Call the node's admin API."""
        return await AdminClient(self.folder).acall(method, path, body)

    async def start_sandbox(self, extra: Sequence[str] = ()) -> None:
        """Start this side's Jira and wait until it answers."""
        self.root.mkdir(parents=True, exist_ok=True)
        url_file = self.root / "jira-url"
        url_file.unlink(missing_ok=True)
        self.sandbox = await _start(
            self.root / "sandbox.log",
            "sandbox", "--port", "0", "--project", f"{self.project}={self.project_name}",
            "--url-file", str(url_file), "--title", self.project_name,
            *extra, environment={"ACCORD_SANDBOX_TOKEN": f"{SYNC_USER}:{self.token}"},
        )  # fmt: skip
        self.jira_url = await _appears(self.sandbox, url_file, self.root / "sandbox.log")

    def create_node(self) -> None:
        """Make the node's folder."""
        settings = Settings(
            node=NodeSettings(name=self.name, port=0, admin_port=0),
            jira=JiraSettings(url=self.jira_url),
            sync=SyncSettings(allow_http=True, allow_private_peers=True),
            # Real issues hold e-mail addresses that people wrote; a node of your own stops them unless told otherwise.
            guard=GuardSettings(emails_in_texts=True),
        )
        self.folder.create(settings, jira_token=Secret(self.token))

    async def start_node(self) -> None:
        """Start the node and wait until its admin API answers."""
        self.folder.running.unlink(missing_ok=True)
        self.node = await _start(self.root / "node.log", "--dir", str(self.folder.root), "serve")
        await _appears(self.node, self.folder.running, self.root / "node.log")

    async def kill_node(self) -> None:
        """End the node with SIGKILL, as a power cut would."""
        if self.node is not None:
            self.node.kill()
            await self.node.wait()

    async def keep_ports(self) -> None:
        """Write the ports that the node was given into its settings, so that it comes back where its peer looks."""
        running = json.loads(self.folder.running.read_text("utf-8"))
        settings = self.folder.settings()
        port = int(running["public_url"].rpartition(":")[2])
        admin_port = int(running["admin_url"].rpartition(":")[2])
        changed = settings.model_copy(
            update={"node": settings.node.model_copy(update={"port": port, "admin_port": admin_port})}
        )
        self.folder.write_settings(changed)

    async def stop(self) -> None:
        """Stop both processes, gently first."""
        for process in (self.node, self.sandbox):
            if process is None or process.returncode is not None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


@asynccontextmanager
async def two_sides(root: Path, *, load: Path | None, limit: int | None) -> AsyncIterator[tuple[Side, Side]]:
    """Start both sides, unpaired; stop everything at the end."""
    blue = Side("Blue", "UD", "Blue support", root / "blue", secrets.token_urlsafe(16))
    green = Side("Green", "SC", "Green development", root / "green", secrets.token_urlsafe(16))
    extra = [] if load is None else ["--load", str(load)]
    extra += [] if load is None or limit is None else ["--limit", str(limit)]
    try:
        await _both(blue.start_sandbox(extra), green.start_sandbox())
        for side in (blue, green):
            side.create_node()
        await _both(blue.start_node(), green.start_node())
        for side in (blue, green):
            await side.keep_ports()
        yield blue, green
    finally:
        await _both(blue.stop(), green.stop())


async def _both(*work: Awaitable[None]) -> None:
    """Let both sides come to an end, also where one fails: nothing is started behind the back of what stops it."""
    for failed in await asyncio.gather(*work, return_exceptions=True):
        if failed is not None:
            raise failed


async def let_new_issues_enter(side: Side, name: str) -> None:
    """Publish the rules of a connection once more with ``method = "automatic"``, as an admin would from a file."""
    path = f"/api/v1/connections/{name}/rules"
    text = tomlkit.parse((await side.call("GET", path))["outgoing"]["text"])
    text["method"] = "automatic"
    body = {"files": {"outgoing": tomlkit.dumps(text)}, "author": "demo", "why": "New issues enter by themselves."}
    await side.call("POST", f"{path}/import", body)


async def pair(blue: Side, green: Side) -> None:
    """Pair the two nodes through a real invitation code, as two admins would."""
    invited = await blue.call("POST", "/api/v1/invitations", {"peer": green.name, "project": blue.project})
    body = {"code": invited["code"], "project": green.project}
    await green.call("POST", "/api/v1/connections", body)
    for side, name in ((blue, "Blue_to_Green"), (green, "Green_to_Blue")):
        await until_active(side, name)


async def until_active(side: Side, name: str) -> None:
    """Wait until a connection is active and the side's Jira reports changes."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            connection = await side.call("GET", f"/api/v1/connections/{name}")
            about = await side.call("GET", "/api/v1/node")
            if connection["state"] == "active" and about["webhook"]["active"]:
                return
            await asyncio.sleep(0.1)


async def _start(log: Path, *arguments: str, environment: dict[str, str] | None = None) -> asyncio.subprocess.Process:
    with log.open("ab") as out:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "node", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(environment or {})},
            start_new_session=True,
        )  # fmt: skip


async def _appears(process: asyncio.subprocess.Process, path: Path, log: Path) -> str:
    """Wait for a file that a process writes once it is ready."""
    try:
        async with asyncio.timeout(START_SECONDS):
            while not path.exists():  # noqa: ASYNC240 - a look at one local file
                if process.returncode is not None:
                    break
                await asyncio.sleep(0.05)
    except TimeoutError:
        process.kill()
    return _read_or_tell(path, log)


def _read_or_tell(path: Path, log: Path) -> str:
    if not path.exists():
        tail = log.read_text("utf-8", errors="replace").strip().splitlines()[-3:]
        raise ConfigError(
            "A process of the demo did not start: " + " / ".join(tail),
            advice=f"To see its whole log: accord demo --keep FOLDER; there it is {log.parent.name}/{log.name}.",
        )
    return path.read_text("utf-8").strip()
