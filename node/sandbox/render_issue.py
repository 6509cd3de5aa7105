"""The words that REST uses for an issue and for what hangs on it, seen by one person.

Reads the world, never changes it. What the viewer may not read (restricted comments and worklogs) is left out.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from node.sandbox.durations import write_duration
from node.sandbox.field_values import option_of
from node.sandbox.fields import NOT_NAVIGABLE, SYSTEM_DEFINITIONS, Definition, custom_definition, custom_fields_of
from node.sandbox.model import Issue
from node.sandbox.permissions import may
from node.sandbox.render import Json
from node.sandbox.render_parts import PartRenderer

WORKLOGS_IN_ISSUE = 20
"""How many worklogs an issue's own answer carries; the rest is at ``/worklog``."""


@dataclass(frozen=True, slots=True)
class FieldChoice:
    """Which fields an answer shows: ``*all`` or ``*navigable`` or names, less the names with a minus."""

    everything: bool
    navigable: bool
    named: frozenset[str]
    without: frozenset[str]

    @classmethod
    def read(cls, names: Iterable[str], default: str) -> FieldChoice:
        """Read the ``fields`` parameter; each item may itself be a list with commas."""
        given = [name.strip() for item in names for name in item.split(",") if name.strip()]
        wanted = [name for name in given if not name.startswith("-")] or [default]
        return cls(
            "*all" in wanted,
            "*navigable" in wanted,
            frozenset(name for name in wanted if not name.startswith("*")),
            frozenset(name[1:] for name in given if name.startswith("-")),
        )

    def shows(self, name: str) -> bool:
        """Return whether the answer shows the field."""
        if name in self.without:
            return False
        return self.everything or (self.navigable and name not in NOT_NAVIGABLE) or name in self.named


ALL_FIELDS = FieldChoice(everything=True, navigable=False, named=frozenset(), without=frozenset())


