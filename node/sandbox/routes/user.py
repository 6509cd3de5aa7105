"""People and groups: reading, searching, adding."""

from __future__ import annotations

from aiohttp import web

from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.model import User
from node.sandbox.permissions import may, require_admin
from node.sandbox.routes.call import Call, answer, nothing
from node.sandbox.seed import create_user


def _found_user(call: Call) -> User:
    query = call.query
    user = call.world.user(query["key"]) if "key" in query else call.world.user_named(query.get("username"))
    if user is None:
        wanted = query.get("username", query.get("key", ""))
        raise NotThere(f"The user named '{wanted}' does not exist")
    return user


async def get_user(request: web.Request) -> web.Response:
    """Answer one person by ``username`` or ``key``."""
    call = Call(request)
    _ = call.user
    return answer(call.renderer.whole_user(_found_user(call)))


async def add_user(request: web.Request) -> web.Response:
    """Add a person; administrators only."""
    call = Call(request)
    require_admin(call.caller)
    body = await call.body()
    name = str(body.get("name") or "").strip()
    if not name:
        raise BadRequest(errors={"username": "You must specify a username."})
    if call.world.user_named(name) is not None:
        raise BadRequest(errors={"username": "A user with that username already exists."})
    user = create_user(
        call.world,
        name,
        str(body.get("displayName") or body.get("fullname") or name),
        password=str(body.get("password") or name),
        email=str(body.get("emailAddress") or body.get("email") or f"{name}@example.com"),
    )
    return answer(call.renderer.whole_user(user), 201)


async def remove_user(request: web.Request) -> web.Response:
    """Make a person inactive: Jira keeps people on whom issues depend, and so does this."""
    call = Call(request)
    require_admin(call.caller)
    user = _found_user(call)
    user.active = False
    call.world.touch_site()
    return nothing()


def _matching(call: Call, text: str, *, inactive: bool) -> list[User]:
    needle = text.casefold()
    return [
        user
        for user in call.world.site.users.values()
        if (user.active or inactive)
        and (
            needle in {"", ".", "%"}
            or any(
                part.startswith(needle)
                for field in (user.name, user.display_name, user.email)
                for part in (field.casefold(), *field.casefold().split())
            )
        )
    ]


async def search_users(request: web.Request) -> web.Response:
    """Answer people whose name, full name or address begins with ``username``."""
    call = Call(request)
    _ = call.user
    if "username" not in call.query:
        raise BadRequest("The username query parameter was not provided")
    start, size = call.page()
    found = _matching(call, call.query["username"], inactive=call.flag("includeInactive"))
    return answer([call.renderer.user(user.key) for user in found[start : start + size]])


async def assignable_users(request: web.Request) -> web.Response:
    """Answer people who may be assigned to issues of a project, or to one issue."""
    call = Call(request)
    _ = call.user
    names = [name for name in call.query.get("projectKeys", call.query.get("project", "")).split(",") if name]
    issue = call.world.issue(call.query.get("issueKey", ""))
    if issue is not None:
        names = [issue.project_id]
    projects = [call.world.project(name) for name in names]
    if not projects or None in projects:
        raise NotThere("No project could be found.")
    start, size = call.page()
    found = [
        user
        for user in _matching(call, call.query.get("username", ""), inactive=False)
        if all(may(user, "ASSIGNABLE_USER", project) for project in projects)
    ]
    return answer([call.renderer.user(user.key) for user in found[start : start + size]])


async def groups_picker(request: web.Request) -> web.Response:
    """Answer the groups whose name holds ``query``."""
    call = Call(request)
    _ = call.user
    wanted = call.query.get("query", "").casefold()
    found = [group for group in call.world.site.groups if wanted in group.casefold()]
    return answer(
        {
            "header": f"Showing {len(found)} of {len(found)} matching groups",
            "total": len(found),
            "groups": [{"name": group, "html": group, "labels": []} for group in found],
        }
    )


async def group_members(request: web.Request) -> web.Response:
    """Answer the people of a group."""
    call = Call(request)
    require_admin(call.caller)
    name = call.query.get("groupname", "")
    if name not in call.world.site.groups:
        raise NotThere(f"The group named '{name}' does not exist.")
    start, size = call.page()
    members = [user for user in call.world.site.users.values() if name in user.groups]
    shown = members[start : start + size]
    return answer(
        {
            "self": f"{call.world.base_url}/rest/api/2/group/member?groupname={name}",
            "maxResults": size,
            "startAt": start,
            "total": len(members),
            "isLast": start + len(shown) >= len(members),
            "values": [call.renderer.user(user.key) for user in shown],
        }
    )


ROUTES = (
    web.get("/user", get_user),
    web.post("/user", add_user),
    web.delete("/user", remove_user),
    # The slash is how the `jira` package asks for it; Jira does not mind.
    web.delete("/user/", remove_user),
    web.get("/user/search", search_users),
    web.get("/user/assignable/search", assignable_users),
    web.get("/user/assignable/multiProjectSearch", assignable_users),
    web.get("/groups/picker", groups_picker),
    web.get("/group/member", group_members),
)
