"""The sandbox's answers against the published OpenAPI document of Jira Data Center 10.3.

One walk calls every route that the sandbox serves and the document describes, and holds each answer against the
document. Where the document itself is wrong, a relaxation says so with its reason; nothing else may differ.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from node.sandbox.app import API, RunningSandbox, running_sandbox
from node.sandbox.model import ProjectCategory
from node.sandbox.seed import create_field, create_project, default_world
from tests.support.data import data_file
from tests.support.openapi import Published, Relaxation


def _open(schema: str, *names: str) -> Callable[[dict[str, Any]], None]:
    """Let properties of a schema hold anything."""

    def change(document: dict[str, Any]) -> None:
        for name in names:
            document["components"]["schemas"][schema]["properties"][name] = {}

    return change


def _nullable(schema: str, *names: str) -> Callable[[dict[str, Any]], None]:
    """Let properties of a schema be null."""

    def change(document: dict[str, Any]) -> None:
        properties = document["components"]["schemas"][schema]["properties"]
        for name in names:
            properties[name] = {"anyOf": [properties[name], {"type": "null"}]}

    return change


_FIELD_SCHEMAS = {
    "project": "ProjectJsonBean",
    "issuetype": "IssueTypeJsonBean",
    "status": "StatusJsonBean",
    "priority": "PriorityJsonBean",
    "resolution": "ResolutionJsonBean",
    "assignee": "UserJsonBean",
    "reporter": "UserJsonBean",
    "creator": "UserJsonBean",
    "comment": "CommentsWithPaginationJsonBean",
    "worklog": "WorklogWithPaginationBean",
    "votes": "VoteBean",
    "watches": "WatchersBean",
    "parent": "IssueRefJsonBean",
}
_LIST_SCHEMAS = {
    "attachment": "AttachmentJsonBean",
    "components": "ComponentBean",
    "fixVersions": "VersionBean",
    "versions": "VersionBean",
    "issuelinks": "issueLinks",
    "subtasks": "IssueRefJsonBean",
}
_TEXTS = ("summary", "description", "environment", "created", "updated", "resolutiondate", "duedate")


def _typed_fields(document: dict[str, Any]) -> None:
    """Say what the values of the fields are, with the document's own schemas where it has one."""

    def maybe(schema: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [schema, {"type": "null"}]}

    def reference(name: str) -> dict[str, Any]:
        return {"$ref": f"#/components/schemas/{name}"}

    known = {name: maybe(reference(schema)) for name, schema in _FIELD_SCHEMAS.items()}
    known |= {name: {"type": "array", "items": reference(schema)} for name, schema in _LIST_SCHEMAS.items()}
    known |= {name: maybe({"type": "string"}) for name in _TEXTS}
    known |= {"labels": {"type": "array", "items": {"type": "string"}}}
    document["components"]["schemas"]["IssueBean"]["properties"]["fields"] = {"type": "object", "properties": known}


def _status(path: str, method: str, status: str, like: str) -> Callable[[dict[str, Any]], None]:
    """Let an operation answer another status with the body of one that is described."""

    def change(document: dict[str, Any]) -> None:
        responses = document["paths"][path][method]["responses"]
        responses[status] = responses[like]

    return change


RELAXATIONS = [
    Relaxation(
        "A field's value may be text, a number, a list or null; the document says that each is an object.",
        _typed_fields,
    ),
    Relaxation(
        "A rendered field is text or null; the document says that each is an object.",
        _open("IssueBean", "renderedFields"),
    ),
    Relaxation(
        "A change from or to nothing has null there (recorded answers of real servers); the document wants text.",
        _nullable("ChangeItemBean", "from", "fromString", "to", "toString"),
    ),
    Relaxation(
        "A property's value is any JSON; the document says text.",
        _open("EntityPropertyBean", "value"),
    ),
    Relaxation(
        "A new remote link is answered with 201, an updated one with 200; the document knows only the latter.",
        _status("/api/2/issue/{issueIdOrKey}/remotelink", "post", "201", like="200"),
    ),
    Relaxation(
        "A vote is answered with 204 and no body; the document says 200, with no body either.",
        _status("/api/2/issue/{issueIdOrKey}/votes", "post", "204", like="200"),
    ),
]
"""Where the document is wrong. Where it describes one item and Jira answers a list or a page, the items are held to
it; that happens in ``tests/support/openapi.py``."""


