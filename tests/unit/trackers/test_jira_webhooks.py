"""Jira's notices: every real body is understood."""

from __future__ import annotations

import re

import pytest

from node.errors import TrackerNonsense
from node.trackers.base import Change
from node.trackers.jira.payload import Reader
from node.trackers.jira.webhooks import events_for, projects_jql, read_webhook
from tests.support.jira_data import catalogue_for, webhook_bodies, webhook_body

READER = Reader("https://jira.example.com")


def test_every_real_notice_is_understood() -> None:
    """All 70 real bodies name the issue that they are about."""
    bodies = webhook_bodies()
    changes = {name: read_webhook(body, READER) for name, body in bodies.items()}
    assert len(changes) == 70
    silent = [name for name, change in changes.items() if change is None]
    assert silent == []
    for name, body in bodies.items():
        change = changes[name]
        assert change is not None
        issue = body.get("issue")
        if issue:
            assert (change.issue_id, change.issue_key) == (str(issue["id"]), issue["key"])
        assert change.deleted == (body["webhookEvent"] == "jira:issue_deleted")


def test_whole_issues_in_notices_are_read_without_asking_jira() -> None:
    """Bodies with times carry the whole issue; comment events carry six fields, which are not an issue."""
    bodies = webhook_bodies()
    issues = [body["issue"] for body in bodies.values() if "created" in body.get("issue", {}).get("fields", {})]
    reader = Reader("https://jira.example.com", catalogue=catalogue_for(issues))
    changes = {name: read_webhook(body, reader) for name, body in bodies.items()}
    whole = [name for name, change in changes.items() if change is not None and change.issue is not None]
    assert len(whole) == len(issues) == 56


def test_a_notice_that_does_not_tell_the_comments_is_incomplete() -> None:
    """Absent in a notice is not the same as empty: nothing may be taken for deleted because of it."""
    body = webhook_body("webhook-issue-created")
    assert "comment" not in body["issue"]["fields"]
    change = read_webhook(body, Reader("https://x.example", catalogue=catalogue_for([body["issue"]])))
    assert change is not None
    assert change.issue is not None
    assert not change.issue.complete


def test_a_server_comment_without_an_issue_names_it_by_its_address() -> None:
    """Jira Server's comment_created carries no issue; its id stands in the comment's own address."""
    change = read_webhook(webhook_body("webhook-server-comment-created"), READER)
    assert change == Change(issue_id="10013", timestamp_ms=1559607317234)


@pytest.mark.parametrize("name", ["server-issuelink_created", "server-issuelink_deleted"])
def test_a_link_is_a_change_of_both_its_issues(name: str) -> None:
    """A notice about a link has numbers only; both ends are looked at, except where it is Jira's own for a sub-task."""
    body = webhook_body(name)
    change = read_webhook(body, READER)
    assert change is not None
    assert (change.issue_id, change.other_id) == ("11442", "11961")
    assert change.timestamp_ms is None
    body["issueLink"]["systemLink"] = True
    assert read_webhook(body, READER) is None


def test_a_deleted_issue_is_told_with_its_id() -> None:
    """Deletion leaves no other trace, so the notice must be enough."""
    change = read_webhook(webhook_body("webhook-issue-deleted"), READER)
    assert change is not None
    assert change.deleted


@pytest.mark.parametrize(
    "body", [{}, {"issue": {}}, {"issue": {"id": "../x"}}, {"webhookEvent": 5}, {"issue": {"id": True}}]
)
def test_a_notice_about_nothing_is_nonsense(body: dict[str, object]) -> None:
    """A body that is not Jira's is an error in words."""
    with pytest.raises(TrackerNonsense):
        read_webhook(body, READER)


@pytest.mark.parametrize(
    "body",
    [
        {"webhookEvent": "user_created", "user": {}},
        {"webhookEvent": "comment_created", "comment": {"self": "x"}},
        {"webhookEvent": "worklog_created", "worklog": {"issueId": "1/../2"}},
    ],
)
def test_a_notice_about_no_issue_is_none(body: dict[str, object]) -> None:
    """Other events, and ids that are none, lead nowhere."""
    assert read_webhook(body, READER) is None


def test_a_worklog_names_its_issue() -> None:
    """worklog_created carries the issue's id as text."""
    assert read_webhook({"webhookEvent": "worklog_created", "worklog": {"issueId": "10005"}}, READER) == Change(
        issue_id="10005"
    )


def test_an_issue_that_cannot_be_read_is_still_a_change() -> None:
    """It is read from Jira then, and fails there where somebody is told."""
    body = {
        "webhookEvent": "jira:issue_updated",
        "issue": {"id": "5", "key": "A-1", "fields": {"created": 1, "updated": 2}},
    }
    assert read_webhook(body, READER) == Change(issue_id="5", issue_key="A-1")


def test_each_change_is_told_once() -> None:
    """Data Center tells a comment as an update of its issue, Cloud as a comment only."""
    assert "comment_created" not in events_for(cloud=False)
    assert "comment_created" in events_for(cloud=True)


def test_project_keys_are_quoted() -> None:
    """A project may be called like a word of the query language."""
    assert projects_jql(["SC", "AND"]) == 'project in ("SC", "AND")'
    assert re.fullmatch(r'project in \("a\\" OR b"\)', projects_jql(['a" OR b']))
