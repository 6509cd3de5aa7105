"""Reading Jira's JSON of issues: all the real ones, and the traps."""

from __future__ import annotations

import copy
import json
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import TrackerNonsense
from node.trackers.issue import Issue, Restriction, User
from node.trackers.jira.custom import FieldCatalogue
from node.trackers.jira.payload import Reader, marked_worklog_comment, property_value, worklog_marker
from tests.support.jira_data import archived_issues, catalogue_for, recorded_issues

URL = "https://jira.example.com/jira"
READER = Reader(URL)

MINIMAL: dict[str, Any] = {
    "id": 10001,
    "key": "SC-1",
    "fields": {
        "project": {"key": "SC"},
        "issuetype": {"name": "Bug"},
        "created": "2026-11-23T23:47:08.714-0700",
        "updated": "2026-11-24T06:47:09.000+0000",
    },
}


def issue_with(**fields: object) -> dict[str, Any]:
    raw = copy.deepcopy(MINIMAL)
    raw["fields"].update(fields)
    return raw


def test_all_archived_issues_are_read_with_all_their_parts() -> None:
    """All 800 issues of a real Jira Server are read; no comment, attachment or link is lost."""
    issues = archived_issues()
    read = [READER.issue(raw) for raw in issues]
    assert len(read) == 800
    assert sum(len(issue.comments) for issue in read) == 4437
    assert sum(len(issue.attachments) for issue in read) == 836
    assert sum(len(issue.links) for issue in read) == 977
    assert sum(issue.subtask for issue in read) == sum(issue.parent_key is not None for issue in read) == 53
    assert all(
        issue.complete == (raw["fields"]["comment"]["total"] == len(issue.comments))
        for issue, raw in zip(read, issues, strict=True)
    )
    assert sum(comment.author is None for issue in read for comment in issue.comments) == 2
    assert sum(comment.body == "" for issue in read for comment in issue.comments) >= 123


def test_texts_of_archived_issues_have_one_kind_of_line_end() -> None:
    """Wiki text comes with LF only, whatever the Jira stored, and otherwise unchanged."""
    for raw in archived_issues():
        issue = READER.issue(raw)
        told = raw["fields"].get("description")
        assert "\r" not in (issue.description or "")
        assert (issue.description or "") == (told or "").replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(("name", "cloud", "count"), [("cloud-issues-33", True, 33), ("server-issues-22", False, 22)])
def test_recorded_answers_are_read(name: str, cloud: bool, count: int) -> None:
    """Raw answers of a Cloud and a Server are read as they came, people by the id that their Jira knows."""
    issues = recorded_issues(name)
    reader = Reader(URL, cloud=cloud, catalogue=catalogue_for(issues))
    read = [reader.issue(raw) for raw in issues]
    assert len(read) == count
    people = {issue.reporter.id for issue in read if issue.reporter is not None}
    assert people
    assert all(person.startswith("acc-") for person in people) == cloud
    assert all(issue.created <= issue.updated for issue in read)


def test_custom_fields_of_a_recorded_cloud_are_plain_values() -> None:
    """Values of unknown types become texts, numbers or lists of them; sprints are told by their names."""
    issues = recorded_issues("cloud-issues-33")
    reader = Reader(URL, cloud=True, catalogue=catalogue_for(issues))
    found = Counter(name for raw in issues for name in reader.issue(raw).custom)
    first = reader.issue(issues[0]).custom
    assert first["Field customfield_10020"] == ["EE Sprint 7"]
    assert found["Field customfield_10014"] == 2
    json.dumps([dict(reader.issue(raw).custom) for raw in issues])


def test_what_a_sync_stands_on_must_be_there() -> None:
    """An issue without id, key, project, type or times is nonsense, said in words."""
    for part in ("id", "key", "fields"):
        raw = copy.deepcopy(MINIMAL)
        del raw[part]
        with pytest.raises(TrackerNonsense):
            READER.issue(raw)
    for name in ("project", "issuetype", "created", "updated"):
        raw = copy.deepcopy(MINIMAL)
        del raw["fields"][name]
        with pytest.raises(TrackerNonsense, match="SC-1"):
            READER.issue(raw)


def test_an_issue_with_nothing_else_is_read() -> None:
    """Numeric ids become text, times become UTC, and absent fields are empty."""
    issue = READER.issue(MINIMAL)
    assert (issue.id, issue.key, issue.project, issue.type, issue.summary) == ("10001", "SC-1", "SC", "Bug", "")
    assert issue.created == datetime(2026, 11, 24, 6, 47, 8, 714000, UTC)
    assert (issue.comments, issue.attachments, issue.worklogs, issue.links, issue.labels) == ((), (), (), (), ())
    assert issue.description is None
    assert issue.complete


