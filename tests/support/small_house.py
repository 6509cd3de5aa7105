"""One node's sync core over a real database and real rules, with a tracker in memory: fast, and every row can be seen.

The house is Alice's; what Bob's node would say is put into the inbox by hand.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from node.errors import RuleError, TrackerNonsense, TrackerNotFound, TrackerRefused
from node.rules.facts import CachedFacts
from node.rules.guard import GuardPolicy
from node.rules.incoming import IncomingRules
from node.rules.outgoing import OutgoingRules
from node.rules.ruleset import RuleSet, basic_incoming, basic_outgoing
from node.store import changes, connections, inbox, links, outbox, problems
from node.store.engine import Store
from node.store.inbox import Received
from node.store.links import Link
from node.store.port import Row
from node.store.problems import Problem
from node.sync.inbox_feed import InboxFeed
from node.sync.incoming import Incoming
from node.sync.locks import KeyedLocks
from node.sync.names import Names
from node.sync.outgoing import Outgoing
from node.sync.site import Party, Site
from node.trackers.base import Change, IssueType, Marked, Page, Project, Tracker, TrackerInfo
from node.trackers.fields import with_fields
from node.trackers.issue import Comment, Issue, IssueRef, User, Value, Worklog
from node.transport.blobs import BlobFolder
from node.triggers.change_feed import ChangeFeed
from protocol.messages import IssueRemoved, IssueReplica, Message, dump_message, parse_message
from protocol.replica import Replica, ReplicaComment
from tests.support.rule_sets import an_issue

# ruff: noqa: ARG002 - the fake tracker answers the whole port, and needs less than it is told


@dataclass(slots=True)
class HandClock:
    """A clock that a test moves by hand; sleeping moves it."""

    ms: int = 1_800_000_000_000
    drawn: int = 0

    def now_ms(self) -> int:
        """Return the time that the test set."""
        return self.ms

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that differ at each call."""
        self.drawn += 1
        return hashlib.shake_128(self.drawn.to_bytes(8)).digest(count)

    def jitter(self) -> float:
        """Return the middle, so that a wait is exactly as long as the back-off says."""
        return 0.5

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.ms += int(seconds * 1000)


