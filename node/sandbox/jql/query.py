"""A query that was read and understood: which issues match, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from node.sandbox.jql.context import JqlContext, JqlIssue

Found = TypeVar("Found", bound=JqlIssue)


@dataclass(frozen=True, slots=True)
class Query:
    """One compiled query. ``warnings`` are messages that would have been errors with ``validate=True``."""

    text: str
    predicate: Callable[[JqlIssue], bool]
    sorters: Sequence[tuple[Callable[[JqlIssue], Any], bool]] = ()
    warnings: Sequence[str] = field(default=())

    def matches(self, issue: JqlIssue) -> bool:
        """Return whether the issue satisfies the query."""
        return self.predicate(issue)

    def sort(self, issues: Iterable[Found]) -> list[Found]:
        """Return the issues in the order that the query asks for; ties keep the order in which they came."""
        ordered = list(issues)
        for key, descending in reversed(self.sorters):
            ordered.sort(key=key, reverse=descending)
        return ordered


def compile_query(text: str, context: JqlContext, *, validate: bool = True) -> Query:
    """Read JQL. An empty text matches every issue; without ORDER BY the order is issue key, newest first.

    Raises JqlError for a syntax error, and for an unknown field, value, function or an operator that does not
    fit. With ``validate=False``, and always for an anonymous caller, only a syntax error raises; a clause that
    would have been refused matches nothing and its message is kept in ``Query.warnings``, as Jira does it.
    """
    raise NotImplementedError((text, context, validate))
