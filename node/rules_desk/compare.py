"""Before and after an edit: for how many issues rules that are not published yet would decide otherwise. Only reads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from node.errors import RuleError, UsageError
from node.rules.incoming import IncomingRules
from node.rules.outgoing import OutgoingRules
from node.rules.preview import Evaluation, compare
from node.rules.ruleset import Direction
from node.rules.script.engine import RuleEngine
from node.rules_desk.issues import PAGE, by_query, link_for
from node.rules_desk.publishing import Publishing
from node.rules_desk.shown import shown_change
from node.store import links, shadows
from node.store.links import Link
from node.store.port import Reader
from node.sync.contexts import incoming_context, outgoing_context
from node.sync.site import Party, Site
from node.trackers.issue import Issue
from protocol.replica import Replica

_SIDE_BY_SIDE = 8
"""Replicas that are evaluated at a time; scripts wait for the few workers anyway."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One issue with its link, as far as it has one, and our state of it, as far as it is known."""

    link: Link | None
    issue: Issue | None


@dataclass(frozen=True, slots=True)
class _Page:
    cases: tuple[_Case, ...]
    next: str | None
    total: int | None


class Comparing:
    """Compares edited rules with the published ones."""

    def __init__(self, site: Site, publishing: Publishing, engine: RuleEngine) -> None:
        self._site = site
        self._publishing = publishing
        self._engine = engine

    async def compare(
        self, name: str, direction: Direction, text: str, *, jql: str | None = None, cursor: str | None = None
    ) -> dict[str, Any]:
        """Compare one page of issues: those of past syncs on this connection, or those of a query.

        Past syncs are looked at as they are known here, without asking Jira: outgoing our issues, incoming the last
        replicas that were applied.

        Raises:
            UsageError: no such connection, or a query where replicas are asked for.
            RulesFileError: the edited rules cannot be read.
        """
        connection = await self._publishing.connection(name)
        party = await self._site.rules.party(connection.id)
        before = await self._publishing.version(connection, direction, None)
        after = (await self._publishing.read({direction: text}))[direction]
        if jql is not None and direction == "incoming":
            raise UsageError(
                "Incoming rules work on replicas, which a JQL query cannot find.",
                advice="Leave the query out: the last replica of every linked issue is compared.",
            )
        page = await self._past(party, cursor) if jql is None else await self._query(party, jql, cursor)
        if direction == "outgoing":
            labels, pairs = await self._leaving(
                party,
                page.cases,
                OutgoingRules(before, version=0, engine=self._engine),
                OutgoingRules(after, version=0, engine=self._engine),
            )
        else:
            labels, pairs = await self._coming(
                party,
                page.cases,
                IncomingRules(before, version=0, engine=self._engine),
                IncomingRules(after, version=0, engine=self._engine),
            )
        compared = compare([(label, one, other) for label, (one, other) in zip(labels, pairs, strict=True)])
        return {
            "looked_at": len(page.cases),
            "compared": compared.total,
            "altered": [
                {"key": one.label, "change": one.change, "changes": [shown_change(change) for change in one.changes]}
                for one in compared.altered
            ],
            "next": page.next,
            "total": page.total,
        }

    async def _past(self, party: Party, cursor: str | None) -> _Page:
        after = int(cursor) if cursor is not None and cursor.isdigit() else 0

        async def read(tx: Reader) -> tuple[list[_Case], int]:
            found = await links.active_part(tx, party.id, after=after, limit=PAGE)
            cases = []
            for link in found:
                shadow = await shadows.read(tx, link.issue_id)
                cases.append(_Case(link, shadow.issue if shadow is not None else None))
            return cases, (await links.counts(tx)).get(party.id, 0)

        cases, total = await self._site.store.read(read)
        last = cases[-1].link if len(cases) == PAGE else None
        return _Page(tuple(cases), str(last.id) if last is not None else None, total)

    async def _query(self, party: Party, jql: str, cursor: str | None) -> _Page:
        found = await by_query(self._site, jql, cursor)
        cases = [_Case(await link_for(self._site, party, issue), issue) for issue in found.issues]
        return _Page(tuple(cases), found.next, found.total)

    async def _leaving(
        self, party: Party, cases: Sequence[_Case], before: OutgoingRules, after: OutgoingRules
    ) -> tuple[list[str], list[tuple[Evaluation, Evaluation]]]:
        ready = [
            (case.issue, await outgoing_context(self._site, party, case.link))
            for case in cases
            if case.issue is not None and case.link is not None
        ]
        one, other = await before.evaluate_many(ready), await after.evaluate_many(ready)
        return [issue.key for issue, _ in ready], list(zip(one, other, strict=True))

    async def _coming(
        self, party: Party, cases: Sequence[_Case], before: IncomingRules, after: IncomingRules
    ) -> tuple[list[str], list[tuple[Evaluation, Evaluation]]]:
        ready = [case for case in cases if case.link is not None and case.link.received is not None]
        gate = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def run(rules: IncomingRules, case: _Case) -> Evaluation:
            link = case.link
            if link is None or link.received is None:
                raise AssertionError("chosen above")
            async with gate:
                try:
                    return await rules.evaluate(
                        Replica.model_validate(link.received["replica"]),
                        incoming_context(self._site, party, link, case.issue),
                    )
                except RuleError as error:
                    return error

        one = await asyncio.gather(*(run(before, case) for case in ready))
        other = await asyncio.gather(*(run(after, case) for case in ready))
        return [case.link.issue_key for case in ready if case.link], list(zip(one, other, strict=True))
