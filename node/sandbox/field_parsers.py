"""Reading one value of a field from a request: what each kind of field takes, and Jira's words for what it does not.

Answers the value as an issue keeps it, see ``field_values.py``. Never changes anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from node.sandbox.clock import read_moment
from node.sandbox.fields import Definition
from node.sandbox.model import Option, Project
from node.sandbox.store import World

SUMMARY_LIMIT = 255
TEXT_LIMIT = 32_767
"""Jira's default ``jira.text.field.character.limit``."""
LABEL_LIMIT = 255


class WrongValue(Exception):
    """A value that a field does not take; the message is Jira's."""


def check_text(text: str) -> str:
    """Return the text when it is not longer than Jira takes."""
    if len(text) > TEXT_LIMIT:
        msg = f"The entered text is too long. It exceeds the allowed limit of {TEXT_LIMIT:,} characters."
        raise WrongValue(msg)
    return text


def _string(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise WrongValue("Operation value must be a string")
    return value


def _summary(_world: World, _project: Project, _definition: Definition, value: Any) -> str:
    text = (_string(value) or "").strip()
    if not text:
        raise WrongValue("You must specify a summary of the issue.")
    if "\n" in text or "\r" in text:
        raise WrongValue("The summary is invalid because it contains newline characters.")
    if len(text) > SUMMARY_LIMIT:
        raise WrongValue(f"Summary must be less than {SUMMARY_LIMIT} characters.")
    return text


def _long_text(_world: World, _project: Project, _definition: Definition, value: Any) -> str | None:
    text = _string(value)
    return check_text(text) if text else None


def _line(_world: World, _project: Project, _definition: Definition, value: Any) -> str | None:
    text = _string(value)
    if text is not None and len(text) > SUMMARY_LIMIT:
        raise WrongValue(f"The entered text is too long. It exceeds the allowed limit of {SUMMARY_LIMIT} characters.")
    return text or None


def _url(_world: World, _project: Project, _definition: Definition, value: Any) -> str | None:
    text = _string(value)
    if not text:
        return None
    if not urlsplit(text).scheme or not urlsplit(text).netloc:
        raise WrongValue("Not a valid URL")
    return text


def _number(_world: World, _project: Project, _definition: Definition, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValue("Operation value must be a number")
    try:
        return float(value)
    except OverflowError:
        raise WrongValue("The number is too large") from None


def _date(_world: World, _project: Project, _definition: Definition, value: Any) -> str | None:
    text = _string(value)
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        raise WrongValue(f"Error parsing date string: {text}") from None


def _datetime(_world: World, _project: Project, _definition: Definition, value: Any) -> int | None:
    text = _string(value)
    if not text:
        return None
    try:
        return read_moment(text)
    except ValueError:
        raise WrongValue(f"Error parsing time: {text}") from None


def _user(world: World, _project: Project, _definition: Definition, value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not {"name", "key"} & value.keys():
        raise WrongValue("expected Object containing a 'name' property")
    name, key = value.get("name"), value.get("key")
    if name is None and key is None:
        return None
    if name == "":
        return None
    user = world.user_named(str(name)) if name is not None else world.user(str(key))
    if user is None:
        raise WrongValue(f"User '{name if name is not None else key}' does not exist.")
    return user.key


def _assignee(world: World, project: Project, definition: Definition, value: Any) -> str | None:
    if isinstance(value, Mapping) and value.get("name") == "-1":
        return project.lead if project.default_assignee == "PROJECT_LEAD" else None
    key = _user(world, project, definition, value)
    user = world.user(key)
    if user is not None and not user.active:
        raise WrongValue(f"User '{user.name}' cannot be assigned issues.")
    return key


def _reporter(world: World, project: Project, definition: Definition, value: Any) -> str | None:
    key = _user(world, project, definition, value)
    if key is None:
        raise WrongValue("Reporter is required.")
    return key


def _choice(
    label: str, things: Callable[[World, Project], Mapping[str, Any]]
) -> Callable[[World, Project, Definition, Any], str | None]:
    def parse(world: World, project: Project, _definition: Definition, value: Any) -> str | None:
        if value is None:
            return None
        known = things(world, project)
        if isinstance(value, Mapping) and value.get("id") is not None:
            if str(value["id"]) in known:
                return str(value["id"])
            raise WrongValue(f"{label} id '{value['id']}' is not valid")
        if isinstance(value, Mapping) and value.get("name") is not None:
            name = str(value["name"])
            found = next((thing.id for thing in known.values() if thing.name == name), None)
            found = found or next((t.id for t in known.values() if t.name.casefold() == name.casefold()), None)
            if found is None:
                raise WrongValue(f"{label} name '{name}' is not valid")
            return str(found)
        raise WrongValue(f"Could not find valid 'id' or 'name' in {label.lower()} object.")

    return parse


def _of_project(kind: str) -> Callable[[World, Project], Mapping[str, Any]]:
    def things(world: World, project: Project) -> Mapping[str, Any]:
        held: Mapping[str, Any] = getattr(world.site, kind)
        return {thing_id: thing for thing_id, thing in held.items() if thing.project_id == project.id}

    return things


def _priorities(world: World, _project: Project) -> Mapping[str, Any]:
    return world.site.priorities


def _resolutions(world: World, _project: Project) -> Mapping[str, Any]:
    return world.site.resolutions


def _issue_types(world: World, project: Project) -> Mapping[str, Any]:
    return {type_id: world.site.issue_types[type_id] for type_id in project.issue_type_ids}


def _find_option(options: Sequence[Option], value: Any) -> Option:
    given = value.get("id", value.get("value")) if isinstance(value, Mapping) else value
    if given is None:
        raise WrongValue("Could not find valid 'id' or 'value' in the Parent Option object.")
    by_id = isinstance(value, Mapping) and value.get("id") is not None
    for option in options:
        if (option.id if by_id else option.value) == str(given):
            return option
    raise WrongValue(f"Option {'id' if by_id else 'value'} '{given}' is not valid")


def _option(_world: World, _project: Project, definition: Definition, value: Any) -> str | None:
    if value is None or (isinstance(value, Mapping) and value.get("id") == "-1"):
        return None
    return _find_option(definition.custom.options if definition.custom else [], value).id


def _cascading(_world: World, _project: Project, definition: Definition, value: Any) -> list[str] | None:
    if value is None:
        return None
    parent = _find_option(definition.custom.options if definition.custom else [], value)
    child = value.get("child") if isinstance(value, Mapping) else None
    return [parent.id] if child is None else [parent.id, _find_option(parent.children, child).id]


def _label(_world: World, _project: Project, _definition: Definition, value: Any) -> str:
    text = _string(value) or ""
    if re.search(r"\s", text):
        raise WrongValue(f"The label '{text}' contains spaces which is invalid.")
    if len(text) > LABEL_LIMIT:
        raise WrongValue(f"The label '{text[:40]}' exceeds {LABEL_LIMIT} characters.")
    return text


Parser = Callable[[World, Project, Definition, Any], Any]

_SYSTEM_PARSERS: dict[str, Parser] = {
    "summary": _summary,
    "description": _long_text,
    "environment": _long_text,
    "issuetype": _choice("Issue type", _issue_types),
    "priority": _choice("Priority", _priorities),
    "resolution": _choice("Resolution", _resolutions),
    "assignee": _assignee,
    "reporter": _reporter,
    "duedate": _date,
    "labels": _label,
    "components": _choice("Component", _of_project("components")),
    "fixVersions": _choice("Version", _of_project("versions")),
    "versions": _choice("Version", _of_project("versions")),
}
"""How one value, or one item of a list, is read."""

_CUSTOM_PARSERS: dict[str, Parser] = {
    "text": _line,
    "textarea": _long_text,
    "url": _url,
    "number": _number,
    "date": _date,
    "datetime": _datetime,
    "select": _option,
    "radio": _option,
    "multiselect": _option,
    "checkbox": _option,
    "cascading": _cascading,
    "user": _user,
    "multiuser": _user,
    "labels": _label,
    "version": _choice("Version", _of_project("versions")),
    "multiversion": _choice("Version", _of_project("versions")),
}


def parse_item(world: World, project: Project, definition: Definition, value: Any) -> Any:
    """Read one value, or one item of a list. Raises WrongValue."""
    parser = _CUSTOM_PARSERS[definition.custom.kind] if definition.custom else _SYSTEM_PARSERS[definition.id]
    return parser(world, project, definition, value)
