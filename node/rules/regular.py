"""Tells regular expressions that may take forever from those that do not. Pure.

Python's engine backtracks: a repetition inside a repetition (``(a+)+``) can double its work with every character.
"""

from __future__ import annotations

import re
from typing import Any


def why_unsafe(expression: str) -> str | None:
    """Return why an expression is refused, or None where it is fine."""
    try:
        parsed = re._parser.parse(expression)  # type: ignore[attr-defined]  # noqa: SLF001 - the only parser there is
    except (re.error, RecursionError, OverflowError) as error:
        return f"it is not a regular expression: {error}"
    if _nested(parsed, repeated=False):
        return "it repeats something that can match in several ways, such as (a+)+ or (ab|a)*, and may take forever"
    return None


def _nested(node: Any, *, repeated: bool) -> bool:
    """Look through the parser's tree: operators are named constants, their arguments nest.

    Within a repetition nothing may vary in length or have alternatives. That refuses some harmless expressions too.
    """
    name = str(node[0]) if isinstance(node, tuple) and node else ""
    if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        least, most, body = node[1]
        return (repeated and least != most) or _nested(body, repeated=repeated or int(most) > 1)
    if name in {"GROUPREF", "BRANCH"} and repeated:
        return True
    if isinstance(node, (tuple, list)) or type(node).__name__ == "SubPattern":
        return any(_nested(part, repeated=repeated) for part in node)
    return False