@pytest.mark.parametrize(
    "fields",
    [
        {"description": {"type": "doc", "version": 1}},
        {"labels": "one"},
        {"comment": "none"},
        {"comment": {"comments": "none"}},
        {"comment": {"comments": ["text"]}},
        {"attachment": [{"id": 1, "filename": "a"}]},
        {"attachment": [{"id": "../../x", "filename": "a", "size": 1}]},
        {"issuelinks": ["x"]},
    ],
)
def test_lists_and_texts_of_the_wrong_shape_are_nonsense(fields: dict[str, Any]) -> None:
    """A wrong shape is a clear error and never an accident of Python."""
    with pytest.raises(TrackerNonsense):
        READER.issue(issue_with(**fields))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted({
    "comment", "attachment", "worklog", "issuelinks", "labels", "components", "assignee", "parent", "duedate",
    "summary", "timeoriginalestimate", "status", "security", "project", "issuetype", "created", "customfield_1",
    "customfield_2",
})  # fmt: skip


@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_any_json_is_read_or_is_nonsense(fields: dict[str, Any]) -> None:
    """Whatever JSON stands in the fields, reading gives an issue or TrackerNonsense, nothing else."""
    catalogue = FieldCatalogue.from_json([{"id": "customfield_1", "name": "One", "schema": {"type": "option"}}])
    with suppress(TrackerNonsense):
        issue = Reader(URL, catalogue=catalogue).issue(issue_with(**fields))
        json.dumps(dict(issue.custom))


def test_people_are_told_as_far_as_they_are_known() -> None:
    """A name stands in for what is missing; an e-mail address is kept for our own use; nobody is nobody."""
    assert READER.user(
        {"name": "alice", "key": "JIRAUSER1", "displayName": "Alice", "emailAddress": "a@example.com"}
    ) == User("alice", "Alice", "a@example.com")
    assert READER.user({"key": "JIRAUSER1"}) == User("JIRAUSER1", "JIRAUSER1")
    assert READER.user({"displayName": "Bob"}) == User("", "Bob")
    assert READER.user({}) is None
    assert READER.user(None) is None
    assert Reader(URL, cloud=True).user({"name": "bob", "accountId": "5b10", "displayName": "Bob"}) == User(
        "5b10", "Bob"
    )


def comment(**more: object) -> dict[str, Any]:
    return {"id": "7", "body": "text", **more}


@pytest.mark.parametrize(
    ("raw", "internal"),
    [
        (comment(), False),
        (comment(jsdPublic=True), False),
        (comment(jsdPublic=False), True),
        (comment(properties=[]), False),
        (comment(properties=[{"key": "sd.public.comment", "value": {"internal": True}}]), True),
        (comment(properties=[{"key": "sd.public.comment", "value": {"internal": "true"}}]), True),
        (comment(properties=[{"key": "sd.public.comment", "value": '{"internal":true}'}]), True),
        (comment(properties=[{"key": "sd.public.comment", "value": {"internal": False}}]), False),
        (comment(properties=[{"key": "sd.public.comment", "value": 7}]), True),
        (comment(properties=[{"key": "other", "value": {"internal": True}}]), False),
    ],
)
def test_internal_comments_are_recognised(raw: dict[str, Any], internal: bool) -> None:
    """Jira Service Management's private notes are internal however they are told; what is unclear is internal."""
    assert READER.comment(raw).internal is internal


def test_on_a_service_desk_a_comment_that_tells_nothing_counts_as_internal_until_it_is_asked_for() -> None:
    """Data Center leaves properties out of an issue's comments: it is incomplete then, and its comments private."""
    desk = {"key": "SC", "projectTypeKey": "service_desk"}
    page = {"comments": [comment()], "total": 1}
    issue = READER.issue(issue_with(project=desk, comment=page))
    assert issue.comments[0].internal
    assert not issue.complete
    told = READER.issue(issue_with(project=desk, comment={"comments": [comment(properties=[])], "total": 1}))
    assert not told.comments[0].internal
    assert told.complete


@pytest.mark.parametrize("kind", ["software", "business", "product_discovery", "service_desk", None])
@pytest.mark.parametrize(
    "marked",
    [comment(jsdPublic=False), comment(properties=[{"key": "sd.public.comment", "value": {"internal": True}}])],
)
def test_a_comment_that_says_that_it_is_internal_is_so_on_any_project(marked: dict[str, Any], kind: str | None) -> None:
    """Whatever such a mark means there: what somebody marked so is not mirrored to a public place."""
    project = {"key": "SC"} | ({} if kind is None else {"projectTypeKey": kind})
    issue = READER.issue(issue_with(project=project, comment={"comments": [marked], "total": 1}))
    assert issue.comments[0].internal
    assert issue.complete


@pytest.mark.parametrize(
    ("visibility", "restriction"),
    [
        ({"type": "role", "value": "Developers"}, Restriction("role", "Developers")),
        ({"type": "group", "identifier": "id-1"}, Restriction("group", "id-1")),
        (None, None),
    ],
)
def test_restrictions_are_read(visibility: object, restriction: Restriction | None) -> None:
    """A comment for a role or a group says so."""
    assert READER.comment(comment(visibility=visibility)).restriction == restriction


