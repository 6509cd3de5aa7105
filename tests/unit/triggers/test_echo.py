"""Echoes: our own write must not travel back, and a change that has not left yet must not be mistaken for one."""

from __future__ import annotations

from typing import Any

from node.rules.model import Origin
from node.sync.content import differs
from node.triggers.echo import adopt

_ORIGINS = {name: Origin(1, sources=frozenset({name})) for name in ("summary", "status", "type")}


def _content(**fields: Any) -> dict[str, Any]:
    return {"key": "UD-1", "fields": fields, "comments": [], "attachments": [], "worklogs": None}


def test_our_own_write_is_not_sent_back() -> None:
    """Alice's summary was written into Bob's issue: when his Jira reports it, there is nothing new to send."""
    sent, after = _content(summary="old"), _content(summary="new")
    adopted = adopt(sent, sent, after, written=frozenset({"summary"}), origins=_ORIGINS)
    assert not differs(adopted, after)


def test_a_mapped_value_is_not_sent_back_as_its_translation() -> None:
    """Alice's Story became Bob's Task: his Task must not turn her Story into one."""
    after = _content(type="Task")
    adopted = adopt(None, None, after, written=frozenset({"type"}), origins=_ORIGINS)
    assert not differs(adopted, after)


def test_what_the_new_issue_has_of_its_own_is_sent() -> None:
    """Bob's new issue begins in a status that Alice never saw: it is not adopted, so it leaves."""
    after = _content(summary="s", status="To Do")
    adopted = adopt(None, None, after, written=frozenset({"summary"}), origins=_ORIGINS)
    assert differs(adopted, after)
    assert adopted["fields"] == {"summary": "s"}


def test_a_change_that_has_not_left_yet_still_leaves() -> None:
    """Bob had just edited the summary when Alice's status was written: his edit is still sent."""
    sent = _content(summary="old", status="To Do")
    before = _content(summary="edited by Bob", status="To Do")
    after = _content(summary="edited by Bob", status="Done")
    adopted = adopt(sent, before, after, written=frozenset({"status"}), origins=_ORIGINS)
    assert adopted["fields"] == {"summary": "old", "status": "Done"}
    assert differs(adopted, after)


def test_comments_of_an_issue_that_came_into_being_by_sync_are_sent_when_people_write_them() -> None:
    """A comment that Bob writes on the new issue is news, whenever he was fast enough to write it."""
    after = {**_content(summary="s"), "comments": [{"id": "c", "body": "hello"}]}
    adopted = adopt(None, None, after, written=frozenset({"summary"}), origins=_ORIGINS)
    assert adopted["comments"] == []
    assert differs(adopted, after)
