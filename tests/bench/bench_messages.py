"""How many messages a second get through seal, HTTP, verify, open and durable store, against the bare floor.

The floor of the same run: aiohttp POSTs of bytes of the same size, one a request, stored in the same kind of database
with the same fsync policy and group commit. A second floor batches as the protocol does. One process is both sides.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from node.store.engine import Store
from node.transport.client import ClientSettings
from node.transport.receipts import Allowance
from node.transport.transport import TransportSettings
from node.transport.wire import MAX_DATA
from protocol.messages import dump_message
from tests.support.peers import LOOPBACK, PeerNode, paired, replica

pytestmark = pytest.mark.bench

MESSAGES = 2_000
ROUNDS = 3
IN_FLIGHT = 64
"""Requests in flight at the floor: fewer would starve group commit, more gain nothing."""
TEXT = "It works on my machine; the log of the failing run is attached. " * 16
GOAL = 0.6
NOISE = 0.75
"""A shared machine of two cores: the test fails below this part of the goal, the figure is printed in any case."""


def payload(number: int) -> bytes:
    message = replica(f"i{number}")
    fields = {"summary": f"Issue {number}", "description": TEXT}
    return dump_message(
        message.model_copy(update={"replica": message.replica.model_copy(update={"fields": fields})})
    )


@dataclass
class Floor:
    """A bare server: what arrives is stored before it is answered."""

    store: Store
    url: str
    session: aiohttp.ClientSession

    async def post(self, bodies: list[bytes]) -> None:
        async with self.session.post(self.url, data=b"".join(bodies), headers={"Count": str(len(bodies))}) as answer:
            assert answer.status == 200
            await answer.read()


@asynccontextmanager
async def floor(folder: Path) -> AsyncIterator[Floor]:
    store = await Store.open(folder / "floor.db")
    await store.write(lambda tx: tx.execute("CREATE TABLE floor (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT"))

    async def take(request: web.Request) -> web.Response:
        body, count = await request.read(), int(request.headers["Count"])
        size = len(body) // count
        rows = [{"body": body[at * size : (at + 1) * size]} for at in range(count)]
        await store.write(lambda tx: tx.executemany("INSERT INTO floor (body) VALUES (:body)", rows))
        return web.Response(body=b"ok")

    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Floor(store, f"http://{LOOPBACK}:{runner.addresses[0][1]}/", session)
    await runner.cleanup()
    await store.close()


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    """Return messages a second."""
    start = time.perf_counter()
    await work()
    return MESSAGES / (time.perf_counter() - start)


async def floor_rate(bare: Floor, batch: int, size: int) -> float:
    body = b"x" * size
    waiting = iter(range(0, MESSAGES, batch))

    async def client() -> None:
        for start in waiting:
            await bare.post([body] * min(batch, MESSAGES - start))

    async def work() -> None:
        await asyncio.gather(*(client() for _ in range(IN_FLIGHT if batch == 1 else 1)))

    return await timed(work)


@dataclass
class Way:
    """Alice's way to Bob."""

    alice: PeerNode
    bob: PeerNode
    connection_id: int
    sent: int = 0
    sizes: list[int] = field(default_factory=list)

    async def rate(self) -> float:
        rows = [
            {"id": self.connection_id, "mid": b"m%d" % number, "payload": payload(number)}
            for number in range(self.sent, self.sent + MESSAGES)
        ]
        self.sent += MESSAGES
        await self.alice.store.write(
            lambda tx: tx.executemany(
                "INSERT INTO outbox (connection_id, mid, kind, payload, state, created_ms)"
                " VALUES (:id, :mid, 'issue.replica', :payload, 'queued', 0)",
                rows,
            )
        )

        self.alice.delivered.clear()

        async def work() -> None:
            self.alice.transport.wake(self.connection_id)
            while await self.alice.unacked():
                await self.alice.delivered.wait()
                self.alice.delivered.clear()

        return await timed(work)


async def test_messages_per_second(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Signed, sealed, chained, verified, stored on both sides: at least 0.6 of storing bare bytes."""
    settings = TransportSettings(
        client=ClientSettings(allow_http=True, allow_private=True),
        allowance=Allowance(messages=10 * MESSAGES, size=1 << 30),
    )
    alice = PeerNode("Blue", tmp_path / "alice", settings=settings)
    bob = PeerNode("Green", tmp_path / "bob", settings=settings)
    await alice.start()
    await bob.start()
    hers, _ = await paired(alice, bob)
    way = Way(alice, bob, hers.id)
    size = len(payload(0)) + 281
    ours, single, batched = [], [], []
    async with floor(tmp_path / "floor") as bare:
        for _ in range(ROUNDS):
            single.append(await floor_rate(bare, 1, size))
            ours.append(await way.rate())
            batched.append(await floor_rate(bare, MAX_DATA, size))
    assert len(await bob.issues()) == ROUNDS * MESSAGES
    await alice.stop()
    await bob.stop()
    rate, one, many = statistics.median(ours), statistics.median(single), statistics.median(batched)
    with capsys.disabled():
        print(  # noqa: T201 - a bench prints its figures
            f"\nmessages of {size} bytes: ours {rate:,.0f}/s; floor, one a request {one:,.0f}/s (ratio {rate / one:.2f},"
            f" goal {GOAL}); floor, {MAX_DATA} a request {many:,.0f}/s (ratio {rate / many:.2f})"
        )
    assert rate / one >= GOAL * NOISE