@pytest.mark.parametrize("visibility", ["Developers", {"type": "role"}, {"value": "x"}, [1]])
def test_a_restriction_that_cannot_be_read_still_restricts(visibility: object) -> None:
    """Doubt about who may see a comment never makes it public."""
    assert READER.comment(comment(visibility=visibility)).restriction is not None


def test_a_cut_list_makes_an_issue_incomplete() -> None:
    """More comments or worklogs than are listed means that the rest must be asked for."""
    whole = {"comments": [comment()], "total": 1}
    assert READER.issue(issue_with(comment=whole)).complete
    assert not READER.issue(issue_with(comment={**whole, "total": 2})).complete
    assert not READER.issue(issue_with(worklog={"worklogs": [], "total": 21})).complete
    assert READER.cut(issue_with(worklog={"worklogs": [], "total": 21})["fields"]) == (False, True)


def test_a_custom_field_that_nobody_can_name_makes_an_issue_incomplete() -> None:
    """It is read again once the fields were asked for; a field that stays unknown then is left out for good."""
    raw = issue_with(customfield_77="x")
    assert not READER.issue(raw).complete
    resigned = Reader(URL, catalogue=FieldCatalogue().with_unknown(["customfield_77"]))
    assert resigned.issue(raw).complete
    assert resigned.issue(raw).custom == {}


@pytest.mark.parametrize(
    "told",
    [
        None,
        "https://evil.example/secure/attachment/5/a%20b.txt",
        "http://jira.example.com/jira/secure/attachment/5/a%20b.txt",
        "https://jira.example.com.evil.example/jira/x",
        "file:///etc/passwd",
    ],
)
def test_the_address_of_an_attachment_is_always_ours(told: str | None) -> None:
    """Jira may know itself by another name; its answer never leads us to another host."""
    raw = {"id": "5", "filename": "a b.txt", "size": 0, "content": told}
    assert READER.attachment(raw).content_url == f"{URL}/secure/attachment/5/a%20b.txt"


def test_cloud_attachments_are_fetched_without_a_redirect() -> None:
    """Cloud would send us to another host; with redirect=false it hands the bytes out itself."""
    raw = {
        "id": 5,
        "filename": "a",
        "size": 3,
        "content": "https://jira.example.com/jira/rest/api/2/attachment/content/5",
    }
    assert (
        Reader(URL, cloud=True).attachment(raw).content_url == f"{URL}/rest/api/2/attachment/content/5?redirect=false"
    )


def test_links_are_read_from_this_issue() -> None:
    """The phrase and the direction are seen from the issue that carries the link."""
    kind = {"name": "Blocks", "inward": "is blocked by", "outward": "blocks"}
    links = [
        {"id": "1", "type": kind, "outwardIssue": {"id": "20", "key": "SC-2"}},
        {"id": "2", "type": kind, "inwardIssue": {"id": "30", "key": "SC-3"}},
        {"id": "3", "type": kind},
    ]
    read = READER.issue(issue_with(issuelinks=links)).links
    assert [(link.phrase, link.outward, link.other_key) for link in read] == [
        ("blocks", True, "SC-2"),
        ("is blocked by", False, "SC-3"),
    ]


@given(st.none() | st.text(alphabet=st.characters(codec="utf-8")))
def test_a_mark_in_a_worklog_is_found_and_never_shown(comment_text: str | None) -> None:
    """What we append to find a worklog again is read back, and is not part of its comment."""
    mark = "0123456789abcdef" * 2
    stored = marked_worklog_comment(comment_text, mark)
    assert worklog_marker(stored) == mark
    shown = READER.worklog({"id": "1", "timeSpentSeconds": 60, "comment": stored}).comment
    assert (shown or "").split() == (comment_text or "").split()


def test_halves_of_characters_do_not_survive() -> None:
    """A lone surrogate in JSON could be neither stored nor sent."""
    issue = READER.issue(issue_with(summary=json.loads('"a\\ud83d b"')))
    assert issue.summary.encode() == "a\N{REPLACEMENT CHARACTER} b".encode()


def test_properties_are_found_in_both_shapes() -> None:
    """Issues carry properties as an object, comments as a list, Data Center perhaps as the text of JSON."""
    assert property_value({"properties": {"a": {"b": 1}}}, "a") == {"b": 1}
    assert property_value({"properties": [{"key": "a", "value": {"b": 1}}]}, "a") == {"b": 1}
    assert property_value({"properties": [{"key": "a", "value": '{"b": 1}'}]}, "a") == {"b": 1}
    assert property_value({"properties": [{"key": "c"}]}, "a") is None
    assert property_value({}, "a") is None


def test_an_issue_read_twice_is_equal() -> None:
    """Reading is a function of the JSON alone."""
    first: Issue = READER.issue(MINIMAL)
    assert first == READER.issue(copy.deepcopy(MINIMAL))