class IssueRenderer(PartRenderer):
    """Renders issues for one viewer."""

    # --- the issue

    def issue(self, issue: Issue, choice: FieldChoice = ALL_FIELDS, expand: Collection[str] = ()) -> Json:
        """Render an issue with the chosen fields and expansions."""
        rendered: Json = {
            "expand": "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations",
            "id": issue.id,
            "self": self.renderer.url("issue", issue.id),
            "key": issue.key,
            "fields": self.fields(issue, choice),
        }
        if "names" in expand:
            rendered["names"] = {name: found.name for name, found in self._definitions(issue, choice)}
        if "schema" in expand:
            rendered["schema"] = {name: found.schema() for name, found in self._definitions(issue, choice)}
        if "renderedFields" in expand:
            rendered["renderedFields"] = self._rendered_fields(issue, choice)
        if "changelog" in expand:
            rendered["changelog"] = self.changelog(issue)
        if "operations" in expand:
            rendered["operations"] = {"linkGroups": []}
        return rendered

    def _definitions(self, issue: Issue, choice: FieldChoice) -> Iterable[tuple[str, Definition]]:
        project = self.world.site.projects[issue.project_id]
        customs = (custom_definition(custom) for custom in custom_fields_of(self.world, project, issue.type_id))
        for definition in (*SYSTEM_DEFINITIONS.values(), *customs):
            if definition.id != "issuekey" and choice.shows(definition.id):
                yield definition.id, definition

    def fields(self, issue: Issue, choice: FieldChoice) -> Json:
        """Render the chosen fields."""
        rendered: Json = {}
        for name, make in _MAKERS.items():
            if choice.shows(name):
                rendered[name] = make(self, issue)
        if issue.parent_id is None:
            rendered.pop("parent", None)
        project = self.world.site.projects[issue.project_id]
        for custom in custom_fields_of(self.world, project, issue.type_id):
            if choice.shows(custom.id):
                rendered[custom.id] = self.custom(custom_definition(custom), issue.custom.get(custom.id))
        for name, value in issue.extra.items():
            if choice.shows(name) and name not in rendered:
                rendered[name] = value
        return rendered

    def _rendered_fields(self, issue: Issue, choice: FieldChoice) -> Json:
        names = [name for name, _ in self._definitions(issue, choice)]
        rendered: Json = dict.fromkeys(names)
        for name in ("description", "environment"):
            if name in rendered:
                rendered[name] = self.as_html(getattr(issue, name))
        if "comment" in rendered:
            page = self.comments(issue)
            bodies = [{**comment, "body": self.as_html(comment.get("body"))} for comment in page["comments"]]
            rendered["comment"] = {**page, "comments": bodies}
        return rendered

    def as_html(self, text: str | None) -> str:
        """Return text as HTML paragraphs. The markup itself is not rendered: readers of this want the source."""
        if not text:
            return ""
        return "".join(f"<p>{html.escape(part).replace(chr(10), '<br/>')}</p>" for part in text.split("\n\n"))

    def custom(self, definition: Definition, value: Any) -> Any:
        """Render the value of a custom field."""
        if value is None:
            return None
        kind = definition.kind
        if kind.type == "option-with-child":
            option, _ = option_of(definition, value[0])
            child = option_of(definition, value[1])[0] if len(value) > 1 else None
            return self.renderer.option(option, child) if option is not None else None
        if kind.many:
            return [self._custom_item(definition, kind.items or "", one) for one in value]
        return self._custom_item(definition, kind.type, value)

    def _custom_item(self, definition: Definition, kind: str, value: Any) -> Any:
        if kind == "user":
            return self.renderer.user(value)
        if kind == "option":
            option, _ = option_of(definition, value)
            return self.renderer.option(option) if option is not None else None
        if kind == "version":
            version = self.world.site.versions.get(value)
            return self.renderer.version(version) if version is not None else None
        if kind == "datetime":
            return self.moment(value)
        return float(value) if kind == "number" else value

    # --- single fields

    def _watches(self, issue: Issue) -> Json:
        return {
            "self": self.renderer.url("issue", issue.key, "watchers"),
            "watchCount": len(issue.watchers),
            "isWatching": self.viewer is not None and self.viewer.key in issue.watchers,
        }

    def _votes(self, issue: Issue) -> Json:
        return {
            "self": self.renderer.url("issue", issue.key, "votes"),
            "votes": len(issue.voters),
            "hasVoted": self.viewer is not None and self.viewer.key in issue.voters,
        }

    def _time_tracking(self, issue: Issue) -> Json:
        rendered: Json = {}
        seconds = {
            "originalEstimate": issue.original_estimate,
            "remainingEstimate": issue.remaining_estimate,
            "timeSpent": issue.time_spent,
        }
        for name, amount in seconds.items():
            if amount is not None:
                rendered[name] = write_duration(amount)
                rendered[f"{name}Seconds"] = amount
        return rendered

    def _family(self, issue: Issue) -> list[Issue]:
        return [issue, *(self.world.issues[one] for one in issue.subtask_ids if one in self.world.issues)]

    def _sum(self, issue: Issue, attribute: str) -> int | None:
        amounts = [getattr(one, attribute) for one in self._family(issue)]
        known = [amount for amount in amounts if amount is not None]
        return sum(known) if known else None

    def _progress(self, spent: int | None, remaining: int | None) -> Json:
        total = (spent or 0) + (remaining or 0)
        rendered: Json = {"progress": spent or 0, "total": total}
        if total:
            rendered["percent"] = (spent or 0) * 100 // total
        return rendered

    def _work_ratio(self, issue: Issue) -> int:
        return (issue.time_spent or 0) * 100 // issue.original_estimate if issue.original_estimate else -1

    def _links(self, issue: Issue) -> list[Json]:
        rendered = []
        for link_id in issue.link_ids:
            link = self.world.site.links[link_id]
            other = self.world.issues[link.destination_id if link.source_id == issue.id else link.source_id]
            # A link to an issue that the viewer may not see is as if it were not there.
            if may(self.viewer, "BROWSE_PROJECTS", self.world.site.projects[other.project_id]):
                rendered.append(self.link(issue, link))
        return rendered

    def _subtasks(self, issue: Issue) -> list[Json]:
        return [self.stub(self.world.issues[one]) for one in issue.subtask_ids if one in self.world.issues]

    def _components(self, issue: Issue) -> list[Json]:
        held = self.world.site.components
        return [self.renderer.component(held[one]) for one in issue.component_ids if one in held]

    def _versions(self, ids: list[str]) -> list[Json]:
        held = self.world.site.versions
        return [self.renderer.version(held[one]) for one in ids if one in held]