@dataclass(slots=True)
class MemoryTracker:
    """Alice's tracker: issues in memory. ``fail`` maps a method to the errors that its next calls raise."""

    issues: dict[str, Issue] = field(default_factory=dict)
    markers: dict[str, str] = field(default_factory=dict)
    """Marker to the id of what carries it."""
    fail: dict[str, list[Exception]] = field(default_factory=dict)
    fail_late: dict[str, list[Exception]] = field(default_factory=dict)
    """As ``fail``, but the call has its effect before the answer is lost."""
    calls: list[str] = field(default_factory=list)
    number: int = 50_000
    time: datetime | None = None
    """What its clock shows; None where it does not say."""
    unheard_ms: int = 0
    hidden: set[str] = field(default_factory=set)
    """Projects that a search may not name."""

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.fail.get(name):
            raise self.fail[name].pop(0)

    def _answered(self, name: str) -> None:
        if self.fail_late.get(name):
            raise self.fail_late[name].pop(0)

    def put(self, issue: Issue) -> Issue:
        """Let an issue be as given."""
        self.issues[issue.id] = issue
        return issue

    def edit(self, issue_id: str, **changed: Any) -> Issue:
        """Change an issue as a person does, a second later."""
        issue = self.issues[issue_id]
        return self.put(replace(issue, updated=issue.updated + timedelta(seconds=1), **changed))

    async def issue(self, ref: str) -> Issue:
        """Return an issue by id or key."""
        self._called("issue")
        for issue in self.issues.values():
            if ref in (issue.id, issue.key):
                return issue
        raise TrackerNotFound(f"There is no issue {ref}.")

    async def project(self, key: str) -> Project:
        """Return a project that offers the usual types."""
        self._called("project")
        return Project(id="1", key=key, name=key, issue_types=(IssueType(id="1", name="Task"),))

    async def projects(self) -> Sequence[Project]:
        """Return the projects that have issues."""
        self._called("projects")
        return [Project(id=key, key=key, name=key) for key in sorted({one.project for one in self.issues.values()})]

    async def updated_since(self, projects: Sequence[str], since_ms: int, *, cursor: str | None = None) -> Page:
        """Return one page with everything."""
        self._called("updated_since")
        if self.hidden & set(projects):
            raise TrackerRefused(f"There is no project {min(self.hidden)}.")
        found = [
            {"id": one.id}
            for one in self.issues.values()
            if one.project in projects and one.updated.timestamp() * 1000 >= since_ms
        ]
        return Page(issues=tuple(found), next=None)

    async def search(self, query: str, *, cursor: str | None = None, limit: int = 50) -> Page:
        """Return the issues that a query names by their ids; it is refused where one of them is gone."""
        self._called("search")
        named = re.findall("[0-9]+", query)
        if not set(named) <= self.issues.keys():
            raise TrackerRefused("An issue does not exist.")
        return Page(issues=tuple({"id": one} for one in named), next=None)

    def read_webhook(self, raw: Mapping[str, Any]) -> Change:
        """Return which issue a notice is about; it shows nothing of it."""
        return Change(issue_id=str(raw["issue"]["id"]))

    def read_issue(self, raw: Mapping[str, object]) -> Issue:
        """Return the issue as it is now."""
        issue = self.issues.get(str(raw.get("id")))
        if issue is None or raw.get("strange"):
            raise TrackerNonsense("That is not an issue.")
        return issue

    async def create_issue(self, project: str, fields: Mapping[str, Value], *, marker: str) -> IssueRef:
        """Create an issue."""
        self._called("create_issue")
        self.number += 1
        issue = an_issue(id=str(self.number), key=f"{project}-{self.number}", project=project, type="Task", summary="")
        self.put(with_fields(issue, fields))
        self.markers[marker] = issue.id
        self._answered("create_issue")
        return IssueRef(issue.id, issue.key)

    async def find_created(self, project: str, marker: str, *, since_ms: int, until_ms: int = 0) -> IssueRef | None:
        """Return the issue with this marker."""
        self._called("find_created")
        found = self.issues.get(self.markers.get(marker, ""))
        return IssueRef(found.id, found.key) if found else None

    async def edit_issue(self, issue_id: str, fields: Mapping[str, Value]) -> None:
        """Set fields."""
        self._called("edit_issue")
        if issue_id not in self.issues:
            raise TrackerNotFound(f"There is no issue {issue_id}.")
        issue = self.issues[issue_id]
        self.put(replace(with_fields(issue, fields), updated=issue.updated + timedelta(seconds=1)))
        self._answered("edit_issue")

    async def add_comment(
        self, issue_id: str, body: str, *, marker: str, internal: bool = False, restrict_to_role: str | None = None
    ) -> str:
        """Add a comment by the sync user."""
        self._called("add_comment")
        self.number += 1
        comment = Comment(id=str(self.number), body=body, author=User("accord", "Accord"), internal=internal)
        self.edit(issue_id, comments=(*self.issues[issue_id].comments, comment))
        self.markers[marker] = comment.id
        self._answered("add_comment")
        return comment.id

    async def find_comment(self, issue_id: str, marker: str) -> str | None:
        """Return the comment with this marker."""
        self._called("find_comment")
        return self.markers.get(marker)

    async def find_issue_link(self, issue_id: str, kind: str, other_id: str, *, outward: bool) -> str | None:
        """Return the link between two issues."""
        self._called("find_issue_link")
        wanted = (kind, outward, other_id)
        found = [one.id for one in self.issues[issue_id].links if (one.type, one.outward, one.other_id) == wanted]
        return found[0] if found else None

    async def delete_issue_link(self, link_id: str) -> None:
        """Delete a link at the issues that have it."""
        self._called("delete_issue_link")
        for issue in list(self.issues.values()):
            kept = tuple(one for one in issue.links if one.id != link_id)
            if kept != issue.links:
                self.edit(issue.id, links=kept)

    async def own_id(self) -> str:
        """Return the sync's user."""
        return "accord"

    async def issue_marker(self, issue_id: str) -> str | None:
        """Return the marker that an issue was created with."""
        self._called("issue_marker")
        return next((marker for marker, found in self.markers.items() if found == issue_id), None)

    async def issue_refs(self, project: str) -> Sequence[IssueRef]:
        """Return a project's issues."""
        self._called("issue_refs")
        return [IssueRef(one.id, one.key) for one in self.issues.values() if one.project == project]

    async def marked_comments(self, issue_id: str, markers: Collection[str]) -> Marked:
        """Return the comments with these markers, and those with any."""
        self._called("marked_comments")
        here = {comment.id for comment in self.issues[issue_id].comments}
        found = {marker: item for marker, item in self.markers.items() if item in here}
        return Marked(
            found={marker: item for marker, item in found.items() if marker in markers}, every=frozenset(found.values())
        )

    async def edit_comment(
        self, issue_id: str, comment_id: str, body: str, *, restrict_to_role: str | None = None
    ) -> None:
        """Replace a comment's text."""
        self._called("edit_comment")
        comments = self._comments_with(issue_id, comment_id)
        edited = (replace(one, body=body) if one.id == comment_id else one for one in comments)
        self.edit(issue_id, comments=tuple(edited))

    async def delete_comment(self, issue_id: str, comment_id: str) -> None:
        """Delete a comment."""
        self._called("delete_comment")
        comments = self._comments_with(issue_id, comment_id)
        self.edit(issue_id, comments=tuple(one for one in comments if one.id != comment_id))

    def _comments_with(self, issue_id: str, comment_id: str) -> tuple[Comment, ...]:
        comments = self.issues[issue_id].comments if issue_id in self.issues else ()
        if comment_id not in {one.id for one in comments}:
            raise TrackerNotFound(f"There is no comment {comment_id} on issue {issue_id}.")
        return comments

    async def add_worklog(
        self, issue_id: str, *, seconds: int, started: datetime | None, comment: str | None, marker: str
    ) -> str:
        """Log time."""
        self._called("add_worklog")
        self.number += 1
        worklog = Worklog(id=str(self.number), seconds=seconds, started=started, comment=comment)
        self.edit(issue_id, worklogs=(*self.issues[issue_id].worklogs, worklog))
        self.markers[marker] = worklog.id
        self._answered("add_worklog")
        return worklog.id

    async def find_worklog(self, issue_id: str, marker: str) -> str | None:
        """Return the worklog with this marker."""
        self._called("find_worklog")
        return self.markers.get(marker)

    async def delete_worklog(self, issue_id: str, worklog_id: str) -> None:
        """Delete a worklog."""
        self._called("delete_worklog")
        self.edit(issue_id, worklogs=tuple(one for one in self.issues[issue_id].worklogs if one.id != worklog_id))

    async def describe(self) -> TrackerInfo:
        """Return who the tracker is, and what its clock shows."""
        self._called("describe")
        return TrackerInfo(
            kind="data-center", title="Jira", version="9", url="", user=User("accord", "Accord"), time_zone="UTC",
            server_time=self.time,
        )  # fmt: skip


