"""Splits a query into tokens as Jira does, and says in Jira's words what is wrong with a character or a word.

Follows Jira's published reference: reserved characters and words, quoting, escapes
(https://support.atlassian.com/jira-software-cloud/docs/jql-reserved-words/ and the text on search syntax).
Never judges the order of tokens; that is the parser's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lark import Token
from lark.lexer import Lexer

from node.sandbox.jql.errors import JqlError

KEYWORDS = {
    "and": "AND",
    "or": "OR",
    "not": "NOT",
    "in": "IN",
    "is": "IS",
    "was": "WAS",
    "changed": "CHANGED",
    "empty": "EMPTY",
    "null": "EMPTY",
    "order": "ORDER",
    "by": "BY",
    "asc": "ASC",
    "desc": "DESC",
    "after": "AFTER",
    "before": "BEFORE",
    "during": "DURING",
    "on": "ON",
    "from": "FROM",
    "to": "TO",
    "cf": "CF",
}
"""Words with a meaning of their own; only in quotes are they values."""

RESERVED_WORDS = frozenset(
    {
        "abort", "access", "add", "alias", "all", "alter", "any", "as", "audit", "avg", "begin", "between", "boolean",
        "break", "byte", "catch", "char", "character", "check", "checkpoint", "collate", "collation", "column",
        "commit", "connect", "continue", "count", "create", "current", "date", "decimal", "declare", "decrement",
        "default", "defaults", "define", "delete", "delimiter", "difference", "distinct", "divide", "do", "double",
        "drop", "else", "encoding", "end", "equals", "escape", "exclusive", "exec", "execute", "exists", "explain",
        "false", "fetch", "field", "file", "first", "float", "for", "function", "go", "goto", "grant", "greater",
        "group", "having", "identified", "if", "immediate", "increment", "index", "initial", "inner", "inout", "input",
        "insert", "int", "integer", "intersect", "intersection", "into", "isempty", "isnull", "join", "last", "left",
        "less", "like", "limit", "lock", "long", "max", "min", "minus", "mode", "modify", "modulo", "more", "multiply",
        "next", "noaudit", "notin", "nowait", "number", "object", "of", "option", "outer", "output", "power",
        "previous", "prior", "privileges", "public", "raise", "raw", "remainder", "rename", "resource", "return",
        "returns", "revoke", "right", "row", "rowid", "rownum", "rows", "select", "session", "set", "share", "size",
        "sqrt", "start", "strict", "string", "subtract", "sum", "synonym", "table", "then", "trans", "transaction",
        "trigger", "true", "uid", "union", "unique", "update", "user", "validate", "values", "view", "when", "whenever",
        "where", "while", "with",
    }
)  # fmt: skip
"""Words that Jira keeps for itself: refused unless in quotes."""

_SYMBOLS = {
    "!=": "NE", "!~": "NOT_LIKE", ">=": "GE", "<=": "LE", "&&": "AND", "||": "OR", "=": "EQ", "!": "BANG",
    ">": "GT", "<": "LT", "~": "LIKE", "&": "AND", "|": "OR", "(": "LPAREN", ")": "RPAREN", ",": "COMMA",
    "[": "LBRACKET", "]": "RBRACKET",
}  # fmt: skip
_SYMBOL = re.compile(r"!=|!~|>=|<=|&&|\|\||[=!><~&|(),\[\]]")
_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"""[^\\\s=!<>()~,\[\]|&{}*/%+^$#@?;"'\x00-\x1f\x7f\ufdd0-\ufdef\ufffe\uffff]+""")
_RESERVED_CHARACTERS = frozenset("{}*/%+^$#@?;")
_NUMBER = re.compile(r"-?[0-9]+\Z")
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\", "'": "'", '"': '"', " ": " "}
_VALID_ESCAPES = r"""The valid escape sequences are \', \", \t, \n, \r, \\, '\ ' and \uXXXX."""
_UNICODE_ESCAPE = re.compile(r"u([0-9a-fA-F]{4})")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufdd0-\ufdef\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONG = 2**63


@dataclass(frozen=True, slots=True)
class _Scanner:
    text: str

    def place(self, index: int) -> tuple[int, int]:
        line = self.text.count("\n", 0, index) + 1
        column = index - (self.text.rfind("\n", 0, index) + 1) + 1
        return line, column

    def error(self, index: int, message: str) -> JqlError:
        return syntax_error(message, *self.place(index))

    def quoted(self, start: int) -> tuple[str, int]:
        """Read a quoted string that opens at ``start``; return its value and the index behind it."""
        quote, parts, index = self.text[start], list[str](), start + 1
        while index < len(self.text):
            char = self.text[index]
            if char == quote:
                return _whole("".join(parts)), index + 1
            if char == "\\":
                value, index = self.escape(index)
                parts.append(value)
                continue
            if _CONTROL.match(char):
                raise self.illegal(index)
            parts.append(char)
            index += 1
        content = "".join(parts).replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
        if not content:
            raise self.error(start, "The quoted string has not been completed.")
        raise self.error(start, f"The quoted string '{content}' has not been completed.")

    def escape(self, index: int) -> tuple[str, int]:
        """Read an escape that starts at the backslash ``index``; return its value and the index behind it."""
        rest = self.text[index + 1 : index + 6]
        if not rest:
            raise self.error(index, f"The escape sequence has not been completed. {_VALID_ESCAPES}")
        if rest[0] in _ESCAPES:
            return _ESCAPES[rest[0]], index + 2
        if found := _UNICODE_ESCAPE.match(rest):
            return chr(int(found[1], 16)), index + 6
        wrong = rest[0]
        if wrong == "u":
            digits = re.match(r"u[0-9a-fA-F]*(?s:.)?", rest)
            wrong = digits[0] if digits else wrong
        raise self.error(index, f"'\\{wrong}' is an illegal JQL escape sequence. {_VALID_ESCAPES}")

    def word(self, start: int) -> tuple[str, bool, int]:
        """Read an unquoted word; return its value, whether it had escapes, and the index behind it."""
        parts, index, escaped = list[str](), start, False
        while index < len(self.text):
            if self.text[index] == "\\":
                value, index = self.escape(index)
                parts.append(value)
                escaped = True
                continue
            found = _WORD.match(self.text, index)
            if found is None:
                break
            parts.append(found[0])
            index = found.end()
        return _whole("".join(parts)), escaped, index

    def illegal(self, index: int) -> JqlError:
        code = ord(self.text[index])
        line, column = self.place(index)
        return self.error(
            index,
            f"The character 'U+{code:04X}' on line {line} at position {column} must be escaped. "
            f"Use the escape '\\u{code:04x}' instead.",
        )

    def reserved(self, index: int) -> JqlError:
        char = self.text[index]
        return self.error(
            index,
            f"The character '{char}' is a reserved JQL character. You must enclose it in a string or use the "
            f"escape '\\u{ord(char):04x}' instead.",
        )


def _whole(text: str) -> str:
    """Join surrogates to the characters that they stand for; half a one becomes a sign that can be written back."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def syntax_error(message: str, line: int | None = None, column: int | None = None) -> JqlError:
    """Return the error for text that cannot be read; line and column count from 1, None at the query's end."""
    place = "" if line is None or column is None else f" (line {line}, character {column})"
    return JqlError(f"Error in the JQL Query: {message}{place}")


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a query. Raises JqlError at the first character or word that Jira would not take."""
    text = _whole(text)
    scanner, index = _Scanner(text), 0
    counted, line = 0, 1
    while index < len(text):
        if space := _SPACE.match(text, index):
            index = space.end()
            continue
        start, char = index, text[index]
        if symbol := _SYMBOL.match(text, index):
            index = symbol.end()
            kind, value = _SYMBOLS[symbol[0]], symbol[0]
        elif char in "\"'":
            value, index = scanner.quoted(index)
            kind = "QUOTED"
        elif char in _RESERVED_CHARACTERS:
            raise scanner.reserved(index)
        elif char != "\\" and not _WORD.match(text, index):
            raise scanner.illegal(index)
        else:
            value, escaped, index = scanner.word(index)
            kind = "STRING" if escaped else _kind_of_word(scanner, start, value)
        line += text.count("\n", counted, start)
        counted = start
        yield Token(kind, value, start_pos=start, line=line, column=start - text.rfind("\n", 0, start))


def _kind_of_word(scanner: _Scanner, start: int, word: str) -> str:
    if _NUMBER.match(word):
        if not -_LONG <= int(word[:40]) < _LONG or len(word) > len(str(-_LONG)):
            raise scanner.error(
                start,
                f"'{word}' is not a valid number. Numbers must be between -9,223,372,036,854,775,808 and "
                "9,223,372,036,854,775,807.",
            )
        return "NEGATIVE_NUMBER" if word.startswith("-") else "NUMBER"
    lower = word.lower()
    if lower in RESERVED_WORDS:
        raise scanner.error(
            start,
            f"'{word}' is a reserved JQL word. You must surround it in quotation marks to use it in a query.",
        )
    return KEYWORDS.get(lower, "STRING")


class JqlLexer(Lexer):
    """Hands the tokens to lark's parser; all of them are read first, as a bad character outranks a bad order."""

    def __init__(self, lexer_conf: Any) -> None:
        """Take lark's configuration, which has nothing to say here."""

    def lex(self, data: str) -> Iterator[Token]:  # type: ignore[override,explicit-override] # lark hands a plain str
        """Return the tokens of ``data``."""
        return iter(list(tokens(data)))
