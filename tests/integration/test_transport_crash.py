"""A node that dies between any two lines, and is started again on the same files, loses nothing and doubles nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.errors import UsageError
from node.store import connections
from node.transport.crash import live_on
from protocol.blob import CHUNK_BYTES
from tests.support.dying import Death, Killed
from tests.support.peers import PeerNode, paired, until

SENDING = ["sending: sealed", "sending: stored", "sending: ready", "sending: answered", "sending: receipt stored"]
RECEIVING = ["received: verified", "received: stored", "received: receipt sealed"]
FILES = ["received: chunks written", *SENDING[2:]]
ANSWERING = ["request: keys kept", "request: stored"]
ASKING = ["answer: received", "answer: stored"]


@pytest.fixture(autouse=True)
def quiet_log(caplog: pytest.LogCaptureFixture) -> None:
    """A dying server says much; the tests look at what is stored."""
    caplog.set_level(logging.CRITICAL)


class Pair:
    """Alice and Bob. ``die`` arms one side; ``bury`` starts it again on its files."""

    def __init__(self, folder: Path) -> None:
        self.alice = PeerNode("Blue", folder / "alice")
        self.bob = PeerNode("Green", folder / "bob")

    async def die(self, node: PeerNode, death: Death) -> None:
        """Let ``node`` die of ``death`` from now on."""
        node.crash_point = death
        await node.restart()

    async def bury(self, node: PeerNode) -> None:
        """Start a dead node again; a request that it was serving dies with it."""
        node.crash_point = live_on
        with contextlib.suppress(Killed):
            await node.stop()
        await node.start()


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    both = Pair(tmp_path)
    await both.alice.start()
    await both.bob.start()
    yield both
    await both.alice.stop()
    await both.bob.stop()


async def all_said(pair: Pair) -> bool:
    return await pair.alice.unacked() == 0 and await pair.bob.unacked() == 0


@pytest.mark.parametrize("visit", [1, 2])
@pytest.mark.parametrize(
    ("side", "place"), [*(("alice", place) for place in SENDING), *(("bob", place) for place in RECEIVING)]
)
async def test_every_message_arrives_once_and_in_order(pair: Pair, side: str, place: str, visit: int) -> None:
    """Death while sending or while receiving, with more on its way."""
    hers, his = await paired(pair.alice, pair.bob)
    death = Death(place, visit)
    mortal = pair.alice if side == "alice" else pair.bob
    await pair.die(mortal, death)
    await pair.alice.say(hers.id, *range(3))
    await until(lambda: death.happened.is_set() or "sending: receipt stored" in death.seen or len(death.seen) > 2)
    await pair.alice.say(hers.id, *range(3, 6))
    async with asyncio.timeout(20):
        await death.happened.wait()
    await pair.bury(mortal)
    await pair.bob.say(his.id, 1, issue="b")
    pair.alice.transport.wake(hers.id)
    await until(lambda: all_said(pair))
    assert await pair.bob.issues() == [f"i{number}" for number in range(6)]
    assert max(await pair.bob.envelopes("rx")) >= 3, "messages that waited together shared an envelope"
    assert await pair.alice.issues() == ["b1"]
    assert await pair.alice.problems() == []
    assert await pair.bob.problems() == []


@pytest.mark.parametrize(
    ("side", "place"),
    [("bob", FILES[0]), ("bob", "received: stored"), *(("alice", place) for place in FILES[1:])],
)
async def test_a_file_arrives_whole(pair: Pair, side: str, place: str) -> None:
    """Death with half of the chunks on the disk, or between the disk and the row."""
    hers, his = await paired(pair.alice, pair.bob)
    data = random.Random(1).randbytes(9 * CHUNK_BYTES)
    path = pair.alice.files.temporary()
    path.write_bytes(data)
    digest = await pair.alice.files.keep(hers.id, path)
    await pair.alice.store.write(lambda tx: pair.alice.files.offer(tx, hers.id, digest))
    death = Death(place)
    mortal = pair.alice if side == "alice" else pair.bob
    await pair.die(mortal, death)
    await pair.bob.store.write(lambda tx: pair.bob.files.want(tx, his.id, digest))
    pair.bob.transport.wake(his.id)
    async with asyncio.timeout(20):
        await death.happened.wait()
    await pair.bury(mortal)
    pair.bob.transport.wake(his.id, speak=True)

    async def here() -> bool:
        return await pair.bob.files.arrived(his.id, digest.sha256) is not None

    await until(here)
    arrived = await pair.bob.files.arrived(his.id, digest.sha256)
    assert arrived is not None
    assert arrived.read_bytes() == data


@pytest.mark.parametrize(
    ("side", "place"),
    [*(("alice", place) for place in (*ANSWERING, *RECEIVING)), *(("bob", place) for place in (*ASKING, *SENDING))],
)
async def test_one_code_makes_one_connection(pair: Pair, side: str, place: str) -> None:
    """Death on either side in the middle of the handshake; the same code, pasted again, goes on where it was."""
    invited = await pair.alice.invitations.invite("Green", project="UD")
    death = Death(place)
    mortal = pair.alice if side == "alice" else pair.bob
    await pair.die(mortal, death)
    with contextlib.suppress(Killed, UsageError):
        await pair.bob.invitations.accept(invited.code, project="SC")
    async with asyncio.timeout(20):
        await death.happened.wait()
    await pair.bury(mortal)
    if not await pair.bob.store.read(connections.every):
        await pair.bob.invitations.accept(invited.code, project="SC")

    async def active() -> bool:
        return [await pair.alice.state("Blue_to_Green"), await pair.bob.state("Green_to_Blue")] == ["active"] * 2

    await until(active)
    hers, his = await pair.alice.row("Blue_to_Green"), await pair.bob.row("Green_to_Blue")
    assert hers.conn == his.conn
    await pair.alice.say(hers.id, 1)
    await pair.bob.say(his.id, 1, issue="b")
    await until(lambda: all_said(pair))
    assert await pair.bob.issues() == ["i1"]
    assert await pair.alice.issues() == ["b1"]


@pytest.mark.parametrize(
    ("side", "place"),
    [
        *(("alice", place) for place in (*SENDING, "closing: keys destroyed")),
        *(("bob", place) for place in RECEIVING),
    ],
)
async def test_a_connection_is_closed_on_both_sides(pair: Pair, side: str, place: str) -> None:
    """Death while saying goodbye."""
    hers, _ = await paired(pair.alice, pair.bob)
    assert hers.conn is not None
    death = Death(place)
    mortal = pair.alice if side == "alice" else pair.bob
    await pair.die(mortal, death)
    await pair.alice.connections.close("Blue_to_Green")

    async def died() -> bool:
        if place.startswith("closing") and not death.happened.is_set():
            with contextlib.suppress(Killed):
                await pair.alice.transport.say_goodbye()
        return death.happened.is_set()

    await until(died)
    await pair.bury(mortal)

    async def over() -> bool:
        await pair.alice.transport.say_goodbye()
        return await pair.bob.state("Green_to_Blue") == "closed" and not pair.alice.keys.has_connection(
            hers.conn or b""
        )

    await until(over)
    assert await pair.alice.state("Blue_to_Green") == "closed"
