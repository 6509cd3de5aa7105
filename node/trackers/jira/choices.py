"""Makes the names that issues choose from: versions, components and options of custom fields, where they are missing.

Each is looked up first, and looked up again where Jira refuses: it has one of a name only, so the name itself tells
what a call whose answer was lost has made, and whoever else made it meanwhile did no harm. Never changes or removes
one. What Jira offers for it: versions and components by ``POST version`` and ``POST component`` (Data Center and
Cloud); options by ``POST field/{id}/context/{id}/option`` on Cloud. Data Center only lists options
(``GET customFields/{id}/options``), so there a person has to add them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from node.errors import TrackerDenied, TrackerError, TrackerNotFound, TrackerRefused
from node.trackers.base import Version
from node.trackers.jira.calls import Calls, project_key
from node.trackers.jira.custom import tidy
from node.trackers.jira.lookup import uncertain_if_nonsense
from node.trackers.jira.shapes import entries_of, identifier, mapping, name_of

LONGEST = 255
"""Characters of a name that Jira takes for any of these."""


class ChoiceCalls(Calls):
    """The tracker's calls about versions, components and options."""

    async def versions(self, project: str) -> list[Version]:
        """Return the versions of a project (1 call)."""
        path = f"project/{project_key(project)}/versions"
        answer = await self._client.get(path, what=f"list the versions of project {project}")
        found = (mapping(entry, "a version") for entry in entries_of(answer))
        return [
            Version(name=tidy(name), archived=one.get("archived") is True)
            for one in found
            if (name := name_of(one)) is not None
        ]

    async def components(self, project: str) -> list[str]:
        """Return the names of a project's components (1 call)."""
        path = f"project/{project_key(project)}/components"
        answer = await self._client.get(path, what=f"list the components of project {project}")
        return [tidy(name) for entry in entries_of(answer) if (name := name_of(entry)) is not None]

    async def ensure_version(self, project: str, name: str) -> None:
        """See to it that a project has a version (1 call where it has; 2 where it is made). Raises TrackerRefused."""
        project = project_key(project)

        async def names() -> list[str]:
            return [version.name for version in await self.versions(project)]

        body = {"name": _fit(name, "version"), "project": project}
        await _ensure(
            name, names, lambda: self._make("version", body, f"create version {name!r} in {project}"), project
        )

    async def ensure_component(self, project: str, name: str) -> None:
        """See to it that a project has a component (1 call where it has; 2 where it is made). Raises TrackerRefused."""
        project = project_key(project)

        async def names() -> list[str]:
            return await self.components(project)

        body = {"name": _fit(name, "component"), "project": project}
        make = f"create component {name!r} in {project}"
        await _ensure(name, names, lambda: self._make("component", body, make), project)

    async def ensure_option(self, project: str, field: str, value: str) -> None:
        """See to it that a custom field offers an option in a project (Cloud: 4 calls, 5 where it is made).

        Raises TrackerRefused.
        """
        project = project_key(project)
        _fit(value, "option")
        if not (await self._lookup.kind()).cloud:
            raise TrackerRefused(
                f"The option {value!r} of {field!r} is missing, and Jira Data Center has no REST call that adds one.",
                advice=f"Add the option to the field {field!r} in Jira, then retry the issue.",
            )
        known = (await self._lookup.ready()).catalogue.by_name(field)
        if known is None:
            raise TrackerRefused(
                f"This Jira has no custom field {field!r}, so it cannot offer {value!r}.",
                advice="Correct the rules, or create the field in Jira; then retry the issue.",
            )
        base = f"field/{known.id}/context"
        what = f"add option {value!r} to {field!r}"
        context = await self._context(base, project, field, what)

        async def names() -> list[str]:
            found = self._lookup.each(f"{base}/{context}/option", "values", what=f"list the options of {field!r}")
            # Those of the second level carry the option that they belong to.
            return [str(one.get("value")) async for one in found if "optionId" not in one]

        body = {"options": [{"value": value}]}
        await _ensure(value, names, lambda: self._make(f"{base}/{context}/option", body, what), project)

    async def _context(self, base: str, project: str, field: str, what: str) -> str:
        """Return the context of a field that counts in a project: its own, else the one for all (3 calls)."""
        shown = mapping(await self._client.get(f"project/{project}", what=f"show project {project}"), "a project")
        number = identifier(shown, f"project {project}")
        everywhere: str | None = None
        try:
            async for one in self._lookup.each(f"{base}/projectmapping", "values", what=what):
                context = str(one.get("contextId"))
                if not context.isalnum():
                    continue
                if str(one.get("projectId")) == number:
                    return context
                if one.get("isGlobalContext") is True:
                    everywhere = context
        except (TrackerDenied, TrackerNotFound) as error:
            raise _refused(error, project) from None
        if everywhere is None:
            raise TrackerRefused(
                f"The field {field!r} has no context that counts in project {project}.",
                advice="Give the field a context for this project in Jira, then retry the issue.",
            )
        return everywhere

    async def _make(self, path: str, body: Mapping[str, Any], what: str) -> None:
        answer = await self._client.send("POST", path, body, what=what, answer=True)
        with uncertain_if_nonsense(what):
            mapping(answer, "what was created")


async def _ensure(
    name: str, names: Callable[[], Awaitable[list[str]]], make: Callable[[], Awaitable[None]], project: str
) -> None:
    if _has(await names(), name):
        return
    try:
        await make()
    except (TrackerRefused, TrackerNotFound, TrackerDenied) as error:
        if not isinstance(error, TrackerDenied) and _has(await names(), name):
            return
        raise _refused(error, project) from None


def _has(names: Iterable[str], name: str) -> bool:
    """Tell whether the name is taken: Jira does not take two that differ by case only."""
    return any(one.strip().casefold() == name.strip().casefold() for one in names)


def _refused(error: TrackerError, project: str) -> TrackerRefused:
    """Hold it on the issue: a missing permission here is no reason to try again, and hides behind 404 on Cloud."""
    return TrackerRefused(
        error.message,
        fields=error.fields if isinstance(error, TrackerRefused) else None,
        advice="Create it in Jira by hand, or let our Jira user do it (for versions and components it needs "
        f"'Administer Projects' in {project}, for options 'Administer Jira'); then retry the issue.",
    )


def _fit(name: str, what: str) -> str:
    if not name.strip() or len(name) > LONGEST:
        raise TrackerRefused(
            f"A {what} has a name of 1 to {LONGEST} characters; {name[:40]!r} has {len(name)}.",
            advice="Correct the rules that ask for it, then retry the issue.",
        )
    return name
