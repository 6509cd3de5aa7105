"""The ports on which a node listens. Knows no route: whoever has one puts it into the application first."""

from __future__ import annotations

import os
from typing import Final

from aiohttp import web

from node.errors import ConfigError
from node.web_log import SERVER_LOG

SHUTDOWN_SECONDS: Final = 5.0
"""How long requests that run have to end when the node stops."""


class Listeners:
    """All of them, open until they are closed together."""

    def __init__(self) -> None:
        self._runners: list[web.AppRunner] = []

    async def open(self, app: web.Application, host: str, port: int) -> int:
        """Listen, and return the port, which the system chooses where ``port`` is 0.

        The access log is off because the webhook's token is in its path.

        Raises:
            ConfigError: the port cannot be had; what is open already stays open until it is closed.
        """
        runner = web.AppRunner(app, access_log=None, logger=SERVER_LOG, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        self._runners.append(runner)
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ConfigError(
                f"The node cannot listen on {host}:{port}: {os.strerror(error.errno) if error.errno else error}.",
                advice="Another program, or another node, uses that port. Change port or admin_port in accord.toml.",
            ) from None
        return int(runner.addresses[0][1])

    async def close(self) -> None:
        """Take no new requests, and let those that run end."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
