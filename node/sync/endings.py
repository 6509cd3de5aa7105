"""How a received message ends: settled with a code, or held for a person. The peer hears the code, never the reason.

One transaction holds the row's end, what it supersedes, the problem, the history and the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from node.errors import AccordError, RuleError, TrackerNotFound, TrackerRefused
from node.store import awaited, history, inbox, outbox, problems
from node.store.history import Event
from node.store.inbox import Received
from node.store.links import Link
from node.store.port import Transaction
from node.store.problems import Problem
from node.sync.job import Job
from node.sync.site import Party, Site
from protocol.messages import Code, Outcome, Result, dump_message
from protocol.replica import Replica


class Settled(Enum):
    """What became of a row for now."""

    DONE = "done"
    HELD = "held"
    FILES = "waiting for files"
    LATER = "waiting for other messages"


class Endings:
    """Ends received messages."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def finish(
        self, row: Received, party: Party, link: Link | None, code: Code, event: str, detail: Mapping[str, Any]
    ) -> Settled:
        """End a message that has nothing (more) to do here."""

        async def work(tx: Transaction) -> None:
            if link is not None:
                await history.add(tx, incoming_event(row, link, self._site.clock.now_ms(), event, detail))
            await self.end_row(tx, row, party, code)

        await self._site.store.write(work)
        self._site.wake_sender(row.connection_id)
        return Settled.DONE

    async def hold(self, job: Job, errors: Sequence[AccordError]) -> Settled:
        """Keep a replica aside of which nothing could be applied."""

        async def work(tx: Transaction) -> None:
            await self.hold_row(tx, job, errors)

        await self._site.store.write(work)
        self._site.wake_sender(job.row.connection_id)
        return Settled.HELD

    async def hold_row(
        self, tx: Transaction, job: Job, errors: Sequence[AccordError], *, show_key: bool = False
    ) -> None:
        """Keep a replica aside with its reasons, and tell the peer that it did not arrive, not why."""
        now, row, link = self._site.clock.now_ms(), job.row, job.link
        name = link.issue_key if link else called_there(job.message.replica)
        text = in_keys(" ".join(error.message for error in errors), link)
        full = in_keys("\n".join(error.in_full for error in errors), link)
        log = [line for error in errors if isinstance(error, RuleError) for line in error.log]
        for older in await inbox.supersede_older(tx, row.connection_id, row.issue or "", row.id, now):
            await problems.close(tx, stage=problems.INBOX, ref=older)
        await inbox.hold(tx, row.id)
        await awaited.remember(tx, row.connection_id, row.issue or "", job.asked.missing)
        problem = Problem(
            connection_id=row.connection_id,
            stage=problems.INBOX,
            ref=row.id,
            issue_key=link.issue_key if link else job.message.replica.key,
            code=type(errors[0]).__name__,
            message=f"{job.party.name}: {name} could not be brought up to date. {full}",
            advice=errors[0].advice or "Put right what is named here, then retry.",
        )
        await problems.report(tx, problem, now_ms=now)
        if link is not None:
            await history.add(tx, incoming_event(row, link, now, "held", {"text": text, "log": log}))
        code = Code.FIELD_NOT_ACCEPTED if isinstance(errors[0], TrackerRefused) else Code.POLICY
        if link is not None and any(isinstance(error, TrackerNotFound) for error in errors):
            code = Code.TARGET_GONE
        key = link.issue_key if link and show_key else None
        await self._answer(tx, row, job.party, code, issue=link.handle if link else None, key=key)

    async def end_row(
        self,
        tx: Transaction,
        row: Received,
        party: Party,
        code: Code,
        *,
        issue: str | None = None,
        key: str | None = None,
    ) -> None:
        """End a message within its caller's transaction, and what it supersedes; answer with the code.

        ``issue`` is our handle and ``key`` our key, for a peer that links back.
        """
        now = self._site.clock.now_ms()
        if row.issue is not None:
            for older in await inbox.supersede_older(tx, row.connection_id, row.issue, row.id, now):
                await problems.close(tx, stage=problems.INBOX, ref=older)
            await awaited.forget(tx, row.connection_id, row.issue)
        await inbox.finish(tx, row.id, code, now)
        await problems.close(tx, stage=problems.INBOX, ref=row.id)
        await self._answer(tx, row, party, code, issue=issue, key=key)

    async def _answer(
        self, tx: Transaction, row: Received, party: Party, code: Code, *, issue: str | None, key: str | None
    ) -> None:
        if row.mid is None:
            return
        url = self._site.browse_url(key) if key else None
        result = Result(mid=row.mid, c=int(code), issue=issue, key=key, url=url)
        now = self._site.clock.now_ms()
        await outbox.enqueue(
            tx,
            connection_id=row.connection_id,
            link_id=None,
            # By the time: a message that is looked at again may end as it ended before, after another end in between.
            mid=party.names.message(f"outcome {code}", row.mid, now),
            kind="outcome",
            payload=dump_message(Outcome(results=(result,))),
            now_ms=now,
        )


_SHOWN_SUMMARY = 60
_SHOWN_HANDLE = 8


def called_there(replica: Replica) -> str:
    """Name an issue of the peer that has no twin here: by its key, else its summary, else the start of its handle."""
    if replica.key:
        return f"the other side's {replica.key}"
    summary = replica.fields.get("summary")
    if isinstance(summary, str) and summary.strip():
        words = " ".join(summary.split())
        return f"the other side's issue {words if len(words) <= _SHOWN_SUMMARY else words[:_SHOWN_SUMMARY] + '…'!r}"
    return f"the other side's issue {replica.issue[:_SHOWN_HANDLE]}…, which shows neither key nor summary,"


def in_keys(text: str, link: Link | None) -> str:
    """Call our issue by its key in an error's text: the port to the tracker knows it by its id."""
    return text if link is None else re.sub(rf"\bissue {re.escape(link.issue_id)}\b", link.issue_key, text)


def incoming_event(
    row: Received, link: Link, now: int, event: str, detail: Mapping[str, Any], rule_version: int | None = None
) -> Event:
    """Describe something that a received message did to a link."""
    return Event(
        connection_id=row.connection_id,
        link_id=link.id,
        at_ms=now,
        direction=history.IN,
        event=event,
        rule_version=rule_version,
        detail=detail,
    )
