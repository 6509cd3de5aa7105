"""Nodes that move: peers are told by the node itself, over real HTTP, and only what helps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import UsageError
from node.store import cursors, envelopes
from node.store.engine import restore
from tests.support.peers import PeerNode, paired, until

OLD = "https://old.example"


async def _move(node: PeerNode) -> None:
    """Start the node at another port, as a node does that has a new address."""
    await node.stop()
    node.port = 0
    await node.start()
    await node.connections.tell_address()


async def test_a_node_that_moved_is_found_again(alice: PeerNode, bob: PeerNode) -> None:
    """Alice's node gets another port: Bob's is told by her, calls there from now on, and people can read of it."""
    hers, his = await paired(alice, bob)
    before = alice.url
    await _move(alice)
    assert alice.url != before

    async def told() -> bool:
        return (await bob.row(his.name)).peer_urls == (alice.url,)

    await until(told)
    [note] = await bob.open_problems()
    assert (note.code, before in note.message, alice.url in note.message) == ("PeerMoved", True, True)
    await bob.say(his.id, 1)
    await until(lambda: _has_come(alice, 1))
    await alice.say(hers.id, 1)
    await until(lambda: _has_come(bob, 1))


async def test_a_node_that_stayed_says_nothing(alice: PeerNode, bob: PeerNode) -> None:
    """A start with the same address costs no message; nor does the first one after the pairing."""
    hers, his = await paired(alice, bob)
    for node in (alice, bob):
        await until(lambda node=node: _quiet(node))  # type: ignore[misc]  # bound early, on purpose
        sent = await node.envelopes("tx")
        await node.restart()
        await node.connections.tell_address()
        assert await node.unacked() == 0
        assert await node.envelopes("tx") == sent
    assert (hers.name, his.name) == ("Blue_to_Green", "Green_to_Blue")


async def test_an_address_of_this_machine_replaces_no_other(alice: PeerNode, bob: PeerNode) -> None:
    """A node that is started once without its public_url is not lost to its peers."""
    hers, _ = await paired(alice, bob)
    alice.public_url = OLD
    await alice.restart()
    await alice.connections.tell_address()
    alice.public_url = None
    await alice.restart()
    await alice.connections.tell_address()
    told = await alice.store.read(lambda reader: cursors.read(reader, cursors.told_address(hers.id)))
    assert told == f'["{OLD}"]'


@pytest.mark.parametrize("kept", [True, False], ids=["letters kept", "letters gone"])
async def test_a_peer_that_was_restored_hears_the_address_again(
    alice: PeerNode, bob: PeerNode, tmp_path: Path, kept: bool
) -> None:
    """Bob's database is put back to before Alice moved: when she calls he is told once more, whatever she kept."""
    hers, his = await paired(alice, bob)
    await until(lambda: _quiet(alice))
    await bob.store.backup(tmp_path / "backup")
    await _move(alice)

    async def told() -> bool:
        return (await bob.row(his.name)).peer_urls == (alice.url,)

    await until(told)
    await until(lambda: _quiet(alice))
    await bob.stop()
    await restore(tmp_path / "backup", bob.folder / "node.db")
    await bob.start()
    assert not await told()
    if not kept:
        await alice.store.write(lambda tx: envelopes.drop_ours(tx, hers.id))
    alice.transport.wake(hers.id, speak=True)
    await until(told)


async def test_a_person_says_where_a_peer_is(alice: PeerNode, bob: PeerNode) -> None:
    """Both have moved at once, so neither finds the other: one admin names the new address, and all goes on."""
    hers, his = await paired(alice, bob)
    await until(lambda: _quiet(alice))
    for node in (alice, bob):
        await node.stop()
        node.port = 0
    for node in (alice, bob):
        await node.start()
        await node.connections.tell_address()
    with pytest.raises(UsageError, match="not an https"):
        await alice.connections.set_address(hers.name, "ftp://bob")
    with pytest.raises(UsageError, match="no connection"):
        await alice.connections.set_address("Nobody", bob.url)
    await alice.connections.set_address(hers.name, bob.url)
    await alice.say(hers.id, 1)
    await until(lambda: _has_come(bob, 1))
    await bob.say(his.id, 1)
    await until(lambda: _has_come(alice, 1))


async def _has_come(node: PeerNode, count: int) -> bool:
    return len(await node.issues()) == count


async def _quiet(node: PeerNode) -> bool:
    return await node.unacked() == 0
