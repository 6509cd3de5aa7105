"""What becomes of a look that failed: it is repeated where the tracker may recover, else it waits for a person."""

from __future__ import annotations

from node.crew import Crew
from node.errors import AccordError, TrackerError
from node.store import changes, problems
from node.store.port import Transaction
from node.store.problems import Problem
from node.sync.site import Party, Site
from node.triggers.look import Look
from node.triggers.patience import TELL_AFTER, leave_alone, patience_ms


class Setbacks:
    """Stores failures of looks at changed issues."""

    def __init__(self, site: Site, crew: Crew[Look]) -> None:
        self._site = site
        self._crew = crew

    async def hold(self, look: Look, error: AccordError, party: Party | None = None) -> None:
        """Keep what was asked for, else the newest notice, for a person; one problem a connection; the rest ends."""
        now = self._site.clock.now_ms()
        kept = set(look.asked.values()) or {max(look.ids)}
        ref = look.asked.get(party.id, max(kept)) if party else max(kept)
        problem = Problem(
            connection_id=party.id if party else None,
            stage=problems.CHANGE,
            ref=ref,
            issue_key=look.key,
            code=type(error).__name__,
            message=(f"{party.name}: " if party else "") + error.in_full,
            advice=error.advice or "Put right what is named here, then retry.",
        )

        async def work(tx: Transaction) -> None:
            await changes.done(tx, [row_id for row_id in look.ids if row_id not in kept])
            await changes.done_of_issue(tx, look.issue_id, up_to=min(kept) - 1)
            if look.issue is not None:
                await changes.set_issue(tx, sorted(kept), look.issue.id)
            await changes.hold(tx, sorted(kept))
            await problems.close_of_forgotten_changes(tx)
            await problems.report(tx, problem, now_ms=now)

        await self._site.store.write(work)

    async def postpone(self, look: Look, error: TrackerError) -> None:
        """Look again later where the tracker may recover; hold it where it will not."""
        if not error.temporary:
            await self.hold(look, error)
            return
        attempts = look.tries + 1
        wait_ms = patience_ms(error, attempts, self._site.clock.jitter())
        due = self._site.clock.now_ms() + int(wait_ms)
        problem = Problem(
            connection_id=None,
            stage=problems.CHANGE,
            ref=max(look.ids),
            issue_key=look.key,
            code=type(error).__name__,
            message=error.message,
            advice=error.advice or "It is tried again by itself.",
        )

        async def work(tx: Transaction) -> None:
            await changes.postpone(tx, look.ids, due_ms=due)
            if attempts >= TELL_AFTER:
                await problems.report(tx, problem, now_ms=self._site.clock.now_ms())

        await self._site.store.write(work)
        leave_alone(self._crew, look.issue_id, error, wait_ms / 1000)
