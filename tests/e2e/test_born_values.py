"""What a Jira fills in when the sync makes an issue is no wish of its people and overwrites nothing at the peer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.recipes import mappings, publish
from tests.support.two_nodes import Party, quiet

Parties = tuple[Party, Party]

SCRIPT = """
[[step]]
name = "more"
script = '''
replica.labels = issue.labels
replica.priority = issue.priority
'''
"""


async def fields(party: Party, key: str) -> dict[str, Any]:
    found: dict[str, Any] = (await party.issue(key))["fields"]
    return {
        "labels": found["labels"],
        "priority": found["priority"]["name"],
        "summary": found["summary"],
        "due": found["duedate"],
    }


@pytest.mark.parametrize("how", ["mappings", "script"])
async def test_values_that_the_peer_never_gave_do_not_come_back(parties: Parties, how: str) -> None:
    """Alice sends a summary and takes labels and priority: hers stay until somebody at Bob's changes his."""
    alice, bob = parties
    more = ("labels", "priority", "due")
    sent = mappings("outgoing", "manual", "key", "summary", *more)
    if how == "script":
        sent = mappings("outgoing", "manual", "key", "summary", "due") + SCRIPT
    await publish(alice, outgoing=mappings("outgoing", "manual", "key", "summary"))
    await publish(alice, incoming=mappings("incoming", "automatic", "summary", *more))
    await publish(bob, outgoing=sent, incoming=mappings("incoming", "automatic", "summary"))
    key = await alice.create(summary="hers", labels=["urgent"], priority={"name": "Highest"}, duedate="2030-01-02")
    await alice.sync(key)
    await quiet(alice, bob)
    hers = {"labels": ["urgent"], "priority": "Highest", "summary": "hers", "due": "2030-01-02"}
    assert await fields(alice, key) == hers
    twin = await alice.twin(key)
    await bob.person.edit(twin, {"summary": "his"})
    await quiet(alice, bob)
    assert await fields(alice, key) == {**hers, "summary": "his"}
    await bob.person.edit(twin, {"labels": ["from-bob"], "priority": {"name": "Low"}, "duedate": "2031-01-01"})
    await quiet(alice, bob)
    wanted = {"labels": ["from-bob"], "priority": "Low", "summary": "his", "due": "2031-01-01"}
    assert await fields(alice, key) == wanted
    assert await alice.problems() == await bob.problems() == []
