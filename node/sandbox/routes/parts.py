"""Components and versions of projects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from aiohttp import web

from node.sandbox import projects
from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.events import Event
from node.sandbox.model import Component, Project, Version
from node.sandbox.permissions import require
from node.sandbox.routes.call import Call, answer, nothing


def _administered(call: Call, project: Project | None) -> Project:
    if project is None:
        raise NotThere("The project does not exist.")
    require(call.caller, "ADMINISTER_PROJECTS", "You do not have the permission to administer this project.", project)
    return project


def _project_of(call: Call, body: Mapping[str, Any]) -> Project:
    named = body.get("project") or body.get("projectId")
    if named is None:
        raise BadRequest(errors={"projectId": "A project is required."})
    return _administered(call, call.world.project(str(named)))


# --- components


def _component(call: Call, component_id: str) -> Component:
    component = call.world.site.components.get(component_id)
    if component is None:
        raise NotThere(f"The component with id {component_id} does not exist.")
    return component


def _fill_component(call: Call, component: Component, body: Mapping[str, Any]) -> None:
    name = str(body.get("name", component.name)).strip()
    if not name:
        raise BadRequest(errors={"name": "The component name specified is invalid - cannot be an empty string."})
    for other in call.world.site.components.values():
        same = other.project_id == component.project_id and other.name.casefold() == name.casefold()
        if same and other.id != component.id:
            raise BadRequest(errors={"name": f"A component with the name {name} already exists in this project."})
    if body.get("leadUserName") is not None:
        lead = call.world.user_named(str(body["leadUserName"]))
        if lead is None:
            raise BadRequest(errors={"leadUserName": f"The user {body['leadUserName']} does not exist."})
        component.lead = lead.key
    component.name = name
    component.description = str(body.get("description", component.description) or "")
    component.assignee_type = str(body.get("assigneeType", component.assignee_type))


async def add_component(request: web.Request) -> web.Response:
    """Add a component to a project."""
    call = Call(request)
    body = await call.body()
    project = _project_of(call, body)
    component = Component("", project.id, "")
    _fill_component(call, component, body)
    added = projects.add_component(call.world, project, component.name, component.description)
    added.lead, added.assignee_type = component.lead, component.assignee_type
    return answer(call.renderer.component(added, whole=True), 201)


async def get_component(request: web.Request) -> web.Response:
    """Answer one component."""
    call = Call(request)
    _ = call.user
    return answer(call.renderer.component(_component(call, call.part("id")), whole=True))


async def edit_component(request: web.Request) -> web.Response:
    """Change a component."""
    call = Call(request)
    component = _component(call, call.part("id"))
    _administered(call, call.world.project(component.project_id))
    _fill_component(call, component, await call.body())
    call.world.touch_site()
    return answer(call.renderer.component(component, whole=True))


async def delete_component(request: web.Request) -> web.Response:
    """Remove a component; its issues go to ``moveIssuesTo``."""
    call = Call(request)
    component = _component(call, call.part("id"))
    _administered(call, call.world.project(component.project_id))
    other = call.query.get("moveIssuesTo")
    projects.replace_component(call.world, component, _component(call, other) if other else None)
    return nothing()


async def count_component(request: web.Request) -> web.Response:
    """Answer how many issues have a component."""
    call = Call(request)
    _ = call.user
    component = _component(call, call.part("id"))
    count = sum(component.id in issue.component_ids for issue in call.world.issues.values())
    return answer({"self": call.renderer.url("component", component.id), "issueCount": count})


# --- versions


def _version(call: Call, version_id: str) -> Version:
    version = call.world.site.versions.get(version_id.rpartition("/")[2])
    if version is None:
        raise NotThere(f"Could not find version for id '{version_id}'")
    return version


def _fill_version(call: Call, version: Version, body: Mapping[str, Any]) -> None:
    name = str(body.get("name", version.name)).strip()
    if not name:
        raise BadRequest(errors={"name": "You must specify a valid version name"})
    for other in call.world.site.versions.values():
        same = other.project_id == version.project_id and other.name.casefold() == name.casefold()
        if same and other.id != version.id:
            raise BadRequest(errors={"name": "A version with this name already exists in this project."})
    days = {}
    for key in ("startDate", "releaseDate"):
        if body.get(key):
            try:
                days[key] = date.fromisoformat(str(body[key])[:10]).isoformat()
            except ValueError:
                raise BadRequest(errors={key: "The date must be of the form yyyy-MM-dd."}) from None
    version.name = name
    version.description = str(body.get("description", version.description) or "")
    version.archived = bool(body.get("archived", version.archived))
    version.released = bool(body.get("released", version.released))
    version.start_date = days.get("startDate", version.start_date)
    version.release_date = days.get("releaseDate", version.release_date)


def _tell(call: Call, name: str, version: Version) -> None:
    call.world.tell(Event(name, call.world.now(), call.caller, version=version, whole_issue=False))


async def add_version(request: web.Request) -> web.Response:
    """Add a version to a project."""
    call = Call(request)
    body = await call.body()
    project = _project_of(call, body)
    draft = Version("", project.id, "")
    _fill_version(call, draft, body)
    version = projects.add_version(call.world, project, draft.name, draft.description)
    _fill_version(call, version, body)
    call.world.touch_site()
    _tell(call, "jira:version_created", version)
    return answer(call.renderer.version(version, whole=True), 201)


async def get_version(request: web.Request) -> web.Response:
    """Answer one version."""
    call = Call(request)
    _ = call.user
    return answer(call.renderer.version(_version(call, call.part("id")), whole=True))


async def edit_version(request: web.Request) -> web.Response:
    """Change a version; releasing it is told as such."""
    call = Call(request)
    version = _version(call, call.part("id"))
    _administered(call, call.world.project(version.project_id))
    body = await call.body()
    released = version.released
    _fill_version(call, version, body)
    moved = body.get("moveUnfixedIssuesTo")
    if moved and version.released and not released:
        _move_unfixed(call, version, _version(call, str(moved)))
    call.world.touch_site()
    _tell(call, "jira:version_updated", version)
    if version.released != released:
        _tell(call, "jira:version_released" if version.released else "jira:version_unreleased", version)
    return answer(call.renderer.version(version, whole=True))


def _move_unfixed(call: Call, version: Version, other: Version) -> None:
    for issue in call.world.issues.values():
        if version.id in issue.fix_version_ids and issue.resolution_id is None:
            kept = [one for one in issue.fix_version_ids if one not in {version.id, other.id}]
            issue.fix_version_ids = [*kept, other.id]
            call.world.touch_issue(issue)


async def delete_version(request: web.Request) -> web.Response:
    """Remove a version; its issues go to ``moveFixIssuesTo`` and ``moveAffectedIssuesTo``."""
    call = Call(request)
    version = _version(call, call.part("id"))
    _administered(call, call.world.project(version.project_id))
    fixed, affected = call.query.get("moveFixIssuesTo"), call.query.get("moveAffectedIssuesTo")
    projects.replace_version(
        call.world,
        version,
        _version(call, fixed) if fixed else None,
        _version(call, affected) if affected else None,
    )
    _tell(call, "jira:version_deleted", version)
    return nothing()


async def swap_version(request: web.Request) -> web.Response:
    """Remove a version; the body says where its issues go."""
    call = Call(request)
    version = _version(call, call.part("id"))
    _administered(call, call.world.project(version.project_id))
    body = await call.body()
    fixed, affected = body.get("moveFixIssuesTo"), body.get("moveAffectedIssuesTo")
    projects.replace_version(
        call.world,
        version,
        _version(call, str(fixed)) if fixed else None,
        _version(call, str(affected)) if affected else None,
    )
    _tell(call, "jira:version_deleted", version)
    return nothing()


async def move_version(request: web.Request) -> web.Response:
    """Put a version elsewhere in its project's order: ``after`` another's URL, or a ``position``."""
    call = Call(request)
    version = _version(call, call.part("id"))
    _administered(call, call.world.project(version.project_id))
    body = await call.body()
    held = call.world.site.versions
    siblings = [one for one in held.values() if one.project_id == version.project_id]
    place = siblings.index(version)
    others = [one for one in siblings if one is not version]
    if "after" in body:
        target = others.index(_version(call, str(body["after"]))) + 1
    else:
        places = {"First": 0, "Last": len(others), "Earlier": max(0, place - 1), "Later": min(len(others), place + 1)}
        if body.get("position") not in places:
            raise BadRequest("Either 'after' or a 'position' of Earlier, Later, First or Last is required.")
        target = places[str(body["position"])]
    others.insert(target, version)
    rest = {one.id: one for one in held.values() if one.project_id != version.project_id}
    call.world.site.versions = rest | {one.id: one for one in others}
    call.world.touch_site()
    _tell(call, "jira:version_moved", version)
    return answer(call.renderer.version(version, whole=True))


async def count_version(request: web.Request) -> web.Response:
    """Answer how many issues are fixed in a version or affected by it."""
    call = Call(request)
    _ = call.user
    version = _version(call, call.part("id"))
    found = call.world.issues.values()
    return answer(
        {
            "self": call.renderer.url("version", version.id),
            "issuesFixedCount": sum(version.id in issue.fix_version_ids for issue in found),
            "issuesAffectedCount": sum(version.id in issue.version_ids for issue in found),
            "issueCountWithCustomFieldsShowingVersion": 0,
            "customFieldUsage": [],
        }
    )


async def count_unresolved(request: web.Request) -> web.Response:
    """Answer how many issues of a version are not resolved."""
    call = Call(request)
    _ = call.user
    version = _version(call, call.part("id"))
    found = [issue for issue in call.world.issues.values() if version.id in issue.fix_version_ids]
    return answer(
        {
            "self": call.renderer.url("version", version.id),
            "issuesUnresolvedCount": sum(issue.resolution_id is None for issue in found),
            "issuesCount": len(found),
        }
    )


ROUTES = (
    web.post("/component", add_component),
    web.get("/component/{id}", get_component),
    web.put("/component/{id}", edit_component),
    web.delete("/component/{id}", delete_component),
    web.get("/component/{id}/relatedIssueCounts", count_component),
    web.post("/version", add_version),
    web.get("/version/{id}", get_version),
    web.put("/version/{id}", edit_version),
    web.delete("/version/{id}", delete_version),
    web.post("/version/{id}/removeAndSwap", swap_version),
    web.post("/version/{id}/move", move_version),
    web.get("/version/{id}/relatedIssueCounts", count_version),
    web.get("/version/{id}/unresolvedIssueCount", count_unresolved),
)
