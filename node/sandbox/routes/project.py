"""Projects, with their roles, components, versions and statuses."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from node.sandbox import projects
from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.events import Event
from node.sandbox.permissions import may, require_admin
from node.sandbox.routes.call import Call, answer, nothing
from node.sandbox.seed import create_project

KEY = re.compile(r"[A-Z][A-Z0-9_]{1,9}")


async def get_all(request: web.Request) -> web.Response:
    """Answer the projects that the caller may see."""
    call = Call(request)
    visible = [one for one in call.world.site.projects.values() if may(call.caller, "BROWSE_PROJECTS", one)]
    return answer([{"expand": "description,lead,url,projectKeys", **call.renderer.project(one)} for one in visible])


async def get(request: web.Request) -> web.Response:
    """Answer one project."""
    call = Call(request)
    project = call.project()
    rendered = call.renderer.whole_project(project)
    if "projectKeys" in call.expand:
        rendered = {**rendered, "projectKeys": [project.key]}
    return answer(rendered)


async def create(request: web.Request) -> web.Response:
    """Create a project; administrators only."""
    call = Call(request)
    require_admin(call.caller)
    body = await call.body()
    key, name = str(body.get("key") or ""), str(body.get("name") or "")
    errors = {}
    if not KEY.fullmatch(key):
        errors["projectKey"] = "Project keys must start with an uppercase letter, followed by uppercase letters."
    elif call.world.project(key) is not None:
        errors["projectKey"] = f"Project '{key}' uses this project key."
    if not name:
        errors["projectName"] = "You must specify a valid project name."
    elif any(one.name.casefold() == name.casefold() for one in call.world.site.projects.values()):
        errors["projectName"] = "A project with that name already exists."
    lead = call.world.user_named(str(body.get("lead") or call.user.name))
    if lead is None:
        errors["projectLead"] = "You must specify a valid project lead."
    if errors or lead is None:
        raise BadRequest(errors=errors)
    project = create_project(call.world, key, name, lead=lead.key)
    project.description, project.url = str(body.get("description") or ""), str(body.get("url") or "")
    project.project_type = str(body.get("projectTypeKey") or "software")
    if body.get("assigneeType") in {"PROJECT_LEAD", "UNASSIGNED"}:
        project.default_assignee = body["assigneeType"]
    call.world.tell(Event("project_created", call.world.now(), call.user, project=project, whole_issue=False))
    return answer({"self": call.renderer.url("project", project.id), "id": int(project.id), "key": project.key}, 201)


async def update(request: web.Request) -> web.Response:
    """Change a project's name, description, lead or address; administrators only."""
    call = Call(request)
    require_admin(call.caller)
    project = call.project()
    body = await call.body()
    project.name = str(body.get("name") or project.name)
    project.description = str(body.get("description", project.description))
    project.url = str(body.get("url", project.url))
    if body.get("lead"):
        lead = call.world.user_named(str(body["lead"]))
        if lead is None:
            raise BadRequest(errors={"projectLead": "You must specify a valid project lead."})
        project.lead = lead.key
    if body.get("assigneeType") in {"PROJECT_LEAD", "UNASSIGNED"}:
        project.default_assignee = body["assigneeType"]
    call.world.reindex_site()
    call.world.tell(Event("project_updated", call.world.now(), call.user, project=project, whole_issue=False))
    return answer(call.renderer.whole_project(project))


async def delete(request: web.Request) -> web.Response:
    """Delete a project with all its issues; administrators only."""
    call = Call(request)
    require_admin(call.caller)
    projects.delete(call.world, call.project(), call.user)
    return nothing()


async def get_statuses(request: web.Request) -> web.Response:
    """Answer the statuses of each issue type of a project."""
    call = Call(request)
    project = call.project()
    workflow = call.world.site.workflows[project.workflow_id]
    ids = dict.fromkeys((workflow.initial, *(one.target for one in workflow.transitions)))
    statuses = [call.renderer.status(call.world.site.statuses[one]) for one in ids]
    rendered = []
    for type_id in project.issue_type_ids:
        kind = call.world.site.issue_types[type_id]
        rendered.append(
            {
                "self": call.renderer.url("issuetype", kind.id),
                "id": kind.id,
                "name": kind.name,
                "subtask": kind.subtask,
                "statuses": statuses,
            }
        )
    return answer(rendered)


