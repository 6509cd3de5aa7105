"""What rules asked for in vain: remembered, and the replica that asked is opened again when it is linked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.store import awaited, inbox, links
from node.store.links import Link
from protocol.messages import Code
from tests.support.small_house import House, from_bob, small_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Open Alice's house."""
    async with small_house(tmp_path) as running:
        yield running


async def done_row(house: House) -> int:
    """Receive a replica of Bob's issue ``bob1``, and let it end as ignored."""
    row = await house.receive(from_bob(1))
    await house.store.write(lambda tx: inbox.finish(tx, row.id, Code.IGNORED, 1))
    return row.id


async def state(house: House, row_id: int) -> str:
    row = await house.store.read(lambda tx: inbox.get(tx, row_id))
    assert row is not None
    return row.state


async def link(house: House, twin: str) -> None:
    """Link an issue of ours with one of Bob's."""
    new = Link(
        connection_id=house.connection, issue_id=twin, issue_key="UD-9", handle=twin, twin=twin, created_ms=1
    )  # fmt: skip
    await house.store.write(lambda tx: links.insert(tx, new))


async def test_the_replica_that_asked_is_opened_again_once(house: House) -> None:
    """By handle or by key; a second arrival changes nothing; until it was looked at, something has come."""
    row = await done_row(house)
    await house.store.write(lambda tx: awaited.remember(tx, house.connection, "bob1", ["bob7", "SC-7"]))
    assert not await house.store.read(lambda tx: awaited.came(tx, house.connection, "bob1"))
    await house.store.write(lambda tx: awaited.arrived(tx, house.connection, ["bob8", None, "SC-7"]))
    assert await state(house, row) == inbox.NEW
    assert await house.store.read(lambda tx: awaited.came(tx, house.connection, "bob1"))
    await house.store.write(lambda tx: inbox.finish(tx, row, Code.APPLIED, 2))
    await house.store.write(lambda tx: awaited.arrived(tx, house.connection, ["SC-7"]))
    assert await state(house, row) == inbox.DONE


async def test_what_was_linked_in_between_is_not_missed(house: House) -> None:
    """The rules asked, then the other issue was linked, then the question is stored: it is looked at again at once."""
    row = await done_row(house)
    await link(house, "bob7")
    await house.store.write(lambda tx: awaited.remember(tx, house.connection, "bob1", ["bob7"]))
    assert await state(house, row) == inbox.NEW


async def test_a_held_replica_is_opened_and_a_newer_one_stays_the_newest(house: House) -> None:
    """Of several, only the newest says anything; one that is open already is left alone."""
    old = await done_row(house)
    newer = await house.receive(from_bob(2))
    await house.store.write(lambda tx: inbox.hold(tx, newer.id))
    await house.store.write(lambda tx: awaited.remember(tx, house.connection, "bob1", ["bob7"]))
    await house.store.write(lambda tx: awaited.arrived(tx, house.connection, ["bob7"]))
    assert (await state(house, old), await state(house, newer.id)) == (inbox.DONE, inbox.NEW)


async def test_forgotten_and_other_connections_wait_for_nothing(house: House) -> None:
    """What ended is not opened again, and a link on one connection says nothing on another."""
    row = await done_row(house)
    other = await house.connect("Alice_to_Carol")
    await house.store.write(lambda tx: awaited.remember(tx, house.connection, "bob1", ["bob7"]))
    await house.store.write(lambda tx: awaited.arrived(tx, other, ["bob7"]))
    assert await state(house, row) == inbox.DONE
    await house.store.write(lambda tx: awaited.forget(tx, house.connection, "bob1"))
    await house.store.write(lambda tx: awaited.arrived(tx, house.connection, ["bob7"]))
    assert await state(house, row) == inbox.DONE


async def test_a_closed_connection_waits_for_nothing(house: House) -> None:
    """Housekeeping forgets it, and only it."""
    other = await house.connect("Alice_to_Carol")
    for connection in (house.connection, other):
        await house.store.write(lambda tx, one=connection: awaited.remember(tx, one, "bob1", ["bob7"]))  # type: ignore[misc]  # bound early, on purpose
    await house.state("closed")
    await house.store.write(awaited.drop_of_closed_connections)
    assert [row["connection_id"] for row in await house.rows("awaited")] == [other]
