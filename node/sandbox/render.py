"""The words that REST uses for people, configuration and projects. Reads the world, never changes it.

Small pieces are rendered once and shared between answers until the site changes: treat what comes out as read-only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from node.sandbox.fields import Definition, custom_definition
from node.sandbox.model import (
    Component,
    IssueType,
    LinkType,
    Option,
    Priority,
    Project,
    ProjectCategory,
    Resolution,
    Role,
    Status,
    User,
    Version,
)
from node.sandbox.store import World

Json = dict[str, Any]

CATEGORIES: dict[str, Json] = {
    "undefined": {"id": 1, "key": "undefined", "colorName": "medium-gray", "name": "No Category"},
    "new": {"id": 2, "key": "new", "colorName": "default", "name": "To Do"},
    "indeterminate": {"id": 4, "key": "indeterminate", "colorName": "inprogress", "name": "In Progress"},
    "done": {"id": 3, "key": "done", "colorName": "success", "name": "Done"},
}


class Renderer:
    """Renders what does not depend on who asks."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._kept: dict[tuple[str, str], Any] = {}
        self._kept_for = (-1, "")

    @property
    def base(self) -> str:
        """Return the URL that all ``self`` links begin with."""
        return self.world.base_url

    def url(self, *parts: str) -> str:
        """Return the URL of a REST resource of version 2."""
        return f"{self.base}/rest/api/2/{'/'.join(quote(part, safe='') for part in parts)}"

    def _once(self, kind: str, key: str, make: Callable[[], Any]) -> Any:
        state = (self.world.revision, self.base)
        if state != self._kept_for:
            self._kept, self._kept_for = {}, state
        found = self._kept.get((kind, key))
        if found is None:
            found = self._kept[kind, key] = make()
        return found

    def user(self, key: str | None) -> Json | None:
        """Render a person, as in an author or an assignee."""
        if key is None:
            return None
        rendered: Json = self._once("user", key, lambda: self._user(key))
        return rendered

    def _user(self, key: str) -> Json:
        user = self.world.user(key)
        if user is None:
            return {
                "self": f"{self.base}/rest/api/2/user?username={quote(key)}",
                "name": key,
                "key": key,
                "displayName": key,
                "active": False,
            }
        return {
            "self": f"{self.base}/rest/api/2/user?username={quote(user.name)}",
            "name": user.name,
            "key": user.key,
            "emailAddress": user.email,
            "avatarUrls": self._avatars("useravatar", "10122"),
            "displayName": user.display_name,
            "active": user.active,
            "timeZone": user.time_zone,
        }

    def whole_user(self, user: User) -> Json:
        """Render a person with groups, as in ``/user`` and ``/myself``."""
        return {
            **(self.user(user.key) or {}),
            "deleted": False,
            "locale": "en_US",
            "groups": {"size": len(user.groups), "items": [{"name": name} for name in user.groups]},
            "applicationRoles": {"size": 1, "items": []},
            "expand": "groups,applicationRoles",
        }

    def _avatars(self, servlet: str, avatar: str) -> Json:
        address = f"{self.base}/secure/{servlet}"
        return {
            "48x48": f"{address}?avatarId={avatar}",
            "24x24": f"{address}?size=small&avatarId={avatar}",
            "16x16": f"{address}?size=xsmall&avatarId={avatar}",
            "32x32": f"{address}?size=medium&avatarId={avatar}",
        }

    def issue_type(self, kind: IssueType) -> Json:
        """Render an issue type."""
        rendered: Json = self._once(
            "issuetype",
            kind.id,
            lambda: {
                "self": self.url("issuetype", kind.id),
                "id": kind.id,
                "description": kind.description,
                "iconUrl": f"{self.base}/secure/viewavatar?size=xsmall&avatarId={kind.avatar_id}&avatarType=issuetype",
                "name": kind.name,
                "subtask": kind.subtask,
                "avatarId": kind.avatar_id,
            },
        )
        return rendered

    def status_category(self, key: str) -> Json:
        """Render a category of statuses."""
        category = CATEGORIES[key]
        return {"self": self.url("statuscategory", str(category["id"])), **category}

    def status(self, status: Status) -> Json:
        """Render a status."""
        rendered: Json = self._once(
            "status",
            status.id,
            lambda: {
                "self": self.url("status", status.id),
                "description": status.description,
                "iconUrl": f"{self.base}/images/icons/statuses/generic.png",
                "name": status.name,
                "id": status.id,
                "statusCategory": self.status_category(status.category),
            },
        )
        return rendered

    def priority(self, priority: Priority, *, whole: bool = False) -> Json:
        """Render a priority, with its colour and description when ``whole``."""
        rendered: Json = {
            "self": self.url("priority", priority.id),
            "iconUrl": f"{self.base}/images/icons/priorities/{quote(priority.name.lower())}.svg",
            "name": priority.name,
            "id": priority.id,
        }
        if whole:
            rendered |= {"statusColor": priority.color, "description": priority.description}
        return rendered

    def resolution(self, resolution: Resolution) -> Json:
        """Render a resolution."""
        return {
            "self": self.url("resolution", resolution.id),
            "id": resolution.id,
            "description": resolution.description,
            "name": resolution.name,
        }

    def link_type(self, kind: LinkType) -> Json:
        """Render a type of issue links."""
        return {
            "id": kind.id,
            "name": kind.name,
            "inward": kind.inward,
            "outward": kind.outward,
            "self": self.url("issueLinkType", kind.id),
        }

    def category(self, category: ProjectCategory) -> Json:
        """Render a project category."""
        return {
            "self": self.url("projectCategory", category.id),
            "id": category.id,
            "name": category.name,
            "description": category.description,
        }

    def project(self, project: Project) -> Json:
        """Render a project as it stands in an issue or a list."""
        rendered: Json = self._once("project", project.id, lambda: self._project(project))
        return rendered

    def _project(self, project: Project) -> Json:
        rendered: Json = {
            "self": self.url("project", project.id),
            "id": project.id,
            "key": project.key,
            "name": project.name,
            "projectTypeKey": project.project_type,
            "avatarUrls": self._avatars("projectavatar", "10324"),
        }
        category = self.world.site.categories.get(project.category_id)
        if category is not None:
            rendered["projectCategory"] = self.category(category)
        return rendered

    def whole_project(self, project: Project) -> Json:
        """Render a project with its components, versions, types and roles."""
        site = self.world.site
        return {
            "expand": "description,lead,url,projectKeys",
            **self.project(project),
            "description": project.description,
            "lead": self.user(project.lead),
            "components": [self.component(c) for c in site.components.values() if c.project_id == project.id],
            "issueTypes": [self.issue_type(site.issue_types[type_id]) for type_id in project.issue_type_ids],
            "url": project.url,
            "assigneeType": project.default_assignee,
            "versions": [self.version(v) for v in site.versions.values() if v.project_id == project.id],
            "roles": {role.name: self.url("project", project.id, "role", role.id) for role in site.roles.values()},
            "archived": False,
        }

    def role(self, role: Role, project: Project | None = None) -> Json:
        """Render a role, with its people when a project is given."""
        rendered: Json = {"name": role.name, "id": int(role.id), "description": role.description}
        if project is None:
            return {"self": self.url("role", role.id), **rendered}
        users = [self.world.site.users[key] for key in project.role_users.get(role.id, [])]
        actors: list[Json] = [
            {"id": number, "displayName": user.display_name, "type": "atlassian-user-role-actor", "name": user.name}
            for number, user in enumerate(users, 1)
        ]
        actors += [
            {"id": number, "displayName": group, "type": "atlassian-group-role-actor", "name": group}
            for number, group in enumerate(project.role_groups.get(role.id, []), len(actors) + 1)
        ]
        return {"self": self.url("project", project.id, "role", role.id), **rendered, "actors": actors}

    def component(self, component: Component, *, whole: bool = False) -> Json:
        """Render a component, with its lead and project when ``whole``."""
        rendered: Json = {
            "self": self.url("component", component.id),
            "id": component.id,
            "name": component.name,
        }
        if component.description:
            rendered["description"] = component.description
        if whole:
            project = self.world.site.projects[component.project_id]
            rendered |= {
                "assigneeType": component.assignee_type,
                "realAssigneeType": component.assignee_type,
                "isAssigneeTypeValid": True,
                "project": project.key,
                "projectId": int(project.id),
                "archived": False,
                "deleted": False,
            }
            if component.lead is not None:
                rendered["lead"] = self.user(component.lead)
        return rendered

    def version(self, version: Version, *, whole: bool = False) -> Json:
        """Render a version, with its project when ``whole``."""
        rendered: Json = {
            "self": self.url("version", version.id),
            "id": version.id,
            "name": version.name,
            "archived": version.archived,
            "released": version.released,
        }
        if version.description:
            rendered["description"] = version.description
        if version.start_date:
            rendered["startDate"] = version.start_date
        if version.release_date:
            rendered["releaseDate"] = version.release_date
        if whole:
            rendered["projectId"] = int(version.project_id)
        return rendered

    def option(self, option: Option, child: Option | None = None) -> Json:
        """Render a choice of a select field."""
        rendered: Json = {
            "self": self.url("customFieldOption", option.id),
            "value": option.value,
            "id": option.id,
            "disabled": option.disabled,
        }
        if child is not None:
            rendered["child"] = self.option(child)
        return rendered

    def field(self, definition: Definition) -> Json:
        """Render a field as in ``/field``."""
        custom = definition.custom is not None
        number = definition.id.removeprefix("customfield_")
        rendered: Json = {
            "id": definition.id,
            "name": definition.name,
            "custom": custom,
            "orderable": bool(definition.kind.operations),
            "navigable": definition.id not in {"attachment", "comment", "worklog", "timetracking"},
            "searchable": True,
            "clauseNames": [f"cf[{number}]", definition.name] if custom else [definition.id],
        }
        if definition.id != "issuekey":
            rendered["schema"] = definition.schema()
        return rendered

    def allowed_values(self, project: Project, definition: Definition) -> list[Json] | None:
        """Render what a field offers in a project; None when anything goes."""
        site = self.world.site
        if definition.custom is not None and definition.kind.has_options:
            return [
                {**self.option(option), "children": [self.option(child) for child in option.children]}
                if option.children
                else self.option(option)
                for option in definition.custom.options
            ]
        kind = definition.kind.items or definition.kind.type
        if kind == "version":
            return [self.version(v, whole=True) for v in site.versions.values() if v.project_id == project.id]
        if kind == "component":
            return [self.component(c) for c in site.components.values() if c.project_id == project.id]
        offered: dict[str, Callable[[], list[Json]]] = {
            "priority": lambda: [self.priority(one) for one in site.priorities.values()],
            "resolution": lambda: [self.resolution(one) for one in site.resolutions.values()],
            "project": lambda: [self.project(project)],
        }
        return offered[kind]() if kind in offered else None

    def all_fields(self) -> list[Definition]:
        """Return the custom fields' definitions."""
        return [custom_definition(custom) for custom in self.world.site.fields.values()]
