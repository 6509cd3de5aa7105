"""Random queries: what is printed reads back the same, and the compiled tests agree with a slow, plain reading."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from node.sandbox.jql import JqlError, compile_query
from node.sandbox.jql.grammar import parse
from node.sandbox.jql.syntax import (
    And,
    Call,
    Clause,
    Empty,
    Expression,
    ListOperand,
    Literal,
    Not,
    Operator,
    Or,
    Predicate,
    Sort,
    Statement,
    to_jql,
)
from node.sandbox.jql.text_search import LeadingWildcard, TextSyntaxError, compile_text
from tests.support.jql import Context, Issue

# Anything that can stand in a string: lone surrogates cannot travel in a request.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = TEXTS.filter(lambda text: text.strip() and not text.lower().startswith("cf["))

simple = st.one_of(
    st.builds(Literal, TEXTS),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: Literal(str(number), number=True)),
    st.just(Empty()),
    st.builds(Call, NAMES, st.lists(TEXTS, max_size=3).map(tuple)),
)
operands = st.recursive(
    simple,
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(lambda items: ListOperand(tuple(items))),
    max_leaves=5,
)
predicates = st.builds(Predicate, st.sampled_from(["after", "before", "during", "on", "from", "to", "by"]), operands)
field_names = NAMES | st.integers(0, 99999).map(lambda number: f"cf[{number}]")
written_clauses = st.one_of(
    st.builds(
        Clause,
        field_names,
        st.sampled_from([operator for operator in Operator if operator is not Operator.CHANGED]),
        operands,
        st.lists(predicates, max_size=2).map(tuple),
    ),
    st.builds(Clause, field_names, st.just(Operator.CHANGED), st.none(), st.lists(predicates, max_size=2).map(tuple)),
)


def trees(leaves: st.SearchStrategy[Clause]) -> st.SearchStrategy[Expression]:
    def several(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[tuple[Expression, ...]]:
        return st.lists(inner, min_size=2, max_size=3).map(tuple)

    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.builds(Not, inner), st.builds(And, several(inner)), st.builds(Or, several(inner))),
        max_leaves=8,
    )


@given(
    st.builds(
        Statement,
        st.none() | trees(written_clauses),
        st.lists(st.builds(Sort, field_names, st.sampled_from([None, True, False])), max_size=3).map(tuple),
    ),
)
def test_what_is_printed_reads_back_the_same(statement: Statement) -> None:
    """No text, name or shape of expression is lost or taken for something else."""
    assert parse(to_jql(statement)) == statement


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """A stranger's text ends as a statement or as an error in words, never as a crash."""
    refused: list[str] | None = None
    try:
        compile_query(text, Context())
    except JqlError as error:
        refused = error.messages
    assert refused is None or all(refused)


# Statuses, a label list, a number and a day: each may be missing, labels may be several.
STATUSES = {"1": "Open", "3": "In Progress", "6": "Done"}
LABELS = ["red", "green", "blue"]
DAYS = [date(2026, 3, day) for day in range(1, 5)]


