"""Durations are read and written as Jira does it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.sandbox.durations import read_duration, write_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h 30m", 5400),
        ("2d", 57_600),
        ("1w", 144_000),
        ("1w 2d 3h 4m", 212_640),
        ("1.5h", 5400),
        ("90", 5400),
        ("3H", 10_800),
        ("  1h30m ", 5400),
        ("0m", 0),
    ],
)
def test_texts_are_read(text: str, seconds: int) -> None:
    """A day has eight hours, a week five days, and a bare number is minutes."""
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "   ", "soon", "1x", "h", "-1h", "1h soon"])
def test_other_texts_are_refused(text: str) -> None:
    """What is no duration is an error, never zero."""
    with pytest.raises(ValueError, match="is not a duration"):
        read_duration(text)


@given(st.integers(min_value=0, max_value=10**7))
def test_whole_minutes_survive(minutes: int) -> None:
    """What is written is read again as the same."""
    assert read_duration(write_duration(minutes * 60)) == minutes * 60