@dataclass(slots=True)
class Rules:
    """The Basic rules on every connection, unless a test says otherwise."""

    store: Store
    out: RuleSet = field(default_factory=basic_outgoing)
    into: RuleSet = field(default_factory=basic_incoming)
    inviter: bool = True
    broken: set[int] = field(default_factory=set)
    """Connections whose outgoing rules fail on every issue."""
    entered: set[int] = field(default_factory=set)
    """Connections that issues enter by themselves, where the outgoing rules are automatic."""

    async def party(self, connection_id: int) -> Party:
        """Return the connection."""
        row = await self.store.read(lambda tx: connections.get(tx, connection_id))
        assert row is not None
        names = Names(bytes([connection_id]) * 32)
        return Party(
            id=row.id, name=row.name, state=row.state, inviter=self.inviter, project=row.project, default_type=None,
            names=names,
        )  # fmt: skip

    async def outgoing(self, connection_id: int) -> OutgoingRules:
        """Return what leaves."""
        if connection_id in self.broken:
            raise RuleError("A rule fails.", step=1)
        return OutgoingRules(self.out, version=1)

    async def incoming(self, _connection_id: int) -> IncomingRules:
        """Return what comes in."""
        return IncomingRules(self.into, version=1)

    async def automatic(self) -> Sequence[tuple[Party, RuleSet]]:
        """Return the connections that issues enter by themselves: none, unless a test says so."""
        return [(await self.party(one), self.out) for one in self.entered]


