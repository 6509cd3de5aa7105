"""Words and waiting times for what goes wrong with a call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import TrackerBusy, TrackerError
from node.trackers.jira.failures import (
    DEFAULT_RETRY_AFTER,
    LONGEST_RETRY_AFTER,
    Answer,
    Call,
    clean,
    jira_reasons,
    judge,
    retry_after,
)

NOW_MS = 1_795_500_000_000  # Tue, 24 Nov 2026 06:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, DEFAULT_RETRY_AFTER),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 1.5 "}, 1.5),
        ({"Retry-After": "-1"}, DEFAULT_RETRY_AFTER),
        ({"Retry-After": "soon"}, DEFAULT_RETRY_AFTER),
        ({"Retry-After": "99999999"}, LONGEST_RETRY_AFTER),
        ({"Retry-After": "9" * 500}, DEFAULT_RETRY_AFTER),
        ({"Retry-After": "Tue, 24 Nov 2026 06:00:20 GMT"}, 20.0),
        ({"Retry-After": "Tue, 24 Nov 2026 05:00:00 GMT"}, 0.0),
        ({"Retry-After": "Tue, 24 Nov 2026 06:00:20 GMT", "Date": "Tue, 24 Nov 2026 06:00:15 GMT"}, 5.0),
    ],
)
def test_the_time_to_wait_is_what_jira_says(headers: dict[str, str], seconds: float) -> None:
    """Seconds or an HTTP date, read by Jira's own clock where it tells it; nonsense is the default, never a crash."""
    assert retry_after(headers, NOW_MS) == seconds


def test_busy_carries_the_time_to_wait() -> None:
    """The queue waits as long as Jira asks, also not at all."""
    for status in (429, 503):
        error = judge(Call("x", write=True), Answer(status, {"Retry-After": "0"}, b""), now_ms=NOW_MS)
        assert isinstance(error, TrackerBusy)
        assert error.retry_after == 0.0


@given(st.text())
def test_foreign_words_are_one_short_line(text: str) -> None:
    """Whatever Jira writes can stand in a message."""
    cleaned = clean(text)
    assert len(cleaned) <= 300
    assert len(cleaned.splitlines()) <= 1
    cleaned.encode()


@given(st.binary() | st.from_regex(r'\{"(errors|errorMessages|message)": [\[\]{}"a0:,]*\}').map(str.encode))
def test_reasons_come_from_any_body(body: bytes) -> None:
    """The body of an error is never trusted to have a shape."""
    text, fields = jira_reasons(body)
    assert isinstance(text, str)
    assert all(isinstance(reason, str) for reason in fields.values())


@given(
    st.integers(100, 599),
    st.booleans(),
    st.dictionaries(st.sampled_from(["Retry-After", "X-Seraph-LoginReason"]), st.text()),
)
def test_every_answer_is_a_success_or_a_sentence(status: int, write: bool, headers: dict[str, str]) -> None:
    """No status escapes; only 2xx can be a success."""
    error = judge(Call("do it", write=write), Answer(status, headers, b""), now_ms=NOW_MS)
    if error is None:
        assert status < 300
    else:
        assert isinstance(error, TrackerError)
        assert error.message.endswith(".")
        assert "do it" in error.message
