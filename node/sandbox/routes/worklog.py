"""Time that was logged: on an issue, and the feeds of what changed and went."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from node.sandbox import worklogs
from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.model import Issue, Worklog
from node.sandbox.permissions import can_read, may
from node.sandbox.routes.call import Call, answer, nothing

FEED_PAGE = 1000
"""How many entries one page of a feed has, and how many worklogs one list may ask for."""
FEED_LAG_MS = 60_000
"""The feeds leave out the last minute (Atlassian: "will not return worklogs updated during last minute")."""


def _worklog(call: Call, issue: Issue) -> Worklog:
    worklog = worklogs.find(issue, call.part("worklog"))
    if not can_read(call.world, call.caller, issue, worklog.visibility):
        raise NotThere(f"Cannot find worklog with id: '{worklog.id}'.")
    return worklog


async def get_all(request: web.Request) -> web.Response:
    """Answer all worklogs of an issue."""
    call = Call(request)
    return answer(call.view.worklogs(call.issue()))


async def get(request: web.Request) -> web.Response:
    """Answer one worklog."""
    call = Call(request)
    issue = call.issue()
    return answer(call.view.worklog(issue, _worklog(call, issue)))


async def add(request: web.Request) -> web.Response:
    """Log work."""
    call = Call(request)
    body = await call.body()
    issue = call.issue("WORK_ON_ISSUES", "You do not have the permission to log work on this issue.")
    draft = worklogs.read_draft(call.world, body, creating=True)
    adjustment = worklogs.Adjustment.read(call.query, "reduceBy")
    return answer(call.view.worklog(issue, worklogs.add(call.world, issue, call.user, draft, adjustment)), 201)


async def edit(request: web.Request) -> web.Response:
    """Change a worklog."""
    call = Call(request)
    body = await call.body()
    issue = call.issue()
    worklog = _worklog(call, issue)
    draft = worklogs.read_draft(call.world, body, creating=False)
    worklogs.edit(call.world, issue, call.user, worklog, draft, worklogs.Adjustment.read(call.query, "reduceBy"))
    return answer(call.view.worklog(issue, worklog))


async def delete(request: web.Request) -> web.Response:
    """Remove a worklog."""
    call = Call(request)
    issue = call.issue()
    adjustment = worklogs.Adjustment.read(call.query, "increaseBy")
    worklogs.delete(call.world, issue, call.user, _worklog(call, issue), adjustment)
    return nothing()


def _feed(call: Call, path: str, entries: list[tuple[int, int]]) -> web.Response:
    _ = call.user
    since = call.number("since", 0)
    limit = call.world.now() - FEED_LAG_MS
    fitting = sorted((at, worklog_id) for at, worklog_id in entries if since <= at <= limit)
    shown = fitting[:FEED_PAGE]
    base = f"{call.renderer.url('worklog', path)}?since="
    page: dict[str, Any] = {
        "values": [{"worklogId": worklog_id, "updatedTime": at} for at, worklog_id in shown],
        "since": since,
        "until": shown[-1][0] if shown else limit,
        "self": f"{base}{since}",
        "lastPage": len(shown) == len(fitting),
    }
    if not page["lastPage"]:
        page["nextPage"] = f"{base}{page['until']}"
    return answer(page)


async def updated(request: web.Request) -> web.Response:
    """Answer which worklogs changed since a moment."""
    call = Call(request)
    entries = [(worklog.updated, int(worklog.id)) for issue, worklog in call.world.worklogs() if _sees(call, issue)]
    return _feed(call, "updated", entries)


def _sees(call: Call, issue: Issue) -> bool:
    return may(call.caller, "BROWSE_PROJECTS", call.world.site.projects[issue.project_id])


async def deleted(request: web.Request) -> web.Response:
    """Answer which worklogs were deleted since a moment."""
    call = Call(request)
    return _feed(call, "deleted", [(gone.at, int(gone.id)) for gone in call.world.site.deleted_worklogs])


async def listing(request: web.Request) -> web.Response:
    """Answer the worklogs of these ids; unknown and invisible ones are left out."""
    call = Call(request)
    _ = call.user
    ids = (await call.body()).get("ids")
    if not isinstance(ids, list) or len(ids) > FEED_PAGE:
        raise BadRequest(f"Up to {FEED_PAGE} worklog ids are required.")
    found = [one for one in (call.world.worklog(str(worklog_id)) for worklog_id in ids) if one is not None]
    return answer(
        [
            call.view.worklog(issue, worklog)
            for issue, worklog in found
            if _sees(call, issue) and can_read(call.world, call.caller, issue, worklog.visibility)
        ]
    )


ROUTES = (
    web.get("/issue/{issue}/worklog", get_all),
    web.post("/issue/{issue}/worklog", add),
    web.get("/issue/{issue}/worklog/{worklog}", get),
    web.put("/issue/{issue}/worklog/{worklog}", edit),
    web.delete("/issue/{issue}/worklog/{worklog}", delete),
    web.get("/worklog/updated", updated),
    web.get("/worklog/deleted", deleted),
    web.post("/worklog/list", listing),
)
