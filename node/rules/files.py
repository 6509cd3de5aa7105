"""Rule sets as TOML files that read well in git, and back.

One rule set is one file. Order and layout never change by themselves, so that a diff shows what somebody changed.
Pure: takes and gives texts; whoever calls it reads and writes the files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError

from node.rules.file_faults import RulesFileError, fault_at, not_toml, wrong_shape
from node.rules.ruleset import Default, MappingStep, RuleSet, Scope, ScriptStep
from node.rules.similar import closest
from node.rules.toml_places import Place

__all__ = ["RulesFileError", "export_rules", "import_rules"]

_HEADER = "# Rules of one direction of a connection. Each [[step]] is a mapping or a script; they run in this order.\n"
_KEYS: Mapping[str, Sequence[str]] = {
    "": ("direction", "method", "scope", "step"),
    "scope": tuple(Scope.model_fields),
    "mapping": tuple(MappingStep.model_fields),
    "script": ("name", "script"),
}


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
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise not_toml(text, error, name) from None
    prepared = _prepare(text, data, name)
    try:
        return RuleSet.model_validate(prepared)
    except ValidationError as error:
        raise wrong_shape(text, error, prepared, name) from None


def _prepare(text: str, data: dict[str, Any], name: str) -> dict[str, Any]:
    """Check the names of keys, and give steps the names of the format."""
    _known(text, data, (), _KEYS[""], name)
    scope, steps = data.get("scope", {}), data.get("step", [])
    if isinstance(scope, dict):
        _known(text, scope, ("scope",), _KEYS["scope"], name)
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise fault_at(text, ("step",), "steps are written as [[step]]", name, "Write [[step]] above each step.")
    return {
        **{key: value for key, value in data.items() if key != "step"},
        "steps": [_step(text, step, number, name) for number, step in enumerate(steps)],
    }


def _step(text: str, step: dict[str, Any], number: int, name: str) -> dict[str, Any]:
    place = ("step", number)
    kind = "script" if "script" in step else "mapping"
    both = [key for key in _KEYS["mapping"] if kind == "script" and key in step]
    if both:
        what = f"step {number + 1} has both a script and {both[0]!r}: a step is either a mapping or a script"
        raise fault_at(text, (*place, both[0]), what, name, "Take one of them out, or make two steps of it.")
    _known(text, step, place, _KEYS[kind], name)
    wanted = ("name", "script") if kind == "script" else ("source", "target")
    missing = [key for key in wanted if key not in step]
    if missing:
        what = f"step {number + 1} has no {missing[0]!r}"
        raise fault_at(text, place, what, name, "A mapping has a source and a target, a script a name and a script.")
    return step if kind == "mapping" else {"name": step["name"], "source": step["script"]}


def _known(text: str, table: Mapping[str, Any], place: Place, known: Sequence[str], name: str) -> None:
    for key in table:
        if key not in known:
            near = closest(key, known)
            suggestion = f"Did you mean {near!r}?" if near else f"Known here: {', '.join(known)}."
            raise fault_at(text, (*place, key), f"unknown key {key!r}", name, suggestion)
