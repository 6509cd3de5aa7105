"""What would happen, put together for people: nothing in here sends or writes. Pure.

The evaluations are made by whoever calls it, with ``OutgoingRules`` and ``IncomingRules`` as in a real sync.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from node.errors import RuleError
from node.rules.diff import FieldChange, diff_results
from node.rules.issue_links import LINKS
from node.rules.model import Creation, Draft, Origin, Shared, Skip
from node.rules.plain import plain_result
from node.rules.ruleset import COLLECTIONS, Direction
from node.rules.script.engine import HelperCall
from node.rules.values import is_empty
from node.trackers.issue import Value

Evaluation: TypeAlias = Shared | Draft | Skip | RuleError

NOTICE = "What the other side does with it is decided by its own rules, which only it can see."
"""Belongs under every outgoing preview."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What one issue or replica would lead to.

    ``payload`` is exactly what would leave, or what our issue would get; None where nothing happens. ``changes`` are
    the differences to what the peer knows, or to what our issue holds. ``skipped`` or ``error`` say why not.
    """

    label: str
    payload: Mapping[str, Any] | None = None
    changes: tuple[FieldChange, ...] = ()
    skipped: str = ""
    error: RuleError | None = None
    log: tuple[str, ...] = ()
    calls: tuple[HelperCall, ...] = ()
    creates: tuple[Creation, ...] = ()
    """What would be made in our Jira first."""
    notice: str = ""

    @property
    def quiet(self) -> bool:
        """Tell whether nothing at all would be sent or written."""
        return self.payload is None or not self.changes


def preview_outgoing(
    label: str,
    evaluation: Shared | Skip | RuleError,
    *,
    payload: Mapping[str, Any] | None,
    sent: Mapping[str, Any] | None,
) -> Preview:
    """Show what would leave.

    Args:
        label: the issue's key.
        evaluation: what the outgoing rules gave.
        payload: the replica as it would be sealed, as JSON; None where the rules gave none.
        sent: the content that the peer knows, None where it knows nothing.
    """
    if isinstance(evaluation, RuleError):
        return Preview(label=label, error=evaluation, notice=NOTICE, log=_log(evaluation), calls=_calls(evaluation))
    if isinstance(evaluation, Skip):
        return Preview(label=label, skipped=evaluation.reason, log=evaluation.log, notice=NOTICE)
    return Preview(
        label=label,
        payload=payload,
        changes=diff_results(sent, payload, evaluation.origins),
        log=evaluation.log,
        calls=evaluation.calls,
        notice=NOTICE,
    )


def preview_incoming(
    label: str,
    evaluation: Draft | Skip | RuleError,
    *,
    ours: Mapping[str, Value] | None,
    linked: Mapping[str, str | None] | None = None,
) -> Preview:
    """Show what would be written: only fields that differ from ``ours`` (``trackers.fields``), None for a new issue.

    Comments, files, logged time and links are shown as wanted; those that are here already are not written again.
    ``linked`` has our keys for the peer's issues that links go to, None for those that are not linked here yet.
    """
    if isinstance(evaluation, RuleError):
        return Preview(label=label, error=evaluation, log=_log(evaluation), calls=_calls(evaluation))
    if isinstance(evaluation, Skip):
        return Preview(label=label, skipped=evaluation.reason, log=evaluation.log)
    payload = plain_result(evaluation)
    for link in payload.get(LINKS) or ():
        key = (linked or {}).get(link["issue"])
        link["here"] = key if key is not None else "waits until it is linked here"
    holds = ours or {}
    before: dict[str, Any] = {name: [] for name in (*COLLECTIONS, LINKS) if payload.get(name) is not None}
    before["fields"] = {
        name: value if is_empty(value) and is_empty(holds.get(name)) else holds.get(name)
        for name, value in payload["fields"].items()
    }
    if ours is not None:
        before["project"] = payload["project"]
    written = {name: value for name, value in payload.items() if name != "creates"}
    return Preview(
        label=label,
        payload=payload,
        changes=diff_results(before, written, evaluation.origins, direction="incoming"),
        log=evaluation.log,
        calls=evaluation.calls,
        creates=evaluation.creates,
    )


def _log(error: RuleError) -> tuple[str, ...]:
    return error.log


def _calls(error: RuleError) -> tuple[HelperCall, ...]:
    return tuple(getattr(error, "calls", ()))


@dataclass(frozen=True, slots=True)
class Altered:
    """One issue for which the edited rules decide otherwise. ``change`` says so where it is not about fields."""

    label: str
    changes: tuple[FieldChange, ...] = ()
    change: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What an edit of the rules would alter over many issues."""

    total: int
    altered: tuple[Altered, ...]

    @property
    def sentence(self) -> str:
        """Say it in one sentence."""
        if not self.total:
            return "There was no issue to compare."
        if not self.altered:
            return f"This change alters none of {self.total:,} {_issues(self.total)}."
        failing = sum(1 for one in self.altered if one.change.startswith(_FAILS))
        tail = f" {failing:,} of them {'fails' if failing == 1 else 'fail'} with it." if failing else ""
        return f"This change alters {len(self.altered):,} of {self.total:,} {_issues(self.total)}.{tail}"


_FAILS = "fails: "


def _issues(count: int) -> str:
    return "issue" if count == 1 else "issues"


def compare(evaluations: Sequence[tuple[str, Evaluation, Evaluation]]) -> Comparison:
    """Compare what the rules decide before and after an edit, for issues by label."""
    altered = [one for label, before, after in evaluations if (one := _compare(label, before, after)) is not None]
    return Comparison(len(evaluations), tuple(altered))


def _compare(label: str, before: Evaluation, after: Evaluation) -> Altered | None:
    was, now = _state(before), _state(after)
    if was == now and (was or _plain(before) == _plain(after)):
        return None
    if was or now:
        return Altered(label, change=now or f"is carried now; before it {was}")
    direction: Direction = "incoming" if isinstance(after, Draft) else "outgoing"
    return Altered(label, diff_results(_plain(before), _plain(after), _origins(after), direction=direction))


def _state(evaluation: Evaluation) -> str:
    if isinstance(evaluation, RuleError):
        return f"{_FAILS}{evaluation.message}"
    return f"is skipped: {evaluation.reason}" if isinstance(evaluation, Skip) else ""


def _plain(evaluation: Evaluation) -> Mapping[str, Any]:
    return plain_result(evaluation) if isinstance(evaluation, (Shared, Draft)) else {}


def _origins(evaluation: Evaluation) -> Mapping[str, Origin]:
    return evaluation.origins if isinstance(evaluation, (Shared, Draft)) else {}
