"""What this Jira is: serverInfo, myself, users, permissions, and the lists of its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from node.sandbox.clock import write_moment
from node.sandbox.errors import BadRequest, Forbidden, NotLoggedIn, NotThere
from node.sandbox.fields import KINDS, custom_definition
from node.sandbox.model import User
from node.sandbox.permissions import ADMIN_PERMISSIONS, GLOBAL_PERMISSIONS, USER_PERMISSIONS, may, require_admin
from node.sandbox.render import CATEGORIES
from node.sandbox.routes.call import Call, answer, nothing
from node.sandbox.seed import create_field, create_user

VERSION = (10, 3, 2)
BUILD_NUMBER = 10_030_002


async def server_info(request: web.Request) -> web.Response:
    """Answer what kind of Jira this is, to anybody."""
    call = Call(request)
    return answer(
        {
            "baseUrl": call.world.base_url,
            "version": ".".join(map(str, VERSION)),
            "versionNumbers": list(VERSION),
            "deploymentType": "Server",
            "buildNumber": BUILD_NUMBER,
            "buildDate": "2025-01-20T00:00:00.000+0000",
            "databaseBuildNumber": BUILD_NUMBER,
            "serverTime": write_moment(call.world.now()),
            "scmInfo": "sandbox",
            "serverTitle": call.world.site.title,
        }
    )


async def myself(request: web.Request) -> web.Response:
    """Answer who calls."""
    call = Call(request)
    if call.caller is None:
        raise NotLoggedIn("Client must be authenticated to access this resource.")
    return answer(call.renderer.whole_user(call.caller))


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


async def my_permissions(request: web.Request) -> web.Response:
    """Answer what the caller may do, in a project or on an issue when one is named."""
    call = Call(request)
    query = call.query
    named = query.get("projectKey") or query.get("projectId")
    project = call.world.project(named) if named else None
    if named and (project is None or not may(call.caller, "BROWSE_PROJECTS", project)):
        raise NotThere(f"No project could be found with key '{named}'.")
    issue_name = query.get("issueKey") or query.get("issueId")
    if issue_name:
        issue = call.world.issue(issue_name)
        if issue is None:
            raise NotThere("Issue Does Not Exist")
        project = call.world.site.projects[issue.project_id]
    permissions = {
        key: {
            "id": str(number),
            "key": key,
            "name": name,
            "type": "GLOBAL" if key in GLOBAL_PERMISSIONS else "PROJECT",
            "description": name,
            "havePermission": may(call.caller, key, project),
        }
        for number, (key, name) in enumerate((USER_PERMISSIONS | ADMIN_PERMISSIONS).items(), 1)
    }
    return answer({"permissions": permissions})


async def fields(request: web.Request) -> web.Response:
    """Answer all fields, to anybody."""
    call = Call(request)
    return answer([call.renderer.field(one) for one in call.all_fields()])


async def add_field(request: web.Request) -> web.Response:
    """Add a custom field; administrators only."""
    call = Call(request)
    require_admin(call.caller)
    body = await call.body()
    name = str(body.get("name") or "").strip()
    if not name:
        raise BadRequest(errors={"name": "No name provided."})
    wanted = str(body.get("type") or "").rpartition(":")[2]
    kind = next((one for one, known in KINDS.items() if known.custom == wanted), None)
    if kind is None:
        raise BadRequest(errors={"type": f"No custom field type found for '{body.get('type')}'."})
    custom = create_field(call.world, name, kind, description=str(body.get("description") or ""))
    return answer(call.renderer.field(custom_definition(custom)), 201)


async def field_option(request: web.Request) -> web.Response:
    """Answer one choice of a select field."""
    call = Call(request)
    wanted = call.part("option")
    for custom in call.world.site.fields.values():
        for option in custom.options:
            for one in (option, *option.children):
                if one.id == wanted:
                    # Here, and only here, Jira writes the id of an option as a number.
                    return answer({**call.renderer.option(one), "id": int(one.id)})
    raise NotThere(f"A custom field option with id '{wanted}' does not exist")


def _listing(
    kind: str,
    held: Callable[[Call], Mapping[str, Any]],
    render: Callable[[Call, Any], Any],
    *,
    public: bool = True,
) -> tuple[Callable[[web.Request], Any], Callable[[web.Request], Any]]:
    async def listing(request: web.Request) -> web.Response:
        call = Call(request)
        _ = public or call.user
        return answer([render(call, one) for one in held(call).values()])

    async def one_of(request: web.Request) -> web.Response:
        call = Call(request)
        _ = public or call.user
        wanted = call.part("thing")
        things = held(call)
        found = things.get(wanted) or next((one for one in things.values() if one.name == wanted), None)
        if found is None:
            raise NotThere(f"The {kind} with id '{wanted}' does not exist")
        return answer(render(call, found))

    return listing, one_of


issue_types, issue_type = _listing(
    "issue type", lambda c: c.world.site.issue_types, lambda c, t: c.renderer.issue_type(t)
)
statuses, status = _listing("status", lambda c: c.world.site.statuses, lambda c, s: c.renderer.status(s))
priorities, priority = _listing(
    "priority", lambda c: c.world.site.priorities, lambda c, p: c.renderer.priority(p, whole=True)
)
resolutions, resolution = _listing(
    "resolution", lambda c: c.world.site.resolutions, lambda c, r: c.renderer.resolution(r)
)
roles, role = _listing("role", lambda c: c.world.site.roles, lambda c, r: c.renderer.role(r), public=False)
categories, category = _listing(
    "category", lambda c: c.world.site.categories, lambda c, k: c.renderer.category(k), public=False
)
link_types, link_type = _listing(
    "link type", lambda c: c.world.site.link_types, lambda c, t: c.renderer.link_type(t), public=False
)


async def all_link_types(request: web.Request) -> web.Response:
    """Answer the types of issue links."""
    call = Call(request)
    _ = call.user
    return answer({"issueLinkTypes": [call.renderer.link_type(one) for one in call.world.site.link_types.values()]})


async def status_categories(request: web.Request) -> web.Response:
    """Answer the categories of statuses."""
    call = Call(request)
    return answer([call.renderer.status_category(key) for key in CATEGORIES])


async def status_category(request: web.Request) -> web.Response:
    """Answer one category of statuses by id or key."""
    call = Call(request)
    for key, known in CATEGORIES.items():
        if call.part("thing") in {key, str(known["id"])}:
            return answer(call.renderer.status_category(key))
    raise NotThere("The status category does not exist")


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


async def change_my_password(request: web.Request) -> web.Response:
    """Change the caller's password."""
    call = Call(request)
    body = await call.body()
    if call.world.check_password(call.user.name, str(body.get("currentPassword", ""))) is None:
        raise Forbidden("The current password is wrong.")
    call.world.set_password(call.user, str(body.get("password", "")))
    return nothing()


ROUTES = (
    web.get("/serverInfo", server_info),
    web.get("/myself", myself),
    web.put("/myself/password", change_my_password),
    web.get("/mypermissions", my_permissions),
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
    web.get("/field", fields),
    web.post("/field", add_field),
    web.get("/customFieldOption/{option}", field_option),
    web.get("/issuetype", issue_types),
    web.get("/issuetype/{thing}", issue_type),
    web.get("/status", statuses),
    web.get("/status/{thing}", status),
    web.get("/statuscategory", status_categories),
    web.get("/statuscategory/{thing}", status_category),
    web.get("/priority", priorities),
    web.get("/priority/{thing}", priority),
    web.get("/resolution", resolutions),
    web.get("/resolution/{thing}", resolution),
    web.get("/role", roles),
    web.get("/role/{thing}", role),
    web.get("/projectCategory", categories),
    web.get("/projectCategory/{thing}", category),
    web.get("/issueLinkType", all_link_types),
    web.get("/issueLinkType/{thing}", link_type),
)
