"""What the issues of a dump refer to: people, projects, types and the like, added to the site as they are met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from node.sandbox.dump import Json
from node.sandbox.model import (
    Component,
    IssueType,
    LinkType,
    Priority,
    Project,
    ProjectCategory,
    Resolution,
    Status,
    User,
    Version,
)
from node.sandbox.permissions import USERS
from node.sandbox.seed import create_project, open_workflow
from node.sandbox.store import World

LOADED_WORKFLOW = "dump"
CATEGORY_ORDER = {"new": 0, "indeterminate": 1, "done": 2, "undefined": 3}


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

    @property
    def sentence(self) -> str:
        """Say it to people."""
        left_out = self.links_left_out + self.parents_left_out
        rest = f" {left_out} links and parents lead out of the file and were left out." if left_out else ""
        return (
            f"Loaded {self.issues} issues with {self.comments} comments, {self.attachments} attachments and "
            f"{self.links} links, by {self.users} people, into {', '.join(self.projects) or 'no project'}.{rest}"
        )


class Things:
    """Finds or adds what issues refer to."""

    def __init__(self, world: World, report: LoadReport) -> None:
        self._world = world
        self._site = world.site
        self.projects: list[Project] = []
        self.statuses: dict[str, Status] = {}
        self.report = report

    def _free_id(self, held: Mapping[str, Any], wanted: str, kind: str) -> str:
        """Return the dump's id for something new, or another one when the site uses it already."""
        if wanted not in held:
            return wanted
        while (new_id := self._world.new_id(kind)) in held:
            pass
        return new_id

    def user(self, given: Json | None) -> str | None:
        """Return the key of a person, who is added when unknown."""
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

    def project(self, given: Json) -> Project:
        """Return a project, which is added when unknown."""
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
        self.projects.append(project)
        return project

    def issue_type(self, project: Project, given: Json) -> str:
        """Return the id of an issue type, which is added to the site and the project when unknown."""
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

    def status(self, given: Json) -> str:
        """Return the id of a status, which is added when unknown."""
        known = next((one for one in self._site.statuses.values() if one.name == given["name"]), None)
        if known is None:
            category = str((given.get("statusCategory") or {}).get("key") or "new")
            known = Status(
                self._free_id(self._site.statuses, str(given["id"]), "status"),
                str(given["name"]),
                str(given.get("description") or ""),
                category if category in CATEGORY_ORDER else "new",
            )
            self._site.statuses[known.id] = known
        self.statuses[known.id] = known
        return known.id

    def priority(self, given: Json | None) -> str | None:
        """Return the id of a priority, which is added when unknown."""
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

    def resolution(self, given: Json | None) -> str | None:
        """Return the id of a resolution, which is added when unknown."""
        if not given:
            return None
        known = next((one for one in self._site.resolutions.values() if one.name == given["name"]), None)
        if known is None:
            new_id = self._free_id(self._site.resolutions, str(given["id"]), "resolution")
            known = Resolution(new_id, str(given["name"]), str(given.get("description") or ""))
            self._site.resolutions[new_id] = known
        return known.id

    def component(self, project: Project, given: Json) -> str:
        """Return the id of a component, which is added when unknown."""
        component_id = str(given["id"])
        if component_id not in self._site.components:
            self._site.components[component_id] = Component(
                component_id, project.id, str(given["name"]), str(given.get("description") or "")
            )
        return component_id

    def version(self, project: Project, given: Json) -> str:
        """Return the id of a version, which is added when unknown."""
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

    def link_type(self, given: Json) -> str:
        """Return the id of a link type, which is added when unknown."""
        known = next((one for one in self._site.link_types.values() if one.name == given["name"]), None)
        if known is not None and all(link.type_id != known.id for link in self._site.links.values()):
            known.inward, known.outward = str(given["inward"]), str(given["outward"])
        if known is None or (known.inward, known.outward) != (given["inward"], given["outward"]):
            new_id = self._free_id(self._site.link_types, str(given["id"]), "linktype")
            known = LinkType(new_id, str(given["name"]), str(given["inward"]), str(given["outward"]))
            self._site.link_types[new_id] = known
        return known.id
