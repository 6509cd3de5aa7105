"""Puts together what runs in the box: the part of the prelude that a script needs, and the script as one function.

Works on the prelude's own text, which is ours; the script's text passes through untouched and is never parsed here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from typing_extensions import override

from node.rules.script import words
from node.rules.script.engine import Direction

_MAKERS = {
    "comments": "Comments()", "attachments": "Attachments()", "worklogs": "Worklogs()", "links": "Links()",
    "workflow": "Workflow()", "jira": "Jira()", "users": "Users()", "versions": "_versions()",
    "components": "_components()", "options": "Options()", "sync": "Sync()", "dates": "Dates()",
}  # fmt: skip
_NOTES = ("_w", "_at")
_UNUSED: Mapping[Direction, frozenset[str]] = {
    "outgoing": frozenset({"_incoming"}),
    "incoming": frozenset({"_outgoing", "_text_of"}),
}
_ENTRIES = frozenset({"_note", "_link", "_plain_list", "_plain_links"})
_FILES = ("objects", "export", "entries", "questions", "texts", "run")
REHEARSAL = (
    "_evaluate(lambda *_: None, 0, {'issue': {}, 'replica': {}, 'previous': None, 'first_sync': False, 'now': '', "
    "'known': None})"
)
"""An evaluation of nothing: it leaves nothing behind that the next one does not replace."""

_OF_THE_BOX = ("datetime",)
"""Modules that the box has and the prelude imports names from; other imports are for people and checkers."""


def prelude_for(
    names: Iterable[str], *, direction: Direction, shape: Mapping[str, object], entries: bool = True
) -> str:
    """Return the prelude with those helpers and functions that ``names`` mentions, and all that they stand on.

    ``shape`` is what ``projection.shape_for`` says of the script. ``entries`` says whether the script can meet
    comments, files or logged time; without them a third falls away.
    """
    wanted = frozenset(names)
    helpers = ", ".join(_MAKERS[helper] if helper in wanted else "None" for helper in words.HELPERS)
    definitions = dict(_definitions())
    definitions["_helpers"] = f"def _helpers():\n    return ({helpers})"
    definitions["_shape"] = f"_shape = {dict(shape)!r}"
    unused = _UNUSED[direction] | (frozenset() if entries else _ENTRIES)
    for name in unused:
        del definitions[name]
    needed = _reach({"_evaluate", "_evaluate_all", *_NOTES, *(wanted & set(words.FUNCTIONS))}, definitions)
    return "\n".join([_imports(), *(text for name, text in definitions.items() if name in needed)])


def asks(prelude: str) -> bool:
    """Whether a script with this prelude can ask the host anything."""
    return "_ask(" in prelude


def _reach(names: set[str], definitions: dict[str, str]) -> set[str]:
    reached: set[str] = set()
    waiting = sorted(names)
    while waiting:
        name = waiting.pop()
        if name in reached or name not in definitions:
            continue
        reached.add(name)
        tree = ast.parse(definitions[name])
        waiting += [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return reached


@cache
def _definitions() -> dict[str, str]:
    """Return the text of each top-level definition of the prelude by its name, without what only people read."""
    found: dict[str, str] = {}
    for statement in _tree().body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            found[statement.name] = ast.unparse(statement)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            found[statement.targets[0].id] = ast.unparse(statement)
    # The host answers it: it must not be defined in the box.
    del found["_ask"]
    return found


@cache
def _imports() -> str:
    wanted = {
        ast.unparse(statement)
        for statement in _tree().body
        if isinstance(statement, ast.Import)
        or (isinstance(statement, ast.ImportFrom) and statement.module in _OF_THE_BOX)
    }
    return "\n".join(sorted(wanted))


@cache
def _tree() -> ast.Module:
    """Return all files of the prelude as one module."""
    folder = files("node.rules.script").joinpath("prelude")
    whole = ast.Module(body=[], type_ignores=[])
    for name in _FILES:
        whole.body += ast.parse(folder.joinpath(f"{name}.py").read_text(encoding="utf-8")).body
    _Bare().visit(whole)
    return ast.fix_missing_locations(whole)


class _Bare(ast.NodeTransformer):
    """Leaves out docstrings and annotations: the box pays for every byte at each evaluation."""

    @override
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.returns = None
        node.decorator_list = []
        arguments = node.args
        for argument in (*arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
            if argument is not None:
                argument.annotation = None
        return _without_docstring(node)

    @override
    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        return _without_docstring(node)

    @override
    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if node.value is None:
            return None
        return ast.Assign(targets=[node.target], value=node.value)


def _without_docstring(node: ast.FunctionDef | ast.ClassDef) -> ast.AST:
    if ast.get_docstring(node) is not None:
        node.body = node.body[1:] or [ast.Pass()]
    return node
