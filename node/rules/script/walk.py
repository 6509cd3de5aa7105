"""One walk over a script's syntax: what is refused, what is read and written, where the program takes notes.

Runs in the process that parses scripts. Decides from the text alone: it knows no schema and runs nothing. What comes
of a walk is put together by `subset`.
"""

from __future__ import annotations

import ast
from typing import Any

from node.rules.script import language, literals, syntax, words

_BY_NAME = ("custom", "other")
"""What holds values by names that Jira does not give: ``replica.custom["Severity"]``, ``replica.other["state"]``."""


class Walk:
    """One walk over the tree: findings, names, reads, notes to insert."""

    def __init__(self, source: str, direction: str) -> None:
        self.lines = source.split("\n")
        self.direction = direction
        self.findings: list[dict[str, Any]] = []
        self.uses: list[dict[str, Any]] = []
        self.reads: dict[str, set[str] | None] = {"issue": set(), "replica": set(), "previous": set()}
        self.clock = False
        self.notes: list[tuple[int, int, str]] = []
        self.bound: set[str] = set()
        self.loads: list[ast.Name] = []
        self.kept_lines: set[int] = set()
        self.loops: set[int] = set()
        self.unspeakable = False
        """Whether a text cannot be told to anybody, so that nothing but the findings is."""

    def find(self, node: Any, message: str, suggestion: str = "", code: str = "subset") -> None:
        """Note that a piece of the script cannot be."""
        line = getattr(node, "lineno", 1)
        self.findings.append(
            {"severity": "error", "message": message, "line": line, "column": self._column(line, node.col_offset) + 1,
             "end_column": self._end(node), "suggestion": suggestion, "code": code}
        )  # fmt: skip

    def use(self, node: Any, what: str, **more: Any) -> None:
        """Note what a piece of the script makes use of, for the schema's sake."""
        self.uses.append(
            {"what": what, "line": node.lineno, "column": self._column(node.lineno, node.col_offset) + 1,
             "end_column": self._end(node), **more}
        )  # fmt: skip

    def _column(self, line: int, offset: int) -> int:
        return len(self.lines[line - 1].encode()[:offset].decode(errors="replace"))

    def _end(self, node: Any) -> int | None:
        if getattr(node, "end_lineno", None) != node.lineno:
            return None
        return self._column(node.lineno, node.end_col_offset) + 1

    def walk(self, tree: ast.Module) -> None:
        """Look at every node once, parents first; raises RecursionError where the nesting is too deep."""
        stack: list[tuple[Any, Any, int]] = [(tree, None, 0)]
        count = 0
        while stack:
            node, parent, depth = stack.pop()
            count += 1
            if depth > language.MAX_NESTING or count > language.MAX_NODES:
                raise RecursionError
            kind = type(node).__name__
            if kind not in language.ALLOWED:
                message, suggestion = language.REFUSED.get(
                    kind, (f"`{kind}` is not part of the language of scripts", "")
                )
                self.find(node if hasattr(node, "lineno") else parent, message, suggestion)
                continue
            if isinstance(node, language.SIMPLE_STATEMENTS):
                self._tell_where(node)
            look = getattr(self, f"_look_{kind}", None)
            if look is not None:
                look(node, parent)
            stack += [(child, node, depth + 1) for child in ast.iter_child_nodes(node)]

    def _look_Name(self, node: ast.Name, parent: Any) -> None:  # noqa: N802 - named after the node
        if node.id.startswith("_"):
            self.find(node, f"names that begin with `_` are not for scripts: `{syntax.short(node.id)}`")
            return
        if isinstance(node.ctx, ast.Store):
            self.bind(node, node.id)
            return
        self.loads.append(node)
        if node.id in self.reads and not isinstance(parent, ast.Attribute):
            self._read_whole(node, parent)
        if node.id == "dates" and not (isinstance(parent, ast.Attribute) and parent.attr not in language.CLOCK):
            self.clock = True

    def _read_whole(self, node: ast.Name, parent: Any) -> None:
        if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute):
            helper = parent.func.value
            if isinstance(helper, ast.Name) and helper.id in words.ENTRIES and node in parent.args[:2]:
                self._read(node.id, helper.id)
                return
        if syntax.only_asked(node, parent):
            return
        self.reads[node.id] = None

    def _read(self, root: str, name: str) -> None:
        names = self.reads[root]
        if names is not None:
            names.add(name)

    def bind(self, node: Any, name: str) -> None:
        """A name gets a value."""
        if name.startswith("_"):
            self.find(node, f"names that begin with `_` are not for scripts: `{syntax.short(name)}`")
        elif name in words.GIVEN:
            self.find(node, f"`{name}` is given to the script and cannot be replaced", "Choose another name.")
        elif name in words.BUILTINS or name in words.REFUSED_NAMES:
            if name in ("type", "id", "date", "debug", "input", "object", "hash", "null", "true", "false"):
                self.bound.add(name)
            else:
                self.find(node, f"`{name}` already means something and cannot be replaced", "Choose another name.")
        else:
            self.bound.add(name)

    def _look_Attribute(self, node: ast.Attribute, parent: Any) -> None:  # noqa: N802
        if node.attr.startswith("_") or node.attr in language.REFUSED_ATTRIBUTES:
            self.find(
                node, f"`.{syntax.short(node.attr)}` is not for scripts", "Use the fields and helpers by their names."
            )
            return
        if not isinstance(node.value, ast.Name):
            return
        root, write = node.value.id, isinstance(node.ctx, ast.Store)
        if root in self.reads:
            self.use(node, "field", root=root, name=node.attr, write=write)
            if node.attr in _BY_NAME:
                self._by_name(root, node.attr, parent)
            elif node.attr == "has":
                self._asked(root, parent)
            elif not write or isinstance(parent, ast.AugAssign):
                self._read(root, node.attr)
        elif root in words.HELPER_METHODS:
            self.use(node, "method", root=root, name=node.attr, write=write)

    def _asked(self, root: str, parent: Any) -> None:
        """``replica.has("summary")`` reads that field; a name that is not written out may be any."""
        asked = parent.args[0] if isinstance(parent, ast.Call) and parent.args else None
        if isinstance(asked, ast.Constant) and isinstance(asked.value, str):
            self._read(root, asked.value)
        else:
            self.reads[root] = None

    def _by_name(self, root: str, shelf: str, parent: Any) -> None:
        name: Any = None
        place = parent
        if isinstance(parent, ast.Subscript) and isinstance(parent.slice, ast.Constant):
            name, place = parent.slice.value, parent.slice
        if isinstance(name, str):
            self._read(root, f"{shelf}.{name}")
            self.use(place, shelf, root=root, name=name, write=isinstance(parent.ctx, ast.Store))
        else:
            self._read(root, shelf)

    def _look_FunctionDef(self, node: ast.FunctionDef, parent: Any) -> None:  # noqa: ARG002, N802
        if node.decorator_list:
            self.find(node.decorator_list[0], "scripts have no decorators", "Call the function directly.")
        self.bind(node, node.name)

    def _look_arg(self, node: ast.arg, parent: Any) -> None:  # noqa: ARG002
        if node.arg in self.reads:
            # merge(issue, replica) reads well in a function too; what it is called with is not known here.
            self.reads[node.arg] = None
        else:
            self.bind(node, node.arg)

    def _look_keyword(self, node: ast.keyword, parent: Any) -> None:
        if node.arg is not None and node.arg.startswith("_"):
            self.find(node, f"names that begin with `_` are not for scripts: `{syntax.short(node.arg)}`")
        elif node.arg in words.NO_OTHER_AUTHOR and syntax.is_helper(parent, ("comments", "worklogs")):
            self.find(
                node,
                f"`{node.arg}` cannot be: by REST, Jira takes what is written as written by the user who logs in",
                "Leave it out. The author's name stands above the text, and `text` puts it there in your own words.",
            )

    def _look_ExceptHandler(self, node: ast.ExceptHandler, parent: Any) -> None:  # noqa: ARG002, N802
        if node.type is None:
            self.find(node, "a bare `except:` also catches what ends a script", "Write `except Exception:`.")
        if node.name:
            self.bind(node, node.name)

    def _look_Constant(self, node: ast.Constant, parent: Any) -> None:  # noqa: N802
        if isinstance(node.value, (bytes, complex)) or node.value is ...:
            self.find(node, "scripts know texts, numbers, lists and dicts, not this kind of value")
        if literals.half_a_character(node.value):
            self.find(node, "this text holds half of a character", "Write the character itself.")
            self.unspeakable = True
        if isinstance(node.value, str) and not isinstance(parent, ast.JoinedStr):
            self._keep(node)

    def _look_JoinedStr(self, node: ast.JoinedStr, parent: Any) -> None:  # noqa: ARG002, N802
        self._keep(node)

    def _keep(self, node: Any) -> None:
        if node.end_lineno is not None and node.end_lineno > node.lineno:
            self.kept_lines.update(range(node.lineno + 1, node.end_lineno + 1))

    def _look_Compare(self, node: ast.Compare, parent: Any) -> None:  # noqa: ARG002, N802
        self._compared(node)

    def _look_Subscript(self, node: ast.Subscript, parent: Any) -> None:  # noqa: ARG002, N802
        self._compared(node)

    def _look_Call(self, node: ast.Call, parent: Any) -> None:  # noqa: ARG002, N802
        self._compared(node)
        pattern, field = literals.expression(node), literals.field_of_options(node)
        if pattern is not None:
            self.use(pattern, "expression", value=pattern.value)
        if field is not None:
            self.use(field, "options", name=field.value)
        for what, name in literals.names(node):
            self.use(name, what, value=name.value)
        self._merged(node)

    def _merged(self, node: ast.Call) -> None:
        """Remember where comments are merged as internal ones, which not every project can have."""
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr == "merge" and isinstance(function.value, ast.Name):
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            internal = given.get("internal", node.args[3] if len(node.args) > 3 else None)  # noqa: PLR2004 - its place
            if function.value.id == "comments" and syntax.may_be(internal) and not syntax.may_be(given.get("role")):
                self.use(internal, "internal")

    def _compared(self, node: Any) -> None:
        for name, text in literals.compared(node):
            self.use(text, "compared", name=name, value=text.value)

    def _look_While(self, node: ast.While, parent: Any) -> None:  # noqa: ARG002, N802
        self.loops.add(node.lineno)

    def _look_For(self, node: ast.For, parent: Any) -> None:  # noqa: ARG002, N802
        self.loops.add(node.lineno)
        self._names_only(node.target, "a loop variable")

    def _look_comprehension(self, node: ast.comprehension, parent: Any) -> None:  # noqa: ARG002
        self._names_only(node.target, "a loop variable")

    def _names_only(self, target: Any, what: str) -> None:
        for inner in ast.walk(target):
            if isinstance(inner, (ast.Attribute, ast.Subscript)):
                self.find(inner, f"{what} must be a plain name", "Assign to the field inside the loop.")

    def _look_AnnAssign(self, node: ast.AnnAssign, parent: Any) -> None:  # noqa: ARG002, N802
        if node.value is not None:
            self._note(node, node.target, node.value)

    def _look_AugAssign(self, node: ast.AugAssign, parent: Any) -> None:  # noqa: ARG002, N802
        self._note(node, node.target, None)

    def _look_Assign(self, node: ast.Assign, parent: Any) -> None:  # noqa: ARG002, N802
        for target in node.targets:
            for leaf in syntax.leaves(target):
                self._note(node, leaf, node.value)

    def _look_Expr(self, node: ast.Expr, parent: Any) -> None:  # noqa: ARG002, N802
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in language.MUTATORS:
            target = call.func.value
            if isinstance(target, ast.Subscript) or (
                isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)
            ):
                self._note(node, target, None, read=True)

    def _tell_where(self, statement: Any) -> None:
        """Have the program say where it is before a statement that may end it: a traceback is not always true."""
        for inner in ast.walk(statement):
            if isinstance(inner, ast.Call) and syntax.ends_script(inner.func):
                self.notes.append((statement.lineno, statement.col_offset, f"_at({statement.lineno});"))
                return

    def _note(self, statement: Any, target: Any, value: Any, *, read: bool = False) -> None:
        """Have the program note, after this statement, which line set the field."""
        if isinstance(target, ast.Attribute):
            base, name = target.value, repr(target.attr)
            if isinstance(base, ast.Name) and value is not None and base.id in self.reads:
                self._values(base.id, target.attr, value)
            plain = isinstance(base, ast.Name) and not target.attr.startswith("_")
            if target.attr == "restrict_to_role":
                for role in literals.name_texts(value):
                    self.use(role, "role", value=role.value)
        elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Attribute):
            base = target.value
            plain = base.attr in _BY_NAME and isinstance(base.value, ast.Name)
            constant = isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, str)
            plain = plain and (constant or isinstance(target.slice, ast.Name))
            if not plain:
                return
            name = ast.unparse(target.slice)
            if constant and value is not None and isinstance(base.value, ast.Name):
                self._values(base.value.id, f"{base.attr}.{target.slice.value}", value)  # type: ignore[attr-defined]
        else:
            return
        if not plain:
            if not read:
                self.find(target, "only a field of a plain name can be set", "Give the object a name first.")
            return
        text = f";_w({ast.unparse(base)},{name},{statement.lineno})"
        self.notes.append((statement.end_lineno, statement.end_col_offset, text))

    def _values(self, root: str, name: str, value: Any) -> None:
        """Remember constants that become the value of a field, for the schema's sake."""
        for constant, inside in literals.constants(value):
            self.use(constant, "value", root=root, name=name, value=constant.value, inside=inside)
