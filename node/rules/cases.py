"""Rule tests: an issue or a replica, and what the rules are expected to make of it.

A case is one JSON file beside the exported rules. It holds all that an evaluation asks for, so it runs without a Jira.
Takes and gives texts and values; whoever calls it reads and writes the files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from node.errors import ConfigError, RuleError, UsageError
from node.rules.diff import FieldChange, diff_results
from node.rules.facts import TrackerFacts
from node.rules.incoming import IncomingContext, IncomingRules
from node.rules.model import Draft, Origin, Shared, Skip
from node.rules.outgoing import OutgoingContext, OutgoingRules
from node.rules.plain import issue_from_plain, plain_issue, plain_result
from node.rules.recorded import NOT_KNOWN, RecordedFacts, RecordingFacts, asked_people, with_people_replaced
from node.rules.redact import Redactor, words_of
from node.rules.ruleset import Default, RuleSet, Scope, ScriptStep
from node.rules.script.engine import RuleEngine
from node.rules.values import PEOPLE
from node.shape_words import first_problem
from node.trackers.issue import CUSTOM, Issue
from protocol.replica import Replica

MAX_CASE = 8 << 20
"""Characters of a case file."""


class Case(BaseModel):
    """One rule test. ``expect`` is a result as JSON, or ``{"skip": reason}``, or ``{"error": message}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=255)]
    direction: Literal["outgoing", "incoming"]
    first_sync: bool = True
    linked: bool = False
    project: str = ""
    default_type: str | None = None
    may_create: list[str] = Field(default_factory=list)
    issue: dict[str, Any] | None = None
    replica: dict[str, Any] | None = None
    previous: dict[str, Any] | None = None
    own_items: list[tuple[str, str]] = Field(default_factory=list)
    jira: dict[str, Any] = Field(default_factory=dict)
    """What our Jira answered."""
    twins: dict[str, str | None] = Field(default_factory=dict)
    """Our keys for issues of the peer."""
    handles: dict[str, str] = Field(default_factory=dict)
    """What the peer calls issues of ours, by their ids."""
    expect: dict[str, Any] = Field(default_factory=dict)

    def to_text(self) -> str:
        """Return the text of the case's file."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True), indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """How a case ended. ``differences`` go from what was expected to what came out.

    ``problem`` says why the case tells nothing about the rules; then it has to be recorded again.
    """

    name: str
    passed: bool
    differences: tuple[FieldChange, ...] = ()
    problem: str = ""

    def __bool__(self) -> bool:
        return self.passed

    def lines(self) -> list[str]:
        """Show the result as people read it."""
        shown = [f"    {line}" for change in self.differences for line in change.lines()]
        if self.problem:
            shown = [f"    {self.problem}", "    Record it again: accord rules record CONNECTION KEY --direction ..."]
        return [f"{'passed' if self.passed else 'FAILED'}  {self.name}", *shown]


def read_case(text: str, *, name: str = "the case file") -> Case:
    """Read a case file. Raises ConfigError with the place of a mistake."""
    if len(text) > MAX_CASE:
        raise ConfigError(f"{name} is larger than {MAX_CASE >> 20} MiB.", advice="Split it into several cases.")
    try:
        return Case.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{name}, line {error.lineno}, column {error.colno}: this is not JSON.",
            advice="Correct the file, or record the case again.",
        ) from None
    except (ValidationError, RecursionError) as error:
        why = first_problem(error) if isinstance(error, ValidationError) else "it is nested too deeply"
        raise ConfigError(f"{name}: {why}.", advice="Correct the file, or record the case again.") from None


class _KnownTwins:
    """Links that a case knows; also notes what was asked."""

    def __init__(self, twins: Mapping[str, str | None], handles: Mapping[str, str]) -> None:
        self._twins = twins
        self._handles = handles

    async def handles(self, issue_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the peer's names of those that are known."""
        return {issue_id: self._handles[issue_id] for issue_id in issue_ids if issue_id in self._handles}

    async def local_key(self, remote: str) -> str | None:
        """Return our key of the peer's issue."""
        return self._twins.get(remote)


