"""Links between two issues of this Jira, by the name of their type and the direction in which they are read.

Carries no marker: Jira keeps one link of a type between two issues, however often it is made.
"""

from __future__ import annotations

from node.errors import TrackerDenied, TrackerNotFound, TrackerRefused, TrackerUncertain
from node.trackers.jira.calls import Calls, checked_id, checked_issue, issue_path
from node.trackers.jira.payload import read_links
from node.trackers.jira.shapes import mapping


class IssueLinkCalls(Calls):
    """The tracker's calls about links between issues."""

    async def find_issue_link(self, issue_id: str, kind: str, other_id: str, *, outward: bool) -> str | None:
        """Return the id of a link between two issues, seen from the first, if there is one (1 call)."""
        path = issue_path(issue_id)
        raw = mapping(
            await self._client.get(path, {"fields": "issuelinks"}, what=f"list the links of {issue_id}"), "it"
        )
        for link in read_links(mapping(raw.get("fields"), "the links of an issue").get("issuelinks")):
            same = link.type.casefold() == kind.casefold() and link.other_id == other_id
            if same and link.outward == outward:
                return link.id
        return None

    async def add_issue_link(self, issue_id: str, kind: str, other_id: str, *, outward: bool) -> str:
        """Link two issues and return the link's id (2 calls).

        Jira answers without a body, and a link that is there already with the same status. What it calls the inward
        issue is the one that "blocks" (measured by others on a real Jira; Atlassian's prose says the opposite).
        """
        one, other = ({"id": checked_issue(number)} for number in (issue_id, other_id))
        source, destination = (one, other) if outward else (other, one)
        body = {"type": {"name": kind}, "inwardIssue": source, "outwardIssue": destination}
        what = f"link issue {issue_id} with issue {other_id} as {kind!r}"
        try:
            await self._client.send("POST", "issueLink", body, what=what)
        except (TrackerNotFound, TrackerDenied) as error:
            raise TrackerRefused(
                error.message,
                advice=f"Give our Jira user 'Link Issues', and see whether there is a link type {kind!r} here: a value "
                "map, or `types` in a script, gives the other side's link types our names.",
            ) from None
        found = await self.find_issue_link(issue_id, kind, other_id, outward=outward)
        if found is None:
            raise TrackerUncertain(
                f"Jira was asked to {what}, said that it did, and does not show the link.",
                advice="Nothing needs to be done if this passes; otherwise see whether issue linking is switched on.",
            )
        return found

    async def delete_issue_link(self, link_id: str) -> None:
        """Delete a link between two issues (1 call)."""
        path = f"issueLink/{checked_id(link_id, 'a link id')}"
        await self._client.send("DELETE", path, what=f"remove the link {link_id}")
