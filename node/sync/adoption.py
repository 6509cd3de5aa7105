"""What the peer is taken to know of our issue after we have written its wish into it, so that nothing echoes.

Asks our outgoing rules what they would let out; stores nothing and sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from node.errors import RuleError
from node.rules.model import Origin, Skip
from node.store.links import Link
from node.sync.content import content_of, replica_of
from node.sync.contexts import outgoing_context
from node.sync.plan import ISSUE_LINK
from node.sync.site import Party, Site
from node.trackers.fields import field_values, with_fields
from node.trackers.issue import Issue
from node.triggers.echo import adopt


class Adoption:
    """Knows what our own writes would look like to a peer."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def born(self, party: Party, link: Link, issue: Issue | None, given: AbstractSet[str]) -> Issue | None:
        """Return a new issue with what our tracker filled in by itself, if our rules let any of that out (1 call).

        Nobody here chose those values: known from the beginning, they are no change that would go to the peer.
        """
        try:
            out = await self._fields_out(party, link, issue) if issue is not None else None
        except RuleError:
            return issue
        if issue is None or out is None:
            return issue
        content, origins = out
        sources = [origins[name].sources if name in origins else frozenset() for name in content["fields"]]
        if all(one and one <= given for one in sources):
            return issue
        believed_values = field_values(issue)
        shown = await self._site.tracker.issue(link.issue_id)
        return with_fields(shown, {name: value for name, value in believed_values.items() if name in given})

    async def adopted(
        self,
        party: Party,
        link: Link,
        before: Issue | None,
        after: Issue | None,
        written: frozenset[str],
    ) -> tuple[Mapping[str, Any] | None, bool]:
        """Return what the peer is taken to know of us after our write, and whether our rules show our keys."""
        if after is None:
            return link.sent, False
        try:
            old = await self._fields_out(party, link, before) if before is not None else None
            new = await self._fields_out(party, link, after)
        except RuleError:
            # Our outgoing rules fail on this issue: the change feed will say so when the webhook arrives.
            return link.sent, False
        if new is None:
            return link.sent, False
        content, origins = new
        if before is None:
            origins = {}  # of an issue that has just been made, everything
        sent = adopt(link.sent, old[0] if old else None, content, written=written, origins=origins)
        return sent, content.get("key") is not None

    async def out_now(
        self, party: Party, link: Link, issue: Issue
    ) -> tuple[Mapping[str, Any], Mapping[str, Origin]] | None:
        """Return the content that our outgoing rules let out now, and from what; None where they let out nothing."""
        try:
            return await self._fields_out(party, link, issue)
        except RuleError:
            return None  # the look that follows says so

    async def _fields_out(
        self, party: Party, link: Link, issue: Issue
    ) -> tuple[Mapping[str, Any], Mapping[str, Origin]] | None:
        """Return what our outgoing rules would let out of these fields; collections play no part in an echo."""
        rules = await self._site.rules.outgoing(party.id)
        context = await outgoing_context(self._site, party, link)
        shared = await rules.evaluate(
            issue,
            # Links are fields of a replica, so of them it has to be known which are our own.
            replace(context, own_items=frozenset(item for item in context.own_items if item[0] == ISSUE_LINK)),
        )
        if isinstance(shared, Skip):
            return None
        bare = replace(
            shared,
            comments=None if shared.comments is None else (),
            attachments=None if shared.attachments is None else (),
            worklogs=None if shared.worklogs is None else (),
        )
        replica = replica_of(issue, bare, handle=lambda _kind, local: local, files={})
        return content_of(replica), shared.origins