async def run_case(case: Case, ruleset: RuleSet, *, engine: RuleEngine | None = None) -> CaseResult:
    """Evaluate the rules on a case and compare. Raises ConfigError where the case is for the other direction."""
    facts = RecordedFacts(case.jira)
    got, origins = await _evaluate(case, ruleset, facts, engine)
    if facts.unknown:
        asked = facts.unknown[0]
        return CaseResult(
            name=case.name, passed=False, problem=f"The rules ask what this case does not hold: {asked!r}."
        )
    if NOT_KNOWN in str(case.expect.get("error", "")):
        return CaseResult(name=case.name, passed=False, problem="This case expects that it cannot be run.")
    differences = diff_results(*_comparable(case.expect, got), origins, direction=case.direction)
    return CaseResult(name=case.name, passed=not differences, differences=differences)


async def record_case(case: Case, ruleset: RuleSet, facts: TrackerFacts, *, engine: RuleEngine | None = None) -> Case:
    """Return the case with people redacted and with what the rules make of it now as the expectation.

    The rules run twice: once for the real result, and to learn what they ask of our Jira; and once on the redacted
    case, so that the expectation is what a run of the case gives. Both must agree but for the people.

    Raises:
        UsageError: with other people the rules do something else, so that the case would not show what they do.
    """
    recording = RecordingFacts(facts)
    real, _ = await _evaluate(case, ruleset, recording, engine)
    await _ask_for_scripts(recording, case)
    whole = {**case.model_dump(mode="json"), "jira": recording.answers, "real": real}
    redactor = Redactor(whole, asked=asked_people(recording.answers), kept=named_by(ruleset))
    bare = redactor.replace(case.model_dump(mode="json", exclude={"jira", "expect"}))
    redacted = Case.model_validate({**bare, "jira": with_people_replaced(recording.answers, redactor.replace)})
    known = RecordedFacts(redacted.jira)
    expect, _ = await _evaluate(redacted, ruleset, known, engine)
    if known.unknown or not _alike(redactor.replace(real), expect, redactor.words):
        raise UsageError(
            "Nothing was recorded: with people's names replaced, the rules do something else with this issue.",
            advice="They make something of a name that they put together by themselves. Record another issue, or write "
            "the case by hand.",
        )
    return redacted.model_copy(update={"expect": expect})


async def _ask_for_scripts(recording: RecordingFacts, case: Case) -> None:
    """Ask also what a script asks besides mappings, so that the case outlives a change of mode."""
    for name, value in ((case.issue or {}).get("custom") or {}).items():
        if value is not None and await recording.kind(CUSTOM + name) in PEOPLE:
            for user_id in value if isinstance(value, list) else [value]:
                await recording.user_by_id(str(user_id))


def named_by(ruleset: RuleSet) -> Callable[[str], bool]:
    """Return what tells of a name, id or address whether the rules themselves name somebody by it.

    It stands in the rules anyway, and without it they would not find that person in the case any more.
    """
    whole: set[str] = {text.casefold() for name in Scope.model_fields for text in getattr(ruleset.scope, name)}
    scripts = []
    for step in ruleset.steps:
        if isinstance(step, ScriptStep):
            scripts.append(step.source.casefold())
            continue
        whole |= {text.casefold() for pair in step.values.items() for text in pair}
        if isinstance(step.otherwise, Default):
            whole.add(step.otherwise.default.casefold())

    def named(text: str) -> bool:
        folded = text.casefold()
        return folded in whole or any(f"{quote}{folded}{quote}" in script for script in scripts for quote in "\"'")

    return named


