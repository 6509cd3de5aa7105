"""Regular expressions of an admin's own, searched in time that grows with the text and no faster. Pure.

Python's engine backtracks and can take forever on a text that somebody chose. pydantic brings the one of Rust, which
cannot; it has no look-around and no back-references. https://docs.rs/regex/latest/regex/#untrusted-input
"""

from __future__ import annotations

import re
from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, core_schema


def why_unusable(expression: str) -> str | None:
    """Return why an expression is refused, or None where it is fine."""
    try:
        _compiled(expression)
    except SchemaError as error:
        text = str(error)
        found = re.search(r"error: (.+)", text)
        if found is not None:
            return found[1]
        return "it is too large" if "size limit" in text else "it is not a regular expression"
    return None


def occurs(expression: str, text: str) -> bool:
    """Tell whether an expression, which is known to be usable, matches anywhere in a text."""
    return _compiled(expression).isinstance_python(text.encode("utf-8", "replace").decode())


@lru_cache(maxsize=256)
def _compiled(expression: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=expression, regex_engine="rust-regex"))
