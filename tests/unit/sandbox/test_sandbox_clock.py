"""Moments are written as Jira writes them, and the clock only goes forward."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.sandbox.clock import SandboxClock, read_moment, write_moment, zone_of


def test_a_moment_has_milliseconds_and_an_offset_without_a_colon() -> None:
    """The form is that of real answers, in any zone."""
    assert write_moment(1_700_000_000_007) == "2023-11-14T22:13:20.007+0000"
    assert write_moment(1_700_000_000_007, ZoneInfo("America/Los_Angeles")) == "2023-11-14T14:13:20.007-0800"


@given(
    st.integers(min_value=-30_000_000_000_000, max_value=250_000_000_000_000),
    st.sampled_from(["UTC", "Asia/Kolkata", "America/Vancouver", "Nowhere/Atall"]),
)
def test_moments_survive_in_every_zone(moment: int, zone: str) -> None:
    """What is written is read again to the millisecond, also before 1970."""
    assert read_moment(write_moment(moment, zone_of(zone))) == moment


@pytest.mark.parametrize("text", ["", "soon", "2023-13-01T00:00:00.000+0000", "0001-01-01T00:00:00.000+0000"])
def test_other_texts_are_no_moments(text: str) -> None:
    """What cannot be read, or not be written in every zone, is an error."""
    with pytest.raises(ValueError, match=r"year|month|isoformat"):
        read_moment(text)


def test_the_clock_never_goes_back() -> None:
    """A source that jumps back does not take the clock with it; a test can move it forward."""
    times = iter([1000, 900, 1100, 1200])
    clock = SandboxClock(lambda: next(times))
    assert [clock.now_ms(), clock.now_ms(), clock.now_ms()] == [1000, 1000, 1100]
    clock.advance(60)
    assert clock.now_ms() == 61_200
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)
