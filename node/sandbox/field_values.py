"""The value of a field: read whole or verb by verb, kept in an issue, told in a changelog.

Kept values are plain: ids of options, versions and components, keys of users, milliseconds, ``yyyy-MM-dd``. A cascading
value is a list of one or two option ids. Never changes an issue beyond the one attribute that it is asked to set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.sandbox.field_parsers import WrongValue, parse_item
from node.sandbox.fields import Definition
from node.sandbox.model import Issue, Option, Project
from node.sandbox.store import World

ATTRIBUTES = {
    "summary": "summary",
    "description": "description",
    "environment": "environment",
    "issuetype": "type_id",
    "priority": "priority_id",
    "resolution": "resolution_id",
    "status": "status_id",
    "assignee": "assignee",
    "reporter": "reporter",
    "duedate": "due",
    "labels": "labels",
    "components": "component_ids",
    "fixVersions": "fix_version_ids",
    "versions": "version_ids",
}
"""Where an issue keeps the values of the system fields that are set one by one."""


def get_value(issue: Issue, field_id: str) -> Any:
    """Return the kept value of a field."""
    attribute = ATTRIBUTES.get(field_id)
    return getattr(issue, attribute) if attribute is not None else issue.custom.get(field_id)


def set_value(issue: Issue, field_id: str, value: Any) -> None:
    """Keep the value of a field; an empty one is forgotten."""
    attribute = ATTRIBUTES.get(field_id)
    if attribute is not None:
        setattr(issue, attribute, value)
    elif value is None or value == []:
        issue.custom.pop(field_id, None)
    else:
        issue.custom[field_id] = value


def parse_value(world: World, project: Project, definition: Definition, value: Any) -> Any:
    """Read the whole value of a field from a request. Raises WrongValue."""
    if not definition.kind.many:
        return parse_item(world, project, definition, value)
    if value is None:
        return []
    if not isinstance(value, list):
        raise WrongValue("data was not an array")
    items = (parse_item(world, project, definition, item) for item in value)
    kept = list(dict.fromkeys(item for item in items if item not in {None, ""}))
    return sorted(kept) if definition.kind.items == "string" else kept


def apply_verb(world: World, project: Project, definition: Definition, kept: Any, verb: str, operand: Any) -> Any:
    """Return the value after one ``update`` verb. Raises WrongValue for a verb that the field does not take."""
    if verb == "set":
        return parse_value(world, project, definition, operand)
    if not definition.kind.many or verb not in {"add", "remove"}:
        raise WrongValue(f"Field '{definition.id}' does not support operation '{verb}' it supports: set")
    item = parse_item(world, project, definition, operand)
    if item in {None, ""}:
        return kept or []
    rest = [one for one in kept or [] if one != item]
    result = [*(kept or []), *([] if item in (kept or []) else [item])] if verb == "add" else rest
    return sorted(result) if definition.kind.items == "string" else result


def option_of(definition: Definition, option_id: str) -> tuple[Option | None, Option | None]:
    """Return the option of this id and, for a child, its parent."""
    for option in definition.custom.options if definition.custom else []:
        if option.id == option_id:
            return option, None
        for child in option.children:
            if child.id == option_id:
                return child, option
    return None, None


def describe(world: World, definition: Definition, value: Any) -> tuple[str | None, str | None]:
    """Return the id and the text of one value, or of one item, as a changelog tells it; no id for plain text."""
    if value is None or value == []:
        return None, None
    kind = definition.kind.items or definition.kind.type
    if kind == "option-with-child":
        texts = [option.value for option in (option_of(definition, one)[0] for one in value) if option is not None]
        return ",".join(value), " - ".join(texts)
    if kind == "number":
        return None, f"{value:.0f}" if value.is_integer() else str(value)
    if kind in {"datetime", "string"}:
        return None, str(value)
    return value, _name_of(world, definition, kind, value)


def _name_of(world: World, definition: Definition, kind: str, value: str) -> str:
    site = world.site
    if kind == "date":
        return value
    if kind == "user":
        user = world.user(value)
        return user.display_name if user is not None else value
    if kind == "option":
        option, _ = option_of(definition, value)
        return option.value if option is not None else value
    things: dict[str, Mapping[str, Any]] = {
        "version": site.versions,
        "component": site.components,
        "priority": site.priorities,
        "resolution": site.resolutions,
        "status": site.statuses,
        "issuetype": site.issue_types,
    }
    thing = things[kind].get(value)
    return str(thing.name) if thing is not None else value
