"""What this Jira is, who calls it, and what the caller may do."""

from __future__ import annotations

from aiohttp import web

from node.sandbox.clock import write_moment
from node.sandbox.errors import Forbidden, NotLoggedIn, NotThere
from node.sandbox.permissions import ADMIN_PERMISSIONS, GLOBAL_PERMISSIONS, USER_PERMISSIONS, may
from node.sandbox.routes.call import Call, answer, nothing

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
)
