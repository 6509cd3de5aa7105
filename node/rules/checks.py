"""Checks a rule set against our Jira when it is saved: errors refuse it, doubts warn.

Asks the facts of our Jira and the script engine, writes nothing. What the peer sends or wants cannot be checked: its
names are its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Literal

from node.errors import TrackerNotFound
from node.rules.facts import CheckedFacts, TrackerFacts
from node.rules.fields import JIRA_NAMES, STANDARD, creatable_kind, is_custom, name_one_of, of_one_name
from node.rules.findings import Finding, did_you_mean, known_are
from node.rules.issue_links import LINKS
from node.rules.ruleset import COLLECTIONS, Default, MappingStep, RuleSet, ScriptStep
from node.rules.script.engine import RuleEngine
from node.rules.values import CHOICES, PEOPLE, NoMatch, Target, convert, find
from node.trackers.issue import CUSTOM


@dataclass(frozen=True, slots=True)
class _Place:
    """One mapping step under check."""

    number: int
    step: MappingStep
    facts: TrackerFacts
    project: str

    def error(self, message: str, suggestion: str = "", *, at: tuple[str, ...], value: bool = True) -> Finding:
        return self._finding("error", message, suggestion, at, value=value)

    def warning(self, message: str, suggestion: str = "", *, at: tuple[str, ...], value: bool = True) -> Finding:
        return self._finding("warning", message, suggestion, at, value=value)

    def _finding(
        self, severity: Literal["error", "warning"], message: str, suggestion: str, at: tuple[str, ...], *, value: bool
    ) -> Finding:
        """Return a finding about a key of this step, or with ``value`` about what stands behind it."""
        return Finding(
            severity=severity, message=message, step=self.number, suggestion=suggestion,
            place=("step", self.number - 1, *at), value=value,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Asked:
    """Answers what the check of a script asks about our project."""

    facts: CheckedFacts
    project: str

    async def has_project(self, key: str) -> bool:
        try:
            await self.facts.issue_types(key)
        except TrackerNotFound:
            return False
        return True

    async def roles(self) -> frozenset[str]:
        return await self.facts.roles(self.project)

    async def offered_transitions(self) -> Mapping[str, frozenset[str]]:
        return await self.facts.offered_transitions(self.project)


async def check_rules(
    ruleset: RuleSet, facts: CheckedFacts, *, project: str, engine: RuleEngine | None = None
) -> tuple[Finding, ...]:
    """Return all findings, in the order of the steps. Raises what ``facts`` and ``engine`` raise.

    Args:
        ruleset: the rules to publish.
        facts: our Jira; refresh it before, so that new fields and options are known.
        project: our project on the connection.
        engine: checks script steps; without one a script is an error.
    """
    found = [finding async for finding in _check_scope(ruleset, facts, project)]
    if not ruleset.steps and ruleset.method != "disabled":
        found.append(Finding(severity="warning", message="There are no steps: nothing is carried."))
    targets: dict[str, int] = {}
    for number, step in enumerate(ruleset.steps, start=1):
        if isinstance(step, ScriptStep):
            found += await _check_script(number, step, ruleset, facts, project, engine)
            continue
        place = _Place(number, step, facts, project)
        check = _check_outgoing if ruleset.direction == "outgoing" else _check_incoming
        found += [finding async for finding in check(place)]
        if step.target in targets:
            again = f"Step {targets[step.target]} sets {step.target!r} too; the later one counts."
            found.append(place.warning(again, at=("target",)))
        targets[step.target] = number
    if ruleset.direction == "incoming" and ruleset.steps and ruleset.method == "automatic":
        found += [finding async for finding in _check_creation(ruleset, facts, project)]
    return tuple(found)


async def _check_script(
    number: int, step: ScriptStep, ruleset: RuleSet, facts: CheckedFacts, project: str, engine: RuleEngine | None
) -> list[Finding]:
    if engine is None:
        message = f"Step {number} is a script, and this node has no script engine."
        return [Finding(severity="error", message=message, step=number, place=("step", number - 1, "script"))]

    schema = await facts.script_schema(project)
    findings = await engine.check(step.source, ruleset.direction, schema, jira=_Asked(facts, project))
    return [
        Finding(
            severity=finding.severity,
            message=finding.message,
            step=number,
            line=finding.line,
            column=finding.column,
            shown=finding.shown,
            suggestion=finding.suggestion,
            place=("step", number - 1, "script"),
        )
        for finding in findings
    ]


async def _unknown_field(place: _Place, name: str, at: str) -> Finding | None:
    """Return what is wrong with the name of a field of ours; ``at`` is the key that holds it."""
    if name == LINKS or name in STANDARD or (is_custom(name) and await place.facts.kind(name) is not None):
        return None
    known = (*await place.facts.field_names(), *COLLECTIONS, LINKS)
    same = of_one_name(name if is_custom(name) else CUSTOM + name, known)
    if same:
        return place.error(f"Several fields of this Jira are called {name!r}.", name_one_of(same), at=(at,))
    if name in JIRA_NAMES:
        suggestion = f"Did you mean {JIRA_NAMES[name]!r}?"
    elif CUSTOM + name in known:
        suggestion = f"Did you mean {CUSTOM + name!r}? Custom fields are written with 'custom.' before their name."
    else:
        suggestion = did_you_mean(name, known)
    return place.error(f"This Jira has no field {name!r}.", suggestion, at=(at,))


async def _check_outgoing(place: _Place) -> AsyncIterator[Finding]:
    step = place.step
    if step.source in {*COLLECTIONS, LINKS}:
        for finding in _check_collection(place):
            yield finding
    elif (unknown := await _unknown_field(place, step.source, "source")) is not None:
        yield unknown
        return
    elif step.target in {*COLLECTIONS, LINKS}:
        message = f"{step.target!r} is the name of a collection; it takes nothing but {step.target!r} itself."
        yield place.error(message, at=("target",))
    elif step.target == "key" and step.source != "key":
        message = "'key' is the name under which the issue's key leaves."
        yield place.error(message, "Choose another name.", at=("target",))
    elif step.source == "security_level":
        message = "Security levels leave: the guard stops an issue that has one unless it is allowed there."
        yield place.warning(message, at=("source",))
    if step.otherwise == "create":
        message = "Outgoing rules only read this Jira, so they create nothing."
        yield place.error(message, "Choose what else happens.", at=("otherwise",))
    kind = (STANDARD[step.source].kind if step.source in STANDARD else await place.facts.kind(step.source)) or ""
    if step.people == "email":
        yield _check_addresses(place, kind)
    async for finding in _check_known_values(place, step.source, kind):
        yield finding


def _check_addresses(place: _Place, kind: str) -> Finding:
    source = place.step.source
    if kind in PEOPLE or source in COLLECTIONS:
        return place.warning(f"E-mail addresses leave with {source!r}.", at=("people",))
    return place.warning(f"{source!r} holds no people: 'people' has no effect.", at=("people",))


async def _check_known_values(place: _Place, field: str, kind: str) -> AsyncIterator[Finding]:
    """Doubt values on the left of a value map that our field does not offer now; old issues may still hold them."""
    if kind not in CHOICES or not place.step.values:
        return
    allowed = await place.facts.allowed_values(place.project, None, field)
    for value in place.step.values if allowed is not None else ():
        if allowed is not None and value and find(value, allowed) is None:
            yield place.warning(
                f"The value map has {value!r}, which {field!r} does not offer.",
                did_you_mean(value, allowed) or known_are(allowed),
                at=("values", value), value=False,
            )  # fmt: skip


def _without_effect(place: _Place) -> Finding:
    at = "values" if place.step.values else "otherwise"
    message = f"Value maps and 'otherwise' have no effect on {place.step.source!r}."
    return place.warning(message, at=(at,), value=False)


def _check_collection(place: _Place) -> list[Finding]:
    step, found = place.step, []
    if step.target != step.source:
        message = f"{step.source!r} can only be carried to {step.source!r}."
        found.append(place.error(message, "Use the same name twice.", at=("target",)))
    if step.values or step.otherwise != "nothing":
        found.append(_without_effect(place))
    if step.when == "create":
        message = f"{step.source!r} are always carried: 'when' has no effect on them outgoing."
        found.append(place.warning(message, at=("when",)))
    return found


async def _check_incoming(place: _Place) -> AsyncIterator[Finding]:
    step = place.step
    if {step.source, step.target} & {*COLLECTIONS, LINKS}:
        if step.source != step.target:
            message = f"{step.source!r} cannot be carried to {step.target!r}."
            yield place.error(message, "Use the same name twice.", at=("target",))
        elif step.source != LINKS and (step.values or step.otherwise != "nothing"):
            yield _without_effect(place)
        return
    unknown = await _unknown_field(place, step.target, "target")
    if unknown is not None:
        yield unknown
        return
    known = STANDARD.get(step.target)
    if known is not None and not known.writable:
        yield place.error(f"{step.target!r} cannot be written: Jira sets it by itself.", at=("target",))
        return
    if step.otherwise == "create" and creatable_kind(step.target, known.kind if known else await _kind(place)) is None:
        yield place.error(
            f"Nothing can be created for {step.target!r}.",
            'Versions, components and options can be: choose "error", "nothing" or a default.',
            at=("otherwise",),
        )
    if step.people != "name":
        yield place.warning("'people' has an effect only on what leaves.", at=("people",))
    # The other side chooses its names: only one that differs by a letter is probably a slip of our own.
    near = did_you_mean(step.source, (*STANDARD, *COLLECTIONS, "key", "url"), most=1)
    if step.source not in STANDARD and step.source != "url" and not is_custom(step.source) and near:
        yield place.warning(f"The other side may call it otherwise than {step.source!r}.", near, at=("source",))
    async for finding in _check_results(place, known.kind if known else await _kind(place)):
        yield finding


async def _kind(place: _Place) -> str:
    return await place.facts.kind(place.step.target) or "other"


async def _check_results(place: _Place, kind: str) -> AsyncIterator[Finding]:
    """Check what a value map and a default would write: it must fit our field."""
    step = place.step
    results = [
        (value, f"the value map gives {value!r} for {key!r}", ("values", key))
        for key, value in step.values.items()
        if value
    ]
    if isinstance(step.otherwise, Default):
        default = step.otherwise.default
        results.append((default, f"the default is {default!r}", ("otherwise", "default")))
    if not results:
        return
    if kind in PEOPLE:
        for value, what, at in results:
            if await place.facts.user(value) is None:
                why = await place.facts.why_nobody(value)
                yield place.error(f"In {step.target!r} {what}, and that {why.reason}.", why.advice, at=at)
        return
    if kind == "issue":
        return
    allowed = await place.facts.allowed_values(place.project, None, step.target)
    target = Target(name=step.target, kind=kind, allowed=allowed)
    for value, what, at in results:
        converted = convert(value, target)
        if isinstance(converted, NoMatch):
            suggestion = (did_you_mean(value, allowed) or known_are(allowed)) if allowed is not None else ""
            yield place.error(f"In {step.target!r} {what}, and that {converted.reason}.", suggestion, at=at)


async def _check_creation(ruleset: RuleSet, facts: TrackerFacts, project: str) -> AsyncIterator[Finding]:
    """Doubt that issues can be created where a field that Jira requires is set by no step."""
    if any(isinstance(step, ScriptStep) for step in ruleset.steps):
        return
    carried = {step.target for step in ruleset.steps if isinstance(step, MappingStep)} | {"project", "type", "reporter"}
    missing: dict[str, list[str]] = {}
    for kind in await facts.issue_types(project):
        for name in () if kind.subtask else await facts.required(project, kind.name):
            if name not in carried:
                missing.setdefault(name, []).append(kind.name)
    if "summary" not in carried:
        missing.setdefault("summary", [])
    for name, types in missing.items():
        of = f" of type {', '.join(types)}" if types else ""
        yield Finding(
            severity="warning",
            message=f"Jira wants {name!r} when an issue{of} is created, and no step sets it.",
            suggestion="Add a mapping with a default, or let Jira have a default for it.",
        )


async def _check_scope(ruleset: RuleSet, facts: TrackerFacts, project: str) -> AsyncIterator[Finding]:
    """Doubt filters that no issue of ours can pass. An incoming scope speaks in the peer's words."""
    if ruleset.direction == "incoming":
        return
    for name in ("type", "status", "priority"):
        values: tuple[str, ...] = getattr(ruleset.scope, name)
        allowed = await facts.allowed_values(project, None, name) if values else None
        for number, value in enumerate(values):
            if allowed is not None and find(value, allowed) is None:
                suggestion = did_you_mean(value, allowed) or known_are(allowed)
                yield _doubt_filter(f"Scope: no {name} is {value!r} here.", name, number, suggestion)
    for name in ("assignee", "reporter"):
        for number, value in enumerate(getattr(ruleset.scope, name)):
            if await facts.user(value) is None:
                why = await facts.why_nobody(value)
                yield _doubt_filter(f"Scope, {name}: {value!r} {why.reason}.", name, number, why.advice)


def _doubt_filter(message: str, name: str, number: int, suggestion: str) -> Finding:
    """Return a doubt about the value of a filter; ``number`` counts its values from 0."""
    place = ("scope", name, number)
    return Finding(severity="warning", message=message, suggestion=suggestion, place=place, value=True)
