"""Turns fields in our words into the JSON of a create, an edit or a transition. Pure.

What cannot be meant (a field nobody has, a list where a text belongs) is TrackerRefused before anything is called,
with the reason under the field's name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from node.errors import TrackerRefused
from node.trackers.issue import CUSTOM, Value
from node.trackers.jira.custom import FieldCatalogue, read_moment

_REST_OF = {
    "summary": "summary",
    "description": "description",
    "environment": "environment",
    "type": "issuetype",
    "priority": "priority",
    "labels": "labels",
    "components": "components",
    "fix_versions": "fixVersions",
    "affects_versions": "versions",
    "due": "duedate",
    "assignee": "assignee",
    "reporter": "reporter",
    "parent_key": "parent",
    "resolution": "resolution",
    "security_level": "security",
    "original_estimate": "timetracking",
    "remaining_estimate": "timetracking",
}
_OURS_OF = {rest: ours for ours, rest in _REST_OF.items() if rest != "timetracking"}
_LISTS = {"labels", "components", "fix_versions", "affects_versions"}
_ESTIMATES = {"original_estimate": "originalEstimate", "remaining_estimate": "remainingEstimate"}


class _MeaninglessError(Exception):
    """A value does not fit its field; the text completes "it ..."."""


def rest_fields(fields: Mapping[str, Value], catalogue: FieldCatalogue, *, cloud: bool) -> dict[str, Any]:
    """Return ``fields`` of a REST body. Raises TrackerRefused, naming every field that cannot be written."""
    body: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for name, value in fields.items():
        try:
            if name.startswith(CUSTOM):
                number, written = _custom(name.removeprefix(CUSTOM), value, catalogue, cloud=cloud)
                body[number] = written
            elif name in _ESTIMATES:
                body.setdefault("timetracking", {})[_ESTIMATES[name]] = _estimate(value)
            elif name in _REST_OF:
                body[_REST_OF[name]] = _system(name, value, cloud=cloud)
            else:
                reasons[name] = "it is not a field that can be written" + _HINTS.get(name, "")
        except _MeaninglessError as error:
            reasons[name] = f"it {error}"
    if reasons:
        text = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise TrackerRefused(
            f"These fields cannot be written to Jira: {text}.",
            fields=reasons,
            advice="Correct the rules that give these values.",
        )
    return body


_HINTS = {"status": " (a status is reached by a transition)"}


def our_name(rest_id: str, catalogue: FieldCatalogue) -> str:
    """Return our word for a REST field id; the id itself where we have none."""
    known = catalogue.by_id(rest_id)
    if known is not None and known.custom:
        return CUSTOM + known.name
    return _OURS_OF.get(rest_id, rest_id)


def person(user: str | None, *, cloud: bool) -> dict[str, str] | None:
    """Return how a user id is written; None means nobody."""
    return None if user is None else {"accountId" if cloud else "name": user}


def rest_moment(moment: datetime) -> str:
    """Return a time as Jira reads it: milliseconds, and an offset without a colon."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


def _system(name: str, value: Value, *, cloud: bool) -> Any:
    if name in _LISTS:
        entries = [] if value is None else _texts(value)
        return entries if name == "labels" else [{"name": entry} for entry in entries]
    if value is None:
        return None
    if name in {"assignee", "reporter"}:
        return person(_text(value), cloud=cloud)
    if name == "parent_key":
        return {"key": _text(value)}
    if name in {"type", "priority", "resolution", "security_level"}:
        return {"name": _text(value)}
    return _date(value) if name == "due" else _text(value)


def _estimate(value: Value) -> str:
    """Return an estimate as Jira reads it. REST has no word for "no estimate": nothing left is the nearest."""
    if value is None:
        return "0m"
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _MeaninglessError("needs a number of seconds")
    return f"{math.ceil(value / 60)}m"


def _custom(name: str, value: Value, catalogue: FieldCatalogue, *, cloud: bool) -> tuple[str, Any]:
    known = catalogue.by_name(name)
    if known is None:
        raise _MeaninglessError("is not a custom field of this Jira")
    if value is None:
        return known.id, [] if known.kind == "labels" else None
    write = _WRITERS.get(known.kind)
    if known.kind in {"user", "multi-user"}:
        users = [_text(value)] if known.kind == "user" else _texts(value)
        people = [person(user, cloud=cloud) for user in users]
        return known.id, people[0] if known.kind == "user" else people
    return known.id, value if write is None else write(value)


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise _MeaninglessError("needs a text")
    return value


def _texts(value: Value) -> list[str]:
    if not isinstance(value, list):
        raise _MeaninglessError("needs a list of texts")
    return [_text(entry) for entry in value]


def _number(value: Value) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _MeaninglessError("needs a number")
    return value


def _date(value: Value) -> str:
    try:
        return datetime.strptime(_text(value), "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        raise _MeaninglessError("needs a day like 2026-11-24") from None


def _datetime(value: Value) -> str:
    moment = read_moment(_text(value))
    if moment is None:
        raise _MeaninglessError("needs a time with a zone, like 2026-11-24T10:00:00Z")
    return rest_moment(moment)


def _cascading(value: Value) -> dict[str, Any]:
    path = _texts(value)
    if not 1 <= len(path) <= 2:  # noqa: PLR2004 - a parent and perhaps a child
        raise _MeaninglessError("needs a list of the parent's value and, if there is one, the child's")
    return {"value": path[0]} | ({"child": {"value": path[1]}} if len(path) == 2 else {})  # noqa: PLR2004 - as above


_WRITERS: dict[str, Callable[[Value], Any]] = {
    "text": _text,
    "paragraph": _text,
    "url": _text,
    "number": _number,
    "date": _date,
    "datetime": _datetime,
    "select": lambda value: {"value": _text(value)},
    "radio": lambda value: {"value": _text(value)},
    "multi-select": lambda value: [{"value": entry} for entry in _texts(value)],
    "checkbox": lambda value: [{"value": entry} for entry in _texts(value)],
    "cascading": _cascading,
    "labels": _texts,
    "version": lambda value: {"name": _text(value)},
    "multi-version": lambda value: [{"name": entry} for entry in _texts(value)],
}
