"""Previews and changes as JSON: what the API answers, and the command line prints. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from node.errors import AccordError, RuleError
from node.rules.diff import FieldChange
from node.rules.guard import Stopped
from node.rules.model import Origin
from node.rules.preview import Preview


def shown_change(change: FieldChange) -> dict[str, Any]:
    """Return a change with its values; ``lines`` are how a person reads it."""
    return {
        "field": change.field,
        "before": change.before,
        "after": change.after,
        "step": change.origin.step if change.origin else None,
        "line": change.origin.line if change.origin else None,
        "lines": change.lines(),
    }


def shown_error(error: AccordError | None) -> dict[str, Any] | None:
    """Return an error with the place in the rules, where there is one."""
    if error is None:
        return None
    return {
        "message": error.message,
        "advice": error.advice,
        "step": getattr(error, "step", None) if isinstance(error, RuleError) else None,
        "line": getattr(error, "line", None),
        "column": getattr(error, "column", None),
        "shown": getattr(error, "shown", ""),
    }


def shown_preview(
    preview: Preview,
    *,
    origins: Mapping[str, Origin],
    payload: Mapping[str, Any] | None,
    guard: Sequence[Stopped] = (),
    error: AccordError | None = None,
    size: int | None = None,
) -> dict[str, Any]:
    """Return a preview.

    ``payload`` is exactly what would leave, the whole message, or what our issue would get; ``size`` its bytes.
    """
    error = error or preview.error
    return {
        "key": preview.label,
        "result": _result(preview, guard, error),
        "skipped": preview.skipped,
        "error": shown_error(error),
        "guard": [{"pattern": one.pattern, "field": one.field} for one in guard],
        "changes": [shown_change(change) for change in preview.changes],
        "payload": payload,
        "bytes": size,
        "origins": {name: {"step": origin.step, "line": origin.line} for name, origin in origins.items()},
        "calls": [
            {"name": call.name, "arguments": list(call.arguments), "result": call.result} for call in preview.calls
        ],
        "log": list(preview.log),
        "creates": [asdict(creation) for creation in preview.creates],
        "notice": preview.notice,
    }


def _result(preview: Preview, guard: Sequence[Stopped], error: AccordError | None) -> str:
    if error is not None:
        return "fails"
    if preview.skipped:
        return "skipped"
    if guard:
        return "stopped"
    return "unchanged" if preview.quiet else "changes"
