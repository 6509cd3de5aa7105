"""Alice and Bob: two sandbox Jiras and two whole nodes in this process, over real HTTP and real SQLite.

Alice invites (project UD), Bob is invited (project SC). Every wait has a deadline and a condition.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from node.admin.client import AdminClient
from node.app import Node
from node.clock import Clock, SystemClock
from node.config import GuardSettings, JiraSettings, NodeFolder, NodeSettings, Secret, Settings, SyncSettings
from node.demo.jira import Person
from node.sandbox.app import RunningSandbox, running_sandbox
from node.sandbox.seed import create_project, default_world
from node.store.engine import Store

DEADLINE = 60.0
"""Seconds until a condition counts as never met: generous, because a busy machine is slow and waiting costs nothing."""
T = TypeVar("T")


@dataclass(slots=True)
class Party:
    """One side: its Jira, its node, and a person who works in that Jira."""

    name: str
    project: str
    connection: str
    sandbox: RunningSandbox
    folder: NodeFolder
    person: Person
    admin: Person
    clock: Clock = field(default_factory=SystemClock)
    node: Node | None = field(default=None)

    async def start(
        self, *, crash_point: Callable[[str], None] = lambda _place: None, was_restored: bool = False
    ) -> None:
        """Start the node, on the ports that it had before."""
        node = Node(self.folder, clock=self.clock, crash_point=crash_point, was_restored=was_restored)
        await node.start()
        self.node = node
        settings = self.folder.settings()
        if settings.node.port == 0:
            ports = {
                "port": int(node.public_url.rpartition(":")[2]),
                "admin_port": int(node.admin_url.rpartition(":")[2]),
            }
            self.folder.write_settings(settings.model_copy(update={"node": settings.node.model_copy(update=ports)}))

    async def stop(self) -> None:
        """Stop the node."""
        if self.node is not None:
            node, self.node = self.node, None
            await node.stop()

    @property
    def store(self) -> Store:
        """The running node's database, for looking at rows."""
        assert self.node is not None
        return self.node._store

    async def guard(self, **policy: Any) -> None:
        """Set the guard's policy and start the node anew with it."""
        settings = self.folder.settings()
        self.folder.write_settings(settings.model_copy(update={"guard": GuardSettings(**policy)}))
        await self.stop()
        await self.start()

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

    async def comments(self, key: str) -> list[str]:
        """Return the texts of an issue's comments, oldest first."""
        return [one["body"] for one in (await self.issue(key))["fields"]["comment"]["comments"]]

    async def files(self, key: str) -> list[tuple[str, str]]:
        """Return name and SHA-256 of an issue's attachments, sorted."""
        attachments = (await self.issue(key))["fields"]["attachment"]
        return sorted([(one["filename"], await self.person.sha256(one["content"])) for one in attachments])

    async def status(self, key: str) -> dict[str, Any]:
        """Return what the node knows of an issue on this side's connection, with its history."""
        found = await self.call("GET", f"/api/v1/issues/{key}")
        return next(link for link in found["links"] if link["connection"] == self.connection)

    async def events(self, key: str, event: str) -> list[dict[str, Any]]:
        """Return the details of what happened to an issue, newest first."""
        return [one["detail"] for one in (await self.status(key))["history"] if one["event"] == event]

    async def sent(self) -> int:
        """Return how many replicas this node has put into its outbox, ever."""
        rows = await self.store.fetch_all("SELECT count(*) AS n FROM outbox WHERE kind = 'issue.replica'")
        return int(rows[0]["n"])

    def writes(self) -> int:
        """Return how many writing calls the node has made to its Jira."""
        return self.sandbox.calls.count(writes=True, user="accord")

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

        return str(await eventually(linked, f"{key} of {self.name} has a twin"))

    async def problems(self) -> list[dict[str, Any]]:
        """Return what is wrong on this side."""
        found: list[dict[str, Any]] = (await self.call("GET", "/api/v1/errors"))["problems"]
        return found


def there(found: T | None) -> T:
    """Return what a test knows to be there."""
    assert found is not None
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


async def add_party(
    stack: AsyncExitStack,
    root: Path,
    name: str,
    project: str,
    connection: str,
    *,
    sync: SyncSettings,
    webhooks: Literal["auto", "manual", "off"] = "auto",
    clock: Clock | None = None,
) -> Party:
    """Make one more side in a folder of its own, with a Jira that runs and a node that does not yet."""
    world = default_world()
    create_project(world, project, f"{name}'s project")
    sandbox = await stack.enter_async_context(running_sandbox(world, control_open=True))
    token = world.create_token(there(world.user_named("accord")))
    folder = NodeFolder(root / name)
    folder.create(
        Settings(
            node=NodeSettings(name=name, port=0, admin_port=0),
            jira=JiraSettings(url=sandbox.url, webhooks=webhooks),
            sync=sync,
        ),
        jira_token=Secret(token),
    )
    person = await stack.enter_async_context(Person(sandbox.url, "alice" if name == "Alice" else "bob"))
    admin = await stack.enter_async_context(Person(sandbox.url, "admin"))
    side = Party(name, project, connection, sandbox, folder, person, admin, clock or SystemClock())
    stack.push_async_callback(side.stop)
    return side


def settings(**changes: Any) -> SyncSettings:
    """Return settings for the loopback; sweeps are rare unless told otherwise."""
    rare = {"sweep": 300.0, "sweep_without_webhooks": 300.0}
    return SyncSettings(**{"allow_http": True, "allow_private_peers": True, **rare, **changes})


@asynccontextmanager
async def two_nodes(
    root: Path,
    *,
    paired: bool = True,
    sweep: float = 300.0,
    webhooks: Literal["auto", "manual", "off"] = "auto",
    clock: Clock | None = None,
    **changes: Any,
) -> AsyncIterator[tuple[Party, Party]]:
    """Run Alice and Bob, paired unless told otherwise; ``changes`` are settings of the section sync."""
    sync = settings(sweep=sweep, sweep_without_webhooks=sweep, **changes)
    async with AsyncExitStack() as stack:
        alice = await add_party(stack, root, "Alice", "UD", "Alice_to_Bob", sync=sync, webhooks=webhooks, clock=clock)
        bob = await add_party(stack, root, "Bob", "SC", "Bob_to_Alice", sync=sync, webhooks=webhooks, clock=clock)
        await alice.start()
        await bob.start()
        if paired:
            await pair(alice, bob, webhooks=webhooks == "auto")
        yield alice, bob


async def pair(alice: Party, bob: Party, *, webhooks: bool = True) -> None:
    """Pair both nodes through a real code, and wait until their Jiras report changes."""
    invited = await alice.call("POST", "/api/v1/invitations", {"peer": bob.name, "project": alice.project})
    await bob.call("POST", "/api/v1/connections", {"code": invited["code"], "project": bob.project})
    for party in (alice, bob):
        await connected(party, webhooks=webhooks)


async def connected(party: Party, *, webhooks: bool = True) -> None:
    """Wait until a side's connection is active and its Jira reports changes."""

    async def ready() -> bool:
        connection = await party.call("GET", f"/api/v1/connections/{party.connection}")
        about = await party.call("GET", "/api/v1/node")
        return connection["state"] == "active" and (about["webhook"]["active"] or not webhooks)

    await eventually(ready, f"{party.name} is connected")
