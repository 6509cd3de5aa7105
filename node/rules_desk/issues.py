"""Finds the issues that a preview or a comparison is about: by key, by a query, or those of past syncs. Only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from node.errors import TrackerNotFound, UsageError
from node.store import links
from node.store.links import Link
from node.sync.site import Party, Site
from node.trackers.issue import Issue

PAGE = 50
"""Issues in one answer, so that a progress bar moves."""
MAX_KEYS = 50


@dataclass(frozen=True, slots=True)
class Found:
    """One page of issues. ``next`` asks for the page after it; ``total`` is None where the tracker does not count."""

    issues: tuple[Issue, ...]
    next: str | None = None
    total: int | None = None
    missing: Mapping[str, UsageError] = field(default_factory=dict)
    """Keys of which there is no issue, with what to say of each."""


async def by_keys(site: Site, keys: Sequence[str]) -> Found:
    """Read issues by their keys; what is not there is named. Raises UsageError where none of them is there."""
    if len(keys) > MAX_KEYS:
        raise UsageError(f"{len(keys)} keys are too many for one preview.", advice="Use a JQL query instead.")
    issues, missing = [], {}
    for key in keys:
        try:
            issues.append(await site.tracker.issue(key))
        except TrackerNotFound:
            missing[key] = UsageError(
                f"There is no issue {key} in our Jira, or the sync user may not see it.",
                advice="Check the key and the sync user's permissions in that project.",
            )
    if missing and not issues:
        raise next(iter(missing.values()))
    return Found(tuple(issues), None, len(issues), missing)


async def by_query(site: Site, jql: str, cursor: str | None) -> Found:
    """Read one page of the issues of a JQL query; an issue that the page holds in part is read whole."""
    page = await site.tracker.search(jql, cursor=cursor, limit=PAGE)
    issues = [site.tracker.read_issue(raw) for raw in page.issues]
    whole = [issue if issue.complete else await site.tracker.issue(issue.id) for issue in issues]
    return Found(tuple(whole), page.next, page.total)


async def link_for(site: Site, party: Party, issue: Issue) -> Link:
    """Return the link of an issue on a connection, or the one that a first sync would make."""
    link = await site.store.read(lambda tx: links.find(tx, party.id, issue_id=issue.id))
    if link is not None and link.state == links.ENDED:
        return links.begun_anew(link)
    return link or Link(
        connection_id=party.id,
        issue_id=issue.id,
        issue_key=issue.key,
        handle=party.names.handle("issue", issue.id),
        created_ms=0,
    )
