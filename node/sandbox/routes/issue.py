"""Issues: creating, reading, editing, assigning, moving through the workflow, deleting."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from node.sandbox import issues, transitions
from node.sandbox.errors import BadRequest, JiraProblem
from node.sandbox.model import Issue, User
from node.sandbox.permissions import require
from node.sandbox.render_issue import FieldChoice
from node.sandbox.routes.call import Call, answer, nothing
from node.sandbox.routes.meta import edit_meta_of, screen_meta

NO_SILENCE = "To discard the user notification either admin or project admin permissions are required."
BULK_LIMIT = 50
"""How many issues one bulk create takes."""


def _created(call: Call, issue: Issue) -> dict[str, Any]:
    return {"id": issue.id, "key": issue.key, "self": call.renderer.url("issue", issue.id)}


async def create(request: web.Request) -> web.Response:
    """Create one issue."""
    call = Call(request)
    user = call.user
    issue = issues.create(call.world, await call.body(), user)
    return answer(_created(call, issue), 201)


async def create_many(request: web.Request) -> web.Response:
    """Create up to fifty issues; those that cannot be are told by their place in the list."""
    call = Call(request)
    user = call.user
    drafts = (await call.body()).get("issueUpdates")
    if not isinstance(drafts, list) or not drafts:
        raise BadRequest("No issue updates were given.")
    if len(drafts) > BULK_LIMIT:
        raise BadRequest(f"No more than {BULK_LIMIT} issues can be created at once.")
    made, errors = [], []
    for number, draft in enumerate(drafts):
        try:
            if not isinstance(draft, dict):
                raise BadRequest("An issue must be an object.")
            made.append(_created(call, issues.create(call.world, draft, user)))
        except JiraProblem as problem:
            errors.append({"status": problem.status, "elementErrors": problem.body(), "failedElementNumber": number})
    return answer({"issues": made, "errors": errors}, 201 if made else 400)


async def get(request: web.Request) -> web.Response:
    """Answer one issue."""
    call = Call(request)
    issue = call.issue()
    choice = FieldChoice.read(request.query.getall("fields", []), "*all")
    expand = call.expand
    rendered = call.view.issue(issue, choice, expand)
    if "transitions" in expand:
        rendered["transitions"] = _transitions(call, issue, call.user, with_fields="transitions.fields" in expand)
    if "editmeta" in expand:
        rendered["editmeta"] = edit_meta_of(call, issue)
    wanted = {name for item in request.query.getall("properties", []) for name in item.split(",")}
    if wanted:
        shown = issue.properties if "*all" in wanted else {k: v for k, v in issue.properties.items() if k in wanted}
        rendered["properties"] = shown
    return answer(rendered)


async def edit(request: web.Request) -> web.Response:
    """Edit an issue."""
    call = Call(request)
    body = await call.body()
    issue, user = call.issue(), call.user
    if call.query.get("notifyUsers", "true").lower() == "false":
        project = call.world.site.projects[issue.project_id]
        require(user, "ADMINISTER_PROJECTS", NO_SILENCE, project)
    issues.update(call.world, issue, body, user)
    return nothing()


async def delete(request: web.Request) -> web.Response:
    """Delete an issue."""
    call = Call(request)
    issue, user = call.issue(), call.user
    issues.delete(call.world, issue, user, with_subtasks=call.flag("deleteSubtasks"))
    return nothing()


async def assign(request: web.Request) -> web.Response:
    """Set the assignee."""
    call = Call(request)
    body = await call.body()
    issue, user = call.issue(), call.user
    if not {"name", "key"} & body.keys():
        raise BadRequest("The name or the key of the assignee is required.")
    issues.assign(call.world, issue, body, user)
    return nothing()


def _transitions(call: Call, issue: Issue, user: User, *, with_fields: bool) -> list[dict[str, Any]]:
    rendered = []
    project = call.world.site.projects[issue.project_id]
    for one in transitions.open_transitions(call.world, issue, user):
        entry: dict[str, Any] = {
            "id": one.id,
            "name": one.name,
            "opsbarSequence": 10,
            "to": call.renderer.status(call.world.site.statuses[one.target]),
        }
        if with_fields:
            screen = transitions.transition_screen(call.world, one)
            required = {shown.field_id for shown in one.screen if shown.required}
            entry["fields"] = {
                name: screen_meta(call, project, definition, required=name in required)
                for name, definition in screen.items()
            }
        rendered.append(entry)
    return rendered


async def get_transitions(request: web.Request) -> web.Response:
    """Answer the transitions that are open to the caller."""
    call = Call(request)
    issue, user = call.issue(), call.user
    rendered = _transitions(call, issue, user, with_fields="transitions.fields" in call.expand)
    wanted = call.query.get("transitionId")
    if wanted:
        rendered = [one for one in rendered if one["id"] == wanted]
    return answer({"expand": "transitions", "transitions": rendered})


async def transition(request: web.Request) -> web.Response:
    """Move an issue through its workflow."""
    call = Call(request)
    body = await call.body()
    issue, user = call.issue(), call.user
    transitions.perform(call.world, issue, body, user)
    return nothing()


async def subtasks(request: web.Request) -> web.Response:
    """Answer an issue's sub-tasks."""
    call = Call(request)
    issue = call.issue()
    view = call.view
    return answer([view.stub(call.world.issues[one]) for one in issue.subtask_ids])


async def edit_meta(request: web.Request) -> web.Response:
    """Answer what may be edited on an issue."""
    call = Call(request)
    return answer(edit_meta_of(call, call.issue()))


ROUTES = (
    web.post("/issue", create),
    web.post("/issue/bulk", create_many),
    web.get("/issue/{issue}", get),
    web.put("/issue/{issue}", edit),
    web.delete("/issue/{issue}", delete),
    web.put("/issue/{issue}/assignee", assign),
    web.get("/issue/{issue}/transitions", get_transitions),
    web.post("/issue/{issue}/transitions", transition),
    web.get("/issue/{issue}/subtask", subtasks),
    web.get("/issue/{issue}/editmeta", edit_meta),
)
