"""Turns a value that came over the wire into one that a field of our Jira can hold. Pure.

The other side's field may be of another kind: a text becomes an option, a date and time becomes a day, one value
becomes a list of one. What cannot be meant is refused with a reason, never bent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeAlias
from urllib.parse import urlsplit

from node.rules.fields import decimal, utc
from node.trackers.issue import Value

LISTS = frozenset({"multi-select", "checkbox", "multi-user", "labels", "multi-version"})
"""Kinds that hold many values."""
CHOICES = frozenset({"select", "radio", "multi-select", "checkbox", "version", "multi-version"})
"""Kinds whose values Jira lists."""
PEOPLE = frozenset({"user", "multi-user"})
"""Kinds that hold users."""

LEVEL = " / "
"""Stands between the two levels of a cascading option where it is written as one text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A field of our Jira. ``allowed`` is None where any value goes; ``people`` has the user ids already looked up."""

    name: str
    kind: str
    allowed: frozenset[str] | None = None
    people: Mapping[str, str] = field(default_factory=dict)
    nobody: Mapping[str, str] = field(default_factory=dict)
    """Why a name stands for nobody, where that is known; completes "the value does not fit: it ..."."""

    @property
    def many(self) -> bool:
        """Tell whether the field holds a list."""
        return self.kind in LISTS


@dataclass(frozen=True, slots=True)
class NoMatch:
    """A value does not fit. ``reason`` completes "the value does not fit: it ..."."""

    reason: str


Item: TypeAlias = "Value | NoMatch"


def is_empty(value: Value) -> bool:
    """Tell whether a field with this value reads as empty."""
    return value is None or value in ("", [], {})


def as_text(value: Value) -> str:
    """Return a value as one line or text that a person would read."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return decimal(value) or ""
    if isinstance(value, list):
        return ", ".join(text for text in map(as_text, value) if text)
    if isinstance(value, dict):
        name = value.get("display_name")
        parts = [name] if isinstance(name, str) else list(value.values())
        return LEVEL.join(text for text in map(as_text, parts) if text)
    return "" if value is None else str(value)


