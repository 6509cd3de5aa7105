"""What people ask the running node to do with issues: sync, status, queue, errors, retry, skip.

Use cases over the store and the sync core; knows neither HTTP nor the terminal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.errors import (
    AccordError,
    TrackerError,
    TrackerNotFound,
    TrackerRefused,
    TrackerUnreachable,
    UsageError,
)
from node.store import changes, connections, cursors, history, inbox, links, outbox, problems, restored
from node.store.connections import Connection
from node.store.errors import StoreUnavailable
from node.store.port import Reader, Transaction
from node.store.problems import Problem
from node.sync.endings import Endings
from node.sync.first_words import FirstWords
from node.sync.outgoing import Outgoing, Sent
from node.sync.recovery import Recovery
from node.sync.site import Site
from node.trackers.issue import Issue
from protocol.messages import Code

MAX_KEYS = 500
"""Issues in one request; the command line sends as many requests as it takes."""
SEARCH_PAGE = 50
ASK_AGAIN_MS = 1_000
"""How long a request waits that could not be carried out for the moment, before it is tried for the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyResult:
    """What became of one key: ``result`` is queued, unchanged, skipped, waits or failed."""

    key: str
    result: str
    text: str = ""
    advice: str = ""


class Operations:
    """The use cases around issues."""

    def __init__(
        self,
        site: Site,
        outgoing: Outgoing,
        recovery: Recovery,
        *,
        heard: FirstWords,
        wake: Callable[[], None],
        sweep: Callable[[], None],
        call_roll: Callable[[], None] = lambda: None,
    ) -> None:
        self._site = site
        self._outgoing = outgoing
        self._recovery = recovery
        self._endings = Endings(site)
        self._heard = heard
        self._wake = wake
        self._sweep = sweep
        self._call_roll = call_roll

    async def connection(self, name: str) -> Connection:
        """Return a connection by its name. Raises UsageError."""
        found = await self._site.store.read(lambda tx: connections.by_name(tx, name))
        if found is None:
            names = [one.name for one in await self._site.store.read(connections.every)]
            known = f"The connections here are: {', '.join(names)}." if names else "There are no connections yet."
            raise UsageError(f"There is no connection {name!r}.", advice=known)
        return found

    async def sync(self, name: str, keys: Sequence[str]) -> list[KeyResult]:
        """Bring issues under sync on a connection.

        What cannot be done now is remembered: it waits for the tracker, or, with its error, for a person.

        Raises:
            UsageError: no such connection, it is closed, or too many keys.
            TrackerError: the tracker will never do what is needed for any of them.
        """
        if len(keys) > MAX_KEYS:
            raise UsageError(f"{len(keys)} issues are too many for one request.", advice=f"Send {MAX_KEYS} at most.")
        connection = await self.connection(name)
        if connection.state == connections.CLOSED:
            raise UsageError(f"{name} is closed.", advice="Pair again with accord invite.")
        if connection.state == connections.PENDING:
            raise UsageError(
                f"{name} waits for the other node: the two are not paired yet.",
                advice="It goes on by itself; see accord connections, and then bring the issues in.",
            )
        if not await self._site.store.read(lambda tx: restored.waits(tx, connection.id)):
            await self._heard.of(connection.id)
        results: list[KeyResult] = []
        for start in range(0, len(keys), SEARCH_PAGE):
            part = keys[start : start + SEARCH_PAGE]
            try:
                results += await self._sync_part(connection, part)
            except TrackerError as error:
                if not error.temporary:
                    raise
                done = {one.key for one in results}
                rest = [key for key in keys if key not in done]
                return results + [await self._keep(connection, key, key, error) for key in rest]
        return results

    async def _sync_part(self, connection: Connection, keys: Sequence[str]) -> list[KeyResult]:
        found = await self._fetch(keys)
        await self._outgoing.prepare(connection.id, list(found.values()))
        results = []
        for key in keys:
            issue = found.get(key)
            results.append(await self._begin(connection, issue, key) if issue is not None else _unknown(key))
        return results

    async def _keep(self, connection: Connection, key: str, issue: str, error: AccordError) -> KeyResult:
        """Remember what was asked for: a tracker that does not answer is asked again, an error waits for a person."""
        now = self._site.clock.now_ms()
        later = isinstance(error, TrackerError) and error.temporary

        async def work(tx: Transaction) -> None:
            row = await changes.ask(
                tx, connection_id=connection.id, issue=issue, now_ms=now, due_ms=now + ASK_AGAIN_MS if later else None
            )  # fmt: skip
            await problems.close_of_forgotten_changes(tx)
            if not later:
                problem = Problem(
                    connection_id=connection.id, stage=problems.CHANGE, ref=row, issue_key=key,
                    code=type(error).__name__, message=f"{connection.name}: {error.in_full}",
                    advice=error.advice or "Put right what is named here, then retry.",
                )  # fmt: skip
                await problems.report(tx, problem, now_ms=now)

        await self._site.store.write(work)
        if later:
            self._wake()
            return KeyResult(key=key, result="waits", text=error.message, advice="It is tried again by itself.")
        return KeyResult(key=key, result="failed", text=error.message, advice=error.advice)

    async def _fetch(self, keys: Sequence[str]) -> dict[str, Issue]:
        """Read issues with as few calls as it goes: one search for many, one call each where a key is unknown."""
        tracker = self._site.tracker
        if len(keys) > 1 and all(_looks_like_key(key) for key in keys):
            try:
                page = await tracker.search(f"key in ({', '.join(keys)})", limit=SEARCH_PAGE)
            except TrackerRefused:
                page = None  # Jira refuses the whole search where one key is unknown
            if page is not None:
                issues = [tracker.read_issue(raw) for raw in page.issues]
                return {issue.key: issue for issue in issues if issue.complete} | await self._singly(
                    [key for key in keys if key not in {issue.key for issue in issues if issue.complete}]
                )
        return await self._singly(keys)

    async def _singly(self, keys: Sequence[str]) -> dict[str, Issue]:
        found: dict[str, Issue] = {}
        for key in keys:
            if not _looks_like_key(key):
                continue
            try:
                found[key] = await self._site.tracker.issue(key)
            except TrackerNotFound:
                continue
        return found

    async def _begin(self, connection: Connection, issue: Issue, key: str) -> KeyResult:
        try:
            left = await self._outgoing.begin(connection.id, issue)
        except TrackerError as error:
            return await self._keep(connection, key, issue.id, error)
        if left.error is not None:
            return await self._keep(connection, key, issue.id, left.error)
        if left.sent is Sent.LATER:
            wait = TrackerUnreachable(f"{key} waits: {left.reason}.")
            return await self._keep(connection, key, issue.id, wait)
        if left.sent is Sent.SKIPPED:
            return KeyResult(key=key, result="skipped", text=left.reason)
        queued = left.sent is Sent.QUEUED
        return KeyResult(key=key, result="queued" if queued else "unchanged", text=left.reason)

    async def status(self, key: str) -> dict[str, Any]:
        """Return everything that is known of one of our issues. Raises UsageError where it is not linked."""

        async def work(tx: Reader) -> dict[str, Any]:
            names = {one.id: one.name for one in await connections.every(tx)}
            return {
                "key": key,
                "links": [
                    {
                        "connection": names.get(link.connection_id, "?"),
                        "state": link.state,
                        "twin_key": link.twin_key,
                        "twin_url": link.twin_url,
                        "sent": link.revision,
                        "applied": link.seen,
                        "synced_ms": link.synced_ms,
                        "history": [
                            {
                                "at_ms": event.at_ms,
                                "direction": event.direction,
                                "event": event.event,
                                "rule_version": event.rule_version,
                                "detail": event.detail,
                            }
                            for event in await history.of_link(tx, link.id, limit=20)
                        ],
                    }
                    for link in await links.by_key(tx, key)
                ],
                "problems": [_shown(problem, names) for problem in await problems.of_issue(tx, key)],
            }

        found = await self._site.store.read(work)
        if not found["links"] and not found["problems"]:
            raise UsageError(
                f"{key} is not in sync on any connection.", advice=f"Bring it in with: accord sync CONNECTION {key}"
            )
        return found

    async def events(self, *, after: int, limit: int) -> list[dict[str, Any]]:
        """Return what happened on all connections since event ``after``, newest first."""

        async def work(tx: Reader) -> list[dict[str, Any]]:
            names = {one.id: one.name for one in await connections.every(tx)}
            return [
                {
                    "id": one.id,
                    "at_ms": one.event.at_ms,
                    "connection": names.get(one.event.connection_id),
                    "issue_key": one.issue_key,
                    "direction": one.event.direction,
                    "event": one.event.event,
                    "detail": one.event.detail,
                }
                for one in await history.recent(tx, after=after, limit=limit)
            ]

        return await self._site.store.read(work)

    async def queue(self) -> dict[str, Any]:
        """Return what waits: notices from our tracker, and on each connection what leaves and what came in."""

        async def work(tx: Reader) -> dict[str, Any]:
            return {
                "changes": await changes.counts(tx),
                "connections": [
                    {
                        "connection": one.name,
                        "state": one.state,
                        "outgoing": _waiting(await outbox.waiting(tx, one.id)),
                        "incoming": await inbox.count(tx, one.id),
                    }
                    for one in await connections.every(tx)
                ],
            }

        return await self._site.store.read(work)

    async def quiet(self) -> bool:
        """Tell whether nothing waits that could go on by itself."""
        if not self._heard.all or await self._site.store.read(_recover):
            return False
        queue = await self.queue()
        busy = [count for state, count in queue["changes"].items() if state != changes.HELD and count]
        for one in queue["connections"]:
            if one["state"] != "active":
                continue
            busy += [one["outgoing"]["queued"], one["outgoing"]["sealed"]]
            busy += [count for state, count in one["incoming"].items() if state != inbox.HELD]
        return not any(busy)

    async def errors(self) -> list[dict[str, Any]]:
        """Return open problems, newest first."""

        async def work(tx: Reader) -> list[dict[str, Any]]:
            names = {one.id: one.name for one in await connections.every(tx)}
            found = await problems.open_problems(tx)
            trouble = self._site.store.trouble
            return [_shown(problem, names) for problem in ([_store_trouble(trouble)] if trouble else []) + found]

        return await self._site.store.read(work)

    async def retry(self, problem_ids: Sequence[int] | None) -> int:
        """Let what waits behind these problems, or all, be tried again now; return how many of them that were.

        What did not arrive at a peer as it is here is sent again, silent peers are called and sweeps are made at once;
        such a problem ends by itself when that goes well.

        Raises:
            UsageError: a number that is not an open problem's.
            TrackerError: our tracker does not answer, and something had to be asked of it.
        """
        chosen = await self._chosen(problem_ids)

        async def work(tx: Transaction) -> None:
            for problem in chosen:
                if problem.ref is not None and problem.stage in _HELD:
                    # It keeps its number: it ends when that goes well, and counts once more where it does not.
                    await _HELD[problem.stage](tx, problem.ref)

        await self._site.store.write(work)
        for problem in chosen:
            if problem.stage not in _HELD:
                await self._try_again(problem)
        self._wake()
        return len(chosen)

    async def _try_again(self, problem: Problem) -> None:
        if problem.stage == problems.SWEEP:
            self._sweep()
        elif problem.stage == problems.GONE:
            self._call_roll()
        elif problem.stage == problems.PEER and problem.connection_id is not None:
            self._site.ask_peer(problem.connection_id)
        elif problem.ref is not None:
            link_id = problem.ref
            link = await self._site.store.read(lambda tx: links.by_id(tx, link_id))
            if link is None or await self._outgoing.again(link) is None:
                await self._site.store.write(lambda tx: problems.close_one(tx, problem.id))

    async def skip(self, problem_ids: Sequence[int]) -> int:
        """Give up on what waits behind these problems: the notice or message ends without effect.

        Of an issue that cannot be found any more, this says that it was deleted: its links end.

        The peer hears of a message that its receiver asks for nothing to be done, not why. After a restore it is the
        wait for the other side that is given up.

        Raises:
            UsageError: a number that is not an open problem's.
            TrackerError: our tracker does not answer, and copies have to be looked for in it.
        """
        chosen = await self._chosen(problem_ids)
        await self._wait_no_longer(chosen)
        received = {problem.connection_id for problem in chosen if problem.stage == problems.INBOX}
        parties = {one: await self._site.rules.party(one) for one in received if one is not None}

        async def work(tx: Transaction) -> None:
            for problem in chosen:
                if problem.stage == problems.CHANGE and problem.ref is not None:
                    await changes.done(tx, [problem.ref])
                elif problem.stage == problems.INBOX and problem.ref is not None:
                    row = await inbox.get(tx, problem.ref)
                    if row is not None and row.state != inbox.DONE:
                        await self._endings.end_row(tx, row, parties[row.connection_id], Code.IGNORED)
                await problems.close_one(tx, problem.id)
            await problems.close_of_forgotten_changes(tx)

        await self._site.store.write(work)
        for problem in chosen:
            if problem.stage == problems.GONE and problem.ref is not None:
                await self._end(problem.ref)
        for party in parties.values():
            self._site.wake_sender(party.id)
        self._wake()
        return len(chosen)

    async def _wait_no_longer(self, chosen: Sequence[Problem]) -> None:
        for problem in chosen:
            if problem.code == restored.PROBLEM and problem.connection_id is not None:
                await self._recovery.give_up(problem.connection_id)

    async def _end(self, link_id: int) -> None:
        link = await self._site.store.read(lambda tx: links.by_id(tx, link_id))
        if link is not None:
            await self._outgoing.gone(link.issue_id)

    async def _chosen(self, problem_ids: Sequence[int] | None) -> list[Problem]:
        found = await self._site.store.read(lambda tx: problems.open_problems(tx, limit=-1))
        if problem_ids is None:
            return found
        unknown = set(problem_ids) - {problem.id for problem in found}
        if unknown:
            raise UsageError(f"There is no open problem {min(unknown)}.", advice="See the numbers with: accord errors")
        return [problem for problem in found if problem.id in problem_ids]


