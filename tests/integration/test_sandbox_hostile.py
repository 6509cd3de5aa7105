"""Odd and hostile requests get an answer that makes sense, and never spoil what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from node.sandbox.persistence import Saver, read_world
from node.sandbox.seed import create_field, create_project, default_world
from tests.support.threaded_sandbox import Bench, bench

ME = ("admin", "admin")


@pytest.fixture
def desk() -> Iterator[Bench]:
    world = default_world()
    create_project(world, "SC", "Scrum")
    create_field(world, "Points", "number")
    create_field(world, "Moment", "datetime")
    with bench(world) as made:
        yield made


def send(desk: Bench, method: str, path: str, **details: Any) -> requests.Response:
    details.setdefault("auth", ME)
    return requests.request(method, f"{desk.sandbox.url}/rest/api/2{path}", timeout=10, **details)


def create(desk: Bench, **fields: object) -> requests.Response:
    body = {"project": {"key": "SC"}, "issuetype": {"name": "Task"}, "summary": "One", **fields}
    return send(desk, "POST", "/issue", json={"fields": body})


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("data", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"", JSON, 400),
        (b"[]", JSON, 400),
        (b'"text"', JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b'{"fields": {"x": NaN}}', JSON, 400),
        (b'{"fields": [1]}', JSON, 400),
        (b'{"fields": null}', JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_bodies_that_are_no_issue(desk: Bench, data: bytes, headers: dict[str, str], status: int) -> None:
    """Whatever is no JSON object of Jira's is a clear refusal."""
    answer = send(desk, "POST", "/issue", data=data, headers=headers)
    assert answer.status_code == status
    assert answer.json().keys() == {"errorMessages", "errors"}


@pytest.mark.parametrize(
    "fields",
    [
        {"summary": 5},
        {"summary": None},
        {"description": {"type": "doc"}},
        {"labels": "a"},
        {"labels": [1]},
        {"assignee": "alice"},
        {"priority": "High"},
        {"components": [None, "x"]},
        {"customfield_10000": 10**400},
        {"customfield_10000": True},
        {"customfield_10001": "0001-01-01T00:00:00.000+1400"},
        {"customfield_10001": 5},
        {"timetracking": "1d"},
        {"timetracking": {"originalEstimate": "soon"}},
        {"project": "SC"},
        {"issuetype": "Task"},
        {"description": "x" * 10_000_000},
    ],
)
def test_values_of_the_wrong_kind(desk: Bench, fields: dict[str, object]) -> None:
    """A value of another kind is 400 by field, and nothing is created."""
    answer = create(desk, **fields)
    assert answer.status_code == 400
    assert answer.json()["errors"]
    assert desk.sandbox.world.issues == {}


def test_half_a_surrogate_pair_never_gets_in(desk: Bench, tmp_path: Any) -> None:
    """It could be kept but not be written again, so it is refused everywhere; whole pairs are welcome."""
    key = create(desk, summary="\U0001f600").json()["key"]
    half = b'{"fields": {"summary": "\\ud83d"}}'
    assert send(desk, "PUT", f"/issue/{key}", data=half, headers=JSON).status_code == 400
    assert send(desk, "PUT", f"/issue/{key}/properties/p", data=b'"\\uD83D"', headers=JSON).status_code == 400
    assert send(desk, "POST", f"/issue/{key}/watchers", data=b'"\\ud83d"', headers=JSON).status_code == 400
    assert send(desk, "GET", f"/issue/{key}").json()["fields"]["summary"] == "\U0001f600"

    async def save() -> None:
        await Saver(desk.sandbox.world, tmp_path / "jira.db").close()

    desk.run(save())
    assert read_world(tmp_path / "jira.db") is not None


def test_too_large_a_body_is_413(desk: Bench) -> None:
    """A body larger than the largest file is not read to its end."""
    answer = send(desk, "POST", "/issue", data=b" " * (12 * 1024 * 1024), headers=JSON)
    assert answer.status_code == 413


def test_a_file_name_leads_nowhere(desk: Bench) -> None:
    """Folders are cut off a file's name, and a page that was uploaded is not shown as a page."""
    key = create(desk).json()["key"]
    files = {"file": ("../../etc/<b>.html", b"<script>alert(1)</script>", "text/html")}
    made = send(desk, "POST", f"/issue/{key}/attachments", files=files, headers={"X-Atlassian-Token": "no-check"})
    assert made.json()[0]["filename"] == "<b>.html"
    content = requests.get(made.json()[0]["content"], auth=ME, timeout=5)
    assert content.headers["Content-Disposition"].startswith("attachment")
    assert content.headers["X-Content-Type-Options"] == "nosniff"
    assert requests.get(made.json()[0]["content"], timeout=5).status_code == 401


def test_another_page_cannot_write_in_a_browser(desk: Bench) -> None:
    """A browser's request from another origin is refused, one from the sandbox's own page is not."""
    body = {"fields": {"project": {"key": "SC"}, "issuetype": {"name": "Task"}, "summary": "One"}}
    browser = {"User-Agent": "Mozilla/5.0"}
    for origin, status in (("https://evil.example", 403), (None, 403), (desk.sandbox.url, 201)):
        headers = browser | ({"Origin": origin} if origin else {})
        assert send(desk, "POST", "/issue", json=body, headers=headers).status_code == status
    assert send(desk, "GET", "/issue/SC-1", headers=browser | {"Origin": "https://evil.example"}).status_code == 200


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic !!!", "Basic YWRtaW4=", "Bearer", "Bearer  ", "Digest x", "Basic " + "A" * 9000],
)
def test_credentials_that_are_none(desk: Bench, header: str) -> None:
    """Anything but a right password or token is 401, also where nobody needs to log in."""
    answer = requests.get(f"{desk.sandbox.url}/rest/api/2/serverInfo", headers={"Authorization": header}, timeout=5)
    assert answer.status_code in {400, 401}


def test_paths_that_are_none(desk: Bench) -> None:
    """Unknown paths and methods are 404 and 405, with a body."""
    assert send(desk, "GET", "/nonsense").json()["status-code"] == 404
    assert send(desk, "PATCH", "/issue").status_code == 405
    assert send(desk, "GET", "/issue/%00").status_code == 404
    assert send(desk, "GET", "/search?maxResults=many").status_code == 400
    assert send(desk, "GET", "/search?startAt=-1").status_code == 400
    assert send(desk, "GET", "/issue/SC-1/comment?orderBy=body").status_code == 400


def test_more_than_fifty_at_once_is_refused(desk: Bench) -> None:
    """A bulk create has a limit, and what is no issue is told by its place."""
    assert send(desk, "POST", "/issue/bulk", json={"issueUpdates": [{}] * 51}).status_code == 400
    answer = send(desk, "POST", "/issue/bulk", json={"issueUpdates": [5, {}]})
    assert answer.status_code == 400
    assert [one["failedElementNumber"] for one in answer.json()["errors"]] == [0, 1]


def test_mail_can_be_silenced_by_administrators_only(desk: Bench) -> None:
    """``notifyUsers=false`` needs the permission."""
    key = create(desk).json()["key"]
    path, body = f"/issue/{key}?notifyUsers=false", {"fields": {"summary": "Two"}}
    assert send(desk, "PUT", path, json=body, auth=("alice", "alice")).status_code == 403
    assert send(desk, "PUT", path, json=body).status_code == 204
