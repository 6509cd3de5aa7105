"""Compiles one clause to a test of an issue. NOT never arrives here: it was turned into the opposite operator.

An issue without a value for the field satisfies neither ``=`` nor ``!=``, neither ``~`` nor ``!~``, nor any
comparison; only EMPTY finds it. That is what a real Jira answers, also under a NOT.
"""

from __future__ import annotations

import operator as comparing
from collections.abc import Callable, Sequence
from typing import Any

from node.sandbox.jql.context import FieldKind, JqlContext, JqlField, JqlIssue
from node.sandbox.jql.errors import JqlError
from node.sandbox.jql.history import compile_history
from node.sandbox.jql.operands import Target, Wanted, stored_values, wanted
from node.sandbox.jql.syntax import Clause, Empty, ListOperand, Literal, Operand, Operator, to_jql
from node.sandbox.jql.text_search import LeadingWildcard, TextSyntaxError, compile_text

Test = Callable[[JqlIssue], bool]
"""Tells whether one issue satisfies a part of the query."""

_EQUALITY = frozenset({Operator.EQ, Operator.NE, Operator.IN, Operator.NOT_IN})
_EMPTINESS = frozenset({Operator.IS, Operator.IS_NOT})
_RELATION = frozenset({Operator.GT, Operator.GE, Operator.LT, Operator.LE})
_MATCHING = frozenset({Operator.LIKE, Operator.NOT_LIKE})
_HISTORY = frozenset(operator for operator in Operator if operator.is_history)
_NEGATIVE = frozenset({Operator.NE, Operator.NOT_IN, Operator.IS_NOT, Operator.NOT_LIKE})

_OWN_OPERATORS = {
    "text": frozenset({Operator.LIKE}),
    "comment": _MATCHING,
    "worklogComment": _MATCHING,
    "parent": _EQUALITY,
    "issueLinkType": _EQUALITY,
    "votes": _EQUALITY | _RELATION,
    "watches": _EQUALITY | _RELATION,
    "attachment": _EMPTINESS,
}
"""Fields whose operators differ from others of their kind, by the reference of JQL fields."""

_RELATIONS = {
    Operator.GT: comparing.gt,
    Operator.GE: comparing.ge,
    Operator.LT: comparing.lt,
    Operator.LE: comparing.le,
}
_PREDICATE_NAMES = {
    Operator.EQ: "EQUALS",
    Operator.NE: "NOT_EQUALS",
    Operator.GT: "GREATER_THAN",
    Operator.GE: "GREATER_THAN_EQUALS",
    Operator.LT: "LESS_THAN",
    Operator.LE: "LESS_THAN_EQUALS",
}


def operators_of(field: JqlField) -> frozenset[Operator]:
    """Return the operators that a field takes."""
    own = _OWN_OPERATORS.get(field.id)
    if own is not None:
        return own
    operators = _MATCHING | _EMPTINESS if field.kind is FieldKind.TEXT else _EQUALITY | _EMPTINESS
    if field.ordered:
        operators |= _RELATION
    return operators | _HISTORY if field.historic else operators


def compile_clause(clause: Clause, context: JqlContext) -> Test:
    """Compile one clause. Raises JqlError when field, operator, value or function do not fit."""
    fields = context.field(clause.field)
    if not fields:
        raise JqlError(f"Field '{clause.field}' does not exist or you do not have permission to view it.")
    tests = [_compile(clause, Target(field, clause.field, context)) for field in fields]
    if len(tests) == 1:
        return tests[0]
    if clause.operator in _NEGATIVE:
        return lambda issue: all(test(issue) for test in tests)
    return lambda issue: any(test(issue) for test in tests)


def _compile(clause: Clause, target: Target) -> Test:
    operator, operand = clause.operator, clause.operand
    if clause.predicates and not operator.is_history:
        name = _PREDICATE_NAMES.get(operator, operator.name)
        predicate = to_jql(clause.predicates[0])
        raise JqlError(f"The {name} operator does not support the use of the {predicate} predicate.")
    if operator not in operators_of(target.field):
        raise JqlError(f"The operator '{operator.value}' is not supported by the '{target.name}' field.")
    if operator.is_history:
        return compile_history(clause, target)
    if operand is None:
        raise TypeError("only CHANGED comes without an operand")
    if operator in _MATCHING:
        return _matching(target, operator, operand)
    if operator in _EMPTINESS:
        return _emptiness(target, operator, operand)
    sought = wanted(target, operator, operand)
    if sought.empty and target.field.id in _OWN_OPERATORS:
        raise JqlError(f"The field '{target.name}' does not support searching for EMPTY values.")
    if operator in _RELATION:
        return _relation(target, operator, sought)
    return _equality(target, sought, negative=operator in _NEGATIVE)


