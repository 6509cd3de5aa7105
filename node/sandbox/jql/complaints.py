"""Says in Jira's words which token was expected where the parser met another one.

The sentences follow the ones that Jira answers, so that people and clients know them. The parser tells which kinds
of token would have been taken at that place; that set names the place.
"""

from __future__ import annotations

from collections.abc import Sequence

from lark import Token
from lark.exceptions import UnexpectedToken

from node.sandbox.jql.errors import JqlError
from node.sandbox.jql.lexer import syntax_error

_OPERATORS = "The valid operators are '=', '!=', '<', '>', '<=', '>=', '~', '!~', 'IN', 'NOT IN', 'IS' and 'IS NOT'."
_OPERAND = "Expecting either a value, list or function"
_CUSTOM_FIELD_ID = "Expecting a custom field id (a positive number)"
_ARGUMENT = (
    "Expecting a function argument but got '{got}'. You must surround '{got}' in quotation marks to use it as an "
    "argument."
)
_FIELD_NAME = (
    "Expecting a field name but got '{got}'. You must surround '{got}' in quotation marks to use it as a field name."
)
_CLOSING = ("Expecting ')' before the end of the query.", "Expecting ')' but got '{got}'.")

_PLACES: Sequence[tuple[frozenset[str], tuple[str, str]]] = (
    (frozenset({"OR", "RPAREN"}), _CLOSING),
    (frozenset({"OR"}), ("", "Expecting either 'OR' or 'AND' but got '{got}'.")),
    (
        frozenset({"EMPTY"}),
        (
            f"{_OPERAND} before the end of the query.",
            f"{_OPERAND} but got '{{got}}'. You must surround '{{got}}' in quotation marks to use it as a value.",
        ),
    ),
    (
        frozenset({"CF"}),
        (
            "Expecting a field name at the end of the query.",
            _FIELD_NAME,
        ),
    ),
    (
        frozenset({"EQ"}),
        (
            f"Expecting operator before the end of the query. {_OPERATORS}",
            f"Expecting operator but got '{{got}}'. {_OPERATORS}",
        ),
    ),
    (frozenset({"STRING", "RPAREN"}), (_CLOSING[0], _ARGUMENT)),
    (frozenset({"STRING"}), ("Expecting a function argument at the end of the query.", _ARGUMENT)),
    (
        frozenset({"NUMBER"}),
        (f"{_CUSTOM_FIELD_ID} before the end of the query.", f"{_CUSTOM_FIELD_ID} but got '{{got}}'."),
    ),
    (frozenset({"ASC"}), ("", "Expecting either 'ASC' or 'DESC' but got '{got}'.")),
    (frozenset({"RPAREN"}), _CLOSING),
)
"""Where the parser stands, told by tokens that it would have taken there: what to say at the query's end, and what
when another token came. The first row whose tokens were all welcome counts. An empty text: a query may end there."""

_SYMBOLS = {"LBRACKET": "[", "RBRACKET": "]", "COMMA": ",", "BY": "by"}
_END = "$END"


def complaint(unexpected: UnexpectedToken) -> JqlError:
    """Return the error for a token that does not fit its place."""
    token = unexpected.token
    accepted = frozenset(str(kind) for kind in unexpected.accepts)
    at_end, instead = next(
        (sentences for needed, sentences in _PLACES if needed <= accepted),
        (
            f"Expecting {_named(accepted)} before the end of the query.",
            f"Expecting {_named(accepted)} but got '{{got}}'.",
        ),
    )
    if token.type == _END:
        return syntax_error(at_end)
    sentence = _special(token, accepted, unexpected) or instead
    return syntax_error(sentence.replace("{got}", str(token)), token.line, token.column)


def _special(token: Token, accepted: frozenset[str], unexpected: UnexpectedToken) -> str | None:
    """Return the sentence for a token that Jira treats apart at this place, or None."""
    if token.type == "BANG" and accepted >= {"EMPTY", "NOT"}:
        return "Expecting 'NOT' but got '{got}'."
    if token.type == "LBRACKET" and "CF" in accepted:
        return "Expecting a field name but got '['. Did you mean 'cf['?"
    if "STRING" in accepted and "EMPTY" not in accepted and "CF" not in accepted:
        if token.type == "COMMA" and "RPAREN" in accepted:
            return _CLOSING[1]
        return "Function argument must be specified." if token.type == "RPAREN" else None
    if accepted == {"COMMA", "RPAREN"} and _in_call(unexpected):
        return "Expecting ')' or ',' but got '{got}'."
    return None


def _in_call(unexpected: UnexpectedToken) -> bool:
    """Return whether the innermost open parenthesis is a function's; a function's name stands before it."""
    read = list(unexpected.interactive_parser.parser_state.value_stack)
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


def _named(accepted: frozenset[str]) -> str:
    return " or ".join(f"'{_SYMBOLS.get(kind, kind)}'" for kind in sorted(accepted - {_END}))
