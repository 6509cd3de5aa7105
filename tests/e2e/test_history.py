"""What an issue's history says to people: also of comments and files, and in words."""

from __future__ import annotations

from typing import Any

import pytest

from node.admin.client import NodeSaidNo
from node.cli.work import _detail
from tests.support.two_nodes import Party, eventually


async def test_comments_and_files_are_named_in_the_history_of_both_sides(parties: tuple[Party, Party]) -> None:
    """Alice comments and attaches: her history says that these left, and Bob's that they came in."""
    alice, bob = parties
    key = await alice.create()
    await alice.sync(key)
    twin = await alice.twin(key)
    for item, act in (
        ("comments", lambda: alice.person.comment(key, "A word.")),
        ("attachments", lambda: alice.person.attach(key, "a.txt", b"bytes")),
    ):
        await act()

        async def told(item: str = item) -> bool:
            sent, applied = await alice.events(key, "sent"), await bob.events(twin, "applied")
            return any(one["items"] == [item] for one in sent) and any(one["items"] == [item] for one in applied)

        await eventually(told, f"both histories name {item}")


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ({"revision": 3, "fields": ["summary"], "items": ["comments"]}, "revision 3: summary, comments"),
        ({"revision": 3, "code": 0, "text": "It was applied."}, "revision 3: It was applied."),
        ({"reason": "out of scope"}, "out of scope"),
        ({"revision": 2, "fields": [], "items": [], "log": ["hello"]}, "revision 2\nlog: hello"),
        ({"revision": 2, "fields": []}, "revision 2"),
        ({"field": "summary", "ours": "a"}, "field: summary; ours: a"),
    ],
)
def test_an_event_is_told_in_words(detail: dict[str, Any], words: str) -> None:
    """Names of columns and codes stay inside; what is a sentence already is shown as it is."""
    assert _detail(detail) == words


async def test_an_issue_that_was_never_in_sync_is_not_sent_in_circles(parties: tuple[Party, Party]) -> None:
    """Asked to explain it, the node says how it is brought in, as it does for its status."""
    alice, _ = parties
    key = await alice.create()
    for path in (f"/api/v1/issues/{key}/explanation", f"/api/v1/issues/{key}"):
        with pytest.raises(NodeSaidNo) as unknown:
            await alice.call("GET", path)
        assert f"accord sync CONNECTION {key}" in unknown.value.advice
