"""Takes Jira's JSON apart: what must be there and is not, or has the wrong shape, is TrackerNonsense. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from node.errors import TrackerNonsense
from node.trackers.jira.custom import tidy


def identifier(raw: Mapping[str, object], of: str) -> str:
    """Return the ``id`` of something; Jira writes some as numbers and some as text."""
    value = raw.get("id")
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        return value
    raise TrackerNonsense(f"Jira gives no usable id for {of}.")


def text(value: object) -> str | None:
    """Return a text with tidy line ends; None where it is absent or empty."""
    if value is None or isinstance(value, str):
        return tidy(value) if value else None
    raise TrackerNonsense("Jira gives something else where a text belongs (is it not the REST interface, version 2?).")


def name_of(value: object) -> str | None:
    """Return the name of something that is told by its object, or by its name alone."""
    name = value.get("name") if isinstance(value, Mapping) else value
    return tidy(name) if isinstance(name, str) and name else None


def names_of(value: object) -> tuple[str, ...]:
    """Return the names of a list of such things."""
    names = (name_of(entry) for entry in entries_of(value))
    return tuple(name for name in names if name is not None)


def entries_of(value: object) -> list[Any]:
    """Return a list; an absent one is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise TrackerNonsense("Jira gives something else where a list belongs.")
    return value


def mapping(value: object, of: str) -> Mapping[str, Any]:
    """Return a JSON object; ``of`` says what it is."""
    if not isinstance(value, Mapping):
        raise TrackerNonsense(f"Jira's answer has the wrong shape: {of} cannot be read.")
    return value


def word(raw: Mapping[str, object], name: str, of: str) -> str:
    """Return a text that must be there; ``of`` says of what."""
    value = raw.get(name)
    if not isinstance(value, str) or not value:
        raise TrackerNonsense(f"Jira's answer has the wrong shape: {of} has no {name}.")
    return tidy(value)
