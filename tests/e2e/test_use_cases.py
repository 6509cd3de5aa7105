"""The five use cases of the guide, with the recipes of docs/rules.md, between real nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.recipes import left, mappings, publish, recipe
from tests.support.two_nodes import Party, add_party, connected, eventually, quiet, settings

Parties = tuple[Party, Party]
Three = tuple[Party, Party, Party]


async def links(party: Party) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await party.call("GET", f"/api/v1/connections/{party.connection}/links"))["links"]
    return found


async def fields(party: Party, key: str) -> dict[str, Any]:
    found: dict[str, Any] = (await party.issue(key))["fields"]
    return found


async def arrived(party: Party, summary: str) -> str:
    """Wait until an issue with this summary is in a side's project; return its key. Rules may keep keys at home."""

    async def there() -> str | None:
        every = await party.person.every_issue()
        return next((key for key, one in every.items() if one["fields"]["summary"] == summary), None)

    return str(await eventually(there, f"{summary!r} arrived at {party.name}"))


async def move(party: Party, key: str, status: str) -> None:
    """Move an issue to a status in one transition, as a person does."""
    path = f"/rest/api/2/issue/{key}/transitions"
    offered = (await party.person.call("GET", path))["transitions"]
    [chosen] = [one["id"] for one in offered if one["to"]["name"] == status]
    await party.person.call("POST", path, json={"transition": {"id": chosen}})


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[Three]:
    """Run Alice, Bob and Carol; Alice is connected with both."""
    async with AsyncExitStack() as stack:
        alice = await add_party(stack, tmp_path, "Alice", "UD", "Alice_to_Bob", sync=settings())
        bob = await add_party(stack, tmp_path, "Bob", "SC", "Bob_to_Alice", sync=settings())
        carol = await add_party(stack, tmp_path, "Carol", "CA", "Carol_to_Alice", sync=settings())
        for side in (alice, bob, carol):
            await side.start()
            stack.push_async_callback(side.stop)
        for side in (bob, carol):
            invited = await alice.call("POST", "/api/v1/invitations", {"peer": side.name, "project": alice.project})
            await side.call("POST", "/api/v1/connections", {"code": invited["code"], "project": side.project})
        for side in (alice, replace(alice, connection="Alice_to_Carol"), bob, carol):
            await connected(side)
        yield alice, bob, carol


async def test_support_and_development_with_private_notes_kept_back(parties: Parties) -> None:
    """Support's private notes never leave; development's status comes back in the words of support."""
    support, development = parties
    outgoing, incoming = recipe("Support and development", {"Open": "To Do", "Doing": "In Review"})
    await publish(support, outgoing=outgoing, incoming=incoming)
    await publish(development, outgoing=mappings("outgoing", "manual", "status", "comments"))
    key = await support.create(summary="It is broken", description="Since Monday", priority={"name": "High"})
    await support.person.comment(key, "We are looking at it")
    private = {"body": "The customer is angry", "visibility": {"type": "role", "value": "Developers"}}
    await support.admin.call("POST", f"/rest/api/2/issue/{key}/comment", json=private)
    await support.sync(key)
    twin = await arrived(development, "It is broken")
    await quiet(*parties)
    assert [body.partition("\n")[2] for body in await development.comments(twin)] == ["We are looking at it"]
    assert (await fields(development, twin))["summary"] == "It is broken"
    await move(development, twin, "In Progress")
    await development.person.comment(twin, "Found it")
    await quiet(*parties)
    assert (await fields(support, key))["status"]["name"] == "In Review"
    assert (await support.comments(key))[-1].endswith("Found it")
    await development.person.edit(twin, {"summary": "NullPointerException"})
    await quiet(*parties)
    assert (await fields(support, key))["summary"] == "It is broken"
    assert "angry" not in await left(support)
    assert await support.problems() == await development.problems() == []


