"""The schemes that clients ask for before they create a project: one default of each. Nothing follows from them."""

from __future__ import annotations

from aiohttp import web

from node.sandbox.errors import NotLoggedIn
from node.sandbox.permissions import require_admin
from node.sandbox.routes.call import Call, answer

SCHEME_ID = 0


async def permission_schemes(request: web.Request) -> web.Response:
    """Answer the one permission scheme."""
    call = Call(request)
    require_admin(call.caller)
    scheme = {
        "expand": "permissions,user,group,projectRole,field,all",
        "id": SCHEME_ID,
        "self": call.renderer.url("permissionscheme", str(SCHEME_ID)),
        "name": "Default Permission Scheme",
        "description": "This is the default Permission Scheme.",
    }
    return answer({"permissionSchemes": [scheme]})


async def security_schemes(request: web.Request) -> web.Response:
    """Answer the one scheme of security levels, which has no levels."""
    call = Call(request)
    require_admin(call.caller)
    scheme = {
        "self": call.renderer.url("issuesecurityschemes", "10000"),
        "id": 10000,
        "name": "Default",
        "description": "",
    }
    return answer({"issueSecuritySchemes": [scheme]})


async def session(request: web.Request) -> web.Response:
    """Answer who is logged in, under the path that older clients ask."""
    call = Call(request)
    if call.caller is None:
        raise NotLoggedIn("You are not authenticated. Authentication required to perform this operation.")
    return answer(
        {
            "self": f"{call.world.base_url}/rest/api/latest/user?username={call.caller.name}",
            "name": call.caller.name,
            "loginInfo": {"failedLoginCount": 0, "loginCount": 1},
        }
    )


async def application_links(request: web.Request) -> web.Response:
    """Answer the links to other applications: there are none."""
    _ = Call(request).user
    return answer({"list": []})


ROUTES = (
    web.get("/permissionscheme", permission_schemes),
    web.get("/issuesecurityschemes", security_schemes),
)
OTHER_ROUTES = (
    web.get("/rest/auth/1/session", session),
    web.get("/rest/applinks/latest/listApplicationlinks", application_links),
)
