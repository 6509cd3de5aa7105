"""A Jira of which rules can ask what it offers: fields, options, types and people, all in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from node.errors import TrackerDenied, TrackerNotFound
from node.trackers.base import Field, IssueType, Project, Version
from node.trackers.issue import User

ALICE = User("alice", "Alice Smith", "alice@blue.example")
BOB = User("bob", "Bob Jones", "bob@green.example")
TWIN_ONE = User("sam1", "Sam Gray", "sam1@green.example")
TWIN_TWO = User("sam2", "Sam Gray", "sam2@green.example")

STATUSES = ("Open", "Doing", "Done")
TYPES = (
    IssueType(id="1", name="Sub-task", subtask=True, statuses=STATUSES),
    IssueType(id="2", name="Bug", statuses=STATUSES),
    IssueType(id="3", name="Task", statuses=STATUSES),
)
KINDS = {
    "Severity": ("select", ("Low", "High")),
    "Teams": ("multi-select", ("Web", "Core")),
    "Place": ("cascading", ("Europe", "Europe / Berlin", "Asia", "Asia / Tokyo")),
    "Points": ("number", ()),
    "Go live": ("date", ()),
    "Seen": ("datetime", ()),
    "Note": ("text", ()),
    "Red says": ("text", ()),
    "Story": ("paragraph", ()),
    "Owner": ("user", ()),
    "Watchers": ("multi-user", ()),
    "Site": ("url", ()),
    "Tags": ("labels", ()),
    "Mood": ("radio", ("Good", "Bad")),
    "Checks": ("checkbox", ("A", "B")),
    "Found in": ("version", ("1.0", "2.0")),
    "Builds": ("multi-version", ("1.0", "2.0")),
}


class KnownJira:
    """Answers what ``CachedFacts`` asks, and counts the questions."""

    def __init__(
        self,
        *,
        types: Sequence[IssueType] = TYPES,
        users: Sequence[User] = (ALICE, BOB),
        service: bool | None = True,
    ) -> None:
        self.types = tuple(types)
        self.users = tuple(users)
        self.service = service
        self.custom = dict(KINDS)
        self.shows_roles = True
        self.offered = {"Open": frozenset({"Start work", "Close"}), "Done": frozenset({"Reopen"})}
        self.calls: Counter[str] = Counter()

    async def project(self, key: str) -> Project:
        """Know one project, SC."""
        self.calls["project"] += 1
        if key != "SC":
            raise TrackerNotFound(f"There is no project {key}.")
        return Project(id="1", key=key, name="Support", issue_types=self.types, service=self.service)

    async def fields(self) -> Sequence[Field]:
        """Return one field of every kind, without options, as Jira's own list has none."""
        self.calls["fields"] += 1
        custom = [
            Field(id=f"customfield_{number}", name=name, kind=kind, custom=True)
            for number, (name, (kind, _)) in enumerate(self.custom.items(), start=10_000)
        ]
        return [Field(id="summary", name="Summary", kind="text"), *custom]

    async def create_fields(self, project: str, issue_type: str) -> Sequence[Field]:
        """Return the same fields with their options."""
        self.calls["create_fields"] += 1
        if project != "SC" or issue_type not in {kind.name for kind in self.types}:
            raise TrackerNotFound("There is no such type.")
        custom = [
            Field(id=f"customfield_{number}", name=name, kind=kind, custom=True, options=options)
            for number, (name, (kind, options)) in enumerate(self.custom.items(), start=10_000)
        ]
        return [
            Field(id="summary", name="Summary", kind="text", required=True),
            Field(id="priority", name="Priority", kind="select", options=("High", "Low")),
            Field(id="components", name="Components", kind="multi-select", options=("UI", "API")),
            Field(id="fixVersions", name="Fix versions", kind="multi-version", options=("1.0", "2.0")),
            *custom,
        ]

    async def versions(self, project: str) -> Sequence[Version]:
        """Return two versions for use and one that is archived."""
        self.calls["versions"] += 1
        del project
        return [Version(name="1.0"), Version(name="2.0"), Version(name="0.9", archived=True)]

    async def components(self, project: str) -> Sequence[str]:
        """Return two components."""
        self.calls["components"] += 1
        del project
        return ["UI", "API"]

    async def roles(self, project: str) -> Sequence[str]:
        """Return two roles, or say that we may not know."""
        self.calls["roles"] += 1
        del project
        if not self.shows_roles:
            raise TrackerDenied("Administrators only.")
        return ["Administrators", "Developers"]

    async def offered_transitions(self, project: str) -> Mapping[str, frozenset[str]]:
        """Return what two issues offered, which is not the whole workflow."""
        self.calls["offered_transitions"] += 1
        del project
        return self.offered

    async def find_users(self, query: str) -> Sequence[User]:
        """Find users by a part of any of their names, as Jira does."""
        self.calls["find_users"] += 1
        wanted = query.casefold()
        return [
            user
            for user in self.users
            if any(wanted in text.casefold() for text in (user.id, user.display_name, user.email or ""))
        ]
