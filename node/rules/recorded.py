"""Facts of a Jira as they were asked for once: so that a rule test needs no Jira. JSON in, JSON out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from node.errors import RuleError
from node.rules.facts import NOBODY, Nobody, TrackerFacts
from node.rules.facts_schema import build_schema
from node.rules.plain import plain
from node.rules.script.engine import ScriptSchema
from node.trackers.base import IssueType
from node.trackers.issue import User


class RecordingFacts:
    """Answers like the facts it stands before, and remembers every answer in ``answers``."""

    def __init__(self, facts: TrackerFacts) -> None:
        self._facts = facts
        self.answers: dict[str, Any] = {}

    async def issue_types(self, project: str) -> tuple[IssueType, ...]:
        """Ask, and remember."""
        types = await self._facts.issue_types(project)
        self.answers[_key("issue_types", project)] = plain(types)
        return types

    async def kind(self, field: str) -> str | None:
        """Ask, and remember."""
        kind = await self._facts.kind(field)
        self.answers[_key("kind", field)] = kind
        return kind

    async def field_names(self) -> tuple[str, ...]:
        """Ask, and remember."""
        names = await self._facts.field_names()
        self.answers[_key("field_names")] = list(names)
        return names

    async def allowed_values(self, project: str, issue_type: str | None, field: str) -> frozenset[str] | None:
        """Ask, and remember."""
        allowed = await self._facts.allowed_values(project, issue_type, field)
        self.answers[_key("allowed_values", project, issue_type or "", field)] = sorted(allowed) if allowed else None
        return allowed

    async def names(self, project: str, kind: str) -> frozenset[str]:
        """Ask, and remember."""
        found = await self._facts.names(project, kind)
        self.answers[_key("names", project, kind)] = sorted(found)
        return found

    async def required(self, project: str, issue_type: str) -> tuple[str, ...]:
        """Ask, and remember."""
        names = await self._facts.required(project, issue_type)
        self.answers[_key("required", project, issue_type)] = list(names)
        return names

    async def service_project(self, project: str) -> bool | None:
        """Ask, and remember."""
        service = await self._facts.service_project(project)
        self.answers[_key("service_project", project)] = service
        return service

    async def script_schema(self, project: str) -> ScriptSchema:
        """Put it together from questions of their own."""
        return await build_schema(self, project)

    async def user(self, who: str) -> User | None:
        """Ask, and remember."""
        user = await self._facts.user(who)
        self.answers[_key("user", who)] = plain(user)
        return user

    async def user_by_id(self, user_id: str) -> User | None:
        """Ask, and remember."""
        user = await self._facts.user_by_id(user_id)
        self.answers[_key("user_by_id", user_id)] = plain(user)
        return user

    async def why_nobody(self, who: str) -> Nobody:
        """Ask, and remember."""
        why = await self._facts.why_nobody(who)
        self.answers[_key("why_nobody", who)] = plain(why)
        return why


_BETWEEN = " | "


def _key(*parts: str) -> str:
    return _BETWEEN.join(parts)


def with_people_replaced(answers: Mapping[str, Any], replace: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the answers with people replaced in question and answer alike; short ids count in a question, too."""
    return {_key(*map(replace, key.split(_BETWEEN))): replace(found) for key, found in answers.items()}


def asked_people(answers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names and addresses by which people were looked up, with what was found."""
    begin = _key("user", "")
    return {key.removeprefix(begin): found for key, found in answers.items() if key.startswith(begin)}


NOT_KNOWN = "The recorded case does not know what this Jira answers to"


class RecordedFacts:
    """Gives the answers of a recording. A question that was not asked then is a RuleError, and is in ``unknown``."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers
        self.unknown: list[str] = []

    def _answer(self, *parts: str) -> Any:
        key = _key(*parts)
        if key not in self._answers:
            self.unknown.append(key)
            raise RuleError(
                f"{NOT_KNOWN} {key!r}.",
                advice="Record the case again: the rules ask something that they did not ask before.",
            )
        return self._answers[key]

    async def issue_types(self, project: str) -> tuple[IssueType, ...]:
        """Return the recorded types."""
        return tuple(
            IssueType(**{**entry, "statuses": tuple(entry.get("statuses", ()))})
            for entry in self._answer("issue_types", project)
        )

    async def kind(self, field: str) -> str | None:
        """Return the recorded kind."""
        kind: str | None = self._answer("kind", field)
        return kind

    async def field_names(self) -> tuple[str, ...]:
        """Return the recorded names."""
        return tuple(self._answer("field_names"))

    async def allowed_values(self, project: str, issue_type: str | None, field: str) -> frozenset[str] | None:
        """Return the recorded values; mappings ask for a type of issue and scripts for any, and both are answered."""
        begin, end = _key("allowed_values", project, ""), _key("", field)
        exact = _key("allowed_values", project, issue_type or "", field)
        alike = [key for key in self._answers if key.startswith(begin) and key.endswith(end)]
        key = exact if exact in self._answers or not alike else alike[0]
        allowed = self._answers[key] if key in self._answers else self._answer(key)
        return None if allowed is None else frozenset(allowed)

    async def names(self, project: str, kind: str) -> frozenset[str]:
        """Return the recorded names."""
        return frozenset(self._answer("names", project, kind))

    async def required(self, project: str, issue_type: str) -> tuple[str, ...]:
        """Return the recorded names."""
        return tuple(self._answer("required", project, issue_type))

    async def service_project(self, project: str) -> bool | None:
        """Return the recorded answer; not known in a recording from before it was asked."""
        service: bool | None = self._answers.get(_key("service_project", project))
        return service

    async def script_schema(self, project: str) -> ScriptSchema:
        """Put it together from the recorded answers; of a case that was recorded with mappings, little is known."""
        if _key("field_names") not in self._answers:
            return ScriptSchema()
        return await build_schema(self, project)

    async def user(self, who: str) -> User | None:
        """Return the recorded user."""
        found = self._answer("user", who)
        return None if found is None else User(**found)

    async def user_by_id(self, user_id: str) -> User | None:
        """Return the recorded user."""
        found = self._answer("user_by_id", user_id)
        return None if found is None else User(**found)

    async def why_nobody(self, who: str) -> Nobody:
        """Return the recorded reason; older cases have none."""
        found = self._answers.get(_key("why_nobody", who))
        return NOBODY if found is None else Nobody(**found)
