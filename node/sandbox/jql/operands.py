"""Turns what stands right of an operator into the values that are looked for, or refuses it as Jira does."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from node.sandbox.jql.context import FieldKind, JqlContext, JqlField
from node.sandbox.jql.dates import day_of, read_effort, read_moment
from node.sandbox.jql.errors import JqlError
from node.sandbox.jql.functions import find_function
from node.sandbox.jql.syntax import Call, Empty, ListOperand, Literal, Operand, Operator, to_jql

_ISSUE_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]+\Z")
_COUNTS = {"votes": "Votes", "watches": "Watchers"}
DATE_FORMATS = (
    "Valid formats include: 'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', "
    "or a period format e.g. '-5d', '4w 2d'."
)
_DAY_FORMATS = "Valid formats include: 'YYYY/MM/DD', 'YYYY-MM-DD', or a period format e.g. '-5d', '4w 2d'."


@dataclass(frozen=True, slots=True)
class Target:
    """The left side: a field, the name that the query used for it, and who asks."""

    field: JqlField
    name: str
    context: JqlContext


@dataclass(frozen=True, slots=True)
class Wanted:
    """The values that are looked for, in the shape of the field's kind, and whether EMPTY is among them.

    DATETIME values are whole seconds, as Jira's index holds no less; LABEL and STRING values are in folded case.
    """

    values: tuple[object, ...]
    empty: bool


def wanted(target: Target, operator: Operator, operand: Operand) -> Wanted:
    """Return what the operand stands for. Raises JqlError when it does not fit the operator or the field."""
    _check_list(target, operator, operand)
    values: list[object] = []
    empty = False
    for item in _flat(operand):
        if isinstance(item, Empty) or _means_empty(target, item):
            empty = True
        elif isinstance(item, Call):
            values.extend(_called(target, item))
        else:
            values.extend(_literal(target, item))
    return Wanted(tuple(dict.fromkeys(values)), empty)


def stored_values(field: JqlField, values: Sequence[object]) -> Sequence[object]:
    """Return an issue's values in the shape in which ``Wanted`` holds its own."""
    if field.kind is FieldKind.DATETIME:
        return [value // 1000 for value in values if isinstance(value, int)]
    if field.kind in {FieldKind.LABEL, FieldKind.STRING}:
        return [str(value).casefold() for value in values]
    return values


def _flat(operand: Operand) -> Iterator[Literal | Empty | Call]:
    if isinstance(operand, ListOperand):
        for item in operand.items:
            yield from _flat(item)
    else:
        yield operand


def _means_empty(target: Target, item: Literal | Call) -> bool:
    return target.field.id == "resolution" and isinstance(item, Literal) and item.text.casefold() == "unresolved"


def _check_list(target: Target, operator: Operator, operand: Operand) -> None:
    is_list = isinstance(operand, ListOperand) or (isinstance(operand, Call) and find_function(operand).many)
    if operator.takes_list and not is_list:
        kind = "non-list value"
    elif is_list and not operator.takes_list:
        kind = "list value"
    else:
        return
    raise JqlError(
        f"Operator '{operator.value}' does not support the {kind} '{to_jql(operand)}' for field '{target.name}'.",
    )


def _called(target: Target, call: Call) -> Sequence[object]:
    function = find_function(call)
    if function.fits(target.field):
        values = function.yields(target.context, call)
        return [_from_moment(target, value) for value in values] if _is_date(target.field) else values
    if _is_date(target.field):
        raise JqlError(
            f"A date for the field '{target.name}' provided by the function '{call.name}' is not valid.",
        )
    raise JqlError(f"A value provided by the function '{call.name}' is invalid for the field '{target.name}'.")


def _is_date(field: JqlField) -> bool:
    return field.kind in {FieldKind.DATETIME, FieldKind.DATE}


def _from_moment(target: Target, moment: object) -> object:
    if not isinstance(moment, int):
        raise TypeError(f"a date function yielded {type(moment).__name__}")
    if target.field.kind is FieldKind.DATETIME:
        return moment // 1000
    day = day_of(moment, target.context.time_zone)
    return day or (date.max if moment > 0 else date.min)


def _literal(target: Target, literal: Literal) -> Sequence[object]:
    kind = target.field.kind
    if kind in {FieldKind.ENTITY, FieldKind.USER, FieldKind.GROUP, FieldKind.ISSUE}:
        return _resolved(target, literal)
    if _is_date(target.field):
        return [_from_moment(target, _moment(target, literal))]
    if kind is FieldKind.NUMBER:
        return [_number(target, literal)]
    if kind is FieldKind.DURATION:
        effort = read_effort(literal.text)
        if effort is None:
            raise JqlError(
                f"The value '{literal.text}' for field '{target.name}' is invalid. Please specify a positive "
                "duration format; for example: '1h 30m', '2d'.",
            )
        return [effort]
    return [literal.text.casefold()]


def _resolved(target: Target, literal: Literal) -> Sequence[object]:
    text = literal.text
    found = () if text == "" else target.context.resolve(target.field, text, id_first=literal.number)
    if found:
        return found
    if literal.number:
        message = f"A value with ID '{text}' does not exist for the field '{target.name}'."
    elif target.field.kind is not FieldKind.ISSUE:
        message = f"The value '{text}' does not exist for the field '{target.name}'."
    elif _ISSUE_KEY.match(text):
        message = f"An issue with key '{text}' does not exist for field '{target.name}'."
    else:
        message = f"The issue key '{text}' for field '{target.name}' is invalid."
    raise JqlError(message)


def _moment(target: Target, literal: Literal) -> int:
    if literal.number:
        return int(literal.text)
    day_only = target.field.kind is FieldKind.DATE
    moment = read_moment(literal.text, target.context.now, target.context.time_zone)
    if moment is None or (day_only and ":" in literal.text):
        formats = _DAY_FORMATS if day_only else DATE_FORMATS
        raise JqlError(f"Date value '{literal.text}' for field '{target.name}' is invalid. {formats}")
    return moment


def _number(target: Target, literal: Literal) -> float:
    counted = _COUNTS.get(target.field.id)
    if counted is not None:
        if re.fullmatch(r"[0-9]{1,18}", literal.text):
            return int(literal.text)
        raise JqlError(
            f"Value '{literal.text}' is invalid for the '{target.name}' field. "
            f"{counted} must be a positive whole number.",
        )
    try:
        value = float(literal.text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise JqlError(f"The value '{literal.text}' for field '{target.name}' is invalid - please specify a number.")
    return value