def _emptiness(target: Target, operator: Operator, operand: Operand) -> Test:
    if not isinstance(operand, Empty):
        raise JqlError(
            f"The operator '{operator.value}' for the field '{target.name}' takes EMPTY or NULL, "
            f"not '{to_jql(operand)}'.",
        )
    field = target.field.id
    if operator is Operator.IS:
        return lambda issue: not issue.jql_values(field)
    return lambda issue: bool(issue.jql_values(field))


def _equality(target: Target, sought: Wanted, *, negative: bool) -> Test:
    field, empty = target.field, sought.empty
    found = _any_of(field, frozenset(sought.values))
    if not negative:
        return lambda issue: found(values) if (values := issue.jql_values(field.id)) else empty
    return lambda issue: bool(values := issue.jql_values(field.id)) and not found(values)


def _any_of(field: JqlField, sought: frozenset[object]) -> Callable[[Sequence[object]], bool]:
    if field.kind in {FieldKind.DATETIME, FieldKind.LABEL, FieldKind.STRING}:
        return lambda values: not sought.isdisjoint(stored_values(field, values))
    return lambda values: not sought.isdisjoint(values)


def _relation(target: Target, operator: Operator, sought: Wanted) -> Test:
    if sought.empty:
        raise JqlError(f"The operator '{operator.value}' for the field '{target.name}' does not take EMPTY.")
    field = target.field
    if field.kind is FieldKind.ISSUE:
        return _key_relation(field, operator, sought)
    compare: Callable[[Any, Any], bool] = _RELATIONS[operator]
    bounds: list[Any] = [_comparable(target, value) for value in sought.values]
    shape = _shape(target)
    return lambda issue: any(
        compare(value, bound) for value in map(shape, issue.jql_values(field.id)) for bound in bounds
    )


def _shape(target: Target) -> Callable[[Any], Any]:
    if target.field.kind is FieldKind.DATETIME:
        return lambda milliseconds: milliseconds // 1000
    if target.field.kind is FieldKind.ENTITY:
        return lambda value: target.context.rank(target.field, value)
    return lambda value: value


def _comparable(target: Target, value: object) -> object:
    return target.context.rank(target.field, str(value)) if target.field.kind is FieldKind.ENTITY else value


def _key_relation(field: JqlField, operator: Operator, sought: Wanted) -> Test:
    compare: Callable[[int, int], bool] = _RELATIONS[operator]
    bounds = [split_key(value) for value in sought.values]

    def test(issue: JqlIssue) -> bool:
        return any(
            project == bound_project and compare(number, bound_number)
            for project, number in map(split_key, issue.jql_values(field.id))
            for bound_project, bound_number in bounds
        )

    return test


def split_key(key: object) -> tuple[str, int]:
    """Return project and number of an issue key: keys compare by number within a project."""
    project, _, number = str(key).rpartition("-")
    return project, int(number) if number.isdecimal() else 0


def _matching(target: Target, operator: Operator, operand: Operand) -> Test:
    field = target.field
    if isinstance(operand, Empty):
        if field.id in _OWN_OPERATORS:
            raise JqlError(f"The field '{target.name}' does not support searching for EMPTY values.")
        return _emptiness(target, Operator.IS if operator is Operator.LIKE else Operator.IS_NOT, operand)
    if not isinstance(operand, Literal):
        kind = "list value" if isinstance(operand, ListOperand) else "function"
        raise JqlError(
            f"Operator '{operator.value}' does not support the {kind} '{to_jql(operand)}' for field '{target.name}'.",
        )
    test = _text_test(target, operand.text)

    def found(issue: JqlIssue) -> bool:
        return any(test(str(text).casefold()) for text in issue.jql_values(field.id))

    if operator is Operator.LIKE:
        return found
    return lambda issue: bool(issue.jql_values(field.id)) and not found(issue)


def _text_test(target: Target, text: str) -> Callable[[str], bool]:
    if not text.strip():
        raise JqlError(f"The field '{target.name}' does not support searching for an empty string.")
    try:
        return compile_text(text)
    except LeadingWildcard as wildcard:
        raise JqlError(
            f"The text query '{text}' for field '{target.name}' is not allowed to start with "
            f"character '{wildcard.args[0]}'.",
        ) from None
    except TextSyntaxError:
        raise JqlError(f"Unable to parse the text '{text}' for field '{target.name}'.") from None
