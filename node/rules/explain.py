"""Says which step let each field out or in, for one past sync. Pure: works on what was kept of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from node.rules.diff import label
from node.rules.model import Origin, Skip
from node.rules.ruleset import MappingStep, RuleSet, ScriptStep


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where one field's value came from; ``sentence`` says it all."""

    field: str
    sentence: str
    step: int | None = None
    line: int | None = None


def explain(
    ruleset: RuleSet, origins: Mapping[str, Origin], fields: Iterable[str] | None = None
) -> tuple[Explanation, ...]:
    """Explain the fields of a result: those named, else all of which an origin is known, in that order.

    Args:
        ruleset: the version with which the sync was made.
        origins: what the evaluation noted.
        fields: names to explain; one without an origin is explained as such.
    """
    return tuple(_explain(ruleset, name, origins.get(name)) for name in (origins if fields is None else fields))


def explain_skip(ruleset: RuleSet, skip: Skip) -> str:
    """Say why an issue did not leave or come in."""
    if skip.origin is None:
        return skip.reason
    reason = skip.reason if skip.reason.endswith((".", "!", "?")) else f"{skip.reason}."
    return f"{reason} Decided by {_where(ruleset, skip.origin)}."


def _explain(ruleset: RuleSet, name: str, origin: Origin | None) -> Explanation:
    leaves = ruleset.direction == "outgoing"
    if origin is None:
        why = "no step set it" if leaves else "no step wanted it; Jira, or the project's default, decided"
        return Explanation(name, f"{name}: {why}.")
    verb = "was let out by" if leaves else "was set by"
    return Explanation(name, f"{name} {verb} {_where(ruleset, origin)}.", origin.step, origin.line)


def _where(ruleset: RuleSet, origin: Origin) -> str:
    if not 1 <= origin.step <= len(ruleset.steps):
        return f"step {origin.step}, which this version of the rules does not have"
    step = ruleset.steps[origin.step - 1]
    if isinstance(step, MappingStep):
        parts = [f"step {origin.step}, the mapping {label(step)}"]
        if step.when == "create":
            parts.append("when the issue entered sync")
        some = origin.defaulted == "some"
        if origin.defaulted == "all":
            parts.append("by its default")
        elif origin.past_map:
            parts.append("past its value map, which says nothing of this value" + (", and" if some else ""))
        elif step.values:
            parts.append("through its value map" + (" and" if some else ""))
        if some:
            parts.append("in part by its default")
        return " ".join(parts)
    return f"step {origin.step}, the {label(step)}{_line_of(step, origin.line)}"


def _line_of(step: ScriptStep, line: int | None) -> str:
    if line is None:
        return ""
    lines = step.source.splitlines()
    written = lines[line - 1].strip() if 1 <= line <= len(lines) else ""
    return f", line {line}: {written}" if written else f", line {line}"


def origins_to_json(origins: Mapping[str, Origin]) -> dict[str, Any]:
    """Return origins as JSON, for the history of a link."""
    return {
        name: {
            "step": origin.step,
            "line": origin.line,
            "sources": sorted(origin.sources),
            **({"defaulted": origin.defaulted} if origin.defaulted else {}),
            **({"past_map": True} if origin.past_map else {}),
        }
        for name, origin in origins.items()
    }


def origins_from_json(data: Mapping[str, Any]) -> dict[str, Origin]:
    """Read what ``origins_to_json`` wrote."""
    return {
        name: Origin(
            int(entry["step"]),
            entry.get("line"),
            frozenset(entry.get("sources", ())),
            entry.get("defaulted", ""),
            entry.get("past_map", False),
        )
        for name, entry in data.items()
    }
