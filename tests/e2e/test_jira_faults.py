"""A Jira or a peer that misbehaves: what was asked happens once, later, or is said; nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from node.clock import SystemClock
from node.sandbox.faults import FaultKind
from tests.support.dying import assert_in_step
from tests.support.two_nodes import Party, eventually, quiet, two_nodes

Parties = tuple[Party, Party]


class Hasty(SystemClock):
    """The machine's clock in a hurry: back-off is a hundred times shorter, whatever has to be waited for."""

    @override
    def jitter(self) -> float:
        """Return the least."""
        return 0.0


@pytest.fixture
async def hasty(tmp_path: Path) -> AsyncIterator[Parties]:
    """Run both sides with the shortest waits between tries."""
    async with two_nodes(tmp_path, clock=Hasty()) as sides:
        yield sides


async def _arrives_whole(alice: Party, bob: Party) -> str:
    """Sync an issue with two comments and two files, and compare."""
    key = await alice.create(summary="Precious", description="cargo")
    for text in ("one", "two"):
        await alice.person.comment(key, text)
    for file in ("a.bin", "b.bin"):
        await alice.person.attach(key, file, file.encode() * 1000)
    await alice.sync(key)
    await alice.twin(key)
    await quiet(alice, bob)
    found = await assert_in_step(alice, bob)
    assert (len(found["comments"]), len(found["files"])) == (2, 2)
    return key


@pytest.mark.parametrize("kind", ["wrong_shape", "not_json", "cut_after"])
async def test_an_edit_that_something_else_answers_is_made_again(hasty: Parties, kind: FaultKind) -> None:
    """A success that Jira would not give is no success: the edit of the issue and of a comment arrive all the same."""
    alice, bob = hasty
    key = await alice.create(summary="before")
    written = await alice.person.comment(key, "before")
    await alice.sync(key)
    await alice.twin(key)
    await quiet(alice, bob)
    bob.sandbox.faults.add(kind, "/issue/{issue}", method="PUT")
    bob.sandbox.faults.add(kind, "/issue/{issue}/comment/{comment}", method="PUT")
    await alice.person.edit(key, {"summary": "after"})
    await alice.person.edit_comment(key, written, "after")
    await quiet(alice, bob)
    assert (await assert_in_step(alice, bob))["summary"] == "after"
    assert await alice.comments(key) == ["after"]


@pytest.mark.parametrize("kind", ["cut_after", "error_after", "cut_before", "error", "too_many", "not_json"])
@pytest.mark.parametrize("path", ["/issue", "/issue/{issue}/comment", "/issue/{issue}/attachments"])
async def test_a_write_that_fails_or_seems_to(hasty: Parties, kind: FaultKind, path: str) -> None:
    """Creating the issue, a comment or files fails once, before or after it took effect: all is there once."""
    alice, bob = hasty
    fault = bob.sandbox.faults.add(kind, path, method="POST", status=500, seconds=1.0 if kind == "too_many" else 0)
    await _arrives_whole(alice, bob)
    assert fault.happened == 1


@pytest.mark.parametrize(("kind", "more"), [("wrong_shape", {}), ("oversized", {"bytes": 80_000_000})])
async def test_nonsense_for_an_answer(hasty: Parties, kind: FaultKind, more: dict[str, Any]) -> None:
    """Answers of the wrong shape or size, to reads and writes: the node goes on, and all is there once."""
    alice, bob = hasty
    fault = bob.sandbox.faults.add(kind, "/issue", method="POST", **more)
    key = await _arrives_whole(alice, bob)
    assert fault.happened == 1
    alice.sandbox.faults.add(kind, "/issue/{issue}", method="GET", **more)
    [waiting] = await alice.sync(key)
    assert (waiting["result"], "Jira" in waiting["text"]) == ("waits", True)
    assert (await alice.sync(key))[0]["result"] == "unchanged"


async def test_jira_down_for_a_while(hasty: Parties) -> None:
    """Bob's Jira answers 500 for a while: changes wait, people are told, and later all is there once."""
    alice, bob = hasty
    key = await _arrives_whole(alice, bob)
    fault = bob.sandbox.faults.add("error", "*", count=None, status=500)
    await alice.person.edit(key, {"summary": "while it was down"})
    await alice.person.comment(key, "three")

    async def told() -> bool:
        return any("500" in problem["message"] for problem in await bob.problems())

    await eventually(told, "Bob's people are told")
    assert fault.happened >= 3
    bob.sandbox.faults.clear()
    await quiet(alice, bob)
    found = await assert_in_step(alice, bob)
    assert (found["summary"], found["comments"]) == ("while it was down", ["one", "three", "two"])


async def test_the_own_jira_down_for_a_while(hasty: Parties) -> None:
    """Alice's Jira reports a file and then answers 500: the file arrives once it answers again."""
    alice, bob = hasty
    key = await _arrives_whole(alice, bob)
    fault = alice.sandbox.faults.add("error", "/secure/*", count=2, status=500)
    await alice.person.attach(key, "c.bin", b"ccc")
    await eventually(lambda: _files(bob, 3), "the third file arrives")
    assert fault.happened == 2
    await quiet(alice, bob)
    await assert_in_step(alice, bob)


async def _files(party: Party, count: int) -> bool:
    return any(len(one["fields"]["attachment"]) == count for one in (await party.person.every_issue()).values())


async def test_a_peer_that_is_down_for_a_while(parties: Parties) -> None:
    """Bob's node is away: messages wait, across a restart of Alice's, and one message says the newest."""
    alice, bob = parties
    key = await _arrives_whole(alice, bob)
    await bob.stop()
    await alice.person.edit(key, {"summary": "one"})

    async def failed() -> Any:
        rows = await alice.store.fetch_all("SELECT attempts, due_ms FROM peer WHERE attempts > 0")
        return rows[0]["attempts"] if rows else None

    attempts = await eventually(failed, "Alice's node has tried in vain")
    await alice.stop()
    await alice.start()
    assert (await failed() or 0) >= attempts, "the back-off was forgotten"
    await alice.person.edit(key, {"summary": "two"})
    waiting = (await alice.call("GET", "/api/v1/queue"))["connections"][0]["outgoing"]
    assert waiting["queued"] + waiting["sealed"] >= 1
    await bob.start()
    await quiet(alice, bob)
    assert (await assert_in_step(alice, bob))["summary"] == "two"


async def test_one_sick_issue_does_not_keep_the_others_waiting(hasty: Parties) -> None:
    """Jira fails for ever to hand out a file of one issue: the others go on arriving meanwhile."""
    alice, bob = hasty
    sick = await alice.create(summary="sick")
    well = await alice.create(summary="well")
    await alice.sync(sick, well)
    twin = await alice.twin(well)
    await alice.twin(sick)
    await quiet(alice, bob)
    alice.sandbox.faults.add("error", "/secure/*", count=None, status=500)
    await alice.person.attach(sick, "never.bin", b"never")
    for number in range(5):
        await alice.person.edit(well, {"summary": f"well {number}"})

        async def arrived(number: int = number) -> bool:
            return bool((await bob.issue(twin))["fields"]["summary"] == f"well {number}")

        await eventually(arrived, f"edit {number} arrives", deadline=5)
