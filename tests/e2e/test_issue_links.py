"""Links between issues: followed by the other side, each side's own never touched by the other."""

from __future__ import annotations

from typing import Any

import pytest

from node.rules.cases import read_case, run_case
from node.rules.ruleset import MappingStep, RuleSet
from tests.support.dying import Death, restarted_with
from tests.support.recipes import left, mappings, publish
from tests.support.two_nodes import Party, eventually, quiet

Parties = tuple[Party, Party]
Links = list[tuple[str, str, str]]

SHARE = mappings("outgoing", "manual", "key", "summary", "links")
TAKE = mappings("incoming", "automatic", "summary", "links")


async def link(party: Party, source: str, other: str, kind: str = "Blocks") -> None:
    """Let the side's person say that ``source`` blocks ``other``."""
    body = {"type": {"name": kind}, "inwardIssue": {"key": source}, "outwardIssue": {"key": other}}
    await party.person.call("POST", "/rest/api/2/issueLink", json=body)


async def raw_links(party: Party, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await party.issue(key))["fields"]["issuelinks"]
    return found


async def linked(party: Party, key: str) -> Links:
    """Return an issue's links as (type, phrase, other key), sorted."""
    found = []
    for one in await raw_links(party, key):
        side = "outward" if "outwardIssue" in one else "inward"
        found.append((one["type"]["name"], one["type"][side], one[f"{side}Issue"]["key"]))
    return sorted(found)


async def unlink(party: Party, key: str, other: str) -> None:
    """Let the side's person remove the link between two issues."""
    [number] = [
        one["id"] for one in await raw_links(party, key)
        if other in {one.get(side, {}).get("key") for side in ("outwardIssue", "inwardIssue")}
    ]  # fmt: skip
    await party.person.call("DELETE", f"/rest/api/2/issueLink/{number}")


def calls(party: Party, method: str) -> int:
    """Return how often a side's Jira was asked to make or remove a link."""
    routes = {"POST": "POST /rest/api/2/issueLink", "DELETE": "DELETE /rest/api/2/issueLink/{link}"}
    return party.sandbox.calls.by_route().get(routes[method], 0)


@pytest.fixture
async def sharing(parties: Parties) -> Parties:
    """Both sides share links and take them, by mappings."""
    for party in parties:
        await publish(party, outgoing=SHARE, incoming=TAKE)
    return parties


async def pair_of(alice: Party, bob: Party) -> tuple[str, str, str, str]:
    """Bring two issues of Alice's into sync, of which the first blocks the second; return both and their twins."""
    first, second = await alice.create(summary="First"), await alice.create(summary="Second")
    await link(alice, first, second)
    await alice.sync(first, second)
    twins = await alice.twin(first), await alice.twin(second)
    await quiet(alice, bob)
    return first, second, *twins


async def test_a_link_is_followed_in_its_direction(sharing: Parties) -> None:
    """Made with the issues, later, and removed; one call makes it, and nothing comes back as if it were new."""
    alice, bob = sharing
    first, second, one, two = await pair_of(alice, bob)
    assert await linked(bob, one) == [("Blocks", "blocks", two)]
    assert await linked(bob, two) == [("Blocks", "is blocked by", one)]
    assert calls(bob, "POST") == 1
    await link(alice, second, first, "Relates")
    await quiet(*sharing)
    assert ("Relates", "relates to", one) in await linked(bob, two)
    await unlink_all(alice, first)
    await quiet(*sharing)
    assert await linked(bob, one) == await linked(bob, two) == []
    assert calls(alice, "POST") == 2
    assert calls(alice, "DELETE") == 2
    assert await alice.problems() == await bob.problems() == []


async def test_a_recorded_case_knows_which_links_may_leave(sharing: Parties) -> None:
    """It runs without a Jira and a database, and fails where links are not shared any more."""
    alice, bob = sharing
    first, _, _, _ = await pair_of(alice, bob)
    path = f"/api/v1/connections/{alice.connection}/rules/record"
    recorded = await alice.call("POST", path, {"key": first, "direction": "outgoing"})
    case = read_case(recorded["text"])
    steps = tuple(MappingStep(source=name, target=name) for name in ("key", "summary", "links"))
    assert await run_case(case, RuleSet(direction="outgoing", steps=steps))
    assert "links" in str(await run_case(case, RuleSet(direction="outgoing", steps=steps[:2])))


async def unlink_all(party: Party, key: str) -> None:
    """Let the side's person remove every link of an issue."""
    for one in await raw_links(party, key):
        await party.person.call("DELETE", f"/rest/api/2/issueLink/{one['id']}")


async def test_a_link_to_an_issue_that_is_not_in_sync_waits(sharing: Parties) -> None:
    """Nothing of the other issue leaves; once it is in sync, the link is made, in whatever order the issues come."""
    alice, bob = sharing
    first = await alice.create(summary="First")
    hidden = await alice.create(summary="A secret plan")
    await link(alice, first, hidden)
    await alice.sync(first)
    one = await alice.twin(first)
    await quiet(*sharing)
    assert await linked(bob, one) == []
    for said in (hidden, "secret", "Blocks"):
        assert said not in await left(alice)
    rules = f"/api/v1/connections/{alice.connection}/rules"
    [seen] = (await alice.call("POST", f"{rules}/preview/outgoing", {"keys": [first]}))["previews"]
    assert seen["payload"]["replica"]["fields"]["links"] == []
    await alice.sync(hidden)
    two = await alice.twin(hidden)
    await quiet(*sharing)
    rules = f"/api/v1/connections/{bob.connection}/rules"
    [seen] = (await bob.call("POST", f"{rules}/preview/incoming", {"key": two}))["previews"]
    [shown] = seen["payload"]["links"]
    assert (shown["type"], shown["outward"], shown["here"]) == ("Blocks", False, one)
    assert await linked(bob, one) == [("Blocks", "blocks", two)]
    assert await alice.problems() == await bob.problems() == []


