"""An issue as the query language sees it: the values of its fields, in the shapes that ``jql/context.py`` names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from node.sandbox.jql import JqlChange
from node.sandbox.model import Issue, User, Worklog
from node.sandbox.permissions import can_read
from node.sandbox.store import World

CATEGORIES = {"new": ("2", "To Do"), "indeterminate": ("4", "In Progress"), "done": ("3", "Done")}
"""The categories of statuses: id and name."""


class IssueView:
    """An issue as a query of one caller sees it."""

    __slots__ = ("_caller", "_world", "issue")

    def __init__(self, world: World, issue: Issue, caller: User | None) -> None:
        self._world = world
        self.issue = issue
        self._caller = caller

    def jql_values(self, field: str) -> Sequence[object]:
        """Return the values of a field."""
        reader = _READERS.get(field)
        if reader is not None:
            return reader(self)
        return self._custom(field)

    def jql_history(self, field: str) -> Sequence[JqlChange]:
        """Return the changes of a field, oldest first."""
        return [
            JqlChange(change.at, change.author, item.before, item.after)
            for change in self.issue.history
            for item in change.items
            if item.field_id == field
        ]

    def _custom(self, field: str) -> Sequence[object]:
        value = self.issue.custom.get(field)
        if value is None or value == []:
            return ()
        custom = self._world.site.fields.get(field)
        if custom is not None and custom.kind == "date":
            return (date.fromisoformat(value),)
        return value if isinstance(value, list) else (value,)

    def status_category(self) -> Sequence[object]:
        """Return the id of the category of the issue's status."""
        return (CATEGORIES[self._world.site.statuses[self.issue.status_id].category][0],)

    def parent(self) -> Sequence[object]:
        """Return the key of the parent."""
        parent = self._world.issues.get(self.issue.parent_id or "")
        return (parent.key,) if parent is not None else ()

    def comments(self) -> Sequence[object]:
        """Return the texts of the comments that the caller may read."""
        return [
            one.body
            for one in self.issue.comments
            if one.body and can_read(self._world, self._caller, self.issue, one.visibility)
        ]

    def texts(self) -> Sequence[object]:
        """Return all that ``text`` stands for."""
        issue = self.issue
        texts: list[object] = [one for one in (issue.summary, issue.description, issue.environment) if one]
        texts += self.comments()
        for custom in self._world.site.fields.values():
            if custom.kind in {"text", "textarea"} and issue.custom.get(custom.id):
                texts.append(issue.custom[custom.id])
        return texts

    def worklogs(self) -> list[Worklog]:
        """Return the worklogs that the caller may read."""
        return [one for one in self.issue.worklogs if can_read(self._world, self._caller, self.issue, one.visibility)]

    def link_phrases(self) -> Sequence[object]:
        """Return how the issue is linked, seen from it."""
        phrases = []
        for link_id in self.issue.link_ids:
            link = self._world.site.links[link_id]
            kind = self._world.site.link_types[link.type_id]
            phrases.append(kind.outward if link.source_id == self.issue.id else kind.inward)
        return phrases

    def work_ratio(self) -> Sequence[object]:
        """Return the per cent of the estimate that was spent."""
        issue = self.issue
        return ((issue.time_spent or 0) * 100 // issue.original_estimate,) if issue.original_estimate else ()


def _day(moment_ms: int) -> date:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).date()


def _one(attribute: str) -> Callable[[IssueView], Sequence[object]]:
    def read(view: IssueView) -> Sequence[object]:
        value = getattr(view.issue, attribute)
        return () if value is None or value == "" else (value,)

    return read


def _many(attribute: str) -> Callable[[IssueView], Sequence[object]]:
    def read(view: IssueView) -> Sequence[object]:
        values: Sequence[object] = getattr(view.issue, attribute)
        return values

    return read


_READERS: dict[str, Callable[[IssueView], Sequence[object]]] = {
    "issuekey": _one("key"),
    "parent": IssueView.parent,
    "project": _one("project_id"),
    "issuetype": _one("type_id"),
    "status": _one("status_id"),
    "statusCategory": IssueView.status_category,
    "priority": _one("priority_id"),
    "resolution": _one("resolution_id"),
    "components": _many("component_ids"),
    "fixVersions": _many("fix_version_ids"),
    "versions": _many("version_ids"),
    "security": lambda _view: (),
    "assignee": _one("assignee"),
    "reporter": _one("reporter"),
    "creator": _one("creator"),
    "watcher": _many("watchers"),
    "voter": _many("voters"),
    "worklogAuthor": lambda view: [one.author for one in view.worklogs() if one.author],
    "summary": _one("summary"),
    "description": _one("description"),
    "environment": _one("environment"),
    "comment": IssueView.comments,
    "worklogComment": lambda view: [one.comment for one in view.worklogs() if one.comment],
    "text": IssueView.texts,
    "labels": _many("labels"),
    "created": _one("created"),
    "updated": _one("updated"),
    "resolutiondate": _one("resolved"),
    "lastViewed": _one("last_viewed"),
    "duedate": lambda view: (date.fromisoformat(view.issue.due),) if view.issue.due else (),
    "worklogDate": lambda view: [_day(one.started) for one in view.worklogs()],
    "votes": lambda view: (len(view.issue.voters),),
    "watches": lambda view: (len(view.issue.watchers),),
    "workratio": IssueView.work_ratio,
    "timeoriginalestimate": _one("original_estimate"),
    "timeestimate": _one("remaining_estimate"),
    "timespent": _one("time_spent"),
    "attachment": lambda view: [one.filename for one in view.issue.attachments],
    "issueLinkType": IssueView.link_phrases,
}
"""Where each system field of a query finds its values."""