Maker = Callable[[IssueRenderer, Issue], Any]

_MAKERS: dict[str, Maker] = {
    "issuetype": lambda r, i: r.renderer.issue_type(r.world.site.issue_types[i.type_id]),
    "parent": lambda r, i: r.stub(r.world.issues[i.parent_id]) if i.parent_id in r.world.issues else None,
    "components": lambda r, i: r._components(i),  # noqa: SLF001 - the table belongs to the class
    "timespent": lambda _r, i: i.time_spent,
    "timeoriginalestimate": lambda _r, i: i.original_estimate,
    "description": lambda _r, i: i.description,
    "project": lambda r, i: r.renderer.project(r.world.site.projects[i.project_id]),
    "fixVersions": lambda r, i: r._versions(i.fix_version_ids),  # noqa: SLF001 - the same
    "aggregatetimespent": lambda r, i: r._sum(i, "time_spent"),  # noqa: SLF001 - the same
    "resolution": lambda r, i: (
        r.renderer.resolution(r.world.site.resolutions[i.resolution_id]) if i.resolution_id is not None else None
    ),
    "timetracking": lambda r, i: r._time_tracking(i),  # noqa: SLF001 - the same
    "attachment": lambda r, i: [r.attachment(one) for one in i.attachments],
    "aggregatetimeestimate": lambda r, i: r._sum(i, "remaining_estimate"),  # noqa: SLF001 - the same
    "resolutiondate": lambda r, i: r.moment(i.resolved),
    "workratio": lambda r, i: r._work_ratio(i),  # noqa: SLF001 - the same
    "summary": lambda _r, i: i.summary,
    "lastViewed": lambda r, i: r.moment(i.last_viewed),
    "watches": lambda r, i: r._watches(i),  # noqa: SLF001 - the same
    "creator": lambda r, i: r.renderer.user(i.creator),
    "subtasks": lambda r, i: r._subtasks(i),  # noqa: SLF001 - the same
    "created": lambda r, i: r.moment(i.created),
    "reporter": lambda r, i: r.renderer.user(i.reporter),
    "aggregateprogress": lambda r, i: r._progress(  # noqa: SLF001 - the same
        r._sum(i, "time_spent"),  # noqa: SLF001 - the same
        r._sum(i, "remaining_estimate"),  # noqa: SLF001 - the same
    ),
    "priority": lambda r, i: (
        r.renderer.priority(r.world.site.priorities[i.priority_id]) if i.priority_id is not None else None
    ),
    "labels": lambda _r, i: i.labels,
    "environment": lambda _r, i: i.environment,
    "timeestimate": lambda _r, i: i.remaining_estimate,
    "aggregatetimeoriginalestimate": lambda r, i: r._sum(i, "original_estimate"),  # noqa: SLF001 - the same
    "versions": lambda r, i: r._versions(i.version_ids),  # noqa: SLF001 - the same
    "duedate": lambda _r, i: i.due,
    "progress": lambda r, i: r._progress(i.time_spent, i.remaining_estimate),  # noqa: SLF001 - the same
    "comment": lambda r, i: r.comments(i),
    "issuelinks": lambda r, i: r._links(i),  # noqa: SLF001 - the same
    "votes": lambda r, i: r._votes(i),  # noqa: SLF001 - the same
    "worklog": lambda r, i: r.worklogs(i, WORKLOGS_IN_ISSUE),
    "assignee": lambda r, i: r.renderer.user(i.assignee),
    "updated": lambda r, i: r.moment(i.updated),
    "status": lambda r, i: r.renderer.status(r.world.site.statuses[i.status_id]),
}
"""How each system field is rendered, in the order in which a Server writes them."""
