"""A server that answers byte by byte as a test says: for answers that no well-behaved server gives.

Listens on a loopback port of its own and notes every request. What follows a whole request is up to the test.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came: header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class RawJira:
    """The running server."""

    url: str
    seen: list[Seen] = field(default_factory=list)
    open: int = 0
    """Connections that are open now."""


Respond = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


def reply(status: int, body: object = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """Return a whole answer; a body that is not bytes is written as JSON."""
    told = {"Content-Type": "application/json", **(headers or {})}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    told.setdefault("Content-Length", str(len(content)))
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def always(answer: bytes) -> Respond:
    """Return a server that gives every request this answer."""

    async def respond(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return respond


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something is so; TimeoutError where it does not become so in time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in threads and sockets
            await asyncio.sleep(0.005)


@asynccontextmanager
async def raw_jira(respond: Respond) -> AsyncIterator[RawJira]:
    """Run the server."""
    jira = RawJira("")
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        jira.open += 1
        try:
            # Cancelled only by the end of the server: nobody waits for this task, and asyncio would log it.
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while not writer.is_closing():
                    seen = await _read(reader)
                    jira.seen.append(seen)
                    await respond(seen, writer)
        finally:
            jira.open -= 1
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    jira.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield jira
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _version = head[0].split(" ")
    headers = {
        name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(method, target, headers, body)
