"""Versions and components that rules need and our Jira lacks: made when the draft is applied, where it is allowed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from click.testing import CliRunner, Result

from node.admin.client import NodeSaidNo
from node.cli import accord
from tests.support.dying import Death, restarted_with
from tests.support.recipes import mappings, publish
from tests.support.two_nodes import Party, eventually, quiet, there

Parties = tuple[Party, Party]

OUTGOING = mappings("outgoing", "manual", "summary", "fix_versions", "components")
INCOMING = '''direction = "incoming"
method = "automatic"

[[step]]
name = "Names"
script = """
issue.summary = replica.summary
issue.fix_versions = versions.all(replica.fix_versions, create=True)
issue.components = components.all(replica.components, create=True)
"""
'''


async def names(party: Party, what: str) -> list[str]:
    found = await party.person.call("GET", f"/rest/api/2/project/{party.project}/{what}")
    return [one["name"] for one in found]


async def add_version(party: Party, name: str) -> None:
    body = {"name": name, "project": party.project}
    await party.admin.call("POST", "/rest/api/2/version", json=body)


async def allow(party: Party, *kinds: str, action: str = "allow") -> dict[str, Any]:
    path = f"/api/v1/connections/{party.connection}/{action}"
    shown: dict[str, Any] = await party.call("POST", path, {"kinds": list(kinds)})
    return shown


async def fix_versions(party: Party, key: str) -> list[str]:
    return [one["name"] for one in (await party.issue(key))["fields"]["fixVersions"]]


def made(party: Party, what: str = "version") -> int:
    return party.sandbox.calls.by_route().get(f"POST /rest/api/2/{what}", 0)


@pytest.fixture
async def alice_has_versions(parties: Parties) -> Parties:
    """Alice's project has two versions and a component, Bob's has none; their rules carry the names."""
    alice, bob = parties
    for name in ("1.0", "2.0"):
        await add_version(alice, name)
    await alice.admin.call("POST", "/rest/api/2/component", json={"name": "Core", "project": alice.project})
    await publish(alice, outgoing=OUTGOING)
    await publish(bob, incoming=INCOMING)
    return parties


async def test_versions_and_components_are_made_where_it_is_allowed(alice_has_versions: Parties) -> None:
    """With a new issue and with an edit; each is made once, and the history says so."""
    alice, bob = alice_has_versions
    assert (await allow(bob, "components", "versions"))["may_create"] == ["versions", "components"]
    key = await alice.create(fixVersions=[{"name": "1.0"}], components=[{"name": "Core"}])
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(*alice_has_versions)
    assert (await names(bob, "versions"), await names(bob, "components")) == (["1.0"], ["Core"])
    assert await fix_versions(bob, twin) == ["1.0"]
    assert (await bob.events(twin, "applied"))[0]["created"] == ["versions: 1.0", "components: Core"]
    await alice.person.edit(key, {"fixVersions": [{"name": "1.0"}, {"name": "2.0"}]})
    await quiet(*alice_has_versions)
    assert await fix_versions(bob, twin) == ["1.0", "2.0"]
    assert (made(bob), made(bob, "component")) == (2, 1)
    other = await alice.create(summary="Another", fixVersions=[{"name": "2.0"}])
    await alice.sync(other)
    assert await fix_versions(bob, await alice.twin(other)) == ["2.0"]
    await quiet(*alice_has_versions)
    assert made(bob) == 2
    assert await alice.problems() == await bob.problems() == []


async def test_without_leave_the_issue_is_held_and_goes_on_once_it_is_given(alice_has_versions: Parties) -> None:
    """The error is the issue's alone and names the command; what was allowed can be taken back."""
    alice, bob = alice_has_versions
    key = await alice.create(fixVersions=[{"name": "1.0"}])
    await alice.sync(key)
    await quiet(*alice_has_versions)
    (problem,) = await bob.problems()
    assert "The version '1.0' does not exist in project SC" in problem["message"]
    assert "accord connections allow Bob_to_Alice versions" in problem["advice"]
    assert made(bob) == 0
    await allow(bob, "versions")
    await bob.call("POST", "/api/v1/errors/retry", {"ids": [problem["id"]]})
    assert await fix_versions(bob, await alice.twin(key)) == ["1.0"]
    await quiet(*alice_has_versions)
    assert (await allow(bob, "versions", action="forbid"))["may_create"] == []
    await alice.person.edit(key, {"fixVersions": [{"name": "2.0"}]})
    await quiet(*alice_has_versions)
    assert [one["issue_key"] for one in await bob.problems()] == [await alice.twin(key)]


