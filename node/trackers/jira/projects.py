"""Projects and what they need: types, fields, roles, and the permissions that we lack. Asks only, never changes any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.errors import TrackerNotFound
from node.trackers.base import Field, Project
from node.trackers.jira.calls import Calls, project_key
from node.trackers.jira.custom import tidy
from node.trackers.jira.setup import read_create_field, read_project
from node.trackers.jira.shapes import entries_of, identifier, mapping, name_of

_PERMISSIONS = (
    "BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "ADD_COMMENTS", "EDIT_OWN_COMMENTS", "DELETE_OWN_COMMENTS",
    "CREATE_ATTACHMENTS", "DELETE_OWN_ATTACHMENTS",
)  # fmt: skip


class ProjectCalls(Calls):
    """The tracker's calls about projects."""

    async def project(self, key: str) -> Project:
        """Return a project with its issue types and their statuses (2 calls)."""
        path = f"project/{project_key(key)}"
        raw = await self._client.get(path, what=f"show project {key}")
        statuses = await self._client.get(f"{path}/statuses", what=f"list the statuses of project {key}")
        return read_project(raw, entries_of(statuses))

    async def projects(self) -> Sequence[Project]:
        """Return the projects that we can see (1 call on Data Center, 1 per 100 of them on Cloud)."""
        if (await self._lookup.kind()).cloud:
            found = self._lookup.each("project/search", "values", what="list its projects")
            return [read_project(entry) async for entry in found]
        return [
            read_project(entry) for entry in entries_of(await self._client.get("project", what="list its projects"))
        ]

    async def fields(self) -> Sequence[Field]:
        """Return all fields of the tracker, and learn them anew (1 call)."""
        return (await self._lookup.learn_fields()).fields

    async def create_fields(self, project: str, issue_type: str) -> Sequence[Field]:
        """Return the fields that may be set when an issue of that type is created (2 calls; Data Center 8.4 and on)."""
        catalogue = (await self._lookup.ready()).catalogue
        path = f"issue/createmeta/{project_key(project)}/issuetypes"
        what = f"show what issues of project {project} need"
        async for entry in self._lookup.each(path, "values", "issueTypes", what=what):
            if name_of(entry) == issue_type:
                path = f"{path}/{identifier(entry, 'an issue type')}"
                found = self._lookup.each(path, "values", "fields", what=what)
                return [read_create_field(field, catalogue) async for field in found]
        raise TrackerNotFound(
            f"Project {project} has no issue type {issue_type!r} that our user may create.",
            advice="Choose another type, or let our Jira user create issues there.",
        )

    async def roles(self, project: str) -> Sequence[str]:
        """Return the names of the roles that people can have in a project (1 call).

        On Cloud the list itself is for administrators, and the project names its roles to everybody who sees it. On
        Data Center everybody who sees the project may ask for the list, and the project is not sure to have it.
        """
        path, what = f"project/{project_key(project)}", f"list the roles of project {project}"
        if (await self._lookup.kind()).cloud:
            answer = mapping(await self._client.get(path, what=what), "a project").get("roles")
        else:
            answer = await self._client.get(f"{path}/role", what=what)
        return [tidy(name) for name in mapping({} if answer is None else answer, "a list of roles")]

    async def missing_permissions(self, project: str, *, also: Sequence[str] = ()) -> Sequence[str]:
        """Return the permissions that syncing with this project needs and that we lack (1 call)."""
        needed = (*_PERMISSIONS, *also)
        params = {"projectKey": project_key(project), "permissions": ",".join(needed)}
        answer = await self._client.get("mypermissions", params, what=f"show our permissions in project {project}")
        told = mapping(mapping(answer, "our permissions").get("permissions"), "our permissions")
        entries = [(key, told.get(key)) for key in needed]
        return [
            (name_of(entry) if isinstance(entry, Mapping) else None) or key
            for key, entry in entries
            if not isinstance(entry, Mapping) or entry.get("havePermission") is not True
        ]