async def test_marketing_to_design_one_way_by_label(parties: Parties) -> None:
    """A label sends the issue by itself; without it nothing leaves; what design does never comes back."""
    marketing, design = parties
    outgoing, incoming = recipe("Marketing to design")
    await publish(marketing, outgoing=outgoing, incoming=incoming)
    other = await marketing.create(summary="Not for design")
    key = await marketing.create(summary="A poster", labels=["design"], duedate="2030-05-01")
    twin = await arrived(design, "A poster")
    await quiet(*parties)
    assert (await fields(design, twin))["summary"] == "A poster"
    await design.person.edit(twin, {"summary": "Poster, A1"})
    await design.person.comment(twin, "Which colours?")
    await quiet(*parties)
    assert (await fields(marketing, key))["summary"] == "A poster"
    assert await marketing.comments(key) == []
    await marketing.person.edit(other, {"labels": ["design"]})
    await arrived(design, "Not for design")
    await quiet(*parties)
    assert len(await links(marketing)) == len(await links(design)) == 2
    assert await marketing.problems() == await design.problems() == []


async def test_several_suppliers_never_see_each_others_data(three: Three) -> None:
    """Each supplier gets the issues with its label, in its own words, and nothing that the other one wrote."""
    alice, red, blue = three
    to_blue = replace(alice, connection="Alice_to_Carol")
    for side, label, high in ((alice, "supplier-red", "1"), (to_blue, "supplier-blue", "critical")):
        [outgoing] = recipe(
            "Several suppliers", {"supplier-red": label, "custom.Severity": "priority", "1": high, "2": f"not {high}"}
        )
        await publish(side, outgoing=outgoing)
    for side, high in ((red, "1"), (blue, "critical")):
        values = f'\n[[step]]\nsource = "severity"\ntarget = "priority"\n\n[step.values]\n"{high}" = "Highest"\n'
        await publish(
            side,
            incoming=mappings("incoming", "automatic", "summary", "comments") + values,
            outgoing=mappings("outgoing", "manual", "summary", "comments"),
        )
    await alice.create(summary="For red", labels=["supplier-red"], priority={"name": "High"})
    both = await alice.create(summary="For both", labels=["supplier-red", "supplier-blue"], priority={"name": "High"})
    at_red, at_blue = await arrived(red, "For both"), await arrived(blue, "For both")
    await arrived(red, "For red")
    await quiet(*three)
    assert len(await links(red)) == 2
    assert len(await links(blue)) == 1
    for side, twin in ((red, at_red), (blue, at_blue)):
        assert (await fields(side, twin))["priority"]["name"] == "Highest"
    await red.person.comment(at_red, "The price is 12")
    await blue.person.comment(at_blue, "We need a week")
    await quiet(*three)
    assert sorted(body.partition("\n")[2] for body in await alice.comments(both)) == [
        "The price is 12", "We need a week",
    ]  # fmt: skip
    assert await red.comments(at_red) == ["The price is 12"]
    assert await blue.comments(at_blue) == ["We need a week"]
    for said, told in (("The price is 12", to_blue), ("We need a week", alice), ("For red", to_blue)):
        assert said not in await left(told)
    for name in ("1", "critical"):
        assert f'"severity":"{name}"' in await left(alice if name == "1" else to_blue)
    for side in three:
        assert await side.problems() == []


async def test_managed_services_with_a_contract_per_customer(three: Three) -> None:
    """Two customers, two contracts: the same word means another priority, and the right person is responsible."""
    provider, gold, plain = three
    to_plain = replace(provider, connection="Alice_to_Carol")
    [contract] = recipe(
        "Managed services", {"Low": "Lowest", "bob@green.example": "alice@example.com", "custom.Note": "environment"}
    )
    await publish(provider, incoming=contract)
    await publish(to_plain, incoming=contract.replace('"Gold" = "High"', '"Gold" = "Medium"').replace("alice@", "bob@"))
    steps = ("key", "summary", "description", "comments", "type>owner")
    for side in (gold, plain):
        level = (
            '\n[[step]]\nsource = "priority"\ntarget = "priority"\n\n[step.values]\n"High" = "Gold"\n"Low" = "Tin"\n'
        )
        await publish(side, outgoing=mappings("outgoing", "automatic", *steps) + level)
    found: dict[str, tuple[str, str]] = {}
    for side in (gold, plain):
        for level in ("High", "Low"):
            key = await side.create(summary=f"{side.name} {level}", priority={"name": level})
            there = await fields(provider, await side.twin(key))
            assert there["environment"] == key
            found[f"{side.name} {level}"] = (there["priority"]["name"], there["assignee"]["name"])
    assert found == {
        "Bob High": ("High", "alice"), "Bob Low": ("Lowest", "alice"),
        "Carol High": ("Medium", "bob"), "Carol Low": ("Lowest", "bob"),
    }  # fmt: skip
    await quiet(*three)
    for side in three:
        assert await side.problems() == []