def shortened(text: str) -> str:
    """Return a text as a sentence shows it: in quotes, on one line, its beginning only where it is long."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= _SHOWN else flat[:_SHOWN] + "…")


_SHOWN = 60
"""Characters of a value that are shown in a sentence."""


def key_of(value: Value, kind: str) -> str:
    """Return the text under which a value is looked up in a value map."""
    return LEVEL.join(map(as_text, value)) if kind == "cascading" and isinstance(value, list) else as_text(value)


def person_of(value: Value) -> str:
    """Return the text by which a person is looked up: the e-mail address where there is one, else the name."""
    if isinstance(value, dict) and isinstance(value.get("email"), str):
        return str(value["email"]).strip()
    return as_text(value).strip()


def find(name: str, among: frozenset[str]) -> str | None:
    """Return the entry that is spelled exactly so, else the only one with the same letters in any case."""
    if name in among:
        return name
    folded = name.casefold().strip()
    same = [entry for entry in among if entry.casefold().strip() == folded]
    return same[0] if len(same) == 1 else None


def items_of(value: Value, target: Target) -> list[Value]:
    """Return the single values of a value that goes into a field of many."""
    if isinstance(value, list):
        return list(value)
    if is_empty(value):
        return []
    if not isinstance(value, str):
        return [value]
    if target.kind == "labels":
        return [part for part in re.split(r"[\s,]+", value) if part]
    parts: list[Value] = [part.strip() for part in value.split(",") if part.strip()]
    if target.allowed is not None and find(value, target.allowed) is None and len(parts) > 1:
        return parts
    return [value]


def convert(value: Value, target: Target) -> Item:
    """Return one value in the form that the field holds. Lists are converted item by item by the caller."""
    if isinstance(value, list):
        if target.kind in {"text", "paragraph", "other"}:
            value = as_text(value)
        elif len(value) == 1:
            value = value[0]
        elif target.kind != "cascading":
            return NoMatch(f"has {len(value)} values where one is possible")
    return _CONVERTERS[target.kind](value, target)


def _text(value: Value, _: Target) -> Item:
    text = as_text(value)
    return " ".join(text.split()) if "\n" in text or "\r" in text else text


def _paragraph(value: Value, _: Target) -> Item:
    return as_text(value)


def _number(value: Value, _: Target) -> Item:
    if isinstance(value, bool):
        return NoMatch("is not a number")
    try:
        number = Decimal(as_text(value).strip())
    except InvalidOperation:
        return NoMatch("is not a number")
    if not math.isfinite(float(number)):
        return NoMatch("is not a number that a field holds")
    whole = abs(number) <= _MAX_WHOLE and number == number.to_integral_value()
    return int(number) if whole else float(number)


_MAX_WHOLE = 1 << 53
"""Up to here every whole number is one in double precision."""


def _moment(value: Value) -> datetime | date | None:
    text = as_text(value).strip()
    try:
        if len(text) <= len("2026-11-24"):
            return date.fromisoformat(text)
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _date(value: Value, _: Target) -> Item:
    moment = _moment(value)
    if moment is None:
        return NoMatch("is not a date such as 2026-11-24")
    if isinstance(moment, datetime):
        moment = moment.astimezone(UTC).date() if moment.tzinfo else moment.date()
    return moment.isoformat()


def _datetime(value: Value, _: Target) -> Item:
    moment = _moment(value)
    if moment is None:
        return NoMatch("is not a date and time such as 2026-11-24T02:08:00Z")
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _choice(value: Value, target: Target) -> Item:
    text = as_text(value).strip()
    if target.allowed is None:
        return text
    found = find(text, target.allowed)
    return NoMatch("is not a value that this field offers") if found is None else found


def _cascading(value: Value, target: Target) -> Item:
    parts = [as_text(part) for part in value] if isinstance(value, list) else as_text(value).split(LEVEL)
    parts = [part.strip() for part in parts if part.strip()]
    if target.allowed is None:
        return list[Value](parts) if 1 <= len(parts) <= _LEVELS else NoMatch(_TOO_DEEP)
    path = find(LEVEL.join(parts), target.allowed)
    if path is not None:
        return list[Value](_levels(path, target.allowed))
    if len(parts) > _LEVELS:
        return NoMatch(_TOO_DEEP)
    first = find(parts[0], target.allowed) if parts else None
    return NoMatch("is not a value that this field offers" + (f" below {first!r}" if first is not None else ""))


_LEVELS = 2
"""A cascading field has options, and options below them."""
_TOO_DEEP = "is not an option with at most one option below it"


def _levels(path: str, allowed: frozenset[str]) -> list[str]:
    """Part an option of our Jira from the one below it; either may have the separator in its own name."""
    for place in range(1, len(path)):
        if path.startswith(LEVEL, place) and path[:place] in allowed:
            return [path[:place], path[place + len(LEVEL) :]]
    return [path]


def _user(value: Value, target: Target) -> Item:
    name = person_of(value)
    found = target.people.get(name)
    if found is not None:
        return found
    return NoMatch(target.nobody.get(name) or "is nobody whom this Jira or the user map knows")


def _label(value: Value, _: Target) -> Item:
    return "_".join(as_text(value).split()) or NoMatch("is empty")


def _url(value: Value, _: Target) -> Item:
    text = as_text(value).strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return NoMatch("is not a web address")
    if parts.scheme.lower() not in {"http", "https"} or not parts.netloc:
        return NoMatch("is not a web address")
    return text


def _duration(value: Value, _: Target) -> Item:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    text = as_text(value).strip()
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else NoMatch("is not a number of seconds")


def _issue(value: Value, target: Target) -> Item:
    found = target.people.get(as_text(value).strip())
    return NoMatch("is an issue that is not linked on this connection") if found is None else found


def _other(value: Value, _: Target) -> Item:
    return value


_CONVERTERS: Mapping[str, Callable[[Value, Target], Item]] = {
    "text": _text,
    "paragraph": _paragraph,
    "number": _number,
    "date": _date,
    "datetime": _datetime,
    "select": _choice,
    "radio": _choice,
    "multi-select": _choice,
    "checkbox": _choice,
    "version": _choice,
    "multi-version": _choice,
    "cascading": _cascading,
    "user": _user,
    "multi-user": _user,
    "labels": _label,
    "url": _url,
    "duration": _duration,
    "issue": _issue,
    "other": _other,
}
