"""Who watches an issue, and who votes for it."""

from __future__ import annotations

from aiohttp import web

from node.sandbox.errors import BadRequest, NotThere
from node.sandbox.model import User
from node.sandbox.permissions import require
from node.sandbox.routes.call import Call, answer, nothing, parse_json


async def watchers(request: web.Request) -> web.Response:
    """Answer who watches."""
    call = Call(request)
    issue = call.issue()
    return answer(
        {
            "self": call.renderer.url("issue", issue.key, "watchers"),
            "isWatching": call.user.key in issue.watchers,
            "watchCount": len(issue.watchers),
            "watchers": [call.renderer.user(key) for key in issue.watchers],
        }
    )


def _named(call: Call, name: str) -> User:
    user = call.world.user_named(name)
    if user is None:
        raise NotThere(f"The user '{name}' does not exist.")
    return user


async def watch(request: web.Request) -> web.Response:
    """Let a person watch: the one whose name is the body, or the caller."""
    call = Call(request)
    issue = call.issue()
    raw = await request.read()
    user = call.user
    if raw.strip():
        user = _named(call, str(parse_json(raw)))
    if user is not call.user:
        project = call.world.site.projects[issue.project_id]
        require(call.user, "MANAGE_WATCHERS", "You do not have permission to manage the watcher list.", project)
    if user.key not in issue.watchers:
        issue.watchers.append(user.key)
        call.world.touch_issue(issue)
    return nothing()


async def unwatch(request: web.Request) -> web.Response:
    """Let a person watch no more."""
    call = Call(request)
    issue = call.issue()
    if "username" not in call.query:
        raise BadRequest("The username of the watcher is required.")
    user = _named(call, call.query["username"])
    if user.key in issue.watchers:
        issue.watchers.remove(user.key)
        call.world.touch_issue(issue)
    return nothing()


async def votes(request: web.Request) -> web.Response:
    """Answer who votes."""
    call = Call(request)
    issue = call.issue()
    return answer(
        {
            "self": call.renderer.url("issue", issue.key, "votes"),
            "votes": len(issue.voters),
            "hasVoted": call.user.key in issue.voters,
            "voters": [call.renderer.user(key) for key in issue.voters],
        }
    )


async def vote(request: web.Request) -> web.Response:
    """Vote for an issue that is somebody else's and open."""
    call = Call(request)
    issue = call.issue()
    if issue.reporter == call.user.key:
        raise NotThere("You cannot vote for an issue you have reported.")
    if issue.resolution_id is not None:
        raise NotThere("You cannot vote for an issue that is resolved.")
    if call.user.key not in issue.voters:
        issue.voters.append(call.user.key)
        call.world.touch_issue(issue)
    return nothing()


async def unvote(request: web.Request) -> web.Response:
    """Take a vote back."""
    call = Call(request)
    issue = call.issue()
    if call.user.key not in issue.voters:
        raise NotThere("You cannot remove a vote for an issue you have not voted for.")
    issue.voters.remove(call.user.key)
    call.world.touch_issue(issue)
    return nothing()


ROUTES = (
    web.get("/issue/{issue}/watchers", watchers),
    web.post("/issue/{issue}/watchers", watch),
    web.delete("/issue/{issue}/watchers", unwatch),
    web.get("/issue/{issue}/votes", votes),
    web.post("/issue/{issue}/votes", vote),
    web.delete("/issue/{issue}/votes", unvote),
)
