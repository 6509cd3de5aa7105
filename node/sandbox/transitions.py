"""Moving an issue through its workflow: which transitions are open, and what one of them does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.sandbox import issues
from node.sandbox.changes import compare
from node.sandbox.edits import EditReader, apply_values
from node.sandbox.errors import BadRequest
from node.sandbox.fields import SYSTEM_DEFINITIONS, Definition, definition_of
from node.sandbox.model import Issue, Transition, User
from node.sandbox.permissions import may
from node.sandbox.store import World


def open_transitions(world: World, issue: Issue, actor: User) -> list[Transition]:
    """Return the transitions that the user may make from where the issue stands."""
    project = world.site.projects[issue.project_id]
    if not may(actor, "TRANSITION_ISSUES", project):
        return []
    workflow = world.site.workflows[project.workflow_id]
    return [one for one in workflow.transitions if not one.sources or issue.status_id in one.sources]


def transition_screen(world: World, transition: Transition) -> dict[str, Definition]:
    """Return the fields of a transition's screen; every screen takes a comment too."""
    found = ((shown.field_id, definition_of(world, shown.field_id)) for shown in transition.screen)
    screen = {name: definition for name, definition in found if definition is not None}
    if transition.screen:
        screen["comment"] = SYSTEM_DEFINITIONS["comment"]
    return screen


def perform(world: World, issue: Issue, body: Mapping[str, Any], actor: User) -> None:
    """Make the transition that a request's body names. Raises BadRequest."""
    given = body.get("transition")
    wanted = given.get("id") if isinstance(given, Mapping) else given
    if wanted is None or isinstance(wanted, dict | list):
        raise BadRequest("Missing 'transition' identifier")
    if not str(wanted).isdecimal():
        raise BadRequest(f"Transition id '{wanted}' is not a number.")
    transition = next((one for one in open_transitions(world, issue, actor) if one.id == str(wanted)), None)
    if transition is None:
        raise BadRequest(
            f"It seems that you have tried to perform an illegal workflow operation (id {wanted}) on {issue.key}."
        )
    project = world.site.projects[issue.project_id]
    reader = EditReader(world, project, transition_screen(world, transition), actor, issue)
    edit = reader.read(body)
    for shown in transition.screen:
        definition = reader.screen.get(shown.field_id)
        missing = edit.values.get(shown.field_id, (None, None))[1] in (None, [])
        if shown.required and missing and definition is not None:
            edit.errors.setdefault(shown.field_id, f"{definition.name} is required.")
    edit.refuse_errors()
    status = SYSTEM_DEFINITIONS["status"]
    resolution = SYSTEM_DEFINITIONS["resolution"]
    if transition.resolution is not None:
        edit.values["resolution"] = (resolution, transition.resolution or None)
    items = apply_values(world, issue, edit)
    items += compare(world, status, issue.status_id, transition.target)
    issue.status_id = transition.target
    issue.properties |= edit.properties
    issues.finish(world, issue, items, edit, actor, transition.event)
