"""The sandbox misbehaves when told to, and only then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from node.sandbox.seed import create_project, default_world
from tests.support.threaded_sandbox import Bench, bench

ME = ("admin", "admin")


@pytest.fixture
def desk() -> Iterator[Bench]:
    world = default_world()
    create_project(world, "SC", "Scrum")
    with bench(world, control_open=True) as made:
        yield made


def fault(desk: Bench, kind: str, path: str = "/issue", **details: object) -> None:
    body = {"kind": kind, "path": path, **details}
    answer = requests.post(f"{desk.sandbox.url}/sandbox/faults", json=body, timeout=5)
    assert answer.status_code == 201, answer.text


def create(desk: Bench) -> requests.Response:
    fields = {"project": {"key": "SC"}, "issuetype": {"name": "Task"}, "summary": "One"}
    return requests.post(f"{desk.sandbox.url}/rest/api/2/issue", json={"fields": fields}, auth=ME, timeout=5)


def issues(desk: Bench) -> int:
    return len(desk.sandbox.world.issues)


def test_too_many_requests(desk: Bench) -> None:
    """429 with the seconds to wait, as often as asked for, and nothing is created meanwhile."""
    fault(desk, "too_many", method="POST", count=2, seconds=3)
    for _ in range(2):
        answer = create(desk)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert issues(desk) == 0
    assert create(desk).status_code == 201
    assert desk.sandbox.calls.count("POST", "/issue") == 3


def test_server_errors_before_and_after_the_effect(desk: Bench) -> None:
    """An error may come instead of the effect or after it."""
    fault(desk, "error", status=502)
    assert create(desk).status_code == 502
    assert issues(desk) == 0
    fault(desk, "error_after", status=500)
    assert create(desk).status_code == 500
    assert issues(desk) == 1


def test_the_connection_is_cut_before_or_after_the_effect(desk: Bench) -> None:
    """The client gets no answer at all, and cannot know whether anything happened."""
    fault(desk, "cut_before")
    with pytest.raises(requests.ConnectionError):
        create(desk)
    assert issues(desk) == 0
    fault(desk, "cut_after")
    with pytest.raises(requests.ConnectionError):
        create(desk)
    assert issues(desk) == 1
    assert create(desk).status_code == 201


def test_answers_of_the_wrong_shape_and_size(desk: Bench) -> None:
    """200 with something else: JSON of another shape, a page, or far too much."""
    fault(desk, "wrong_shape", "/myself")
    fault(desk, "not_json", "/myself")
    fault(desk, "oversized", "/myself", bytes=300_000)
    url = f"{desk.sandbox.url}/rest/api/2/myself"
    first, second, third, fourth = [requests.get(url, auth=ME, timeout=5) for _ in range(4)]
    assert isinstance(first.json(), list)
    assert second.headers["Content-Type"].startswith("text/html")
    assert len(third.content) == 300_000
    assert fourth.json()["name"] == "admin"


def test_answers_come_late(desk: Bench) -> None:
    """A delay is waited out and the answer is right."""
    fault(desk, "delay", "/myself", seconds=0.3)
    begin = time.monotonic()
    assert requests.get(f"{desk.sandbox.url}/rest/api/2/myself", auth=ME, timeout=5).json()["name"] == "admin"
    assert time.monotonic() - begin >= 0.3


def test_a_fault_fits_by_path_or_template_and_method(desk: Bench) -> None:
    """Other paths and methods are served, a template stands for all its issues, and clearing ends it."""
    jira: Any = desk.client()
    key = create(desk).json()["key"]
    fault(desk, "error", "/issue/{issue}", method="GET", count=None)
    for name in (key, "SC-99"):
        assert requests.get(f"{desk.sandbox.url}/rest/api/2/issue/{name}", auth=ME, timeout=5).status_code == 503
    jira.add_comment(key, "Served")
    report = requests.get(f"{desk.sandbox.url}/sandbox/faults", timeout=5).json()
    assert report[0]["happened"] == 2
    assert requests.delete(f"{desk.sandbox.url}/sandbox/faults", timeout=5).status_code == 204
    assert jira.issue(key).key == key


def test_wrong_faults_are_refused(desk: Bench) -> None:
    """An unknown kind or a number that is none is 400."""
    for body in ({"kind": "nonsense"}, {"kind": "delay", "seconds": "soon"}):
        assert requests.post(f"{desk.sandbox.url}/sandbox/faults", json=body, timeout=5).status_code == 400


def test_nobody_sets_up_faults_unless_the_controls_are_open() -> None:
    """Without the option there is no such route."""
    with bench() as made:
        assert requests.get(f"{made.sandbox.url}/sandbox/faults", timeout=5).status_code == 404
        assert requests.get(f"{made.sandbox.url}/sandbox/calls", timeout=5).status_code == 200
