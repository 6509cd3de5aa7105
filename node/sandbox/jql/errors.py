"""The one error of the query language, worded as Jira words it."""

from __future__ import annotations


class JqlError(Exception):
    """A query cannot be run. ``messages`` are what Jira answers under ``errorMessages`` with status 400."""

    def __init__(self, *messages: str) -> None:
        super().__init__(" ".join(messages))
        self.messages = list(messages)
