"""What our Jira offers: fields, kinds, options, types, statuses and people. Read from the tracker, kept, refreshed.

Everything is read once and kept until ``refresh``: an evaluation on a warm cache calls nobody. Nothing is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from node.errors import TrackerDenied, TrackerNotFound
from node.rules.facts_schema import build_schema
from node.rules.fields import JIRA_NAMES, STANDARD, VERSIONS, is_custom
from node.rules.script.engine import ScriptSchema
from node.rules.values import CHOICES
from node.trackers.base import Field, IssueType, Project, Version
from node.trackers.issue import CUSTOM, User

T = TypeVar("T")

_SHOWN_TWINS = 5
"""People of one name that are listed."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """Why a text stands for no user: ``reason`` completes "'Sam' ...", ``advice`` says what to do, or is empty."""

    reason: str
    advice: str = ""


NOBODY = Nobody("is nobody in this Jira")


class TrackerFacts(Protocol):
    """What rules and their checks ask of our Jira. Every method may raise any ``TrackerError``."""

    async def issue_types(self, project: str) -> tuple[IssueType, ...]:
        """Return the issue types of a project in its order, each with its statuses."""
        ...

    async def kind(self, field: str) -> str | None:
        """Return the kind of a field of this Jira, or None when it has no such field."""
        ...

    async def field_names(self) -> tuple[str, ...]:
        """Return all fields as rules name them: the standard ones, then ``custom.<Name>``."""
        ...

    async def allowed_values(self, project: str, issue_type: str | None, field: str) -> frozenset[str] | None:
        """Return the values that a field may have there, or None where any goes or nobody knows."""
        ...

    async def names(self, project: str, kind: str) -> frozenset[str]:
        """Return the versions or components (``kind``, as in ``fields.CREATABLE``) that a project has for use."""
        ...

    async def required(self, project: str, issue_type: str) -> tuple[str, ...]:
        """Return the fields without which no such issue can be created there, as rules name them."""
        ...

    async def service_project(self, project: str) -> bool | None:
        """Tell whether comments can be internal in a project; None where nobody knows."""
        ...

    async def script_schema(self, project: str) -> ScriptSchema:
        """Return what scripts may name in a project."""
        ...

    async def user(self, who: str) -> User | None:
        """Return the one user that the user map, an id, an e-mail address or a display name stands for."""
        ...

    async def user_by_id(self, user_id: str) -> User | None:
        """Return the user of our Jira with this id."""
        ...

    async def why_nobody(self, who: str) -> Nobody:
        """Return why ``user`` finds nobody."""
        ...


class CheckedFacts(TrackerFacts, Protocol):
    """What only a check of rules asks of our Jira besides."""

    async def roles(self, project: str) -> frozenset[str]:
        """Return the roles that people can have in a project; none where nobody knows."""
        ...

    async def offered_transitions(self, project: str) -> Mapping[str, frozenset[str]]:
        """Return transitions that some issues of a project offer us, by their status: a sample."""
        ...


class FactSource(Protocol):
    """The part of the tracker port that facts are read from; see ``Tracker``."""

    async def project(self, key: str) -> Project:
        """Return a project with its issue types."""
        ...

    async def fields(self) -> Sequence[Field]:
        """Return all fields of the tracker."""
        ...

    async def create_fields(self, project: str, issue_type: str) -> Sequence[Field]:
        """Return the fields that may be set when an issue of that type is created, with options."""
        ...

    async def find_users(self, query: str) -> Sequence[User]:
        """Return users matching a name or an e-mail address."""
        ...

    async def versions(self, project: str) -> Sequence[Version]:
        """Return the versions of a project."""
        ...

    async def components(self, project: str) -> Sequence[str]:
        """Return the names of a project's components."""
        ...

    async def roles(self, project: str) -> Sequence[str]:
        """Return the roles that people can have in a project."""
        ...

    async def offered_transitions(self, project: str) -> Mapping[str, frozenset[str]]:
        """Return transitions that some issues of a project offer us, by their status."""
        ...


