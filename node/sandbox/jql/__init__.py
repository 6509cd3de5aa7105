"""Jira's query language over issues in memory: text in, a predicate and an order out.

``compile_query`` reads the text once and answers a ``Query`` whose ``matches`` and ``sort`` are plain closures.
Pure: no clock, no store. What the language needs to know of its Jira comes as a ``JqlContext`` (``context.py``).
"""

from __future__ import annotations

from node.sandbox.jql.context import (
    SYSTEM_FIELDS,
    FieldKind,
    FieldTable,
    JqlChange,
    JqlContext,
    JqlField,
    JqlIssue,
    custom_field,
)
from node.sandbox.jql.errors import JqlError
from node.sandbox.jql.query import Query, compile_query

__all__ = [
    "SYSTEM_FIELDS",
    "FieldKind",
    "FieldTable",
    "JqlChange",
    "JqlContext",
    "JqlError",
    "JqlField",
    "JqlIssue",
    "Query",
    "compile_query",
    "custom_field",
]
