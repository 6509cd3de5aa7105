"""What is wrong with the shape of something that was written by hand, in the words of this project.

The library that checks shapes speaks to programmers. People read these sentences instead. Never repeats the value
itself: it may be a secret, or very long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

_Context = Mapping[str, Any]

_SAID: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "has to be a text in quotes",
    "string_unicode": "holds half of a character",
    "dict_type": "has to be a table of names and values",
    "model_type": "has to be a table of names and values",
    "model_attributes_type": "has to be a table of names and values",
    "dataclass_type": "has to be a table of names and values",
    "mapping_type": "has to be a table of names and values",
    "tuple_type": "has to be a list",
    "list_type": "has to be a list",
    "set_type": "has to be a list",
    "frozen_set_type": "has to be a list",
    "bool_type": "has to be true or false",
    "bool_parsing": "has to be true or false",
    "int_type": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "int_from_float": "has to be a whole number",
    "int_parsing_size": "is too large a number",
    "float_type": "has to be a number",
    "float_parsing": "has to be a number",
    "finite_number": "has to be a number that is not infinite",
    "datetime_type": "has to be a date and time such as 2026-11-24T10:00:00Z",
    "datetime_parsing": "has to be a date and time such as 2026-11-24T10:00:00Z",
    "datetime_from_date_parsing": "has to be a date and time such as 2026-11-24T10:00:00Z",
    "none_required": "has to be empty",
    "json_invalid": "is not JSON",
    "json_type": "is not JSON",
    "recursion_loop": "contains itself",
    "string_pattern_mismatch": "is not written as it has to be",
    "invalid_key": "has a name that is not a text",
}
_MEASURED: Mapping[str, Callable[[_Context], str]] = {
    "string_too_short": lambda ctx: "is empty" if ctx["min_length"] == 1 else f"is shorter than {ctx['min_length']:,}",
    "string_too_long": lambda ctx: f"is longer than {ctx['max_length']:,} characters",
    "too_short": lambda ctx: f"has fewer than {ctx['min_length']:,} entries",
    "too_long": lambda ctx: f"has more than {ctx['max_length']:,} entries",
    "literal_error": lambda ctx: f"is one of {ctx['expected'].replace(' or ', ', ')}",
    "enum": lambda ctx: f"is one of {ctx['expected'].replace(' or ', ', ')}",
    "greater_than": lambda ctx: f"has to be more than {ctx['gt']}",
    "greater_than_equal": lambda ctx: f"has to be at least {ctx['ge']}",
    "less_than": lambda ctx: f"has to be less than {ctx['lt']}",
    "less_than_equal": lambda ctx: f"has to be at most {ctx['le']}",
    "value_error": lambda ctx: _ours(str(ctx.get("error", ""))),
    "assertion_error": lambda ctx: _ours(str(ctx.get("error", ""))),
}
_OURS = {
    "not JSON: float": 'has a number with a fraction, which travels as a text: write 3.5 as "3.5"',
    "not JSON: a lone surrogate": "holds half of a character",
}


def said(kind: str, context: _Context | None) -> str:
    """Return what is wrong as the second half of a sentence; ``kind`` and ``context`` are those of one error."""
    measured = _MEASURED.get(kind)
    if measured is not None:
        return measured(context or {})
    return _SAID.get(kind, "has a value that does not fit here")


def first_problem(error: ValidationError) -> str:
    """Say where the first thing is that is wrong, and what, without the value itself; entries count from 1."""
    detail = error.errors(include_url=False, include_input=False)[0]
    place = place_of(detail["loc"])
    what = said(detail["type"], detail.get("ctx"))
    return f"{place!r} {what}" if place else f"it {what}"


def place_of(path: tuple[int | str, ...]) -> str:
    """Write a path as people would: names with dots between, entries counted from 1."""
    return ".".join(str(part + 1) if isinstance(part, int) else part for part in path)


def _ours(sentence: str) -> str:
    """Fit a sentence of a check of our own, which may stand alone, behind a name."""
    known = _OURS.get(sentence)
    sentence = sentence.rstrip(".")
    return known if known is not None else f"does not fit here: {sentence}" if sentence else "does not fit here"
