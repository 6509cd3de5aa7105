"""Asks one piece of a script's syntax what it means: is it only asked for, may it be something, does it end the script.

Runs in the process that parses scripts, so it stands alone on the standard library. Walks nowhere, judges nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from node.rules.script import language


def only_asked(node: ast.Name, parent: Any) -> bool:
    """Tell whether it is only asked if the object is there, so that it cannot be read under another name."""
    if isinstance(parent, (ast.If, ast.IfExp, ast.While)):
        return node is parent.test
    if isinstance(parent, ast.BoolOp):
        # `previous and x` is None or x, never previous; `previous or x` may be previous.
        return isinstance(parent.op, ast.And) and node is not parent.values[-1]
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, ast.Not)
    return isinstance(parent, ast.Compare)


def may_be(value: Any) -> bool:
    """Tell whether an argument is there and may turn out to be something."""
    return value is not None and not (isinstance(value, ast.Constant) and not value.value)


def leaves(target: Any) -> Iterator[Any]:
    """Yield what an assignment's target sets, one by one."""
    if isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from leaves(element)
    elif isinstance(target, ast.Starred):
        yield from leaves(target.value)
    else:
        yield target


def ends_script(function: Any) -> bool:
    """Tell whether calling this may end the script."""
    if isinstance(function, ast.Name):
        return function.id in ("skip", "error")
    return isinstance(function, ast.Attribute) and function.attr == "transition"


def is_helper(call: Any, helpers: tuple[str, ...]) -> bool:
    """Tell whether a method of one of these helpers is called."""
    function = call.func if isinstance(call, ast.Call) else None
    root = function.value if isinstance(function, ast.Attribute) else None
    return isinstance(root, ast.Name) and root.id in helpers


def short(name: str) -> str:
    """Return a name as it is told to people."""
    return name if len(name) <= language.NAME_SHOWN else name[: language.NAME_SHOWN] + "..."
