"""Durations as Jira writes them: ``1w 2d 3h 30m``, with a day of eight hours and a week of five days."""

from __future__ import annotations

import re

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 8 * HOUR
WEEK = 5 * DAY
_UNITS = {"w": WEEK, "d": DAY, "h": HOUR, "m": MINUTE}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([wdhm]?)", re.IGNORECASE)


def read_duration(text: str) -> int:
    """Read a duration into seconds; a number without a unit is minutes. Raises ValueError."""
    stripped = text.strip()
    if not stripped or _PART.sub("", stripped).strip():
        msg = f"{text!r} is not a duration"
        raise ValueError(msg)
    return round(sum(float(amount) * _UNITS[unit.lower() or "m"] for amount, unit in _PART.findall(stripped)))


def write_duration(seconds: int) -> str:
    """Write seconds as Jira does, down to minutes; ``0m`` for nothing."""
    parts = []
    rest = seconds
    for unit, size in _UNITS.items():
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount}{unit}")
    return " ".join(parts) or "0m"
