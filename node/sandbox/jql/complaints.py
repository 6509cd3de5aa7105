"""Says in Jira's words which token was expected where the parser met another one.

The sentences follow the ones that Jira answers, so that people and clients know them. The parser tells which kinds
of token would have been taken at that place; that set names the place.
"""

from __future__ import annotations

from lark import Token
from lark.exceptions import UnexpectedToken

from node.sandbox.jql.errors import JqlError
from node.sandbox.jql.lexer import syntax_error

_OPERATORS = (
    "The valid operators are '=', '!=', '<', '>', '<=', '>=', '~', '!~', 'IN', 'NOT IN', 'IS' and 'IS NOT'."
)
_NAMES = frozenset({"STRING", "QUOTED", "NUMBER", "NEGATIVE_NUMBER"})
_END = "$END"


def complaint(unexpected: UnexpectedToken) -> JqlError:
    """Return the error for a token that does not fit its place."""
    token = unexpected.token
    accepted = frozenset(unexpected.interactive_parser.accepts())  # type: ignore[union-attr] # LALR always has one
    if token.type == _END:
        return syntax_error(_at_end(accepted))
    return syntax_error(_instead(token, accepted, unexpected), token.line, token.column)


def _at_end(accepted: frozenset[str]) -> str:
    if "OR" in accepted:
        return "Expecting ')' before the end of the query."
    if "EMPTY" in accepted:
        return "Expecting either a value, list or function before the end of the query."
    if "CF" in accepted:
        return "Expecting a field name at the end of the query."
    if "EQ" in accepted:
        return f"Expecting operator before the end of the query. {_OPERATORS}"
    if accepted == {"NUMBER"}:
        return "Expecting a custom field id (a positive number) before the end of the query."
    if accepted == _NAMES:
        return "Expecting a function argument at the end of the query."
    if "RPAREN" in accepted:
        return "Expecting ')' before the end of the query."
    return f"Expecting {_single(accepted)} before the end of the query."


def _instead(token: Token, accepted: frozenset[str], unexpected: UnexpectedToken) -> str:  # noqa: PLR0911 - a table
    got = f"got '{token}'."
    if "OR" in accepted:
        return f"Expecting ')' but {got}" if "RPAREN" in accepted else f"Expecting either 'OR' or 'AND' but {got}"
    if "EMPTY" in accepted:
        if "NOT" in accepted and token.type == "BANG":
            return f"Expecting 'NOT' but {got}"
        return (
            f"Expecting either a value, list or function but {got} "
            f"You must surround '{token}' in quotation marks to use it as a value."
        )
    if "CF" in accepted:
        if token.type == "LBRACKET":
            return f"Expecting a field name but {got[:-1]}. Did you mean 'cf['?"
        return (
            f"Expecting a field name but {got} "
            f"You must surround '{token}' in quotation marks to use it as a field name."
        )
    if "EQ" in accepted:
        return f"Expecting operator but {got} {_OPERATORS}"
    if accepted == {"NUMBER"}:
        return f"Expecting a custom field id (a positive number) but {got}"
    if accepted >= _NAMES:
        return _argument(token, accepted)
    if accepted >= {"ASC", "DESC"}:
        return f"Expecting either 'ASC' or 'DESC' but {got}"
    if accepted >= {"COMMA", "RPAREN"}:
        return f"Expecting ')' or ',' but {got}" if _in_call(unexpected) else f"Expecting ')' but {got}"
    return f"Expecting {_single(accepted)} but {got}"


def _argument(token: Token, accepted: frozenset[str]) -> str:
    if "RPAREN" in accepted and token.type == "COMMA":
        return f"Expecting ')' but got '{token}'."
    if token.type == "RPAREN":
        return "Function argument must be specified."
    return (
        f"Expecting a function argument but got '{token}'. "
        f"You must surround '{token}' in quotation marks to use it as an argument."
    )


def _in_call(unexpected: UnexpectedToken) -> bool:
    """Return whether the innermost open parenthesis is a function's; a function's name stands before it."""
    read = list(unexpected.interactive_parser.parser_state.value_stack)  # type: ignore[union-attr] # as above
    closed = 0
    for position in range(len(read) - 1, 0, -1):
        kind = getattr(read[position], "type", None)
        if kind == "RPAREN":
            closed += 1
        elif kind == "LPAREN" and closed:
            closed -= 1
        elif kind == "LPAREN":
            before = read[position - 1]
            return isinstance(before, str) and not isinstance(before, Token)
    return False


_SYMBOLS = {"LBRACKET": "[", "RBRACKET": "]", "RPAREN": ")", "COMMA": ",", "BY": "by"}


def _single(accepted: frozenset[str]) -> str:
    named = sorted(_SYMBOLS.get(kind, kind) for kind in accepted - {_END})
    return " or ".join(f"'{name}'" for name in named)
