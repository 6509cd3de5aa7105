"""The five use cases of the guide, with the recipes of docs/rules.md, between real nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from node.cli import accord
from node.sandbox.seed import create_project, create_user
from tests.support.recipes import left, mappings, publish, recipe
from tests.support.two_nodes import Party, add_party, connected, eventually, quiet, settings
from tests.support.use_cases import (
    EVERYTHING,
    TRACES,
    everything_changes,
    field_of,
    furnish_customer,
    furnish_newcomer,
    furnish_provider,
    furnish_support,
    move,
)

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


def check_by_hand(party: Party, folder: Path) -> str:
    """Run the check as a person would and return what it says."""
    command = ["--dir", str(party.folder.root), "rules", "check", party.connection, f"--folder={folder}"]
    done = CliRunner().invoke(accord, command)
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.output


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
    furnish_support(support)
    outgoing, incoming, answering = recipe("Support and development")
    await publish(support, outgoing=outgoing, incoming=incoming)
    await publish(development, outgoing=answering)
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
    assert (await fields(support, key))["status"]["name"] == "Doing"
    assert (await support.comments(key))[-1].endswith("Found it")
    await development.person.edit(twin, {"summary": "NullPointerException"})
    await quiet(*parties)
    assert (await fields(support, key))["summary"] == "It is broken"
    await move(development, twin, "Done", {"resolution": {"name": "Won't Do"}})
    await quiet(*parties)
    there = await fields(support, key)
    assert (there["status"]["name"], there["resolution"]["name"]) == ("Done", "Won't Do")
    own = await development.create(summary="A task of development's own")
    await development.sync(own)
    await quiet(*parties)
    assert set(await support.person.every_issue()) == {key}
    assert "angry" not in await left(support)
    assert await support.problems() == await development.problems() == []


async def test_marketing_to_design_one_way_by_label(parties: Parties) -> None:
    """A label sends the issue by itself; design owns it from then on, and what design does never comes back."""
    marketing, design = parties
    outgoing, incoming, taking = recipe("Marketing to design")
    await publish(marketing, outgoing=outgoing, incoming=incoming)
    await publish(design, incoming=taking)
    other = await marketing.create(summary="Not for design")
    key = await marketing.create(summary="A poster", description="Red", labels=["design"], duedate="2030-05-01")
    twin = await arrived(design, "A poster")
    await quiet(*parties)
    its = await fields(design, twin)
    assert (its["summary"], its["description"], its["duedate"]) == ("A poster", "Red", "2030-05-01")
    await design.person.edit(twin, {"summary": "Poster, A1", "duedate": "2030-06-01"})
    await design.person.comment(twin, "Which colours?")
    await quiet(*parties)
    assert (await fields(marketing, key))["summary"] == "A poster"
    assert await marketing.comments(key) == []
    await marketing.person.edit(key, {"summary": "A flyer", "description": "Blue", "duedate": "2030-07-01"})
    await marketing.person.attach(key, "colours.txt", b"blue")
    await quiet(*parties)
    its = await fields(design, twin)
    assert (its["summary"], its["description"], its["duedate"]) == ("Poster, A1", "Red", "2030-06-01")
    assert [name for name, _ in await design.files(twin)] == ["colours.txt"]
    await marketing.person.edit(other, {"labels": ["design"]})
    await arrived(design, "Not for design")
    await quiet(*parties)
    assert len(await links(marketing)) == len(await links(design)) == 2
    assert await marketing.problems() == await design.problems() == []


async def test_several_suppliers_never_see_each_others_data(three: Three) -> None:
    """Each supplier gets the issues with its label, in its own words, and nothing that the other one wrote."""
    alice, red, blue = three
    to_blue = replace(alice, connection="Alice_to_Carol")
    furnish_customer(alice)
    swap = {"supplier-red": "supplier-blue", "custom.Red says": "custom.Blue says", "1": "critical", "2": "minor"}
    for direction, number in (("incoming", 1), ("outgoing", 0)):
        for side, changes in ((alice, {}), (to_blue, swap)):
            file = recipe("Several suppliers", changes)[number]
            assert (await publish(side, **{direction: file}))["findings"] == []
    for side, high in ((red, "1"), (blue, "critical")):
        values = f'\n[[step]]\nsource = "severity"\ntarget = "priority"\n\n[step.values]\n"{high}" = "Highest"\n'
        await publish(
            side,
            incoming=mappings("incoming", "automatic", "summary", "comments") + values,
            outgoing=mappings("outgoing", "manual", *EVERYTHING),
        )
    severity = {field_of(alice, "Severity"): {"value": "High"}}
    await alice.create(summary="For red", labels=["supplier-red"], **severity)
    both = await alice.create(summary="For both", labels=["supplier-red", "supplier-blue"], **severity)
    at_red, at_blue = await arrived(red, "For both"), await arrived(blue, "For both")
    await arrived(red, "For red")
    await quiet(*three)
    assert len(await links(red)) == 2
    assert len(await links(blue)) == 1
    for side, twin in ((red, at_red), (blue, at_blue)):
        assert (await fields(side, twin))["priority"]["name"] == "Highest"
    await blue.person.comment(at_blue, "We need a week")
    await move(blue, at_blue, "Done", {"resolution": {"name": "Done"}})
    await everything_changes(red, at_red)
    await quiet(*three)
    ours = await fields(alice, both)
    assert ours[field_of(alice, "Red says")] == "In Progress"
    assert ours[field_of(alice, "Blue says")] == "Done"
    assert sorted(body.partition("\n")[2] for body in await alice.comments(both)) == [
        "Crimson comment", "We need a week",
    ]  # fmt: skip
    assert [name for name, _ in await alice.files(both)] == ["crimson.txt"]
    assert ours["summary"] == "For both"
    to_others = await left(to_blue)
    for trace in TRACES:
        assert trace in await left(red), trace  # it was sent to the customer: there was something to keep back
        assert trace not in to_others, trace
    for trace in ("Crimson", "In Progress"):
        assert trace.casefold() not in str(await blue.issue(at_blue)).casefold()
    assert await blue.comments(at_blue) == ["We need a week"]
    assert await blue.files(at_blue) == []
    for said, told in (("We need a week", alice), ("For red", to_blue)):
        assert said not in await left(told)
    for name in ("1", "critical"):
        assert f'"severity":"{name}"' in await left(alice if name == "1" else to_blue)
    for side in three:
        assert await side.problems() == []


async def test_rules_by_which_suppliers_would_see_each_other_are_doubted(three: Three) -> None:
    """Whichever of them is published last; not where no issue can be on both connections."""
    alice, _, _ = three
    to_blue = replace(alice, connection="Alice_to_Carol")
    furnish_customer(alice)
    outgoing, _ = recipe("Several suppliers")
    [doubt] = (await publish(to_blue, outgoing=outgoing))["findings"]
    assert doubt["severity"] == "warning"
    assert doubt["message"].startswith("What comes in on Alice_to_Bob into 'summary' leaves here too")
    basic = mappings("incoming", "automatic", "type", "summary", "description", "comments", "attachments")
    [doubt] = (await publish(alice, incoming=basic))["findings"]
    assert doubt["message"].startswith("What the other side sends into 'summary' leaves on Alice_to_Carol too")
    create_project(alice.sandbox.world, "OP", "Operations")
    elsewhere = outgoing.replace('project = ["UD"]', 'project = ["OP"]')
    await publish(to_blue, outgoing=elsewhere)
    [doubt] = (await publish(alice, incoming=basic.replace('"automatic"', '"manual"')))["findings"]
    assert "Alice_to_Carol" in doubt["message"]  # issues of the connection's own project may still be on both
    script = """direction = "outgoing"\n[[step]]\nname = "S"\nscript = "replica.summary = issue.summary"\n"""
    [doubt] = (await publish(to_blue, outgoing=script))["findings"]
    assert doubt["message"].startswith("What comes in on Alice_to_Bob into 'summary' may leave here too")
    disabled = outgoing.replace('"automatic"', '"disabled"')
    assert (await publish(to_blue, outgoing=disabled))["findings"] == []
    assert (await publish(alice, incoming=basic))["findings"] == []


async def test_managed_services_with_a_contract_per_customer(three: Three) -> None:
    """Two customers, two contracts: the same word means another priority, and the right person is responsible."""
    provider, gold, plain = three
    to_plain = replace(provider, connection="Alice_to_Carol")
    furnish_provider(provider)
    contract, sending = recipe("Managed services")
    await publish(provider, incoming=contract)
    swap = {"Gold": "Gold", "High": "Medium", "bob@green.example": "alice@example.com"}
    [other, _] = recipe("Managed services", swap)
    await publish(to_plain, incoming=other)
    for side in (gold, plain):
        await publish(side, outgoing=sending)
        create_user(side.sandbox.world, "known", "Ada Lovelace")
        create_user(side.sandbox.world, "stranger", "Nobody There")
    found: dict[str, tuple[str, str]] = {}
    for side in (gold, plain):
        for level, owner in (("High", None), ("Low", "known"), ("High", "stranger")):
            fresh = await side.create(
                summary=f"{side.name} {level} {owner}",
                priority={"name": level},
                assignee={"name": owner} if owner else None,
            )
            there = await fields(provider, await side.twin(fresh))
            assert there[field_of(provider, "Note")] == fresh
            found[f"{side.name} {level} {owner}"] = (there["priority"]["name"], there["assignee"]["name"])
    assert found == {
        "Bob High None": ("High", "triage"), "Bob Low known": ("Low", "ada"), "Bob High stranger": ("High", "triage"),
        "Carol High None": ("Medium", "alice"), "Carol Low known": ("Low", "ada"),
        "Carol High stranger": ("Medium", "alice"),
    }  # fmt: skip
    await quiet(*three)
    for side in three:
        assert await side.problems() == []


async def test_a_newcomers_tickets_are_copied_to_a_mentor(parties: Parties) -> None:
    """Tickets of the newcomer go to the mentor by themselves; the mentor's comments come back and nothing else."""
    newcomer, mentor = parties
    furnish_newcomer(newcomer)
    outgoing, back = recipe("A newcomer's tickets")
    await publish(newcomer, outgoing=outgoing)
    await publish(mentor, outgoing=back)
    other = await newcomer.create(summary="Somebody else's", assignee={"name": "bob"})
    own = await mentor.create(summary="The mentor's own")
    key = await newcomer.create(summary="My first ticket", assignee={"name": "newcomer"})
    twin = await arrived(mentor, "My first ticket")
    await mentor.person.edit(twin, {"summary": "His first ticket"})
    await mentor.person.comment(twin, "Look at the log")
    await quiet(*parties)
    assert (await fields(newcomer, key))["summary"] == "My first ticket"
    assert [body.partition("\n")[2] for body in await newcomer.comments(key)] == ["Look at the log"]
    await newcomer.person.edit(other, {"assignee": {"name": "newcomer"}})
    await arrived(mentor, "Somebody else's")
    await quiet(*parties)
    assert {link["key"] for link in await links(newcomer)} == {key, other}
    assert own not in {link["key"] for link in await links(mentor)}
    assert await newcomer.problems() == await mentor.problems() == []


RECIPES: dict[str, Callable[[Party], None]] = {
    "Support and development": furnish_support,
    "Marketing to design": lambda _party: None,
    "Several suppliers": furnish_customer,
    "Managed services": furnish_provider,
    "A newcomer's tickets": furnish_newcomer,
}


async def test_the_check_has_nothing_to_say_about_any_recipe(parties: Parties, tmp_path: Path) -> None:
    """Each printed file, exactly as it stands on the page, in a Jira that has what it names."""
    alice, _ = parties
    checked = 0
    for title, furnish in RECIPES.items():
        furnish(alice)
        for number, text in enumerate(recipe(title), start=1):
            direction = "incoming" if 'direction = "incoming"' in text else "outgoing"
            folder = tmp_path / f"{title} {number}"
            (folder / alice.connection).mkdir(parents=True)
            (folder / alice.connection / f"{direction}.toml").write_text(text, "utf-8")
            said = await asyncio.to_thread(check_by_hand, alice, folder)
            assert said == "These rules can be published.\n", f"{title}, file {number}: {said}"
            checked += 1
    assert checked == 12


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
