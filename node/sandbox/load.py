"""Making a Jira from a dump: one issue of Jira's REST per line, as JSON, plain or compressed with gzip.

A dump is history, so it is taken as it is: texts longer than Jira would take today, missing summaries and comments
without an author too. People, types, statuses, priorities, resolutions, versions and components are created as needed;
ids and keys are kept. Links and parents that lead out of the dump are left out and counted. A dump holds no files:
their bytes are made up when asked for, as many as were recorded, up to a limit, and ``size`` says what is served.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.sandbox.clock import read_moment
from node.sandbox.model import (
    Attachment,
    Change,
    ChangeItem,
    Comment,
    Component,
    Issue,
    IssueLink,
    IssueType,
    LinkType,
    Priority,
    Project,
    ProjectCategory,
    RemoteLink,
    Resolution,
    Status,
    User,
    Version,
    Visibility,
    Worklog,
)
from node.sandbox.permissions import USERS
from node.sandbox.seed import create_project, open_workflow
from node.sandbox.store import World

LINE_LIMIT = 64 * 1024 * 1024
"""No line of a dump is longer: more is a damaged file, and would fill the memory."""
LOADED_WORKFLOW = "dump"
_EXTRA = ("flagged", "epic", "sprint", "closedSprints")
"""Fields that only some servers show; they are shown again as they were."""

Json = Mapping[str, Any]


class LoadError(Exception):
    """The dump cannot be read; the message says where and why."""


@dataclass(slots=True)
class LoadReport:
    """What came in, and what had to stay out."""

    issues: int = 0
    comments: int = 0
    attachments: int = 0
    links: int = 0
    links_left_out: int = 0
    subtasks: int = 0
    parents_left_out: int = 0
    users: int = 0
    projects: list[str] = field(default_factory=list)


def read_dump(path: Path) -> Iterator[Json]:
    """Yield the issues of a dump. Raises LoadError."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            number = 0
            while line := stream.readline(LINE_LIMIT + 1):
                number += 1
                if len(line) > LINE_LIMIT:
                    raise LoadError(f"{path}, line {number}: longer than {LINE_LIMIT} bytes.")
                if line.strip():
                    yield _parse(path, number, line)
    except (OSError, EOFError, zlib.error) as wrong:
        raise LoadError(f"{path} cannot be read: {wrong}") from None


