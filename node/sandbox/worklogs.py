"""Time that people spent: worklogs, and what they do to an issue's estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.sandbox.changes import record, single
from node.sandbox.clock import read_moment
from node.sandbox.comments import read_visibility
from node.sandbox.durations import read_duration
from node.sandbox.errors import BadRequest, Forbidden, NotThere, field_problem
from node.sandbox.events import Event
from node.sandbox.field_parsers import WrongValue, check_text
from node.sandbox.model import ChangeItem, DeletedWorklog, Issue, User, Visibility, Worklog
from node.sandbox.permissions import may
from node.sandbox.store import World


@dataclass(slots=True)
class WorklogDraft:
    """A worklog as a request gives it; None where it gives nothing."""

    seconds: int | None = None
    started: int | None = None
    comment: str | None = None
    visibility: Visibility | None = None


@dataclass(slots=True)
class Adjustment:
    """What becomes of the remaining estimate: ``auto``, ``leave``, ``new`` (to ``seconds``), ``manual`` (by them)."""

    mode: str = "auto"
    seconds: int = 0

    @classmethod
    def read(cls, query: Mapping[str, str], manual_parameter: str) -> Adjustment:
        """Read ``adjustEstimate`` and its companion. Raises BadRequest."""
        mode = query.get("adjustEstimate", "auto")
        if mode not in {"auto", "leave", "new", "manual"}:
            raise field_problem("adjustEstimate", "The adjustEstimate parameter must be auto, leave, new or manual.")
        if mode in {"auto", "leave"}:
            return cls(mode)
        parameter = "newEstimate" if mode == "new" else manual_parameter
        try:
            return cls(mode, read_duration(query.get(parameter, "")))
        except ValueError:
            raise field_problem(parameter, f"You must specify a valid {parameter}.") from None

    def apply(self, remaining: int | None, before: int, after: int) -> int | None:
        """Return the remaining estimate after the time of a worklog went from ``before`` to ``after`` seconds."""
        if self.mode == "leave":
            return remaining
        if self.mode == "new":
            return self.seconds
        if self.mode == "manual":
            return max(0, (remaining or 0) + (self.seconds if after < before else -self.seconds))
        return None if remaining is None and after >= before else max(0, (remaining or 0) + before - after)


def read_draft(world: World, given: Mapping[str, Any], *, creating: bool) -> WorklogDraft:
    """Read a worklog from a request. Raises BadRequest."""
    draft = WorklogDraft(visibility=read_visibility(world, given.get("visibility"), "worklogLevel"))
    try:
        if given.get("timeSpentSeconds") is not None:
            draft.seconds = int(given["timeSpentSeconds"])
        elif given.get("timeSpent") is not None:
            draft.seconds = read_duration(str(given["timeSpent"]))
    except (TypeError, ValueError):
        raise field_problem("timeLogged", "Invalid time duration entered.") from None
    if creating and draft.seconds is None:
        raise field_problem("timeLogged", "You must indicate the time spent working.")
    if draft.seconds is not None and draft.seconds <= 0:
        raise field_problem("timeLogged", "You must indicate the time spent working.")
    if given.get("started") is not None:
        try:
            draft.started = read_moment(str(given["started"]))
        except ValueError:
            raise BadRequest(f"Unexpected date format in 'started': {given['started']}") from None
    if given.get("comment") is not None:
        try:
            draft.comment = check_text(str(given["comment"]))
        except WrongValue as wrong:
            raise field_problem("comment", str(wrong)) from None
    return draft


def find(issue: Issue, worklog_id: str) -> Worklog:
    """Return a worklog of the issue. Raises NotThere."""
    for worklog in issue.worklogs:
        if worklog.id == worklog_id:
            return worklog
    raise NotThere(f"Cannot find worklog with id: '{worklog_id}'.")


def add(world: World, issue: Issue, actor: User, draft: WorklogDraft, adjustment: Adjustment) -> Worklog:
    """Log work."""
    now = world.stamp(issue)
    worklog = Worklog(
        world.new_id("worklog"),
        actor.key,
        draft.started if draft.started is not None else now,
        draft.seconds or 0,
        now,
        now,
        draft.comment or "",
        actor.key,
        draft.visibility,
    )
    items = _spend(issue, 0, worklog.seconds, adjustment)
    world.add_worklog(issue, worklog)
    _finish(world, issue, actor, worklog, items, "worklog_created", "issue_worklog_added")
    return worklog


def edit(
    world: World, issue: Issue, actor: User, worklog: Worklog, draft: WorklogDraft, adjustment: Adjustment
) -> None:
    """Change a worklog; what the draft leaves out stays."""
    _require_own(world, issue, actor, worklog, "EDIT")
    now = world.stamp(issue)
    items: list[ChangeItem] = []
    if draft.seconds is not None:
        items = _spend(issue, worklog.seconds, draft.seconds, adjustment)
        worklog.seconds = draft.seconds
    worklog.started = draft.started if draft.started is not None else worklog.started
    worklog.comment = draft.comment if draft.comment is not None else worklog.comment
    worklog.visibility = draft.visibility if draft.visibility is not None else worklog.visibility
    worklog.updated, worklog.update_author = now, actor.key
    _finish(world, issue, actor, worklog, items, "worklog_updated", "issue_worklog_updated")


def delete(world: World, issue: Issue, actor: User, worklog: Worklog, adjustment: Adjustment) -> None:
    """Remove a worklog; its id stays in the list of deleted ones."""
    _require_own(world, issue, actor, worklog, "DELETE")
    now = world.stamp(issue)
    items = _spend(issue, worklog.seconds, 0, adjustment)
    world.remove_worklog(issue, worklog)
    world.site.deleted_worklogs.append(DeletedWorklog(worklog.id, now))
    world.touch_site()
    _finish(world, issue, actor, worklog, items, "worklog_deleted", "issue_worklog_deleted")


def _spend(issue: Issue, before: int, after: int, adjustment: Adjustment) -> list[ChangeItem]:
    old_remaining, old_spent = issue.remaining_estimate, issue.time_spent
    issue.remaining_estimate = adjustment.apply(old_remaining, before, after)
    spent = (old_spent or 0) - before + after
    issue.time_spent = spent if spent > 0 else None
    items = []
    for label, old, new in (
        ("timeestimate", old_remaining, issue.remaining_estimate),
        ("timespent", old_spent, issue.time_spent),
    ):
        if old != new:
            texts = tuple(None if amount is None else str(amount) for amount in (old, new))
            items.append(single(label, before=(texts[0], texts[0]), after=(texts[1], texts[1])))
    return items


def _finish(
    world: World, issue: Issue, actor: User, worklog: Worklog, items: list[ChangeItem], name: str, type_name: str
) -> None:
    items.append(single("WorklogId", before=(worklog.id, worklog.id), after=(None, None)))
    change = record(world, issue, actor, items)
    world.tell(Event(name, issue.updated, actor, issue, worklog=worklog, whole_issue=False, with_user=False))
    world.tell(Event("jira:issue_updated", issue.updated, actor, issue, type_name=type_name, change=change))


def _require_own(world: World, issue: Issue, actor: User, worklog: Worklog, verb: str) -> None:
    project = world.site.projects[issue.project_id]
    own = worklog.author == actor.key and may(actor, f"{verb}_OWN_WORKLOGS", project)
    if not own and not may(actor, f"{verb}_ALL_WORKLOGS", project):
        raise Forbidden(f"You do not have the permission to {verb.lower()} this worklog.")
