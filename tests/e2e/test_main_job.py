"""The main job, end to end: two Jiras, two nodes, a real code, and issues that stay in step in both directions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.two_nodes import Party, eventually, quiet, two_nodes


@pytest.fixture
async def parties(tmp_path: Path) -> AsyncIterator[tuple[Party, Party]]:
    async with two_nodes(tmp_path) as sides:
        yield sides


async def test_an_issue_arrives_whole(parties: tuple[Party, Party]) -> None:
    """Alice syncs an issue: Bob gets its summary, description, type, comment and file, with Alice's name on it."""
    alice, bob = parties
    key = await alice.create(summary="Hello", description="h1. World", issuetype={"name": "Bug"})
    await alice.person.comment(key, "A first word")
    await alice.person.attach(key, "notes.txt", b"some bytes")
    results = await alice.sync(key)
    assert results[0]["result"] == "queued"
    twin = await alice.twin(key)
    await quiet(alice, bob)
    fields = (await bob.issue(twin))["fields"]
    assert fields["summary"] == "Hello"
    assert fields["description"] == "h1. World"
    assert fields["issuetype"]["name"] == "Bug"
    assert "A first word" in fields["comment"]["comments"][0]["body"]
    assert "Alice" in fields["comment"]["comments"][0]["body"]
    assert [one["filename"] for one in fields["attachment"]] == ["notes.txt"]
    assert await alice.problems() == await bob.problems() == []