class CachedFacts:
    """``TrackerFacts`` over the tracker port.

    Args:
        tracker: our Jira.
        user_map: the peer's names or e-mail addresses, and our user ids; case does not matter.
    """

    def __init__(self, tracker: FactSource, *, user_map: Mapping[str, str] | None = None) -> None:
        self._tracker = tracker
        self._user_map = {who.casefold().strip(): user for who, user in (user_map or {}).items()}
        self._kept: dict[tuple[str, ...], asyncio.Future[Any]] = {}

    def refresh(self) -> None:
        """Forget everything, so that fields, options and people are read again."""
        self._kept.clear()

    def forget_choices(self, project: str) -> None:
        """Forget what fields of a project can be set to, because it has just got another name to choose."""
        for key in [key for key in self._kept if key == ("fields",) or key[1:2] == (project,)]:
            del self._kept[key]

    async def issue_types(self, project: str) -> tuple[IssueType, ...]:
        """Return the issue types of a project in its order, each with its statuses."""
        return (await self._project(project)).issue_types

    async def kind(self, field: str) -> str | None:
        """Return the kind of a field of this Jira, or None when it has no such field."""
        known = STANDARD.get(field)
        if known is not None:
            return known.kind
        found = (await self._fields()).get(field)
        return found.kind if found else None

    async def field_names(self) -> tuple[str, ...]:
        """Return all fields as rules name them: the standard ones, then ``custom.<Name>``."""
        return (*STANDARD, *sorted(name for name in await self._fields() if is_custom(name)))

    async def allowed_values(self, project: str, issue_type: str | None, field: str) -> frozenset[str] | None:
        """Return the values that a field may have there, or None where any goes or nobody knows."""
        types = await self.issue_types(project)
        if field == "type":
            return frozenset(kind.name for kind in types)
        if field == "status":
            return self._statuses(types, issue_type)
        kind = await self.kind(field)
        if kind not in CHOICES and kind != "cascading":
            return None
        for name in [issue_type] if issue_type else [kind.name for kind in types]:
            found = (await self._create_fields(project, name)).get(field)
            if found is not None and found.options:
                return frozenset(found.options)
        found = (await self._fields()).get(field)
        return frozenset(found.options) if found is not None and found.options else None

    async def names(self, project: str, kind: str) -> frozenset[str]:
        """Return the versions or components that a project has for use; those that are archived are not."""

        async def read() -> frozenset[str]:
            if kind == VERSIONS:
                return frozenset(one.name for one in await self._tracker.versions(project) if not one.archived)
            return frozenset(await self._tracker.components(project))

        return await self._keep((kind, project), read)

    async def roles(self, project: str) -> frozenset[str]:
        """Return the roles that people can have in a project; none where we may not know."""

        async def read() -> frozenset[str]:
            try:
                return frozenset(await self._tracker.roles(project))
            except (TrackerDenied, TrackerNotFound):
                return frozenset()

        return await self._keep(("roles", project), read)

    async def offered_transitions(self, project: str) -> Mapping[str, frozenset[str]]:
        """Return transitions that some issues of a project offer us, by their status: a sample."""
        return await self._keep(("transitions", project), lambda: self._tracker.offered_transitions(project))

    async def service_project(self, project: str) -> bool | None:
        """Tell whether comments can be internal in a project; None where nobody knows."""
        return (await self._project(project)).service

    async def script_schema(self, project: str) -> ScriptSchema:
        """Return what scripts may name in a project."""
        return await self._keep(("schema", project), lambda: build_schema(self, project))

    async def required(self, project: str, issue_type: str) -> tuple[str, ...]:
        """Return the fields without which no such issue can be created there, as rules name them."""
        found = await self._create_fields(project, issue_type)
        return tuple(name for name, field in found.items() if field.required)

    async def user(self, who: str) -> User | None:
        """Return the one user that the user map, an id, an e-mail address or a display name stands for."""
        wanted = who.strip()
        if not wanted:
            return None
        return await self._keep(("user", wanted.casefold()), lambda: self._find_user(wanted))

    async def user_by_id(self, user_id: str) -> User | None:
        """Return the user of our Jira with this id."""

        async def find() -> User | None:
            found = await self._tracker.find_users(user_id)
            return next((user for user in found if user.id == user_id), None)

        return await self._keep(("user id", user_id), find)

    async def why_nobody(self, who: str) -> Nobody:
        """Return why ``user`` finds nobody: several people of that name, a wrong user map, or truly nobody."""
        wanted = who.strip()
        return await self._keep(("nobody", wanted.casefold()), lambda: self._why_nobody(wanted))

    async def _why_nobody(self, wanted: str) -> Nobody:
        mapped = self._user_map.get(wanted.casefold())
        several = [same for same in await self._alike(mapped or wanted) if len(same) > 1] if wanted else []
        ids = " and ".join(repr(user.id) for user in (several[0] if several else [])[:_SHOWN_TWINS])
        reason = f"is the name of {len(several[0])} people in this Jira: {ids}" if several else NOBODY.reason
        if mapped is not None:
            return Nobody(
                f"is {mapped!r} in the user map, and that {reason}",
                "Correct [users] in accord.toml, then restart the node.",
            )
        return Nobody(reason, "Name the one that is meant by user id or e-mail address.") if several else NOBODY

    async def _find_user(self, who: str) -> User | None:
        mapped = self._user_map.get(who.casefold(), who)
        return next((same[0] for same in await self._alike(mapped) if len(same) == 1), None)

    async def _alike(self, who: str) -> tuple[list[User], ...]:
        """Return the users with this id, with this address, and with this name."""
        found = await self._keep(("users", who), lambda: self._tracker.find_users(who))
        folded = who.casefold()
        return (
            [user for user in found if user.id == who],
            [user for user in found if user.email is not None and user.email.casefold() == folded],
            [user for user in found if user.display_name.casefold() == folded],
        )

    @staticmethod
    def _statuses(types: tuple[IssueType, ...], issue_type: str | None) -> frozenset[str] | None:
        names = {status for kind in types if issue_type in {None, kind.name} for status in kind.statuses}
        return frozenset(names) or None

    async def _project(self, key: str) -> Project:
        return await self._keep(("project", key), lambda: self._tracker.project(key))

    async def _fields(self) -> Mapping[str, Field]:
        async def read() -> Mapping[str, Field]:
            return _by_name(await self._tracker.fields())

        return await self._keep(("fields",), read)

    async def _create_fields(self, project: str, issue_type: str) -> Mapping[str, Field]:
        async def read() -> Mapping[str, Field]:
            try:
                return _by_name(await self._tracker.create_fields(project, issue_type))
            except TrackerNotFound:
                return {}

        return await self._keep(("create", project, issue_type), read)

    async def _keep(self, key: tuple[str, ...], read: Callable[[], Awaitable[T]]) -> T:
        """Return what is kept, else read it once for all who ask at the same time. A failure is not kept."""
        kept = self._kept.get(key)
        if kept is None:
            kept = asyncio.ensure_future(read())
            self._kept[key] = kept
            kept.add_done_callback(lambda done: self._forget_failure(key, done))
        return await asyncio.shield(kept)

    def _forget_failure(self, key: tuple[str, ...], done: asyncio.Future[Any]) -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and self._kept.get(key) is done:
            del self._kept[key]


def _by_name(fields: Iterable[Field]) -> dict[str, Field]:
    named: dict[str, Field] = {}
    for field in fields:
        name = CUSTOM + field.name if field.custom else JIRA_NAMES.get(field.id, field.id)
        named.setdefault(name, field)
    return named
