"""What the use cases of docs/rules.md need of a Jira, so that the recipes run as they are printed."""

from __future__ import annotations

from typing import Any

from node.sandbox.model import Status
from node.sandbox.seed import create_field, create_user, open_workflow
from tests.support.two_nodes import Party, there


async def move(party: Party, key: str, status: str, given: dict[str, Any] | None = None) -> None:
    """Move an issue to a status in one transition, as a person does, with what its screen asks for."""
    path = f"/rest/api/2/issue/{key}/transitions"
    offered = (await party.person.call("GET", path))["transitions"]
    [chosen] = [one["id"] for one in offered if one["to"]["name"] == status]
    await party.person.call("POST", path, json={"transition": {"id": chosen}, "fields": given or {}})


def field_of(party: Party, name: str) -> str:
    """Return the id of a custom field in a side's Jira."""
    return next(one.id for one in party.sandbox.world.site.fields.values() if one.name == name)


def furnish_support(party: Party) -> None:
    """Give a project the statuses of the recipe, to which issues move by screens as usual."""
    world = party.sandbox.world
    names = (("20001", "Open", "new"), ("20002", "Doing", "indeterminate"))
    fresh = [Status(number, name, "", category) for number, name, category in names]
    world.site.statuses.update({status.id: status for status in fresh})
    world.site.workflows["2"] = open_workflow("2", "Support", [*fresh, world.site.statuses["10002"]])
    there(world.project(party.project)).workflow_id = "2"
    world.touch_site()


def furnish_customer(party: Party) -> None:
    """Give a Jira the fields of the recipe for suppliers."""
    create_field(party.sandbox.world, "Severity", "select", options=("High", "Low"))
    for name in ("Red says", "Blue says"):
        create_field(party.sandbox.world, name, "text")


def furnish_provider(party: Party) -> None:
    """Give a Jira the field and the person of the recipe for managed services, and somebody whom customers know."""
    create_field(party.sandbox.world, "Note", "text")
    create_user(party.sandbox.world, "triage", "Bob of the First Line", email="bob@green.example")
    create_user(party.sandbox.world, "ada", "Ada Lovelace")


def furnish_newcomer(party: Party) -> None:
    """Give a Jira the newcomer."""
    create_user(party.sandbox.world, "newcomer", "Alice Smith")


EVERYTHING = (
    "key", "type", "summary", "description", "environment", "status", "priority", "labels", "components",
    "fix_versions", "due", "assignee", "reporter", "original_estimate", "comments", "attachments", "worklogs",
)  # fmt: skip
"""All that a supplier could send."""

TRACES = (
    "Crimson summary", "Crimson description", "Crimson environment", "In Progress", "Lowest", "crimson-label",
    "Crimson part", "Crimson release", "2031-07-13", "Crimson Person", "7380", "Crimson comment", "crimson.txt",
    "Crimson work", "5460",
)  # fmt: skip
"""What everything that the supplier changed can be recognised by."""


async def everything_changes(party: Party, key: str) -> None:
    """Change every field of an issue, comment on it, attach a file to it and log time."""
    world = party.sandbox.world
    create_user(world, "crimson", "Crimson Person")
    for kind, name in (("version", "Crimson release"), ("component", "Crimson part")):
        await party.admin.call("POST", f"/rest/api/2/{kind}", json={"name": name, "project": party.project})
    await party.person.edit(
        key,
        {
            "summary": "Crimson summary", "description": "Crimson description", "environment": "Crimson environment",
            "priority": {"name": "Lowest"}, "labels": ["crimson-label"], "components": [{"name": "Crimson part"}],
            "fixVersions": [{"name": "Crimson release"}], "duedate": "2031-07-13", "assignee": {"name": "crimson"},
            "reporter": {"name": "crimson"}, "timetracking": {"originalEstimate": "123m"},
        },
    )  # fmt: skip
    await move(party, key, "In Progress")
    await party.person.comment(key, "Crimson comment")
    await party.person.attach(key, "crimson.txt", b"Crimson bytes")
    path = f"/rest/api/2/issue/{key}/worklog"
    await party.person.call("POST", path, json={"timeSpentSeconds": 5460, "comment": "Crimson work"})
