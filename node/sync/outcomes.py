"""What a peer says of our messages, and of its own issue: outcomes, and issues that it removed."""

from __future__ import annotations

from node.store import awaited, history, inbox, links, outbox, problems
from node.store.inbox import Received
from node.store.port import Transaction
from node.store.problems import Problem
from node.sync.endings import Endings, Settled, incoming_event
from node.sync.recovery import Recovery
from node.sync.site import Party, Site
from protocol.errors import Bad
from protocol.messages import Code, IssueRemoved, Outcome, Result, ResyncEnd, parse_message


class Outcomes:
    """Settles everything that is no replica."""

    def __init__(self, site: Site, endings: Endings, recovery: Recovery) -> None:
        self._site = site
        self._endings = endings
        self._recovery = recovery

    async def outcome(self, row: Received, message: Outcome) -> Settled:
        """Note what became of our messages."""
        now = self._site.clock.now_ms()
        party = await self._site.rules.party(row.connection_id)

        async def work(tx: Transaction) -> None:
            for result in message.results:
                await self._note_result(tx, row, party, result, now)
            await inbox.finish(tx, row.id, Code.APPLIED, now)

        await self._site.store.write(work)
        return Settled.DONE

    async def _note_result(self, tx: Transaction, row: Received, party: Party, result: Result, now: int) -> None:
        sent = await outbox.record_outcome(tx, row.connection_id, result.mid, result.c, now)
        link = await links.by_id(tx, sent.link_id) if sent is not None and sent.link_id is not None else None
        if sent is None or link is None:
            return
        code = result.code
        if result.issue is not None:
            await links.set_twin(tx, link.id, twin=result.issue, key=result.key, url=result.url)
            await awaited.arrived(tx, row.connection_id, [result.issue, result.key])
        detail = {"revision": sent.revision, "code": int(code), "text": code.sentence}
        await history.add(tx, incoming_event(row, link, now, "outcome", detail))
        if code.refused and link.state == links.ACTIVE:
            problem = Problem(
                connection_id=row.connection_id,
                stage=problems.OUTCOME,
                ref=link.id,
                issue_key=link.issue_key,
                code=code.name,
                message=f"{link.issue_key} did not arrive as it is here. {code.sentence}",
                advice=_advice(code, link.issue_key, party.name),
            )
            await problems.report(tx, problem, now_ms=now)
        elif code.final:
            await problems.close(tx, stage=problems.OUTCOME, ref=link.id)

    async def removed(self, row: Received, message: IssueRemoved) -> Settled:
        """End a link whose issue is gone at the peer; ours stays as it is."""
        party = await self._site.rules.party(row.connection_id)
        detail = {"reason": f"the other side's issue was {message.reason}"}

        async def work(tx: Transaction) -> None:
            link = await links.find(tx, row.connection_id, twin=message.issue)
            if link is not None and link.state == links.ACTIVE:
                await links.set_state(tx, link.id, links.ENDED)
                for stage in (problems.OUTCOME, problems.FILE):
                    await problems.close(tx, stage=stage, ref=link.id)
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
        if isinstance(message, ResyncEnd):
            return await self._recovery.end(row, message)

        async def work(tx: Transaction) -> None:
            await inbox.finish(tx, row.id, Code.IGNORED, self._site.clock.now_ms())

        await self._site.store.write(work)
        return Settled.DONE


def _advice(code: Code, key: str, connection: str) -> str:
    if code is Code.TARGET_GONE:
        return f"To have a new issue made there, bring it in again: accord sync {connection} {key}"
    return "Ask the other side's admin; the next change of the issue is sent in any case."
