"""Values between fields of different kinds."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rules.fields import decimal, shared_value, utc
from node.rules.values import NoMatch, Target, as_text, convert, find, items_of
from node.trackers.base import KINDS
from node.trackers.issue import Value

_OPTIONS = frozenset({"High", "Low", "Not set", "High / Very", "A", "A / B / C", "D / E"})


def _target(kind: str, allowed: frozenset[str] | None = None) -> Target:
    return Target(name="x", kind=kind, allowed=allowed, people={"Alice": "alice"})


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", "one", "one"),
        ("text", "one\r\ntwo\n", "one two"),
        ("text", " spaced  out ", " spaced  out "),
        ("text", ["a", "b"], "a, b"),
        ("text", True, "true"),
        ("text", {"display_name": "Alice", "email": "a@x.example"}, "Alice"),
        ("paragraph", "one\ntwo\n", "one\ntwo\n"),
        ("number", "5", 5),
        ("number", "5.50", 5.5),
        ("number", 7, 7),
        ("number", "-0.1", -0.1),
        ("date", "2026-11-24", "2026-11-24"),
        ("date", "2026-11-24T23:30:00-02:00", "2026-11-25"),
        ("date", "2026-11-24T23:30:00.000Z", "2026-11-24"),
        ("datetime", "2026-11-24", "2026-11-24T00:00:00.000Z"),
        ("datetime", "2026-11-24T10:00:00+01:00", "2026-11-24T09:00:00.000Z"),
        ("select", "high", "High"),
        ("select", ["Low"], "Low"),
        ("radio", "Low ", "Low"),
        ("multi-select", "high", "High"),
        ("cascading", ["High", "Very"], ["High", "Very"]),
        ("cascading", "High / Very", ["High", "Very"]),
        ("cascading", "low", ["Low"]),
        ("cascading", ["high", "VERY"], ["High", "Very"]),
        ("cascading", "HIGH / very", ["High", "Very"]),
        ("cascading", ["A", "b / c"], ["A", "B / C"]),
        ("cascading", "d / e", ["D / E"]),
        ("user", "Alice", "alice"),
        ("user", {"display_name": "Al", "email": "Alice"}, "alice"),
        ("labels", "two words", "two_words"),
        ("url", "https://example.com/a", "https://example.com/a"),
        ("version", "not set", "Not set"),
        ("duration", 3600, 3600),
        ("duration", "3600", 3600),
        ("other", {"any": ["thing"]}, {"any": ["thing"]}),
    ],
)
def test_a_value_takes_the_form_of_the_field(kind: str, value: Value, expected: Value) -> None:
    """What can be meant is converted."""
    converted = convert(value, _target(kind, _OPTIONS))
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("number", "five", "is not a number"),
        ("number", "NaN", "is not a number"),
        ("number", "1e999", "is not a number"),
        ("number", True, "is not a number"),
        ("date", "24.11.2026", "is not a date"),
        ("datetime", "soon", "is not a date and time"),
        ("select", "Medium", "does not"),
        ("select", ["High", "Low"], "2 values"),
        ("cascading", "x / b / c", "at most one option below"),
        ("cascading", "Nowhere / b", "offers"),
        ("cascading", ["Low", "Very"], "offers below 'Low'"),
        ("cascading", "High / Hardly", "offers below 'High'"),
        ("user", "Mallory", "nobody"),
        ("url", "javascript:alert(1)", "web address"),
        ("url", "http://[broken", "web address"),
        ("duration", "1d", "seconds"),
        ("duration", -1, "seconds"),
        ("duration", True, "seconds"),
        ("issue", "XX-1", "not linked"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(kind: str, value: Value, reason: str) -> None:
    """Nothing is bent to fit."""
    converted = convert(value, _target(kind, _OPTIONS))
    assert isinstance(converted, NoMatch)
    assert reason.replace("does not", "offers") in converted.reason


def test_every_kind_of_the_tracker_can_be_written() -> None:
    """A new kind in the tracker port needs a converter here."""
    for kind in KINDS:
        convert("x", _target(kind))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_the_wire(number: float) -> None:
    """A number leaves as a decimal text and becomes the same number again."""
    text = shared_value(number)
    assert isinstance(text, str)
    assert "e" not in text.lower()
    assert convert(text, _target("number")) == number


@pytest.mark.parametrize("number", [math.inf, math.nan])
def test_what_is_no_number_does_not_leave(number: float) -> None:
    """No Jira holds such a thing."""
    assert decimal(number) is None


@given(st.datetimes(timezones=st.just(UTC)), st.dates())
def test_times_and_days_survive_the_wire(moment: datetime, day: date) -> None:
    """To the millisecond, which is all that Jira keeps."""
    assert convert(utc(moment), _target("datetime")) == utc(moment)
    assert convert(day.isoformat(), _target("date")) == day.isoformat()


_VALUES: st.SearchStrategy[Value] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(_VALUES, st.sampled_from([*KINDS, "duration", "issue"]))
def test_no_value_of_the_peer_can_break_a_conversion(value: Value, kind: str) -> None:
    """Whatever comes is converted or refused; and what was converted stays what it is."""
    target = _target(kind, _OPTIONS if kind in {"select", "multi-select", "cascading"} else None)
    for item in items_of(value, target) if target.many else [value]:
        converted = convert(item, target)
        if not isinstance(converted, NoMatch) and kind not in {"user", "multi-user", "issue", "other"}:
            assert convert(converted, target) == converted
    assert isinstance(as_text(value), str)


def test_spelling_is_matched_exactly_first() -> None:
    """Two options that differ only in case are told apart; a third spelling is not guessed."""
    both = frozenset({"High", "HIGH", "low"})
    assert find("HIGH", both) == "HIGH"
    assert find("high", both) is None
    assert find("LOW", both) == "low"


def test_a_text_becomes_many_only_where_it_must() -> None:
    """A comma in an option's own name does not split it."""
    allowed = frozenset({"a, b", "c", "d"})
    assert items_of("a, b", _target("multi-select", allowed)) == ["a, b"]
    assert items_of("c, d", _target("multi-select", allowed)) == ["c", "d"]
    assert items_of("x y,z", _target("labels")) == ["x", "y", "z"]
