"""The tracker port over Jira's REST interface, version 2, on Data Center and Cloud: who we are, and all calls as one.

One call per change, and nothing read back. What it must know first (kind and version of the Jira, its fields) is asked
once, when it is first needed. Decides nothing about syncing, keeps no state besides that, never tries again.

Jira has no idempotency key, so what we create carries a marker that can be looked for after a crash: an issue or
comment property ``accord.marker``; a worklog on Data Center has no properties, its comment ends in an invisible anchor.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from node.clock import Clock
from node.errors import TrackerNonsense
from node.trackers.base import TrackerInfo, WebhookState
from node.trackers.issue import User
from node.trackers.jira.access import Auth, Timeouts
from node.trackers.jira.attachments import AttachmentCalls
from node.trackers.jira.choices import ChoiceCalls
from node.trackers.jira.client import MAX_ANSWER, JiraClient
from node.trackers.jira.comments import CommentCalls
from node.trackers.jira.custom import read_moment
from node.trackers.jira.issue_links import IssueLinkCalls
from node.trackers.jira.lookup import PAGE, Lookup
from node.trackers.jira.offers import OfferCalls
from node.trackers.jira.projects import ProjectCalls
from node.trackers.jira.shapes import entries_of, mapping
from node.trackers.jira.webhooks import Registrar
from node.trackers.jira.worklogs import WorklogCalls


class JiraTracker(ProjectCalls, ChoiceCalls, OfferCalls, CommentCalls, WorklogCalls, IssueLinkCalls, AttachmentCalls):
    """One Jira as one user. See ``node.trackers.base.Tracker`` for what each method promises.

    Args:
        url: the address of the Jira, with its context path if it has one.
        auth: who we are.
        clock: our time.
        timeouts: how long calls may take.
        max_parallel: calls at the same time; Jira slows down users who ask for more.
        max_answer: bytes that one answer may have.
    """

    def __init__(
        self,
        url: str,
        auth: Auth,
        *,
        clock: Clock,
        timeouts: Timeouts | None = None,
        max_parallel: int = 4,
        max_answer: int = MAX_ANSWER,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        client = JiraClient(
            url, auth, clock=clock, timeouts=timeouts, max_parallel=max_parallel, max_answer=max_answer, tls=tls
        )
        super().__init__(client, Lookup(client), clock)
        self._own_id: str | None = None

    @property
    def unheard_ms(self) -> int:
        """When a call last got no answer, by our clock; 0 where each got one."""
        return self._client.unheard_ms

    async def describe(self) -> TrackerInfo:
        """Return who the tracker is and who we are in it (2 calls)."""
        server = await self._lookup.server()
        user, me = await self._myself()
        zone = me.get("timeZone")
        return TrackerInfo(
            kind="cloud" if server.cloud else "data-center",
            title=server.title,
            version=server.version,
            url=self._client.url,
            user=user,
            time_zone=zone if isinstance(zone, str) else "UTC",
            server_time=read_moment(server.time),
        )

    async def own_id(self) -> str:
        """Return the id of our user (1 call, 2 where the kind of Jira is not known; none once it is known)."""
        if self._own_id is None:
            await self._lookup.kind()
            self._own_id = (await self._myself())[0].id
        return self._own_id

    async def _myself(self) -> tuple[User, Mapping[str, Any]]:
        me = mapping(await self._client.get("myself", what="say who we are"), "our own user")
        user = self._lookup.reader.user(me)
        if user is None or not user.id:
            raise TrackerNonsense("Jira does not say who we are in it.", advice="Check the token of this node.")
        return user, me

    async def find_users(self, query: str) -> Sequence[User]:
        """Return users matching a name or an e-mail address (1 call)."""
        reader = await self._lookup.ready()
        params = {"query" if reader.cloud else "username": query, "maxResults": PAGE}
        found = entries_of(await self._client.get("user/search", params, what="find users"))
        users = (reader.user(entry) for entry in found)
        return [user for user in users if user is not None and user.id]

    async def ensure_webhook(self, url: str, *, projects: Sequence[str], name: str) -> WebhookState:
        """Register our webhook, or correct it, where we may; otherwise say what to do by hand."""
        return await (await self._registrar()).ensure(url, projects=projects, name=name)

    async def remove_webhook(self, name: str) -> None:
        """Remove the webhooks that we registered under this name."""
        await (await self._registrar()).remove(name)

    async def close(self) -> None:
        """Release the network."""
        await self._client.close()

    async def _registrar(self) -> Registrar:
        server = await self._lookup.kind()
        return Registrar(self._client, cloud=server.cloud, major=server.major)
