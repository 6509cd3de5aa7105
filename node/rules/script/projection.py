"""What goes into the box and what comes out: only what a script reads, and only what it may write.

Pure. The box sees flat dicts (``custom`` inside); the port speaks of ``fields`` with ``custom.<Name>``.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from node.errors import RuleError
from node.rules.comments import format_comment, format_worklog
from node.rules.fields import is_custom
from node.rules.script import words
from node.rules.script.engine import Direction, Plain, ScriptInputs, ScriptSchema
from node.rules.values import PEOPLE
from node.trackers.issue import CUSTOM

OTHER = "other"
"""Holds what a replica carries under names that its rules made up."""


@dataclass(frozen=True, slots=True)
class Reads:
    """What a script reads and names, from its text alone. None: anything."""

    issue: frozenset[str] | None
    replica: frozenset[str] | None
    previous: frozenset[str] | None
    clock: bool


def job_for(inputs: ScriptInputs, direction: Direction, schema: ScriptSchema, reads: Reads, now: str) -> dict[str, Any]:
    """Return what the box gets for one issue, as JSON values."""
    outgoing = direction == "outgoing"
    issue = _with_people(_flat_issue(inputs.issue, reads.issue), inputs.people, schema)
    target = _flat(inputs.replica if outgoing else inputs.draft)
    if outgoing:
        issue, replica = _some(issue, reads.issue), _some(target, reads.replica)
    else:
        target = _with_people(target, inputs.people, schema)
        issue = _some(_laid_over(issue, target), reads.issue)
        replica = _with_authors(_some(_flat(inputs.replica), reads.replica))
    previous = None if inputs.previous is None else _some(_flat(inputs.previous), reads.previous)
    return {
        "issue": issue,
        "replica": replica,
        "previous": previous,
        "first_sync": inputs.first_sync,
        "now": now if reads.clock else "",
        "known": _known(schema, reads.issue),
    }


def shape_for(direction: Direction, reads: Reads) -> dict[str, Any]:
    """Return what is the same for all issues of a script, so that it goes into the box once."""
    return {
        "direction": direction,
        "writable": words.REPLICA_FIELDS if direction == "outgoing" else words.WRITABLE_ISSUE_FIELDS,
        "issue": _fields(words.ISSUE_FIELDS, reads.issue),
        "replica": _fields(words.REPLICA_FIELDS, reads.replica),
        "previous": _fields(words.REPLICA_FIELDS, reads.previous),
        "others": any(_names_others(some) for some in (reads.replica, reads.previous)),
    }


def packed(job: dict[str, Any]) -> bytes:
    """Return all that an evaluation depends on, apart from what helpers answer; equal jobs give equal bytes.

    Raises RecursionError where a value is nested too deeply.
    """
    try:
        # A quarter of the time that JSON takes. Version 2 writes each value in full, never a reference to the same one.
        return marshal.dumps(job, 2)
    except ValueError:
        # A type of its own, say of an enumeration: JSON takes it for the value that it is.
        return json.dumps(job, ensure_ascii=False).encode(errors="surrogatepass")


def changes_from(inputs: ScriptInputs, direction: Direction, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole resulting replica or draft. Raises RuleError where the box answers nonsense."""
    start = inputs.replica if direction == "outgoing" else inputs.draft
    changes = {key: value for key, value in start.items() if key != "fields"}
    fields = dict(start.get("fields") or {})
    values, dropped = answer.get("values"), answer.get("dropped")
    if not isinstance(values, dict) or not isinstance(dropped, list) or not all(isinstance(n, str) for n in dropped):
        raise RuleError("The script's worker answered nonsense.", advice="Try again; if it stays, look at the script.")
    allowed = words.REPLICA_FIELDS if direction == "outgoing" else words.WRITABLE_ISSUE_FIELDS
    for name, value in values.items():
        if name == "custom" and isinstance(value, dict):
            fields.update({f"{CUSTOM}{custom}": entry for custom, entry in value.items()})
        elif name == OTHER and direction == "outgoing" and isinstance(value, dict):
            fields.update(_others(value, answer.get("origins")))
        elif name not in allowed:
            raise RuleError(f"The script's worker answered with a field that cannot be set: {name[:60]!r}.")
        elif name in words.COLLECTIONS or name == "key" or (name in ("project", "links") and direction == "incoming"):
            changes[name] = value
        else:
            fields[name] = value
    for name in dropped:
        fields.pop(name, None)
        changes.pop(name, None)
    _fit(changes, fields, values, direction, answer.get("origins"))
    changes["fields"] = fields
    if direction == "incoming" and answer.get("transition") is not None:
        changes["transition"] = str(answer["transition"])
    return changes


def _names_others(some: frozenset[str] | None) -> bool:
    return some is None or any(is_other(name) for name in some)


def _others(values: Mapping[str, Any], origins: Any) -> Mapping[str, Any]:
    """Return values under names that are nobody's fields. Raises RuleError where a name is a field's."""
    for name in values:
        if not is_other(name):
            _refuse(f"replica.other[{name[:60]!r}] is a field that has a name in scripts", name, origins)
    return values


def is_other(name: str) -> bool:
    """Tell whether a name in a replica is none that scripts write as a field or custom field."""
    return name not in words.REPLICA_FIELDS and not is_custom(name)


