"""Queries over 800 real issues find what a plain reading of the same file finds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from node.sandbox.load import load_issues, read_dump
from node.sandbox.queries import run_query
from node.sandbox.seed import default_world
from node.sandbox.store import World
from tests.support.data import data_file

Issue = Mapping[str, Any]


@pytest.fixture(scope="module")
def real() -> tuple[World, list[Issue]]:
    records = list(read_dump(data_file("issues-800.jsonl.gz")))
    world = default_world()
    load_issues(world, records)
    return world, records


def found(world: World, jql: str) -> list[str]:
    return [issue.key for issue in run_query(world, jql, world.site.users["admin"])[1]]


def name(field: str) -> Callable[[Issue], str]:
    return lambda issue: (issue["fields"].get(field) or {}).get("name", "")


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("field", ["status", "issuetype", "priority", "resolution", "project"])
def test_every_value_finds_its_issues(real: tuple[World, list[Issue]], field: str) -> None:
    """Each name of a status, type, priority, resolution and project finds as many issues as carry it."""
    world, records = real
    counts = Counter(map(name(field), records))
    for value, count in counts.items():
        jql = f'{field} = "{value}"' if value else f"{field} is EMPTY"
        assert len(found(world, jql)) == count, jql
    most = counts.most_common(1)[0][0]
    assert len(found(world, f'{field} != "{most}"')) == 800 - counts[most] - counts[""] + (0 if most else counts[""])


def test_labels_components_and_versions(real: tuple[World, list[Issue]]) -> None:
    """Values of which an issue has several are found by each of them; labels without regard to case."""
    world, records = real
    labels = Counter(label for issue in records for label in {one.casefold() for one in issue["fields"]["labels"]})
    for label, count in labels.most_common(20):
        assert len(found(world, f'labels = "{label}"')) == count
    for field, clause in (("components", "component"), ("fixVersions", "fixVersion")):
        values = Counter(
            each for issue in records for each in {one["name"] for one in issue["fields"].get(field) or []}
        )
        for value, count in values.most_common(20):
            assert len(found(world, f'{clause} = "{value}"')) == count
        empty = sum(1 for issue in records if not issue["fields"].get(field))
        assert len(found(world, f"{clause} is EMPTY")) == empty


def test_moments_are_compared_and_sorted(real: tuple[World, list[Issue]]) -> None:
    """Updated since a moment, in milliseconds, finds each issue once; the order is by time."""
    world, records = real
    updated = {issue["key"]: moment(issue["fields"]["updated"]) for issue in records}
    middle = sorted(updated.values())[400]
    since = found(world, f"updated >= {int(middle * 1000)} ORDER BY updated ASC, key ASC")
    assert set(since) == {key for key, at in updated.items() if at // 1 >= middle // 1}
    times = [updated[key] for key in since]
    assert times == sorted(times)


@pytest.mark.parametrize("word", ["android", "ios", "crash", "titanium", "window"])
def test_words_are_found_where_they_stand(real: tuple[World, list[Issue]], word: str) -> None:
    """A word of a summary or description is found as a whole word only."""
    world, records = real
    whole = re.compile(rf"(?<![^\W_]){word}(?![^\W_])", re.IGNORECASE)
    for field in ("summary", "description"):
        plain = {issue["key"] for issue in records if whole.search(issue["fields"].get(field) or "")}
        assert set(found(world, f"{field} ~ {word}")) == plain
    assert plain
