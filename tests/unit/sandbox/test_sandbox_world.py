"""What happens to issues in the world itself, without HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.sandbox import attachments, comments, issues, links
from node.sandbox.changes import compare
from node.sandbox.clock import SandboxClock
from node.sandbox.errors import BadRequest, Forbidden
from node.sandbox.events import Event
from node.sandbox.fields import SYSTEM_DEFINITIONS
from node.sandbox.model import Issue, User
from node.sandbox.projects import add_component, delete
from node.sandbox.render import Renderer
from node.sandbox.render_issue import FieldChoice, IssueRenderer
from node.sandbox.seed import create_field, create_project, create_user, default_world
from node.sandbox.store import World

NOW = 1_700_000_000_000


def make_world() -> World:
    world = default_world(SandboxClock(lambda: NOW))
    create_project(world, "SC", "Scrum")
    return world


def person(world: World, name: str) -> User:
    user = world.user_named(name)
    assert user is not None
    return user


def make(world: World, **fields: Any) -> Issue:
    body = {"project": {"key": "SC"}, "issuetype": {"name": "Task"}, "summary": "One", **fields}
    return issues.create(world, {"fields": body}, person(world, "alice"))


def test_updated_strictly_increases_while_the_clock_stands_still() -> None:
    """Two changes in one millisecond still have an order."""
    world = make_world()
    issue = make(world)
    moments = [issue.updated]
    for number in range(5):
        issues.update(world, issue, {"fields": {"summary": f"Title {number}"}}, person(world, "alice"))
        moments.append(issue.updated)
    assert moments == sorted(set(moments))
    assert [change.at for change in issue.history] == moments[1:]


def test_a_refused_edit_changes_nothing() -> None:
    """One wrong field among right ones leaves all of them as they were, and nobody is told."""
    world = make_world()
    issue = make(world)
    told: list[Event] = []
    world.listen(told.append)
    body = {
        "fields": {"summary": "New", "duedate": "soon"},
        "update": {"comment": [{"add": {"body": "Hi"}}], "labels": [{"add": "x"}]},
        "properties": [{"key": "p", "value": 1}],
    }
    with pytest.raises(BadRequest) as wrong:
        issues.update(world, issue, body, person(world, "alice"))
    assert wrong.value.errors.keys() == {"duedate"}
    assert (issue.summary, issue.labels, issue.comments, issue.properties) == ("One", [], [], {})
    assert told == []


def test_a_comment_rides_along_with_an_edit() -> None:
    """One edit with a comment is one ``jira:issue_updated`` with both, after ``comment_created``."""
    world = make_world()
    issue = make(world)
    told: list[Event] = []
    world.listen(told.append)
    body = {"fields": {"summary": "New"}, "update": {"comment": [{"add": {"body": "Hi"}}]}}
    issues.update(world, issue, body, person(world, "bob"))
    assert [event.name for event in told] == ["comment_created", "jira:issue_updated"]
    assert told[1].change is not None
    assert told[1].comment is issue.comments[0]
    assert issue.comments[0].created == issue.updated


def test_required_and_hidden_fields_of_a_project() -> None:
    """A project may demand a field on create and take another off its screens."""
    world = make_world()
    project = world.project("SC")
    assert project is not None
    field = create_field(world, "Team", "text", projects=["SC"], issue_types=["Task"])
    project.required_fields.append(field.id)
    project.hidden_fields.append("environment")
    with pytest.raises(BadRequest) as missing:
        make(world)
    assert missing.value.errors == {field.id: "Team is required."}
    with pytest.raises(BadRequest) as hidden:
        make(world, **{field.id: "A", "environment": "Linux"})
    assert hidden.value.errors.keys() == {"environment"}
    with pytest.raises(BadRequest) as elsewhere:
        make(world, **{field.id: "A", "issuetype": {"name": "Bug"}})
    assert elsewhere.value.errors.keys() == {field.id}
    assert make(world, **{field.id: "A"}).custom == {field.id: "A"}


def test_deleting_an_issue_leaves_no_loose_ends() -> None:
    """Links, files and sub-tasks go with it; the other end of a link is told in its history."""
    world = make_world()
    alice = person(world, "alice")
    issue, other = make(world), make(world)
    child = make(world, issuetype={"name": "Sub-task"}, parent={"key": issue.key})
    attachments.add(world, child, alice, [("a.txt", "text/plain", b"x")])
    links.create(world, world.site.link_types["10000"], issue, other, alice)
    with pytest.raises(BadRequest):
        issues.delete(world, issue, alice, with_subtasks=False)
    issues.delete(world, issue, alice, with_subtasks=True)
    assert set(world.issues) == {other.id}
    assert (world.site.links, world.blobs, other.link_ids) == ({}, {}, [])
    assert [item.field for change in other.history for item in change.items] == ["Link", "Link"]


def test_deleting_a_project_takes_everything_along() -> None:
    """Issues, components and links into other projects are gone."""
    world = make_world()
    alice = person(world, "alice")
    other_project = create_project(world, "OP")
    project = world.project("SC")
    assert project is not None
    add_component(world, project, "API")
    here, there = make(world, components=[{"name": "API"}]), make(world, project={"key": "OP"})
    links.create(world, world.site.link_types["10000"], here, there, alice)
    delete(world, project, alice)
    assert list(world.site.projects) == [other_project.id]
    assert (list(world.issues), world.site.components, world.site.links) == ([there.id], {}, {})


def test_others_comments_are_not_ours_to_change() -> None:
    """Only the author or an administrator changes or removes a comment."""
    world = make_world()
    issue = make(world)
    comment = comments.add(world, issue, person(world, "alice"), comments.CommentDraft("Hi"))
    draft = comments.CommentDraft("Changed")
    with pytest.raises(Forbidden):
        comments.edit(world, issue, person(world, "bob"), comment, draft, {})
    with pytest.raises(Forbidden):
        comments.delete(world, issue, person(world, "bob"), comment)
    comments.edit(world, issue, person(world, "admin"), comment, draft, {})
    assert (comment.body, comment.update_author) == ("Changed", "admin")


def test_verbs_need_the_same_permissions_as_paths() -> None:
    """A comment of somebody else cannot be changed, nor one twice, nor a link made to itself, by way of an edit."""
    world = make_world()
    issue = make(world)
    bob = person(world, "bob")
    comment = comments.add(world, issue, person(world, "alice"), comments.CommentDraft("Hi"))
    gone = {"remove": {"id": comment.id}}
    itself = {"add": {"type": {"name": "Blocks"}, "outwardIssue": {"key": issue.key}}}
    for actor, update in (
        (bob, {"comment": [gone]}),
        (bob, {"comment": [{"edit": {"id": comment.id, "body": "Mine"}}]}),
        (person(world, "alice"), {"comment": [gone, gone]}),
        (bob, {"issuelinks": [itself]}),
    ):
        with pytest.raises(BadRequest):
            issues.update(world, issue, {"update": update}, actor)
    assert [one.body for one in issue.comments] == ["Hi"]
    bob.denied.append("ADD_COMMENTS")
    with pytest.raises(BadRequest):
        issues.update(world, issue, {"update": {"comment": [{"add": {"body": "No"}}]}}, bob)
    issues.update(world, issue, {"update": {"comment": [gone]}}, person(world, "alice"))
    assert issue.comments == []


@given(
    st.lists(st.sampled_from("abcd"), unique=True),
    st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.sampled_from("abcd")), max_size=8),
)
def test_label_verbs_do_what_sets_do(start: list[str], verbs: list[tuple[str, str]]) -> None:
    """Any run of add and remove ends in the set that a set would end in, sorted, and the changelog tells of it once."""
    world = make_world()
    issue = make(world, labels=start)
    expected = set(start)
    for verb, label in verbs:
        (expected.add if verb == "add" else expected.discard)(label)
    body = {"update": {"labels": [{verb: label} for verb, label in verbs]}}
    issues.update(world, issue, body, person(world, "alice"))
    assert issue.labels == sorted(expected)
    assert len(issue.history) == (1 if expected != set(start) else 0)


@given(st.lists(st.sampled_from("123"), unique=True), st.lists(st.sampled_from("123"), unique=True))
def test_a_list_of_versions_is_told_one_by_one(before: list[str], after: list[str]) -> None:
    """The changelog of a version field has one item per version that came or went."""
    items = compare(make_world(), SYSTEM_DEFINITIONS["fixVersions"], before, after)
    assert {item.before for item in items if item.before} == set(before) - set(after)
    assert {item.after for item in items if item.after} == set(after) - set(before)


@pytest.mark.parametrize(
    ("asked", "shown", "not_shown"),
    [
        (["summary"], {"summary"}, {"status", "comment"}),
        (["summary,status"], {"summary", "status"}, {"comment"}),
        (["*all"], {"summary", "comment"}, set()),
        (["*all", "-comment"], {"summary"}, {"comment"}),
        (["-summary"], {"status"}, {"summary", "comment"}),
        (["*navigable", "comment"], {"summary", "comment"}, {"attachment"}),
        ([], {"summary"}, {"comment", "attachment"}),
    ],
)
def test_the_choice_of_fields(asked: list[str], shown: set[str], not_shown: set[str]) -> None:
    """Names, ``*all``, ``*navigable`` and minus are understood together."""
    choice = FieldChoice.read(asked, "*navigable")
    assert {name for name in shown | not_shown if choice.shows(name)} == shown


def test_each_viewer_sees_their_own() -> None:
    """Moments are in the viewer's time zone; watching and voting are the viewer's own; hidden links are not shown."""
    world = make_world()
    create_project(world, "OP")
    dave = create_user(world, "dave", time_zone="America/New_York")
    dave.denied.append("BROWSE_PROJECTS:OP")
    issue, other = make(world), make(world, project={"key": "OP"})
    links.create(world, world.site.link_types["10000"], issue, other, person(world, "alice"))
    renderer = Renderer(world)
    seen_by_dave = IssueRenderer(renderer, dave).issue(issue)["fields"]
    seen_by_alice = IssueRenderer(renderer, person(world, "alice")).issue(issue)["fields"]
    assert (seen_by_dave["created"], seen_by_alice["created"]) == (
        "2023-11-14T17:13:20.000-0500",
        "2023-11-14T22:13:20.000+0000",
    )
    assert (seen_by_dave["watches"]["isWatching"], seen_by_alice["watches"]["isWatching"]) == (False, True)
    assert (len(seen_by_dave["issuelinks"]), len(seen_by_alice["issuelinks"])) == (0, 1)


def test_secrets_are_not_shown_by_accident() -> None:
    """Neither passwords nor tokens are kept or printed in the clear."""
    world = make_world()
    alice = person(world, "alice")
    token = world.create_token(alice)
    assert world.check_token(token) is alice
    assert world.check_token(token + "x") is None
    assert token not in repr(world.site)
    assert token not in world.site.tokens
    assert "digest" not in repr(alice)
    alice.active = False
    assert world.check_token(token) is None
    assert world.check_password("alice", "alice") is None
