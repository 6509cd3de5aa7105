"""A query that was read and understood: which issues match, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from node.sandbox.jql.clauses import Test, compile_clause, split_key
from node.sandbox.jql.context import FieldKind, JqlContext, JqlField, JqlIssue
from node.sandbox.jql.errors import JqlError
from node.sandbox.jql.grammar import parse
from node.sandbox.jql.syntax import And, Clause, Expression, Not, Or, Sort

Found = TypeVar("Found", bound=JqlIssue)
SortKey = Callable[[JqlIssue], Any]

_NEWEST_FIRST = frozenset({"created", "updated", "resolutiondate", "lastViewed", "priority", "votes", "watches"})
"""Fields that Jira sorts downwards when ORDER BY says no direction: a field's own order counts then."""
_DEFAULT_ORDER = (Sort("issuekey", descending=True),)


@dataclass(frozen=True, slots=True)
class Query:
    """One compiled query. ``warnings`` are messages that would have been errors with ``validate=True``."""

    text: str
    predicate: Test
    sorters: Sequence[tuple[SortKey, bool]] = ()
    warnings: Sequence[str] = ()

    def matches(self, issue: JqlIssue) -> bool:
        """Return whether the issue satisfies the query."""
        return self.predicate(issue)

    def sort(self, issues: Iterable[Found]) -> list[Found]:
        """Return the issues in the order that the query asks for; ties keep the order in which they came.

        An issue without a value comes last upwards and first downwards, as in Jira.
        """
        ordered = list(issues)
        for key, descending in reversed(self.sorters):
            ordered.sort(key=key, reverse=descending)
        return ordered


def compile_query(text: str, context: JqlContext, *, validate: bool = True) -> Query:
    """Read JQL. An empty text matches every issue; without ORDER BY the order is issue key, newest first.

    Raises JqlError for a syntax error, and for an unknown field, value, function or an operator that does not
    fit. With ``validate=False``, and always for an anonymous caller, only a syntax error raises; a clause that
    would have been refused matches nothing and its message is kept in ``Query.warnings``, as Jira does it.
    """
    statement = parse(text)
    complaints: list[str] = []
    predicate: Test = _everything
    if statement.where is not None:
        predicate = _compile(statement.where, context, complaints, negated=False)
    sorters = [sorter for sort in statement.order or _DEFAULT_ORDER for sorter in _sorters(sort, context, complaints)]
    messages = list(dict.fromkeys(complaints))
    if messages and validate and context.current_user is not None:
        raise JqlError(*messages)
    return Query(text, predicate, tuple(sorters), tuple(messages))


def _everything(_issue: JqlIssue) -> bool:
    return True


def _nothing(_issue: JqlIssue) -> bool:
    return False


def _compile(expression: Expression, context: JqlContext, complaints: list[str], *, negated: bool) -> Test:
    """Compile an expression or its opposite: a NOT is carried down to the operators, as Jira does it."""
    match expression:
        case Not(inner):
            return _compile(inner, context, complaints, negated=not negated)
        case And(parts) | Or(parts):
            tests = tuple(_compile(part, context, complaints, negated=negated) for part in parts)
            return _all(tests) if isinstance(expression, And) is not negated else _any(tests)
        case Clause():
            return _clause(expression, context, complaints, negated=negated)


def _all(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 2:  # noqa: PLR2004 - the common case, without a generator
        first, second = tests
        return lambda issue: first(issue) and second(issue)
    return lambda issue: all(test(issue) for test in tests)


def _any(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 2:  # noqa: PLR2004 - the common case, without a generator
        first, second = tests
        return lambda issue: first(issue) or second(issue)
    return lambda issue: any(test(issue) for test in tests)


def _clause(clause: Clause, context: JqlContext, complaints: list[str], *, negated: bool) -> Test:
    try:
        if not negated:
            return compile_clause(clause, context)
        opposite = clause.operator.negation
        if opposite is not None:
            turned = Clause(clause.field, opposite, clause.operand, clause.predicates)
            return compile_clause(turned, context)
        test = compile_clause(clause, context)
    except JqlError as error:
        complaints.extend(error.messages)
        return _nothing
    return lambda issue: not test(issue)


def _sorters(sort: Sort, context: JqlContext, complaints: list[str]) -> list[tuple[SortKey, bool]]:
    fields = [field for field in context.field(sort.field) if field.sortable]
    if not fields:
        complaints.append(f"Not able to sort using field '{sort.field}'.")
    return [(_sort_key(field, context), _descending(sort, field)) for field in fields]


def _descending(sort: Sort, field: JqlField) -> bool:
    return field.id in _NEWEST_FIRST if sort.descending is None else sort.descending


def _sort_key(field: JqlField, context: JqlContext) -> SortKey:
    field_id = field.id
    shape = _shape(field, context)

    def key(issue: JqlIssue) -> Any:
        values = issue.jql_values(field_id)
        return (False, min(map(shape, values))) if values else (True,)

    return key


def _shape(field: JqlField, context: JqlContext) -> Callable[[Any], Any]:
    """Return what one value is ordered by; of several values the least counts."""
    if field.kind is FieldKind.ISSUE:
        return split_key
    if field.kind in {FieldKind.ENTITY, FieldKind.USER}:
        return lambda value: _folded(context.rank(field, value))
    return _folded


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