EXTRA_FIELDS: list[tuple[str, str, Any]] = [
    ("Colour", "select", {"value": "Red"}),
    ("Points", "number", 4.5),
    ("Seen", "datetime", "2026-11-23T23:47:08.000+0000"),
    ("Reviewers", "multiuser", [{"name": "alice"}]),
]
"""Custom fields that the walk sets: name, kind, value."""


@dataclass
class Checked:
    """A client that holds every answer against the document and remembers what it asked and what differed."""

    session: aiohttp.ClientSession
    sandbox: RunningSandbox
    published: Published
    asked: set[tuple[str, str]] = field(default_factory=set)
    differences: dict[str, list[str]] = field(default_factory=dict)

    async def call(
        self, method: str, path: str, json: object = None, *, data: aiohttp.FormData | None = None, expect: int
    ) -> Any:
        """Send a request, demand its status, check the answer, and return the body."""
        full = path if path.startswith("/rest/") else API + path
        url = self.sandbox.url + full
        headers = {"X-Atlassian-Token": "no-check"}
        async with self.session.request(method, url, json=json, data=data, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == expect, f"{method} {path}: {answer.status} {text[:500]}"
            body = await answer.json() if text else None
        operation = self.published.operation(method, full.partition("?")[0])
        if operation is None:
            return body
        self.asked.add((method, operation.path))
        if problems := self.published.problems(operation, expect, body):
            self.differences.setdefault(f"{method} {operation.path}", []).extend(problems)
        return body

    def field_id(self, name: str) -> str:
        """Return the id of a custom field."""
        return next(one.id for one in self.sandbox.world.site.fields.values() if one.name == name)

    async def get(self, path: str) -> Any:
        """Read something that is there."""
        return await self.call("GET", path, expect=200)

    async def post(self, path: str, json: object, expect: int = 201) -> Any:
        """Make something."""
        return await self.call("POST", path, json, expect=expect)

    async def put(self, path: str, json: object, expect: int = 204) -> Any:
        """Change something."""
        return await self.call("PUT", path, json, expect=expect)

    async def delete(self, path: str, expect: int = 204) -> Any:
        """Take something away."""
        return await self.call("DELETE", path, expect=expect)


async def people_and_configuration(api: Checked) -> None:
    """Users, groups, permissions and the lists that an administrator keeps."""
    for path in ("/serverInfo", "/myself", "/mypermissions", "/user?username=alice", "/user/search?username=a"):
        await api.get(path)
    await api.get("/user/assignable/search?project=BLUE&username=a")
    await api.get("/user/assignable/multiProjectSearch?projectKeys=BLUE&username=a")
    await api.get("/groups/picker?query=jira")
    await api.get("/group/member?groupname=jira-software-users")
    user = {"name": "carol", "password": "secret", "emailAddress": "carol@example.com", "displayName": "Carol"}
    await api.post("/user", user)
    await api.delete("/user?username=carol")
    await api.put("/myself/password", {"password": "admin", "currentPassword": "admin"})
    for kind in ("issuetype", "status", "statuscategory", "priority", "resolution", "role"):
        things = await api.get(f"/{kind}")
        await api.get(f"/{kind}/{things[0]['id']}")
    [category] = await api.get("/projectCategory")
    await api.get(f"/projectCategory/{category['id']}")
    kinds = await api.get("/issueLinkType")
    await api.get(f"/issueLinkType/{kinds['issueLinkTypes'][0]['id']}")
    await api.get("/rest/auth/1/session")
    await api.get("/permissionscheme")
    await api.get("/issuesecurityschemes")


async def fields_and_screens(api: Checked) -> None:
    """What fields there are, and what a new issue needs."""
    await api.get("/field")
    custom_type = "com.atlassian.jira.plugin.system.customfieldtypes:textfield"
    await api.post("/field", {"name": "Customer", "type": custom_type})
    [option] = api.sandbox.world.site.fields[api.field_id("Colour")].options
    await api.get(f"/customFieldOption/{option.id}")
    types = await api.get("/issue/createmeta/BLUE/issuetypes")
    await api.get(f"/issue/createmeta/BLUE/issuetypes/{types['values'][0]['id']}")


async def projects(api: Checked) -> None:
    """A project from its creation to its deletion, with its components, versions and roles."""
    body = {"key": "TMP", "name": "Temporary", "lead": "admin", "projectTypeKey": "software"}
    await api.post("/project", body)
    await api.get("/project")
    await api.put("/project/TMP", {"description": "Not for long"}, expect=200)
    for path in ("", "/statuses", "/components", "/versions", "/version", "/role"):
        await api.get(f"/project/BLUE{path}")
    await api.get("/project/BLUE?expand=description,lead,issueTypes,url,projectKeys")
    roles = await api.get("/role")
    role = f"/project/TMP/role/{roles[0]['id']}"
    await api.get(role)
    await api.post(role, {"user": ["alice"]}, expect=200)
    await api.put(role, {"categorisedActors": {"atlassian-user-role-actor": ["bob"]}}, expect=200)
    await api.delete(f"{role}?user=bob")
    component = await api.post("/component", {"name": "Engine", "project": "TMP", "leadUserName": "alice"})
    await api.get(f"/component/{component['id']}")
    await api.put(f"/component/{component['id']}", {"description": "It runs"}, expect=200)
    await api.get(f"/component/{component['id']}/relatedIssueCounts")
    await api.delete(f"/component/{component['id']}")
    first = await api.post("/version", {"name": "1.0", "project": "TMP", "releaseDate": "2026-05-01"})
    second = await api.post("/version", {"name": "1.1", "project": "TMP"})
    await api.get(f"/version/{first['id']}")
    await api.put(f"/version/{first['id']}", {"released": True}, expect=200)
    await api.post(f"/version/{second['id']}/move", {"position": "First"}, expect=200)
    await api.get(f"/version/{first['id']}/relatedIssueCounts")
    await api.get(f"/version/{first['id']}/unresolvedIssueCount")
    await api.post(f"/version/{first['id']}/removeAndSwap", {}, expect=204)
    await api.delete(f"/version/{second['id']}")
    await api.delete("/project/TMP")


async def issues(api: Checked) -> None:
    """An issue with every kind of value, its edits, its workflow, its searches."""
    await api.post("/issue", {"fields": _fields("Plain")})
    await api.post("/issue/bulk", {"issueUpdates": [{"fields": _fields("One")}, {"fields": _fields("Two")}]})
    full = {
        **_fields("Full"),
        "description": "h2. Text",
        "environment": "Here",
        "labels": ["a", "b"],
        "priority": {"name": "High"},
        "assignee": {"name": "bob"},
        "duedate": "2026-12-24",
        "timetracking": {"originalEstimate": "2d", "remainingEstimate": "1d"},
        "components": [{"name": "Press"}],
        "fixVersions": [{"name": "9.0"}],
        "versions": [{"name": "9.0"}],
        **{api.field_id(name): value for name, _, value in EXTRA_FIELDS},
    }
    await api.post("/issue", {"fields": full})
    subtask = {**_fields("Small"), "issuetype": {"name": "Sub-task"}, "parent": {"key": "BLUE-4"}}
    await api.post("/issue", {"fields": subtask})
    await api.put("/issue/BLUE-4", {"fields": {"summary": "Fuller"}, "update": {"labels": [{"add": "c"}]}})
    await api.put("/issue/BLUE-4/assignee", {"name": "alice"})
    await api.get("/issue/BLUE-4/transitions")
    await api.get("/issue/BLUE-4/transitions?expand=transitions.fields")
    done = {"transition": {"id": "51"}, "fields": {"resolution": {"name": "Done"}}}
    await api.post("/issue/BLUE-4/transitions", done, expect=204)
    await api.get("/issue/BLUE-4/subtask")
    await api.get("/issue/BLUE-4/editmeta")
    expand = "renderedFields,names,schema,transitions,editmeta,changelog,operations,versionedRepresentations"
    for key in ("BLUE-1", "BLUE-4", "BLUE-5"):
        await api.get(f"/issue/{key}")
        await api.get(f"/issue/{key}?expand={expand}")
    await api.get("/search?jql=project+%3D+BLUE&expand=names,schema,changelog")
    await api.post("/search", {"jql": "project = BLUE", "fields": ["*all"]}, expect=200)
    await api.delete("/issue/BLUE-2")


async def comments_and_files(api: Checked) -> None:
    """Comments, properties and attachments."""
    comments = "/issue/BLUE-4/comment"
    comment = await api.post(comments, {"body": "Seen", "visibility": {"type": "role", "value": "Administrators"}})
    await api.post(comments, {"body": "Again", "properties": [{"key": "mark", "value": {"n": 1}}]})
    await api.get(comments)
    await api.get(f"{comments}/{comment['id']}")
    await api.get(f"{comments}/{comment['id']}?expand=properties,renderedBody")
    await api.put(f"{comments}/{comment['id']}", {"body": "Seen twice"}, expect=200)
    for base in (f"/comment/{comment['id']}/properties", "/issue/BLUE-4/properties"):
        await api.put(f"{base}/mark", {"seen": True}, expect=201)
        await api.put(f"{base}/mark", {"seen": False}, expect=200)
        await api.get(base)
        await api.get(f"{base}/mark")
        await api.delete(f"{base}/mark")
    await api.delete(f"{comments}/{comment['id']}")

    form = aiohttp.FormData()
    form.add_field("file", b"\x89PNG", filename="a.png", content_type="image/png")
    [attachment] = await api.call("POST", "/issue/BLUE-4/attachments", data=form, expect=200)
    await api.get("/attachment/meta")
    await api.get(f"/attachment/{attachment['id']}")
    await api.get("/issue/BLUE-4?expand=changelog")
    await api.delete(f"/attachment/{attachment['id']}")


async def links_work_and_people(api: Checked) -> None:
    """Links to issues and elsewhere, worklogs, watchers and votes."""
    link = {"type": {"name": "Blocks"}, "inwardIssue": {"key": "BLUE-1"}, "outwardIssue": {"key": "BLUE-4"}}
    await api.post("/issueLink", link)
    issue = await api.get("/issue/BLUE-4")
    link_id = issue["fields"]["issuelinks"][0]["id"]
    await api.get(f"/issueLink/{link_id}")
    await api.delete(f"/issueLink/{link_id}")

    remotes = "/issue/BLUE-4/remotelink"
    remote = {"globalId": "g1", "object": {"url": "https://example.com/1", "title": "One"}}
    made = await api.post(remotes, remote, expect=201)
    await api.post(remotes, remote, expect=200)
    await api.get(remotes)
    await api.get(f"{remotes}/{made['id']}")
    await api.put(f"{remotes}/{made['id']}", remote)
    await api.delete(f"{remotes}/{made['id']}")
    await api.post(remotes, remote, expect=201)
    await api.delete(f"{remotes}?globalId=g1")

    work = "/issue/BLUE-4/worklog"
    entry = {"timeSpent": "1h 30m", "started": "2026-11-20T09:00:00.000+0000", "comment": "Looked"}
    logged = await api.post(work, entry)
    await api.get(work)
    await api.get(f"{work}/{logged['id']}")
    await api.put(f"{work}/{logged['id']}", {"timeSpent": "2h"}, expect=200)
    await api.post("/worklog/list", {"ids": [int(logged["id"])]}, expect=200)
    await api.get("/worklog/updated?since=0")
    await api.delete(f"{work}/{logged['id']}")
    await api.get("/worklog/deleted?since=0")

    await api.post("/issue/BLUE-4/watchers", "bob", expect=204)
    await api.get("/issue/BLUE-4/watchers")
    await api.delete("/issue/BLUE-4/watchers?username=bob")
    await api.put("/issue/BLUE-3", {"fields": {"reporter": {"name": "bob"}}})
    await api.post("/issue/BLUE-3/votes", None, expect=204)
    await api.get("/issue/BLUE-3/votes")
    await api.delete("/issue/BLUE-3/votes")


def _fields(summary: str) -> dict[str, Any]:
    return {"project": {"key": "BLUE"}, "issuetype": {"name": "Task"}, "summary": summary}


REFUSALS: list[tuple[str, str, object, int]] = [
    ("GET", "/issue/BLUE-999", None, 404),
    ("POST", "/issue", {"fields": {"project": {"key": "BLUE"}}}, 400),
    ("PUT", "/issue/BLUE-1", {"fields": {"nothing": 1}}, 400),
    ("POST", "/issue/BLUE-1/transitions", {"transition": {"id": "61"}}, 400),
    ("POST", "/issue/BLUE-1/comment", {"body": ""}, 400),
    ("GET", "/issue/BLUE-1/comment/1", None, 404),
    ("GET", "/search?jql=nothing+%3D+1", None, 400),
    ("GET", "/search?jql=project+%3D", None, 400),
    ("GET", "/project/NOPE", None, 404),
    ("GET", "/user?username=nobody", None, 404),
    ("GET", "/attachment/1", None, 404),
    (
        "POST",
        "/issueLink",
        {"type": {"name": "No"}, "inwardIssue": {"key": "BLUE-1"}, "outwardIssue": {"key": "X"}},
        404,
    ),
]
"""Requests that make no sense, with the status that they get."""


async def refusals(api: Checked) -> None:
    """Errors come as Jira's error collection; the document describes its shape, though not where it is answered."""
    for method, path, json, status in REFUSALS:
        body = await api.call(method, path, json, expect=status)
        name = f"{method} {path}"
        if found := api.published.shape_problems("ErrorCollection", body):
            api.differences.setdefault(name, []).extend(found)
        assert body["errorMessages"] or body["errors"], name


PARTS = (
    people_and_configuration,
    fields_and_screens,
    projects,
    issues,
    comments_and_files,
    links_work_and_people,
    refusals,
)


async def _walk(published: Published) -> tuple[Checked, set[tuple[str, str]]]:
    """Call everything; return the client and the operations that the sandbox serves and the document describes."""
    world = default_world()
    project = create_project(world, "BLUE", "Blue Printers")
    world.site.categories["10000"] = ProjectCategory("10000", "Machines", "All that prints")
    project.category_id = "10000"
    for name, kind, value in EXTRA_FIELDS:
        create_field(world, name, kind, options=[value["value"]] if kind == "select" else ())
    token = world.create_token(world.site.users["admin"])
    headers = {"Authorization": f"Bearer {token}"}
    async with running_sandbox(world) as sandbox, aiohttp.ClientSession(headers=headers) as session:
        api = Checked(session, sandbox, published)
        await api.post("/component", {"name": "Press", "project": "BLUE"})
        await api.post("/version", {"name": "9.0", "project": "BLUE"})
        for part in PARTS:
            await part(api)
        served = {
            (route.method, operation.path)
            for route in sandbox.app.router.routes()
            if route.resource is not None
            and (operation := published.operation(route.method, route.resource.canonical)) is not None
        }
        return api, served


@pytest.fixture(scope="module")
def walked() -> tuple[Checked, set[tuple[str, str]]]:
    published = Published(data_file("openapi/jira-dc-10.3.json.gz"), "/rest", RELAXATIONS)
    return asyncio.run(_walk(published))


def test_every_answer_has_the_published_shape(walked: tuple[Checked, set[tuple[str, str]]]) -> None:
    """Types, formats and statuses of all answers are those of the document."""
    api, _ = walked
    told = [f"{name}\n    " + "\n    ".join(dict.fromkeys(found)) for name, found in sorted(api.differences.items())]
    assert not told, "\n".join(told)


def test_every_described_route_was_asked(walked: tuple[Checked, set[tuple[str, str]]]) -> None:
    """A route that is added to the sandbox and described by Atlassian is added to the walk too."""
    api, served = walked
    assert sorted(served - api.asked) == []
