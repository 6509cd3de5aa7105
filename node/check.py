"""Looks at everything that a working node needs, and says of each what to do: `accord check`.

Only looks: registers nothing, writes nothing to Jira, sends nothing to a peer.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from node.clock import Clock
from node.config import NodeFolder
from node.errors import AccordError
from node.keys import KeyFolder
from node.rules.fields import COMPONENTS, VERSIONS
from node.rules.script.workers import LayerState, boundary_report
from node.store import connections, library, streams
from node.store.engine import Store
from node.trackers.base import Tracker, TrackerInfo, WebhookState
from node.transport.addresses import found_only_here

_LOG = logging.getLogger(__name__)

OK = "ok"
WARNING = "warning"
ERROR = "error"

MAX_SKEW_S = 60
"""A clock that is off by more makes times in comments and logs misleading; the protocol itself does not care."""
MIN_FREE = 1_000_000_000
"""Bytes free on the node's disk below which a warning is due: 1 GB."""
SILENT_MS = 24 * 3600 * 1000
"""A peer not heard of for a day deserves a question."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: str
    text: str
    advice: str = ""


class Checks:
    """Everything `accord check` looks at, in the order in which a person would."""

    def __init__(
        self,
        store: Store,
        tracker: Tracker,
        clock: Clock,
        *,
        folder: NodeFolder,
        address: Callable[[], str],
        webhook: Callable[[], Awaitable[WebhookState]],
        boundary: Callable[[], Awaitable[Sequence[Finding]]],
    ) -> None:
        self._store = store
        self._tracker = tracker
        self._clock = clock
        self._folder = folder
        self._address = address
        self._webhook = webhook
        self._boundary = boundary

    async def run(self) -> list[Finding]:
        """Look at everything; a part that cannot be looked at is a finding too."""
        findings: list[Finding] = []
        try:
            info = await self._tracker.describe()
        except AccordError as error:
            findings.append(Finding("Jira", ERROR, error.message, error.advice))
        else:
            findings += [_jira(info), _clock(info, self._clock.now_ms())]
            findings += [finding async for finding in self._projects()]
        findings.append(_webhook(await self._webhook()))
        findings.append(await self._identity())
        findings.append(address_finding(self._address()))
        findings += await self._peers()
        findings += [self._disk(), _sqlite(), *await self._boundary()]
        return findings

    async def _projects(self) -> AsyncIterator[Finding]:
        rows = await self._store.read(connections.every)
        open_rows = [row for row in rows if row.state != connections.CLOSED]
        for project in sorted({row.project for row in open_rows}):
            what = f"project {project}"
            creates = any({VERSIONS, COMPONENTS} & set(row.may_create) for row in open_rows if row.project == project)
            try:
                await self._tracker.project(project)
                also = ("ADMINISTER_PROJECTS",) if creates else ()
                missing = await self._tracker.missing_permissions(project, also=also)
            except AccordError as error:
                yield Finding(what, ERROR, error.message, error.advice)
                continue
            if missing:
                yield Finding(
                    what,
                    ERROR,
                    f"The sync user lacks: {', '.join(missing)}.",
                    "Give it these permissions in the project's permission scheme.",
                )
            else:
                yield Finding(what, OK, "The sync user has the permissions that it needs.")

    async def _identity(self) -> Finding:
        has_met = bool(await self._store.read(connections.every))
        keys = KeyFolder(self._folder.keys, self._clock.random_bytes)
        try:
            key = await asyncio.to_thread(keys.identity, has_met=has_met)
        except AccordError as error:
            return Finding("key", ERROR, error.message, error.advice)
        return Finding("key", OK, "This node's key is there." if key else "The node gets its key when it first starts.")

    async def _peers(self) -> list[Finding]:
        findings = []
        for row in await self._store.read(connections.every):
            if row.state not in {connections.ACTIVE, connections.PENDING}:
                continue
            peer = await self._store.read(partial(streams.peer, connection_id=row.id))
            what = f"connection {row.name}"
            if peer.attempts:
                times = "once" if peer.attempts == 1 else f"{peer.attempts} times"
                done = "answer" if row.state == connections.ACTIVE else "pair"
                findings.append(
                    Finding(
                        what,
                        ERROR,
                        f"{row.peer_label or 'The peer'} did not {done} {times}: {peer.last_error}",
                        peer.advice or "What waits is kept and sent when it answers. Ask its admin if this goes on.",
                    )
                )
            elif row.state == connections.PENDING:
                findings.append(Finding(what, OK, "Not paired yet: it goes on when the other side acts."))
            elif peer.last_heard_ms is not None and self._clock.now_ms() - peer.last_heard_ms > SILENT_MS:
                findings.append(Finding(what, WARNING, f"{row.peer_label} was not heard of for more than a day."))
            else:
                verified = "" if row.verified else " It is unverified: the short codes were not compared yet."
                advice = "" if row.verified else f"Compare them by phone: {self._folder.command} verify {row.name}"
                findings.append(Finding(what, OK if row.verified else WARNING, f"Active.{verified}", advice))
        return findings

    def _disk(self) -> Finding:
        free = shutil.disk_usage(self._folder.root).free
        text = f"{free / 1e9:.1f} GB free."
        if free < MIN_FREE:
            return Finding("disk", WARNING, text, "Make room: without it messages cannot be stored, and wait in Jira.")
        return Finding("disk", OK, text)


def address_finding(url: str) -> Finding:
    """Say which address partners are told, and whether it is of any use to them."""
    if not found_only_here(url):
        return Finding("address", OK, f"Partners are told the address {url}.")
    return Finding(
        "address",
        WARNING,
        f"Partners are told the address {url}, at which only a node on this machine reaches this one.",
        "For partners elsewhere, set node.public_url in accord.toml to the address that they can use, and start the "
        "node anew: connected partners are told then. An open invitation keeps its address: revoke it, and make "
        "another.",
    )


def address_warning(url: str) -> str:
    """Return what to say where an address is about to be told to a partner; empty where it may be of use there."""
    found = address_finding(url)
    return "" if found.state == OK else f"{found.text} {found.advice}"


def _jira(info: TrackerInfo) -> Finding:
    who = f"{info.user.display_name} ({info.user.id})"
    return Finding("Jira", OK, f"{info.title} {info.version} at {info.url}, as {who}, time zone {info.time_zone}.")


def _clock(info: TrackerInfo, now_ms: int) -> Finding:
    if info.server_time is None:
        return Finding("clock", OK, "Jira does not tell its time.")
    skew = abs(info.server_time.timestamp() - now_ms / 1000)
    if skew > MAX_SKEW_S:
        return Finding(
            "clock",
            WARNING,
            f"This machine's clock and Jira's differ by {skew:.0f} seconds.",
            "Nothing is lost by it, but set both by NTP so that times in logs can be compared.",
        )
    return Finding("clock", OK, "This machine's clock and Jira's agree.")


def _webhook(state: WebhookState) -> Finding:
    if state.active:
        return Finding("webhook", OK, "Jira reports changes to this node.")
    return Finding("webhook", WARNING, "Jira does not report changes; sweeps find them, more slowly.", state.advice)


def boundary_findings(layers: Sequence[LayerState]) -> list[Finding]:
    """Say how well scripts are walled in: one sentence where all walls stand, else one for each that does not."""
    standing = [layer.name for layer in layers if layer.on]
    missing = [layer for layer in layers if not layer.on]
    if not missing:
        return [Finding("scripts", OK, f"All walls around scripts stand: {', '.join(standing)}.")]
    return [
        Finding(
            f"scripts: {layer.name}",
            WARNING,
            layer.sentence,
            "Run the node on a Linux that offers it, or let only people whom you trust write scripts.",
        )
        for layer in missing
    ]


async def boundary() -> list[Finding]:
    """Try the walls around scripts from inside, and say which of them stand."""
    return boundary_findings(await boundary_report())


async def tell_open_walls() -> None:
    """Write into the log which walls around scripts this platform lacks."""
    for finding in await boundary():
        if finding.state != OK:
            _LOG.warning("%s: %s", finding.what, finding.text)


def _sqlite() -> Finding:
    found = library.examine()
    return Finding("SQLite", OK if found.fit else ERROR, found.sentence)
