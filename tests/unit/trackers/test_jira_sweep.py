"""A sweep over issues that go on being updated while it runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import UsageError
from node.trackers.jira.sweep import Place

PAGE = 3
MOVES = st.lists(st.lists(st.integers(0, 30), max_size=3), max_size=12)


@given(st.lists(st.integers(0, 6_500), max_size=30), MOVES, st.integers(0, 3_000))
def test_every_issue_is_seen_whatever_is_updated_meanwhile(
    times: list[int], moves: list[list[int]], since: int
) -> None:
    """Between two pages issues move to the end; each issue that was due at the start is still seen."""
    updated = dict(enumerate(times))
    due = {issue for issue, time in updated.items() if time >= since}
    clock = 10_000
    seen: set[int] = set()
    place = Place.parse(str(since))
    for _ in range(200):
        low, high = place.since_ms, place.since_ms + 1000 if place.start is not None else clock + 1
        assert place.condition.startswith(f"updated >= {low}")
        assert ("<" in place.condition) == (place.start is not None)
        matching = sorted((time, issue) for issue, time in updated.items() if low <= time < high)
        page = matching[place.start or 0 :][:PAGE]
        seen |= {issue for _, issue in page}
        cursor = place.next([time for time, _ in page], len(matching))
        if cursor is None:
            break
        for issue in moves.pop() if moves else []:
            if issue in updated:
                clock += 700
                updated[issue] = clock
        place = Place.parse(cursor)
    else:
        pytest.fail("the sweep does not end")
    assert due <= seen


def test_a_quiet_tracker_costs_one_call() -> None:
    """A page that holds everything is the last one."""
    assert Place.parse("5000").next([], 0) is None
    assert Place.parse("5000").next([5000, 5001], 2) is None


def test_a_crowded_second_is_walked_by_numbers() -> None:
    """A bulk change of many issues is one second; then the sweep goes on after it."""
    assert Place.parse("5000").next([5000, 5400], 9) == "5000:0:0"
    assert Place.parse("5000:0:0").next([5000, 5400], 3) == "5000:2:3"
    assert Place.parse("5000:2:3").next([5900], 3) == "6000"
    assert Place.parse("5000:2:3").next([], 2) == "5000:0:0"


@pytest.mark.parametrize("cursor", ["", "x", "1:2", "-5", "1:2:3:4", "1 OR 1", "9" * 30])
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    """A cursor ends up in a query."""
    with pytest.raises(UsageError):
        Place.parse(cursor)
