"""Webhooks that do not come, or come wrong: sweeps keep both sides in step, and nothing old rolls anything back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from node.sandbox.calls import Call
from node.sandbox.faults import FaultKind
from tests.support.dying import assert_in_step, whole
from tests.support.two_nodes import Party, eventually, quiet, two_nodes

Parties = tuple[Party, Party]


@pytest.fixture
async def sweeping(tmp_path: Path) -> AsyncIterator[Parties]:
    """Run both sides without any webhook, with a sweep every 0.3 seconds."""
    async with two_nodes(tmp_path, webhooks="off", sweep=0.3) as sides:
        yield sides


async def _alike(alice: Party, key: str, bob: Party, twin: str, **expected: object) -> None:
    """Wait until both issues are alike and as expected."""

    async def same() -> bool:
        ours, theirs = await whole(alice, key), await whole(bob, twin)
        return ours == theirs and all(ours[name] == value for name, value in expected.items())

    await eventually(same, f"both issues are alike, with {expected}")


async def _sweep(party: Party) -> None:
    await party.call("POST", "/api/v1/sweep", {})


async def test_sweeps_alone_keep_both_sides_in_step(sweeping: Parties) -> None:
    """Without one webhook: fields, comments with edits and deletions, and files travel both ways."""
    alice, bob = sweeping
    key = await alice.create(summary="S", description="D")
    mine = await alice.person.comment(key, "one")
    await alice.sync(key)
    twin = await alice.twin(key)
    await _alike(alice, key, bob, twin, comments=["one"])
    await bob.person.edit(twin, {"summary": "by Bob", "issuetype": {"name": "Bug"}})
    await alice.person.edit(key, {"description": "by Alice"})
    await _alike(alice, key, bob, twin, summary="by Bob", description="by Alice", type="Bug")
    await alice.person.edit_comment(key, mine, "one, corrected")
    await bob.person.comment(twin, "two")
    await bob.person.attach(twin, "b.bin", b"b" * 5000)
    await _alike(alice, key, bob, twin, comments=["one, corrected", "two"])
    await alice.person.delete_comment(key, mine)
    await _alike(alice, key, bob, twin, comments=["two"])
    file = (await bob.issue(twin))["fields"]["attachment"][0]["id"]
    assert len((await whole(alice, key))["files"]) == 1
    await bob.person.call("DELETE", f"/rest/api/2/attachment/{file}")
    await _alike(alice, key, bob, twin, files=[])
    assert alice.sandbox.sender.counts.delivered == bob.sandbox.sender.counts.delivered == 0
    await assert_in_step(alice, bob)


async def test_a_conflict_without_webhooks_goes_to_the_inviter(tmp_path: Path) -> None:
    """Both change one field between two sweeps: both end with Alice's value, and the history holds both."""
    async with two_nodes(tmp_path, webhooks="off") as (alice, bob):
        key = await alice.create(summary="S", description="D")
        await alice.sync(key)
        twin = await alice.twin(key)
        await quiet(alice, bob)
        for side in (alice, bob):
            await _sweep(side)
        for first, second in ((alice, bob), (bob, alice)):
            await alice.person.edit(key, {"summary": f"Alice's, {first.name} sweeps first"})
            await bob.person.edit(twin, {"summary": "Bob's", "description": first.name})
            for side in (first, second, first):
                await _sweep(side)
                await quiet(alice, bob)
            await _alike(alice, key, bob, twin, summary=f"Alice's, {first.name} sweeps first", description=first.name)
        told = [*await alice.events(key, "conflict"), *await bob.events(twin, "conflict")]
        assert len(told) >= 2


async def test_an_edit_that_nobody_told_while_jira_was_out_of_reach_is_not_overwritten_unseen(
    parties: Parties,
) -> None:
    """Alice's Jira was out of reach, and so was her node for it: until a sweep, each issue is read before a write."""
    alice, bob = parties
    key, other = await alice.create(summary="before"), await alice.create()
    await alice.sync(key, other)
    twin, other_twin = await alice.twin(key), await alice.twin(other)
    await quiet(alice, bob)
    alice.sandbox.faults.add("cut_before", "/issue/{issue}", method="PUT")
    await bob.person.edit(other_twin, {"summary": "does not get through at once"})
    await quiet(alice, bob)
    alice.sandbox.faults.add("lose_webhook", "*")
    await alice.person.edit(key, {"summary": "Alice's"})
    await alice.sandbox.sender.drained()
    await bob.person.edit(twin, {"summary": "Bob's"})
    await quiet(alice, bob)
    await _sweep(alice)
    await quiet(alice, bob)
    await _alike(alice, key, bob, twin, summary="Alice's")
    assert await alice.events(key, "conflict")


