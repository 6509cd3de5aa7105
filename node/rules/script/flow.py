"""Which fields of our issue a script takes values from, and which it fills with values that it got. Pure.

Runs in the process that parses scripts. Decides from the text alone, so it is a guess on the safe side: what is taken
may never reach the replica, what is filled may come from here. What stands in a condition only is looked at, not
taken; a value that is written out was not got from anybody.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from node.rules.script import language, words

ANY_CUSTOM = "custom"
"""Stands for custom fields by names that are computed at run time."""

NOTHING: dict[str, Any] = {"taken": [], "filled": [], "whole": False}
"""Of a script that is refused."""

_MAKES_NOTHING = words.BUILTINS | words.GIVEN


def flow(tree: ast.Module) -> dict[str, Any]:
    """Return ``taken`` and ``filled``, sorted; ``whole`` says that the issue itself is handed on, with all it has.

    Comments, files, logged time and links are left out: those of one peer never leave for another.
    """
    conditions: set[int] = set()
    known: set[int] = set()
    taken: set[str] = set()
    filled: set[tuple[str, str]] = set()
    whole = False
    for node in ast.walk(tree):
        for test in _tests(node):
            if not _does_more_than_look(test):
                conditions.update(map(id, ast.walk(test)))
        if isinstance(node, ast.Call) and _merges(node):
            known.update(id(one) for one in node.args[:2] if isinstance(one, ast.Name))
        filled.update(_filled(node))
        if id(node) in known:
            continue
        place = _field(node)
        if place is not None and place[0] == "issue":
            known.update(_below(node))
            if not isinstance(node.ctx, ast.Store) and id(node) not in conditions:  # type: ignore[attr-defined]
                taken.add(place[1])
        elif isinstance(node, ast.Name) and node.id == "issue" and id(node) not in conditions:
            whole = True
    return {
        "taken": sorted(taken - set(words.ENTRIES)),
        "filled": sorted({name for root, name in filled if root == "issue" or whole} - set(words.ENTRIES)),
        "whole": whole,
    }


def _field(node: Any) -> tuple[str, str] | None:
    """Return the object and the field that an expression is: ``issue``, and ``summary`` or ``custom.Severity``."""
    if isinstance(node, ast.Subscript):
        shelf = _field(node.value)
        if shelf is None or shelf[1] != ANY_CUSTOM:
            return None
        name = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return shelf[0], f"{ANY_CUSTOM}.{name}" if isinstance(name, str) else ANY_CUSTOM
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.value.id, node.attr
    return None


def _filled(node: Any) -> Iterator[tuple[str, str]]:
    """Yield the objects and fields that a statement fills with anything that is not written out in it."""
    if isinstance(node, ast.Assign):
        targets, values = node.targets, [node.value]
    elif isinstance(node, (ast.AugAssign, ast.AnnAssign)) and node.value is not None:
        targets, values = [node.target], [node.value]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in language.MUTATORS:
        targets, values = [node.func.value], [*node.args, *(keyword.value for keyword in node.keywords)]
    else:
        return
    if not any(isinstance(inner, ast.Name) for value in values for inner in ast.walk(value)):
        return
    for target in targets:
        for leaf in ast.walk(target):
            place = _field(leaf)
            shelf = isinstance(leaf, ast.Attribute) and leaf.attr == ANY_CUSTOM  # what it holds is named outside of it
            if place is not None and not shelf:
                yield place


def _below(node: Any) -> Iterator[int]:
    """Yield the ids of the parts that make up the field: ``issue`` and ``issue.custom``."""
    while isinstance(node, (ast.Subscript, ast.Attribute)):
        node = node.value
        yield id(node)


def _tests(node: Any) -> list[Any]:
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        return [node.test]
    return list(node.ifs) if isinstance(node, ast.comprehension) else []


def _does_more_than_look(test: Any) -> bool:
    """Tell whether a condition may keep what it sees: it gives it a name, or hands it to something of the script."""
    for node in ast.walk(test):
        if isinstance(node, ast.NamedExpr):
            return True
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                if function.attr in language.MUTATORS:
                    return True
            elif not (isinstance(function, ast.Name) and function.id in _MAKES_NOTHING):
                return True
    return False


def _merges(call: ast.Call) -> bool:
    """Tell whether a helper for comments, files, logged time or links is called, which takes issues whole."""
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id in words.ENTRIES
    )