def _alike(real: Any, redacted: Any, people: Collection[str]) -> bool:
    """Tell whether two results are the same but for parts of people's names that could not be recognised."""
    if isinstance(real, dict) and isinstance(redacted, dict):
        return real.keys() == redacted.keys() and all(_alike(real[key], redacted[key], people) for key in real)
    if isinstance(real, list) and isinstance(redacted, list):
        return len(real) == len(redacted) and all(map(_alike, real, redacted, [people] * len(real)))
    if isinstance(real, str) and isinstance(redacted, str) and real != redacted:
        return set(words_of(real)) - set(words_of(redacted)) <= set(people)
    return bool(real == redacted)


def outgoing_case(name: str, issue: Issue, context: OutgoingContext) -> Case:
    """Return a case for the outgoing rules from a real run, still without an expectation."""
    return Case(
        name=name,
        direction="outgoing",
        first_sync=context.first_sync,
        linked=context.linked,
        issue=plain_issue(issue),
        previous=dict(context.previous) if context.previous is not None else None,
        own_items=sorted(context.own_items),
    )


def incoming_case(
    name: str, replica: Replica, context: IncomingContext, *, twins: Mapping[str, str | None] | None = None
) -> Case:
    """Return a case for the incoming rules from a real run, still without an expectation."""
    return Case(
        name=name,
        direction="incoming",
        first_sync=context.first_sync,
        project=context.project,
        default_type=context.default_type,
        may_create=sorted(context.may_create),
        issue=plain_issue(context.issue) if context.issue is not None else None,
        replica=replica.model_dump(mode="json"),
        previous=context.previous.model_dump(mode="json") if context.previous is not None else None,
        twins=dict(twins or {}),
    )


async def _evaluate(
    case: Case, ruleset: RuleSet, facts: TrackerFacts, engine: RuleEngine | None
) -> tuple[dict[str, Any], Mapping[str, Origin]]:
    if ruleset.direction != case.direction:
        raise ConfigError(
            f"The case {case.name!r} is for {case.direction} rules.", advice="Run it with the rules of that direction."
        )
    try:
        result = await _run(case, ruleset, facts, engine)
    except RuleError as error:
        return {"error": error.message}, {}
    if isinstance(result, Skip):
        return {"skip": result.reason}, {}
    return plain_result(result), result.origins


async def _run(case: Case, ruleset: RuleSet, facts: TrackerFacts, engine: RuleEngine | None) -> Shared | Draft | Skip:
    try:
        issue = issue_from_plain(case.issue) if case.issue is not None else None
        replica = Replica.model_validate(case.replica) if case.replica is not None else None
        previous = Replica.model_validate(case.previous) if case.previous and replica is not None else None
    except ValueError as error:
        why = first_problem(error) if isinstance(error, ValidationError) else "its issue has the wrong shape"
        raise ConfigError(f"The case {case.name!r} cannot be read: {why}.", advice="Record it again.") from None
    twins = _KnownTwins(case.twins, case.handles)
    if case.direction == "outgoing" and issue is not None:
        return await OutgoingRules(ruleset, version=0, engine=engine).evaluate(
            issue,
            OutgoingContext(
                first_sync=case.first_sync,
                linked=case.linked,
                previous=case.previous,
                own_items=frozenset(case.own_items),
                facts=facts,
                twins=twins,
            ),
        )
    if case.direction == "incoming" and replica is not None:
        return await IncomingRules(ruleset, version=0, engine=engine).evaluate(
            replica,
            IncomingContext(
                first_sync=case.first_sync,
                project=case.project,
                facts=facts,
                issue=issue,
                previous=previous,
                default_type=case.default_type,
                may_create=frozenset(case.may_create),
                twins=twins,
            ),
        )
    missing = "an issue" if case.direction == "outgoing" else "a replica"
    raise ConfigError(f"The case {case.name!r} has no input: it needs {missing}.", advice="Record it again.")


def _comparable(expected: Mapping[str, Any], got: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what is worth showing: an error or a skip says all, and nothing need not be written down."""
    ends = [{name: one[name] for name in ("error", "skip") if name in one} for one in (expected, got)]
    if any(ends):
        return ends[0], ends[1]
    shapes = [{name: value for name, value in one.items() if value is not None} for one in (expected, got)]
    return shapes[0], shapes[1]
