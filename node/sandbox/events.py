"""What happened, for those who want to be told. Carries the things themselves; whoever tells others renders them."""

from __future__ import annotations

from dataclasses import dataclass

from node.sandbox.model import Change, Comment, Issue, IssueLink, Project, User, Version, Worklog


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``name`` is Jira's ``webhookEvent``; ``type_name`` its ``issue_event_type_name``.

    ``whole_issue`` says whether the message carries the issue: the comment events of a Server do not.
    """

    name: str
    at: int
    actor: User | None
    issue: Issue | None = None
    type_name: str | None = None
    change: Change | None = None
    comment: Comment | None = None
    worklog: Worklog | None = None
    link: IssueLink | None = None
    project: Project | None = None
    version: Version | None = None
    attachment_id: str | None = None
    whole_issue: bool = True
    with_user: bool = True


EVENT_NAMES = (
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
    "jira:worklog_updated",
    "comment_created",
    "comment_updated",
    "comment_deleted",
    "worklog_created",
    "worklog_updated",
    "worklog_deleted",
    "attachment_created",
    "attachment_deleted",
    "issuelink_created",
    "issuelink_deleted",
    "issue_property_set",
    "issue_property_deleted",
    "project_created",
    "project_updated",
    "project_deleted",
    "jira:version_created",
    "jira:version_updated",
    "jira:version_released",
    "jira:version_unreleased",
    "jira:version_moved",
    "jira:version_deleted",
    "user_created",
    "user_updated",
    "user_deleted",
    "sprint_created",
    "sprint_updated",
    "sprint_started",
    "sprint_closed",
    "sprint_deleted",
)
"""The events that a webhook may ask for."""
