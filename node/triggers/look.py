"""All that stored notices say of one issue: many notices are one look at its newest state. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from node.store import changes
from node.store.changes import StoredChange
from node.trackers.base import Change
from node.trackers.issue import Issue


@dataclass(frozen=True, slots=True)
class Look:
    """All that is known of what happened to one issue."""

    issue_id: str
    rows: tuple[StoredChange, ...]
    issue: Issue | None
    deleted: bool

    @property
    def ids(self) -> list[int]:
        """The rows."""
        return [row.id for row in self.rows]

    @property
    def asked(self) -> dict[int, int]:
        """Connections on which people asked for the issue to be in sync, and the newest row of each request."""
        return {
            row.connection_id: row.id
            for row in self.rows
            if row.source == changes.REQUEST and row.connection_id is not None
        }

    @property
    def key(self) -> str | None:
        """The issue's key for people: what the notice shows, or what they typed."""
        if self.issue is not None:
            return self.issue.key
        return self.issue_id if self.asked and not self.issue_id.isdecimal() else None

    @property
    def tries(self) -> int:
        """How often this was looked at in vain."""
        return max(row.attempts for row in self.rows)


def may_enter(look: Look, projects: AbstractSet[str]) -> bool:
    """Tell whether an issue that is not linked is worth a look: one that the notice does not show may be."""
    if look.deleted:
        return False
    if look.asked:
        return True
    if not projects:
        return False
    return look.issue is None or look.issue.project.casefold() in projects


def join(look: Look | None, row: StoredChange, change: Change) -> Look:
    """Add a notice to what is known: the newest state counts, and a deletion is final."""
    if look is None:
        return Look(change.issue_id, (row,), change.issue, change.deleted)
    issue = look.issue
    if change.issue is not None and (issue is None or change.issue.updated_ms >= issue.updated_ms):
        issue = change.issue
    if change.issue is None and not change.deleted:
        issue = None  # something happened that the notice does not show: ask
    return Look(change.issue_id, (*look.rows, row), issue, look.deleted or change.deleted)