async def test_many_issues_at_once_get_all_their_links(sharing: Parties) -> None:
    """A ring of issues is sent in one go, and applied side by side: no link is lost and none is there twice."""
    alice, bob = sharing
    keys = [await alice.create(summary=f"Number {number}") for number in range(6)]
    for at, key in enumerate(keys):
        await link(alice, key, keys[(at + 1) % len(keys)])
    await alice.sync(*keys)
    twins = [await alice.twin(key) for key in keys]
    await quiet(*sharing)
    for at, twin in enumerate(twins):
        following, before = twins[(at + 1) % len(twins)], twins[at - 1]
        assert await linked(bob, twin) == [("Blocks", "blocks", following), ("Blocks", "is blocked by", before)]
    assert not await bob.store.fetch_all("SELECT * FROM awaited")
    assert await alice.problems() == await bob.problems() == []


async def test_links_of_people_are_theirs(sharing: Parties) -> None:
    """Bob's own links stay when Alice removes hers, and the same link of both is neither doubled nor taken over."""
    alice, bob = sharing
    first, second, one, two = await pair_of(alice, bob)
    private = await bob.create(summary="Bob's private issue")
    await link(bob, one, private, "Relates")
    third = await alice.create(summary="Third")
    await alice.sync(third)
    three = await alice.twin(third)
    await link(bob, two, three)
    await quiet(*sharing)
    assert ("Blocks", "blocks", third) in await linked(alice, second)
    await unlink(alice, first, second)
    await quiet(*sharing)
    assert await linked(bob, one) == [("Relates", "relates to", private)]
    assert await linked(bob, two) == [("Blocks", "blocks", three)]
    assert private not in await left(bob)
    await unlink(alice, second, third)
    await alice.person.edit(second, {"summary": "Second, again"})
    await quiet(*sharing)
    assert await linked(bob, two) == [("Blocks", "blocks", three)]
    assert await linked(alice, second) == []
    assert await alice.problems() == await bob.problems() == []


async def test_a_copy_that_people_removed_stays_away(sharing: Parties) -> None:
    """Until the link is removed and made anew where it came from; the origin is not touched by it."""
    alice, bob = sharing
    first, second, one, two = await pair_of(alice, bob)
    await unlink(bob, one, two)
    await alice.person.edit(first, {"summary": "First, again"})
    await alice.person.edit(second, {"summary": "Second, again"})
    await quiet(*sharing)
    assert await linked(bob, one) == []
    assert await linked(alice, first) == [("Blocks", "blocks", second)]
    await unlink(alice, first, second)
    await quiet(*sharing)
    await link(alice, first, second)
    await quiet(*sharing)
    assert await linked(bob, one) == [("Blocks", "blocks", two)]
    assert await alice.problems() == await bob.problems() == []


async def test_types_are_called_otherwise_here(sharing: Parties) -> None:
    """A type that Bob's Jira lacks is an error on that issue with the way out; a map in a script or mapping is one."""
    alice, bob = sharing
    kind = next(one for one in alice.sandbox.world.site.link_types.values() if one.name == "Blocks")
    kind.name, kind.outward, kind.inward = "Dependency", "is needed by", "needs"
    first, second = await alice.create(summary="First"), await alice.create(summary="Second")
    await link(alice, first, second, "Dependency")
    await alice.sync(first)
    await alice.twin(first)
    await alice.sync(second)
    await quiet(*sharing)
    [problem] = await bob.problems()
    assert "Dependency" in problem["message"]
    assert "types" in problem["advice"]
    await publish(bob, incoming=TAKE + '\n[step.values]\n"Dependency" = "Blocks"\n')
    await bob.call("POST", "/api/v1/errors/retry", {"ids": [problem["id"]]})
    two = await alice.twin(second)
    await quiet(*sharing)
    assert [name for name, _, _ in await linked(bob, two)] == ["Blocks"]
    source = (
        "direction = 'incoming'\nmethod = 'automatic'\n\n[[step]]\nname = 'L'\nscript = \"\"\"\n"
        "issue.links = links.merge(issue, replica, types={'Dependency': 'Relates'})\n\"\"\"\n"
    )
    await publish(bob, incoming=source)
    await alice.person.edit(second, {"summary": "Second, again"})
    await quiet(*sharing)
    assert [name for name, _, _ in await linked(bob, two)] == ["Relates"]
    assert await bob.problems() == []


@pytest.mark.parametrize(("place", "nth"), [("intent stored", 2), ("call made", 1), ("result stored", 1)])
async def test_a_node_that_dies_knows_its_links_again(sharing: Parties, place: str, nth: int) -> None:
    """The link is there once, and known as a copy: it follows when the original is removed, and never goes back."""
    alice, bob = sharing
    first, second = await alice.create(summary="First"), await alice.create(summary="Second")
    await alice.sync(first, second)
    one, two = await alice.twin(first), await alice.twin(second)
    await quiet(*sharing)
    death = Death(place, 1 if place == "intent stored" else nth)
    await restarted_with(bob, death)
    await link(alice, first, second)

    async def dead() -> bool:
        return death.happened.is_set()

    await eventually(dead, "Bob's node died")
    await bob.stop()
    await bob.start()
    await quiet(*sharing)
    assert await linked(bob, one) == [("Blocks", "blocks", two)]
    await unlink(alice, first, second)
    await quiet(*sharing)
    assert await linked(bob, one) == []
    assert await linked(alice, first) == []
    assert calls(alice, "POST") == 1
    assert await alice.problems() == await bob.problems() == []
