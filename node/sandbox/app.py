"""The sandbox as a web application: middlewares, routes, and a server to run it in.

The only file that names all routes. ``running_sandbox`` is for tests and demos; the command line uses ``serve.py``.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler

from node.sandbox.auth import Refused, caller_of, check_host, check_origin
from node.sandbox.calls import Call, CallCounter
from node.sandbox.errors import JiraProblem
from node.sandbox.faults import FaultBox
from node.sandbox.render import Renderer
from node.sandbox.routes import (
    attachment,
    comment,
    control,
    issue,
    link,
    lists,
    meta,
    parts,
    people,
    project,
    properties,
    schemes,
    search,
    server,
    user,
    webhook,
    worklog,
)
from node.sandbox.routes.call import CALLER, RENDERER, WORLD, answer
from node.sandbox.routes.control import CALLS, FAULTS
from node.sandbox.seed import default_world
from node.sandbox.store import World
from node.sandbox.web import install as install_pages
from node.sandbox.webhooks import WebhookSender

log = logging.getLogger(__name__)

SENDER = web.AppKey("sender", WebhookSender)

BODY_SLACK = 1024 * 1024
"""What a request may hold beside the largest file: the wrapping of a multipart body."""

AGENT_LENGTH = 100
"""How much of a client's name is kept with the counts."""

SHUTDOWN_SECONDS = 2.0
"""How long requests under way may take to end when the sandbox stops."""

API = "/rest/api/2"
REST_ROUTES = (
    *server.ROUTES,
    *user.ROUTES,
    *lists.ROUTES,
    *search.ROUTES,
    *meta.ROUTES,
    *issue.ROUTES,
    *comment.ROUTES,
    *attachment.ROUTES,
    *properties.ROUTES,
    *project.ROUTES,
    *parts.ROUTES,
    *worklog.ROUTES,
    *link.ROUTES,
    *people.ROUTES,
    *schemes.ROUTES,
)


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    path = resource.canonical if resource is not None else "(no such route)"
    return path.replace("/rest/api/latest", API, 1)


@web.middleware
async def _count(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not request.path.startswith(("/rest/", "/secure/")):
        return await handler(request)
    status = 500
    try:
        response = await request.app[FAULTS].around(request, _route_of(request), handler)
    except web.HTTPException as refused:
        status = refused.status
        raise
    else:
        status = response.status
        return response
    finally:
        caller = request.get(CALLER)
        name = caller.name if caller is not None else ""
        agent = request.headers.get("User-Agent", "")[:AGENT_LENGTH].encode("ascii", "replace").decode()
        request.app[CALLS].add(Call(request.method, _route_of(request), status, name, agent))


@web.middleware
async def _explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn problems into Jira's error bodies."""
    try:
        return await handler(request)
    except JiraProblem as problem:
        return answer(problem.body(), problem.status, problem.headers)
    except Refused as refused:
        return refused.answer
    except web.HTTPRequestEntityTooLarge:
        return answer({"errorMessages": ["The request is too large."], "errors": {}}, 413)
    except web.HTTPException as refused:
        if refused.status in {404, 405} and request.path.startswith("/rest/"):
            message = {"message": f"null for uri: {request.url}", "status-code": refused.status}
            return answer(message, refused.status)
        raise
    except Exception:
        log.exception("The sandbox failed at %s %s", request.method, request.path)
        return answer({"errorMessages": ["Internal server error"], "errors": {}}, 500)


@web.middleware
async def _authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    check_host(request, request.app[WORLD].base_url)
    if request.path.startswith(("/rest/", "/secure/")):
        world = request.app[WORLD]
        calling = caller_of(world, request)
        if calling is not None:
            request[CALLER] = calling
        check_origin(request)
    response = await handler(request)
    caller = request.get(CALLER)
    if caller is not None and not response.prepared:
        response.headers["X-AUSERNAME"] = quote(caller.name)
    return response


def build_app(
    world: World, *, faults: FaultBox | None = None, calls: CallCounter | None = None, control_open: bool = False
) -> web.Application:
    """Return the sandbox over a world, with its pages.

    ``control_open`` opens the routes under ``/sandbox`` that set up faults.
    """
    app = web.Application(
        middlewares=[_count, _explain, _authenticate], client_max_size=world.site.upload_limit + BODY_SLACK
    )
    renderer = Renderer(world)
    app[WORLD] = world
    app[RENDERER] = renderer
    app[FAULTS] = faults if faults is not None else FaultBox()
    app[CALLS] = calls if calls is not None else CallCounter()
    app[SENDER] = WebhookSender(world, renderer, app[FAULTS])
    for prefix in (API, "/rest/api/latest"):
        app.router.add_routes([web.route(one.method, prefix + one.path, one.handler) for one in REST_ROUTES])
    app.router.add_routes([*webhook.ROUTES, *attachment.CONTENT_ROUTES, *schemes.OTHER_ROUTES])
    app.router.add_routes(control.CALL_ROUTES)
    if control_open:
        app.router.add_routes(control.FAULT_ROUTES)
    install_pages(app, world)
    app.cleanup_ctx.append(_sending)
    return app


async def _sending(app: web.Application) -> AsyncIterator[None]:
    app[SENDER].start()
    yield
    await app[SENDER].stop()


@dataclass(slots=True)
class RunningSandbox:
    """A sandbox that answers at ``url``."""

    url: str
    world: World
    faults: FaultBox
    calls: CallCounter
    sender: WebhookSender
    app: web.Application = field(repr=False)


@contextlib.asynccontextmanager
async def running_sandbox(
    world: World | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    base_url: str = "",
    control_open: bool = False,
) -> AsyncIterator[RunningSandbox]:
    """Run a sandbox, over the default world unless one is given, on a free port unless one is given.

    ``base_url`` is what ``self`` links begin with, when others do not reach the sandbox under its own address.
    """
    world = world if world is not None else default_world()
    app = build_app(world, control_open=control_open)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        address = runner.addresses[0]
        name = f"[{address[0]}]" if ":" in address[0] else address[0]
        url = f"http://{name}:{address[1]}"
        world.base_url = base_url.rstrip("/") or url
        yield RunningSandbox(url, world, app[FAULTS], app[CALLS], app[SENDER], app)
    finally:
        await runner.cleanup()
