"""The composition root: the only place that names concrete adapters. Builds a node from its folder, starts, stops.

Start: lock and migrate the database, listen, speak to the peers, tell Jira where to report changes, sweep once, look at
what our people did while the node was away, then work off what the peers sent.
Stop: take nothing new, let what runs end or be found again, close. Nothing here decides about an issue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any

from aiohttp import web

from node.admin.api import AdminApi, Services
from node.admin.ledger_api import LedgerApi
from node.admin.rules_api import RulesApi
from node.admin.server import admin_app
from node.background import Background
from node.check import ERROR, OK, Checks, Finding, address_warning, boundary, tell_open_walls
from node.clock import Clock, SystemClock
from node.config import NodeFolder, Settings
from node.connections import Connections
from node.errors import AccordError
from node.housekeeping import Housekeeping
from node.keys import KeyFolder
from node.ledger import Ledger
from node.listeners import Listeners
from node.operations import Operations
from node.rulebook import RuleBook
from node.rules.facts import CachedFacts
from node.rules.script.sandbox import MontyEngine
from node.rules_desk.desk import rules_desk
from node.store import connections as connection_rows
from node.store.engine import Store
from node.sync.first_words import FirstWords
from node.sync.inbox_feed import InboxFeed
from node.sync.incoming import Incoming
from node.sync.locks import KeyedLocks
from node.sync.outgoing import Outgoing
from node.sync.resync import Resync
from node.sync.site import Site
from node.trackers.base import WebhookState
from node.trackers.jira.client import Auth
from node.trackers.jira.tracker import JiraTracker
from node.transport import restored
from node.transport.blobs import BlobFolder
from node.transport.client import ClientSettings
from node.transport.crash import CrashPoint, live_on
from node.transport.pairing import Self
from node.transport.receive import Hooks
from node.transport.transport import Transport, TransportSettings
from node.triggers.catch_up import catch_up
from node.triggers.change_feed import ChangeFeed
from node.triggers.poller import Poller
from node.triggers.projects import watched_projects
from node.triggers.registration import Registration
from node.triggers.roll_call import RollCall
from node.triggers.webhook import WebhookIntake
from protocol.fingerprint import fingerprint


class Node:
    """One running node."""

    def __init__(
        self, folder: NodeFolder, *, clock: Clock, crash_point: CrashPoint = live_on, was_restored: bool = False
    ) -> None:
        self._folder = folder
        self._was_restored = was_restored
        self._clock = clock
        self._crash_point = crash_point
        self._settings: Settings = folder.settings()
        self._listeners = Listeners()
        self._heard = FirstWords()
        self.public_url = ""
        self.admin_url = ""

    async def start(self) -> None:
        """Build everything and begin to work.

        Raises:
            AccordError: settings, keys, database or ports are not as they must be.
        """
        await self._build()
        try:
            await self._listen()
            await self._ledger.start()
            lost, told = await self._ledger.lost(), self._was_restored
            self._heard.expect(
                await self._store.write(lambda tx: restored.note_at_start(tx, lost, self._clock, told=told))
            )
            await self._connections.tell_address()
            await self._transport.start()
        except BaseException:
            await self.stop()
            raise
        self._poller.start()
        self._roll_call.start()
        self._housekeeping.start()
        self._catching_up.start()
        self._registration.start()
        self._looking_at_walls.start()
        self._folder.tell_running(admin_url=self.admin_url, public_url=self.public_url)

    async def _build(self) -> None:
        folder, settings, clock = self._folder, self._settings, self._clock
        sync = settings.sync
        webhook_token, self._api_token = folder.secret("webhook-token"), folder.secret("api-token")
        keys = KeyFolder(folder.keys, clock.random_bytes)
        peer_tls = folder.trust(settings)  # not the tracker's, because each HTTP library changes its own
        self._store = await Store.open(folder.database)
        try:
            has_met = bool(await self._store.read(connection_rows.every))
            node_key = keys.identity(has_met=has_met) or keys.create_node_key()
            max_file = sync.max_file * 1_000_000
            files = BlobFolder(folder.blobs, clock, max_file=max_file)
            await asyncio.to_thread(files.clear_temporary)
            self._tracker = _tracker(folder, settings, clock)
        except BaseException:
            await self._store.close()
            raise
        self._fingerprint = fingerprint(node_key.public)
        self._ledger = Ledger(self._store, node_key, folder.root, clock)
        self._transport = Transport(
            store=self._store,
            keys=keys,
            node_key=node_key,
            files=files,
            clock=clock,
            settings=TransportSettings(
                client=ClientSettings(allow_http=sync.allow_http, allow_private=sync.allow_private_peers, tls=peer_tls)
            ),
            hooks=Hooks(
                received=lambda _id: self._inbox.received(),
                resync=lambda _id: self._resync.start(),
                sealed=self._ledger.sealed,
                heard=lambda connection_id, _taken: self._heard.heard(connection_id),
                confirmed=lambda _id: self._registration.soon(),
            ),
            crash_point=self._crash_point,
        )
        self._engine = MontyEngine(clock=clock)
        facts = self._facts = CachedFacts(self._tracker, user_map=settings.users)
        self._rules = RuleBook(self._store, clock, keys=keys, engine=self._engine)
        site = Site(
            store=self._store,
            tracker=self._tracker,
            clock=clock,
            rules=self._rules,
            facts=facts,
            choices_changed=facts.forget_choices,
            files=files,
            locks=KeyedLocks(),
            browse_url=lambda key: f"{settings.jira.url}/browse/{key}",
            wake_sender=self._transport.wake,
            ask_peer=lambda connection_id: self._transport.wake(connection_id, speak=True),
            shadows_are_fresh=lambda: self._registration.webhook.active and self._poller.up_to_date,
            max_file=max_file,
            guard=settings.guard,
            recovered=self._recovered,
            crash_point=self._crash_point,
        )
        self._desk = rules_desk(site, self._rules, self._engine, facts, published=self._connected)
        outgoing = Outgoing(site)
        self._changes = ChangeFeed(site, outgoing)
        incoming = Incoming(site)
        self._inbox = InboxFeed(site, incoming)
        self._resync = Resync(site, outgoing)
        self._projects = partial(watched_projects, self._store, self._rules)
        self._poller = Poller(
            self._store,
            self._tracker,
            clock,
            projects=self._projects,
            interval=lambda: sync.sweep if self._registration.webhook.active else sync.sweep_without_webhooks,
            wake=self._changes.crew.wake,
            entered=self._changes.projects,
        )
        self._intake = WebhookIntake(
            self._store, clock, token=webhook_token.value, secret=None, wake=self._changes.crew.wake
        )
        self._registration = Registration(
            self._store,
            self._tracker,
            clock,
            mode=settings.jira.webhooks,
            address=lambda: self._intake.address(settings.jira.webhook_url or self.public_url),
            projects=self._projects,
            begun=self._poller.sweep_soon,
        )
        self._roll_call = RollCall(
            self._store,
            self._tracker,
            clock,
            projects=self._projects,
            wake=self._changes.crew.wake,
            moved=self._registration.soon,
        )
        self._operations = Operations(
            site,
            outgoing,
            incoming.recovery,
            heard=self._heard,
            wake=self._look_anew,
            sweep=self._poller.sweep_soon,
            call_roll=self._roll_call.soon,
        )
        self._checks = Checks(
            self._store,
            self._tracker,
            clock,
            folder=folder,
            address=lambda: self.public_url,
            webhook=self._registration.look,
            boundary=self._walls_and_ledger,
        )
        self._housekeeping = Housekeeping(self._store, clock)
        self._looking_at_walls = Background("boundary of scripts", tell_open_walls)
        self._catching_up = Background(
            "catching up",
            lambda: catch_up(self._heard, self._changes, self._resync, self._poller, self._inbox, clock),
        )
        self._keys, self._node_key = keys, node_key

    async def _listen(self) -> None:
        settings = self._settings.node
        peers = web.Application(client_max_size=0)
        self._transport.add_routes(peers)
        self._intake.add_routes(peers)
        port = await self._listeners.open(peers, settings.host, settings.port)
        self.public_url = settings.public_url or f"http://{settings.host}:{port}"
        self._connections = Connections(
            store=self._store,
            keys=self._keys,
            node_key=self._node_key,
            clock=self._clock,
            transport=self._transport,
            me=Self(settings.name, (self.public_url,), must_compare=self._settings.sync.must_compare),
        )
        admin = admin_app(self._api_token)
        AdminApi(
            Services(
                about=self.about,
                ready=self._ready,
                connections=self._connections,
                operations=self._operations,
                checks=self._checks,
                poller=self._poller,
                tracker=self._tracker,
                store=self._store,
                address_warning=lambda: address_warning(self.public_url),
                connected=self._connected,
            )
        ).add_routes(admin)
        RulesApi(self._desk).add_routes(admin)
        LedgerApi(self._store, self._ledger).add_routes(admin)
        admin_port = await self._listeners.open(admin, "127.0.0.1", settings.admin_port)
        self.admin_url = f"http://127.0.0.1:{admin_port}"

    async def stop(self) -> None:
        """Stop cleanly: everything that was not finished is a row."""
        self._folder.running.unlink(missing_ok=True)
        await self._listeners.close()
        await self._registration.stop()
        await self._looking_at_walls.stop()
        await self._housekeeping.stop()
        await self._poller.stop()
        await self._roll_call.stop()
        await self._catching_up.stop()
        await self._changes.crew.stop()
        await self._inbox.stop()
        await self._transport.stop()
        await self._resync.stop()  # which an answer of a peer's would begin anew
        await self._ledger.stop()
        await self._engine.close()
        await self._tracker.close()
        await self._store.close()

    def about(self) -> dict[str, Any]:
        """Return who this node is."""
        return {
            "name": self._settings.node.name,
            "version": version("accord-sync"),
            "fingerprint": self._fingerprint,
            "public_url": self.public_url,
            "admin_url": self.admin_url,
            "jira_url": self._settings.jira.url,
            "webhook": asdict(self._registration.webhook),
            "last_sweep_ms": self._poller.last_ms,
            "last_webhook_ms": self._intake.last_ms,
        }

    async def _ready(self) -> dict[str, Any]:
        """Ready means: the store answers, and the newest sweep has shown that Jira does."""
        await self._store.fetch_one("SELECT 1 AS one")
        return {"ready": self._poller.healthy or not await self._projects(), "name": self.about()["name"]}

    def _wake_all(self) -> None:
        self._changes.crew.wake()
        self._inbox.crew.wake()

    def _recovered(self) -> None:
        """A connection has recovered from a restore: look at all of its issues, and at what a backup forgot."""
        self._changes.crew.wake()
        self._poller.sweep_soon()
        self._resync.start()

    def _look_anew(self) -> None:
        """A person put something right, maybe in Jira: ask it again, and try what waited."""
        self._facts.refresh()
        self._wake_all()

    async def _connected(self) -> None:
        self._registration.soon()
        self._wake_all()

    async def _walls_and_ledger(self) -> Sequence[Finding]:
        trouble = self._ledger.trouble
        text = trouble or "Everything that leaves is written down and signed for."
        return [*await boundary(), Finding("ledger", ERROR if trouble else OK, text)]


def _tracker(folder: NodeFolder, settings: Settings, clock: Clock) -> JiraTracker:
    jira = settings.jira
    auth = Auth(folder.secret("jira-token").value, jira.user)
    return JiraTracker(jira.url, auth, clock=clock, max_parallel=jira.parallel, tls=folder.trust(settings))


async def check_offline(folder: NodeFolder) -> list[dict[str, Any]]:
    """Look at Jira and the machine while the node does not run.

    Raises:
        AccordError: the folder holds no node.
    """

    async def no_webhook() -> WebhookState:
        return WebhookState(active=False, advice=f"The node does not run: start it with {folder.command} serve")

    settings = folder.settings()
    clock = SystemClock()
    tracker = _tracker(folder, settings, clock)
    try:
        store = await Store.open(folder.database)
    except AccordError as error:
        await tracker.close()
        return [asdict(Finding("database", ERROR, error.message, error.advice))]
    try:
        checks = Checks(
            store,
            tracker,
            clock,
            folder=folder,
            address=lambda: settings.node.public_url or f"http://{settings.node.host}:{settings.node.port}",
            webhook=no_webhook,
            boundary=boundary,
        )
        return [asdict(finding) for finding in await checks.run()]
    finally:
        await tracker.close()
        await store.close()
