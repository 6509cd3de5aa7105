"""Differences, explanations and previews, as people read them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from node.errors import RuleError, UsageError
from node.rules.diff import diff_results, diff_rule_sets
from node.rules.explain import explain, explain_skip, origins_from_json, origins_to_json
from node.rules.model import Draft, DraftComment, Origin, Shared, Skip
from node.rules.preview import NOTICE, compare, preview_incoming, preview_outgoing
from node.rules.ruleset import Default, Direction, MappingStep, RuleSet, Scope, ScriptStep, basic_outgoing
from node.rules_desk.preview import read_replica
from tests.support.rule_sets import rule_sets

_OLD = RuleSet(
    direction="outgoing",
    method="manual",
    scope=Scope(labels=("a", "b")),
    steps=(
        MappingStep(source="summary", target="summary"),
        MappingStep(source="status", target="state", values={"Open": "New", "Done": "Over"}),
        ScriptStep(name="Labels", source="a = 1\nb = 2\nc = 3\n"),
    ),
)
_NEW = RuleSet(
    direction="outgoing",
    method="automatic",
    scope=Scope(labels=("a", "c")),
    steps=(
        MappingStep(source="status", target="state", values={"Open": "Start", "Done": "Over"}, otherwise="error"),
        ScriptStep(name="Labels", source="a = 1\nb = 20\nc = 3\n"),
        MappingStep(source="due", target="due", when="create", otherwise=Default(default="2026-11-24")),
    ),
)


def test_a_diff_of_rules_reads_like_a_report() -> None:
    """Every change has its place and its lines."""
    text = "\n".join(map(str, diff_rule_sets(_OLD, _NEW)))
    assert (
        text
        == """method: manual became automatic
scope, labels: 'a', 'b' became 'a', 'c'
  - b
  + c
step 1 (summary to summary) is gone
step 1 (status to state) changed
  - value 'Open' to 'New'
  + otherwise: error
  + value 'Open' to 'Start'
step 2 (script 'Labels') changed
  @@ -1,3 +1,3 @@
   a = 1
  -b = 2
  +b = 20
   c = 3
