"""What the node's web servers log: mistakes of ours with their trace, of a stranger's nonsense a plain line at most.

Whoever reaches the port can send what is no HTTP, or break off. The library writes a trace for each, of a kilobyte and
more and with some of the bytes: strangers could fill the disk, and a path that holds a secret could stand in a log. The
plain line is told with ``--verbose`` only and names the kind of nonsense, nothing of it. Filters nothing else.
"""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from typing_extensions import override

_NONSENSE: Final = (HttpProcessingError, web.RequestPayloadError, ConnectionError)
_LOG = logging.getLogger(__name__)


class _OursOnly(logging.Filter):
    """Lets a record pass unless its error says that what came was no proper HTTP, or not all of it."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Decide on one record."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, _NONSENSE):
            return True
        _LOG.info("a request was refused that is no proper HTTP, or broke off (%s)", type(error).__name__)
        return False


SERVER_LOG: Final = logging.getLogger(f"{__name__}.server")
"""Where a server that strangers reach writes: pass it as ``logger`` to aiohttp's runner."""
SERVER_LOG.addFilter(_OursOnly())
