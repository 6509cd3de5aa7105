"""Full text matching: what stands behind ``~``, compiled to a test of one text.

Words are joined by AND unless OR stands between them; ``+word`` must and ``-word`` or ``NOT word`` must not occur;
``"several words"`` are a phrase; ``*`` and ``?`` stand for letters; parentheses group. Word forms are not reduced
to stems and no word is too common to count, unlike in Jira; nearness (``"a b"~3``), likeness (``word~``) and weights
(``word^4``) are refused. After Atlassian's page on the search syntax of text fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

TextTest = Callable[[str], bool]
"""Tells whether one text, already in folded case, matches."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\() | (?P<close>\)) | (?P<plus>\+) | (?P<minus>-) | (?P<not>!|NOT(?=[\s()"]|\Z))
      | (?P<and>&&|AND(?=[\s()"]|\Z)) | (?P<or>\|\||OR(?=[\s()"]|\Z))
      | "(?P<phrase>(?:[^"\\]|\\.)*)"
      | (?P<word>(?:[^\s()"\\^~{}\[\]!&|+]|\\.)(?:[^\s()"\\^~{}\[\]!&|]|\\.)*)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED_SIGN = re.compile(r"\\(?:([^\W_])|[\W_])")
_PIECE = re.compile(r"(?:[^\W_]|[*?])+")
_LETTER = r"[^\W_]"
_LETTERS = re.compile(r"[^\W_]+")
_BEFORE = r"(?<![^\W_])"
_BEHIND = r"(?![^\W_])"
_BETWEEN = r"[\W_]+"
MAX_TERMS = 1024
"""Terms and signs in one text; Lucene's own limit of clauses."""
MAX_DEPTH = 50
"""Parentheses and NOTs within each other: each costs frames of the call stack."""


class TextSyntaxError(ValueError):
    """The text after ``~`` cannot be read."""


class LeadingWildcard(ValueError):
    """A word starts with ``?``; ``args[0]`` is that character."""


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: str
    text: str


def compile_text(text: str) -> TextTest:
    """Compile the text of a ``~``. Raises TextSyntaxError or LeadingWildcard."""
    pieces = _split(text)
    if len(pieces) > MAX_TERMS:
        raise TextSyntaxError(text)
    reader = _Reader(pieces)
    test = reader.alternatives()
    if reader.kind is not None:
        raise TextSyntaxError(text)
    return test


def _split(text: str) -> list[_Piece]:
    pieces, index, text = [], 0, text.rstrip()
    while index < len(text):
        found = _TOKEN.match(text, index)
        if found is None:
            raise TextSyntaxError(text)
        kind = found.lastgroup or ""
        pieces.append(_Piece(kind, found[kind]))
        index = found.end()
    return pieces


class _Reader:
    """Reads the pieces from left to right: alternatives of sequences of terms."""

    def __init__(self, pieces: Sequence[_Piece]) -> None:
        self._pieces = pieces
        self._index = 0
        self._depth = 0

    @property
    def kind(self) -> str | None:
        return self._pieces[self._index].kind if self._index < len(self._pieces) else None

    def _take(self) -> _Piece:
        self._index += 1
        return self._pieces[self._index - 1]

    def alternatives(self) -> TextTest:
        tests = [self._sequence()]
        while self.kind == "or":
            self._take()
            tests.append(self._sequence())
        return tests[0] if len(tests) == 1 else lambda text: any(test(text) for test in tests)

    def _sequence(self) -> TextTest:
        tests = [self._term()]
        while self.kind not in {None, "or", "close"}:
            if self.kind == "and":
                self._take()
            tests.append(self._term())
        return tests[0] if len(tests) == 1 else lambda text: all(test(text) for test in tests)

    def _term(self) -> TextTest:
        if self.kind is None:
            raise TextSyntaxError("a term is missing")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TextSyntaxError("too deep")
        test = self._term_of(self._take())
        self._depth -= 1
        return test

    def _term_of(self, piece: _Piece) -> TextTest:
        if piece.kind == "plus":
            return self._term()
        if piece.kind in {"minus", "not"}:
            unwanted = self._term()
            return lambda text: not unwanted(text)
        if piece.kind == "open":
            test = self.alternatives()
            if self.kind != "close":
                raise TextSyntaxError("a parenthesis is not closed")
            self._take()
            return test
        if piece.kind == "phrase":
            return _adjacent(_LETTERS.findall(_ESCAPED.sub(r"\1", piece.text).casefold()))
        if piece.kind == "word":
            return _word(piece.text)
        raise TextSyntaxError(f"{piece.text} stands where a term belongs")


def _word(text: str) -> TextTest:
    """Compile one word; what punctuation splits (``lcls-ii``) must stand side by side."""
    if text.startswith("?"):
        raise LeadingWildcard("?")
    patterns, literals = [], []
    for piece in _PIECE.findall(_ESCAPED_SIGN.sub(lambda sign: sign[1] or " ", text.casefold())):
        patterns.append(_wildcards(piece))
        literals.extend(_LETTERS.findall(piece))
    return _test(patterns, literals)


def _wildcards(piece: str) -> str:
    """Write letters, ``*`` and ``?`` as an expression that never tries a star's length twice."""
    first, *rest = (re.escape(part).replace(r"\?", _LETTER) for part in re.split(r"\*+", piece))
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>{_LETTER}*?{part})" for part in middle) + f"{_LETTER}*{last}"


def _adjacent(words: Sequence[str]) -> TextTest:
    return _test([re.escape(word) for word in words], words)


def _test(patterns: Sequence[str], literals: Sequence[str]) -> TextTest:
    if not patterns:
        return lambda _text: False
    search = re.compile(_BEFORE + _BETWEEN.join(patterns) + _BEHIND).search
    rarest = max(literals, key=len, default="")
    # A plain substring test is many times faster than the expression and settles most texts.
    return lambda text: rarest in text and search(text) is not None
