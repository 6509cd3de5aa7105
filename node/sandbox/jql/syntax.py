"""The parts of a query as it was written: clauses, operands, order. Says nothing of what they mean.

``to_jql`` writes any of them back as text that reads as the same parts.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from enum import Enum

from node.sandbox.jql.lexer import KEYWORDS, RESERVED_WORDS


class Operator(Enum):
    """What stands between a field and its operand; the value is the text in a query."""

    EQ = "="
    NE = "!="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="
    LIKE = "~"
    NOT_LIKE = "!~"
    IN = "in"
    NOT_IN = "not in"
    IS = "is"
    IS_NOT = "is not"
    WAS = "was"
    WAS_NOT = "was not"
    WAS_IN = "was in"
    WAS_NOT_IN = "was not in"
    CHANGED = "changed"

    @property
    def negation(self) -> Operator | None:
        """The operator that Jira puts in its place under a NOT; None for CHANGED, which has none."""
        return _NEGATIONS.get(self)

    @property
    def takes_list(self) -> bool:
        """Whether the operand is a list."""
        return self in {Operator.IN, Operator.NOT_IN, Operator.WAS_IN, Operator.WAS_NOT_IN}

    @property
    def is_history(self) -> bool:
        """Whether the operator asks the change log and may carry predicates."""
        return self in {Operator.CHANGED, Operator.WAS, Operator.WAS_NOT, Operator.WAS_IN, Operator.WAS_NOT_IN}


_PAIRS = (
    (Operator.EQ, Operator.NE),
    (Operator.GT, Operator.LE),
    (Operator.LT, Operator.GE),
    (Operator.LIKE, Operator.NOT_LIKE),
    (Operator.IN, Operator.NOT_IN),
    (Operator.IS, Operator.IS_NOT),
    (Operator.WAS, Operator.WAS_NOT),
    (Operator.WAS_IN, Operator.WAS_NOT_IN),
)
_NEGATIONS = {**dict(_PAIRS), **{right: left for left, right in _PAIRS}}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: text, or a bare number (then ``number`` is true and ``text`` its digits)."""

    text: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Empty:
    """EMPTY or NULL."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListOperand:
    """Several operands in parentheses; Jira takes lists in lists as one flat list."""

    items: tuple[Operand, ...]
    depth: int = dataclasses.field(default=1, compare=False)


Operand = Literal | Empty | Call | ListOperand


@dataclass(frozen=True, slots=True)
class Predicate:
    """AFTER, BEFORE, DURING, ON, FROM, TO or BY (``name``, in lower case) behind WAS or CHANGED."""

    name: str
    operand: Operand


@dataclass(frozen=True, slots=True)
class Clause:
    """One field, its operator and what it is held against; only CHANGED has no operand."""

    field: str
    operator: Operator
    operand: Operand | None
    predicates: tuple[Predicate, ...] = ()
    depth: int = dataclasses.field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of an expression."""

    inner: Expression
    depth: int = dataclasses.field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more expressions."""

    parts: tuple[Expression, ...]
    depth: int = dataclasses.field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of two or more expressions."""

    parts: tuple[Expression, ...]
    depth: int = dataclasses.field(default=1, compare=False)


Expression = Clause | Not | And | Or


@dataclass(frozen=True, slots=True)
class Sort:
    """One field of ORDER BY. ``descending`` is None where neither ASC nor DESC was written."""

    field: str
    descending: bool | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole query; ``where`` is None when every issue is meant."""

    where: Expression | None = None
    order: tuple[Sort, ...] = ()


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_CUSTOM_FIELD = re.compile(r"cf\[[0-9]+\]\Z")
_QUOTED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_FIRST_PRINTABLE = 0x20
_BEYOND_PRINTABLE = frozenset([0x7F, 0xFFFE, 0xFFFF, *range(0xFDD0, 0xFDF0)])


def quoted(text: str) -> str:
    """Return the text as a quoted string of the query language."""
    return '"' + "".join(_QUOTED.get(char) or _escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < _FIRST_PRINTABLE or code in _BEYOND_PRINTABLE else char


def _name(text: str) -> str:
    plain = _PLAIN.match(text) and text.lower() not in KEYWORDS and text.lower() not in RESERVED_WORDS
    return text if plain else quoted(text)


def to_jql(part: Statement | Expression | Operand | Sort | Predicate) -> str:  # noqa: C901, PLR0911 - one line a part
    """Write a part of a query as text."""
    match part:
        case Literal(text, number):
            return text if number else quoted(text)
        case Empty():
            return "EMPTY"
        case Call(name, arguments):
            return f"{_name(name)}({', '.join(map(quoted, arguments))})"
        case ListOperand(items):
            return f"({', '.join(map(to_jql, items))})"
        case Predicate(name, operand):
            return f"{name} {to_jql(operand)}"
        case Clause(name, operator, operand, predicates):
            field_name = name if _CUSTOM_FIELD.match(name) else _name(name)
            operands = [] if operand is None else [to_jql(operand)]
            return " ".join([field_name, operator.value, *operands, *map(to_jql, predicates)])
        case Not(inner):
            return f"NOT {_grouped(inner)}"
        case And(parts):
            return " AND ".join(map(_grouped, parts))
        case Or(parts):
            return " OR ".join(map(_grouped, parts))
        case Sort(name, descending):
            field_name = name if _CUSTOM_FIELD.match(name) else _name(name)
            return field_name + {None: "", False: " ASC", True: " DESC"}[descending]
        case Statement(where, order):
            sorts = f"ORDER BY {', '.join(map(to_jql, order))}" if order else ""
            return " ".join(text for text in (to_jql(where) if where else "", sorts) if text)


def _grouped(expression: Expression) -> str:
    text = to_jql(expression)
    return f"({text})" if isinstance(expression, And | Or) else text
