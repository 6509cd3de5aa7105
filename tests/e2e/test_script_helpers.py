"""What scripts promise, between two nodes: people in custom fields, logged time, parents, and links."""

from __future__ import annotations

from typing import Any

from node.sandbox.seed import create_field
from tests.support.recipes import left, mappings, publish
from tests.support.two_nodes import Party, quiet

Parties = tuple[Party, Party]


def script(direction: str, source: str) -> str:
    """Return a rules file of one script."""
    method = "manual" if direction == "outgoing" else "automatic"
    return (
        f"direction = \"{direction}\"\nmethod = \"{method}\"\n\n[[step]]\nname = \"S\"\nscript = '''\n{source}\n'''\n"
    )


def field(party: Party, name: str, kind: str) -> str:
    """Add a custom field to a side's Jira; return its id."""
    return create_field(party.sandbox.world, name, kind).id


async def log_time(party: Party, key: str, comment: str, **more: Any) -> str:
    """Log an hour as the side's person; return the worklog's id."""
    body = {"timeSpentSeconds": 3600, "comment": comment, "started": "2026-11-20T09:00:00.000+0000", **more}
    made = await party.person.call("POST", f"/rest/api/2/issue/{key}/worklog", json=body)
    return str(made["id"])


async def worklogs(party: Party, key: str) -> list[tuple[int, str]]:
    """Return seconds and comment of an issue's worklogs, without the mark that the sync leaves."""
    found = (await party.person.call("GET", f"/rest/api/2/issue/{key}/worklog"))["worklogs"]
    return [(one["timeSpentSeconds"], one["comment"].partition("\n{anchor")[0]) for one in found]


async def test_people_in_custom_fields_travel_by_name(parties: Parties) -> None:
    """One and several users: names leave, no ids and addresses; the other side finds its own users by them."""
    alice, bob = parties
    owner, watchers = field(alice, "Owner", "user"), field(alice, "Team", "multiuser")
    keeper, crew = field(bob, "Keeper", "user"), field(bob, "Crew", "multiuser")
    await publish(
        alice,
        outgoing=script(
            "outgoing",
            "replica.summary = issue.summary\n"
            'replica.custom["Owner"] = issue.custom["Owner"]\n'
            'replica.custom["Team"] = [one for one in issue.custom["Team"] or [] if one.display_name != "Bob Brown"]',
        ),
    )
    await publish(
        bob,
        outgoing=script("outgoing", "replica.key = issue.key"),
        incoming=script(
            "incoming",
            "issue.summary = replica.summary\n"
            'issue.custom["Keeper"] = users.by_name(replica.custom["Owner"])\n'
            'issue.custom["Crew"] = [users.by_name(name) for name in replica.custom["Team"]]\n'
            'if issue.custom["Keeper"]:\n    issue.environment = issue.custom["Keeper"].display_name',
        ),
    )
    people = {one.name: one for one in alice.sandbox.world.site.users.values()}
    key = await alice.create(
        summary="Who", **{owner: {"name": "alice"}, watchers: [{"name": "alice"}, {"name": "bob"}, {"name": "admin"}]}
    )
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(*parties)
    fields = (await bob.issue(twin))["fields"]
    assert fields[keeper]["name"] == "alice"
    names = {people[one["name"]].name for one in fields[crew]}
    assert names >= {"alice", "admin"}
    assert fields["environment"] == people["alice"].display_name
    sent = await left(alice)
    assert people["alice"].display_name in sent
    assert people["alice"].email not in sent
    assert '"alice"' not in sent
    assert await alice.problems() == await bob.problems() == []


async def test_logged_time_by_script(parties: Parties) -> None:
    """Time is copied with its author's name, edited and removed with the original, and never comes back."""
    alice, bob = parties
    share = "replica.key = issue.key\nreplica.summary = issue.summary\nreplica.worklogs = issue.worklogs"
    take = (
        "issue.summary = replica.summary\n"
        "def text(w):\n    return None if w.comment == 'secret' else f'{w.author}: {w.comment}'\n"
        "issue.worklogs = worklogs.merge(issue, replica, text=text)"
    )
    for party in parties:
        await publish(party, outgoing=script("outgoing", share), incoming=script("incoming", take))
    key = await alice.create(summary="Time")
    first = await log_time(alice, key, "dug")
    await log_time(alice, key, "secret")
    restricted = {"visibility": {"type": "role", "value": "Administrators"}}
    await alice.admin.call(
        "POST", f"/rest/api/2/issue/{key}/worklog", json={"timeSpentSeconds": 60, "comment": "hidden", **restricted}
    )
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(*parties)
    name = alice.sandbox.world.user_named("alice")
    assert name is not None
    assert await worklogs(bob, twin) == [(3600, f"{name.display_name}: dug")]
    assert "hidden" not in await left(alice)
    await log_time(bob, twin, "filled in")
    await quiet(*parties)
    assert [one for one in await worklogs(alice, key) if "filled in" in one[1]]
    assert len(await worklogs(alice, key)) == 3
    body = {"timeSpentSeconds": 7200, "comment": "dug deeper"}
    await alice.person.call("PUT", f"/rest/api/2/issue/{key}/worklog/{first}", json=body)
    await quiet(*parties)
    assert sorted(await worklogs(bob, twin)) == [(3600, "filled in"), (7200, f"{name.display_name}: dug deeper")]
    await alice.person.call("DELETE", f"/rest/api/2/issue/{key}/worklog/{first}")
    await quiet(*parties)
    assert await worklogs(bob, twin) == [(3600, "filled in")]
    assert await alice.problems() == await bob.problems() == []


