"""What rules let in or out by themselves stays right around a restore: nothing enters twice, nothing is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.recipes import mappings, publish
from tests.support.restoring import back_up, put_back
from tests.support.two_nodes import Party, eventually, quiet

Parties = tuple[Party, Party]


async def _made(party: Party, *names: str) -> None:
    for name in names:
        await party.create(summary=f"{party.name} {name}")


async def _everywhere(parties: Parties, count: int) -> None:
    """Wait until both Jiras hold so many issues, each once and linked."""

    async def there() -> bool:
        found = [await party.call("GET", f"/api/v1/connections/{party.connection}/links") for party in parties]
        return all(len(one["links"]) >= count for one in found)

    await eventually(there, f"{count} issues are linked")
    await quiet(*parties)
    for party in parties:
        names = [one["fields"]["summary"] for one in (await party.person.every_issue()).values()]
        assert len(names) == len(set(names)) == count
        assert await party.problems() == []


@pytest.mark.parametrize("who", ["Alice", "Bob", "both"])
async def test_what_the_sync_made_does_not_enter_by_itself(parties: Parties, tmp_path: Path, who: str) -> None:
    """Both sides send everything by themselves: what the sync made after the backup never enters as an own issue."""
    alice, bob = parties
    victims = [party for party in parties if who in (party.name, "both")]
    for party in parties:
        await publish(party, outgoing=mappings("outgoing", "automatic", "summary"))
        await _made(party, "before")
    await _everywhere(parties, 2)
    backups = [await back_up(party, tmp_path) for party in victims]
    for party in parties:
        await _made(party, "after", "after that")
    await _everywhere(parties, 6)
    for party, backup in zip(victims, backups, strict=True):
        await party.stop()
        put_back(party, backup)
    for party in parties:
        await _made(party, "meanwhile")
    for party in victims:
        await party.start()
    await _everywhere(parties, 8)
    for party in parties:
        await _made(party, "in the end")
    await _everywhere(parties, 10)
    assert len(await alice.person.every_issue()) == len(await bob.person.every_issue()) == 10


@pytest.mark.parametrize("after", [False, True], ids=["known link", "lost link"])
async def test_what_a_jira_filled_in_overwrites_nothing(parties: Parties, tmp_path: Path, *, after: bool) -> None:
    """Alice sends only a summary and takes more: what Bob's Jira filled in does not come over hers after a restore."""
    alice, bob = parties
    more = ("labels", "priority")
    await publish(alice, outgoing=mappings("outgoing", "manual", "key", "summary"))
    await publish(alice, incoming=mappings("incoming", "automatic", "summary", *more))
    await publish(bob, outgoing=mappings("outgoing", "manual", "key", "summary", *more))
    backup = await back_up(bob, tmp_path) if after else None
    key = await alice.create(summary="hers", labels=["urgent"], priority={"name": "Highest"})
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(*parties)
    backup = backup or await back_up(bob, tmp_path)
    await alice.person.edit(key, {"summary": "hers again"})
    await quiet(*parties)
    await bob.stop()
    put_back(bob, backup)
    await bob.start()
    await quiet(*parties)
    await bob.person.comment(twin, "so that something is sent")
    await quiet(*parties)
    found = (await alice.issue(key))["fields"]
    assert (found["labels"], found["priority"]["name"], found["summary"]) == (["urgent"], "Highest", "hers again")
    await bob.person.edit(twin, {"labels": ["his"]})
    await quiet(*parties)
    assert (await alice.issue(key))["fields"]["labels"] == ["his"]
    assert len(await bob.person.every_issue()) == 1


async def _link_ids(party: Party, key: str) -> list[str]:
    return [one["id"] for one in (await party.issue(key))["fields"]["issuelinks"]]


@pytest.mark.parametrize("who", ["Alice", "Bob"])
async def test_a_link_between_issues_stays_its_makers(parties: Parties, tmp_path: Path, who: str) -> None:
    """Alice links two issues after the backup: after either restore Bob's copy is still a copy, and goes with hers."""
    alice, bob = parties
    for party in parties:
        await publish(party, outgoing=mappings("outgoing", "manual", "key", "summary", "links"))
        await publish(party, incoming=mappings("incoming", "automatic", "summary", "links"))
    keys = [await alice.create(summary=name) for name in ("one", "two")]
    await alice.sync(*keys)
    twins = [await alice.twin(key) for key in keys]
    await quiet(*parties)
    victim = alice if who == "Alice" else bob
    backup = await back_up(victim, tmp_path)
    body = {"type": {"name": "Blocks"}, "inwardIssue": {"key": keys[0]}, "outwardIssue": {"key": keys[1]}}
    await alice.person.call("POST", "/rest/api/2/issueLink", json=body)
    await quiet(*parties)
    assert len(await _link_ids(bob, twins[0])) == 1
    await victim.stop()
    put_back(victim, backup)
    await victim.start()
    await quiet(*parties)
    (made,) = await _link_ids(alice, keys[0])
    assert len(await _link_ids(bob, twins[0])) == 1
    await alice.person.call("DELETE", f"/rest/api/2/issueLink/{made}")
    await quiet(*parties)
    assert await _link_ids(alice, keys[0]) == await _link_ids(bob, twins[0]) == []
    assert await alice.problems() == await bob.problems() == []
