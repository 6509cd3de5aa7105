"""Values and comments that our Jira would bend or show to the wrong people, between real nodes."""

from __future__ import annotations

from node.sandbox.seed import create_field
from tests.support.recipes import mappings, publish
from tests.support.two_nodes import Party, quiet, there

Parties = tuple[Party, Party]

_PLACES = {"Europe": ["Berlin", "Paris"], "Asia": ["Tokyo"]}


def _script(source: str) -> str:
    return f"\n[[step]]\nname = \"A script\"\nscript = '''\n{source}\n'''\n"


async def _problem(party: Party) -> str:
    [problem] = await party.problems()
    return f"{problem['message']} {problem['advice']}"


async def test_internal_comments_stay_out_of_a_project_that_shows_everything(parties: Parties) -> None:
    """The comment is refused with words and the rest is written; for a role, as the words say, it gets in."""
    alice, bob = parties
    rules = mappings("incoming", "automatic", "summary")
    wanted = "issue.comments = comments.merge(issue, replica, internal=True)"
    done = await publish(bob, incoming=rules + _script(wanted))
    [doubt] = done["findings"]
    assert doubt["severity"] == "warning"
    assert "no service project" in doubt["message"]
    key = await alice.create(summary="For few")
    await alice.person.comment(key, "The price is 12")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(*parties)
    assert await bob.comments(twin) == []
    told = await _problem(bob)
    assert "A comment is to be internal by step 2, line 1, and SC is no service project" in told
    assert "role=" in told
    await alice.person.edit(key, {"summary": "For few people"})
    await quiet(*parties)
    assert (await bob.issue(twin))["fields"]["summary"] == "For few people"
    for_role = wanted.replace("internal=True", 'role="Developers"')
    assert (await publish(bob, incoming=rules + _script(for_role)))["findings"] == []
    await bob.call("POST", "/api/v1/errors/retry", {"ids": None})
    await quiet(*parties)
    comments = (await bob.issue(twin))["fields"]["comment"]["comments"]
    assert [one["visibility"]["value"] for one in comments] == ["Developers"]
    assert await alice.problems() == await bob.problems() == []


async def test_internal_comments_are_internal_on_a_service_project(parties: Parties) -> None:
    """There Jira heeds the mark."""
    alice, bob = parties
    there(bob.sandbox.world.project("SC")).project_type = "service_desk"
    wanted = "issue.comments = comments.merge(issue, replica, internal=True)"
    done = await publish(bob, incoming=mappings("incoming", "automatic", "summary") + _script(wanted))
    assert done["findings"] == []
    key = await alice.create(summary="For agents")
    await alice.person.comment(key, "The price is 12")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(*parties)
    assert len(await bob.comments(twin)) == 1
    [made] = (await bob.person.call("GET", f"/rest/api/2/issue/{twin}/comment?expand=properties"))["comments"]
    assert {"key": "sd.public.comment", "value": {"internal": True}} in made["properties"]
    assert await alice.problems() == await bob.problems() == []


async def test_both_levels_of_an_option_are_those_of_our_jira(parties: Parties) -> None:
    """In any case; what our field does not have is the default by mapping, and an error with its line by script."""
    alice, bob = parties
    for side in parties:
        create_field(side.sandbox.world, "Place", "cascading", options=_PLACES if side is bob else {"Europe": ["Rome"]})
        create_field(side.sandbox.world, "Where", "text")
        create_field(side.sandbox.world, "Effort", "number")
    steps = ("summary", "custom.Where>place", "custom.Effort>custom.Effort")
    await publish(alice, outgoing=mappings("outgoing", "manual", *steps))
    place = '\n[[step]]\nsource = "place"\ntarget = "custom.Place"\notherwise = { default = "Asia / Tokyo" }\n'
    rules = mappings("incoming", "automatic", "summary")
    await publish(bob, incoming=rules + place)
    field = next(one.id for one in bob.sandbox.world.site.fields.values() if one.name == "Place")
    where = next(one.id for one in alice.sandbox.world.site.fields.values() if one.name == "Where")
    effort = next(one.id for one in alice.sandbox.world.site.fields.values() if one.name == "Effort")
    found = {}
    for text in ("europe / PARIS", "Europe / Rome", "Nowhere"):
        key = await alice.create(summary=text, **{where: text, effort: 3.5})
        await alice.sync(key)
        option = (await bob.issue(await alice.twin(key)))["fields"][field]
        found[text] = (option["value"], option["child"]["value"])
    assert found == {
        "europe / PARIS": ("Europe", "Paris"), "Europe / Rome": ("Asia", "Tokyo"), "Nowhere": ("Asia", "Tokyo"),
    }  # fmt: skip
    script = 'issue.custom["Effort"] = replica.custom["Effort"]\nissue.custom["Place"] = replica.other["place"]'
    await publish(bob, incoming=rules + _script(script))
    good = await alice.create(summary="By script", **{where: "EUROPE / berlin", effort: 3.5})
    await alice.sync(good)
    fields = (await bob.issue(await alice.twin(good)))["fields"]
    ours = next(one.id for one in bob.sandbox.world.site.fields.values() if one.name == "Effort")
    assert (fields[field]["value"], fields[field]["child"]["value"], fields[ours]) == ("Europe", "Berlin", 3.5)
    await alice.sync(await alice.create(summary="Odd", **{where: "Europe / Rome"}))
    await quiet(*parties)
    told = await _problem(bob)
    assert "Step 2 (script 'A script') failed in line 2: issue.custom['Place'] takes an option" in told
    assert "'Europe / Rome' is not a value that this field offers below 'Europe'" in told


async def test_a_default_below_the_wrong_option_is_refused_by_the_check(parties: Parties) -> None:
    """Before it could take an issue with it."""
    _, bob = parties
    create_field(bob.sandbox.world, "Place", "cascading", options=_PLACES)
    place = '\n[[step]]\nsource = "place"\ntarget = "custom.Place"\notherwise = { default = "Europe / Tokyo" }\n'
    files = {"incoming": mappings("incoming", "automatic", "summary") + place}
    checked = await bob.call("POST", f"/api/v1/connections/{bob.connection}/rules/check", {"files": files})
    [finding] = checked["findings"]
    assert finding["severity"] == "error"
    assert "not a value that this field offers below 'Europe'" in finding["message"]