SHARE_PARENT = (
    "replica.key = issue.key\nreplica.summary = issue.summary\nreplica.type = issue.type\n"
    "replica.parent_key = issue.parent_key\nreplica.custom['after'] = issue.environment"
)
WAIT = """
parent = sync.local_key(replica.parent_key)
if replica.parent_key and not parent:
    skip("its parent is not here yet")
issue.summary = replica.summary
issue.type = jira.issue_type(replica.type) or "Task"
issue.parent_key = parent
"""


async def family(alice: Party) -> tuple[str, str]:
    """Create an issue and its sub-task at Alice's."""
    parent = await alice.create(summary="The parent")
    child = await alice.create(
        summary="The child", issuetype={"name": "Sub-task"}, parent={"key": parent}, environment=parent
    )
    return parent, child


async def is_child(bob: Party, child: str, parent: str) -> bool:
    """Tell whether an issue of Bob's is a sub-task of another."""
    fields = (await bob.issue(child))["fields"]
    return bool(fields["issuetype"]["subtask"]) and fields.get("parent", {}).get("key") == parent


async def test_a_sub_task_that_comes_first_waits_for_its_parent(parties: Parties) -> None:
    """A script that skips it is asked again by itself when the parent is linked, and then it is a sub-task."""
    alice, bob = parties
    await publish(alice, outgoing=script("outgoing", SHARE_PARENT))
    await publish(bob, incoming=script("incoming", WAIT), outgoing=script("outgoing", "replica.key = issue.key"))
    parent, child = await family(alice)
    await alice.sync(child)
    await quiet(*parties)
    assert not [key for key in await bob.person.every_issue() if key.startswith("SC-")]
    await alice.sync(parent)
    there = await alice.twin(child)
    await quiet(*parties)
    assert await is_child(bob, there, await alice.twin(parent))
    assert await alice.problems() == await bob.problems() == []
    assert not await bob.store.fetch_all("SELECT * FROM awaited")


async def test_an_issue_held_for_its_parent_goes_on_by_itself(parties: Parties) -> None:
    """A mapping that reports an error holds the sub-task; the parent's link releases it, and the error is gone."""
    alice, bob = parties
    await publish(alice, outgoing=script("outgoing", SHARE_PARENT))
    await publish(
        bob,
        incoming=mappings("incoming", "automatic", "summary", "type", "parent_key") + 'otherwise = "error"\n',
        outgoing=script("outgoing", "replica.key = issue.key"),
    )
    parent, child = await family(alice)
    await alice.sync(child)
    await quiet(*parties)
    (problem,) = await bob.problems()
    assert "not linked on this connection" in problem["message"]
    await alice.sync(parent)
    there = await alice.twin(child)
    await quiet(*parties)
    assert await is_child(bob, there, await alice.twin(parent))
    assert await bob.problems() == []


async def test_an_issue_is_brought_up_to_date_when_the_other_is_linked(parties: Parties) -> None:
    """What was applied without it is looked at again, once, and what people here changed meanwhile stays."""
    alice, bob = parties
    take = "issue.summary = replica.summary\nissue.environment = sync.local_key(replica.custom['after'])"
    await publish(alice, outgoing=script("outgoing", SHARE_PARENT))
    await publish(bob, incoming=script("incoming", take), outgoing=script("outgoing", "replica.key = issue.key"))
    parent, _ = await family(alice)
    first = await alice.create(summary="First", environment=parent)
    second = await alice.create(summary="Second", environment=parent)
    await alice.sync(first, second)
    twins = [await alice.twin(key) for key in (first, second)]
    await quiet(*parties)
    await bob.person.edit(twins[1], {"environment": "Bob's own", "summary": "Bob's too"})
    await quiet(*parties)
    await alice.sync(parent)
    found = await alice.twin(parent)
    await quiet(*parties)
    fields = [(await bob.issue(key))["fields"] for key in twins]
    assert fields[0]["environment"] == found
    assert (fields[1]["summary"], fields[1]["environment"]) == ("Bob's too", "Bob's own")
    assert len(await bob.events(twins[0], "applied")) == 2
    assert await alice.problems() == await bob.problems() == []


async def test_an_issue_that_a_person_skipped_does_not_come_back(parties: Parties) -> None:
    """To skip means to give up: the parent's link does not bring it in."""
    alice, bob = parties
    await publish(alice, outgoing=script("outgoing", SHARE_PARENT))
    await publish(bob, incoming=script("incoming", WAIT.replace("skip(", "error(")))
    parent, child = await family(alice)
    await alice.sync(child)
    await quiet(*parties)
    (problem,) = await bob.problems()
    await bob.call("POST", "/api/v1/errors/skip", {"ids": [problem["id"]]})
    await alice.sync(parent)
    await quiet(*parties)
    assert len([key for key in await bob.person.every_issue() if key.startswith("SC-")]) == 1
