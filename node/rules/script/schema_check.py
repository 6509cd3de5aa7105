"""Compares what a script names with what this Jira has: fields, helpers, custom fields, statuses, types, options. Pure.

Knows only what the parser saw in the text, so a name that is computed at run time is judged then, not here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from node.rules.script import words
from node.rules.script.engine import CustomField, Direction, Finding, ScriptSchema
from node.rules.values import LEVEL, NoMatch, Target, convert
from node.trackers.issue import CUSTOM

_TEXTS = ("text", "paragraph", "url", "date", "datetime", "select", "radio", "user", "version", "cascading")
_LISTS = ("multi-select", "checkbox", "multi-user", "labels", "multi-version")


def findings(
    uses: Iterable[Mapping[str, Any]], direction: Direction, schema: ScriptSchema, rows: Sequence[str]
) -> list[Finding]:
    """Return what does not fit, in the order of the script."""
    found: list[Finding] = []
    for use in uses:
        judge = {
            "field": _field,
            "method": _method,
            "custom": _custom,
            "other": _other,
            "value": _value,
            "internal": _internal,
        }[use["what"]]
        verdict = judge(use, direction, schema)
        if verdict is not None:
            severity, message, suggestion = verdict
            line = int(use["line"])
            found.append(
                Finding(
                    severity=severity,
                    message=message,
                    line=line,
                    column=int(use["column"]),
                    end_column=use["end_column"],
                    shown=rows[line - 1][:500] if 0 < line <= len(rows) else "",
                    suggestion=suggestion,
                    code="schema",
                )
            )
    return sorted(found, key=lambda finding: (finding.line, finding.column))


_Verdict = tuple[Literal["error", "warning"], str, str] | None


def _field(use: Mapping[str, Any], direction: Direction, schema: ScriptSchema) -> _Verdict:
    root, name, write = use["root"], use["name"], use["write"]
    if name in ("has", "drop", "custom") or (name == "other" and root != "issue"):
        where = f"{root}.{name} cannot be replaced"
        shelf = name if name == "other" else "custom"
        return ("error", where, f'Set one field: {root}.{shelf}["Name"] = value.') if write else None
    fields = words.ISSUE_FIELDS if root == "issue" else words.REPLICA_FIELDS
    if name not in fields:
        return _no_field(root, name, fields, schema)
    return _written(root, name, direction) if write else None


def _no_field(root: str, name: str, fields: Sequence[str], schema: ScriptSchema) -> _Verdict:
    hint = f'A custom field is written {root}.custom["{name}"].'
    if name in schema.custom:
        return "error", f"`{name}` is a custom field", hint
    close = words.GROOVY_FIELDS.get(name) or _close(name, (*fields, "custom"))
    return "error", f"{root} has no field `{name}`", f"Did you mean `{close}`?" if close else hint


def _written(root: str, name: str, direction: Direction) -> _Verdict:
    if root != ("replica" if direction == "outgoing" else "issue"):
        verb = "Outgoing rules fill `replica`" if direction == "outgoing" else "Incoming rules change `issue`"
        return "error", f"{root} is only read here", f"{verb}."
    if root == "issue" and name not in words.WRITABLE_ISSUE_FIELDS:
        return "error", f"issue.{name} belongs to Jira and cannot be set", ""
    return None


def _method(use: Mapping[str, Any], direction: Direction, schema: ScriptSchema) -> _Verdict:  # noqa: ARG001 - one shape for all
    root, name = use["root"], use["name"]
    if use["write"]:
        return "error", f"`{root}` is given to the script and cannot be changed", ""
    if name == "get_or_create" and direction == "outgoing" and name in words.HELPER_METHODS[root]:
        return "error", "outgoing rules only read this Jira", f"Write `{root}.get`."
    if name in words.HELPER_METHODS[root]:
        return None
    close = _close(name, words.HELPER_METHODS[root])
    known = ", ".join(f"{root}.{method}" for method in words.HELPER_METHODS[root])
    return "error", f"`{root}` has no `{name}`", f"Did you mean `{root}.{close}`?" if close else f"There is {known}."


def _custom(use: Mapping[str, Any], direction: Direction, schema: ScriptSchema) -> _Verdict:
    root, name = use["root"], use["name"]
    target = "replica" if direction == "outgoing" else "issue"
    if use["write"] and root != target:
        return "error", f"{root} is only read here", f"Set {target}.custom[...] instead."
    # What the peer calls its fields is its secret; only our own Jira's names are known.
    if root != "issue" or not schema.custom or name in schema.custom:
        return None
    close = _close(name, schema.custom)
    return (
        "error",
        f"there is no custom field {name!r} in this Jira",
        f"Did you mean {close!r}?" if close else "Look at the names with `accord fields`.",
    )


def _other(use: Mapping[str, Any], direction: Direction, schema: ScriptSchema) -> _Verdict:  # noqa: ARG001 - one shape for all
    root, name = use["root"], use["name"]
    if root == "issue":
        return None  # that an issue has no such thing is said where it is named
    if use["write"] and (root != "replica" or direction != "outgoing"):
        return "error", f"{root} is only read here", ""
    if name.startswith(CUSTOM):
        written = f"{root}.custom[{name.removeprefix(CUSTOM)!r}]"
        return "error", f"{name!r} is the name of a custom field", f"Write `{written}`."
    if name in words.REPLICA_FIELDS:
        return "error", f"`{name}` is a field of its own", f"Write `{root}.{name}`."
    return None


def _internal(use: Mapping[str, Any], direction: Direction, schema: ScriptSchema) -> _Verdict:  # noqa: ARG001 - one shape for all
    if schema.service_project is not False:
        return None
    return (
        "warning",
        "this project is no service project: Jira would show an internal comment to everybody, so it is not written",
        'Write it for a role instead: comments.merge(issue, replica, role="Developers").',
    )


def _value(use: Mapping[str, Any], direction: Direction, schema: ScriptSchema) -> _Verdict:
    name, value = use["name"], use["value"]
    # Outgoing, a replica may carry any words: the peer maps them to its own.
    if direction == "outgoing" or use["root"] != "issue":
        return None
    if name.startswith(CUSTOM):
        field = schema.custom.get(name.removeprefix(CUSTOM))
        return None if field is None or value is None else _custom_value(name.removeprefix(CUSTOM), value, field)
    known = {
        "status": schema.statuses,
        "type": schema.issue_types,
        "priority": schema.priorities,
        "resolution": schema.resolutions,
    }.get(name, ())
    if not known or not isinstance(value, str) or value in known:
        return None
    word = {"type": "issue type"}.get(name, name)
    return "error", f"there is no {word} {value!r} in this Jira", _among(value, known)


def _custom_value(name: str, value: Any, field: CustomField) -> _Verdict:
    if isinstance(value, bool):
        return "error", f"{name!r} does not take True or False", _kind(field)
    if field.kind == "number" and isinstance(value, str):
        fits = not isinstance(convert(value, Target(name=name, kind="number")), NoMatch)
        return None if fits else ("error", f"{name!r} takes a number, not a text", _kind(field))
    if field.kind in (*_TEXTS, *_LISTS) and not isinstance(value, str):
        return "error", f"{name!r} does not take a number", _kind(field)
    if field.kind == "cascading" and field.options:
        return _level(name, value, field.options)
    if field.options and isinstance(value, str) and value not in field.options:
        return "error", f"{name!r} has no option {value!r}", _among(value, field.options)
    return None


def _level(name: str, value: str, options: Sequence[str]) -> _Verdict:
    """Judge one level of a two-level option, or both as one text; whether two levels fit is seen when it runs."""
    levels = {level for option in options for level in (option, option.rpartition(LEVEL)[2])}
    if value.casefold().strip() in {level.casefold() for level in levels}:
        return None
    return "error", f"{name!r} has no option {value!r}", _among(value, sorted(levels))


def _kind(field: CustomField) -> str:
    return f"It is a field of the kind {field.kind}."


def _among(value: str, known: Sequence[str]) -> str:
    close = _close(value, known)
    if close:
        return f"Did you mean {close!r}?"
    return "There is " + ", ".join(map(repr, known[:8])) + (", ..." if len(known) > 8 else "") + "."  # noqa: PLR2004 - as many as fit a line


def _close(name: str, known: Iterable[str]) -> str:
    names = list(known)
    folded = {_folded(other): other for other in names}
    if _folded(name) in folded:
        return folded[_folded(name)]
    close = difflib.get_close_matches(name[:80], names, 1)
    return close[0] if close else ""


def _folded(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
