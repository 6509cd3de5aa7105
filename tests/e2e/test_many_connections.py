"""Many connections on one node: each sees its own issues and comments, and nothing of the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.two_nodes import Party, add_party, connected, eventually, quiet, settings

Three = tuple[Party, Party, Party]


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[Three]:
    """Run Alice, Bob and Carol; Alice is connected with both."""
    async with AsyncExitStack() as stack:
        alice = await add_party(stack, tmp_path, "Alice", "UD", "Alice_to_Bob", sync=settings())
        bob = await add_party(stack, tmp_path, "Bob", "SC", "Bob_to_Alice", sync=settings())
        carol = await add_party(stack, tmp_path, "Carol", "CA", "Carol_to_Alice", sync=settings())
        for side in (alice, bob, carol):
            await side.start()
        for side in (bob, carol):
            invited = await alice.call("POST", "/api/v1/invitations", {"peer": side.name, "project": alice.project})
            await side.call("POST", "/api/v1/connections", {"code": invited["code"], "project": side.project})
        for side in (alice, replace(alice, connection="Alice_to_Carol"), bob, carol):
            await connected(side)
        yield alice, bob, carol


async def _both(alice: Party, key: str) -> tuple[str, str]:
    to_carol = replace(alice, connection="Alice_to_Carol")
    await alice.sync(key)
    await to_carol.sync(key)
    return await alice.twin(key), await to_carol.twin(key)


async def test_an_issue_on_two_connections(three: Three) -> None:
    """One issue of Alice's has a twin at Bob's and one at Carol's: a field edited anywhere arrives everywhere."""
    alice, bob, carol = three
    key = await alice.create(summary="shared by three")
    at_bob, at_carol = await _both(alice, key)
    await quiet(*three)
    for side, ref in ((bob, at_bob), (carol, at_carol), (alice, key)):
        await side.person.edit(ref, {"summary": f"by {side.name}"})
        await quiet(*three)
        await quiet(*three)
        for other, there in ((alice, key), (bob, at_bob), (carol, at_carol)):
            assert (await other.issue(there))["fields"]["summary"] == f"by {side.name}", other.name
    assert await alice.problems() == await bob.problems() == await carol.problems() == []


async def test_comments_and_files_do_not_reach_a_third_party(three: Three) -> None:
    """What Bob writes and attaches arrives at Alice's and never at Carol's; Alice's own goes to both."""
    alice, bob, carol = three
    key = await alice.create()
    at_bob, at_carol = await _both(alice, key)
    await quiet(*three)
    await bob.person.comment(at_bob, "between Bob and Alice")
    await bob.person.attach(at_bob, "offer.txt", b"our price")
    await quiet(*three)
    await alice.person.comment(key, "for both")
    await alice.person.attach(key, "plan.txt", b"the plan")
    await quiet(*three)
    assert await carol.comments(at_carol) == ["*Alice Archer* commented:\nfor both"]
    assert [name for name, _ in await carol.files(at_carol)] == ["plan.txt"]
    assert [name for name, _ in await alice.files(key)] == ["offer.txt", "plan.txt"]
    assert len(await alice.comments(key)) == 2
    assert await bob.comments(at_bob) == ["between Bob and Alice", "*Alice Archer* commented:\nfor both"]
    stored = await carol.store.fetch_all("SELECT payload FROM inbox")
    assert not any(b"our price" in row["payload"] or b"between Bob" in row["payload"] for row in stored)


async def test_each_connection_lists_its_own(three: Three) -> None:
    """Links, names and handles of one connection say nothing about the other."""
    alice, bob, carol = three
    to_carol = replace(alice, connection="Alice_to_Carol")
    for_bob, for_carol, for_both = [await alice.create(summary=text) for text in ("b", "c", "both")]
    await alice.sync(for_bob, for_both)
    await to_carol.sync(for_carol, for_both)
    for side, key in ((alice, for_bob), (alice, for_both), (to_carol, for_carol), (to_carol, for_both)):
        await side.twin(key)
    await quiet(*three)
    assert len(await bob.person.every_issue()) == len(await carol.person.every_issue()) == 2
    handles = await alice.store.fetch_all(
        "SELECT handle FROM link WHERE issue_key = :key ORDER BY connection_id", {"key": for_both}
    )
    assert handles[0]["handle"] != handles[1]["handle"]


async def test_one_connection_stops_without_the_others(three: Three) -> None:
    """Closing Bob's connection, or his node being down, does not touch what goes on with Carol."""
    alice, bob, carol = three
    key = await alice.create(summary="one")
    at_bob, at_carol = await _both(alice, key)
    await quiet(*three)
    await bob.stop()
    await alice.person.edit(key, {"summary": "two"})

    async def arrived(side: Party, ref: str, text: str) -> bool:
        return bool((await side.issue(ref))["fields"]["summary"] == text)

    await eventually(lambda: arrived(carol, at_carol, "two"), "Carol hears of it")
    await alice.call("POST", "/api/v1/connections/Alice_to_Bob/close", {})
    await alice.person.edit(key, {"summary": "three"})
    await eventually(lambda: arrived(carol, at_carol, "three"), "Carol hears of it after Bob's connection was closed")
    assert (await bob.issue(at_bob))["fields"]["summary"] == "one"