step 3 (due to due) is new
  + when: create
  + otherwise: default '2026-11-24'"""
    )


@given(rule_sets, rule_sets)
@settings(max_examples=150)
def test_only_equal_rules_have_no_differences(one: RuleSet, other: RuleSet) -> None:
    """A change that matters is never left out of the diff."""
    assert diff_rule_sets(one, one) == ()
    assert bool(diff_rule_sets(one, other)) == (one.to_body() != other.to_body())


def test_a_diff_of_results_names_step_and_line() -> None:
    """Values, lists and long texts each in their own way; empty is nothing."""
    before = {"fields": {"summary": "A", "labels": ["x", "y"], "d": "one\ntwo", "gone": 1, "same": 1}, "key": None}
    after = {"fields": {"summary": "B", "labels": ["y", "z"], "d": "one\n2", "same": 1, "new": None}, "key": "UD-1"}
    origins = {"summary": Origin(2), "labels": Origin(3, 7)}
    changes = diff_results(before, after, origins)
    assert [line for change in changes for line in change.lines()] == [
        "summary: A became B  (step 2)",
        "labels  (step 3, line 7)",
        "  - x",
        "  + z",
        "d",
        "  @@ -1,2 +1,2 @@",
        "   one",
        "  -two",
        "  +2",
        "key: nothing became UD-1",
        "gone: 1 became nothing",
    ]
    assert diff_results(None, None) == ()
    assert diff_results(after, after) == ()


def test_every_field_is_explained() -> None:
    """By the step, the line of the script as it is written, or by nobody."""
    origins = {"summary": Origin(1), "state": Origin(2), "labels": Origin(3, 2), "late": Origin(9)}
    assert [one.sentence for one in explain(_OLD, origins, [*origins, "type"])] == [
        "summary was let out by step 1, the mapping summary to summary.",
        "state was let out by step 2, the mapping status to state through its value map.",
        "labels was let out by step 3, the script 'Labels', line 2: b = 2.",
        "late was let out by step 9, which this version of the rules does not have.",
        "type: no step set it.",
    ]
    incoming = RuleSet(direction="incoming", steps=_NEW.steps)
    assert [one.sentence for one in explain(incoming, {"due": Origin(3)}, ["due", "type"])] == [
        "due was set by step 3, the mapping due to due when the issue entered sync.",
        "type: no step wanted it; Jira, or the project's default, decided.",
    ]
    assert explain_skip(_OLD, Skip("not for partners", Origin(3, 1))) == (
        "not for partners. Decided by step 3, the script 'Labels', line 1: a = 1."
    )


def test_a_default_that_stood_in_is_explained_as_such() -> None:
    """Not as the value map, which had no such value; in a list it may have stood in for some of several."""
    steps = (
        MappingStep(source="state", target="status", values={"New": "Open"}, otherwise=Default(default="Done")),
        MappingStep(source="tags", target="labels", values={"a": "b"}, otherwise=Default(default="x")),
    )
    rules = RuleSet(direction="incoming", steps=steps)
    past = {"status": Origin(1, past_map=True), "labels": Origin(2, defaulted="some", past_map=True)}
    assert origins_from_json(origins_to_json(past)) == past
    assert [one.sentence for one in explain(rules, past)] == [
        "status was set by step 1, the mapping state to status past its value map, which says nothing of this value.",
        (
            "labels was set by step 2, the mapping tags to labels past its value map, which says nothing of this "
            "value, and in part by its default."
        ),
    ]
    origins = {"status": Origin(1, defaulted="all"), "labels": Origin(2, defaulted="some")}
    assert [one.sentence for one in explain(rules, origins)] == [
        "status was set by step 1, the mapping state to status by its default.",
        "labels was set by step 2, the mapping tags to labels through its value map and in part by its default.",
    ]


@pytest.mark.parametrize(
    ("was", "now", "direction", "lines"),
    [
        (None, [], "outgoing", ["comments: are shared now, and there are none"]),
        (None, [{"body": "Hi"}], "outgoing", ["comments: are shared now", "  + body: Hi"]),
        ([], None, "outgoing", ["comments: are not shared any more"]),
        ([{"body": "Hi"}], None, "incoming", ["comments: are not taken over any more", "  - body: Hi"]),
        (None, [], "incoming", ["comments: are taken over now, and there are none"]),
        ([{"body": "Hi"}], [], "outgoing", ["comments", "  - body: Hi"]),
        (None, None, "outgoing", []),
    ],
)
def test_comments_that_are_shared_or_not_are_told_as_such(
    was: Any, now: Any, direction: Direction, lines: list[str]
) -> None:
    """Nothing becomes nothing: comments are shared now, or not any more."""
    changes = diff_results({"comments": was}, {"comments": now}, direction=direction)
    assert [line for change in changes for line in change.lines()] == lines


def test_an_empty_field_that_is_carried_is_not_one_that_is_not() -> None:
    """An empty field that leaves empties the other side."""
    [change] = diff_results({"fields": {}}, {"fields": {"labels": []}}, {"labels": Origin(6)})
    assert change.lines() == ["labels: is shared now, and it is empty  (step 6)"]
    [change] = diff_results({"fields": {"labels": []}}, {"fields": {}})
    assert change.lines() == ["labels: is not shared any more"]


def test_origins_survive_the_history() -> None:
    """So that a past sync can be explained."""
    origins = {"a": Origin(1, None, frozenset({"x", "y"}), "some"), "b": Origin(2, 7)}
    assert origins_from_json(origins_to_json(origins)) == origins


def test_an_outgoing_preview_shows_the_exact_payload() -> None:
    """And what is different from what the peer knows."""
    shared = Shared(fields={"summary": "B"}, origins={"summary": Origin(3)}, log=("hello",))
    payload = {"issue": "h", "fields": {"summary": "B"}, "comments": []}
    preview = preview_outgoing("UD-1", shared, payload=payload, sent={"fields": {"summary": "A"}, "comments": []})
    assert preview.payload == payload
    assert [change.lines() for change in preview.changes] == [["summary: A became B  (step 3)"]]
    assert preview.log == ("hello",)
    assert preview.notice == NOTICE
    assert not preview.quiet
    assert preview_outgoing("UD-1", shared, payload=payload, sent=payload).quiet
    skipped = preview_outgoing("UD-1", Skip("not now"), payload=None, sent=None)
    assert (skipped.skipped, skipped.quiet) == ("not now", True)
    failed = preview_outgoing("UD-1", RuleError("it failed", step=2), payload=None, sent=None)
    assert failed.error is not None
    assert failed.error.step == 2


def test_an_incoming_preview_shows_only_what_would_be_written() -> None:
    """Fields that are so already are not written."""
    draft = Draft(
        project="SC",
        fields={"summary": "B", "due": "2026-11-24"},
        comments=(DraftComment(handle="c", body="Hi"),),
        origins={"summary": Origin(1), "comments": Origin(2)},
    )
    preview = preview_incoming("UD-1", draft, ours={"summary": "A", "due": "2026-11-24", "labels": ["x"]})
    assert [change.field for change in preview.changes] == ["summary", "comments"]
    nothing = Draft(project="SC", fields={"labels": [], "due": None}, comments=(), attachments=(), origins={})
    assert preview_incoming("UD-1", nothing, ours={"summary": "A"}).quiet
    fresh = preview_incoming("UD-1", draft, ours=None)
    assert [change.field for change in fresh.changes] == ["summary", "due", "project", "comments"]
    assert preview_incoming("UD-1", Skip("no"), ours=None).skipped == "no"
    assert preview_incoming("UD-1", RuleError("bad"), ours=None).error is not None


def test_an_edit_is_compared_over_many_issues() -> None:
    """The sentence counts; every altered issue has its differences."""
    same = Shared(fields={"a": 1}, origins={"a": Origin(1)})
    moved = Shared(fields={"a": 1}, origins={"a": Origin(2)}, log=("x",))
    other = Shared(fields={"a": 2}, origins={"a": Origin(2)})
    comparison = compare(
        [
            ("UD-1", same, moved),
            ("UD-2", same, other),
            ("UD-3", same, Skip("not for them")),
            ("UD-4", same, RuleError("boom")),
            ("UD-5", Skip("no"), Skip("no")),
            ("UD-6", RuleError("boom"), same),
        ]
    )
    assert comparison.sentence == "This change alters 4 of 6 issues. 1 of them fails with it."
    assert [(one.label, one.change) for one in comparison.altered] == [
        ("UD-2", ""),
        ("UD-3", "is skipped: not for them"),
        ("UD-4", "fails: boom"),
        ("UD-6", "is carried now; before it fails: boom"),
    ]
    assert comparison.altered[0].changes[0].lines() == ["a: 1 became 2  (step 2)"]
    assert compare([("UD-1", same, same)]).sentence == "This change alters none of 1 issue."
    assert compare([]).sentence == "There was no issue to compare."
    assert compare([("x", same, same)]).altered == ()
    assert basic_outgoing().steps


@pytest.mark.parametrize(
    ("replica", "words"),
    [
        ({"fields": {}}, "'issue' is missing"),
        ({"issue": "h" * 22, "fields": {"x": 3.5}}, "'fields.x' has a number with a fraction, which travels as a text"),
        ({"issue": "h" * 22, "fields": {}, "comments": [{"body": "x"}]}, "'comments.1.id' is missing"),
        ({"issue": "h" * 22, "fields": 3}, "'fields' has to be a table of names and values"),
    ],
)
def test_a_file_that_holds_no_replica_is_told_in_our_words(replica: dict[str, Any], words: str) -> None:
    """Entries count from 1, and nobody reads the words of a library."""
    with pytest.raises(UsageError) as caught:
        read_replica(replica)
    assert caught.value.message.startswith(f"The file holds no replica: {words}")
