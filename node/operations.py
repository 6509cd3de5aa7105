"""What people ask the running node to do with issues: sync, status, queue, errors, retry, skip.

Use cases over the store and the sync core; knows neither HTTP nor the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from node.errors import TrackerNotFound, TrackerRefused, UsageError
from node.store import changes, connections, history, inbox, links, outbox, problems
from node.store.connections import Connection
from node.store.port import Reader, Transaction
from node.store.problems import Problem
from node.sync.outgoing import Outgoing, Sent
from node.sync.site import Site
from node.trackers.issue import Issue
from protocol.messages import Code

MAX_KEYS = 500
"""Issues in one request; the command line sends as many requests as it takes."""
SEARCH_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyResult:
    """What became of one key: ``result`` is queued, unchanged, skipped or failed."""

    key: str
    result: str
    text: str = ""
    advice: str = ""


class Operations:
    """The use cases around issues."""

    def __init__(self, site: Site, outgoing: Outgoing, *, wake: Callable[[], None]) -> None:
        self._site = site
        self._outgoing = outgoing
        self._wake = wake

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

        Raises:
            UsageError: no such connection, it is closed, or too many keys.
            TrackerError: the tracker cannot be asked now; issues before the failure are queued.
        """
        if len(keys) > MAX_KEYS:
            raise UsageError(f"{len(keys)} issues are too many for one request.", advice=f"Send {MAX_KEYS} at most.")
        connection = await self.connection(name)
        if connection.state == "closed":
            raise UsageError(f"{name} is closed.", advice="Pair again with accord invite.")
        results: list[KeyResult] = []
        for start in range(0, len(keys), SEARCH_PAGE):
            part = keys[start : start + SEARCH_PAGE]
            found = await self._fetch(part)
            await self._outgoing.prepare(connection.id, list(found.values()))
            for key in part:
                issue = found.get(key)
                results.append(
                    await self._begin(connection, issue, key)
                    if isinstance(issue, Issue)
                    else KeyResult(
                        key=key,
                        result="failed",
                        text=f"There is no issue {key} in our Jira, or the sync user may not see it.",
                        advice="Check the key and the sync user's permissions in that project.",
                    )
                )
        return results

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
        left = await self._outgoing.begin(connection.id, issue)
        if left.error is not None:
            return KeyResult(key=key, result="failed", text=left.error.message, advice=left.error.advice)
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
            return [_shown(problem, names) for problem in await problems.open_problems(tx)]

        return await self._site.store.read(work)

    async def retry(self, problem_ids: Sequence[int] | None) -> int:
        """Let what waits behind these problems, or all, be tried again now; return how many rows that were.

        Raises:
            UsageError: a number that is not an open problem's.
        """
        return await self._release(problem_ids, skip=False)

    async def skip(self, problem_ids: Sequence[int]) -> int:
        """Give up on what waits behind these problems: the notice or message ends without effect.

        Raises:
            UsageError: a number that is not an open problem's.
        """
        return await self._release(problem_ids, skip=True)

    async def _release(self, problem_ids: Sequence[int] | None, *, skip: bool) -> int:
        async def work(tx: Transaction) -> int:
            chosen = await problems.open_problems(tx)
            if problem_ids is not None:
                unknown = set(problem_ids) - {problem.id for problem in chosen}
                if unknown:
                    raise UsageError(
                        f"There is no open problem {min(unknown)}.", advice="See the numbers with: accord errors"
                    )
                chosen = [problem for problem in chosen if problem.id in problem_ids]
            count = 0
            for problem in chosen:
                count += await self._release_one(tx, problem, skip=skip)
            return count

        count = await self._site.store.write(work)
        self._wake()
        return count

    async def _release_one(self, tx: Transaction, problem: Problem, *, skip: bool) -> int:
        if problem.ref is not None and problem.stage == problems.CHANGE:
            if skip:
                await changes.done(tx, [problem.ref])
            else:
                await changes.release(tx, problem.ref)
        elif problem.ref is not None and problem.stage == problems.INBOX:
            if skip:
                await inbox.finish(tx, problem.ref, Code.IGNORED, self._site.clock.now_ms())
            else:
                await inbox.release(tx, problem.ref)
        elif not skip:
            return 0
        await problems.close_one(tx, problem.id)
        return 1


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
        "message": problem.message,
        "advice": problem.advice,
        "first_ms": problem.first_ms,
        "last_ms": problem.last_ms,
        "count": problem.count,
    }
