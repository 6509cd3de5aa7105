"""The order of the first looks after a start: the peers' first words, our own people's changes, what the peers sent.

So what people did here while the node was away is seen before a peer's wish is written over it. Decides about no issue.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from node.clock import Clock
from node.store.errors import StoreError
from node.sync.first_words import FirstWords
from node.sync.inbox_feed import InboxFeed
from node.sync.resync import Resync
from node.triggers.change_feed import ChangeFeed
from node.triggers.poller import Poller

_LOG = logging.getLogger(__name__)

CATCH_UP_SECONDS: Final = 30.0
"""How long received messages wait at the start for changes of our own people to be looked at."""
TROUBLE_SECONDS: Final = 30.0
"""How long it waits before it tries again where the store cannot be read."""


async def catch_up(
    heard: FirstWords, changes: ChangeFeed, resync: Resync, poller: Poller, inbox: InboxFeed, clock: Clock
) -> None:
    """Start the crews one after the other; ends when all of them work.

    Nothing is looked at before the peers could tell whether our database was put back.
    """
    await heard.of_all()
    changes.crew.start()
    resync.start()
    try:
        async with asyncio.timeout(CATCH_UP_SECONDS):
            await poller.tried.wait()
            await changes.caught_up()
    except TimeoutError:
        _LOG.warning("not all changes could be looked at within %.0f seconds; going on", CATCH_UP_SECONDS)
    except StoreError as error:
        _LOG.warning("changes could not be looked at first; going on: %s", error.message)
    changes.expect_notices()
    while True:
        try:
            return await inbox.start()
        except StoreError as error:
            _LOG.warning("received messages cannot be settled yet; it is tried again: %s", error.message)
            await clock.sleep(TROUBLE_SECONDS)
