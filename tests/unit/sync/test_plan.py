"""Plans: the fewest calls, in an order that reads well, and nothing touched that the sync did not make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rules.model import Creation, Draft, DraftAttachment, DraftComment
from node.sync.plan import (
    AddComment,
    Attach,
    Create,
    Edit,
    EditComment,
    Move,
    Perform,
    Provide,
    Remove,
    TwinItem,
    comment_digest,
    digest,
    plan_create,
    plan_update,
)


def _draft(**parts: object) -> Draft:
    return Draft(**{"project": "UD", "fields": {}, **parts})  # type: ignore[arg-type]  # a short cut for tests


def _comment(handle: str, body: str = "text") -> DraftComment:
    return DraftComment(handle=handle, body=body)


def _file(handle: str) -> DraftAttachment:
    return DraftAttachment(handle=handle, name="a.png", size=1, blob="0" * 64)


def test_an_issue_is_created_with_one_call_then_moved_then_filled() -> None:
    """A new issue: fields in the create itself, then its status, then all files at once, then its comments."""
    draft = _draft(
        fields={"summary": "s", "description": None, "status": "Done"},
        comments=(_comment("c1"), _comment("c2")),
        attachments=(_file("f1"), _file("f2")),
    )
    assert plan_create(draft) == [
        Create("UD", {"summary": "s"}),
        Move("Done", {"summary": "s"}),
        Attach((_file("f1"), _file("f2"))),
        AddComment(_comment("c1")),
        AddComment(_comment("c2")),
    ]


def test_a_name_that_jira_lacks_is_made_before_the_issue_that_needs_it() -> None:
    """It comes first, and says which fields cannot be written without it; what no field needs is not made."""
    wanted = Creation(kind="versions", name="3.0", project="UD")
    draft = _draft(
        fields={"summary": "s", "fix_versions": ["1.0", "3.0"], "custom.Found in": "3.0", "labels": ["3.0"]},
        creates=(wanted, Creation(kind="components", name="Core", project="UD")),
    )
    needed_by = frozenset({"fix_versions", "custom.Found in"})
    assert plan_create(draft) == [Provide(wanted, needed_by), Create("UD", draft.fields)]


def test_a_value_that_lost_a_conflict_makes_nothing() -> None:
    """Only what the merge lets be written counts."""
    wanted = Creation(kind="versions", name="3.0", project="UD")
    draft = _draft(fields={"summary": "s", "fix_versions": ["3.0"]}, creates=(wanted,))
    assert plan_update(draft, {"summary": "s"}, ()) == [Edit({"summary": "s"})]


def test_several_fields_change_in_one_edit() -> None:
    """Alice changes three fields: Bob's Jira gets one edit."""
    fields = {"summary": "s", "priority": "High", "due": None}
    assert plan_update(_draft(), fields, ()) == [Edit(fields)]


def test_an_unchanged_comment_is_not_written_again() -> None:
    """Only the comment whose text changed is edited."""
    items = [TwinItem("comment", "c1", "10", digest("old")), TwinItem("comment", "c2", "11", digest("same"))]
    draft = _draft(comments=(_comment("c1", "new"), _comment("c2", "same")))
    assert plan_update(draft, {}, items) == [EditComment(_comment("c1", "new"), "10")]


@pytest.mark.parametrize("wanted", [{"internal": True}, {"restrict_to_role": "Developers"}, {}])
def test_a_copy_that_is_for_others_than_before_is_made_anew(wanted: dict[str, Any]) -> None:
    """Bob makes his comment internal, or everybody's again: no edit leaves the copy open to those it was open to."""
    before: dict[str, Any] = {} if wanted else {"internal": True}
    item = TwinItem("comment", "c1", "10", comment_digest(DraftComment(handle="c1", body="a word", **before)))
    comment = DraftComment(handle="c1", body="a word", **wanted)
    assert plan_update(_draft(comments=(comment,)), {}, [item]) == [Remove(item), AddComment(comment)]
    again = replace(item, digest=comment_digest(comment))
    assert plan_update(_draft(comments=(comment,)), {}, [again]) == []
    corrected = replace(comment, body="another word")
    assert plan_update(_draft(comments=(corrected,)), {}, [again]) == [EditComment(corrected, "10")]


def test_what_the_peer_removed_goes_and_nothing_else() -> None:
    """Alice deletes her comment: Bob's copy goes. His own comments are no items and cannot be planned away."""
    gone = TwinItem("comment", "c1", "10", digest("x"))
    assert plan_update(_draft(comments=()), {}, [gone]) == [Remove(gone)]


def test_a_collection_that_is_not_shared_stays_as_it_is() -> None:
    """Alice's rules stop sharing comments: the copies that Bob has are left alone."""
    item = TwinItem("comment", "c1", "10", digest("x"))
    assert plan_update(_draft(comments=None), {}, [item]) == []


_HANDLES = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)


@given(_HANDLES, _HANDLES)
def test_a_plan_that_was_carried_out_leaves_nothing_to_plan(before: list[str], wanted: list[str]) -> None:
    """Whatever was there and whatever is wanted: after the plan the items are exactly the wanted ones."""
    items = {handle: TwinItem("comment", handle, f"id-{handle}", digest(f"old {handle}")) for handle in before}
    draft = _draft(comments=tuple(_comment(handle, f"new {handle}") for handle in wanted))
    for operation in plan_update(draft, {}, list(items.values())):
        if isinstance(operation, AddComment):
            handle = operation.comment.handle
            items[handle] = TwinItem("comment", handle, "made", digest(operation.comment.body))
        elif isinstance(operation, EditComment):
            handle = operation.comment.handle
            items[handle] = TwinItem("comment", handle, operation.item_id, digest(operation.comment.body))
        elif isinstance(operation, Remove):
            del items[operation.item.handle]
    assert set(items) == set(wanted)
    assert plan_update(draft, {}, list(items.values())) == []


def test_a_resolution_goes_with_the_status() -> None:
    """Few Jiras take a resolution in an edit: with a change of status it goes with the transition, else in the edit."""
    draft = _draft(fields={"status": "Done", "resolution": "Fixed"})
    given = {"resolution": "Fixed"}
    assert plan_create(draft) == [Create("UD", {}), Move("Done", given, given)]
    assert plan_update(draft, {"status": "Done"}, ()) == [Move("Done", given)]
    assert plan_update(draft, {"status": "Done", "resolution": "Fixed"}, ()) == [Move("Done", given, given)]
    assert plan_update(draft, {"resolution": "Fixed"}, ()) == [Edit(given)]


def test_a_transition_is_asked_for_by_name_and_once() -> None:
    """A rule names a transition: it comes after the status, and only where the merge found it to be new."""
    draft = _draft(fields={"status": "Done"}, transition="Close")
    assert plan_create(draft) == [Create("UD", {}), Move("Done"), Perform("Close")]
    assert plan_update(draft, {"transition": "Close"}, ()) == [Perform("Close")]
    assert plan_update(draft, {}, ()) == []