async def test_idle_costs_one_search_a_sweep(sweeping: Parties) -> None:
    """When nothing happens a sweep is one search, and nothing is written."""
    alice, bob = sweeping
    key = await alice.create()
    await alice.sync(key)
    await _alike(alice, key, bob, await alice.twin(key))
    await quiet(alice, bob)
    for side in (alice, bob):
        await _sweep(side)
        await _sweep(side)
    await quiet(alice, bob)
    for side in (alice, bob):
        await side.stop()
        side.sandbox.calls.clear()
    settings = alice.folder.settings()
    slow = settings.sync.model_copy(update={"sweep": 300.0, "sweep_without_webhooks": 300.0})
    for side in (alice, bob):
        own = side.folder.settings()
        side.folder.write_settings(own.model_copy(update={"sync": slow}))
        await side.start()
    for side in (alice, bob):
        await eventually(partial(_swept, side), "the first sweep is over")
        side.sandbox.calls.clear()
        for _ in range(3):
            await _sweep(side)
        await quiet(side)
        assert side.writes() == 0
        assert side.sandbox.calls.by_route() == {"POST /rest/api/2/search": 3}


async def _swept(party: Party) -> bool:
    return (await party.call("GET", "/api/v1/node"))["last_sweep_ms"] is not None


@pytest.mark.parametrize("fault", ["lose_webhook", "repeat_webhook", "reorder_webhook"])
async def test_webhooks_that_come_wrong(tmp_path: Path, fault: FaultKind) -> None:
    """Lost, repeated and reordered webhooks: after a sweep both sides are alike, and nothing went back and forth."""
    async with two_nodes(tmp_path) as (alice, bob):
        key = await alice.create(summary="S", description="D")
        await alice.sync(key)
        twin = await alice.twin(key)
        await quiet(alice, bob)
        for side in (alice, bob):
            side.sandbox.faults.add(fault, count=None)
        for number in range(5):
            await alice.person.edit(key, {"summary": f"S{number}"})
            await bob.person.edit(twin, {"description": f"D{number}"})
            await alice.person.comment(key, f"c{number}")
        await quiet(alice, bob)
        for side in (alice, bob):
            side.sandbox.faults.clear()
        # The next event lets out a notice that was kept back.
        await alice.person.comment(key, "last")
        for _ in range(2):
            for side in (alice, bob):
                await _sweep(side)
            await quiet(alice, bob)
        await _alike(alice, key, bob, twin, summary="S4", description="D4")
        found = await assert_in_step(alice, bob)
        assert found["comments"] == ["c0", "c1", "c2", "c3", "c4", "last"]


async def test_a_stale_notice_rolls_nothing_back(tmp_path: Path) -> None:
    """A notice of before our own write comes after it: the value that we wrote stays on both sides."""
    async with two_nodes(tmp_path) as (alice, bob):
        key = await alice.create(summary="S", description="D")
        await alice.sync(key)
        twin = await alice.twin(key)
        await quiet(alice, bob)
        # Bob's Jira keeps back the notice of his comment; then Alice's new summary is written there.
        bob.sandbox.faults.add("reorder_webhook", "jira:issue_updated", count=1)
        await bob.person.comment(twin, "before the write")
        await alice.person.edit(key, {"summary": "from Alice"})

        async def written() -> bool:
            return bool((await bob.issue(twin))["fields"]["summary"] == "from Alice")

        await eventually(written, "Bob's issue has the new summary")
        await quiet(alice, bob)
        await asyncio.sleep(0.2)
        await quiet(alice, bob)
        await _alike(alice, key, bob, twin, summary="from Alice", comments=["before the write"])


async def test_calls_per_change(parties: Parties) -> None:
    """Both Jiras together: create 1, edit 1, comment 1, one file 2, and nothing else."""
    alice, bob = parties
    warm = await alice.create()
    await alice.sync(warm)
    await alice.twin(warm)
    await quiet(alice, bob)
    await bob.person.edit("SC-1", {"summary": "what Jira is asked only once is asked now"})
    await quiet(alice, bob)

    def count() -> dict[str, int]:
        made: dict[str, int] = {}
        for side in (alice, bob):
            for route, number in side.sandbox.calls.by_route().items():
                made[route] = made.get(route, 0) + number
            side.sandbox.calls.clear()
        return made

    async def calls(*, minus: str) -> dict[str, int]:
        """Return what the nodes called; ``minus`` is the one call of the person who made the change."""
        await quiet(alice, bob)
        made = count()
        made[minus] -= 1
        return {route: number for route, number in made.items() if number}

    issue = "/rest/api/2/issue/{issue}"
    key = await alice.create()
    count()
    alice.sandbox.calls.add(Call("POST", "/rest/api/2/issue", 201, "alice", ""))
    await alice.sync(key)
    twin = await alice.twin(key)
    made = await calls(minus="POST /rest/api/2/issue")
    assert made == {"POST /rest/api/2/issue": 1, f"GET {issue}": 1}, "one create, and one look at what is synced"
    for side, ref in ((alice, key), (bob, twin)):
        await side.person.edit(ref, {"summary": f"by {side.name}"})
        assert await calls(minus=f"PUT {issue}") == {f"PUT {issue}": 1}
        await side.person.comment(ref, f"by {side.name}")
        assert await calls(minus=f"POST {issue}/comment") == {f"POST {issue}/comment": 1}
        await side.person.attach(ref, f"{side.name}.txt", side.name.encode())
        made = await calls(minus=f"POST {issue}/attachments")
        assert sum(made.values()) == 2, made
        assert made[f"POST {issue}/attachments"] == 1
