"""Which waiting messages a newer one makes needless."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.store.outbox import REPLICA, superseded

KINDS = st.sampled_from([REPLICA, "issue.removed", "outcome"])


def rows(kinds: list[str]) -> list[tuple[int, str]]:
    return list(enumerate(kinds, start=1))


def test_a_newer_replica_takes_the_place_of_all_older_ones() -> None:
    """Days of outage cost one replica per issue."""
    assert superseded(REPLICA, rows([REPLICA] * 3)) == [1, 2, 3]


def test_a_removal_is_never_jumped_over() -> None:
    """What was before the removal stays before it."""
    assert superseded(REPLICA, rows([REPLICA, "issue.removed", REPLICA])) == [3]


@given(kind=KINDS, waiting=st.lists(KINDS))
def test_only_replicas_give_way_and_only_to_a_replica(kind: str, waiting: list[str]) -> None:
    """Nothing that cannot be said again is ever dropped."""
    needless = superseded(kind, rows(waiting))
    assert all(waiting[row_id - 1] == REPLICA for row_id in needless)
    assert kind == REPLICA or not needless
    left = [other for row_id, other in rows(waiting) if row_id not in needless]
    assert [other for other in left if other != REPLICA] == [other for other in waiting if other != REPLICA]
