"""Compares what a script names with what this Jira has: fields, helpers, custom fields, statuses, types, options. Pure.

Knows only what the parser saw in the text, so a name that is computed at run time is judged then, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

from node.rules.fields import name_one_of, of_one_name
from node.rules.script import projection, words
from node.rules.script.engine import CustomField, Direction, Finding, ScriptSchema
from node.rules.similar import closest
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
        judge = _JUDGES.get(use["what"])
        verdict = judge(use, direction, schema) if judge is not None else None
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


_Verdict: TypeAlias = tuple[Literal["error", "warning"], str, str] | None


def person_named(text: str) -> str:
    """Say how a script finds a person whose name is written out."""
    return f"Write users.by_name({text!r}); users.by_email and users.by_map find people, too."


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
    close = words.GROOVY_FIELDS.get(name) or closest(name, (*fields, "custom"))
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
    close = closest(name, words.HELPER_METHODS[root])
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
    return _no_custom_field(name, schema)


def _no_custom_field(name: str, schema: ScriptSchema) -> _Verdict:
    same = of_one_name(name, schema.custom)
    if same:
        return "error", f"several custom fields of this Jira are called {name!r}", name_one_of(same)
    close = closest(name, schema.custom)
    suggestion = f"Did you mean {close!r}?" if close else "Look at the names with: accord rules fields CONNECTION"
    return "error", f"there is no custom field {name!r} in this Jira", suggestion


def _options(use: Mapping[str, Any], direction: Direction, schema: ScriptSchema) -> _Verdict:  # noqa: ARG001 - one shape for all
    name = use["name"].removeprefix(CUSTOM)
    return None if not schema.custom or name in schema.custom else _no_custom_field(name, schema)


def _compared(use: Mapping[str, Any], direction: Direction, schema: ScriptSchema) -> _Verdict:  # noqa: ARG001 - one shape for all
    """Doubt a comparison with a value that no issue here can have now; an old issue may still have it."""
    name, value = use["name"], use["value"]
    if name.startswith(CUSTOM):
        field = schema.custom.get(name.removeprefix(CUSTOM))
        known: Sequence[str] = field.options if field is not None and field.kind in ("select", "radio") else ()
    else:
        known = _known(name, schema)
    if not known or not value or value in known:
        return None
    return "warning", f"no issue here has the {_word(name)} {value!r}", among(value, known)


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
    if direction == "outgoing" and use["root"] == "replica":
        return _shared_value(name, value, inside=use["inside"])
    if direction == "outgoing" or use["root"] != "issue":
        return None
    if name == "due" and isinstance(value, str) and value and not _is_day(value):
        return "error", f"{value!r} is not a day", _DAY
    if name.startswith(CUSTOM):
        field = schema.custom.get(name.removeprefix(CUSTOM))
        return None if field is None or value is None else _custom_value(name.removeprefix(CUSTOM), value, field)
    known = _known(name, schema)
    if not known or not isinstance(value, str) or value in known:
        return None
    return "error", f"there is no {_word(name)} {value!r} in this Jira", among(value, known)


def _known(name: str, schema: ScriptSchema) -> Sequence[str]:
    """Return the values that a field may have; nothing where that is not known."""
    by_name = {
        "status": schema.statuses,
        "type": schema.issue_types,
        "priority": schema.priorities,
        "resolution": schema.resolutions,
    }
    return by_name.get(name, ())


def _word(name: str) -> str:
    return {"type": "issue type"}.get(name, name.removeprefix(CUSTOM))


def _shared_value(name: str, value: Any, *, inside: bool) -> _Verdict:
    """Refuse a value that the replica never takes under that name. Its words are the peer's to understand."""
    if name.startswith((CUSTOM, f"{projection.OTHER}.")) or name == "project":
        return None
    if name in words.COLLECTIONS:
        wanted = None if value is None else f"a list of {name}"
    elif inside:
        wanted = "a list of texts" if name in words.TEXT_LISTS and not isinstance(value, str) else None
    else:
        wanted = projection.wanted(name, value, "outgoing")
    if wanted is None:
        return None
    return "error", f"replica.{name} takes {wanted}, not {projection.kind_of(value)}", ""


_DAY = "Write a day as 2026-11-24; dates.today() and dates.add_days(...) give days, too."
_TIME = "Write a time as 2026-11-24T10:00:00Z; dates.now() and dates.add_hours(...) give times, too."


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text[: len("2026-11-24")])
    except ValueError:
        return False
    return _is_time(text)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _custom_value(name: str, value: Any, field: CustomField) -> _Verdict:
    if isinstance(value, bool):
        return "error", f"{name!r} does not take True or False", _kind(field)
    if field.kind == "number" and isinstance(value, str):
        fits = not isinstance(convert(value, Target(name=name, kind="number")), NoMatch)
        return None if fits else ("error", f"{name!r} takes a number, not a text", _kind(field))
    if not isinstance(value, str):
        wrong = field.kind in (*_TEXTS, *_LISTS)
        return ("error", f"{name!r} does not take a number", _kind(field)) if wrong else None
    return _custom_text(name, value, field) if value else None


def _custom_text(name: str, value: str, field: CustomField) -> _Verdict:
    if field.kind in ("user", "multi-user"):
        return "warning", f"{name!r} takes a person, not a text", person_named(value)
    if field.kind == "date" and not _is_day(value):
        return "error", f"{value!r} is not a day", _DAY
    if field.kind == "datetime" and not _is_time(value):
        return "error", f"{value!r} is not a time", _TIME
    if field.kind == "cascading" and field.options:
        return _level(name, value, field.options)
    if field.options and value not in field.options:
        return "error", f"{name!r} has no option {value!r}", among(value, field.options)
    return None


def _level(name: str, value: str, options: Sequence[str]) -> _Verdict:
    """Judge one level of a two-level option, or both as one text; whether two levels fit is seen when it runs."""
    levels = {level for option in options for level in (option, option.rpartition(LEVEL)[2])}
    if value.casefold().strip() in {level.casefold() for level in levels}:
        return None
    return "error", f"{name!r} has no option {value!r}", among(value, sorted(levels))


def _kind(field: CustomField) -> str:
    return f"It is a field of the kind {field.kind}."


def among(value: str, known: Sequence[str]) -> str:
    """Suggest what was probably meant, or list what is known."""
    close = closest(value, known)
    if close:
        return f"Did you mean {close!r}?"
    return "There is " + ", ".join(map(repr, known[:8])) + (", ..." if len(known) > 8 else "") + "."  # noqa: PLR2004 - as many as fit a line


_JUDGES: Mapping[str, Callable[[Mapping[str, Any], Direction, ScriptSchema], _Verdict]] = {
    "field": _field,
    "method": _method,
    "custom": _custom,
    "value": _value,
    "compared": _compared,
    "other": _other,
    "internal": _internal,
    "options": _options,
}
