"""How a comment of the other side reads in our issue: who wrote it, then what was written.

``*Alice Smith* commented:`` and then the body, untouched, from a new line on, so that a list, a table or a heading at
its start stays one. The form never changes with time or place: an unchanged comment gives an unchanged text and is not
written again. Pure. Wiki markup: Jira's "Text formatting notation help".
"""

from __future__ import annotations

import re

PREFIX = "*{author}* commented:"
"""What stands on the first line. Changing it would rewrite every comment that was ever synced."""
WORKLOG_PREFIX = "*{author}* logged this time."
"""The same for logged time."""
NOBODY = "Anonymous"
"""How Jira itself calls the author of a comment that has none."""

_ALWAYS = frozenset("\\*{}[]|!^~")
"""Characters that mean something anywhere in a line."""
_AT_EDGES = frozenset("_-+?")
"""Characters that mean something only where a word starts or ends: ``Jean-Luc`` needs no help."""
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f\u2028\u2029]+")


def escape(text: str) -> str:
    """Return a name on one line and without any markup in effect."""
    plain = _BLANKS.sub(" ", text).strip()
    return "".join(
        f"\\{char}" if char in _ALWAYS or (char in _AT_EDGES and not _inside_word(plain, place)) else char
        for place, char in enumerate(plain)
    )


def _inside_word(text: str, place: int) -> bool:
    return 0 < place < len(text) - 1 and text[place - 1].isalnum() and text[place + 1].isalnum()


def format_comment(author: str | None, body: str) -> str:
    """Return the text of our copy of a comment. A body that is blank leaves the first line alone."""
    return _below(PREFIX, author, body)


def format_worklog(author: str | None, body: str) -> str:
    """Return the text of our copy of a worklog."""
    return _below(WORKLOG_PREFIX, author, body)


def _below(form: str, author: str | None, body: str) -> str:
    prefix = form.format(author=escape(author or "") or NOBODY)
    return f"{prefix}\n{body}" if body.strip() else prefix


def split_comment(text: str) -> tuple[str, str] | None:
    """Return the escaped author and the body of a text that ``format_comment`` wrote; None for any other text."""
    first, _, body = text.partition("\n")
    before, after = PREFIX.split("{author}")
    if not first.startswith(before) or not first.endswith(after) or len(first) <= len(before) + len(after):
        return None
    return first[len(before) : len(first) - len(after)], body