_HELD: Mapping[str, Callable[[Transaction, int], Awaitable[object]]] = {
    problems.CHANGE: changes.release,
    problems.INBOX: inbox.release,
}
"""How the row behind a problem is let go, by stage; what is at the other stages does not wait in a row."""


def _store_trouble(trouble: StoreUnavailable) -> Problem:
    """Return a problem that cannot be stored, because nothing can."""
    return Problem(
        connection_id=None,
        stage="store",
        ref=None,
        issue_key=None,
        code=type(trouble).__name__,
        message=f"Nothing can be stored: {trouble.message}",
        advice=trouble.advice
        or "Make room on the node's disk. Jira and the peers keep what they have, and come again.",
    )


def _unknown(key: str) -> KeyResult:
    return KeyResult(
        key=key,
        result="failed",
        text=f"There is no issue {key} in our Jira, or the sync user may not see it.",
        advice="Check the key and the sync user's permissions in that project.",
    )


async def _recover(reader: Reader) -> bool:
    """Tell whether an active connection's node, ours or the peer's, recovers from a restore."""
    if any(one.waits for one in (await restored.every(reader)).values()):
        return True
    active = [row.id for row in await connections.every(reader) if row.state == connections.ACTIVE]
    return any([await cursors.read(reader, cursors.resync(one)) is not None for one in active])


def _looks_like_key(key: str) -> bool:
    project, dash, number = key.rpartition("-")
    return bool(dash) and number.isdigit() and len(key) <= MAX_KEY and project.replace("_", "a").isalnum()


MAX_KEY = 64


def _waiting(waiting: outbox.Waiting) -> dict[str, Any]:
    return {"queued": waiting.queued, "sealed": waiting.sealed, "oldest_ms": waiting.oldest_ms}


def _shown(problem: Problem, names: dict[int, str]) -> dict[str, Any]:
    return {
        "id": problem.id,
        "connection": names.get(problem.connection_id) if problem.connection_id is not None else None,
        "stage": problem.stage,
        "issue_key": problem.issue_key,
        "code": problem.code,
        "note": problem.code in problems.NOTES,
        "message": problem.message,
        "advice": problem.advice,
        "first_ms": problem.first_ms,
        "last_ms": problem.last_ms,
        "count": problem.count,
    }
