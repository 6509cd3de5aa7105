"""When a silent peer is tried again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.transport.backoff import CAP_MS, LONGEST_RETRY_AFTER_MS, delay_ms

JITTER = st.floats(0, 1, exclude_max=True)


@given(attempts=st.integers(1, 10_000), jitter=JITTER)
def test_a_wait_is_never_longer_than_the_cap(attempts: int, jitter: float) -> None:
    """Fifteen minutes, however long the peer has been silent."""
    assert 0 <= delay_ms(attempts, jitter) < CAP_MS


def test_the_ceiling_doubles_from_one_second_to_fifteen_minutes() -> None:
    """With all the jitter there is, the wait is the ceiling."""
    almost = 1 - 1e-12
    ceilings = [delay_ms(attempts, almost) + 1 for attempts in range(1, 13)]
    assert ceilings == [1_000 * 2**n for n in range(10)] + [CAP_MS, CAP_MS]


@given(attempts=st.integers(1, 100), jitter=JITTER, seconds=st.floats(0, 1e9))
def test_what_the_peer_asks_for_is_honoured_up_to_an_hour(attempts: int, jitter: float, seconds: float) -> None:
    """A proxy that says "come back next year" does not silence a connection."""
    wait = delay_ms(attempts, jitter, retry_after=seconds)
    assert wait >= min(int(seconds * 1_000), LONGEST_RETRY_AFTER_MS)
    assert wait <= max(CAP_MS, LONGEST_RETRY_AFTER_MS)
