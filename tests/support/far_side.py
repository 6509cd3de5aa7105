"""Bob's node and a bare floor in a process of their own, for benches: two organisations do not share an interpreter.

Run as ``python -m tests.support.far_side FOLDER``; prints one JSON line with its addresses, then takes commands, one a
line: ``accept CODE``, ``settle`` and ``cpu``, and answers each with one JSON line. Ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from node.store.engine import Store
from node.transport.client import ClientSettings
from node.transport.receipts import Allowance
from node.transport.transport import TransportSettings
from tests.support.peers import LOOPBACK, PeerNode

ROOMY = TransportSettings(
    client=ClientSettings(allow_http=True, allow_private=True), allowance=Allowance(messages=1 << 20, size=1 << 40)
)


@asynccontextmanager
async def floor(folder: Path) -> AsyncIterator[str]:
    """Run a bare server that stores what arrives before it answers; yield its URL.

    The header ``Count`` says how many rows a body is cut into.
    """
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
    yield f"http://{LOOPBACK}:{runner.addresses[0][1]}/"
    await runner.cleanup()
    await store.close()


async def main(folder: Path) -> None:
    bob = PeerNode("Green", folder / "bob", settings=ROOMY)
    await bob.start()
    async with floor(folder / "floor") as url:
        _say({"floor": url, "bob": bob.url})
        while line := (await asyncio.to_thread(sys.stdin.readline)).split():
            if line[0] == "accept":
                connection = await bob.invitations.accept(line[1], project="SC")
                _say({"name": connection.name})
            elif line[0] == "cpu":
                _say({"seconds": time.process_time()})
            else:
                count = len(await bob.issues())
                await bob.store.write(lambda tx: tx.execute("UPDATE inbox SET state = 'done', code = 0"))
                _say({"issues": count})
    await bob.stop()


def _say(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
