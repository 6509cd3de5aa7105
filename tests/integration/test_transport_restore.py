"""A database that was restored from a backup, or copied, is noticed from signed receipts and healed without people."""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.ledger import Ledger
from node.store import cursors, envelopes
from node.store.connections import Connection
from node.store.cursors import resync
from node.store.engine import restore
from protocol.messages import Outcome, parse_message
from tests.support.peers import PeerNode, paired, until


class Pair:
    """Alice and Bob, paired, with a backup of each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.alice = PeerNode("Blue", folder / "alice")
        self.bob = PeerNode("Green", folder / "bob")
        self.hers: Connection
        self.his: Connection

    async def start(self) -> None:
        """Pair, and send one message each way."""
        await self.alice.start()
        await self.bob.start()
        self.hers, self.his = await paired(self.alice, self.bob)
        await self.alice.say(self.hers.id, 1)
        await self.bob.say(self.his.id, 1, issue="b")
        await self.quiet()

    async def quiet(self) -> None:
        """Wait until everything was signed for."""

        async def nothing_waits() -> bool:
            return await self.alice.unacked() == 0 and await self.bob.unacked() == 0

        await until(nothing_waits)

    async def back_up(self, node: PeerNode) -> Path:
        """Make a backup of a running node's database."""
        target = self.folder / f"{node.name}.backup"
        await node.store.backup(target)
        return target

    async def restore(self, node: PeerNode, backup: Path) -> None:
        """Stop a node, put a backup in the place of its database, start it."""
        await node.stop()
        await restore(backup, node.folder / "node.db")
        await node.start()


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    both = Pair(tmp_path)
    await both.start()
    yield both
    await both.alice.stop()
    await both.bob.stop()


async def settle_all(node: PeerNode) -> None:
    for row in await node.inbox():
        await node.settle(row)


async def noticed(node: PeerNode) -> None:
    """Wait until a node knows that it was restored: what waited to be sent before that is dropped."""

    async def told() -> bool:
        return "NewEpoch" in await node.problems()

    await until(told)


async def test_what_a_restored_node_was_about_to_send_is_dropped(pair: Pair) -> None:
    """It was made without knowing what the sync had done; the peer is asked to say everything again instead."""
    backup = await pair.back_up(pair.alice)
    await pair.alice.say(pair.hers.id, 2, 3)
    await pair.quiet()
    await pair.alice.stop()
    await restore(backup, pair.alice.folder / "node.db")
    await pair.bob.stop()
    await pair.alice.start()
    await pair.alice.say(pair.hers.id, 9)
    await pair.bob.start()
    await noticed(pair.alice)
    await pair.quiet()
    assert await pair.bob.issues() == ["i1", "i2", "i3"]
    kinds = [row.kind for row in await pair.alice.inbox()]
    assert kinds.count("resync.begin") == 1
    name = resync(pair.his.id)
    assert await pair.bob.store.read(lambda reader: cursors.read(reader, name)) is not None


async def test_a_restored_sender_goes_on_and_nothing_is_stored_twice(pair: Pair) -> None:
    """What it says once it has noticed has the same ids; what the peer has is answered from the record."""
    backup = await pair.back_up(pair.alice)
    await pair.alice.say(pair.hers.id, 2, 3)
    await pair.quiet()
    await settle_all(pair.bob)
    await pair.restore(pair.alice, backup)
    await noticed(pair.alice)
    await pair.alice.say(pair.hers.id, 2, 3, 4)
    await pair.quiet()
    assert await pair.bob.issues() == ["i1", "i2", "i3", "i4"]
    assert await pair.alice.problems() == ["NewEpoch"]

    async def answered() -> bool:
        answers = [parse_message(row.payload) for row in await pair.alice.inbox()]
        return {one.mid for answer in answers if isinstance(answer, Outcome) for one in answer.results} >= {
            "i2-1",
            "i3-1",
        }

    await until(answered)


async def test_a_restored_receiver_gets_again_what_it_lost(pair: Pair) -> None:
    """The sender keeps what was signed for long enough for a nightly backup."""
    backup = await pair.back_up(pair.bob)
    await pair.alice.say(pair.hers.id, 2, 3)
    await pair.quiet()
    await pair.restore(pair.bob, backup)
    await pair.alice.say(pair.hers.id, 4)

    async def all_there() -> bool:
        return await pair.bob.issues() == ["i1", "i2", "i3", "i4"]

    await until(all_there)
    await pair.quiet()
    assert await pair.alice.problems() == ["Resend"]


async def test_both_restored_end_with_everything_once(pair: Pair) -> None:
    """The same night's backup on both sides."""
    hers, his = await pair.back_up(pair.alice), await pair.back_up(pair.bob)
    await pair.alice.say(pair.hers.id, 2, 3)
    await pair.bob.say(pair.his.id, 2, issue="b")
    await pair.quiet()
    await pair.restore(pair.alice, hers)
    await pair.restore(pair.bob, his)
    await pair.alice.say(pair.hers.id, 2, 3, 4)
    await pair.bob.say(pair.his.id, 2, 3, issue="b")
    await pair.quiet()
    assert await pair.bob.issues() == ["i1", "i2", "i3", "i4"]
    assert await pair.alice.issues() == ["b1", "b2", "b3"]


