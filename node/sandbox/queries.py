"""What the query language knows of this Jira: fields, names, people and time; and running a query.

Answers questions of ``jql/``, whose ``context.py`` says what they mean and how values look. Decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from node.sandbox.clock import zone_of
from node.sandbox.fields import custom_definition
from node.sandbox.issue_view import CATEGORIES, IssueView
from node.sandbox.jql import (
    SYSTEM_FIELDS,
    FieldKind,
    FieldTable,
    JqlField,
    Query,
    compile_query,
    custom_field,
)
from node.sandbox.model import CustomField, Issue, User
from node.sandbox.permissions import may
from node.sandbox.store import World

_CUSTOM_KINDS = {
    "text": FieldKind.TEXT,
    "textarea": FieldKind.TEXT,
    "url": FieldKind.STRING,
    "number": FieldKind.NUMBER,
    "date": FieldKind.DATE,
    "datetime": FieldKind.DATETIME,
    "select": FieldKind.ENTITY,
    "radio": FieldKind.ENTITY,
    "multiselect": FieldKind.ENTITY,
    "checkbox": FieldKind.ENTITY,
    "cascading": FieldKind.ENTITY,
    "user": FieldKind.USER,
    "multiuser": FieldKind.USER,
    "labels": FieldKind.LABEL,
    "version": FieldKind.ENTITY,
    "multiversion": FieldKind.ENTITY,
}


def field_table(world: World) -> FieldTable:
    """Return all fields that a query may name."""
    customs = (
        custom_field(int(custom.id.removeprefix("customfield_")), custom.name, _CUSTOM_KINDS[custom.kind])
        for custom in world.site.fields.values()
    )
    return FieldTable([*SYSTEM_FIELDS, *customs])


def run_query(world: World, text: str, caller: User | None, *, validate: bool = True) -> tuple[Query, list[Issue]]:
    """Return a compiled query and the issues that it finds for the caller, in order. Raises JqlError."""
    query = compile_query(text, WorldContext(world, caller), validate=validate)
    visible = {project.id for project in world.site.projects.values() if may(caller, "BROWSE_PROJECTS", project)}
    candidates = (IssueView(world, one, caller) for one in world.issues.values() if one.project_id in visible)
    found = [view for view in candidates if query.matches(view)]
    return query, [view.issue for view in query.sort(found)]


class WorldContext:
    """This Jira around one query of one caller."""

    def __init__(self, world: World, caller: User | None) -> None:
        self._world = world
        self._caller = caller
        self._table: FieldTable | None = None

    @property
    def now(self) -> datetime:
        """Return the moment of the query."""
        return datetime.fromtimestamp(self._world.now() / 1000, UTC)

    @property
    def time_zone(self) -> tzinfo:
        """Return the caller's own zone."""
        return zone_of(self._caller.time_zone) if self._caller is not None else UTC

    @property
    def current_user(self) -> str | None:
        """Return the caller's key."""
        return self._caller.key if self._caller is not None else None

    def field(self, name: str) -> Sequence[JqlField]:
        """Return the fields of this name."""
        if self._table is None:
            self._table = field_table(self._world)
        return self._table.find(name)

    def resolve(self, field: JqlField, text: str, *, id_first: bool) -> Sequence[str]:
        """Return the values that a literal stands for."""
        if field.kind is FieldKind.USER:
            return self._users(text)
        if field.kind is FieldKind.ISSUE:
            issue = self._world.issue(text) if id_first or not text.isdecimal() else None
            return [issue.key] if issue is not None else []
        if field.kind is FieldKind.GROUP:
            return [group for group in self._world.site.groups if group.casefold() == text.casefold()]
        named = [one_id for one_id, names in self._entities(field) if text.casefold() in names]
        by_id = [one_id for one_id, _ in self._entities(field) if one_id == text]
        return (by_id or named) if id_first else (named or by_id)

    def _users(self, text: str) -> list[str]:
        exact = self._world.user_named(text) or self._world.user(text)
        if exact is not None:
            return [exact.key]
        wanted = text.casefold()
        users = self._world.site.users.values()
        return [one.key for one in users if wanted in {one.display_name.casefold(), one.email.casefold()}]

    def _entities(self, field: JqlField) -> Iterable[tuple[str, set[str]]]:
        site = self._world.site
        custom = site.fields.get(field.id)
        if custom is not None:
            yield from _custom_entities(self._world, custom)
        elif field.id == "project":
            for project in site.projects.values():
                if may(self._caller, "BROWSE_PROJECTS", project):
                    yield project.id, {project.key.casefold(), project.name.casefold()}
        elif field.id == "statusCategory":
            for key, category in CATEGORIES.items():
                yield category[0], {key, category[1].casefold()}
        else:
            for one in _things(self._world, field.id).values():
                yield one.id, {one.name.casefold()}

    def rank(self, field: JqlField, value: str) -> int | float | str:
        """Return what an id of an ENTITY or USER field is ordered by."""
        site = self._world.site
        if field.kind is FieldKind.USER:
            user = self._world.user(value)
            return user.display_name.casefold() if user is not None else value
        if field.id == "priority":
            return -list(site.priorities).index(value) if value in site.priorities else 0
        if field.id == "statusCategory":
            return next((number for number, one in enumerate(CATEGORIES.values()) if one[0] == value), 0)
        if field.id == "project":
            return site.projects[value].name.casefold() if value in site.projects else value
        things = _things(self._world, field.id)
        if field.id in {"status", "resolution", "fixVersions", "versions"} or field.id.startswith("customfield_"):
            order = list(things) or [one for one, _ in self._entities(field)]
            return order.index(value) if value in order else len(order)
        return things[value].name.casefold() if value in things else value

    def members_of(self, group: str) -> Sequence[str] | None:
        """Return the keys of a group's users."""
        known = next((one for one in self._world.site.groups if one.casefold() == group.casefold()), None)
        if known is None:
            return None
        return [user.key for user in self._world.site.users.values() if known in user.groups]

    def versions_of(self, project: str | None, *, released: bool) -> Sequence[str] | None:
        """Return ids of the released or unreleased versions."""
        wanted = None
        if project is not None:
            fields = self.resolve(SYSTEM_FIELDS[2], project, id_first=False)
            if not fields:
                return None
            wanted = fields[0]
        return [
            version.id
            for version in self._world.site.versions.values()
            if version.released is released
            and not version.archived
            and (wanted is None or version.project_id == wanted)
        ]

    def issue_types(self, *, subtask: bool) -> Sequence[str]:
        """Return the ids of the standard or of the sub-task issue types."""
        return [kind.id for kind in self._world.site.issue_types.values() if kind.subtask is subtask]

    def linked_issues(self, issue: str, link: str | None) -> Sequence[str] | None:
        """Return the keys of linked issues."""
        found = self._world.issue(issue)
        if found is None:
            return None
        keys = []
        for link_id in found.link_ids:
            one = self._world.site.links[link_id]
            kind = self._world.site.link_types[one.type_id]
            outward = one.source_id == found.id
            phrase = kind.outward if outward else kind.inward
            if link is None or phrase.casefold() == link.casefold():
                other = self._world.issues[one.destination_id if outward else one.source_id]
                keys.append(other.key)
        return keys

    def link_exists(self, link: str) -> bool:
        """Return whether some link type has this description."""
        wanted = link.casefold()
        kinds = self._world.site.link_types.values()
        return any(wanted in {kind.inward.casefold(), kind.outward.casefold()} for kind in kinds)


def _things(world: World, field_id: str) -> Mapping[str, Any]:
    site = world.site
    held: dict[str, Mapping[str, Any]] = {
        "issuetype": site.issue_types,
        "status": site.statuses,
        "priority": site.priorities,
        "resolution": site.resolutions,
        "components": site.components,
        "fixVersions": site.versions,
        "versions": site.versions,
    }
    custom = site.fields.get(field_id)
    if custom is not None and custom.kind in {"version", "multiversion"}:
        return site.versions
    return held.get(field_id, {})


def _custom_entities(world: World, custom: CustomField) -> Iterable[tuple[str, set[str]]]:
    if not custom_definition(custom).kind.has_options:
        for version in world.site.versions.values():
            yield version.id, {version.name.casefold()}
    for option in custom.options:
        for one in (option, *option.children):
            yield one.id, {one.value.casefold()}