def some(values: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
    return st.lists(values, max_size=1)


issues = st.builds(
    lambda status, labels, points, day: Issue(status=status, labels=labels, customfield_10001=points, duedate=day),
    some(st.sampled_from(list(STATUSES))),
    st.lists(st.sampled_from(LABELS), max_size=3, unique=True),
    some(st.integers(0, 4)),
    some(st.sampled_from(DAYS)),
)

FIELD_IDS = {"status": "status", "labels": "labels", "Story Points": "customfield_10001", "due": "duedate"}
LITERALS = {
    "status": list(STATUSES.values()),
    "labels": LABELS,
    "Story Points": [str(number) for number in range(5)],
    "due": [day.isoformat() for day in DAYS],
}


@st.composite
def clauses(draw: st.DrawFn) -> Clause:
    name = draw(st.sampled_from(sorted(LITERALS)))
    ordered = [Operator.LT, Operator.LE, Operator.GT, Operator.GE] if name in {"Story Points", "due"} else []
    plain = [Operator.EQ, Operator.NE, Operator.IN, Operator.NOT_IN, Operator.IS, Operator.IS_NOT]
    operator = draw(st.sampled_from(plain + ordered))
    literals = st.sampled_from(LITERALS[name]).map(Literal)
    if operator in {Operator.IS, Operator.IS_NOT}:
        return Clause(name, operator, Empty())
    if operator.takes_list:
        items = draw(st.lists(literals | st.just(Empty()), min_size=1, max_size=3))
        return Clause(name, operator, ListOperand(tuple(items)))
    return Clause(name, operator, draw(literals))


def plain_value(field: str, literal: str) -> object:
    if field == "status":
        return next(number for number, name in STATUSES.items() if name == literal)
    if field == "due":
        return date.fromisoformat(literal)
    return int(literal) if field == "Story Points" else literal


COMPARISONS: dict[Operator, Callable[..., bool]] = {
    Operator.LT: lambda left, right: left < right,
    Operator.LE: lambda left, right: left <= right,
    Operator.GT: lambda left, right: left > right,
    Operator.GE: lambda left, right: left >= right,
}


def holds(clause: Clause, issue: Issue) -> bool | None:
    """Read one clause in three values: None is what is neither true nor false, as with a missing value in SQL."""
    values = issue.jql_values(FIELD_IDS[clause.field])
    operator, operand = clause.operator, clause.operand
    items = operand.items if isinstance(operand, ListOperand) else (operand,)
    empty = any(isinstance(item, Empty) for item in items)
    sought = [plain_value(clause.field, item.text) for item in items if isinstance(item, Literal)]
    if operator in {Operator.IS, Operator.IS_NOT}:
        return (not values) is (operator is Operator.IS)
    if operator in COMPARISONS:
        return any(COMPARISONS[operator](value, sought[0]) for value in values) if values else None
    found = (empty or None) if not values else any(value in sought for value in values)
    positive = operator in {Operator.EQ, Operator.IN}
    return found if positive or found is None else not found


def reading(expression: Expression, issue: Issue) -> bool | None:
    """Read an expression in three values, by Kleene's rules."""
    match expression:
        case Clause():
            return holds(expression, issue)
        case Not(inner):
            value = reading(inner, issue)
            return None if value is None else not value
        case And(parts):
            results = [reading(part, issue) for part in parts]
            return False if False in results else None if None in results else True
        case Or(parts):
            results = [reading(part, issue) for part in parts]
            return True if True in results else None if None in results else False


@given(trees(clauses()), st.lists(issues, min_size=1, max_size=5))
def test_the_compiled_query_agrees_with_a_plain_reading(expression: Expression, among: list[Issue]) -> None:
    """Carrying NOT down to the operators finds exactly what three-valued logic calls true."""
    query = compile_query(to_jql(expression), Context())
    assert [query.matches(issue) for issue in among] == [reading(expression, issue) is True for issue in among]


@given(st.text(max_size=40))
def test_any_search_text_is_compiled_or_refused(text: str) -> None:
    """Whatever stands behind ``~`` becomes a test that answers, or one of two errors."""
    try:
        test = compile_text(text)
    except (TextSyntaxError, LeadingWildcard):
        return
    assert test("some words to search") in {True, False}


words = st.text("abcxyz", min_size=1, max_size=5)


@given(st.lists(words, min_size=1, max_size=8), st.data())
def test_words_and_phrases_are_found_where_they_stand(text: list[str], data: st.DataObject) -> None:
    """A word is found when the text has it as a whole word, a phrase when its words stand side by side."""
    whole = " ".join(text)
    word = data.draw(words)
    assert compile_text(word)(whole) is (word in text)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    assert compile_text(f'"{" ".join(text[start:end])}"')(whole)
    assert compile_text(f"{word[0]}*")(whole) is any(other.startswith(word[0]) for other in text)
    assert compile_text(f"-{word}")(whole) is (word not in text)
