"""How many bad requests one address may make."""

from __future__ import annotations

from node.transport.limiter import BURST, MAX_ADDRESSES, FailureLimiter


def fail(limiter: FailureLimiter, address: str, times: int, now_ms: int = 0) -> None:
    for _ in range(times):
        limiter.failed(address, now_ms)


def test_an_address_may_fail_a_burst_and_then_ten_times_a_second() -> None:
    """After the burst is used up, a tenth of a second buys one more try."""
    limiter = FailureLimiter()
    fail(limiter, "1.2.3.4", int(BURST))
    assert not limiter.allows("1.2.3.4", 0)
    assert not limiter.allows("1.2.3.4", 99)
    assert limiter.allows("1.2.3.4", 100)


def test_other_addresses_do_not_pay_for_it() -> None:
    """One noisy stranger does not lock out the rest."""
    limiter = FailureLimiter()
    fail(limiter, "1.2.3.4", 1_000)
    assert limiter.allows("1.2.3.5", 0)


def test_the_memory_for_addresses_is_bounded() -> None:
    """A flood from everywhere costs a fixed amount."""
    limiter = FailureLimiter()
    for number in range(MAX_ADDRESSES + 100):
        limiter.failed(str(number), 0)
    assert len(limiter._buckets) == MAX_ADDRESSES


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    """Time is only ever counted forward."""
    limiter = FailureLimiter()
    fail(limiter, "1.2.3.4", int(BURST), now_ms=1_000_000)
    assert not limiter.allows("1.2.3.4", 0)
