"""Outgoing rules: from our issues to what leaves. Asks facts and the script engine, sends nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from node.errors import RuleError
from node.rules.contexts import OutgoingContext
from node.rules.helpers import ConnectionHelpers
from node.rules.mapping import Numbered
from node.rules.model import Shared, Skip
from node.rules.outgoing_steps import Leaving, map_step, script_inputs, take_result
from node.rules.ruleset import MappingStep, RuleSet, ScriptStep
from node.rules.scope import mismatch, seen_of_issue
from node.rules.script.engine import RuleEngine, Script, ScriptSchema
from node.rules.script_step import engine_or_refuse
from node.trackers.issue import Issue

__all__ = ["OutgoingContext", "OutgoingRules"]


class OutgoingRules:
    """One version of a connection's outgoing rules, ready to be evaluated. Raises RuleError with the step."""

    def __init__(self, ruleset: RuleSet, *, version: int, engine: RuleEngine | None = None) -> None:
        if ruleset.direction != "outgoing":
            raise ValueError("a rule set for the other direction")
        self.ruleset = ruleset
        self.version = version
        self._engine = engine
        self._steps = tuple(
            Numbered(number, step) if isinstance(step, MappingStep) else (number, step)
            for number, step in enumerate(ruleset.steps, start=1)
        )

    def out_of_scope(self, issue: Issue) -> str | None:
        """Return why an issue that is not linked does not enter sync by these rules, or None when it may."""
        return mismatch(self.ruleset.scope, seen_of_issue(issue))

    async def evaluate(self, issue: Issue, context: OutgoingContext) -> Shared | Skip:
        """Return what leaves of the issue. Raises RuleError, and what ``context.facts`` raises."""
        skip = self._not_at_all(issue, context)
        if skip is not None:
            return skip
        work = Leaving(issue, context)
        for step in self._steps:
            try:
                skip = await self._step(work, step)
            except RuleError as error:
                raise error.with_earlier_log(work.log) from error
            if skip is not None:
                return skip
        return work.shared()

    async def _step(self, work: Leaving, step: Numbered | tuple[int, ScriptStep]) -> Skip | None:
        if isinstance(step, Numbered):
            await map_step(work, step)
            return None
        script, helpers = await self._script(work, *step)
        inputs = await script_inputs(work)
        result = await engine_or_refuse(self._engine, step[0]).evaluate(script, inputs, helpers)
        return take_result(work, step[0], inputs, result)

    async def evaluate_many(self, issues: Sequence[tuple[Issue, OutgoingContext]]) -> list[Shared | Skip | RuleError]:
        """Evaluate many issues of one connection, in order; scripts run in batches. A failure is in the list.

        Raises only what the facts raise.
        """
        ended: dict[int, Shared | Skip | RuleError] = {}
        for index, (issue, context) in enumerate(issues):
            skip = self._not_at_all(issue, context)
            if skip is not None:
                ended[index] = skip
        works = {index: Leaving(*one) for index, one in enumerate(issues) if index not in ended}
        for step in self._steps:
            if isinstance(step, Numbered):
                ended |= await _map_many(works, step)
            else:
                ended |= await self._run_many(works, *step)
            works = {index: work for index, work in works.items() if index not in ended}
        ended |= {index: work.shared() for index, work in works.items()}
        return [ended[index] for index in range(len(issues))]

    def _not_at_all(self, issue: Issue, context: OutgoingContext) -> Skip | None:
        if self.ruleset.method == "disabled":
            return Skip("Outgoing sync is disabled on this connection.")
        if context.first_sync and not context.linked and (why := self.out_of_scope(issue)) is not None:
            return Skip(f"{issue.key} is not in the scope of the outgoing rules: {why}.")
        return None

    async def _script(self, work: Leaving, number: int, step: ScriptStep) -> tuple[Script, ConnectionHelpers]:
        facts, project = work.context.facts, work.issue.project
        schema = await facts.script_schema(project) if facts is not None else ScriptSchema()
        script = Script(step.source, "outgoing", schema, number, step.name)
        return script, ConnectionHelpers(facts, project, work.context.twins)

    async def _run_many(
        self, works: dict[int, Leaving], number: int, step: ScriptStep
    ) -> dict[int, Shared | Skip | RuleError]:
        """Run a script step; each project is a batch, because scripts see what their project offers."""
        ended: dict[int, Shared | Skip | RuleError] = {}
        projects: dict[str, list[int]] = defaultdict(list)
        for index, work in works.items():
            projects[work.issue.project].append(index)
        for indexes in projects.values():
            script, helpers = await self._script(works[indexes[0]], number, step)
            inputs = [await script_inputs(works[index]) for index in indexes]
            results = await engine_or_refuse(self._engine, number).evaluate_many(script, inputs, helpers)
            for index, given, result in zip(indexes, inputs, results, strict=True):
                try:
                    end = result if isinstance(result, RuleError) else take_result(works[index], number, given, result)
                except RuleError as error:
                    end = error
                if end is not None:
                    ended[index] = end.with_earlier_log(works[index].log) if isinstance(end, RuleError) else end
        return ended


async def _map_many(works: dict[int, Leaving], numbered: Numbered) -> dict[int, Shared | Skip | RuleError]:
    ended: dict[int, Shared | Skip | RuleError] = {}
    for index, work in works.items():
        try:
            await map_step(work, numbered)
        except RuleError as error:
            ended[index] = error.with_earlier_log(work.log)
    return ended
