"""Reads the dates and durations of queries; every moment is milliseconds since 1970-01-01 UTC.

Literals as Jira documents them (https://support.atlassian.com/jira-software-cloud/docs/jql-fields/#Created): a day or
a minute in the asking user's own zone, or a period from now such as ``-5d`` or ``4w 2d``. A bare number is
milliseconds since 1970. The week starts on Sunday, as in a Jira with default settings.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

_LITERAL = re.compile(r"(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?: (\d{1,2}):(\d{2}))?\Z")
_PERIOD = re.compile(r"([+-]?)((?:\d{1,9}[wdhm])(?: *\d{1,9}[wdhm])*)\Z", re.IGNORECASE)
_PERIOD_PART = re.compile(r"(\d+)([wdhm])", re.IGNORECASE)
_MINUTES = {"w": 7 * 24 * 60, "d": 24 * 60, "h": 60, "m": 1}
_WORKING_MINUTES = {"w": 5 * 8 * 60, "d": 8 * 60, "h": 60, "m": 1}
"""Jira's default working week: five days of eight hours."""
_EFFORT = re.compile(r"(?:\d{1,9}[wdhm])(?: *\d{1,9}[wdhm])*\Z", re.IGNORECASE)
_INCREMENT = re.compile(r"([+-]?\d{1,6})([yMwdhm]?)\Z")
_LAST_YEAR = 9999
_DECEMBER = 12
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_milliseconds(moment: datetime) -> int:
    """Return milliseconds since 1970-01-01 UTC of a moment that has a zone."""
    return (moment - _EPOCH) // _MILLISECOND


def day_of(milliseconds: int, zone: tzinfo) -> date | None:
    """Return the calendar day of a moment in a zone; None where the calendar does not reach."""
    try:
        return (_EPOCH + milliseconds * _MILLISECOND).astimezone(zone).date()
    except OverflowError:
        return None


def start_of_day(milliseconds: int, zone: tzinfo) -> int:
    """Return the first moment of the calendar day of a moment; the moment itself where no calendar reaches."""
    day = day_of(milliseconds, zone)
    if day is None:
        return milliseconds
    return to_milliseconds(datetime(day.year, day.month, day.day, tzinfo=zone))


def read_moment(text: str, now: datetime, zone: tzinfo) -> int | None:
    """Read a date literal or a period from ``now``; None when it is neither."""
    text = text.strip()
    if found := _LITERAL.match(text):
        year, _, month, day, hour, minute = found.groups()
        try:
            local = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), tzinfo=zone)
            return to_milliseconds(local)
        except (ValueError, OverflowError):
            return None
    if found := _PERIOD.match(text):
        minutes = sum(int(count) * _MINUTES[unit.lower()] for count, unit in _PERIOD_PART.findall(found[2]))
        return to_milliseconds(now) + (-1 if found[1] == "-" else 1) * minutes * 60_000
    return None


def read_effort(text: str) -> int | None:
    """Read a working time such as ``2d 4h``, or a number of minutes; return seconds, None when it is neither."""
    text = text.strip()
    if re.fullmatch(r"\d{1,12}", text):
        return int(text) * 60
    if _EFFORT.match(text):
        return 60 * sum(int(count) * _WORKING_MINUTES[unit.lower()] for count, unit in _PERIOD_PART.findall(text))
    return None


@dataclass(frozen=True, slots=True)
class Boundary:
    """``startOfMonth()`` and its kin: the start or end of the unit that a moment lies in."""

    unit: str
    end: bool = False

    def read_increment(self, text: str) -> tuple[int, str] | None:
        """Read ``-1``, ``+2w`` or ``3M``; without a unit the boundary's own is meant. None when it is neither."""
        found = _INCREMENT.match(text.strip())
        return (int(found[1]), found[2] or self.unit) if found else None

    def of(self, now: datetime, zone: tzinfo, increment: tuple[int, str] = (0, "d")) -> int | None:
        """Return the boundary around ``now`` moved by the increment; None where the calendar does not reach."""
        try:
            moved = _moved(now.astimezone(zone), *increment)
            start = _start(moved, self.unit)
            if not self.end:
                return to_milliseconds(start)
            return to_milliseconds(_start(_moved(start, 1, self.unit), self.unit)) - 1
        except (ValueError, OverflowError):
            return None


def _moved(moment: datetime, count: int, unit: str) -> datetime:
    """Move a local time; days and longer keep the wall clock, as calendars do."""
    if unit in {"h", "m"}:
        step = timedelta(hours=count) if unit == "h" else timedelta(minutes=count)
        return (moment.astimezone(UTC) + step).astimezone(moment.tzinfo)
    if unit in {"d", "w"}:
        return moment + timedelta(days=count * (7 if unit == "w" else 1))
    months = moment.year * _DECEMBER + moment.month - 1 + count * (_DECEMBER if unit == "y" else 1)
    year, month = months // _DECEMBER, months % _DECEMBER + 1
    if not 1 <= year <= _LAST_YEAR:
        raise OverflowError(year)
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))


def _start(moment: datetime, unit: str) -> datetime:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "w":
        return day - timedelta(days=day.isoweekday() % 7)
    if unit == "M":
        return day.replace(day=1)
    if unit == "y":
        return day.replace(month=1, day=1)
    return day
