"""WAS and CHANGED: what a field held, when, and who set it.

An issue's past is replayed as periods: a value, from when until when, and who put it there. The first value is its
creator's. WAS looks for a period, CHANGED for a change; AFTER, BEFORE, DURING, ON and BY narrow both, FROM and TO
only CHANGED. After Atlassian's reference of JQL operators. Former names of values are not known: a value is looked
up among those that exist now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from node.sandbox.jql.context import FieldKind, JqlChange, JqlField, JqlIssue
from node.sandbox.jql.dates import read_moment, start_of_day
from node.sandbox.jql.errors import JqlError
from node.sandbox.jql.functions import find_function
from node.sandbox.jql.operands import DATE_FORMATS, Target, wanted
from node.sandbox.jql.syntax import Call, Clause, ListOperand, Literal, Operand, Operator, Predicate, to_jql

_FOREVER = float("inf")
_DAY = 24 * 60 * 60 * 1000
_BY_FIELD = JqlField("by", ("by",), FieldKind.USER)
_MOMENT_FIELD = JqlField("created", ("created",), FieldKind.DATETIME)
_OPERATOR_NAMES = {
    Operator.WAS: "WAS",
    Operator.WAS_NOT: "WAS_NOT",
    Operator.WAS_IN: "WAS_IN",
    Operator.WAS_NOT_IN: "WAS_NOT_IN",
}
_TWO = 2


@dataclass(frozen=True, slots=True)
class _Period:
    value: str | None
    start: float
    end: float
    author: str | None


@dataclass(frozen=True, slots=True)
class _Conditions:
    """What the predicates of one clause ask; times in milliseconds since 1970-01-01 UTC."""

    after: float = -_FOREVER
    before: float = _FOREVER
    windows: tuple[tuple[float, float], ...] = ()
    by: frozenset[object] | None = None
    old: frozenset[object] | None = None
    new: frozenset[object] | None = None

    def take_period(self, period: _Period) -> bool:
        return (
            period.end > self.after
            and period.start < self.before
            and all(period.start <= end and period.end >= start for start, end in self.windows)
            and (self.by is None or period.author in self.by)
        )

    def take_change(self, change: JqlChange) -> bool:
        return (
            self.after < change.at < self.before
            and all(start <= change.at <= end for start, end in self.windows)
            and (self.by is None or change.author in self.by)
            and (self.old is None or change.before in self.old)
            and (self.new is None or change.after in self.new)
        )


def compile_history(clause: Clause, target: Target) -> Callable[[JqlIssue], bool]:
    """Compile a WAS or CHANGED clause. Raises JqlError when a value or predicate does not fit."""
    conditions = _conditions(clause, target)
    field = target.field
    if clause.operator is Operator.CHANGED:
        if clause.operand is not None:
            shown = clause.operand.text if isinstance(clause.operand, Literal) else to_jql(clause.operand)
            raise JqlError(
                "The CHANGED operator does not support the use of values without predicates. "
                f"You must prefix the {shown} value with a suitable predicate.",
            )
        return lambda issue: any(map(conditions.take_change, issue.jql_history(field.id)))
    if clause.operand is None:
        raise TypeError("only CHANGED comes without an operand")
    sought = wanted(target, Operator.IN if clause.operator.takes_list else Operator.EQ, clause.operand)
    values = {*sought.values, None} if sought.empty else {*sought.values}

    def was(issue: JqlIssue) -> bool:
        return any(period.value in values and conditions.take_period(period) for period in _periods(field, issue))

    if clause.operator in {Operator.WAS_NOT, Operator.WAS_NOT_IN}:
        return lambda issue: not was(issue)
    return was


def _periods(field: JqlField, issue: JqlIssue) -> list[_Period]:
    """Replay the changes from the newest back to the creation."""
    created = next((at for at in issue.jql_values("created") if isinstance(at, int)), 0)
    creator = next((str(user) for user in issue.jql_values("creator")), None)
    held: dict[str | None, float] = dict.fromkeys(map(str, issue.jql_values(field.id)), _FOREVER) or {None: _FOREVER}
    periods = []
    for change in reversed(issue.jql_history(field.id)):
        end = held.pop(change.after, None)
        if end is not None:
            periods.append(_Period(change.after, change.at, end, change.author))
        if change.before is not None or not held:
            held.setdefault(change.before, change.at)
    periods.extend(_Period(value, created, end, creator) for value, end in held.items())
    return periods


def _conditions(clause: Clause, target: Target) -> _Conditions:
    conditions = _Conditions()
    for predicate in clause.predicates:
        conditions = _narrowed(conditions, clause, predicate, target)
    return conditions


def _narrowed(conditions: _Conditions, clause: Clause, predicate: Predicate, target: Target) -> _Conditions:
    name, operand = predicate.name, predicate.operand
    if name == "by":
        return replace(conditions, by=_values(replace(target, field=_BY_FIELD), operand))
    if name in {"from", "to"}:
        if clause.operator is not Operator.CHANGED:
            raise JqlError(
                f"The {_OPERATOR_NAMES[clause.operator]} operator does not support the use of the "
                f"{to_jql(predicate)} predicate.",
            )
        values = _values(target, operand)
        return replace(conditions, old=values) if name == "from" else replace(conditions, new=values)
    if name == "during":
        start, end = _two_moments(predicate, target)
        return replace(conditions, windows=(*conditions.windows, (start, end)))
    moment = _one_moment(predicate, target)
    if name == "on":
        start = start_of_day(moment, target.context.time_zone)
        return replace(conditions, windows=(*conditions.windows, (start, start + _DAY - 1)))
    if name == "after":
        return replace(conditions, after=max(conditions.after, moment))
    return replace(conditions, before=min(conditions.before, moment))


def _values(target: Target, operand: Operand) -> frozenset[object]:
    many = isinstance(operand, ListOperand) or (isinstance(operand, Call) and find_function(operand).many)
    sought = wanted(target, Operator.IN if many else Operator.EQ, operand)
    return frozenset({*sought.values, None} if sought.empty else sought.values)


def _one_moment(predicate: Predicate, target: Target) -> int:
    operand = predicate.operand
    if isinstance(operand, ListOperand):
        if len(operand.items) != 1:
            raise JqlError(f"The {predicate.name.upper()} predicate must be supplied with only 1 date value.")
        operand = operand.items[0]
    return _moment(predicate, operand, target)


def _two_moments(predicate: Predicate, target: Target) -> tuple[int, int]:
    operand = predicate.operand
    if not isinstance(operand, ListOperand) or len(operand.items) != _TWO:
        raise JqlError("The DURING predicate must be supplied with exactly 2 date values.")
    start, end = (_moment(predicate, item, target) for item in operand.items)
    return start, end


def _moment(predicate: Predicate, operand: Operand, target: Target) -> int:
    context = target.context
    if isinstance(operand, Literal):
        moment = int(operand.text) if operand.number else read_moment(operand.text, context.now, context.time_zone)
        if moment is not None:
            return moment
        raise JqlError(f"Date value '{operand.text}' for predicate '{predicate.name}' is invalid. {DATE_FORMATS}")
    if isinstance(operand, Call):
        function = find_function(operand)
        if function.fits(_MOMENT_FIELD):
            moments: Sequence[object] = function.yields(context, operand)
            if moments and isinstance(moments[0], int):
                return moments[0]
        raise JqlError(
            f"A date for the predicate '{predicate.name}' provided by the function '{operand.name}' is not valid.",
        )
    raise JqlError(f"The {predicate.name.upper()} predicate does not take the value {to_jql(operand)}.")
