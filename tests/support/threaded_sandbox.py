"""Runs a sandbox on a thread of its own, so that a blocking client can be tested against it; and a webhook receiver."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web
from jira import JIRA

from node.sandbox.app import RunningSandbox, running_sandbox
from node.sandbox.store import World

Result = TypeVar("Result")
PATIENCE_SECONDS = 10.0


@dataclass
class Received:
    """One webhook that arrived."""

    body: dict[str, Any]
    raw: bytes
    headers: dict[str, str]
    query: dict[str, str]
    path: str

    @property
    def name(self) -> str:
        """Return the event's name, with its type where it has one."""
        kind = self.body.get("issue_event_type_name")
        return f"{self.body['webhookEvent']}/{kind}" if kind else str(self.body.get("webhookEvent"))


@dataclass
class Receiver:
    """A server that takes webhooks and remembers them."""

    url: str = ""
    got: list[Received] = field(default_factory=list)
    status: int = 200
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def names(self) -> list[str]:
        """Return the names of what arrived, in order."""
        return [one.name for one in self.got]

    async def take(self, request: web.Request) -> web.Response:
        """Remember a webhook."""
        await self.hold.wait()
        raw = await request.read()
        self.got.append(
            Received(json.loads(raw) if raw else {}, raw, dict(request.headers), dict(request.query), request.path)
        )
        return web.Response(status=self.status)


@contextlib.asynccontextmanager
async def running_receiver() -> Any:
    """Run a receiver on a free port."""
    receiver = Receiver()
    receiver.hold.set()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/{tail:.*}", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class Bench:
    """A sandbox and a webhook receiver on another thread."""

    sandbox: RunningSandbox
    receiver: Receiver
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine beside the sandbox and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_SECONDS)

    def do(self, work: Callable[[], Result]) -> Result:
        """Call a function on the sandbox's own thread."""

        async def call() -> Result:
            return work()

        return self.run(call())

    def delivered(self) -> list[str]:
        """Wait until all webhooks went out, and return the names of those that arrived."""
        self.run(self.sandbox.sender.drained())
        return self.receiver.names()

    def client(self, user: str = "admin", password: str | None = None) -> Any:
        """Return a ``jira`` client with its hidden calls switched off.

        Typed as anything: the package's own hints say less than it answers.
        """
        return JIRA(
            options={"server": self.sandbox.url},
            basic_auth=(user, password if password is not None else user),
            get_server_info=False,
            max_retries=0,
        )


@contextlib.contextmanager
def bench(world: World | None = None, *, control_open: bool = False) -> Iterator[Bench]:
    """Run a sandbox and a receiver on a thread until the block ends."""
    ready: threading.Event = threading.Event()
    made: list[Bench] = []
    failed: list[BaseException] = []
    stop = asyncio.Event()

    async def serve() -> None:
        async with running_receiver() as receiver, running_sandbox(world, control_open=control_open) as sandbox:
            made.append(Bench(sandbox, receiver, asyncio.get_running_loop()))
            ready.set()
            await stop.wait()

    def main() -> None:
        try:
            asyncio.run(serve())
        except BaseException as wrong:  # noqa: BLE001 - told to the test's thread
            failed.append(wrong)
            ready.set()

    thread = threading.Thread(target=main, name="sandbox")
    thread.start()
    try:
        assert ready.wait(PATIENCE_SECONDS)
        if failed:
            raise failed[0]
        yield made[0]
    finally:
        if made:
            made[0].loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive(), "the sandbox did not stop"
    if failed:
        raise failed[0]
