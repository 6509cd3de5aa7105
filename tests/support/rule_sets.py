"""Hypothesis strategies for rule sets, and an issue to try them on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from node.rules.ruleset import Default, MappingStep, RuleSet, Scope, ScriptStep
from node.trackers.issue import Issue

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = texts.map(str.strip).filter(bool)
steps = st.one_of(
    st.builds(
        MappingStep,
        source=names,
        target=names,
        when=st.sampled_from(["always", "create"]),
        values=st.dictionaries(texts, texts, max_size=4),
        otherwise=st.one_of(st.sampled_from(["nothing", "error"]), st.builds(Default, default=texts)),
        people=st.sampled_from(["name", "email"]),
    ),
    st.builds(ScriptStep, name=names, source=st.text(st.characters(exclude_categories=["Cs"]), max_size=80)),
)
scopes = st.builds(Scope, **{name: st.lists(texts, max_size=2).map(tuple) for name in Scope.model_fields})
rule_sets = st.builds(
    RuleSet,
    direction=st.sampled_from(["outgoing", "incoming"]),
    method=st.sampled_from(["manual", "automatic", "disabled"]),
    scope=scopes,
    steps=st.lists(steps, max_size=4).map(tuple),
)


def an_issue(**changes: Any) -> Issue:
    """Return an issue of Alice's; keyword arguments replace its values."""
    values: dict[str, Any] = {
        "id": "10001",
        "key": "UD-1",
        "project": "UD",
        "type": "Bug",
        "summary": "The lamp does not light",
        "created": datetime(2026, 11, 20, 9, 0, tzinfo=UTC),
        "updated": datetime(2026, 11, 21, 10, 30, tzinfo=UTC),
    }
    return Issue(**{**values, **changes})
