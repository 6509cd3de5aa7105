"""The text of a script for one mapping. Pure; ``convert.py`` knows when it is used.

Only what means the same as the mapping, for values of the shape that the field has; everything else is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from node.rules.fields import STANDARD, is_custom
from node.rules.issue_links import LINKS
from node.rules.ruleset import COLLECTIONS, Default, Direction, MappingStep
from node.rules.script.words import REPLICA_FIELDS
from node.rules.values import LISTS, PEOPLE
from node.trackers.issue import CUSTOM

LOOK_UP = """\
def look_up(value, values):
    for known in values:
        if known == value:
            return values[known]
    for known in values:
        if known.casefold() == value.casefold():
            return values[known]
    return None

"""
"""Finds a value in a value map as mappings do: exact spelling first, then any case."""


class NoScript(Exception):
    """No script means the same. The text completes "there is no such script: ..."."""


def block_for(step: MappingStep, direction: Direction, kinds: Mapping[str, str]) -> str:
    """Return the lines for one mapping, from a comment that names it to the end of a line. Raises NoScript."""
    if "\n" in step.source + step.target or "\r" in step.source + step.target:
        raise NoScript("a name of it has several lines")
    if direction == "outgoing" and step.otherwise == "create":
        raise NoScript("outgoing rules create nothing")
    body = _outgoing(step, kinds) if direction == "outgoing" else _incoming(step, kinds)
    return f"# {step.source} to {step.target}\n{body}"


def _text(text: str) -> str:
    """Write a text so that it stays on its line and can be seen."""
    return "".join(
        char if char.isprintable() else f"\\U{ord(char):08x}" for char in json.dumps(text, ensure_ascii=False)
    )


def _indent(lines: str) -> str:
    return "".join(f"    {line}\n" for line in lines.split("\n") if line)


def _name(root: str, name: str) -> str:
    """Write a field of an issue or a replica."""
    if is_custom(name):
        return f"{root}.custom[{_text(name.removeprefix(CUSTOM))}]"
    if name in (*REPLICA_FIELDS, *COLLECTIONS):
        return f"{root}.{name}"
    if root == "issue":
        raise NoScript(f"scripts cannot name {name!r}; fields are called as in Jira, others custom.<Name>")
    return f"{root}.other[{_text(name)}]"


def _has(root: str, name: str) -> str:
    if is_custom(name):
        return f"{_text(name.removeprefix(CUSTOM))} in {root}.custom"
    if name not in (*REPLICA_FIELDS, *COLLECTIONS):
        return f"{_text(name)} in {root}.other"
    return f"{root}.has({_text(name)})"


def _values(step: MappingStep) -> str:
    rows = "".join(f"    {_text(value)}: {_text(result)},\n" for value, result in step.values.items())
    return f"values = {{\n{rows}}}\n"


def _no_pass(step: MappingStep) -> None:
    if step.values and not any(step.values):
        raise NoScript("its value map speaks of the empty field only")


def _collection(step: MappingStep) -> None:
    plain = MappingStep(source=step.source, target=step.source)
    if step != plain:
        raise NoScript(f"{step.source} are carried as they are, so the step's other settings have no script")


# Outgoing


def _outgoing(step: MappingStep, kinds: Mapping[str, str]) -> str:
    if step.source in COLLECTIONS:
        _collection(step)
        whole = f"issue.{step.source}"
        shared = whole if step.source == "attachments" else f"{step.source}.public({whole})"
        return f"replica.{step.source} = {shared}\n"
    if step.source == LINKS and step.target == LINKS:
        _collection(step)
        return "replica.links = links.of_linked(issue)\n"
    if step.target in {*COLLECTIONS, LINKS}:
        raise NoScript(f"{step.target!r} takes nothing else")
    read, write = _name("issue", step.source), _name("replica", step.target)
    kind = STANDARD[step.source].kind if step.source in STANDARD else kinds.get(step.source, "")
    if step.people == "email":
        if kind != "user":
            raise NoScript("people leave by e-mail address there")
        read = f"users.with_email({read}, name=False)"
    _no_pass(step)
    if step.values:
        if kind in PEOPLE or kind in {"cascading", ""}:
            raise NoScript("its value map is not one of plain values")
        body = _values(step) + (_mapped_list if kind in LISTS else _mapped)(step, read, write)
    elif step.otherwise != "nothing":
        raise NoScript("'otherwise' has no effect without a value map")
    else:
        body = f"{write} = {read}\n"
    if step.when == "always":
        return body
    before = _name("previous", step.target)
    again = f"elif previous is not None and {_has('previous', step.target)}:\n    {write} = {before}\n"
    return f"if first_sync:\n{_indent(body)}{again}"


def _misfit(step: MappingStep, write: str) -> str:
    if isinstance(step.otherwise, Default):
        return f"    default = {_text(step.otherwise.default)}\n    {write}\n"
    if step.otherwise == "error":
        return f"    error({_text(f'{step.source}: a value is not in the value map')})\n"
    return f"    log({_text(f'{step.source}: a value was left out, because it is not in the value map')})\n"


def _mapped(step: MappingStep, read: str, write: str) -> str:
    empty = "" if any(not value for value in step.values) else f"if not value:\n    {write} = None\nel"
    return (
        f'value = {read} or ""\n'
        "found = look_up(value, values)\n"
        f"{empty}if found is not None:\n"
        f"    {write} = found\n"
        f"else:\n{_misfit(step, f'{write} = default')}"
    )


def _mapped_list(step: MappingStep, read: str, write: str) -> str:
    if any(not value for value in step.values):
        raise NoScript("its value map has an entry for an empty list")
    taken = _indent(_misfit(step, "found.append(default)"))
    return (
        "found = []\n"
        f"for value in {read} or []:\n"
        "    if look_up(value, values) is not None:\n"
        "        found.append(look_up(value, values))\n"
        f"    else:\n{taken}"
        f"{write} = list(dict.fromkeys(found))\n"
    )


# Incoming

_FINDERS = {
    "priority": "jira.priority({})",
    "resolution": "jira.resolution({})",
    "assignee": "users.by_map({})",
    "reporter": "users.by_map({})",
    "parent_key": "sync.local_key({})",
}
"""How a single value of a field is found in our Jira."""
_LIST_FINDERS = {
    "components": "components.all({})",
    "fix_versions": "versions.all({})",
    "affects_versions": "versions.all({})",
}
_DIRECT = frozenset(
    {"summary", "description", "environment", "due", "labels", "original_estimate", "remaining_estimate"}
)
_DIRECT_KINDS = frozenset({"text", "paragraph", "url"})
_OPTION_KINDS = frozenset({"select", "radio"})


def _incoming(step: MappingStep, kinds: Mapping[str, str]) -> str:
    if {step.source, step.target} & {*COLLECTIONS, LINKS}:
        _collection(step)
        return f"issue.{step.source} = {step.source}.merge(issue, replica)\n"
    if step.people != "name":
        raise NoScript("'people' has an effect only on what leaves")
    read, write = _name("replica", step.source), _name("issue", step.target)
    if step.otherwise == "create" and step.target not in _LIST_FINDERS:
        raise NoScript("what it creates has no simple script")
    if step.target == "type":
        body = _type(step, read)
    elif step.target in _LIST_FINDERS:
        create = step.otherwise == "create"
        _no_settings(step.model_copy(update={"otherwise": "nothing"}) if create else step)
        names = f"{read}, create=True" if create else read
        body = f"{write} = {_LIST_FINDERS[step.target].format(names)}\n"
    elif step.target in _DIRECT or kinds.get(step.target) in _DIRECT_KINDS:
        _no_settings(step)
        body = f"{write} = {read}{' or []' if step.target == 'labels' else ''}\n"
    else:
        body = _found(step, read, write, _finder(step, kinds))
    here = _has("replica", step.source)
    return f"if {here}{' and not issue.key' if step.when == 'create' else ''}:\n{_indent(body)}"


def _no_settings(step: MappingStep) -> None:
    if step.values or step.otherwise != "nothing":
        raise NoScript("its value map or its choice for values that do not fit has no simple script")


def _finder(step: MappingStep, kinds: Mapping[str, str]) -> str:
    if step.target in _FINDERS:
        return _FINDERS[step.target]
    if kinds.get(step.target) in _OPTION_KINDS:
        return f"options.get({_text(step.target.removeprefix(CUSTOM))}, {{}})"
    if step.target == "status" and step.values:
        return "{}"
    if step.target == "status":
        raise NoScript("a status needs a value map")
    raise NoScript(f"what {step.target!r} holds is not known")


def _found(step: MappingStep, read: str, write: str, finder: str) -> str:
    if any(not value for value in step.values):
        raise NoScript("its value map has an entry for an empty field")
    known = STANDARD.get(step.target)
    empty = f"{write} = None" if known is None or known.emptiable else "pass"
    looked = "look_up(value, values)" if step.values else "value"
    default = finder.format("default")
    return (
        f"{_values(step) if step.values else ''}"
        f'value = {read} or ""\n'
        f"found = {finder.format(looked)}\n"
        f"if not value:\n    {empty}\n"
        f"elif found is not None:\n    {write} = found\n"
        f"else:\n{_misfit(step, f'{write} = {default}')}"
    )


def _type(step: MappingStep, read: str) -> str:
    """A type that is not here is chosen by the node when the issue is created, and left alone after that."""
    _no_pass(step)
    if isinstance(step.otherwise, Default):
        default = f"    default = {_text(step.otherwise.default)}\n    issue.type = jira.issue_type(default)\n"
        otherwise = f"elif not issue.key:\n{default}"
    elif step.otherwise == "error":
        otherwise = f"else:\n{_misfit(step, '')}"
    else:
        otherwise = ""
    looked = f'look_up({read} or "", values)' if step.values else read
    return (
        f"{_values(step) if step.values else ''}"
        f"found = jira.issue_type({looked})\n"
        f"if found is not None:\n    issue.type = found\n{otherwise}"
    )
