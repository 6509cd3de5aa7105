"""The port through which the node reaches its tracker. Kept honest for two kinds of Jira.

An adapter turns every failure into the ``TrackerError`` tree of ``node.errors``, never retries by itself (the
queues do), and says truly whether a failed call may have had its effect. It never decides what to sync.

Fields that are written are named in our words: ``summary``, ``description``, ``environment``, ``type``, ``priority``,
``labels``, ``components``, ``fix_versions``, ``affects_versions``, ``due``, ``assignee`` and ``reporter`` (user ids),
``parent_key``, ``resolution``, ``security_level``, ``original_estimate``, ``remaining_estimate`` (seconds), and
``custom.<Name>``. ``None`` empties a field. A status is reached by ``transition`` only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from node.trackers.issue import Attachment, Issue, IssueRef, User, Value


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerInfo:
    """Who the tracker is and who we are in it."""

    kind: str
    """``data-center`` or ``cloud``."""
    title: str
    version: str
    url: str
    user: User
    time_zone: str
    server_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueType:
    """An issue type of a project."""

    id: str
    name: str
    subtask: bool = False
    statuses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project with the issue types that it offers."""

    id: str
    key: str
    name: str
    issue_types: tuple[IssueType, ...] = ()
    service: bool | None = None
    """Whether comments can be internal there: on service projects only. None where the tracker does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the tracker. ``kind`` is one of the words listed in ``KINDS``."""

    id: str
    name: str
    kind: str
    custom: bool = False
    required: bool = False
    options: tuple[str, ...] = ()


