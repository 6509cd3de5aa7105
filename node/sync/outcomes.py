"""What a peer says of our messages, and of its own issue: outcomes, and issues that it removed."""

from __future__ import annotations

from dataclasses import replace

from node.store import history, inbox, links, outbox, problems
from node.store.inbox import Received
from node.store.port import Transaction
from node.store.problems import Problem
from node.sync.endings import Endings, Settled, incoming_event
from node.sync.site import Site
from protocol.errors import Bad
from protocol.messages import Code, IssueRemoved, Outcome, Result, parse_message


class Outcomes:
    """Settles everything that is no replica."""

    def __init__(self, site: Site, endings: Endings) -> None:
        self._site = site
        self._endings = endings

    async def outcome(self, row: Received, message: Outcome) -> Settled:
        """Note what became of our messages."""
        now = self._site.clock.now_ms()

        async def work(tx: Transaction) -> None:
            for result in message.results:
                await self._note_result(tx, row, result, now)
            await inbox.finish(tx, row.id, Code.APPLIED, now)

        await self._site.store.write(work)
        return Settled.DONE

    async def _note_result(self, tx: Transaction, row: Received, result: Result, now: int) -> None:
        sent = await outbox.record_outcome(tx, row.connection_id, result.mid, result.c, now)
        link = await links.by_id(tx, sent.link_id) if sent is not None and sent.link_id is not None else None
        if sent is None or link is None:
            return
        code = result.code
        if result.issue is not None:
            await links.update(
                tx,
                replace(
                    link,
                    twin=link.twin or result.issue,
                    twin_key=result.key or link.twin_key,
                    twin_url=result.url or link.twin_url,
                ),
            )
        detail = {"revision": sent.revision, "code": int(code), "text": code.sentence}
        await history.add(tx, incoming_event(row, link, now, "outcome", detail))
        if code.refused:
            problem = Problem(
                connection_id=row.connection_id,
                stage=problems.OUTCOME,
                ref=link.id,
                issue_key=link.issue_key,
                code=code.name,
                message=f"{link.issue_key} did not arrive as it is here. {code.sentence}",
                advice="Ask the other side's admin; the next change of the issue is sent in any case.",
            )
            await problems.report(tx, problem, now_ms=now)
        elif code.final:
            await problems.close(tx, stage=problems.OUTCOME, ref=link.id)

    async def removed(self, row: Received, message: IssueRemoved) -> Settled:
        """End a link whose issue is gone at the peer; ours stays as it is."""
        party = await self._site.rules.party(row.connection_id)
        link = await self._site.store.read(lambda tx: links.find(tx, row.connection_id, twin=message.issue))
        detail = {"reason": f"the other side's issue was {message.reason}"}

        async def work(tx: Transaction) -> None:
            if link is not None and link.state == links.ACTIVE:
                await links.update(tx, replace(link, state=links.ENDED))
                await history.add(tx, incoming_event(row, link, self._site.clock.now_ms(), "ended", detail))
            await self._endings.end_row(tx, row, party, Code.APPLIED)

        await self._site.store.write(work)
        self._site.wake_sender(row.connection_id)
        return Settled.DONE

    async def other(self, row: Received) -> Settled:
        """Settle a message that is no replica."""
        party = await self._site.rules.party(row.connection_id)
        try:
            message = parse_message(row.payload)
        except Bad:
            return await self._endings.finish(row, party, None, Code.MALFORMED, "skipped", {"reason": "not understood"})
        if isinstance(message, Outcome):
            return await self.outcome(row, message)

        async def work(tx: Transaction) -> None:
            await inbox.finish(tx, row.id, Code.IGNORED, self._site.clock.now_ms())

        await self._site.store.write(work)
        return Settled.DONE