def _parse(path: Path, number: int, line: bytes) -> Json:
    try:
        record = json.loads(line)
        if b"\\ud" in line.lower():
            # Half a surrogate pair could be kept but never be written again.
            json.dumps(record, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as wrong:
        raise LoadError(f"{path}, line {number}: this is not JSON: {wrong}") from None
    if not isinstance(record, dict) or not isinstance(record.get("fields"), dict):
        raise LoadError(f"{path}, line {number}: this is not an issue as Jira's REST shows it.")
    if "-" not in str(record.get("key", "")) or not str(record.get("id", "")).isdecimal():
        raise LoadError(f"{path}, line {number}: the issue has no key or no id.")
    return record


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
        self._projects: list[Project] = []
        self._statuses: dict[str, Status] = {}
        self.report = LoadReport()

    def add(self, record: Json) -> None:
        fields: Json = record["fields"]
        project = self._project(fields["project"])
        kind = self._issue_type(project, fields["issuetype"])
        created = read_moment(fields["created"])
        issue = Issue(
            str(record["id"]),
            str(record["key"]),
            project.id,
            kind,
            self._status(fields["status"]),
            fields.get("summary") or "",
            created,
            read_moment(fields.get("updated") or fields["created"]),
            description=fields.get("description"),
            environment=fields.get("environment"),
            priority_id=self._priority(fields.get("priority")),
            resolution_id=self._resolution(fields.get("resolution")),
            resolved=read_moment(fields["resolutiondate"]) if fields.get("resolutiondate") else None,
            creator=self._user(fields.get("creator")),
            reporter=self._user(fields.get("reporter")),
            assignee=self._user(fields.get("assignee")),
            due=fields.get("duedate"),
            labels=list(fields.get("labels") or []),
            component_ids=[self._component(project, one) for one in fields.get("components") or []],
            fix_version_ids=[self._version(project, one) for one in fields.get("fixVersions") or []],
            version_ids=[self._version(project, one) for one in fields.get("versions") or []],
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
            self._world.add_link(IssueLink(link_id, self._link_type(kind), source, destination))
            self._world.reserve_id("link", link_id)
            self.report.links += 1
        if self._statuses:
            known = self._site.workflows.get(LOADED_WORKFLOW)
            seen = {one.target: self._site.statuses[one.target] for one in known.transitions} if known else {}
            statuses = sorted((seen | self._statuses).values(), key=lambda one: _CATEGORY_ORDER[one.category])
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
        self.report.projects = [project.key for project in self._projects]
        self._world.reindex_site()

    # --- what hangs on an issue

    def _add_comments(self, issue: Issue, given: Iterable[Json]) -> None:
        for one in given:
            created = read_moment(one["created"])
            comment = Comment(
                str(one["id"]),
                self._user(one.get("author")),
                one.get("body"),
                created,
                read_moment(one["updated"]) if one.get("updated") else created,
                self._user(one.get("updateAuthor")),
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
                self._user(one.get("author")),
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
                self._user(one.get("author")),
                read_moment(one["started"]),
                int(one["timeSpentSeconds"]),
                read_moment(one["created"]),
                read_moment(one["updated"]),
                str(one.get("comment") or ""),
                self._user(one.get("updateAuthor")),
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
        return Change(str(given["id"]), self._user(given.get("author")), read_moment(given["created"]), items)

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

    # --- what issues refer to

    def _free_id(self, held: Mapping[str, Any], wanted: str, kind: str) -> str:
        """Return the dump's id for something new, or another one when the site uses it already."""
        if wanted not in held:
            return wanted
        while (new_id := self._world.new_id(kind)) in held:
            pass
        return new_id

    def _user(self, given: Json | None) -> str | None:
        if not given:
            return None
        key = str(given.get("key") or given.get("name") or given.get("accountId") or given.get("displayName"))
        if key not in self._site.users:
            name = str(given.get("name") or key)
            self._site.users[key] = User(
                key,
                name,
                str(given.get("displayName") or name),
                str(given.get("emailAddress") or ""),
                str(given.get("timeZone") or "UTC"),
                bool(given.get("active", True)),
                [USERS],
            )
            self.report.users += 1
        return key

    def _project(self, given: Json) -> Project:
        project = self._world.project(str(given["key"]))
        if project is not None:
            return project
        if LOADED_WORKFLOW not in self._site.workflows:
            self._site.workflows[LOADED_WORKFLOW] = open_workflow(
                LOADED_WORKFLOW, "Workflow of the dump", list(self._site.statuses.values())[:1]
            )
        category = given.get("projectCategory")
        if category:
            self._site.categories[str(category["id"])] = ProjectCategory(
                str(category["id"]), str(category["name"]), str(category.get("description") or "")
            )
        project = create_project(
            self._world,
            str(given["key"]),
            str(given["name"]),
            workflow_id=LOADED_WORKFLOW,
            issue_types=(),
            project_id=str(given["id"]),
        )
        project.category_id = str(category["id"]) if category else ""
        self._projects.append(project)
        return project

    def _issue_type(self, project: Project, given: Json) -> str:
        type_id, name, subtask = str(given["id"]), str(given["name"]), bool(given.get("subtask"))
        known = next(
            (one for one in self._site.issue_types.values() if (one.name, one.subtask) == (name, subtask)), None
        )
        if known is None:
            type_id = self._free_id(self._site.issue_types, type_id, "issuetype")
            known = IssueType(type_id, name, str(given.get("description") or ""), subtask)
            self._site.issue_types[type_id] = known
        if known.id not in project.issue_type_ids:
            project.issue_type_ids.append(known.id)
        return known.id

    def _status(self, given: Json) -> str:
        known = next((one for one in self._site.statuses.values() if one.name == given["name"]), None)
        if known is None:
            category = str((given.get("statusCategory") or {}).get("key") or "new")
            known = Status(
                self._free_id(self._site.statuses, str(given["id"]), "status"),
                str(given["name"]),
                str(given.get("description") or ""),
                category if category in _CATEGORY_ORDER else "new",
            )
            self._site.statuses[known.id] = known
        self._statuses[known.id] = known
        return known.id

    def _priority(self, given: Json | None) -> str | None:
        if not given:
            return None
        known = next((one for one in self._site.priorities.values() if one.name == given["name"]), None)
        if known is None:
            new_id = self._free_id(self._site.priorities, str(given["id"]), "priority")
            known = Priority(new_id, str(given["name"]))
            # The order of priorities means something: one of a taken id goes beside its holder.
            held = list(self._site.priorities.values())
            place = next((n for n, one in enumerate(held, 1) if one.id == str(given["id"])), len(held))
            held.insert(place, known)
            self._site.priorities = {one.id: one for one in held}
        return known.id

    def _resolution(self, given: Json | None) -> str | None:
        if not given:
            return None
        known = next((one for one in self._site.resolutions.values() if one.name == given["name"]), None)
        if known is None:
            new_id = self._free_id(self._site.resolutions, str(given["id"]), "resolution")
            known = Resolution(new_id, str(given["name"]), str(given.get("description") or ""))
            self._site.resolutions[new_id] = known
        return known.id

    def _component(self, project: Project, given: Json) -> str:
        component_id = str(given["id"])
        if component_id not in self._site.components:
            self._site.components[component_id] = Component(
                component_id, project.id, str(given["name"]), str(given.get("description") or "")
            )
        return component_id

    def _version(self, project: Project, given: Json) -> str:
        version_id = str(given["id"])
        if version_id not in self._site.versions:
            self._site.versions[version_id] = Version(
                version_id,
                project.id,
                str(given["name"]),
                str(given.get("description") or ""),
                bool(given.get("archived")),
                bool(given.get("released")),
                given.get("startDate"),
                given.get("releaseDate"),
            )
        return version_id

    def _link_type(self, given: Json) -> str:
        known = next((one for one in self._site.link_types.values() if one.name == given["name"]), None)
        if known is not None and all(link.type_id != known.id for link in self._site.links.values()):
            known.inward, known.outward = str(given["inward"]), str(given["outward"])
        if known is None or (known.inward, known.outward) != (given["inward"], given["outward"]):
            new_id = self._free_id(self._site.link_types, str(given["id"]), "linktype")
            known = LinkType(new_id, str(given["name"]), str(given["inward"]), str(given["outward"]))
            self._site.link_types[new_id] = known
        return known.id


_CATEGORY_ORDER = {"new": 0, "indeterminate": 1, "done": 2, "undefined": 3}
_CHANGELOG_IDS = {"Component": "components", "Fix Version": "fixVersions", "Version": "versions"}
"""What the changelog calls fields by another name than their id."""


def _visibility(given: Json | None) -> Visibility | None:
    return Visibility(str(given["type"]), str(given["value"])) if given else None