KINDS = (
    "text", "paragraph", "number", "date", "datetime", "select", "multi-select", "cascading", "radio", "checkbox",
    "user", "multi-user", "labels", "url", "version", "multi-version", "other",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A way out of the current status that is open to us. ``required`` names screen fields that must be sent."""

    id: str
    name: str
    to_status: str
    fields: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a project. One that is archived is there, but not for new use."""

    name: str
    archived: bool = False


@dataclass(frozen=True, slots=True)
class FileToAttach:
    """A local file that becomes an attachment. ``name`` is text for display, never a path."""

    path: Path
    name: str
    mime: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookState:
    """What became of registering our webhook: ``advice`` says what to do by hand where it is not ``active``."""

    active: bool
    id: str | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something happened to an issue, as a webhook or the poller saw it. A reason to look, not a command.

    ``issue`` is there when the notice carried the whole issue. ``deleted`` means the issue is gone. ``other_id`` is the
    second issue where a link between two was made or removed.
    """

    issue_id: str
    issue_key: str | None = None
    issue: Issue | None = None
    deleted: bool = False
    timestamp_ms: int | None = None
    other_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a sweep, as raw JSON objects that ``read_issue`` understands. ``total`` is None where unknown."""

    issues: tuple[Mapping[str, object], ...]
    next: str | None
    total: int | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Comments or worklogs of an issue that calls of ours left. ``found`` is marker to id; ``every`` are all ids."""

    found: Mapping[str, str]
    every: frozenset[str]


class Tracker(Protocol):
    """Our Jira, in our words. Every method may raise any ``TrackerError``."""

    @property
    def unheard_ms(self) -> int:
        """When a call last got no answer, in milliseconds since 1970 UTC by our clock; 0 where each got one."""
        ...

    async def describe(self) -> TrackerInfo:
        """Return who the tracker is and who we are in it (2 calls: serverInfo, myself)."""
        ...

    async def own_id(self) -> str:
        """Return the id of the user that we are (1 call the first time)."""
        ...

    async def project(self, key: str) -> Project:
        """Return a project with its issue types, from the tracker (not cached)."""
        ...

    async def projects(self) -> Sequence[Project]:
        """Return the projects that we can see, without their types."""
        ...

    async def fields(self) -> Sequence[Field]:
        """Return all fields of the tracker."""
        ...

    async def create_fields(self, project: str, issue_type: str) -> Sequence[Field]:
        """Return the fields that may be set when an issue of that type is created, with options."""
        ...

    async def versions(self, project: str) -> Sequence[Version]:
        """Return the versions of a project (1 call)."""
        ...

    async def components(self, project: str) -> Sequence[str]:
        """Return the names of a project's components (1 call)."""
        ...

    async def roles(self, project: str) -> Sequence[str]:
        """Return the names of the roles that people can have in a project (1 call)."""
        ...

    async def offered_transitions(self, project: str) -> Mapping[str, frozenset[str]]:
        """Return the names of transitions that issues of a project offer us, by the status that they are in.

        A sample of a few issues (10 calls at most): what is not in it may be there all the same.
        """
        ...

    async def ensure_version(self, project: str, name: str) -> None:
        """See to it that a project has a version (1 call where it has; 2 where it is made). Safe to repeat.

        Raises TrackerRefused, with what to do, where we may not make one.
        """
        ...

    async def ensure_component(self, project: str, name: str) -> None:
        """See to it that a project has a component, as ``ensure_version``."""
        ...

    async def ensure_option(self, project: str, field: str, value: str) -> None:
        """See to it that a custom field (named without ``custom.``) offers an option in a project.

        Raises TrackerRefused, with what to do, where we may not add one, or this kind of Jira cannot by REST.
        """
        ...

    async def missing_permissions(self, project: str, *, also: Sequence[str] = ()) -> Sequence[str]:
        """Return the permissions that syncing with this project needs and that we lack, as Jira names them.

        ``also`` names more of them, as the tracker's interface writes them (``ADMINISTER_PROJECTS``).
        """
        ...

    async def issue(self, ref: str) -> Issue:
        """Return an issue by id or key, whole (1 call). Raises TrackerNotFound."""
        ...

    async def search(self, query: str, *, cursor: str | None = None, limit: int = 50) -> Page:
        """Return a page of whole issues for a query in the tracker's language (1 call)."""
        ...

    async def updated_since(self, projects: Sequence[str], since_ms: int, *, cursor: str | None = None) -> Page:
        """Return a page of the issues of these projects updated at or after that time, oldest first (1 call)."""
        ...

    async def issue_refs(self, project: str) -> Sequence[IssueRef]:
        """Return id and key of every issue of a project that we can see (1 call for 1,000).

        One that comes or goes meanwhile may be left out. Raises TrackerRefused where there is no such project.
        """
        ...

    def read_issue(self, raw: Mapping[str, object]) -> Issue:
        """Translate the tracker's JSON of one issue. Raises TrackerNonsense where it has the wrong shape."""
        ...

    def read_webhook(self, raw: Mapping[str, object]) -> Change | None:
        """Translate a webhook's body; None where it says nothing about an issue. Raises TrackerNonsense."""
        ...

    async def create_issue(self, project: str, fields: Mapping[str, Value], *, marker: str) -> IssueRef:
        """Create an issue that carries ``marker`` as a hidden property from its first moment (1 call)."""
        ...

    async def find_created(self, project: str, marker: str, *, since_ms: int, until_ms: int = 0) -> IssueRef | None:
        """Return the issue that we created with this marker since that time, and until the other if that is not 0."""
        ...

    async def issue_marker(self, issue_id: str) -> str | None:
        """Return the marker with which the sync created an issue, None where a person created it (1 call)."""
        ...

    async def edit_issue(self, issue_id: str, fields: Mapping[str, Value]) -> None:
        """Set fields in one call."""
        ...

    async def add_comment(
        self,
        issue_id: str,
        body: str,
        *,
        marker: str,
        internal: bool = False,
        restrict_to_role: str | None = None,
    ) -> str:
        """Add a comment that carries ``marker`` as a hidden property; return its id (1 call)."""
        ...

    async def find_comment(self, issue_id: str, marker: str) -> str | None:
        """Return the id of the comment that carries this marker, if the call took effect."""
        ...

    async def marked_comments(self, issue_id: str, markers: Collection[str]) -> Marked:
        """Return which comments carry these markers, and which carry any (1 call per 100 comments)."""
        ...

    async def edit_comment(
        self, issue_id: str, comment_id: str, body: str, *, restrict_to_role: str | None = None
    ) -> None:
        """Replace a comment's text (1 call). Name the role again that a comment was restricted to."""
        ...

    async def delete_comment(self, issue_id: str, comment_id: str) -> None:
        """Delete a comment (1 call). Raises TrackerNotFound where it is gone already."""
        ...

    async def add_worklog(
        self, issue_id: str, *, seconds: int, started: datetime | None, comment: str | None, marker: str
    ) -> str:
        """Log time without touching the remaining estimate; return the worklog's id (1 call)."""
        ...

    async def find_worklog(self, issue_id: str, marker: str) -> str | None:
        """Return the id of the worklog that carries this marker, if the call took effect."""
        ...

    async def marked_worklogs(self, issue_id: str, markers: Collection[str]) -> Marked:
        """Return which worklogs carry these markers, and which carry any (1 call; 1 per 100 worklogs on Cloud)."""
        ...

    async def delete_worklog(self, issue_id: str, worklog_id: str) -> None:
        """Delete a worklog without touching the remaining estimate (1 call)."""
        ...

    async def find_issue_link(self, issue_id: str, kind: str, other_id: str, *, outward: bool) -> str | None:
        """Return the id of a link between two issues, seen from the first, if there is one (1 call).

        ``kind`` is the name of a link type; ``outward`` says that the first is the one that "blocks".
        """
        ...

    async def add_issue_link(self, issue_id: str, kind: str, other_id: str, *, outward: bool) -> str:
        """Link two issues and return the link's id (2 calls). Safe to repeat: it is not made twice."""
        ...

    async def delete_issue_link(self, link_id: str) -> None:
        """Delete a link between two issues (1 call). Raises TrackerNotFound where it is gone already."""
        ...

    async def download(self, attachment: Attachment, to: Path, *, limit: int) -> None:
        """Write an attachment's bytes to a new file (1 call). Raises TrackerRefused above ``limit`` bytes."""
        ...

    async def attach(self, issue_id: str, files: Sequence[FileToAttach]) -> Sequence[Attachment]:
        """Attach files in one call; the answer keeps their order."""
        ...

    async def delete_attachment(self, attachment_id: str) -> None:
        """Delete an attachment (1 call). Raises TrackerNotFound where it is gone already."""
        ...

    async def transitions(self, issue_id: str) -> Sequence[Transition]:
        """Return the transitions open to us from the issue's current status (1 call)."""
        ...

    async def transition(self, issue_id: str, transition_id: str, fields: Mapping[str, Value] | None = None) -> None:
        """Perform a transition (1 call)."""
        ...

    async def find_users(self, query: str) -> Sequence[User]:
        """Return users matching a name or an e-mail address."""
        ...

    async def ensure_webhook(self, url: str, *, projects: Sequence[str], name: str) -> WebhookState:
        """Register our webhook, or correct it, where we may; otherwise say what to do by hand."""
        ...

    async def remove_webhook(self, name: str) -> None:
        """Remove the webhooks that we registered under this name."""
        ...

    async def close(self) -> None:
        """Release the network."""
        ...
