"""Publishing rules: shown, checked, compared, made current, rolled back, written in another way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from node.errors import ConfigError, TrackerNotFound, UsageError
from node.rulebook import RuleBook
from node.rules.checks import check_rules
from node.rules.convert import to_mappings, to_script
from node.rules.diff import diff_rule_sets
from node.rules.facts import CheckedFacts
from node.rules.fields import is_custom
from node.rules.files import export_rules, import_rules
from node.rules.findings import Finding, has_errors
from node.rules.ruleset import Direction, Mode, RuleSet, basic_incoming, basic_outgoing, is_basic, mode
from node.rules.script.engine import RuleEngine
from node.rules_desk.crossings import carried, crossings
from node.store import connections, rule_sets
from node.store.connections import Connection
from node.store.engine import Store
from node.store.rule_sets import StoredRuleSet

DIRECTIONS: tuple[Direction, ...] = ("outgoing", "incoming")
MAX_WHY = 1_000

Files = Mapping[Direction, str]
"""Texts of rules files by direction; a direction that is absent is left as it is."""


class RulesRefused(UsageError):
    """The check found errors; nothing was published. ``findings`` are all of them, errors and warnings."""

    def __init__(self, findings: Sequence[tuple[Direction, Finding]]) -> None:
        errors = [
            str(finding) if finding.file else f"{direction}: {finding}"
            for direction, finding in findings
            if finding.severity == "error"
        ]
        super().__init__(
            "The rules were not published; what counts now still counts.\n" + "\n".join(errors),
            advice="Correct what is named here, then import again.",
        )
        self.findings = tuple(findings)


class Publishing:
    """The use cases around published rules.

    Args:
        store: where connections are found.
        book: the published rules.
        engine: checks scripts.
        facts: what our Jira offers.
        refresh: forgets what is kept of our Jira, so that a check sees new fields and options.
        published: called when rules became the current ones: other projects may have to be watched.
    """

    def __init__(
        self,
        store: Store,
        book: RuleBook,
        engine: RuleEngine,
        facts: CheckedFacts,
        *,
        refresh: Callable[[], None],
        published: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._book = book
        self._engine = engine
        self._facts = facts
        self._refresh = refresh
        self._published = published

    async def connection(self, name: str) -> Connection:
        """Return a connection whose rules can be asked for. Raises UsageError."""
        found = await self._store.read(lambda tx: connections.by_name(tx, name))
        if found is None:
            names = ", ".join(one.name for one in await self._store.read(connections.every))
            raise UsageError(
                f"There is no connection {name!r}.", advice=f"The connections here are: {names}." if names else ""
            )
        if found.conn is None:
            raise UsageError(f"{name} is not paired yet.", advice="Rules can be written once the other side accepted.")
        return found

    async def show(self, name: str) -> dict[str, Any]:
        """Return both directions: version, mode, method, scope, file, and who published it when and why."""
        connection = await self.connection(name)
        shown: dict[str, Any] = {"connection": name}
        for direction in DIRECTIONS:
            version, ruleset = await self._book.current(connection.id, direction)
            stored = await self._store.read(
                partial(_version, connection_id=connection.id, direction=direction, number=version)
            )
            shown[direction] = {
                "version": version,
                "mode": mode(ruleset),
                "method": ruleset.method,
                "steps": len(ruleset.steps),
                "text": export_rules(ruleset),
                **_published(stored),
            }
        return shown

    async def read(self, files: Files) -> dict[Direction, RuleSet]:
        """Read rules files, off the event loop: a long one takes seconds.

        Raises:
            RulesFileError: with the place.
            UsageError: one is in the wrong file, or there is none.
        """
        rules: dict[Direction, RuleSet] = {}
        for direction, text in files.items():
            ruleset = await asyncio.to_thread(import_rules, text, name=f"{direction}.toml")
            if ruleset.direction != direction:
                raise UsageError(
                    f'{direction}.toml holds rules for the other direction: it says direction = "{ruleset.direction}".',
                    advice="Give each file the name of its direction.",
                )
            rules[direction] = ruleset
        if not rules:
            raise UsageError("No rules were given.", advice="Give outgoing.toml, incoming.toml, or both.")
        return rules

    async def check(self, name: str, files: Files) -> list[tuple[Direction, Finding]]:
        """Check rules against our Jira as it is now, without publishing them."""
        connection = await self.connection(name)
        return await self._check(connection, (await self.read(files)).values(), files)

    async def _check(
        self, connection: Connection, rules: Iterable[RuleSet], files: Files
    ) -> list[tuple[Direction, Finding]]:
        """Check rules; what is found in one that was read from a file has its place there."""
        self._refresh()
        found: list[tuple[Direction, Finding]] = []
        for ruleset in rules:
            if ruleset.direction == "outgoing":
                found += [(ruleset.direction, finding) for finding in await self._unknown_projects(ruleset)]
            checked = await check_rules(ruleset, self._facts, project=connection.project, engine=self._engine)
            found += [(ruleset.direction, finding) for finding in checked]
            found += [(ruleset.direction, doubt) for doubt in await self._crossings(connection, ruleset)]
        return [
            (direction, finding.in_file(files[direction], f"{direction}.toml") if direction in files else finding)
            for direction, finding in found
        ]

    async def _crossings(self, connection: Connection, ruleset: RuleSet) -> list[Finding]:
        beside = await self._beside(connection, ruleset)
        if not beside:
            return []
        others = [(name, await carried(other, self._engine)) for name, other in beside]
        return crossings(ruleset.direction, await carried(ruleset, self._engine), others)

    async def _beside(self, connection: Connection, ruleset: RuleSet) -> list[tuple[str, RuleSet]]:
        """Return the rules for the other direction on other connections where issues of this one may be, too."""
        outgoing = (
            ruleset if ruleset.direction == "outgoing" else (await self._book.current(connection.id, "outgoing"))[1]
        )
        ours = {connection.project, *outgoing.scope.project}
        found = []
        for other in await self._store.read(connections.every):
            if other.id == connection.id or other.conn is None or other.state == connections.CLOSED:
                continue
            try:
                rules = {direction: (await self._book.current(other.id, direction))[1] for direction in DIRECTIONS}
            except ConfigError:
                continue  # rules that cannot be read carry nothing, and are no reason to refuse these
            if ours & {other.project, *rules["outgoing"].scope.project}:
                found.append((other.name, rules["incoming" if ruleset is outgoing else "outgoing"]))
        return found

    async def _unknown_projects(self, ruleset: RuleSet) -> list[Finding]:
        """Refuse a scope with a project that is not there: the node would watch it, and Jira refuse to."""
        found = []
        for number, project in enumerate(ruleset.scope.project):
            try:
                await self._facts.issue_types(project)
            except TrackerNotFound:
                message = (
                    f"Scope, project: there is no project {project!r} in this Jira, or the sync user cannot see it."
                )
                place = ("scope", "project", number)
                found.append(Finding(severity="error", message=message, place=place, value=True))
        return found

    async def publish(self, name: str, files: Files, *, author: str, why: str) -> dict[str, Any]:
        """Check rules and make them the current ones, all or none; return versions and warnings.

        Raises:
            RulesRefused: the check found errors.
        """
        connection = await self.connection(name)
        rules = await self.read(files)
        return await self._publish(connection, list(rules.values()), author=author, why=why, files=files)

    async def _publish(
        self, connection: Connection, rules: Sequence[RuleSet], *, author: str, why: str, files: Files | None = None
    ) -> dict[str, Any]:
        findings = await self._check(connection, rules, files or {})
        if has_errors(finding for _, finding in findings):
            raise RulesRefused(findings)
        changed = [
            ruleset
            for ruleset in rules
            if (await self._book.current(connection.id, ruleset.direction))[1].to_body() != ruleset.to_body()
        ]
        versions: Mapping[Direction, int] = {}
        if changed:
            versions = await self._book.publish(connection.id, *changed, author=author, why=why[:MAX_WHY])
            await self._published()
        return {
            "connection": connection.name,
            "versions": dict(versions),
            "unchanged": [ruleset.direction for ruleset in rules if ruleset not in changed],
            "findings": shown_findings(findings),
        }

    async def history(self, name: str, direction: Direction | None = None) -> list[dict[str, Any]]:
        """Return every published version, newest first, with what changed to the one before it."""
        connection = await self.connection(name)
        entries: list[dict[str, Any]] = []
        for one in DIRECTIONS if direction is None else (direction,):
            stored = await self._book.versions(connection.id, one)
            rules = [RuleSet.from_body(row.body) for row in stored] + [self._basic(connection, one)]
            entries += [
                {
                    "direction": one,
                    "version": row.version,
                    "mode": mode(new),
                    **_published(row),
                    "changes": [asdict(change) for change in diff_rule_sets(old, new)],
                }
                for row, new, old in zip(stored, rules, rules[1:], strict=False)
            ]
        return sorted(entries, key=lambda entry: (-entry["at_ms"], entry["direction"]))

    async def diff(
        self,
        name: str,
        direction: Direction,
        *,
        old: int | None = None,
        new: int | None = None,
        text: str | None = None,
    ) -> dict[str, Any]:
        """Return what differs from version ``old`` (None: the current one) to ``new``, or to a file's ``text``."""
        connection = await self.connection(name)
        before = await self.version(connection, direction, old)
        after = (await self.read({direction: text}))[direction] if text is not None else None
        if after is None:
            after = await self.version(connection, direction, new)
        return {
            "connection": name,
            "direction": direction,
            "changes": [asdict(change) for change in diff_rule_sets(before, after)],
        }

    async def version(self, connection: Connection, direction: Direction, number: int | None) -> RuleSet:
        """Return one version, 0 being the Basic rules that a connection begins with; None is the current one."""
        if number is None:
            return (await self._book.current(connection.id, direction))[1]
        if number == 0:
            return self._basic(connection, direction)
        stored = await self._store.read(lambda tx: rule_sets.version(tx, connection.id, direction, number))
        if stored is None:
            raise UsageError(
                f"{connection.name} has no version {number} of its {direction} rules.",
                advice=f"See the versions with: accord rules history {connection.name}",
            )
        return RuleSet.from_body(stored.body)

    async def roll_back(self, name: str, direction: Direction, number: int, *, author: str, why: str) -> dict[str, Any]:
        """Publish an earlier version again, as a new version; it is checked like any other."""
        connection = await self.connection(name)
        ruleset = await self.version(connection, direction, number)
        reason = f"roll back to version {number}" + (f": {why}" if why else "")
        return await self._publish(connection, [ruleset], author=author, why=reason)

    async def convert(
        self, name: str, wanted: Mode, directions: Sequence[Direction], *, author: str, why: str
    ) -> dict[str, Any]:
        """Write the current rules in another way, with the same meaning, and publish them.

        Raises:
            UsageError: they cannot be said in that way; nothing was changed.
        """
        connection = await self.connection(name)
        kinds = await self._kinds()
        rules = [
            _converted((await self._book.current(connection.id, direction))[1], wanted, kinds)
            for direction in directions
        ]
        reason = f"written as {wanted}" + (f": {why}" if why else "")
        done = await self._publish(connection, rules, author=author, why=reason)
        return {**done, "modes": {ruleset.direction: mode(ruleset) for ruleset in rules}}

    async def fields(self, name: str) -> dict[str, Any]:
        """Read the fields of our Jira anew and return them as rules name them, with kind and allowed values."""
        connection = await self.connection(name)
        self._refresh()
        found = []
        for field in await self._facts.field_names():
            allowed = await self._facts.allowed_values(connection.project, None, field)
            found.append({"name": field, "kind": await self._facts.kind(field), "values": sorted(allowed or ())})
        return {"connection": name, "project": connection.project, "fields": found}

    async def _kinds(self) -> dict[str, str]:
        names = [name for name in await self._facts.field_names() if is_custom(name)]
        return {name: kind for name in names if (kind := await self._facts.kind(name)) is not None}

    @staticmethod
    def _basic(connection: Connection, direction: Direction) -> RuleSet:
        if direction == "outgoing":
            return basic_outgoing()
        return basic_incoming(connection.default_type) if connection.default_type else basic_incoming()


