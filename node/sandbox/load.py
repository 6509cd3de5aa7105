"""Making a Jira from a dump: one issue of Jira's REST per line, as JSON, plain or compressed with gzip.

A dump is history, so it is taken as it is: texts longer than Jira would take today, missing summaries and comments
without an author too. People, types, statuses, priorities, resolutions, versions and components are created as needed;
ids and keys are kept. Links and parents that lead out of the dump are left out and counted. A dump holds no files:
their bytes are made up when asked for, as many as were recorded, up to a limit, and ``size`` says what is served.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from node.sandbox.clock import read_moment
from node.sandbox.dump import Json, LoadError, read_dump
from node.sandbox.loaded_things import CATEGORY_ORDER, LOADED_WORKFLOW, LoadReport, Things
from node.sandbox.model import (
    Attachment,
    Change,
    ChangeItem,
    Comment,
    Issue,
    IssueLink,
    RemoteLink,
    Visibility,
    Worklog,
)
from node.sandbox.seed import open_workflow
from node.sandbox.store import World

_EXTRA = ("flagged", "epic", "sprint", "closedSprints")
"""Fields that only some servers show; they are shown again as they were."""

__all__ = ["LoadError", "LoadReport", "load_file", "load_issues", "read_dump"]


def load_file(world: World, path: Path) -> LoadReport:
    """Add all issues of a dump to the world. Raises LoadError."""
    return load_issues(world, read_dump(path))


def load_issues(world: World, records: Iterable[Json]) -> LoadReport:
    """Add issues as Jira's REST shows them to the world."""
    loader = _Loader(world)
    for record in records:
        try:
            loader.add(record)
        except (KeyError, TypeError, ValueError, AttributeError) as wrong:
            raise LoadError(f"The issue {record.get('key')} has an unexpected shape: {wrong!r}") from None
    loader.finish()
    return loader.report


