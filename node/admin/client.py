"""Calls the running node's admin API. Finds it through the node's folder; holds no use case."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import aiohttp

from node.config import NodeFolder
from node.errors import AccordError, ConfigError

TIMEOUT = 120
"""Seconds for one request: bringing 50 issues in may need as many calls to a slow Jira."""


class NodeSaidNo(AccordError):
    """The node answered that it will not or cannot; the message is its own."""

    def __init__(self, code: str, message: str, *, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.code = code


class AdminClient:
    """One command's conversation with the node in ``folder``."""

    def __init__(self, folder: NodeFolder) -> None:
        self._folder = folder

    def call(self, method: str, path: str, body: object | None = None) -> Any:
        """Make one request and return the JSON of its answer.

        Raises:
            ConfigError: there is no node, or it does not run.
            NodeSaidNo: the node answered with an error.
        """
        return asyncio.run(self.acall(method, path, body))

    async def acall(self, method: str, path: str, body: object | None = None) -> Any:
        """Do what ``call`` does, for a command that lives on an event loop."""
        url = self._address() + path
        headers = {"Authorization": f"Bearer {self._folder.secret('api-token').value}"}
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session,
                session.request(method, url, json=body, headers=headers, allow_redirects=False) as response,
            ):
                return _read(response.status, await response.text())
        except TimeoutError:
            raise ConfigError(
                f"The node in {self._folder.root} did not answer within {TIMEOUT} seconds.",
                advice="Look at its log.",
            ) from None
        except aiohttp.ClientError:
            raise self._not_running() from None

    def _address(self) -> str:
        try:
            running = json.loads(self._folder.running.read_text("utf-8"))
            with suppress(PermissionError):  # it lives, and is another user's
                os.kill(int(running["pid"]), 0)
            return str(running["admin_url"])
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            self._folder.settings()  # which says so where there is no node at all, or none that could run
            raise self._not_running() from None

    def _not_running(self) -> ConfigError:
        return ConfigError(
            f"The node in {self._folder.root} is not running.", advice=f"Start it with: {self._folder.command} serve"
        )


def part(text: str) -> str:
    """Return text from a person as one part of a path, so that it can only name something and never lead elsewhere."""
    return quote(text, safe="")


def _read(status: int, text: str) -> Any:
    try:
        data = json.loads(text) if text else None
    except ValueError:
        raise NodeSaidNo("Nonsense", "The node's answer was not understood.", advice="Look at its log.") from None
    if status >= 400:  # noqa: PLR2004 - HTTP's own line between success and failure
        error = data.get("error", {}) if isinstance(data, dict) else {}
        raise NodeSaidNo(
            str(error.get("code", status)),
            str(error.get("message", f"The node answered with status {status}.")),
            advice=str(error.get("advice", "")),
        )
    return data
