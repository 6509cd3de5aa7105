"""Sees which transitions a project's issues offer us, by asking a few of them.

Jira tells only what leads out of one issue's current status, to the user who asks; the workflow itself is shown to
administrators alone. So this is a sample: what it has is there, what it lacks may be there all the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from node.errors import TrackerNotFound
from node.trackers.issue import Issue
from node.trackers.jira.calls import project_key
from node.trackers.jira.issues import IssueCalls
from node.trackers.jira.webhooks import projects_jql

MOST_ASKED = 8
"""Issues that are asked, one for each status and then for each type of issue in it."""
_SEEN = 50


class OfferCalls(IssueCalls):
    """The tracker's calls about issues, and what a sample of issues tells of a project."""

    async def offered_transitions(self, project: str) -> Mapping[str, frozenset[str]]:
        """Return the names of the transitions that were seen out of each status (at most 2 + ``MOST_ASKED`` calls).

        Looks at the issues that were changed last, then at those in other statuses.
        """
        scope = projects_jql([project_key(project)])
        page = await self.search(f"{scope} ORDER BY updated DESC", limit=_SEEN)
        issues = [self.read_issue(raw) for raw in page.issues]
        if len(issues) == _SEEN and _statuses(issues):
            seen = ", ".join(json.dumps(status, ensure_ascii=False) for status in sorted(_statuses(issues)))
            page = await self.search(f"{scope} AND status not in ({seen}) ORDER BY updated DESC", limit=_SEEN)
            issues += [self.read_issue(raw) for raw in page.issues]
        offered: dict[str, frozenset[str]] = {}
        for issue in _chosen(issues):
            try:
                found = await self.transitions(issue.id)
            except TrackerNotFound:
                continue  # it was deleted meanwhile
            status = issue.status or ""
            offered[status] = offered.get(status, frozenset()) | {one.name for one in found}
        return offered


def _statuses(issues: Iterable[Issue]) -> set[str]:
    return {issue.status for issue in issues if issue.status}


def _chosen(issues: Iterable[Issue]) -> list[Issue]:
    """Choose issues of as many statuses as possible, then of as many types in them."""
    first: dict[str | None, Issue] = {}
    more: dict[tuple[str | None, str | None], Issue] = {}
    for issue in issues:
        first.setdefault(issue.status, issue)
        if first[issue.status].type != issue.type:
            more.setdefault((issue.status, issue.type), issue)
    return [*first.values(), *more.values()][:MOST_ASKED]
