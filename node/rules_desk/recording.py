"""Records a test case from a real issue: what the rules were given, what our Jira answered, what they made of it.

People's data is replaced before anything is returned. Only reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from node.errors import RuleError, UsageError
from node.rules.cases import Case, incoming_case, outgoing_case, record_case
from node.rules.helpers import Twins
from node.rules.incoming import IncomingRules
from node.rules.outgoing import OutgoingRules
from node.rules.ruleset import Direction
from node.rules.script.engine import RuleEngine
from node.rules_desk.issues import by_keys, link_for
from node.rules_desk.publishing import Publishing
from node.rules_desk.replicas import received
from node.sync.contexts import incoming_context, outgoing_context
from node.sync.site import Party, Site
from node.sync.twins import LinkTwins


class _AskedTwins:
    """Answers like the links, and remembers what was asked."""

    def __init__(self, twins: Twins) -> None:
        self._twins = twins
        self.answers: dict[str, str | None] = {}
        self.named: dict[str, str] = {}

    async def handles(self, issue_ids: Sequence[str]) -> Mapping[str, str]:
        """Ask, and remember."""
        found = await self._twins.handles(issue_ids)
        self.named.update(found)
        return found

    async def local_key(self, remote: str) -> str | None:
        """Ask, and remember."""
        self.answers[remote] = await self._twins.local_key(remote)
        return self.answers[remote]


class Recording:
    """Records cases with the published rules."""

    def __init__(self, site: Site, publishing: Publishing, engine: RuleEngine) -> None:
        self._site = site
        self._publishing = publishing
        self._engine = engine

    async def record(self, name: str, key: str, direction: Direction, title: str | None = None) -> dict[str, Any]:
        """Return a case for an issue, as the text of its file and the name that the file may have.

        Outgoing takes the issue as it is now, incoming the last replica that came for it.

        Raises:
            UsageError: there is no such issue, or nothing came for it.
        """
        connection = await self._publishing.connection(name)
        party = await self._site.rules.party(connection.id)
        title = (title or f"{direction} {key}").strip()
        if not re.search(r"[A-Za-z0-9]", title):
            raise UsageError("The case's name has no letter or number.", advice="Choose another name.")
        twins = _AskedTwins(LinkTwins(self._site.store, party.id))
        make = self._outgoing if direction == "outgoing" else self._incoming
        case = await make(party, key, title, twins)
        ruleset = await self._publishing.version(connection, direction, None)
        recorded = await record_case(case, ruleset, self._site.facts, engine=self._engine)
        return {"file": f"{_file_name(title)}.json", "name": title, "text": recorded.to_text()}

    async def _outgoing(self, party: Party, key: str, title: str, twins: _AskedTwins) -> Case:
        issue = (await by_keys(self._site, [key])).issues[0]
        link = await link_for(self._site, party, issue)
        context = await outgoing_context(self._site, party, link, twins=twins)
        rules = await self._site.rules.outgoing(party.id)
        await _try(rules, issue, context)
        return outgoing_case(title, issue, context).model_copy(update={"twins": twins.answers, "handles": twins.named})

    async def _incoming(self, party: Party, key: str, title: str, twins: _AskedTwins) -> Case:
        link, replica = await received(self._site, party, key)
        ours = (await by_keys(self._site, [key])).issues[0] if link is not None else None
        context = incoming_context(self._site, party, link, ours, twins=twins)
        rules = await self._site.rules.incoming(party.id)
        await _try(rules, replica, context)
        return incoming_case(title, replica, context, twins=twins.answers)


async def _try(rules: OutgoingRules | IncomingRules, subject: Any, context: Any) -> None:
    """Run the rules once, to learn which links they ask for; that they fail is what the case will show."""
    try:
        await rules.evaluate(subject, context)
    except RuleError:
        return


def _file_name(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.")[:100]
