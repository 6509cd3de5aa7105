"""What people ask the running node to do with issues: bring them under sync, now or as soon as it can be done.

Use cases over the store and the sync core; knows neither HTTP nor the terminal. What people ask to see is in
`answers`, what they decide about problems in `problem_desk`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from node import answers
from node.errors import AccordError, TrackerError, TrackerNotFound, TrackerRefused, TrackerUnreachable, UsageError
from node.problem_desk import ProblemDesk
from node.store import changes, connections, problems, restored
from node.store.connections import Connection
from node.store.port import Transaction
from node.store.problems import Problem
from node.sync.first_words import FirstWords
from node.sync.outgoing import Outgoing, Sent
from node.sync.recovery import Recovery
from node.sync.site import Site
from node.trackers.issue import Issue

MAX_KEYS = 500
"""Issues in one request; the command line sends as many requests as it takes."""
SEARCH_PAGE = 50
MAX_KEY = 64
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
    """The use cases around issues; ``problems`` is where people decide about what cannot go on."""

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
        self._heard = heard
        self._wake = wake
        self.problems = ProblemDesk(site, outgoing, recovery, wake=wake, sweep=sweep, call_roll=call_roll)

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

    async def quiet(self) -> bool:
        """Tell whether nothing waits that could go on by itself."""
        return self._heard.all and await self._site.store.read(answers.quiet)


def _unknown(key: str) -> KeyResult:
    return KeyResult(
        key=key,
        result="failed",
        text=f"There is no issue {key} in our Jira, or the sync user may not see it.",
        advice="Check the key and the sync user's permissions in that project.",
    )


def _looks_like_key(key: str) -> bool:
    project, dash, number = key.rpartition("-")
    return bool(dash) and number.isdigit() and len(key) <= MAX_KEY and project.replace("_", "a").isalnum()
