"""Reads the text of a query into its parts (``syntax.py``), or says where and why it cannot be read."""

from __future__ import annotations

from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedToken, VisitError

from node.sandbox.jql.complaints import complaint
from node.sandbox.jql.errors import JqlError
from node.sandbox.jql.lexer import JqlLexer, syntax_error
from node.sandbox.jql.syntax import (
    And,
    Call,
    Clause,
    Empty,
    Expression,
    ListOperand,
    Literal,
    Not,
    Operand,
    Operator,
    Or,
    Predicate,
    Sort,
    Statement,
)

MAX_DEPTH = 100
"""Levels of parentheses and NOTs; a deeper query is refused, as each level costs frames of the call stack."""

_GRAMMAR = r"""
statement: expression? order?

?expression: conjunction (OR conjunction)*          -> disjunction
conjunction: negation (AND negation)*
?negation: (NOT | BANG) negation                    -> negated
         | LPAREN expression RPAREN                 -> group
         | clause

clause: field operator operand predicate*           -> comparison
      | field CHANGED predicate*                    -> changed
      | field CHANGED operand predicate*            -> changed_with_value

operator: EQ | NE | GT | GE | LT | LE | LIKE | NOT_LIKE
        | IN | NOT IN | IS | IS NOT | WAS | WAS NOT | WAS IN | WAS NOT IN

predicate: (AFTER | BEFORE | DURING | ON | FROM | TO | BY) operand

?operand: STRING                                    -> text
        | QUOTED                                    -> text
        | NUMBER                                    -> number
        | NEGATIVE_NUMBER                           -> number
        | EMPTY                                     -> empty
        | function_name LPAREN arguments? RPAREN    -> call
        | LPAREN operand (COMMA operand)* RPAREN    -> several
function_name: STRING | QUOTED | NUMBER | NEGATIVE_NUMBER
arguments: argument (COMMA argument)*
?argument: STRING | QUOTED | NUMBER | NEGATIVE_NUMBER

field: STRING | QUOTED | NUMBER | NEGATIVE_NUMBER   -> field
     | CF LBRACKET NUMBER RBRACKET                  -> custom_field

order: ORDER BY sort (COMMA sort)*
sort: field (ASC | DESC)?

%declare STRING QUOTED NUMBER NEGATIVE_NUMBER CF AND OR NOT BANG IN IS WAS CHANGED EMPTY ORDER BY ASC DESC
%declare AFTER BEFORE DURING ON FROM TO EQ NE GT GE LT LE LIKE NOT_LIKE LPAREN RPAREN COMMA LBRACKET RBRACKET
"""

_PUNCTUATION = frozenset({"LPAREN", "RPAREN", "COMMA", "LBRACKET", "RBRACKET", "AND", "OR", "NOT", "BANG"})


def _parts(children: list[Any]) -> list[Any]:
    return [child for child in children if not (isinstance(child, Token) and child.type in _PUNCTUATION)]


def _deeper(children: list[Any]) -> int:
    depth = 1 + max((child.depth for child in children if hasattr(child, "depth")), default=0)
    if depth > MAX_DEPTH:
        raise JqlError(f"The query is nested more than {MAX_DEPTH} levels deep.")
    return depth


class _Builder(Transformer[Token, Statement]):
    """Makes the parts while the parser reads; a rule's method has the rule's name."""

    def statement(self, children: list[Any]) -> Statement:
        order = next((child for child in children if isinstance(child, tuple)), ())
        where = next((child for child in children if not isinstance(child, tuple)), None)
        return Statement(where, order)

    def disjunction(self, children: list[Any]) -> Expression:
        parts = _parts(children)
        return parts[0] if len(parts) == 1 else Or(tuple(parts), _deeper(parts))

    def conjunction(self, children: list[Any]) -> Expression:
        parts = _parts(children)
        return parts[0] if len(parts) == 1 else And(tuple(parts), _deeper(parts))

    def negated(self, children: list[Any]) -> Not:
        return Not(children[1], _deeper(children))

    def group(self, children: list[Any]) -> Expression:
        return children[1]  # type: ignore[no-any-return] # the parser built it

    def comparison(self, children: list[Any]) -> Clause:
        name, operator, operand, *predicates = children
        return Clause(name, operator, operand, tuple(predicates))

    def changed(self, children: list[Any]) -> Clause:
        return Clause(children[0], Operator.CHANGED, None, tuple(children[2:]))

    def changed_with_value(self, children: list[Any]) -> Clause:
        return Clause(children[0], Operator.CHANGED, children[2], tuple(children[3:]))

    def operator(self, children: list[Token]) -> Operator:
        return Operator["_".join(token.type for token in children)]

    def predicate(self, children: list[Any]) -> Predicate:
        return Predicate(children[0].type.lower(), children[1])

    def text(self, children: list[Token]) -> Literal:
        return Literal(str(children[0]))

    def number(self, children: list[Token]) -> Literal:
        return Literal(str(children[0]), number=True)

    def empty(self, _children: list[Token]) -> Empty:
        return Empty()

    def call(self, children: list[Any]) -> Call:
        arguments = next((child for child in children if isinstance(child, tuple)), ())
        return Call(str(children[0]), arguments)

    def several(self, children: list[Any]) -> ListOperand:
        items: list[Operand] = _parts(children)
        return ListOperand(tuple(items), _deeper(items))

    def function_name(self, children: list[Token]) -> str:
        if not children[0].strip():
            raise syntax_error("A function name cannot be empty.", children[0].line, children[0].column)
        return str(children[0])

    def arguments(self, children: list[Token]) -> tuple[str, ...]:
        return tuple(str(argument) for argument in _parts(children))

    def field(self, children: list[Token]) -> str:
        if not children[0].strip():
            raise syntax_error("A field name cannot be empty.", children[0].line, children[0].column)
        return str(children[0])

    def custom_field(self, children: list[Token]) -> str:
        return f"cf[{children[2]}]"

    def order(self, children: list[Any]) -> tuple[Sort, ...]:
        return tuple(child for child in children if isinstance(child, Sort))

    def sort(self, children: list[Any]) -> Sort:
        direction = children[1].type == "DESC" if len(children) > 1 else None
        return Sort(children[0], direction)


_PARSER = Lark(
    _GRAMMAR,
    start="statement",
    parser="lalr",
    lexer=JqlLexer,
    transformer=_Builder(),
    maybe_placeholders=False,
)


def parse(text: str) -> Statement:
    """Read a query. Raises JqlError with line and character, both counted from 1, where it cannot be read."""
    try:
        parsed: Any = _PARSER.parse(text)
    except UnexpectedToken as unexpected:
        raise complaint(unexpected) from None
    except VisitError as error:
        if isinstance(error.orig_exc, JqlError):
            raise error.orig_exc from None
        raise
    if not isinstance(parsed, Statement):
        raise TypeError(f"the grammar built {type(parsed).__name__} instead of a statement")
    return parsed
