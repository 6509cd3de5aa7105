"""Keeps our webhook in Jira: registered, for all projects that are watched, and looked after from then on.

Where Jira does not let us, it says what an admin can do by hand, and tries again by itself. Never takes a notice
(`webhook.py` does), and never removes what others registered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

from node.background import Background
from node.clock import Clock
from node.errors import TrackerError
from node.store import connections
from node.store.engine import Store
from node.trackers.base import Tracker, WebhookState

_LOG = logging.getLogger(__name__)

WEBHOOK_NAME: Final = "Accord"
EVERY_SECONDS: Final = 600.0
"""How often a node looks whether its webhook is still in Jira."""
AGAIN_SECONDS: Final = 15.0
"""How long a node that could not register its webhook waits before it tries again: double of this, doubling on."""
PAIRING_SECONDS: Final = 1.0
"""How often a node with an open invitation looks whether the connection has come into being."""
TROUBLE_SECONDS: Final = 30.0
"""How long it waits after a fault of its own."""


class Registration:
    """What Jira knows of us.

    Args:
        mode: whether we register the webhook, expect an admin to have done it, or do without.
        address: returns the URL that Jira has to call; it holds the webhook's token.
        projects: returns the keys of the projects that are watched.
        begun: called when Jira begins to report what it did not report before, so that nothing of it is missed.
    """

    def __init__(
        self,
        store: Store,
        tracker: Tracker,
        clock: Clock,
        *,
        mode: Literal["auto", "manual", "off"],
        address: Callable[[], str],
        projects: Callable[[], Awaitable[Sequence[str]]],
        begun: Callable[[], None],
    ) -> None:
        self._store = store
        self._tracker = tracker
        self._clock = clock
        self._mode = mode
        self._address = address
        self._projects = projects
        self._begun = begun
        self._background = Background("webhook registration", self._run)
        self._one_at_a_time = asyncio.Lock()
        self._failures = 0
        self._registered: Sequence[str] = ()
        self._registered_ms = 0
        self.webhook = WebhookState(active=False, advice="It is registered as soon as there is a connection.")
        """As it was when it was last looked at."""

    def start(self) -> None:
        """Register at once, then look now and then."""
        self._background.start()

    def soon(self) -> None:
        """Look soon: other projects may be watched now."""
        self._background.soon()

    async def stop(self) -> None:
        """Stop; the webhook stays, and Jira's notices to a node that is away are what the next sweep finds."""
        await self._background.stop()

    async def look(self) -> WebhookState:
        """Look at the webhook in Jira itself: somebody may have removed it there."""
        self._registered_ms = 0
        await self._look_after()
        return self.webhook

    async def _run(self) -> None:
        while True:
            try:
                pause = await self._turn()
            except Exception:  # noqa: BLE001 - nobody else would register the webhook
                _LOG.exception("the webhook could not be looked after; it is tried again")
                pause = TROUBLE_SECONDS
            await self._background.rest(pause)

    async def _turn(self) -> float:
        """Look once; return for how many seconds that is enough."""
        self._failures = 0 if await self._look_after() else self._failures + 1
        if await self._store.read(connections.pending):
            return PAIRING_SECONDS
        if self._failures:
            return min(EVERY_SECONDS, AGAIN_SECONDS * (1 << min(self._failures, 10)))
        return EVERY_SECONDS

    async def _look_after(self) -> bool:
        """See that Jira reports changes of all our projects; tell whether there is nothing to try again."""
        async with self._one_at_a_time:
            projects = await self._projects()
            now = self._clock.now_ms()
            fresh = self.webhook.active and now - self._registered_ms < EVERY_SECONDS * 1000
            if not projects or (fresh and projects == self._registered):
                return True
            before = (self.webhook.active, self.webhook.id, self._registered)
            self.webhook = await self._register(projects)
            self._registered, self._registered_ms = projects, now
            if self.webhook.active and before != (True, self.webhook.id, projects):
                self._begun()
            return self.webhook.active

    async def _register(self, projects: Sequence[str]) -> WebhookState:
        if self._mode == "off":
            return WebhookState(active=False, advice="Webhooks are switched off in accord.toml; sweeps find changes.")
        if self._mode == "manual":
            return WebhookState(active=True, advice="An admin of Jira registered the webhook.")
        try:
            await self._tracker.fields()  # notices can be read only once the fields are known
            visible = {one.key for one in await self._tracker.projects()}
            # A project that was deleted or taken from us would make Jira refuse the filter for all of them.
            reported = [key for key in projects if key in visible] or projects
            return await self._tracker.ensure_webhook(self._address(), projects=reported, name=WEBHOOK_NAME)
        except TrackerError as error:
            _LOG.warning("the webhook could not be registered: %s", error.message)
            return WebhookState(active=False, advice=f"{error.message} It is tried again by itself.")