def _converted(ruleset: RuleSet, wanted: Mode, kinds: Mapping[str, str]) -> RuleSet:
    if wanted == "script":
        return to_script(ruleset, kinds=kinds)
    mappings = to_mappings(ruleset, kinds=kinds)
    if wanted == "basic" and not is_basic(mappings):
        raise UsageError(
            f"The {ruleset.direction} rules say more than the Basic ones, so they cannot be written as Basic.",
            advice="To give up what they say, go back to the Basic rules: accord rules rollback CONNECTION "
            f"{ruleset.direction} 0",
        )
    return mappings


async def _version(tx: Any, *, connection_id: int, direction: Direction, number: int) -> StoredRuleSet | None:
    return await rule_sets.version(tx, connection_id, direction, number)


def _published(stored: StoredRuleSet | None) -> dict[str, Any]:
    if stored is None:
        return {"author": "", "why": "the Basic rules that every connection begins with", "at_ms": None}
    return {"author": stored.author, "why": stored.why, "at_ms": stored.created_ms}


def shown_findings(findings: Sequence[tuple[Direction, Finding]]) -> list[dict[str, Any]]:
    """Return findings as JSON; ``text`` is how a person reads it."""
    return [{"direction": direction, **asdict(finding), "text": str(finding)} for direction, finding in findings]
