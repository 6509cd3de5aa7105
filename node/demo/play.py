"""What the demo does: sync everything, edit on both sides, wait until quiet, compare, count."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from node.demo.compare import Comparison, Report, Told
from node.demo.house import Side
from node.demo.jira import Person
from node.demo.samples import BLUE, GREEN, Sample
from node.errors import AccordError

BATCH = 50
EDITS = 40
"""Linked issues that are edited on each side in the second act."""
STILL_SECONDS = 1.0
"""Both nodes must have had nothing to do for so long, since webhooks may be on their way."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class Summary:
    """What a run of the demo found."""

    report: Report = field(default_factory=Report)
    changes: int = 0
    calls_per_change: float = 0.0
    calls: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    skipped: dict[str, str] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {
            "issues": self.report.issues,
            "comments": self.report.comments,
            "attachments": self.report.attachments,
            "differences": self.report.differences,
            "refused": self.report.refused,
            "changes": self.changes,
            "calls_per_change": round(self.calls_per_change, 3),
            "calls": self.calls,
            "seconds": round(self.seconds, 1),
        }


async def fill(side: Side, samples: Sequence[Sample]) -> list[str]:
    """Create the sample issues of a side; return their keys."""
    keys = []
    async with Person(side.jira_url, "alice") as alice, Person(side.jira_url, "bob") as bob:
        people = {"alice": alice, "bob": bob}
        for sample in samples:
            key = await alice.create(side.project, sample)
            for author, text in sample.comments:
                await people[author].comment(key, text)
            keys.append(key)
    return keys


async def fill_both(blue: Side, green: Side) -> tuple[list[str], list[str]]:
    """Create the sample issues of both sides."""
    return await fill(blue, BLUE), await fill(green, GREEN)


async def bring_in(side: Side, connection: str, keys: Sequence[str], tell: Tell) -> list[dict[str, Any]]:
    """Bring issues under sync, as `accord sync` does; return those that failed."""
    failed = []
    for start in range(0, len(keys), BATCH):
        part = list(keys[start : start + BATCH])
        answer = await side.call("POST", f"/api/v1/connections/{connection}/sync", {"keys": part})
        failed += [one for one in answer["results"] if one["result"] == "failed"]
        tell(f"{side.name}: {min(start + BATCH, len(keys))} of {len(keys)} issues on their way")
    return failed


async def until_quiet(blue: Side, green: Side, *, seconds: float, tell: Tell = lambda _text: None) -> None:
    """Wait until neither node has anything to do, also after a sweep.

    Raises:
        AccordError: they are still busy after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    for _ in range(2):
        still_since = time.monotonic()
        while time.monotonic() - still_since < STILL_SECONDS:
            if time.monotonic() > deadline:
                raise AccordError(f"The nodes were still busy after {seconds:.0f} seconds.")
            queues = [await side.call("GET", "/api/v1/queue") for side in (blue, green)]
            if not all(queue["quiet"] for queue in queues):
                still_since = time.monotonic()
                tell(_waiting(queues))
            await asyncio.sleep(0.1)
        for side in (blue, green):
            await side.call("POST", "/api/v1/sweep", {})


def _waiting(queues: Sequence[Mapping[str, Any]]) -> str:
    parts = []
    for name, queue in zip(("Blue", "Green"), queues, strict=True):
        going = sum(one["outgoing"]["queued"] + one["outgoing"]["sealed"] for one in queue["connections"])
        coming = sum(one["incoming"].get("new", 0) + one["incoming"].get("waiting", 0) for one in queue["connections"])
        parts.append(f"{name}: {sum(queue['changes'].values())} noticed, {going} to send, {coming} to apply")
    return "; ".join(parts)


async def edit_both(blue: Side, green: Side) -> int:
    """Edit linked issues on both sides at the same time, different things on each; return the number of changes."""
    links = await _links(blue, "Blue_to_Green")
    chosen = [(key, twin) for key, twin in links.items() if twin][:EDITS]
    counts = await asyncio.gather(
        _edit_side(blue, [key for key, _ in chosen], "summary"),
        _edit_side(green, [twin for _, twin in chosen], "description"),
    )
    return sum(counts)


async def _edit_side(side: Side, keys: Sequence[str], text: str) -> int:
    changes = 0
    async with Person(side.jira_url, "alice") as alice:
        for number, key in enumerate(keys):
            await alice.edit(key, {text: f"{text.title()} as {side.name} wants it, number {number}"})
            written = await alice.comment(key, f"A word from {side.name} on {key}.")
            changes += 2
            if number % 4 == 0:
                await alice.attach(key, f"{side.name}-{number}.txt", f"{side.name} {number}\n".encode() * 50)
                changes += 1
            if number % 4 == 1:
                await alice.edit_comment(key, written, f"A better word from {side.name}.")
                changes += 1
            if number % 4 == 2:  # noqa: PLR2004 - the third of four kinds
                await alice.delete_comment(key, written)
                changes += 1
    return changes


async def _links(side: Side, connection: str) -> dict[str, str | None]:
    found = await side.call("GET", f"/api/v1/connections/{connection}/links")
    return {link["key"]: link["twin_key"] for link in found["links"] if link["state"] == "active"}


async def compare(blue: Side, green: Side, wanted: Sequence[str], failed: Sequence[Mapping[str, Any]] = ()) -> Report:
    """Compare every linked pair, and see that every wanted issue of Blue's has a twin and nothing is there twice."""
    problems = [one for side in (blue, green) for one in (await side.call("GET", "/api/v1/errors"))["problems"]]
    async with Person(blue.jira_url, "admin") as first, Person(green.jira_url, "admin") as second:
        types = await second.issue_types(green.project)
        told = Told({**Told.of(problems).problems, **{one["key"]: one["text"] for one in failed}})
        comparison = Comparison(first, second, told, types, "Task")
        here, there = await first.every_issue(), await second.every_issue()
        links = await _links(blue, "Blue_to_Green")
        back = await _links(green, "Green_to_Blue")
        for key in wanted:
            if not links.get(key):
                comparison.missing(here[key])
        for key, twin in links.items():
            if twin and key in here and twin in there:
                await comparison.pair(here[key], there[twin], born_here=key in wanted)
                if back.get(twin) not in {key, None}:
                    comparison.report.differences.append(f"{twin} is linked to {back[twin]} and to {key}")
        made = [key for key in there if there[key]["fields"]["reporter"]["name"] == "accord"]
        for extra in sorted(set(made) - set(links.values()) - set(back)):
            comparison.report.differences.append(f"{extra}: made by the sync and linked to nothing")
        return comparison.report


async def count_calls(blue: Side, green: Side) -> dict[str, int]:
    """Return the REST calls that both nodes have made so far, by route."""
    total: dict[str, int] = {}
    for side in (blue, green):
        async with Person(side.jira_url, "admin") as admin:
            for route, count in (await admin.calls()).items():
                total[route] = total.get(route, 0) + count
    return total
