"""A dump of 800 real issues becomes a Jira that answers with what was in the dump."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jira import JIRAError

from node.sandbox.load import LoadError, LoadReport, load_file, load_issues
from node.sandbox.render import Renderer
from node.sandbox.render_issue import IssueRenderer
from node.sandbox.seed import default_world
from node.sandbox.store import World
from tests.support.data import data_file
from tests.support.threaded_sandbox import bench


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    with gzip.open(data_file("issues-800.jsonl.gz"), "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def loaded() -> tuple[World, LoadReport]:
    world = default_world()
    return world, load_file(world, data_file("issues-800.jsonl.gz"))


@pytest.fixture(scope="module")
def jira(loaded: tuple[World, LoadReport]) -> Iterator[Any]:
    with bench(loaded[0]) as made:
        yield made.client()


def test_everything_is_counted(loaded: tuple[World, LoadReport], records: list[dict[str, Any]]) -> None:
    """All issues, comments and files come in; of links and sub-tasks those with both ends; the rest is counted."""
    world, report = loaded
    keys = {record["key"] for record in records}
    links = {
        link["id"]: (link.get("outwardIssue") or link["inwardIssue"])["key"] in keys
        for record in records
        for link in record["fields"]["issuelinks"]
    }
    parents = [record["fields"]["parent"]["key"] in keys for record in records if record["fields"].get("parent")]
    assert (report.issues, report.comments, report.attachments) == (800, 4437, 836)
    assert (report.links, report.links_left_out) == (sum(links.values()), len(links) - sum(links.values()))
    assert (report.subtasks, report.parents_left_out) == (sum(parents), len(parents) - sum(parents))
    assert set(report.projects) == {"TIMOB", "ALOY", "AC", "MOD", "DAEMON"}
    assert len(world.issues) == 800


def test_every_issue_reads_as_it_was(loaded: tuple[World, LoadReport], records: list[dict[str, Any]]) -> None:
    """Keys, ids, texts of any length, names, moments, comments without body or author: all as in the dump."""
    world, _ = loaded
    view = IssueRenderer(Renderer(world), world.user_named("admin"))
    for record in records:
        issue = world.issue(record["key"])
        assert issue is not None
        shown, was = view.issue(issue), record["fields"]
        now = shown["fields"]
        assert (shown["id"], shown["key"]) == (record["id"], record["key"])
        for name in ("summary", "description", "environment", "created", "updated", "resolutiondate", "labels"):
            assert now[name] == was.get(name), (record["key"], name)
        for name in ("issuetype", "status", "priority", "resolution", "project"):
            assert (now[name] or {}).get("name") == (was.get(name) or {}).get("name"), (record["key"], name)
        for name in ("assignee", "reporter", "creator"):
            assert (now[name] or {}).get("displayName") == (was.get(name) or {}).get("displayName")
        for name in ("components", "fixVersions", "versions"):
            assert [one["name"] for one in now[name]] == [one["name"] for one in was.get(name) or []]
        comments = [
            (one["id"], one.get("body"), (one.get("author") or {}).get("key"), one["created"], one["updated"])
            for one in now["comment"]["comments"]
        ]
        assert comments == [
            (one["id"], one.get("body"), (one.get("author") or {}).get("key"), one["created"], one["updated"])
            for one in was["comment"]["comments"]
        ]
        assert [(one["id"], one["filename"], one["mimeType"]) for one in now["attachment"]] == [
            (one["id"], one["filename"], one["mimeType"]) for one in was["attachment"]
        ]
        kept = {link["id"]: link for link in now["issuelinks"]}
        for link in was["issuelinks"]:
            if link["id"] in kept:
                side = "outwardIssue" if "outwardIssue" in link else "inwardIssue"
                assert kept[link["id"]][side]["key"] == link[side]["key"]
                assert kept[link["id"]]["type"]["outward"] == link["type"]["outward"]


def test_files_without_bytes_get_the_same_ones_each_time(jira: Any, records: list[dict[str, Any]]) -> None:
    """Made-up bytes are stable, differ between files, are as many as ``size`` says, and no more than the limit."""
    sizes: dict[str, tuple[bytes, int]] = {}
    for record in records[:40]:
        for one in jira.issue(record["key"], fields="attachment").fields.attachment:
            content = one.get()
            assert len(content) == one.size <= 64 * 1024
            assert content == one.get()
            sizes[one.id] = (content[:32], one.size)
    starts = [start for start, size in sizes.values() if size >= 32]
    assert len(set(starts)) == len(starts) > 20


def test_a_loaded_jira_goes_on_living(jira: Any) -> None:
    """New things get new ids and keys, old issues can be edited, moved and searched for."""
    assert jira.search_issues("project = TIMOB").total == 575
    assert jira.search_issues('project = TIMOB AND updated >= "2020-01-01" ORDER BY updated DESC').total > 0
    assert jira.search_issues("issueFunction is EMPTY", validate_query=False, json_result=True)["total"] == 0
    issue = jira.search_issues("status = Closed AND project = ALOY ORDER BY key", maxResults=1)[0]
    comment = jira.add_comment(issue.key, "Still here")
    assert int(comment.id) > 350_000
    issue.update(fields={"summary": "Looked at again"})
    reopened = next(one for one in jira.transitions(issue) if one["name"] == "Reopened")
    jira.transition_issue(issue, reopened["id"])
    again = jira.issue(issue.key)
    assert (again.fields.status.name, again.fields.resolution) == ("Reopened", None)
    made = jira.create_issue(project="TIMOB", issuetype={"name": "Bug"}, summary="New")
    assert int(made.key.rpartition("-")[2]) > 28_000
    with pytest.raises(JIRAError):
        jira.add_comment(issue.key, "x" * 32_768)


def test_recorded_answers_of_a_server_load_too() -> None:
    """Raw answers of a Jira Server, with changelogs, become issues with a history."""
    with gzip.open(data_file("server-issues-22.jsonl.gz"), "rt", encoding="utf-8") as lines:
        issues = {row["data"]["key"]: row["data"] for row in map(json.loads, lines)}
    world = default_world()
    report = load_issues(world, issues.values())
    assert report.issues == len(issues)
    histories = sum(len((one.get("changelog") or {}).get("histories") or []) for one in issues.values())
    assert sum(len(issue.history) for issue in world.issues.values()) == histories > 0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "line 2: this is not JSON"),
        ("[]", "line 2: this is not an issue"),
        ('{"fields": {}}', "line 2: the issue has no key or no id"),
        ('{"id": "1", "key": "A-1", "fields": {}}', "The issue A-1 has an unexpected shape"),
    ],
)
def test_a_damaged_dump_is_refused_by_line(
    tmp_path: Path, records: list[dict[str, Any]], line: str, complaint: str
) -> None:
    """What is wrong is said with the line or the issue."""
    path = tmp_path / "dump.jsonl"
    path.write_text(f"{json.dumps(records[0])}\n{line}\n")
    with pytest.raises(LoadError) as wrong:
        load_file(default_world(), path)
    assert complaint in str(wrong.value)


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    """A compressed dump that ends too early is an error, not a shorter dump."""
    path = tmp_path / "dump.jsonl.gz"
    path.write_bytes(data_file("issues-800.jsonl.gz").read_bytes()[:100_000])
    with pytest.raises(LoadError, match="cannot be read"):
        load_file(default_world(), path)
