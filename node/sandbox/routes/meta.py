"""What may be set when an issue is created or edited: createmeta in both shapes, and editmeta."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.fields import Definition, is_required, screen
from node.sandbox.model import Issue, IssueType, Project
from node.sandbox.permissions import may
from node.sandbox.routes.call import Call, answer


def screen_meta(call: Call, project: Project, definition: Definition, *, required: bool) -> dict[str, Any]:
    """Render one field of a screen."""
    rendered: dict[str, Any] = {
        "required": required,
        "schema": definition.schema(),
        "name": definition.name,
        "fieldId": definition.id,
        "operations": list(definition.kind.operations),
    }
    allowed = call.renderer.allowed_values(project, definition)
    if definition.kind.type == "user":
        rendered["autoCompleteUrl"] = f"{call.world.base_url}/rest/api/2/user/assignable/search?username="
    if allowed is not None:
        rendered["allowedValues"] = allowed
    return rendered


def create_fields(call: Call, project: Project, kind: IssueType) -> dict[str, Any]:
    """Render the screen on which an issue is created."""
    rendered = {}
    for name, definition in screen(call.world, project, kind, creating=True).items():
        meta = screen_meta(call, project, definition, required=is_required(project, kind, name))
        meta["hasDefaultValue"] = name in {"priority", "reporter", "assignee"}
        if name == "issuetype":
            meta["allowedValues"] = [call.renderer.issue_type(kind)]
        rendered[name] = meta
    return rendered


def edit_meta_of(call: Call, issue: Issue) -> dict[str, Any]:
    """Render the screen on which an issue is edited."""
    project = call.world.site.projects[issue.project_id]
    kind = call.world.site.issue_types[issue.type_id]
    if not may(call.caller, "EDIT_ISSUES", project):
        return {"fields": {}}
    rendered = {}
    for name, definition in screen(call.world, project, kind, creating=False).items():
        rendered[name] = screen_meta(call, project, definition, required=is_required(project, kind, name))
        if name == "issuetype":
            rendered[name]["allowedValues"] = [
                call.renderer.issue_type(one) for one in _types(call, project) if one.subtask == kind.subtask
            ]
    return {"fields": rendered}


def _types(call: Call, project: Project) -> list[IssueType]:
    return [call.world.site.issue_types[type_id] for type_id in project.issue_type_ids]


def _creatable(call: Call) -> Project:
    project = call.world.project(call.part("project"))
    if project is None or not may(call.user, "CREATE_ISSUES", project):
        raise BadRequest("The project does not exist or you do not have permission to create issues in it.")
    return project


def _paged(call: Call, values: list[Any]) -> web.Response:
    start, size = call.page()
    shown = values[start : start + size]
    return answer(
        {
            "maxResults": size,
            "startAt": start,
            "total": len(values),
            "isLast": start + len(shown) >= len(values),
            "values": shown,
        }
    )


async def project_types(request: web.Request) -> web.Response:
    """Answer the issue types that can be created in a project."""
    call = Call(request)
    project = _creatable(call)
    return _paged(call, [call.renderer.issue_type(kind) for kind in _types(call, project)])


async def project_type_fields(request: web.Request) -> web.Response:
    """Answer the fields of an issue type in a project."""
    call = Call(request)
    project = _creatable(call)
    wanted = call.part("type")
    if wanted not in project.issue_type_ids:
        raise NotThere(f"Issue type with id '{wanted}' does not exist in the project.")
    return _paged(call, list(create_fields(call, project, call.world.site.issue_types[wanted]).values()))


async def create_meta(request: web.Request) -> web.Response:
    """Answer projects, types and fields at once, as Jira did before version 9."""
    call = Call(request)
    user = call.user

    def given(name: str) -> set[str]:
        return {one for item in request.query.getall(name, []) for one in item.split(",") if one}

    keys, ids = given("projectKeys"), given("projectIds")
    type_ids, type_names = given("issuetypeIds"), given("issuetypeNames")
    with_fields = "projects.issuetypes.fields" in call.expand
    projects = []
    for project in call.world.site.projects.values():
        if not may(user, "CREATE_ISSUES", project) or (
            (keys or ids) and project.key not in keys and project.id not in ids
        ):
            continue
        kinds = []
        for kind in _types(call, project):
            if (type_ids or type_names) and kind.id not in type_ids and kind.name not in type_names:
                continue
            rendered = dict(call.renderer.issue_type(kind))
            if with_fields:
                rendered |= {"expand": "fields", "fields": create_fields(call, project, kind)}
            kinds.append(rendered)
        projects.append({"expand": "issuetypes", **call.renderer.project(project), "issuetypes": kinds})
    return answer({"expand": "projects", "projects": projects})


ROUTES = (
    web.get("/issue/createmeta", create_meta),
    web.get("/issue/createmeta/{project}/issuetypes", project_types),
    web.get("/issue/createmeta/{project}/issuetypes/{type}", project_type_fields),
)
