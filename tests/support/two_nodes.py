"""Alice and Bob: two sandbox Jiras and two whole nodes in this process, over real HTTP and real SQLite.

Alice invites (project UD), Bob is invited (project SC). Every wait has a deadline and a condition.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.app import Node
from node.cli.client import AdminClient
from node.clock import SystemClock
from node.config import JiraSettings, NodeFolder, NodeSettings, Secret, Settings, SyncSettings
from node.demo.jira import Person
from node.sandbox.app import RunningSandbox, running_sandbox
from node.sandbox.seed import create_project, default_world

DEADLINE = 20.0


@dataclass(slots=True)
class Party:
    """One side: its Jira, its node, and a person who works in that Jira."""

    name: str
    project: str
    connection: str
    sandbox: RunningSandbox
    folder: NodeFolder
    person: Person
    node: Node | None = field(default=None)

    async def start(self, *, crash_point: Callable[[str], None] = lambda _place: None) -> None:
        """Start the node, on the ports that it had before."""
        self.node = Node(self.folder, clock=SystemClock(), crash_point=crash_point)
        await self.node.start()
        settings = self.folder.settings()
        if settings.node.port == 0:
            ports = {
                "port": int(self.node.public_url.rpartition(":")[2]),
                "admin_port": int(self.node.admin_url.rpartition(":")[2]),
            }
            self.folder.write_settings(
                settings.model_copy(update={"node": settings.node.model_copy(update=ports)})
            )

    async def stop(self) -> None:
        """Stop the node."""
        if self.node is not None:
            await self.node.stop()
            self.node = None

    async def call(self, method: str, path: str, body: object | None = None) -> Any:
        """Call the node's admin API."""
        return await AdminClient(self.folder).acall(method, path, body)

    async def create(self, **fields: Any) -> str:
        """Create an issue in this side's Jira as its person; return its key."""
        wanted = {"project": {"key": self.project}, "issuetype": {"name": "Task"}, "summary": "An issue", **fields}
        created: dict[str, Any] = await self.person.call("POST", "/rest/api/2/issue", json={"fields": wanted})
        return str(created["key"])

    async def issue(self, key: str) -> dict[str, Any]:
        """Return an issue of this side's Jira, whole."""
        found: dict[str, Any] = await self.person.call("GET", f"/rest/api/2/issue/{key}")
        return found

    async def sync(self, *keys: str) -> list[dict[str, Any]]:
        """Bring issues under sync."""
        path = f"/api/v1/connections/{self.connection}/sync"
        results: list[dict[str, Any]] = (await self.call("POST", path, {"keys": list(keys)}))["results"]
        return results

    async def twin(self, key: str) -> str:
        """Wait until an issue has a twin and return the twin's key."""

        async def linked() -> str | None:
            links = (await self.call("GET", f"/api/v1/connections/{self.connection}/links"))["links"]
            return next((link["twin_key"] for link in links if link["key"] == key), None)

        return await eventually(linked, f"{key} of {self.name} has a twin")

    async def problems(self) -> list[dict[str, Any]]:
        """Return what is wrong on this side."""
        found: list[dict[str, Any]] = (await self.call("GET", "/api/v1/errors"))["problems"]
        return found


async def eventually(
    condition: Callable[[], Awaitable[Any]], what: str, *, deadline: float = DEADLINE, pause: float = 0.03
) -> Any:
    """Wait until ``condition`` returns something true, and return it; fail with ``what`` after the deadline."""
    until = time.monotonic() + deadline
    while True:
        found = await condition()
        if found:
            return found
        assert time.monotonic() < until, f"it did not happen within {deadline} seconds that {what}"
        await asyncio.sleep(pause)


async def quiet(*parties: Party, deadline: float = DEADLINE) -> None:
    """Wait until no side has anything to do, twice in a row, with all webhooks delivered."""

    async def still() -> bool:
        for _ in range(2):
            for party in parties:
                await party.sandbox.sender.drained()
                if not (await party.call("GET", "/api/v1/queue"))["quiet"]:
                    return False
        return True

    await eventually(still, "both sides are quiet", deadline=deadline)


async def _side(
    stack: Any, root: Path, name: str, project: str, connection: str, sync: SyncSettings, webhooks: str
) -> Party:
    world = default_world()
    create_project(world, project, f"{name}'s project")
    sandbox = await stack.enter_async_context(running_sandbox(world, control_open=True))
    token = world.create_token(world.user_named("accord"))
    folder = NodeFolder(root / name)
    folder.create(
        Settings(
            node=NodeSettings(name=name, port=0, admin_port=0),
            jira=JiraSettings(url=sandbox.url, webhooks=webhooks),  # type: ignore[arg-type]  # one of three words
            sync=sync,
        ),
        jira_token=Secret(token),
    )
    person = await stack.enter_async_context(Person(sandbox.url, "alice" if name == "Alice" else "bob"))
    return Party(name, project, connection, sandbox, folder, person)


@asynccontextmanager
async def two_nodes(
    root: Path, *, paired: bool = True, sweep: float = 300.0, webhooks: str = "auto"
) -> AsyncIterator[tuple[Party, Party]]:
    """Run Alice and Bob, paired unless told otherwise."""
    from contextlib import AsyncExitStack  # noqa: PLC0415 - beside its only use

    sync = SyncSettings(allow_http=True, allow_private_peers=True, sweep=sweep, sweep_without_webhooks=sweep)
    async with AsyncExitStack() as stack:
        alice = await _side(stack, root, "Alice", "UD", "Alice_to_Bob", sync, webhooks)
        bob = await _side(stack, root, "Bob", "SC", "Bob_to_Alice", sync, webhooks)
        try:
            await alice.start()
            await bob.start()
            if paired:
                await pair(alice, bob, webhooks=webhooks == "auto")
            yield alice, bob
        finally:
            await alice.stop()
            await bob.stop()


async def pair(alice: Party, bob: Party, *, webhooks: bool = True) -> None:
    """Pair both nodes through a real code, and wait until their Jiras report changes."""
    invited = await alice.call("POST", "/api/v1/invitations", {"peer": bob.name, "project": alice.project})
    await bob.call("POST", "/api/v1/connections", {"code": invited["code"], "project": bob.project})
    for party in (alice, bob):

        async def ready(party: Party = party) -> bool:
            connection = await party.call("GET", f"/api/v1/connections/{party.connection}")
            about = await party.call("GET", "/api/v1/node")
            return connection["state"] == "active" and (about["webhook"]["active"] or not webhooks)

        await eventually(ready, f"{party.name} is connected")