def emails_from(answer: Mapping[str, Any]) -> frozenset[str]:
    """Return the fields in which the script let an e-mail address out by saying so, among those that it set."""
    values, named = answer.get("values"), answer.get("emails")
    if not isinstance(values, dict) or not isinstance(named, list):
        return frozenset()
    shelves = {CUSTOM: values.get("custom"), "": values.get(OTHER)}
    on_shelves = (f"{before}{name}" for before, held in shelves.items() if isinstance(held, dict) for name in held)
    set_here = {*values, *on_shelves}
    return frozenset(name for name in named if isinstance(name, str) and name in set_here)


def _known(schema: ScriptSchema, reads: frozenset[str] | None) -> list[str] | None:
    """Return the custom fields that may be named; None where this Jira's fields are not known."""
    if not schema.custom:
        return None
    if reads is None or "custom" in reads:
        return sorted(schema.custom)
    return sorted(name for name in schema.custom if CUSTOM + name in reads)


def _fields(every: tuple[str, ...], some: frozenset[str] | None) -> tuple[str, ...]:
    return every if some is None else tuple(name for name in every if name in some)


def _fit(
    changes: Mapping[str, Any], fields: Mapping[str, Any], values: Mapping[str, Any], direction: Direction, origins: Any
) -> None:
    """Refuse a value that no Jira could hold. Raises RuleError with the line that set it."""
    for name in values:
        if name in words.COLLECTIONS or name in ("custom", OTHER):
            continue
        value = changes.get(name) if name in changes else fields.get(name)
        fitting = wanted(name, value, direction)
        if fitting is not None:
            target = "replica" if direction == "outgoing" else "issue"
            _refuse(f"{target}.{name} takes {fitting}, not {kind_of(value)}", name, origins)


def _refuse(what: str, name: str, origins: Any) -> NoReturn:
    line = origins.get(name) if isinstance(origins, dict) else None
    raise RuleError(
        f"{what}.",
        line=line if isinstance(line, int) else None,
        advice="Correct that line, then try the issue again.",
    )


def wanted(name: str, value: Any, direction: Direction) -> str | None:
    """Return what the field takes, where the value is something else."""
    if name in words.TEXT_LISTS:
        fits = isinstance(value, list) and all(isinstance(entry, str) for entry in value)
        return None if fits else "a list of texts"
    if value is None or name == "links":
        return None
    if name in ("original_estimate", "remaining_estimate"):
        return None if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "seconds"
    if name in words.USERS:
        fits = isinstance(value, str) or (direction == "outgoing" and isinstance(value, dict))
        return None if fits else "a user"
    return None if isinstance(value, str) else "a text"


def kind_of(value: Any) -> str:
    """Name the kind of a value."""
    kinds = {bool: "True or False", int: "a number", float: "a number", list: "a list", dict: "a dict", str: "a text"}
    return "None" if value is None else kinds[type(value)]


def _with_people(flat: dict[str, Any], people: Mapping[str, Plain], schema: ScriptSchema) -> dict[str, Any]:
    """Return an issue or draft of ours in which ids of users are persons: an id says something only here."""

    def person(value: Any) -> Any:
        if isinstance(value, list):
            return [person(entry) for entry in value]
        if not isinstance(value, str):
            return value
        return dict(people.get(value) or {"id": value, "display_name": None, "email": None})

    named = {name: person(value) if name in words.USERS else value for name, value in flat.items()}
    if "custom" in flat:
        named["custom"] = {
            name: person(value) if name in schema.custom and schema.custom[name].kind in PEOPLE else value
            for name, value in flat["custom"].items()
        }
    return named


def _with_authors(flat: dict[str, Any]) -> dict[str, Any]:
    """Give each received comment and worklog the line that says who wrote it, as mappings write it."""
    named = dict(flat)
    for name, form in (("comments", format_comment), ("worklogs", format_worklog)):
        if named.get(name):
            named[name] = [{**entry, "_prefix": form(entry.get("author"), "")} for entry in named[name]]
    return named


def _flat_issue(issue: Plain, names: frozenset[str] | None) -> dict[str, Any]:
    flat = {name: issue[name] for name in _fields(words.ISSUE_FIELDS, names) if issue.get(name) is not None}
    custom = {name: value for name, value in (issue.get("custom") or {}).items() if value is not None}
    if custom:
        flat["custom"] = custom
    return flat


def _flat(shared: Plain) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    other: dict[str, Any] = {} if shared.get("url") is None else {"url": shared["url"]}
    for name, value in (shared.get("fields") or {}).items():
        if is_custom(name):
            custom[name.removeprefix(CUSTOM)] = value
        elif is_other(name):
            other[name] = value
        else:
            flat[name] = value
    for name in (*words.ENTRIES, "key", "project"):
        if shared.get(name) is not None:
            flat[name] = shared[name]
    if custom:
        flat["custom"] = custom
    if other:
        flat[OTHER] = other
    return flat


def _laid_over(issue: dict[str, Any], draft: dict[str, Any]) -> dict[str, Any]:
    both = {**issue, **draft}
    for name in words.ENTRIES:
        if issue.get(name) and draft.get(name):
            both[name] = [*issue[name], *draft[name]]
    if "custom" in issue and "custom" in draft:
        both["custom"] = {**issue["custom"], **draft["custom"]}
    return both


def _some(flat: dict[str, Any], names: frozenset[str] | None) -> dict[str, Any]:
    if names is None:
        return flat
    some = {name: value for name, value in flat.items() if name in names and name not in ("custom", OTHER)}
    for shelf in ("custom", OTHER):
        held = flat.get(shelf) or {}
        if shelf not in names:
            asked = names if shelf == OTHER else frozenset[str]()  # replica.has("state")
            held = {name: value for name, value in held.items() if f"{shelf}.{name}" in names or name in asked}
        if held:
            some[shelf] = held
    return some