async def get_components(request: web.Request) -> web.Response:
    """Answer a project's components."""
    call = Call(request)
    project = call.project()
    held = call.world.site.components.values()
    return answer([call.renderer.component(one, whole=True) for one in held if one.project_id == project.id])


async def get_versions(request: web.Request) -> web.Response:
    """Answer a project's versions."""
    call = Call(request)
    project = call.project()
    held = call.world.site.versions.values()
    return answer([call.renderer.version(one, whole=True) for one in held if one.project_id == project.id])


async def get_version_page(request: web.Request) -> web.Response:
    """Answer a page of a project's versions."""
    call = Call(request)
    project = call.project()
    found = [one for one in call.world.site.versions.values() if one.project_id == project.id]
    start, size = call.page()
    shown = [call.renderer.version(one, whole=True) for one in found[start : start + size]]
    page: dict[str, Any] = {
        "self": call.renderer.url("project", project.id, "version"),
        "maxResults": size,
        "startAt": start,
        "total": len(found),
        "isLast": start + len(shown) >= len(found),
        "values": shown,
    }
    return answer(page)


async def get_roles(request: web.Request) -> web.Response:
    """Answer where a project's roles are."""
    call = Call(request)
    project = call.project()
    return answer(
        {one.name: call.renderer.url("project", project.id, "role", one.id) for one in call.world.site.roles.values()}
    )


async def get_role(request: web.Request) -> web.Response:
    """Answer who has a role in a project."""
    call = Call(request)
    project = call.project()
    role = call.world.site.roles.get(call.part("role"))
    if role is None:
        raise NotThere(f"Can not retrieve role actors for role '{call.part('role')}'.")
    return answer(call.renderer.role(role, project))


async def change_role(request: web.Request) -> web.Response:
    """Add people and groups to a role (POST), or replace them (PUT); administrators only."""
    call = Call(request)
    require_admin(call.caller)
    project = call.project()
    role = call.world.site.roles.get(call.part("role"))
    if role is None:
        raise NotThere(f"Can not retrieve role actors for role '{call.part('role')}'.")
    body = await call.body()
    given = body.get("categorisedActors") if request.method == "PUT" else body
    if not isinstance(given, dict):
        raise BadRequest("The actors of the role are required.")
    names = given.get("atlassian-user-role-actor") or given.get("user") or []
    groups = [str(one) for one in given.get("atlassian-group-role-actor") or given.get("group") or []]
    users = [call.world.user_named(str(name)) for name in names]
    if None in users or any(group not in call.world.site.groups for group in groups):
        raise NotThere("One of the actors does not exist.")
    keys = [user.key for user in users if user is not None]
    kept_users = [] if request.method == "PUT" else project.role_users.get(role.id, [])
    kept_groups = [] if request.method == "PUT" else project.role_groups.get(role.id, [])
    project.role_users[role.id] = list(dict.fromkeys([*kept_users, *keys]))
    project.role_groups[role.id] = list(dict.fromkeys([*kept_groups, *groups]))
    call.world.touch_site()
    return answer(call.renderer.role(role, project))


async def remove_from_role(request: web.Request) -> web.Response:
    """Take a person or a group out of a role; administrators only."""
    call = Call(request)
    require_admin(call.caller)
    project = call.project()
    role_id = call.part("role")
    user = call.world.user_named(call.query.get("user"))
    members = project.role_users.get(role_id, [])
    groups = project.role_groups.get(role_id, [])
    if user is not None and user.key in members:
        members.remove(user.key)
    elif call.query.get("group") in groups:
        groups.remove(call.query["group"])
    else:
        raise NotThere("The actor does not have this role.")
    call.world.touch_site()
    return nothing()


ROUTES = (
    web.get("/project", get_all),
    web.post("/project", create),
    web.get("/project/{project}", get),
    web.put("/project/{project}", update),
    web.delete("/project/{project}", delete),
    web.get("/project/{project}/statuses", get_statuses),
    web.get("/project/{project}/components", get_components),
    web.get("/project/{project}/versions", get_versions),
    web.get("/project/{project}/version", get_version_page),
    web.get("/project/{project}/role", get_roles),
    web.get("/project/{project}/role/{role}", get_role),
    web.post("/project/{project}/role/{role}", change_role),
    web.put("/project/{project}/role/{role}", change_role),
    web.delete("/project/{project}/role/{role}", remove_from_role),
)
