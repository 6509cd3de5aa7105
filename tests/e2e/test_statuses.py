"""Statuses cross by mappings: in as many transitions as it takes, loudly where there is no way, and never half way."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.recipes import mappings, publish
from tests.support.two_nodes import Party, eventually, quiet

Parties = tuple[Party, Party]


async def status(party: Party, key: str) -> str:
    """Return an issue's status."""
    return str((await party.issue(key))["fields"]["status"]["name"])


async def move(party: Party, key: str, to: str, **fields: Any) -> None:
    """Move an issue to a status in one transition, as a person does."""
    path = f"/rest/api/2/issue/{key}/transitions"
    offered = (await party.person.call("GET", path))["transitions"]
    [chosen] = [one["id"] for one in offered if one["to"]["name"] == to]
    await party.person.call("POST", path, json={"transition": {"id": chosen}, "fields": fields})


async def shared(party: Party, *names: str) -> None:
    """Publish rules that carry these fields in both directions."""
    steps = ("summary", "status", *names)
    outgoing = mappings("outgoing", "manual", "key", *steps)
    await publish(party, outgoing=outgoing, incoming=mappings("incoming", "automatic", *steps))


@pytest.fixture
async def sides(parties: Parties) -> Parties:
    """Both sides share statuses."""
    for party in parties:
        await shared(party)
    return parties


async def synced(alice: Party, bob: Party, **fields: Any) -> tuple[str, str]:
    """Bring an issue of Alice's under sync; return its key and its twin's."""
    key = await alice.create(**fields)
    await alice.sync(key)
    await quiet(alice, bob)
    return key, await alice.twin(key)


async def test_a_new_issue_that_begins_where_it_should_is_not_moved(sides: Parties) -> None:
    """The workflow begins with the status that is wanted: nothing is tried, and nothing goes wrong."""
    alice, bob = sides
    _, twin = await synced(alice, bob)
    assert await status(bob, twin) == "To Do"
    assert bob.sandbox.calls.count("POST", "/rest/api/2/issue/{issue}/transitions") == 0
    assert await alice.problems() == await bob.problems() == []


async def test_a_status_that_asks_for_a_resolution_takes_the_one_of_the_rules(parties: Parties) -> None:
    """Done asks for a resolution in Bob's Jira: it goes with the transition, and both go back together."""
    alice, bob = parties
    for party in parties:
        await shared(party, "resolution")
    key, twin = await synced(alice, bob)
    await move(alice, key, "In Progress")
    await quiet(alice, bob)
    await move(alice, key, "Done", resolution={"name": "Won't Do"})
    await quiet(alice, bob)
    fields = (await bob.issue(twin))["fields"]
    assert (fields["status"]["name"], fields["resolution"]["name"]) == ("Done", "Won't Do")
    await move(bob, twin, "To Do")
    await quiet(alice, bob)
    fields = (await alice.issue(key))["fields"]
    assert (fields["status"]["name"], fields["resolution"]) == ("To Do", None)
    assert await alice.problems() == await bob.problems() == []


async def test_a_status_whose_screen_asks_for_more_is_told_and_changes_nothing(sides: Parties) -> None:
    """Bob's rules give no resolution: the error says which transition asks for it, and Alice's status stays."""
    alice, bob = sides
    key, twin = await synced(alice, bob)
    await move(alice, key, "In Progress")
    await quiet(alice, bob)
    await move(alice, key, "Done", resolution={"name": "Done"})
    await alice.person.edit(key, {"summary": "the rest arrives"})
    await quiet(alice, bob)
    [problem] = await bob.problems()
    assert "asks for resolution" in problem["message"]
    assert twin in problem["message"]
    assert "set resolution" in problem["advice"]
    assert await status(bob, twin) == "In Progress"
    assert await status(alice, key) == "Done"
    assert (await bob.issue(twin))["fields"]["summary"] == "the rest arrives"
    await shared(alice, "resolution")
    await shared(bob, "resolution")
    await alice.person.edit(key, {"summary": "with a resolution now"})
    await eventually(lambda: _is(bob, twin, "Done"), "the status arrives once the rules give a resolution")
    await quiet(alice, bob)
    assert await bob.problems() == []


async def test_a_known_workflow_costs_one_call_a_transition(sides: Parties) -> None:
    """The second issue that goes the same way is moved without a question."""
    alice, bob = sides
    for _ in range(2):
        key, twin = await synced(alice, bob)
        before = bob.sandbox.calls.count(user="accord")
        await move(alice, key, "In Progress")
        await quiet(alice, bob)
        assert await status(bob, twin) == "In Progress"
    assert bob.sandbox.calls.count(user="accord") == before + 1


async def test_a_field_that_jira_will_not_take_does_not_keep_the_others_out(sides: Parties) -> None:
    """Bob's rules make a text longer than his Jira takes: the summary arrives, and the error names the description."""
    alice, bob = sides
    key, twin = await synced(alice, bob, summary="old")
    twice = "issue.description = replica.description and replica.description * 2"
    incoming = mappings("incoming", "automatic", "summary") + f"\n[[step]]\nname = 'twice'\nscript = '{twice}'\n"
    await publish(bob, incoming=incoming)
    await publish(alice, outgoing=mappings("outgoing", "manual", "key", "summary", "description"))
    await alice.person.edit(key, {"summary": "new", "description": "long" * 5_000})
    await quiet(alice, bob)
    [problem] = await bob.problems()
    assert "description" in problem["message"]
    assert f"change {twin}" in problem["message"]
    fields = (await bob.issue(twin))["fields"]
    assert (fields["summary"], fields["description"]) == ("new", None)


async def _is(party: Party, key: str, wanted: str) -> bool:
    return await status(party, key) == wanted