async def test_a_preview_a_comparison_and_a_case_make_nothing(alice_has_versions: Parties) -> None:
    """They show what would be created, and Bob's Jira is asked to create nothing by any of them."""
    alice, bob = alice_has_versions
    key = await alice.create(fixVersions=[{"name": "1.0"}])
    await alice.sync(key)
    await quiet(*alice_has_versions)
    await allow(bob, "versions")
    rules = f"/api/v1/connections/{bob.connection}/rules"
    ours = bob.writes()
    replica = {"issue": "x", "key": None, "fields": {"summary": "S", "fix_versions": ["1.0"]}}
    (shown,) = (await bob.call("POST", f"{rules}/preview/incoming", {"replica": replica}))["previews"]
    assert shown["creates"] == [{"kind": "versions", "name": "1.0", "project": "SC", "field": ""}]
    assert shown["payload"]["fields"]["fix_versions"] == ["1.0"]
    await bob.call("POST", f"{rules}/check", {"files": {"incoming": INCOMING}})
    assert (bob.writes(), made(bob), await names(bob, "versions")) == (ours, 0, [])
    (problem,) = await bob.problems()
    await bob.call("POST", "/api/v1/errors/retry", {"ids": [problem["id"]]})
    twin = await alice.twin(key)
    await quiet(*alice_has_versions)
    other = INCOMING.replace("versions.all(replica.fix_versions,", "versions.all(['9.9'],")
    body = {"direction": "incoming", "text": other}
    assert await bob.call("POST", f"{rules}/compare", body)
    await bob.call("POST", f"{rules}/record", {"key": twin, "direction": "incoming"})
    assert (made(bob), await names(bob, "versions")) == (1, ["1.0"])


async def test_our_jira_may_refuse_and_the_other_fields_still_arrive(alice_has_versions: Parties) -> None:
    """The sync user may not administer the project: the version is held with the permission to give, no more."""
    alice, bob = alice_has_versions
    await allow(bob, "versions")
    key = await alice.create(summary="Before")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(*alice_has_versions)
    user = there(bob.sandbox.world.user_named("accord"))
    user.denied.append("ADMINISTER_PROJECTS")
    await alice.person.edit(key, {"summary": "After", "fixVersions": [{"name": "1.0"}]})
    await quiet(*alice_has_versions)
    assert (await bob.issue(twin))["fields"]["summary"] == "After"
    (problem,) = await bob.problems()
    assert "'Administer Projects' in SC" in problem["advice"]
    checks = (await bob.call("GET", "/api/v1/check"))["findings"]
    assert "Administer Projects" in next(one["text"] for one in checks if one["what"] == "project SC")
    new = await alice.create(summary="New", fixVersions=[{"name": "2.0"}])
    await alice.sync(new)
    await quiet(*alice_has_versions)
    assert len(await bob.problems()) == 2
    user.denied.remove("ADMINISTER_PROJECTS")
    await bob.call("POST", "/api/v1/errors/retry", {"ids": None})
    assert await fix_versions(bob, await alice.twin(new)) == ["2.0"]
    await quiet(*alice_has_versions)
    assert await fix_versions(bob, twin) == ["1.0"]
    assert await bob.problems() == []


@pytest.mark.parametrize("place", ["intent stored", "name made", "issue created", "before settling"])
async def test_a_node_that_dies_makes_a_version_once(alice_has_versions: Parties, place: str) -> None:
    """It is found by its name after the restart; nothing is lost and nothing is there twice."""
    alice, bob = alice_has_versions
    await allow(bob, "versions", "components")
    death = Death(place)
    await restarted_with(bob, death)
    key = await alice.create(fixVersions=[{"name": "1.0"}], components=[{"name": "Core"}])
    await alice.sync(key)

    async def dead() -> bool:
        return death.happened.is_set()

    await eventually(dead, "Bob's node died")
    await bob.stop()
    await bob.start()
    twin = await alice.twin(key)
    await quiet(*alice_has_versions)
    assert (await names(bob, "versions"), await names(bob, "components")) == (["1.0"], ["Core"])
    assert await fix_versions(bob, twin) == ["1.0"]
    assert len([one for one in await bob.person.every_issue() if one.startswith("SC-")]) == 1
    assert await bob.problems() == []


async def test_people_allow_and_forbid_on_the_command_line(parties: Parties) -> None:
    """The list shows it; options are refused on Data Center with the reason; a kind that is none is wrong usage."""
    _, bob = parties

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, accord, ["--dir", str(bob.folder.root), *words])

    done = await run("connections", "allow", "Bob_to_Alice", "components", "versions")
    assert "may create in our Jira: versions, components." in done.output
    assert "versions" in (await run("connections")).output
    done = await run("connections", "forbid", "Bob_to_Alice", "versions", "components")
    assert "may create in our Jira: nothing." in done.output
    with pytest.raises(NodeSaidNo, match="no REST call that adds an option"):
        await allow(bob, "options")
    assert (await run("connections", "allow", "Bob_to_Alice", "projects")).exit_code == 2
    assert (await run("connections", "allow", "Nobody", "versions")).exit_code != 0