@dataclass(slots=True)
class House:
    """Alice's sync core. ``link`` her first issue to Bob's handle ``bob1`` with ``a_link``."""

    store: Store
    tracker: MemoryTracker
    clock: HandClock
    rules: Rules
    site: Site
    outgoing: Outgoing
    incoming: Incoming
    feed: ChangeFeed
    inbox: InboxFeed
    connection: int
    woken: list[int]
    seq: int = 0

    async def connect(self, name: str) -> int:
        """Add an active connection."""

        async def work(tx: Any) -> int:
            row = await connections.insert(
                tx, name=name, role="inviter", conn=name.encode(), project="UD", peer_label="Bob", peer_urls=(),
                pairing=None, default_type=None, description="", now_ms=self.clock.now_ms(),
            )  # fmt: skip
            await connections.set_state(tx, row, connections.ACTIVE)
            return row

        return await self.store.write(work)

    async def state(self, state: str) -> None:
        """Set the state of the connection."""
        await self.store.write(lambda tx: connections.set_state(tx, self.connection, state))

    async def a_link(self, issue: Issue, *, twin: str | None = "bob1") -> Link:
        """Bring an issue under sync, and let Bob's node have applied what was sent."""
        self.tracker.put(issue)
        await self.outgoing.begin(self.connection, issue)
        link = await self.link(issue)
        if twin is not None:
            await self.store.write(lambda tx: links.set_twin(tx, link.id, twin=twin))
        return await self.link(issue)

    async def link(self, issue: Issue) -> Link:
        """Return the link of an issue."""
        found = await self.store.read(lambda tx: links.find(tx, self.connection, issue_id=issue.id))
        assert found is not None
        return found

    async def notice(self, issue_id: str) -> int:
        """Store that something happened to an issue, as a notice that does not show it."""
        return await self.store.write(
            lambda tx: changes.add(tx, source=changes.WEBHOOK, now_ms=self.clock.now_ms(), issue=issue_id)
        )

    async def look(self) -> None:
        """Let the change feed do everything that is due, once."""
        for job in await self.feed._find():
            await self.feed._work(job.item)

    async def receive(self, message: Message) -> Received:
        """Put a message of Bob's into the inbox."""
        self.seq += 1
        seq, payload = self.seq, dump_message(message)
        issue = message.replica.issue if isinstance(message, IssueReplica) else getattr(message, "issue", None)
        mid = getattr(message, "mid", None)
        arrived = inbox.Arrived(1, seq, 1, mid, message.t, issue, payload, size=0)
        await self.store.write(lambda tx: inbox.add(tx, self.connection, [arrived], self.clock.now_ms()))
        rows = await self.store.fetch_all("SELECT max(id) AS id FROM inbox")
        row = await self.store.read(lambda tx: inbox.get(tx, rows[0]["id"]))
        assert row is not None
        return row

    async def settle(self) -> None:
        """Let the inbox feed do everything that is due, once."""
        for job in await self.inbox._find():
            await self.inbox._work(job.item)

    async def sent(self) -> list[Message]:
        """Return every message in the outbox, oldest first."""
        rows = await self.store.fetch_all("SELECT payload FROM outbox ORDER BY id")
        return [parse_message(row["payload"]) for row in rows]

    async def replicas(self) -> list[IssueReplica]:
        """Return every replica in the outbox that did not give way to a newer one."""
        rows = await self.store.fetch_all(
            "SELECT payload FROM outbox WHERE kind = :kind AND state <> :state ORDER BY id",
            {"kind": outbox.REPLICA, "state": outbox.SUPERSEDED},
        )
        return [cast("IssueReplica", parse_message(row["payload"])) for row in rows]

    async def problems(self) -> list[Problem]:
        """Return what is wrong."""
        return await self.store.read(problems.open_problems)

    async def rows(self, table: str) -> list[Row]:
        """Return all rows of a table."""
        return list(await self.store.fetch_all(f"SELECT * FROM {table}"))  # noqa: S608 - named by a test


def from_bob(
    revision: int, *, twin: str | None = None, seen: int = 0, comments: Mapping[str, str] | None = None, **fields: Any
) -> IssueReplica:
    """Return a replica of Bob's issue ``bob1``, in which every field was changed just now."""
    values = {"type": "Task", "summary": "Bob's", **fields}
    return IssueReplica(
        mid=f"bob-{revision}",
        twin=twin,
        revision=revision,
        changed=dict.fromkeys(values, revision),
        seen=seen,
        replica=Replica(
            issue="bob1",
            key="SC-1",
            fields=values,
            comments=None
            if comments is None
            else tuple(ReplicaComment(id=handle, author="Bob", body=body) for handle, body in comments.items()),
        ),
    )


def removed_by_bob(revision: int, *, twin: str | None = None) -> IssueRemoved:
    """Return Bob's word that his issue is gone."""
    return IssueRemoved(mid=f"gone-{revision}", issue="bob1", twin=twin, revision=revision, reason="deleted")


@asynccontextmanager
async def small_house(root: Path, *, fresh: bool = True) -> AsyncIterator[House]:
    """Open Alice's house with one active connection. ``fresh``: webhooks keep her shadows up to date."""
    clock, tracker, woken = HandClock(), MemoryTracker(), list[int]()
    async with await Store.open(root / "accord.db") as store:
        rules = Rules(store)
        facts = CachedFacts(cast("Tracker", tracker))
        site = Site(
            store=store,
            tracker=cast("Tracker", tracker),
            clock=clock,
            rules=rules,
            facts=facts,
            choices_changed=facts.forget_choices,
            files=BlobFolder(root / "blobs", clock),
            locks=KeyedLocks(),
            browse_url=lambda key: f"https://jira.example.org/browse/{key}",
            wake_sender=woken.append,
            ask_peer=woken.append,
            shadows_are_fresh=lambda: fresh,
            max_file=1_000_000,
            guard=GuardPolicy(),
        )
        outgoing, incoming = Outgoing(site), Incoming(site)
        house = House(
            store, tracker, clock, rules, site, outgoing, incoming, ChangeFeed(site, outgoing),
            InboxFeed(site, incoming), 0, woken,
        )  # fmt: skip
        house.connection = await house.connect("Alice_to_Bob")
        yield house
