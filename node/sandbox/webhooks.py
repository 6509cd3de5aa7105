"""Telling whoever registered: which webhooks want an event, and delivering it to them.

As Jira Data Center 10 does it: after the answer to the request, in nobody's way, and only once. What a receiver does
not take is lost; what does not fit into a full queue is dropped. Each webhook has a queue of its own, so that a slow
receiver holds up nobody else.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import aiohttp

from node.sandbox.events import Event
from node.sandbox.faults import FaultBox
from node.sandbox.hook_bodies import render_event
from node.sandbox.issue_view import IssueView
from node.sandbox.jql import JqlError, compile_query
from node.sandbox.model import User, Webhook
from node.sandbox.queries import WorldContext
from node.sandbox.render import Renderer
from node.sandbox.store import World

log = logging.getLogger(__name__)

QUEUE_LENGTH = 10_000
"""How many deliveries wait for one receiver before new ones are dropped."""
TIMEOUT_SECONDS = 20.0
"""How long a receiver may take."""
_VARIABLE = re.compile(r"\$?\{([a-z.]+)\}")


@dataclass(slots=True)
class Delivery:
    """One message for one receiver."""

    url: str
    body: bytes
    headers: dict[str, str]
    event: str


@dataclass(slots=True)
class DeliveryCounts:
    """What became of the messages."""

    delivered: int = 0
    refused: int = 0
    unreachable: int = 0
    dropped: int = 0
    lost: int = 0


class WebhookSender:
    """Delivers events; ``start`` and ``stop`` it with the server."""

    def __init__(self, world: World, renderer: Renderer, faults: FaultBox) -> None:
        self._world = world
        self._renderer = renderer
        self._faults = faults
        self._queues: dict[str, asyncio.Queue[Delivery]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._pending = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.counts = DeliveryCounts()

    def start(self) -> None:
        """Begin to listen to the world. Needs a running event loop."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            # A cookie or a proxy of this machine has no business in a delivery.
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._world.listen(self.tell)

    async def stop(self) -> None:
        """Stop; what was not delivered yet is lost, as when a Jira stops."""
        for worker in self._workers.values():
            worker.cancel()
        await asyncio.gather(*self._workers.values(), return_exceptions=True)
        self._workers.clear()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def drained(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - a limit for tests, not a cancel scope
        """Wait until nothing is on its way. Raises TimeoutError."""
        await asyncio.wait_for(self._quiet.wait(), timeout)

    def tell(self, event: Event) -> None:
        """Queue an event for each webhook that wants it."""
        if self._session is None:
            return
        wanted = [hook for hook in self._world.site.webhooks.values() if self._wants(hook, event)]
        if not wanted:
            return
        body = render_event(self._renderer, event)
        for hook in wanted:
            delivery = self._delivery(hook, event, body)
            for one in self._faults.mangle_delivery(hook.id, delivery):
                self._enqueue(hook.id, one)

    def _wants(self, hook: Webhook, event: Event) -> bool:
        if not hook.enabled or event.name not in hook.events:
            return False
        if not hook.jql.strip() or event.issue is None:
            return True
        try:
            # The filter is read as the person would read it who registered the webhook.
            query = compile_query(hook.jql, WorldContext(self._world, self._owner(hook)))
        except JqlError as wrong:
            log.warning("The filter of the webhook %s cannot be evaluated, so it is told nothing: %s", hook.name, wrong)
            return False
        return query.matches(IssueView(self._world, event.issue, self._owner(hook)))

    def _owner(self, hook: Webhook) -> User | None:
        return self._world.user(hook.updated_by)

    def _delivery(self, hook: Webhook, event: Event, body: bytes) -> Delivery:
        url = _address(hook.url, event)
        if event.actor is not None:
            parameters = urlencode({"user_id": event.actor.name, "user_key": event.actor.key})
            url += ("&" if "?" in url else "?") + parameters
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "User-Agent": "Atlassian HttpClient / Jira-10.3.2 (10030002) / Default",
            "X-Atlassian-Webhook-Identifier": secrets.token_hex(16),
        }
        sent = b"" if hook.exclude_body else body
        if hook.secret:
            digest = hmac.new(hook.secret.encode(), sent, hashlib.sha256).hexdigest()
            headers["X-Hub-Signature"] = f"sha256={digest}"
        return Delivery(url, sent, headers, event.name)

    def _enqueue(self, hook_id: str, delivery: Delivery) -> None:
        queue = self._queues.get(hook_id)
        if queue is None:
            queue = self._queues[hook_id] = asyncio.Queue(QUEUE_LENGTH)
            self._workers[hook_id] = asyncio.create_task(self._work(queue), name=f"webhook {hook_id}")
        try:
            queue.put_nowait(delivery)
        except asyncio.QueueFull:
            self.counts.dropped += 1
            return
        self._pending += 1
        self._quiet.clear()

    async def _work(self, queue: asyncio.Queue[Delivery]) -> None:
        while True:
            delivery = await queue.get()
            try:
                await self._send(delivery)
            except Exception:
                # One odd delivery must not silence the webhook for good.
                log.exception("A webhook delivery of %s failed unexpectedly.", delivery.event)
            finally:
                self._pending -= 1
                if self._pending == 0:
                    self._quiet.set()

    async def _send(self, delivery: Delivery) -> None:
        if self._session is None:
            return
        try:
            async with self._session.post(
                delivery.url, data=io.BytesIO(delivery.body), headers=delivery.headers, allow_redirects=False
            ) as response:
                if response.ok:
                    self.counts.delivered += 1
                else:
                    self.counts.refused += 1
                    log.warning(
                        "A webhook receiver answered %s to %s; it is not told again.", response.status, delivery.event
                    )
        except (aiohttp.ClientError, TimeoutError, ValueError) as wrong:
            self.counts.unreachable += 1
            log.warning(
                "A webhook receiver could not be told of %s; it is not told again: %s",
                delivery.event,
                type(wrong).__name__,
            )


def _address(template: str, event: Event) -> str:
    values: Mapping[str, str] = {
        "issue.id": event.issue.id if event.issue is not None else "",
        "issue.key": event.issue.key if event.issue is not None else "",
        "project.id": event.issue.project_id if event.issue is not None else "",
        "project.key": event.issue.key.rpartition("-")[0] if event.issue is not None else "",
        "comment.id": event.comment.id if event.comment is not None else "",
        "worklog.id": event.worklog.id if event.worklog is not None else "",
        "attachment.id": event.attachment_id or "",
    }

    def fill(match: re.Match[str]) -> str:
        value = values.get(match.group(1))
        return match.group(0) if value is None else quote(value, safe="")

    return _VARIABLE.sub(fill, template)
