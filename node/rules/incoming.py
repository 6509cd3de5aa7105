"""Incoming rules: from a replica to what we want in our issue. Asks facts and the script engine, writes nothing."""

from __future__ import annotations

from node.errors import RuleError
from node.rules.contexts import IncomingContext
from node.rules.incoming_draft import Coming, ensure_type, refuse_open_secrets
from node.rules.incoming_steps import map_step, run_script, sets_parent
from node.rules.mapping import Numbered
from node.rules.model import Draft, Skip
from node.rules.ruleset import MappingStep, RuleSet, ScriptStep, is_visual
from node.rules.scope import mismatch, seen_of_fields
from node.rules.script.engine import RuleEngine
from protocol.replica import Replica

__all__ = ["IncomingContext", "IncomingRules"]


class IncomingRules:
    """One version of a connection's incoming rules, ready to be evaluated. Raises RuleError with the step."""

    def __init__(self, ruleset: RuleSet, *, version: int, engine: RuleEngine | None = None) -> None:
        if ruleset.direction != "incoming":
            raise ValueError("a rule set for the other direction")
        self.ruleset = ruleset
        self.version = version
        self._engine = engine
        self._steps = tuple(
            Numbered(number, step) if isinstance(step, MappingStep) else (number, step)
            for number, step in enumerate(ruleset.steps, start=1)
        )

    async def evaluate(self, replica: Replica, context: IncomingContext) -> Draft | Skip:
        """Return what we want in our issue. Raises RuleError and what ``context.facts`` raises."""
        if self.ruleset.method == "disabled":
            return Skip("Incoming sync is disabled on this connection.")
        if context.issue is None and self.ruleset.method == "manual":
            return Skip("Incoming sync is manual on this connection: only issues that are linked take changes.")
        if context.first_sync and context.issue is None:
            why = mismatch(self.ruleset.scope, seen_of_fields(replica.fields))
            if why is not None:
                return Skip(f"The issue is not in the scope of the incoming rules: {why}.")
        project = context.issue.project if context.issue else context.project
        work = Coming(replica, context, project, parent=not is_visual(self.ruleset) or sets_parent(self.ruleset))
        for step in self._steps:
            try:
                skip = await self._step(work, step)
            except RuleError as error:
                raise error.with_earlier_log(work.log) from error
            if skip is not None:
                return skip
        await ensure_type(work)
        await refuse_open_secrets(work)
        return work.draft()

    async def _step(self, work: Coming, step: Numbered | tuple[int, ScriptStep]) -> Skip | None:
        if not isinstance(step, Numbered):
            return await run_script(work, *step, self._engine)
        if step.step.when == "always" or work.context.issue is None:
            await map_step(work, step)
        return None
