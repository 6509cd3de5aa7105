"""Stored notices of what happened in our tracker, as far as the sync has to know of them before they are looked at."""

from __future__ import annotations

import json

from node.errors import TrackerNonsense
from node.store import changes
from node.store.changes import StoredChange
from node.store.shadows import Shadow
from node.sync.our_edits import edited_here
from node.sync.site import Site
from node.trackers.base import Change, Tracker
from node.trackers.issue import Issue


def read_notice(tracker: Tracker, row: StoredChange) -> Change | None:
    """Return what a notice says; None where it says nothing about an issue.

    Raises:
        TrackerNonsense: it cannot be read.
    """
    if row.body is None:
        return Change(issue_id=row.issue or "") if row.issue else None
    try:
        raw = json.loads(row.body)
        if row.source == changes.POLL:
            issue = tracker.read_issue(raw)
            return Change(issue_id=issue.id, issue_key=issue.key, issue=issue)
        return tracker.read_webhook(raw)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise TrackerNonsense("A notice of Jira's cannot be read.") from error


async def may_tell_news(site: Site, issue_id: str, known: Shadow) -> bool:
    """Tell whether a notice that nobody has looked at may tell of an edit that ``known`` does not show.

    The newest of them shows what all the others tell of; one of our own last write shows what is known.
    """
    rows = await site.store.read(lambda tx: changes.unread_about(tx, issue_id))
    if rows is None:
        return True
    newest: Issue | None = None
    for row in rows:
        try:
            change = read_notice(site.tracker, row)
        except TrackerNonsense:
            return True
        if change is None or issue_id not in {change.issue_id, change.other_id}:
            continue
        if change.issue is None or change.issue.id != issue_id:
            return True  # something happened that the notice does not show
        if newest is None or change.issue.updated_ms >= newest.updated_ms:
            newest = change.issue
    return newest is not None and newest.updated_ms >= known.updated_ms and bool(edited_here(known, newest))
