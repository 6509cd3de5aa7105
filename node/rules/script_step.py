"""What both directions do around a script step: find the engine, name origins, refuse a result. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from node.errors import RuleError
from node.rules.model import Origin
from node.rules.script.engine import HelperCall, RuleEngine, Script, ScriptFailed


def engine_or_refuse(engine: RuleEngine | None, step: int) -> RuleEngine:
    """Return the engine. Raises RuleError where there is none."""
    if engine is None:
        raise RuleError(
            f"Step {step} is a script, and this node has no script engine.",
            step=step,
            advice="Start the node with its script engine, or replace the step by mappings.",
        )
    return engine


def field_origins(step: int, lines: Mapping[str, int]) -> dict[str, Origin]:
    """Return where values come from that a script set: a step and a line; what it read is not known."""
    return {name: Origin(step, line) for name, line in lines.items()}


def refuse(step: int, why: str) -> NoReturn:
    """Say that a script's result cannot be used. Raises RuleError."""
    raise RuleError(
        f"The result of step {step} cannot be used: {why}.",
        step=step,
        advice="Correct the script, look at its preview, then retry the issue.",
    )


def value_refused(script: Script, line: int | None, why: Exception, calls: Sequence[HelperCall]) -> ScriptFailed:
    """Return the error for a value that our Jira cannot hold, with the line that set it."""
    rows = script.source.split("\n")
    shown = rows[line - 1] if line is not None and 1 <= line <= len(rows) else ""
    where = f" in line {line}" if line is not None else ""
    return ScriptFailed(
        script,
        f"failed{where}: {why}.",
        line=line,
        column=1 if shown else None,
        shown=shown[:500],
        advice="Correct that line, then retry the issue.",
        calls=calls,
    )
