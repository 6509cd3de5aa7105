"""Rule subset v1 as tables: the kinds of syntax that scripts may use, and what to say about the others. Data only.

Stands alone on the standard library, since the parsing worker loads it.
"""

from __future__ import annotations

import ast

VERSION = 1
MAX_SOURCE = 64 * 1024
"""Characters of one script."""

MAX_NESTING = 60
MAX_NODES = 40_000
NAME_SHOWN = 60

ALLOWED = frozenset(
    """
    Module FunctionDef Return Assign AugAssign AnnAssign For While If Raise Try ExceptHandler Assert Expr Pass Break
    Continue BoolOp NamedExpr BinOp UnaryOp Lambda IfExp Dict Set ListComp SetComp DictComp GeneratorExp Compare Call
    FormattedValue JoinedStr Constant Attribute Subscript Starred Name List Tuple Slice arguments arg keyword
    comprehension Load Store And Or Add Sub Mult Div Mod Pow FloorDiv BitAnd BitOr BitXor LShift RShift Not UAdd USub
    Invert Eq NotEq Lt LtE Gt GtE Is IsNot In NotIn
    """.split()  # noqa: SIM905 - a list of words reads best as words
)

REFUSED = {
    "Import": ("scripts cannot import", "What a script needs is there already: re_search, dates, users, jira, ..."),
    "ImportFrom": ("scripts cannot import", "What a script needs is there already: re_search, dates, users, jira, ..."),
    "ClassDef": ("scripts have no classes", "Use a function, a dict or a list."),
    "AsyncFunctionDef": ("scripts are not asynchronous", "Write `def`."),
    "AsyncFor": ("scripts are not asynchronous", "Write `for`."),
    "AsyncWith": ("scripts are not asynchronous", "Leave out `async with`."),
    "Await": ("scripts are not asynchronous", "Helpers answer directly: leave out `await`."),
    "Yield": ("scripts have no generators", "Fill a list and return it."),
    "YieldFrom": ("scripts have no generators", "Fill a list and return it."),
    "Global": ("`global` is not part of the language of scripts", "Return the value from the function."),
    "Nonlocal": ("`nonlocal` is not part of the language of scripts", "Return the value from the function."),
    "Match": ("`match` is not part of the language of scripts", "Use `if` and `elif`, or a dict."),
    "Delete": ("`del` is not part of the language of scripts", "Set the field to None, or use replica.drop(name)."),
    "With": ("`with` is not part of the language of scripts", "Nothing here has to be closed."),
    "TryStar": ("`except*` is not part of the language of scripts", "Write `except`."),
    "MatMult": ("`@` is not part of the language of scripts", ""),
}

REFUSED_ATTRIBUTES = frozenset(
    """
    format_map mro gi_frame gi_code cr_frame cr_code ag_frame f_globals f_locals f_builtins f_back f_code tb_frame
    tb_next func_globals func_code with_traceback add_note
    """.split()  # noqa: SIM905 - a list of words reads best as words
)

MUTATORS = frozenset(
    """
    append extend insert remove pop clear sort reverse update add discard setdefault
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
CLOCK = frozenset(("now", "today"))

SIMPLE_STATEMENTS = (ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Raise)
"""Statements before which another one may stand on the same line."""
