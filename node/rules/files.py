"""Rule sets as TOML files that read well in git, and back.

One rule set is one file. Order and layout never change by themselves, so that a diff shows what somebody changed.
Pure: takes and gives texts; whoever calls it reads and writes the files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import ParseError, TOMLKitError

from node.errors import ConfigError
from node.rules.ruleset import Default, MappingStep, RuleSet, Scope, ScriptStep
from node.rules.toml_places import Place, find_place

_HEADER = "# Rules of one direction of a connection. Each [[step]] is a mapping or a script; they run in this order.\n"
_CHOICES = {
    "direction": ("outgoing", "incoming"),
    "method": ("manual", "automatic", "disabled"),
    "when": ("always", "create"),
    "people": ("name", "email"),
    "otherwise": ("nothing", "error", "create"),
}
_KEYS: Mapping[str, Sequence[str]] = {
    "": ("direction", "method", "scope", "step"),
    "scope": tuple(Scope.model_fields),
    "mapping": tuple(MappingStep.model_fields),
    "script": ("name", "script"),
}


class RulesFileError(ConfigError):
    """A rules file cannot be read. Lines and columns count from 1; ``shown`` is the line as written."""

    def __init__(self, what: str, *, name: str, line: int, column: int, shown: str, suggestion: str = "") -> None:
        """Make one message of it, with the line and a mark under the place."""
        text = f"{name}, line {line}, column {column}: {what}."
        if shown:
            text += f"\n    {shown}\n    {' ' * (column - 1)}^"
        super().__init__(text, advice=suggestion or "Correct the file, then import it again; nothing was changed.")
        self.line = line
        self.column = column
        self.shown = shown
        self.suggestion = suggestion


def export_rules(ruleset: RuleSet) -> str:
    """Return the text of a rules file; ``import_rules`` gives back an equal rule set."""
    lines = [_HEADER, _pair("direction", ruleset.direction), _pair("method", ruleset.method)]
    scope = [(name, getattr(ruleset.scope, name)) for name in Scope.model_fields]
    if any(values for _, values in scope):
        lines += ["", "[scope]"]
        lines += [f"{name} = [{', '.join(map(_text, values))}]" for name, values in scope if values]
    for step in ruleset.steps:
        lines += ["", "[[step]]"]
        lines += _mapping(step) if isinstance(step, MappingStep) else _script(step)
    return "\n".join(lines) + "\n"


def _pair(name: str, value: str) -> str:
    return f"{name} = {_text(value)}"


def _mapping(step: MappingStep) -> list[str]:
    lines = [_pair("source", step.source), _pair("target", step.target)]
    if step.when != "always":
        lines.append(_pair("when", step.when))
    if step.people != "name":
        lines.append(_pair("people", step.people))
    if isinstance(step.otherwise, Default):
        lines.append(f"otherwise = {{ default = {_text(step.otherwise.default)} }}")
    elif step.otherwise != "nothing":
        lines.append(_pair("otherwise", step.otherwise))
    if step.values:
        lines += ["", "[step.values]"]
        lines += [f"{_text(value)} = {_text(replacement)}" for value, replacement in step.values.items()]
    return lines


def _script(step: ScriptStep) -> list[str]:
    return [_pair("name", step.name), f"script = {_long(step.source)}"]


_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def _text(text: str) -> str:
    """Return a TOML basic string (TOML 1.0): JSON's escapes are all among TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _long(text: str) -> str:
    """Return a script as it is between ``'''``, so that it can be read and edited; else with escapes."""
    if "'''" in text or text.endswith("'") or _UNPRINTABLE.search(text):
        body = "\n".join(_text(line)[1:-1] for line in text.split("\n"))
        return f'"""\n{body}"""'
    return f"'''\n{text}'''"


def import_rules(text: str, *, name: str = "the rules file") -> RuleSet:
    """Read a rules file. ``name`` is what errors call it. Raises RulesFileError."""
    try:
        data = tomlkit.parse(text).unwrap()
    except ParseError as error:
        lines = text.split("\n")
        shown = lines[error.line - 1] if error.line <= len(lines) else ""
        what = str(error).removesuffix(f" at line {error.line} col {error.col}").rstrip(".")
        raise RulesFileError(
            f"not TOML: {what[:1].lower()}{what[1:]}", name=name, line=error.line, column=error.col + 1, shown=shown
        ) from None
    except (TOMLKitError, ValueError, RecursionError) as error:
        what = str(error).rstrip(".")
        raise RulesFileError(f"not TOML: {what}", name=name, line=1, column=1, shown="") from None
    prepared = _prepare(text, data, name)
    try:
        return RuleSet.model_validate(prepared)
    except ValidationError as error:
        raise _error_at(text, error, prepared, name) from None


def _prepare(text: str, data: dict[str, Any], name: str) -> dict[str, Any]:
    """Check the names of keys, and give steps the names of the format."""
    _known(text, data, (), _KEYS[""], name)
    scope, steps = data.get("scope", {}), data.get("step", [])
    if isinstance(scope, dict):
        _known(text, scope, ("scope",), _KEYS["scope"], name)
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise _at(text, ("step",), "steps are written as [[step]]", name, "Write [[step]] above each step.")
    ready = []
    for number, step in enumerate(steps):
        place = ("step", number)
        kind = "script" if "script" in step else "mapping"
        _known(text, step, place, _KEYS[kind], name)
        missing = [key for key in ("name", "script") if key not in step] if kind == "script" else []
        missing += [key for key in ("source", "target") if key not in step] if kind == "mapping" else []
        if missing:
            what = f"step {number + 1} has no {missing[0]!r}"
            raise _at(text, place, what, name, "A mapping has a source and a target, a script a name and a script.")
        ready.append(step if kind == "mapping" else {"name": step["name"], "source": step["script"]})
    return {**{key: value for key, value in data.items() if key != "step"}, "steps": ready}


def _known(text: str, table: Mapping[str, Any], place: Place, known: Sequence[str], name: str) -> None:
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            suggestion = f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(known)}."
            raise _at(text, (*place, key), f"unknown key {key!r}", name, suggestion)


def _at(text: str, place: Place, what: str, name: str, suggestion: str = "") -> RulesFileError:
    line, column, shown = find_place(text, place)
    return RulesFileError(what, name=name, line=line, column=column, shown=shown, suggestion=suggestion)


def _error_at(text: str, error: ValidationError, data: Any, name: str) -> RulesFileError:
    detail = error.errors(include_url=False)[0]
    place = tuple(part for part in detail["loc"] if part not in {"mapping", "script", "Default"})
    in_file = ("step", *place[1:]) if place[:1] == ("steps",) else place
    if _is_script(data, place) and in_file[-1:] == ("source",):
        in_file = (*in_file[:-1], "script")
    key = next((part for part in reversed(in_file) if part in _CHOICES), None)
    what = f"{key or '.'.join(map(str, in_file))}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"
    suggestion = ""
    if detail["type"] == "missing":
        what = f"{in_file[-1]!r} is missing"
    elif key is not None:
        choices = _CHOICES[str(key)]
        near = get_close_matches(str(detail["input"]), choices, n=1)
        shown = [repr(choice) for choice in choices] + (["{ default = ... }"] if key == "otherwise" else [])
        what = f"{key!r} is one of {', '.join(shown)}"
        suggestion = f"Did you mean {near[0]!r}?" if near else ""
    return _at(text, in_file, what, name, suggestion)


def _is_script(data: Any, place: Place) -> bool:
    return len(place) > 1 and isinstance(place[1], int) and "target" not in data["steps"][place[1]]
