"""Which issues enter sync: several values of one filter are or, different filters are and."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rules.ruleset import Scope
from node.rules.scope import mismatch, seen_of_fields, seen_of_issue
from node.trackers.issue import User
from tests.support.rule_sets import an_issue

_ISSUE = an_issue(
    labels=("partner", "UI"),
    status="Open",
    priority="High",
    description="It stays dark.",
    assignee=User("alice", "Alice Smith", "alice@blue.example"),
)


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        (Scope(), None),
        (Scope(labels=("partner",)), None),
        (Scope(labels=("other", "PARTNER")), None),
        (Scope(labels=("other",)), "its labels is none of 'other'"),
        (Scope(labels=("partner",), status=("Done", "Open")), None),
        (Scope(labels=("partner",), status=("Done",)), "its status is none of 'Done'"),
        (Scope(summary=("LAMP",)), None),
        (Scope(summary=("sofa", "chair")), "its summary contains none of 'sofa', 'chair'"),
        (Scope(description=("dark",)), None),
        (Scope(assignee=("alice",)), None),
        (Scope(assignee=("Alice Smith",)), None),
        (Scope(assignee=("alice@blue.example",)), None),
        (Scope(reporter=("alice",)), "its reporter is none of 'alice'"),
        (Scope(project=("SC",)), "its project is none of 'SC'"),
        (Scope(type=("bug",)), None),
        (Scope(priority=("Low",)), "its priority is none of 'Low'"),
    ],
)
def test_a_scope_says_which_filter_does_not_agree(scope: Scope, why: str | None) -> None:
    """The first filter that keeps the issue out is named."""
    assert mismatch(scope, seen_of_issue(_ISSUE)) == why


_NAMES = ("project", "type", "status", "priority", "labels", "assignee", "reporter")
_FEW = st.sampled_from(["a", "b", "c"])


@given(
    st.fixed_dictionaries({name: st.frozensets(_FEW).map(sorted).map(tuple) for name in _NAMES}),
    st.fixed_dictionaries({name: st.frozensets(_FEW).map(sorted) for name in _NAMES}),
)
def test_or_within_a_filter_and_between_filters(
    filters: dict[str, tuple[str, ...]], shown: dict[str, list[str]]
) -> None:
    """An issue is in scope exactly when each filter that has values shares one with it."""
    expected = all(not wanted or set(wanted) & set(shown[name]) for name, wanted in filters.items())
    assert (mismatch(Scope(**filters), shown) is None) == expected


def test_an_incoming_scope_reads_what_the_peer_sends() -> None:
    """A filter on something that the peer does not send keeps the issue out."""
    seen = seen_of_fields({"labels": ["a", "b"], "type": "Bug", "priority": None})
    assert mismatch(Scope(labels=("b",), type=("Bug",)), seen) is None
    assert mismatch(Scope(priority=("High",)), seen) == "its priority is none of 'High'"
