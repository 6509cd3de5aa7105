"""What people decide about problems: try what waits behind them again, or give it up.

Use cases over the store and the sync core; knows neither HTTP nor the terminal. Reports no problem and judges none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from node.errors import UsageError
from node.store import changes, inbox, links, problems, restored
from node.store.port import Transaction
from node.store.problems import Problem
from node.sync.endings import Endings
from node.sync.outgoing import Outgoing
from node.sync.recovery import Recovery
from node.sync.site import Site
from protocol.messages import Code


class ProblemDesk:
    """Where people decide about problems.

    Args:
        site: what is shared by all of the sync.
        outgoing: sends an issue's state again.
        recovery: waits for the other side after a restore.
        wake: lets what waits in rows go on now.
        sweep: asks for a sweep at once.
        call_roll: has the issues that are missed looked for at once.
    """

    def __init__(
        self,
        site: Site,
        outgoing: Outgoing,
        recovery: Recovery,
        *,
        wake: Callable[[], None],
        sweep: Callable[[], None],
        call_roll: Callable[[], None],
    ) -> None:
        self._site = site
        self._outgoing = outgoing
        self._recovery = recovery
        self._endings = Endings(site)
        self._wake = wake
        self._sweep = sweep
        self._call_roll = call_roll

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