async def test_a_receiver_restored_beyond_what_is_kept_asks_for_everything(pair: Pair) -> None:
    """Then every linked issue must be sent anew, and that is remembered over a restart."""
    backup = await pair.back_up(pair.bob)
    await pair.alice.say(pair.hers.id, 2, 3)
    await pair.quiet()
    await pair.alice.store.write(lambda tx: tx.execute("DELETE FROM outbox WHERE state = 'acked'"))
    await pair.alice.store.write(lambda tx: envelopes.prune(tx, pair.hers.id))
    await pair.restore(pair.bob, backup)
    await pair.alice.say(pair.hers.id, 4)
    await until(lambda: pair.alice.resyncs)
    await pair.quiet()
    assert await pair.bob.issues() == ["i1", "i4"]
    name = resync(pair.hers.id)
    assert await pair.alice.store.read(lambda reader: cursors.read(reader, name)) is not None
    assert await pair.alice.problems() == ["Resync"]


async def test_two_copies_of_one_node_are_stopped(pair: Pair, tmp_path: Path) -> None:
    """A copied disk that runs as well must not be healed for ever: people are told."""
    await pair.alice.stop()
    shutil.copytree(pair.alice.folder, tmp_path / "copy")
    twin = PeerNode("Blue", tmp_path / "copy")
    await pair.alice.start()
    await twin.start()
    try:
        number = 10

        async def one_is_stopped() -> bool:
            nonlocal number
            number += 1
            await pair.alice.say(pair.hers.id, number, issue="a")
            await twin.say(pair.hers.id, number, issue="t")
            found = [*await pair.alice.problems(), *await twin.problems()]
            return "Stop" in found

        await until(one_is_stopped)
        states = {await pair.alice.state("Blue_to_Green"), await twin.state("Blue_to_Green")}
        assert "deactivated" in states
    finally:
        await twin.stop()


async def test_a_node_whose_copy_was_stopped_goes_on_when_people_say_so(pair: Pair, tmp_path: Path) -> None:
    """People find the copy, end it, and resume the other: what that says from then on arrives."""
    await pair.alice.stop()
    shutil.copytree(pair.alice.folder, tmp_path / "copy")
    twin = PeerNode("Blue", tmp_path / "copy")
    await pair.alice.start()
    await twin.start()
    number = 10

    found: list[PeerNode] = []

    async def one_is_stopped() -> bool:
        nonlocal number
        number += 1
        await pair.alice.say(pair.hers.id, number, issue="a")
        await twin.say(pair.hers.id, number, issue="t")
        found.extend([one for one in (pair.alice, twin) if await one.state("Blue_to_Green") == "deactivated"])
        return bool(found)

    try:
        await until(one_is_stopped)
        node = found[0]
        await (twin if node is pair.alice else pair.alice).stop()
        await node.connections.resume("Blue_to_Green")

        async def arrived() -> bool:
            nonlocal number
            number += 1
            if not any(issue.startswith("last") for issue in await pair.bob.issues()):
                await node.say(pair.hers.id, number, issue="last")  # what waits until it sees where it stands is lost
                return False
            return await node.unacked() == 0

        await until(arrived)
        assert await node.state("Blue_to_Green") == "active"
    finally:
        await twin.stop()


@pytest.mark.parametrize("seed", range(4))
async def test_backups_restored_at_any_time_lose_and_double_nothing(pair: Pair, seed: int) -> None:
    """Messages of all sizes, one or a hundred at a time; after a restore they are packed in other ways than before."""
    chance = random.Random(seed)
    said = {"alice": 1, "bob": 1}
    sides = {"alice": (pair.alice, pair.hers.id, "i"), "bob": (pair.bob, pair.his.id, "b")}
    backups = {name: await pair.back_up(node) for name, (node, _, _) in sides.items()}
    for _ in range(8):
        name = chance.choice(list(sides))
        node, connection_id, issue = sides[name]
        if chance.random() < 0.3:
            pair.alice.clock.ahead_ms += 2 * 3_600_000  # two restores within an hour would be two copies
            pair.bob.clock.ahead_ms = pair.alice.clock.ahead_ms
            await pair.restore(node, backups[name])
            # Its tracker forgot nothing: all of it is looked at again, and what is known has its old id.
            await node.say(connection_id, *range(1, said[name] + 1), issue=issue)
        else:
            more = chance.choice([1, 2, 10, 100])
            await node.say(connection_id, *range(said[name] + 1, said[name] + more + 1), issue=issue)
            said[name] += more
        if chance.random() < 0.5:
            await pair.quiet()
        if chance.random() < 0.2:
            (pair.folder / f"{node.name}.backup").unlink()
            backups[name] = await pair.back_up(node)

    async def all_there() -> bool:
        hers, his = await pair.alice.issues(), await pair.bob.issues()
        if len(hers) >= said["bob"] and len(his) >= said["alice"]:
            return True
        for name, (node, connection_id, issue) in sides.items():  # what waited when a restore was noticed was dropped
            await node.say(connection_id, *range(1, said[name] + 1), issue=issue)
        return False

    await until(all_there)
    await pair.quiet()
    assert sorted(await pair.bob.issues()) == sorted(f"i{number}" for number in range(1, said["alice"] + 1))
    assert sorted(await pair.alice.issues()) == sorted(f"b{number}" for number in range(1, said["bob"] + 1))
    assert "Stop" not in {*await pair.alice.problems(), *await pair.bob.problems()}
    for node in (pair.alice, pair.bob):
        book = Ledger(node.store, node.keys.node_key(), node.folder, node.clock)
        assert not [chain.broken for chain in (await book.verify()).chains if chain.broken]
