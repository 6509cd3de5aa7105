"""Helpers for comments, files, logged time and links.

The text runs inside the sandbox; see this package.
"""


# ruff: noqa: SLF001 - one text in several files: underscores hide from scripts, not from it

from __future__ import annotations

from typing import Any

from node.rules.script.prelude.objects import _COMMENT, _WORKLOG, _link, _note


class Comments:
    """Helpers for comments."""

    def merge(self, issue: Any, replica: Any, text: Any = None, internal: Any = None, role: Any = None) -> Any:
        """Return our own comments and those of the replica, made ready for our issue."""
        if replica.comments is None:
            return None
        merged = [comment for comment in issue.comments or [] if comment.handle is None]
        for comment in replica.comments:
            made = _note({key: getattr(comment, key) for key in _COMMENT}, _COMMENT, "comment")
            made._prefix = comment._prefix
            made.body = _below(made)
            if text is not None:
                made.body = comment.body
                answer = text(made)
                if answer is None:
                    continue
                if isinstance(answer, str):
                    made.body = answer
            if internal is not None:
                made.internal = internal if isinstance(internal, bool) else bool(internal(comment))
            if role is not None:
                made.restrict_to_role = role
            merged.append(made)
        return merged

    def public(self, entries: Any) -> Any:
        """Return the comments that are neither internal nor restricted."""
        return [entry for entry in entries or [] if not entry._private]

    def private(self, entries: Any) -> Any:
        """Return the comments that are internal or restricted."""
        return [entry for entry in entries or [] if entry._private]

    def including_private(self, entries: Any) -> Any:
        """Return all of them and let internal and restricted ones leave too."""
        for entry in entries or []:
            entry._cleared = True
        return entries

    def with_author(self, comment: Any) -> str:
        """Return the text with the author's name before it."""
        return _below(comment)


def _below(comment: Any) -> str:
    """Return a comment's text below the line that says who wrote it; the host made that line."""
    body = str(comment.body or "")
    return f"{comment._prefix}\n{body}" if body.strip() and comment._prefix else comment._prefix or body


class Attachments:
    """Helpers for files."""

    def merge(self, issue: Any, replica: Any, keep: Any = None) -> Any:
        """Return our own files and those of the replica. Files that only we have are never removed."""
        if replica.attachments is None:
            return None
        own = [entry for entry in issue.attachments or [] if entry.handle is None]
        return own + [entry for entry in replica.attachments if keep is None or keep(entry)]

    def added(self, replica: Any, previous: Any) -> Any:
        """Return the files that the peer added since the sync before."""
        return _missing(replica.attachments, previous.attachments if previous else None)

    def removed(self, replica: Any, previous: Any) -> Any:
        """Return the files that the peer removed since the sync before."""
        return _missing(previous.attachments if previous else None, replica.attachments)


def _missing(here: Any, there: Any) -> Any:
    known = [entry.handle for entry in there or []]
    return [entry for entry in here or [] if entry.handle not in known]


class Worklogs:
    """Helpers for logged time."""

    def merge(self, issue: Any, replica: Any, text: Any = None) -> Any:
        """Return our own worklogs and those of the replica, with the author's name in the comment."""
        if replica.worklogs is None:
            return None
        merged = [entry for entry in issue.worklogs or [] if entry.handle is None]
        for entry in replica.worklogs:
            made = _note({key: getattr(entry, key) for key in _WORKLOG}, _WORKLOG, "worklog")
            comment = entry.comment or ""
            made.comment = (f"{entry._prefix}\n{comment}" if comment.strip() else entry._prefix) or None
            if text is not None:
                answer = text(entry)
                if answer is None:
                    continue
                if isinstance(answer, str):
                    made.comment = answer
            merged.append(made)
        return merged

    def public(self, entries: Any) -> Any:
        """Return the worklogs that nobody is kept from seeing."""
        return [entry for entry in entries or [] if not entry._private]


class Links:
    """Helpers for links between issues."""

    def of_linked(self, issue: Any) -> Any:
        """Return the links to issues that are in sync on this connection too."""
        return [entry for entry in issue.links or [] if entry.handle is not None]

    def merge(self, issue: Any, replica: Any, types: Any = None) -> Any:
        """Return our own links and those of the replica, with our names for their types where ``types`` has some."""
        if not replica.has("links"):
            return None
        merged = [entry for entry in issue.links or [] if entry.handle is None]
        for entry in replica.links or []:
            name = entry.type if types is None else types.get(entry.type)
            if name is not None:
                merged.append(_link({"type": name, "outward": entry.outward, "issue": entry.handle}))
        return merged
