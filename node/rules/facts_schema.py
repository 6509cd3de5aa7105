"""Puts together what scripts may name in our Jira. Asks facts, writes nothing."""

from __future__ import annotations

from typing import Protocol

from node.rules.fields import is_custom
from node.rules.script.engine import CustomField, ScriptSchema
from node.trackers.base import IssueType
from node.trackers.issue import CUSTOM


class SchemaSource(Protocol):
    """The part of ``TrackerFacts`` that this needs."""

    async def service_project(self, project: str) -> bool | None:
        """Tell whether comments can be internal in a project."""
        ...

    async def issue_types(self, project: str) -> tuple[IssueType, ...]:
        """Return the issue types of a project."""
        ...

    async def kind(self, field: str) -> str | None:
        """Return the kind of a field."""
        ...

    async def field_names(self) -> tuple[str, ...]:
        """Return all fields."""
        ...

    async def allowed_values(self, project: str, issue_type: str | None, field: str) -> frozenset[str] | None:
        """Return the values that a field may have."""
        ...


async def build_schema(facts: SchemaSource, project: str) -> ScriptSchema:
    """Return what scripts may name in a project of our Jira."""
    custom = {}
    for name in await facts.field_names():
        if is_custom(name):
            options = await facts.allowed_values(project, None, name)
            custom[name.removeprefix(CUSTOM)] = CustomField(
                kind=await facts.kind(name) or "other", options=tuple(sorted(options or ()))
            )

    async def names(field: str) -> tuple[str, ...]:
        return tuple(sorted(await facts.allowed_values(project, None, field) or ()))

    return ScriptSchema(
        custom=custom,
        statuses=await names("status"),
        issue_types=tuple(kind.name for kind in await facts.issue_types(project)),
        priorities=await names("priority"),
        resolutions=await names("resolution"),
        service_project=await facts.service_project(project),
    )
