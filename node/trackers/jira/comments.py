"""Comments: made with a marker, looked for by it, changed, deleted. Never asks whose a comment is: the caller knows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from node.trackers.base import Marked
from node.trackers.jira.calls import Calls, checked_issue, issue_path, new_id, part_path
from node.trackers.jira.lookup import uncertain_if_nonsense
from node.trackers.jira.markers import marked, marker_of
from node.trackers.jira.payload import INTERNAL
from node.trackers.jira.shapes import identifier, mapping


class CommentCalls(Calls):
    """The tracker's calls about comments."""

    async def add_comment(
        self,
        issue_id: str,
        body: str,
        *,
        marker: str,
        internal: bool = False,
        restrict_to_role: str | None = None,
    ) -> str:
        """Add a comment that carries ``marker``; return its id (1 call)."""
        properties = marked(marker)
        if internal:
            properties.append({"key": INTERNAL, "value": {"internal": True}})
        comment = {"body": body, "properties": properties, **_visibility(restrict_to_role)}
        path = f"{issue_path(issue_id)}/comment"
        what = f"add a comment to issue {issue_id}"
        return await self._lookup.create(path, comment, new_id, what=what)

    async def find_comment(self, issue_id: str, marker: str) -> str | None:
        """Return the id of the comment that carries this marker (1 call per 100 comments)."""
        async for comment in self._lookup.comments(checked_issue(issue_id)):
            if marker_of(comment) == marker:
                return identifier(comment, "a comment")
        return None

    async def marked_comments(self, issue_id: str, markers: Collection[str]) -> Marked:
        """Return the comments that carry these markers, and those that carry any (1 call per 100 comments)."""
        found: dict[str, str] = {}
        every: set[str] = set()
        async for comment in self._lookup.comments(checked_issue(issue_id)):
            marker = marker_of(comment)
            if marker is not None:
                number = identifier(comment, "a comment")
                every.add(number)
                if marker in markers:
                    found[marker] = number
        return Marked(found=found, every=frozenset(every))

    async def edit_comment(
        self, issue_id: str, comment_id: str, body: str, *, restrict_to_role: str | None = None
    ) -> None:
        """Replace a comment's text (1 call).

        Jira Data Center does not promise that an edit without a restriction keeps the one that the comment has.
        """
        what = f"change comment {comment_id} of issue {issue_id}"
        comment = {"body": body, **_visibility(restrict_to_role)}
        path = part_path(issue_id, "comment", comment_id)
        answer = await self._client.send("PUT", path, comment, what=what, answer=True)
        with uncertain_if_nonsense(what):
            identifier(mapping(answer, "the changed comment"), "the changed comment")

    async def delete_comment(self, issue_id: str, comment_id: str) -> None:
        """Delete a comment (1 call)."""
        what = f"delete comment {comment_id} of issue {issue_id}"
        await self._client.send("DELETE", part_path(issue_id, "comment", comment_id), what=what)


def _visibility(role: str | None) -> dict[str, Any]:
    return {} if role is None else {"visibility": {"type": "role", "value": role}}
