"""What rules take and give. Plain values: the sync core stands on these, however a rule was written.

Outgoing rules turn an ``Issue`` into ``Shared``; the sync core adds handles and file digests and makes the replica.
Incoming rules turn a replica into a ``Draft``: the values that we want in our issue, and the names that have to be made
for them first. Nothing here is stored or sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from typing_extensions import override

from node.rules.fields import COMPONENTS, OPTIONS
from node.rules.script.engine import HelperCall
from node.trackers.issue import CUSTOM, Value

Defaulted: TypeAlias = Literal["", "some", "all"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Which rule let a value through: ``step`` counts from 1, ``line`` is a line of a script step.

    ``sources`` names the fields that were read; empty means that it is not known (a script), so all of them may be.
    ``defaulted`` says whether the step's default stood in for the value, or for some of several.
    ``past_map``: the step has a value map, and that had nothing to say of the value, or of any of several.
    """

    step: int
    line: int | None = None
    sources: frozenset[str] = frozenset()
    defaulted: Defaulted = ""
    past_map: bool = False

    @override
    def __str__(self) -> str:
        """Return the place as a person reads it."""
        return f"step {self.step}" if self.line is None else f"step {self.step}, line {self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedComment:
    """A comment that leaves. ``id`` is our tracker's id; the sync core replaces it by a handle."""

    id: str
    body: str
    author: str | None = None
    author_email: str | None = None
    internal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAttachment:
    """A file that leaves. ``id`` is our tracker's id."""

    id: str
    name: str
    author: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedWorklog:
    """Logged time that leaves. ``id`` is our tracker's id."""

    id: str
    seconds: int
    started: str | None = None
    author: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the outgoing rules let out of one issue. A collection that is None is not shared at all."""

    fields: Mapping[str, Value]
    comments: tuple[SharedComment, ...] | None = None
    attachments: tuple[SharedAttachment, ...] | None = None
    worklogs: tuple[SharedWorklog, ...] | None = None
    key: str | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)
    emails: frozenset[str] = frozenset()
    """Names under which a script let an e-mail address out by saying so."""
    log: tuple[str, ...] = ()
    calls: tuple[HelperCall, ...] = ()
    """What scripts asked on the way, for people to see."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A rule decided that this issue is not for this connection now."""

    reason: str
    origin: Origin | None = None
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftComment:
    """A comment that we want on our issue. ``handle`` is the peer's handle of its comment."""

    handle: str
    body: str
    internal: bool = False
    restrict_to_role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftAttachment:
    """A file that we want on our issue. ``handle`` is the peer's handle, ``blob`` the SHA-256 of its bytes in hex."""

    handle: str
    name: str
    size: int
    blob: str
    mime: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftWorklog:
    """Logged time that we want on our issue."""

    handle: str
    seconds: int
    started: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftIssueLink:
    """A link that we want from our issue to another of ours. ``issue`` is the peer's handle of that one's twin.

    ``type`` is the name of a link type of our Jira; ``outward`` says that our issue is the one that "blocks".
    """

    issue: str
    type: str
    outward: bool

    @property
    def handle(self) -> str:
        """Return what the link is known by among what the sync made."""
        return f"{'>' if self.outward else '<'}{self.issue}:{self.type}"

    def seen_from(self, issue: str) -> DraftIssueLink:
        """Return the same link as seen from its other issue; ``issue`` is the peer's handle of this one's twin."""
        return DraftIssueLink(issue=issue, type=self.type, outward=not self.outward)


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """A name that our Jira lacks and a rule wants made: ``kind`` is one of ``fields.CREATABLE``.

    ``project`` is where; ``field`` is the custom field of an option, with ``custom.`` before its name.
    """

    kind: str
    name: str
    project: str
    field: str = ""

    def is_for(self, field: str, value: Value) -> bool:
        """Tell whether a field with this value cannot be written before the name is made."""
        if self.kind == OPTIONS:
            fits = field == self.field
        elif self.kind == COMPONENTS:
            fits = field == "components"
        else:
            fits = field in {"fix_versions", "affects_versions"} or field.startswith(CUSTOM)
        return fits and (value == self.name or (isinstance(value, list) and self.name in value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A part of what the rules want that must not be written; the other parts are. An error on the issue."""

    message: str
    advice: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the incoming rules want in our issue.

    ``fields`` use the words of ``trackers/base.py`` and also ``status``. ``project`` counts only when the issue is
    created. A collection that is None is left alone.
    """

    project: str
    fields: Mapping[str, Value]
    comments: tuple[DraftComment, ...] | None = None
    attachments: tuple[DraftAttachment, ...] | None = None
    worklogs: tuple[DraftWorklog, ...] | None = None
    links: tuple[DraftIssueLink, ...] | None = None
    transition: str | None = None
    """The name of a transition that a script asked for; ``fields["status"]`` names a status instead."""
    creates: tuple[Creation, ...] = ()
    """What fields name and our Jira lacks: it is made before they are written."""
    refused: tuple[Refused, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    log: tuple[str, ...] = ()
    calls: tuple[HelperCall, ...] = ()
    """What scripts asked on the way, for people to see."""