class _Loader:
    """Adds one issue after another; links and parents wait until all are there."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._site = world.site
        self._limit = world.site.placeholder_limit
        self._links: dict[str, tuple[Json, str, str]] = {}
        self._parents: list[tuple[Issue, str]] = []
        self.report = LoadReport()
        self._things = Things(world, self.report)

    def add(self, record: Json) -> None:
        fields: Json = record["fields"]
        project = self._things.project(fields["project"])
        kind = self._things.issue_type(project, fields["issuetype"])
        created = read_moment(fields["created"])
        issue = Issue(
            str(record["id"]),
            str(record["key"]),
            project.id,
            kind,
            self._things.status(fields["status"]),
            fields.get("summary") or "",
            created,
            read_moment(fields.get("updated") or fields["created"]),
            description=fields.get("description"),
            environment=fields.get("environment"),
            priority_id=self._things.priority(fields.get("priority")),
            resolution_id=self._things.resolution(fields.get("resolution")),
            resolved=read_moment(fields["resolutiondate"]) if fields.get("resolutiondate") else None,
            creator=self._things.user(fields.get("creator")),
            reporter=self._things.user(fields.get("reporter")),
            assignee=self._things.user(fields.get("assignee")),
            due=fields.get("duedate"),
            labels=list(fields.get("labels") or []),
            component_ids=[self._things.component(project, one) for one in fields.get("components") or []],
            fix_version_ids=[self._things.version(project, one) for one in fields.get("fixVersions") or []],
            version_ids=[self._things.version(project, one) for one in fields.get("versions") or []],
            original_estimate=fields.get("timeoriginalestimate"),
            remaining_estimate=fields.get("timeestimate"),
            time_spent=fields.get("timespent"),
            extra={name: fields[name] for name in _EXTRA if fields.get(name) not in (None, [])},
        )
        self._add_comments(issue, (fields.get("comment") or {}).get("comments") or [])
        self._add_attachments(issue, fields.get("attachment") or [])
        self._add_worklogs(issue, (fields.get("worklog") or {}).get("worklogs") or [])
        issue.history = [self._change(one) for one in (record.get("changelog") or {}).get("histories") or []]
        issue.history.sort(key=lambda change: change.at)
        issue.remote_links = [self._remote_link(one) for one in record.get("remotelinks") or []]
        self._gather_links(issue, fields.get("issuelinks") or [])
        if fields.get("parent"):
            self._parents.append((issue, str(fields["parent"]["id"])))
        number = int(issue.key.rpartition("-")[2])
        project.next_number = max(project.next_number, number + 1)
        self._world.reserve_id("issue", issue.id)
        self._world.add_issue(issue)
        self.report.issues += 1

    def finish(self) -> None:
        for issue, parent_id in self._parents:
            parent = self._world.issues.get(parent_id)
            if parent is None:
                self.report.parents_left_out += 1
                continue
            issue.parent_id = parent_id
            parent.subtask_ids.append(issue.id)
            self.report.subtasks += 1
        for link_id, (kind, source, destination) in self._links.items():
            if source not in self._world.issues or destination not in self._world.issues:
                self.report.links_left_out += 1
                continue
            self._world.add_link(IssueLink(link_id, self._things.link_type(kind), source, destination))
            self._world.reserve_id("link", link_id)
            self.report.links += 1
        if self._things.statuses:
            known = self._site.workflows.get(LOADED_WORKFLOW)
            seen = {one.target: self._site.statuses[one.target] for one in known.transitions} if known else {}
            statuses = sorted((seen | self._things.statuses).values(), key=lambda one: CATEGORY_ORDER[one.category])
            self._site.workflows[LOADED_WORKFLOW] = open_workflow(LOADED_WORKFLOW, "Workflow of the dump", statuses)
        for held, kind_name in (
            (self._site.issue_types, "issuetype"),
            (self._site.statuses, "status"),
            (self._site.resolutions, "resolution"),
            (self._site.link_types, "linktype"),
            (self._site.components, "component"),
            (self._site.versions, "version"),
            (self._site.projects, "project"),
        ):
            for thing_id in held:
                self._world.reserve_id(kind_name, thing_id)
        self.report.projects = [project.key for project in self._things.projects]
        self._world.reindex_site()

    # --- what hangs on an issue

    def _add_comments(self, issue: Issue, given: Iterable[Json]) -> None:
        for one in given:
            created = read_moment(one["created"])
            comment = Comment(
                str(one["id"]),
                self._things.user(one.get("author")),
                one.get("body"),
                created,
                read_moment(one["updated"]) if one.get("updated") else created,
                self._things.user(one.get("updateAuthor")),
                _visibility(one.get("visibility")),
            )
            issue.comments.append(comment)
            self._world.reserve_id("comment", comment.id)
            self.report.comments += 1

    def _add_attachments(self, issue: Issue, given: Iterable[Json]) -> None:
        for one in given:
            attachment = Attachment(
                str(one["id"]),
                str(one["filename"]),
                self._things.user(one.get("author")),
                read_moment(one["created"]),
                min(int(one["size"]), self._limit),
                str(one.get("mimeType") or "application/octet-stream"),
            )
            issue.attachments.append(attachment)
            self._world.reserve_id("attachment", attachment.id)
            self.report.attachments += 1

    def _add_worklogs(self, issue: Issue, given: Iterable[Json]) -> None:
        for one in given:
            worklog = Worklog(
                str(one["id"]),
                self._things.user(one.get("author")),
                read_moment(one["started"]),
                int(one["timeSpentSeconds"]),
                read_moment(one["created"]),
                read_moment(one["updated"]),
                str(one.get("comment") or ""),
                self._things.user(one.get("updateAuthor")),
                _visibility(one.get("visibility")),
            )
            issue.worklogs.append(worklog)
            self._world.reserve_id("worklog", worklog.id)

    def _change(self, given: Json) -> Change:
        items = [
            ChangeItem(
                str(one["field"]),
                _CHANGELOG_IDS.get(str(one["field"]), str(one["field"])),
                one.get("from"),
                one.get("fromString"),
                one.get("to"),
                one.get("toString"),
                one.get("fieldtype") == "custom",
            )
            for one in given["items"]
        ]
        self._world.reserve_id("change", given["id"])
        return Change(str(given["id"]), self._things.user(given.get("author")), read_moment(given["created"]), items)

    def _remote_link(self, given: Json) -> RemoteLink:
        self._world.reserve_id("remotelink", given["id"])
        return RemoteLink(
            str(given["id"]),
            given.get("globalId"),
            given.get("relationship"),
            dict(given.get("application") or {}),
            dict(given.get("object") or {}),
        )

    def _gather_links(self, issue: Issue, given: Iterable[Json]) -> None:
        for one in given:
            # The issue whose entry names an outwardIssue is the source; both ends of a link tell of it.
            if "outwardIssue" in one:
                ends = issue.id, str(one["outwardIssue"]["id"])
            else:
                ends = str(one["inwardIssue"]["id"]), issue.id
            self._links[str(one["id"])] = (one["type"], *ends)


_CHANGELOG_IDS = {"Component": "components", "Fix Version": "fixVersions", "Version": "versions"}
"""What the changelog calls fields by another name than their id."""


def _visibility(given: Json | None) -> Visibility | None:
    return Visibility(str(given["type"]), str(given["value"])) if given else None
