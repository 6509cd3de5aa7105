"""A node that dies at a named place, and what both sides must look like after it came back."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.two_nodes import Party


class Killed(asyncio.CancelledError):
    """The node is dead. A cancellation: the server then closes the connection at hand, as the system does."""


class Death:
    """Kills at the ``nth`` arrival at a place; from then on every place kills, as nothing goes on in a dead node."""

    def __init__(self, place: str, nth: int = 1) -> None:
        self.place = place
        self._left = nth
        self.seen: list[str] = []
        self.happened = asyncio.Event()

    def __call__(self, place: str) -> None:
        """Reach a place."""
        if not self.happened.is_set():
            self.seen.append(place)
        if place == self.place and not self.happened.is_set():
            self._left -= 1
            if self._left == 0:
                self.happened.set()
        if self.happened.is_set():
            raise Killed(place)


async def restarted_with(party: Party, death: Death) -> None:
    """Restart a node so that it will die."""
    await party.stop()
    await party.start(crash_point=death)


def texts(comments: list[str]) -> list[str]:
    """Return what was written, without the line that says who wrote a copy."""
    return sorted(text.partition(" commented:\n")[2] or text for text in comments)


async def whole(party: Party, key: str) -> dict[str, Any]:
    """Return all that the Basic rules share of an issue, alike on both sides."""
    fields = (await party.issue(key))["fields"]
    return {
        "summary": fields["summary"],
        "description": fields["description"],
        "type": fields["issuetype"]["name"],
        "comments": texts(await party.comments(key)),
        "files": await party.files(key),
    }


async def assert_in_step(alice: Party, bob: Party, *, issues: int = 1) -> dict[str, Any]:
    """Compare both Jiras whole: nothing lost, nothing twice, nothing wrong. Returns Alice's first issue."""
    here, there = await alice.person.every_issue(), await bob.person.every_issue()
    assert (len(here), len(there)) == (issues, issues), "an issue was lost or made twice"
    first: dict[str, Any] = {}
    for key in here:
        ours, theirs = await whole(alice, key), await whole(bob, await alice.twin(key))
        assert ours == theirs
        first = first or ours
    assert await alice.problems() == []
    assert await bob.problems() == []
    return first
