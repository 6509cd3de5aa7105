"""Finds what is written out in a script and can be compared with this Jira: names of statuses, options, roles and more.

Runs in the process that parses scripts, so it stands alone on the standard library. Judges nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

_REGULAR = frozenset(("re_search", "re_findall", "re_sub", "re_split"))
_TAKE_NAMES = {("comments", "merge"): ("role", "role", 4), ("workflow", "transition"): ("transition", "name", 0)}
"""Calls that take a name of our Jira: what it names, and by which keyword or in which place it is given."""
_EQUALITIES = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)


def constants(value: Any, *, inside: bool = False) -> Iterator[tuple[ast.Constant, bool]]:
    """Yield the constants that an expression may turn out to be, and whether each is an entry of a list."""
    if isinstance(value, ast.Constant):
        yield value, inside
    listed = inside or isinstance(value, (ast.List, ast.Tuple))
    for part in _outcomes(value):
        yield from constants(part, inside=listed)


def compared(node: Any) -> Iterator[tuple[str, ast.Constant]]:
    """Yield the fields of our issue that an expression compares with texts, and those texts."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for operator, one, other in zip(node.ops, sides, sides[1:], strict=False):
            if isinstance(operator, _EQUALITIES):
                yield from _texts(field_of(one), other)
                yield from _texts(field_of(other), one)
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict):
        yield from _keys(field_of(node.slice), node.value)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        yield from _keys(field_of(node.args[0]), node.func.value)


def expression(call: ast.Call) -> ast.Constant | None:
    """Return the regular expression that a call has, where it is written out."""
    named = isinstance(call.func, ast.Name) and call.func.id in _REGULAR
    return _text(call.args[0]) if named and call.args else None


def field_of_options(call: ast.Call) -> ast.Constant | None:
    """Return the name of the field whose options a call asks for, where it is written out."""
    function = call.func
    asks = (
        isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "options"
    )
    return _text(call.args[0]) if asks and call.args else None


def names(call: ast.Call) -> Iterator[tuple[str, ast.Constant]]:
    """Yield the names of roles and transitions that a call gives to a helper, where they are written out."""
    function = call.func
    if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)):
        return
    takes = _TAKE_NAMES.get((function.value.id, function.attr))
    if takes is None:
        return
    what, keyword, place = takes
    given = next((one.value for one in call.keywords if one.arg == keyword), None)
    if given is None and len(call.args) > place:
        given = call.args[place]
    for name in name_texts(given):
        yield what, name


def name_texts(value: Any) -> Iterator[ast.Constant]:
    """Yield the names that an expression may turn out to be."""
    for constant, inside in constants(value):
        if isinstance(constant.value, str) and constant.value and not inside:
            yield constant


def field_of(node: Any) -> str | None:
    """Return the name of the field of our issue that an expression is: ``status``, ``custom.Severity``."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "issue":
        return node.attr
    if isinstance(node, ast.Subscript) and field_of(node.value) == "custom":
        name = _text(node.slice)
        return None if name is None else f"custom.{name.value!s}"
    return None


def half_a_character(value: object) -> bool:
    """Tell whether a text holds a code that is no character alone, and cannot be sent to anybody."""
    return isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value)


def _texts(name: str | None, value: Any) -> Iterator[tuple[str, ast.Constant]]:
    if name is None:
        return
    for part in value.elts if isinstance(value, (ast.List, ast.Tuple, ast.Set)) else [value]:
        text = _text(part)
        if text is not None:
            yield name, text


def _keys(name: str | None, table: Any) -> Iterator[tuple[str, ast.Constant]]:
    if name is not None and isinstance(table, ast.Dict):
        for key in table.keys:
            text = _text(key)
            if text is not None:
                yield name, text


def _text(node: Any) -> ast.Constant | None:
    return node if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _outcomes(value: Any) -> list[Any]:
    if isinstance(value, ast.IfExp):
        return [value.body, value.orelse]
    if isinstance(value, ast.BoolOp):
        return value.values
    if isinstance(value, (ast.List, ast.Tuple)):
        return value.elts
    if isinstance(value, ast.Subscript) and isinstance(value.value, ast.Dict):
        return value.value.values
    call = value.func if isinstance(value, ast.Call) else None
    if isinstance(call, ast.Attribute) and call.attr == "get" and isinstance(call.value, ast.Dict):
        return [*call.value.values, *value.args[1:2]]
    return []
