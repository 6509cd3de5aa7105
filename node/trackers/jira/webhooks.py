"""Jira's webhooks: what a notice says, and how we register for notices.

A notice is a reason to look at an issue, never a command: Data Center neither signs nor repeats notices, nor keeps
their order. Registration uses Jira's administration REST interface, which is `/rest/webhooks/1.0/webhook` on Cloud and
up to Data Center 9, and `/rest/jira-webhook/1.0/webhooks` from Data Center 10 on
(https://developer.atlassian.com/server/jira/platform/webhooks/). Never receives notices; `node.triggers` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from node.errors import TrackerDenied, TrackerNonsense, TrackerNotFound, TrackerRefused
from node.trackers.base import Change, WebhookState
from node.trackers.issue import Issue
from node.trackers.jira.client import JiraClient
from node.trackers.jira.payload import Reader
from node.trackers.jira.shapes import identifier

OLD_PATH = "/rest/webhooks/1.0/webhook"
NEW_PATH = "/rest/jira-webhook/1.0/webhooks"
NEW_SINCE = 10
"""The major version of Data Center that moved the interface."""

_FILTER = "issue-related-events-section"
_ISSUE_EVENTS = ("jira:issue_created", "jira:issue_updated", "jira:issue_deleted")
# A link between two issues is no update of either: its notice names both, and carries none.
_LINK_EVENTS = ("issuelink_created", "issuelink_deleted")
# On Data Center a comment is also an issue_updated that carries the whole issue; its comment_created carries none, and
# would cost a call each time. Cloud tells comments by these only.
_COMMENT_EVENTS = ("comment_created", "comment_updated", "comment_deleted")
_COMMENT_SELF = re.compile(r"/issue/([0-9]{1,19})/comment/")


def read_webhook(raw: Mapping[str, object], reader: Reader) -> Change | None:
    """Return what a notice says; None where it says nothing about an issue. Raises TrackerNonsense."""
    event = raw.get("webhookEvent")
    told = raw.get("timestamp")
    timestamp = told if isinstance(told, int) and not isinstance(told, bool) else None
    issue = raw.get("issue")
    if isinstance(issue, Mapping):
        key = issue.get("key")
        return Change(
            issue_id=identifier(issue, "the issue of a webhook"),
            issue_key=key if isinstance(key, str) else None,
            issue=_whole(issue, reader),
            deleted=event == "jira:issue_deleted",
            timestamp_ms=timestamp,
        )
    if not isinstance(event, str):
        raise TrackerNonsense("A webhook came that says neither what happened nor to which issue.")
    number = _issue_id(raw)
    link = raw.get("issueLink")
    if number is None or (isinstance(link, Mapping) and link.get("systemLink") is True):
        return None  # a system link holds a sub-task by its parent, which is told as a change of the sub-task
    return Change(issue_id=number, timestamp_ms=timestamp, other_id=_number(link, "destinationIssueId"))


def _whole(issue: Mapping[str, object], reader: Reader) -> Issue | None:
    fields = issue.get("fields")
    if not isinstance(fields, Mapping) or "created" not in fields or "updated" not in fields:
        return None  # comment events carry six fields
    try:
        return reader.issue(issue, absent_is_empty=False)
    except TrackerNonsense:
        return None  # it will be read from Jira, and fail there where somebody is told


def _issue_id(raw: Mapping[str, object]) -> str | None:
    """Return the id of the issue that a notice without an issue is about, if it says so somewhere."""
    comment, worklog, link = raw.get("comment"), raw.get("worklog"), raw.get("issueLink")
    if isinstance(comment, Mapping) and isinstance(comment.get("self"), str):
        found = _COMMENT_SELF.search(str(comment["self"]))
        return found[1] if found else None
    return _number(worklog, "issueId") or _number(link, "sourceIssueId")


def _number(part: object, name: str) -> str | None:
    value = part.get(name) if isinstance(part, Mapping) else None
    return str(value) if isinstance(value, int | str) and re.fullmatch(r"[0-9]{1,19}", str(value), re.ASCII) else None


def events_for(*, cloud: bool) -> tuple[str, ...]:
    """Return the events that tell all changes of issues, each once."""
    return _ISSUE_EVENTS + _LINK_EVENTS + (_COMMENT_EVENTS if cloud else ())


def projects_jql(projects: Sequence[str]) -> str:
    """Return JQL for the issues of these projects."""
    quoted = (json.dumps(project, ensure_ascii=False) for project in projects)
    return f"project in ({', '.join(quoted)})"


class Registrar:
    """Registers our webhook with one Jira, found again by its name."""

    def __init__(self, client: JiraClient, *, cloud: bool, major: int) -> None:
        self._client = client
        self._cloud = cloud
        self._paths = [OLD_PATH, NEW_PATH] if cloud or major < NEW_SINCE else [NEW_PATH, OLD_PATH]

    async def ensure(self, url: str, *, projects: Sequence[str], name: str) -> WebhookState:
        """Register the webhook, or correct it, or say what to do by hand (1 call when it is right already)."""
        if not projects:
            return WebhookState(active=False, advice="No project is in sync yet, so there is nothing to be told of.")
        events, jql = events_for(cloud=self._cloud), projects_jql(projects)
        try:
            path, known = await self._known(name)
            body = {"name": name, "url": url, "events": list(events), "filters": {_FILTER: jql}, "excludeBody": False}
            body["active" if path == NEW_PATH else "enabled"] = True
            if not known:
                answer = await self._client.send("POST", path, body, what="register a webhook", answer=True)
                return WebhookState(active=True, id=_webhook_id(answer))
            number = _webhook_id(known[0])
            if not _right(known[0], url, events, jql):
                await self._client.send("PUT", f"{path}/{number}", body, what="correct our webhook", answer=True)
            for twin in known[1:]:
                await self._client.send("DELETE", f"{path}/{_webhook_id(twin)}", what="remove a second webhook of ours")
        except (TrackerDenied, TrackerNotFound, TrackerRefused) as error:
            return WebhookState(active=False, advice=f"{error.message} {self._by_hand(url, events, jql, name)}")
        return WebhookState(active=True, id=number)

    async def remove(self, name: str) -> None:
        """Remove all webhooks of this name."""
        path, known = await self._known(name)
        for webhook in known:
            await self._client.send("DELETE", f"{path}/{_webhook_id(webhook)}", what="remove our webhook")

    async def _known(self, name: str) -> tuple[str, list[Mapping[str, Any]]]:
        """Return the path that this Jira knows, and the webhooks of that name."""
        for path in self._paths:
            try:
                answer = await self._client.get(path, what="list its webhooks")
            except TrackerNotFound:
                if path == self._paths[-1]:
                    raise
                continue
            entries = answer.get("values") if isinstance(answer, Mapping) else answer
            if not isinstance(entries, list):
                raise TrackerNonsense("Jira's list of webhooks has the wrong shape.")
            return path, [entry for entry in entries if isinstance(entry, Mapping) and entry.get("name") == name]
        raise AssertionError  # the loop returns or raises

    def _by_hand(self, url: str, events: Sequence[str], jql: str, name: str) -> str:
        return (
            f"A Jira administrator can do it by hand: open {self._client.url}/plugins/servlet/webhooks and create a "
            f"webhook named {name!r} with the URL {url} and the JQL {jql} and the events {', '.join(events)}; leave "
            "the body in. Until then changes are found by asking Jira regularly, which works, only slower."
        )


def _webhook_id(webhook: object) -> str:
    """Return a webhook's id: its ``id``, or the end of its ``self`` in the older interface."""
    if isinstance(webhook, Mapping):
        if "id" in webhook:
            return identifier(webhook, "a webhook")
        found = re.search(r"/([0-9]{1,19})/?\Z", str(webhook.get("self")))
        if found:
            return found[1]
    raise TrackerNonsense("Jira gives no usable id for a webhook.")


def _right(webhook: Mapping[str, Any], url: str, events: Sequence[str], jql: str) -> bool:
    """Tell whether a registered webhook is as we want it. The newer interface may show the JQL in several places."""
    told, filters = webhook.get("events"), webhook.get("filters")
    if isinstance(filters, Mapping) and isinstance(filters.get(_FILTER), str):
        filtered = _bare(filters[_FILTER]) == _bare(jql)
    else:
        filtered = _bare(jql) in _bare(json.dumps([filters, webhook.get("configuration")]))
    return (
        webhook.get("url") == url
        and isinstance(told, list)
        and sorted(map(str, told)) == sorted(events)
        and filtered
        and webhook.get("enabled", True) is not False
        and webhook.get("active", True) is not False
    )


def _bare(text: str) -> str:
    return re.sub(r"[\s\\\"]", "", text)
