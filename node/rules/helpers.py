"""What a script may ask of our Jira, answered from the facts that are kept anyway. Never writes, never lists people.

Bound to one connection and its project: a script cannot look into another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from node.errors import RuleError
from node.rules.facts import TrackerFacts
from node.rules.fields import is_custom
from node.rules.values import find
from node.trackers.issue import CUSTOM, User


class Twins(Protocol):
    """Finds our issue that is linked with one of the peer's on this connection."""

    async def local_key(self, remote: str) -> str | None:
        """Return our key for the peer's key or handle, or None while it is not linked."""
        ...


class ConnectionHelpers:
    """``Helpers`` of the script engine over the facts of our Jira."""

    def __init__(self, facts: TrackerFacts | None, project: str, twins: Twins | None = None) -> None:
        self._known_facts = facts
        self._project = project
        self._twins = twins

    @property
    def _facts(self) -> TrackerFacts:
        if self._known_facts is None:
            raise RuleError(
                "The script asks about this Jira, and no Jira was at hand for this evaluation.",
                advice="Evaluate it in a running node.",
            )
        return self._known_facts

    async def issue_type(self, name: str, project: str | None) -> str | None:
        """Return the name of the issue type as this project writes it."""
        if project not in {None, self._project}:
            return None
        return find(name, frozenset(kind.name for kind in await self._facts.issue_types(self._project)))

    async def priority(self, name: str) -> str | None:
        """Return the name of the priority as this Jira writes it."""
        return await self._among("priority", name)

    async def resolution(self, name: str) -> str | None:
        """Return the name of the resolution as this Jira writes it."""
        return await self._among("resolution", name)

    async def user_by_email(self, email: str) -> Mapping[str, Any] | None:
        """Return ``{"id", "display_name", "email"}`` of the one user with this address."""
        user = await self._facts.user(email) if "@" in email else None
        same = user is not None and user.email is not None and user.email.casefold() == email.strip().casefold()
        return _plain(user) if same else None

    async def user_by_name(self, name: str) -> Mapping[str, Any] | None:
        """Return the one user with this user name or display name."""
        user = await self._facts.user(name)
        folded = name.strip().casefold()
        same = user is not None and folded in {user.id.casefold(), user.display_name.casefold()}
        return _plain(user) if same else None

    async def user_by_map(self, who: str) -> Mapping[str, Any] | None:
        """Return the user that the connection's user map gives for a name or address of the peer."""
        return _plain(await self._facts.user(who))

    async def version(self, name: str, *, create: bool) -> str | None:
        """Return the name of a version of the project."""
        return _or_refuse("version", name, await self._among("fix_versions", name), create=create)

    async def component(self, name: str, *, create: bool) -> str | None:
        """Return the name of a component of the project."""
        return _or_refuse("component", name, await self._among("components", name), create=create)

    async def option(self, custom_field: str, value: str, *, create: bool) -> str | None:
        """Return the option of a custom field."""
        field = custom_field if is_custom(custom_field) else CUSTOM + custom_field
        return _or_refuse("option", value, await self._among(field, value), create=create)

    async def local_key(self, remote: str) -> str | None:
        """Return the key of our issue that is linked with the peer's issue (its handle or key) here."""
        return await self._twins.local_key(remote) if self._twins is not None else None

    async def _among(self, field: str, name: str) -> str | None:
        """Return the value as it is spelled here; where Jira does not tell its values, the name stays as it is."""
        allowed = await self._facts.allowed_values(self._project, None, field)
        return find(name, allowed) if allowed is not None else name


def _or_refuse(what: str, name: str, found: str | None, *, create: bool) -> str | None:
    if found is None and create:
        raise RuleError(
            f"The {what} {name!r} does not exist, and this connection may not create it.",
            advice=f"Create the {what} in Jira, or let the script do without it; then retry the issue.",
        )
    return found


def _plain(user: User | None) -> Mapping[str, Any] | None:
    return None if user is None else {"id": user.id, "display_name": user.display_name, "email": user.email}
