"""Forgets what nobody needs any more, so that a node that runs for years does not grow by it.

Old history beyond the newest events of each link, problems that are over, states of issues that no connection carries,
digests of files that are gone. Never touches what waits, a link, the ledger or the messages (`node.transport` does).
"""

from __future__ import annotations

import logging
from typing import Final

from node.background import Background
from node.clock import Clock
from node.errors import AccordError
from node.store import awaited, history, problems, shadows, steps
from node.store.engine import Store
from node.store.port import Transaction

_LOG = logging.getLogger(__name__)

_DAY_MS: Final = 24 * 60 * 60 * 1_000
KEEP_HISTORY_MS: Final = 180 * _DAY_MS
"""How long everything that happened is kept: half a year."""
KEEP_EVENTS: Final = 50
"""The newest events of each link stay for ever: as many as a person is shown."""
KEEP_PROBLEMS_MS: Final = 30 * _DAY_MS
"""How long a problem that is over is kept."""
KEEP_NOTES_MS: Final = _DAY_MS
"""How long people are told what they need do nothing about."""
EVERY_SECONDS: Final = 6 * 60 * 60.0
FIRST_SECONDS: Final = 600.0
"""Not at once: a node that starts has better things to do."""
PART: Final = 2_000
"""Rows looked at in one go, so that nobody waits for it."""


class Housekeeping:
    """Looks a few times a day for what can go."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._background = Background("housekeeping", self._run)

    def start(self) -> None:
        """Begin."""
        self._background.start()

    async def stop(self) -> None:
        """Stop; what was not looked at is looked at next time."""
        await self._background.stop()

    async def _run(self) -> None:
        pause = FIRST_SECONDS
        while True:
            await self._clock.sleep(pause)
            pause = EVERY_SECONDS
            try:
                await self.clean()
            except AccordError as error:
                _LOG.warning("what is old could not be forgotten; it is tried again: %s", error.message)
            except Exception:  # noqa: BLE001 - said aloud; the next round may go better
                _LOG.exception("what is old could not be forgotten; it is tried again")

    async def clean(self) -> None:
        """Forget once what can go.

        Raises:
            StoreError: the store could not do it; what was forgotten before stays forgotten.
        """
        now_ms = self._clock.now_ms()

        async def work(tx: Transaction) -> None:
            await problems.close_of_closed_connections(tx)
            await problems.close_notes(tx, now_ms - KEEP_NOTES_MS)
            await problems.drop_closed(tx, now_ms - KEEP_PROBLEMS_MS)
            await shadows.drop_unlinked(tx)
            await steps.drop_of_closed_connections(tx)
            await awaited.drop_of_closed_connections(tx)

        await self._store.write(work)
        unused = await self._store.read(shadows.unused_digests)
        for start in range(0, len(unused), PART):
            part = unused[start : start + PART]
            await self._store.write(lambda tx, part=part: shadows.drop_digests(tx, part))  # type: ignore[misc]  # bound early, on purpose
        await self._clean_history(now_ms - KEEP_HISTORY_MS)

    async def _clean_history(self, before_ms: int) -> None:
        last: int | None = 0
        while last is not None:
            after = last
            spare, last = await self._store.read(
                lambda tx, after=after: history.spare(
                    tx, after=after, before_ms=before_ms, keep=KEEP_EVENTS, limit=PART
                )  # type: ignore[misc]  # bound early, on purpose
            )
            if spare:
                await self._store.write(lambda tx, spare=spare: history.drop(tx, spare))  # type: ignore[misc]  # the same
