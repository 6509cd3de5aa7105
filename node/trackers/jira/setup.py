"""Reads how a Jira is set up: projects, what a new issue needs, transitions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from node.trackers.base import Field, IssueType, Project, Transition
from node.trackers.jira.custom import FieldCatalogue, is_custom, kind_of, tidy
from node.trackers.jira.payload import SERVICE
from node.trackers.jira.shapes import entries_of, identifier, mapping, name_of, word
from node.trackers.jira.writing import our_name


def read_project(raw: object, statuses: Sequence[object] = ()) -> Project:
    """Return a project, with the statuses of its issue types as `/project/KEY/statuses` lists them."""
    told = mapping(raw, "a project")
    key = word(told, "key", "a project")
    by_type = {}
    for entry in statuses:
        kind = mapping(entry, "an issue type")
        names = (name_of(status) for status in entries_of(kind.get("statuses")))
        by_type[identifier(kind, "an issue type")] = tuple(name for name in names if name is not None)
    types = [mapping(entry, "an issue type") for entry in entries_of(told.get("issueTypes"))]
    project_type = told.get("projectTypeKey")
    return Project(
        id=identifier(told, f"project {key}"),
        key=key,
        name=name_of(told) or key,
        service=project_type == SERVICE if isinstance(project_type, str) else None,
        issue_types=tuple(
            IssueType(
                id=identifier(kind, "an issue type"),
                name=word(kind, "name", "an issue type"),
                subtask=kind.get("subtask") is True,
                statuses=by_type.get(identifier(kind, "an issue type"), ()),
            )
            for kind in types
        ),
    )


def read_create_field(raw: object, catalogue: FieldCatalogue) -> Field:
    """Return a field of the form for a new issue; system fields are named in our words."""
    told = mapping(raw, "a field")
    number = told.get("fieldId") or told.get("key")
    number = number if isinstance(number, str) else word(told, "fieldId", "a field")
    custom = is_custom(number)
    known = catalogue.by_id(number)
    name = known.name if custom and known is not None else word(told, "name", "a field")
    return Field(
        id=number,
        name=name if custom else our_name(number, catalogue),
        kind=kind_of(number, told.get("schema")),
        custom=custom,
        required=told.get("required") is True,
        options=tuple(_options(told.get("allowedValues"))),
    )


def _options(allowed: object) -> list[str]:
    options: list[str] = []
    for entry in allowed if isinstance(allowed, list) else []:
        name = _option(entry)
        if name is None:
            continue
        options.append(name)
        children = entry.get("children") if isinstance(entry, Mapping) else None
        for child in children if isinstance(children, list) else []:
            under = _option(child)
            if under is not None:
                options.append(f"{name} / {under}")
    return options


def _option(entry: object) -> str | None:
    value: Any = entry
    if isinstance(entry, Mapping):
        value = entry.get("value") or entry.get("name")
    return tidy(value) if isinstance(value, str) and value else None


def read_transitions(raw: object, catalogue: FieldCatalogue) -> list[Transition]:
    """Return the transitions of an answer, with the fields of their screens in our words."""
    found = []
    for entry in entries_of(mapping(raw, "a list of transitions").get("transitions")):
        told = mapping(entry, "a transition")
        fields = told.get("fields")
        screen: Mapping[str, Any] = fields if isinstance(fields, Mapping) else {}
        required = [
            key
            for key, field in screen.items()
            if isinstance(field, Mapping) and field.get("required") is True and field.get("hasDefaultValue") is not True
        ]
        found.append(
            Transition(
                id=identifier(told, "a transition"),
                name=word(told, "name", "a transition"),
                to_status=word(mapping(told.get("to"), "the target of a transition"), "name", "a status"),
                fields=tuple(our_name(key, catalogue) for key in screen),
                required=tuple(our_name(key, catalogue) for key in required),
            )
        )
    return found
