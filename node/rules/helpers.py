"""What a script may ask of our Jira, answered from the facts that are kept anyway. Never writes, never lists people.

What a script wants made is noted and answered as if it were there; it is made when the draft is applied.

Bound to one connection and its project: a script cannot look into another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from node.errors import RuleError
from node.rules.facts import TrackerFacts
from node.rules.fields import COMPONENTS, OPTIONS, VERSIONS, creatable_kind, is_custom
from node.rules.model import Creation
from node.rules.values import find
from node.trackers.issue import CUSTOM, User


class Twins(Protocol):
    """Knows which issues are linked on this connection, by the names of either side."""

    async def handles(self, issue_ids: Sequence[str]) -> Mapping[str, str]:
        """Return what the peer calls those of our issues that are or were linked on this connection."""
        ...

    async def local_key(self, remote: str) -> str | None:
        """Return our key for the peer's key or handle, or None while it is not linked."""
        ...


_ONE = {VERSIONS: "version", COMPONENTS: "component", OPTIONS: "option"}


def _place(wish: Creation) -> str:
    return f"the field {wish.field.removeprefix(CUSTOM)!r}" if wish.field else f"project {wish.project}"


def _how_to_allow(wish: Creation, connection: str) -> str:
    by_hand = f"Create the {_ONE[wish.kind]} in Jira"
    allow = f"accord connections allow {connection or 'CONNECTION'} {wish.kind}"
    where = " (on Jira Cloud only)" if wish.kind == OPTIONS else ""
    return f"{by_hand}, or let rules do it{where}: {allow}; then retry the issue."


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What incoming rules may have made: ``allowed`` holds words of ``fields.CREATABLE``, set for each connection.

    ``wanted`` grows with what was asked for and is missing. Nothing is made here: a draft lists it, and it is made when
    the draft is applied.
    """

    connection: str = ""
    allowed: AbstractSet[str] = frozenset()
    wanted: list[Creation] = field(default_factory=list)

    def known(self, wish: Creation) -> str | None:
        """Return the name as it will be spelled once it is made, if it was asked for before, in any case of letters."""
        same = frozenset(one.name for one in self.wanted if replace(one, name=wish.name) == wish)
        return find(wish.name, same)

    def want(self, wish: Creation) -> str:
        """Ask for a name that is missing. Raises RuleError where the connection does not allow it."""
        known = self.known(wish)
        if known is not None:
            return known
        if wish.kind not in self.allowed:
            raise RuleError(
                f"The {_ONE[wish.kind]} {wish.name!r} does not exist in {_place(wish)}, and this connection may not "
                "create it.",
                advice=_how_to_allow(wish, self.connection),
            )
        self.wanted.append(wish)
        return wish.name


class ConnectionHelpers:
    """``Helpers`` of the script engine over the facts of our Jira. Without ``making`` nothing may be made at all."""

    def __init__(
        self, facts: TrackerFacts | None, project: str, twins: Twins | None = None, *, making: Making | None = None
    ) -> None:
        self._known_facts = facts
        self._project = project
        self._twins = twins
        self._making = making

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
        return await self._choose(Creation(kind=VERSIONS, name=name.strip(), project=self._project), create=create)

    async def component(self, name: str, *, create: bool) -> str | None:
        """Return the name of a component of the project."""
        return await self._choose(Creation(kind=COMPONENTS, name=name.strip(), project=self._project), create=create)

    async def option(self, custom_field: str, value: str, *, create: bool) -> str | None:
        """Return the option of a custom field."""
        name = custom_field if is_custom(custom_field) else CUSTOM + custom_field
        wish = Creation(kind=OPTIONS, name=value.strip(), project=self._project, field=name)
        return await self._choose(wish, create=create)

    async def local_key(self, remote: str) -> str | None:
        """Return the key of our issue that is linked with the peer's issue (its handle or key) here."""
        return await self._twins.local_key(remote) if self._twins is not None else None

    async def _choose(self, wish: Creation, *, create: bool) -> str | None:
        """Return the name as it is spelled here or will be once it is made; None where it is missing."""
        if wish.kind == OPTIONS:
            found = await self._option(wish, create=create)
        else:
            found = find(wish.name, await self._facts.names(self._project, wish.kind))
        if found is not None:
            return found
        known = self._making.known(wish) if self._making is not None else None
        if known is not None or not create:
            return known
        if self._making is None:
            raise RuleError(
                f"The {_ONE[wish.kind]} {wish.name!r} does not exist, and outgoing rules only read this Jira.",
                advice=f"Use {wish.kind}.get in outgoing rules.",
            )
        return self._making.want(wish)

    async def _option(self, wish: Creation, *, create: bool) -> str | None:
        """Return an option as it is spelled here. A field that tells none may have none yet, so it may be made."""
        found = await self._among(wish.field, wish.name)
        if found is None or not create or self._making is None or OPTIONS not in self._making.allowed:
            return found
        told = await self._facts.allowed_values(self._project, None, wish.field) is not None
        return found if told or creatable_kind(wish.field, await self._facts.kind(wish.field) or "") is None else None

    async def _among(self, field: str, name: str) -> str | None:
        """Return the value as it is spelled here; where Jira does not tell its values, the name stays as it is."""
        allowed = await self._facts.allowed_values(self._project, None, field)
        return find(name, allowed) if allowed is not None else name


def _plain(user: User | None) -> Mapping[str, Any] | None:
    return None if user is None else {"id": user.id, "display_name": user.display_name, "email": user.email}