async def test_a_newcomers_tickets_are_copied_to_a_mentor(parties: Parties) -> None:
    """Tickets of the newcomer go to the mentor by themselves; the mentor's comments come back and nothing else."""
    newcomer, mentor = parties
    outgoing, back = recipe("A newcomer's tickets", {"Alice Smith": "Alice Archer"})
    await publish(newcomer, outgoing=outgoing)
    await publish(mentor, outgoing=back)
    other = await newcomer.create(summary="Somebody else's", assignee={"name": "bob"})
    own = await mentor.create(summary="The mentor's own")
    key = await newcomer.create(summary="My first ticket", assignee={"name": "alice"})
    twin = await arrived(mentor, "My first ticket")
    await mentor.person.edit(twin, {"summary": "His first ticket"})
    await mentor.person.comment(twin, "Look at the log")
    await quiet(*parties)
    assert (await fields(newcomer, key))["summary"] == "My first ticket"
    assert [body.partition("\n")[2] for body in await newcomer.comments(key)] == ["Look at the log"]
    await newcomer.person.edit(other, {"assignee": {"name": "alice"}})
    await arrived(mentor, "Somebody else's")
    await quiet(*parties)
    assert {link["key"] for link in await links(newcomer)} == {key, other}
    assert own not in {link["key"] for link in await links(mentor)}
    assert await newcomer.problems() == await mentor.problems() == []


async def test_what_the_sync_makes_does_not_enter_sync_again(parties: Parties) -> None:
    """Both sides send everything by themselves: each new issue has exactly one twin, however the webhooks arrive."""
    rules = mappings("outgoing", "automatic", "summary")
    for side in parties:
        await publish(side, outgoing=rules)
    for number in range(4):
        for side in parties:
            await side.create(summary=f"{side.name} {number}")

    async def linked() -> bool:
        return len(await links(parties[0])) >= 8

    await eventually(linked, "all eight are linked")
    await quiet(*parties)
    for side in parties:
        ours = {key: one for key, one in (await side.person.every_issue()).items() if key.startswith(side.project)}
        assert len(ours) == len(await links(side)) == len({one["fields"]["summary"] for one in ours.values()}) == 8
        assert await side.problems() == []


async def test_disabled_rules_move_nothing(parties: Parties) -> None:
    """With outgoing disabled nothing leaves, not even of a linked issue; with incoming disabled nothing is written."""
    alice, bob = parties
    key = await alice.create(summary="One")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(*parties)
    await publish(alice, outgoing=mappings("outgoing", "disabled", "summary"))
    await alice.person.edit(key, {"summary": "Two"})
    [result] = await alice.sync(await alice.create(summary="Other"))
    await quiet(*parties)
    assert (result["result"], result["text"]) == ("skipped", "Outgoing sync is disabled on this connection.")
    assert (await fields(bob, twin))["summary"] == "One"
    await publish(alice, outgoing=mappings("outgoing", "manual", "summary"))
    await publish(bob, incoming=mappings("incoming", "disabled", "summary"))
    await alice.person.edit(key, {"summary": "Three"})
    await quiet(*parties)
    assert (await fields(bob, twin))["summary"] == "One"
    assert await alice.problems() == await bob.problems() == []
