"""Helpers for days and times, and regular expressions.

The text runs inside the sandbox; see this package.
"""


# ruff: noqa: PLR2004, A002 - the box pays for every constant at every run; the names are those that people write

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

from node.rules.script.prelude.objects import _state

_MAX_PATTERN = 1_000
_MAX_TEXT = 200_000


class Dates:
    """Days (``2026-11-24``) and times (``2026-11-24T09:00:00.000Z``) as texts: they compare in the right order."""

    def now(self) -> str:
        """Return the time of this evaluation."""
        return str(_state.now)

    def today(self) -> str:
        """Return the day of this evaluation, in UTC."""
        return str(_state.now)[:10]

    def parse(self, text: str, format: Any = None) -> Any:
        """Return a day or time that is written in another form (``%d.%m.%Y``)."""
        if not text:
            return None
        if format is None:
            return _iso(_moment(text))
        moment = datetime.strptime(text, format)  # noqa: DTZ007 - a form without a zone means UTC
        return _iso(moment.date() if "%H" not in format and "%I" not in format else moment)

    def format(self, value: Any, format: str) -> Any:
        """Return a day or time written in another form (``%d.%m.%Y``)."""
        return _moment(value).strftime(format) if value else None

    def add_days(self, value: Any, days: int) -> Any:
        """Return the day or time so many days later (or earlier)."""
        return _iso(_moment(value) + timedelta(days=days)) if value else None

    def add_hours(self, value: Any, hours: float) -> Any:
        """Return the time so many hours later (or earlier)."""
        return _iso(_moment(value) + timedelta(hours=hours)) if value else None

    def add_business_days(self, value: Any, days: int) -> Any:
        """Return the day or time so many days from Monday to Friday later (or earlier)."""
        if not value:
            return None
        if abs(days) > 5_000:
            raise ValueError("add_business_days counts up to 5000 days")
        moment, step, left = _moment(value), timedelta(days=1 if days >= 0 else -1), abs(days)
        while left > 0:
            moment = moment + step
            if moment.weekday() < 5:
                left -= 1
        return _iso(moment)

    def days_between(self, first: Any, second: Any) -> int:
        """Return how many days lie between two days or times."""
        return int((_day(second) - _day(first)).days)

    def is_business_day(self, value: Any) -> bool:
        """Whether a day is one from Monday to Friday."""
        return bool(_moment(value).weekday() < 5)


def _moment(value: Any) -> Any:
    if isinstance(value, str):
        text = value.strip()
        if len(text) == 10:
            return date.fromisoformat(text)
        if text[-5:-4] in ("+", "-") and text[-3:-2] != ":":
            text = text[:-2] + ":" + text[-2:]
        return datetime.fromisoformat(text.replace("Z", "+00:00"))  # noqa: FURB162 - the box does not know Z
    if isinstance(value, (datetime, date)):
        return value
    raise TypeError("a day or a time is expected, as text")


def _day(value: Any) -> Any:
    return date.fromisoformat(_iso(_moment(value))[:10])


def _iso(moment: Any) -> str:
    if not isinstance(moment, datetime):
        return str(moment.isoformat())
    zone = timezone.utc  # noqa: UP017 - the box has no UTC of that name
    whole = (moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)).isoformat()
    # As the node writes the times of an issue, so that texts compare in the right order.
    return f"{whole[:19]}.{whole[20:23] if whole[19] == '.' else '000'}Z"


def _bounded(pattern: Any, text: Any) -> str:
    if not isinstance(pattern, str) or len(pattern) > _MAX_PATTERN:
        raise ValueError(f"a regular expression is a text of at most {_MAX_PATTERN} characters")
    if text is None:
        return ""
    if not isinstance(text, str) or len(text) > _MAX_TEXT:
        raise ValueError(f"regular expressions search texts of at most {_MAX_TEXT} characters")
    return text


def re_search(pattern: str, text: Any, ignore_case: bool = False) -> Any:
    """Return the first match as a list, the whole first and then the groups; None where there is none."""
    found = re.search(pattern, _bounded(pattern, text), re.IGNORECASE if ignore_case else 0)
    return None if found is None else [found.group(0), *found.groups()]


def re_findall(pattern: str, text: Any, ignore_case: bool = False) -> Any:
    """Return all matches: texts, or lists where the expression has several groups."""
    found = re.findall(pattern, _bounded(pattern, text), re.IGNORECASE if ignore_case else 0)
    return [list(entry) if isinstance(entry, tuple) else entry for entry in found]


def re_sub(pattern: str, replacement: str, text: Any, ignore_case: bool = False) -> Any:
    """Return the text with every match replaced."""
    return re.sub(pattern, replacement, _bounded(pattern, text), flags=re.IGNORECASE if ignore_case else 0)


def re_split(pattern: str, text: Any) -> Any:
    """Return the parts between the matches."""
    return re.split(pattern, _bounded(pattern, text))
