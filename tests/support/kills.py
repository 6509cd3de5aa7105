"""Kills nodes of the demo at moments drawn from a seed, starts them again, and looks whether anything was lost.

The two Jiras run on, as Jiras do; only nodes die. Whatever a person would do, such as giving a command again that
found no node, is done here too.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from node.admin.client import NodeSaidNo
from node.demo.compare import Report
from node.demo.house import SYNC_USER, Side, pair, two_sides
from node.demo.jira import Person
from node.demo.play import BATCH, compare, edit_both, fill, until_quiet
from node.demo.samples import GREEN
from node.errors import AccordError, TrackerError
from node.store.links import ACTIVE

ISSUES = 20
"""Issues that are edited again and again in each round."""
STOP_SECONDS = 10.0
"""How long a node that is asked to stop in the middle of work may take."""
PATIENCE = 60.0
"""Seconds for a node to come back."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How often and how hard nodes are killed; seconds throughout."""

    seed: int
    kills: int
    between: tuple[float, float] = (0.3, 4.0)
    down: tuple[float, float] = (0.0, 3.0)
    gently: float = 0.0
    """The share of SIGTERM among the ends."""


@dataclass(slots=True)
class Killer:
    """Ends nodes and starts them again until the plan is used up. Never touches a Jira."""

    blue: Side
    green: Side
    plan: Plan
    done: int = 0
    stop_seconds: list[float] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    _draw: random.Random = field(init=False)
    _begun: float = field(init=False)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.plan.seed)
        self._begun = time.monotonic()

    async def run(self, kills: int | None = None) -> None:
        """Kill so many times, by default as often as the plan still allows; both nodes are up at the end."""
        last = self.plan.kills if kills is None else min(self.plan.kills, self.done + kills)
        while self.done < last:
            await asyncio.sleep(self._draw.uniform(*self.plan.between))
            chosen = self._draw.choice(
                ((self.blue,), (self.green,), (self.blue,), (self.green,), (self.blue, self.green))
            )
            await asyncio.gather(*(self._strike(side) for side in chosen))
            self.done += 1

    async def _strike(self, side: Side) -> None:
        gently, down = self._draw.random() < self.plan.gently, self._draw.uniform(*self.plan.down)
        again = self._draw.uniform(0.2, 2.5) if self._draw.random() < 0.25 else None
        await self._end(side, gently=gently)
        self._note(f"{side.name} {'stopped' if gently else 'killed'}, down for {down:.1f} s")
        await asyncio.sleep(down)
        if again is not None:
            await self._kill_while_starting(side, again)
        await start(side)

    async def _end(self, side: Side, *, gently: bool) -> None:
        if not gently:
            await side.kill_node()
            return
        assert side.node is not None
        begun = time.monotonic()
        side.node.send_signal(signal.SIGTERM)
        await asyncio.wait_for(side.node.wait(), timeout=PATIENCE)
        self.stop_seconds.append(time.monotonic() - begun)
        assert side.node.returncode == 0

    async def _kill_while_starting(self, side: Side, seconds: float) -> None:
        starting = asyncio.create_task(side.start_node())
        await asyncio.sleep(seconds)
        await side.kill_node()
        with suppress(AccordError):
            await starting
        self._note(f"{side.name} killed {seconds:.1f} s after its start")

    def _note(self, text: str) -> None:
        self.story.append(f"{time.monotonic() - self._begun:6.1f} {text}")


async def start(side: Side) -> None:
    """Start a node, again where another program has its port for the moment."""
    for attempt in range(5):
        try:
            await side.start_node()
        except AccordError:
            if attempt == 4:
                raise
            await asyncio.sleep(0.5)
        else:
            return


async def bring_in_stubbornly(side: Side, connection: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Give the command `accord sync` until each part of it was answered, as a person would; return what failed."""
    failed: list[dict[str, Any]] = []
    for first in range(0, len(keys), BATCH):
        part = list(keys[first : first + BATCH])
        answer = await call(side, "POST", f"/api/v1/connections/{connection}/sync", {"keys": part})
        failed += [one for one in answer["results"] if one["result"] == "failed"]
    return failed


async def call(side: Side, method: str, path: str, body: object | None = None) -> Any:
    """Call the admin API, again and again while the node is away."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await side.call(method, path, body)
        except NodeSaidNo:
            raise
        except AccordError:  # the node is away
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)


@dataclass(slots=True)
class Outcome:
    """What a run with kills ended in."""

    report: Report
    keys: list[str]
    kills: int
    story: list[str]
    stop_seconds: list[float]
    faults: list[str]
    """What is wrong although both Jiras may look alike; empty is right."""


async def play(root: Path, plan: Plan, *, issues: Path, limit: int, rounds: int = 2, seconds: float = 300.0) -> Outcome:
    """Run the demo's main job under a killer, wait until quiet, and look at everything.

    About half of the kills fall into the time when issues come in, the others into ``rounds`` of edits on both sides.
    """
    async with two_sides(root, load=issues, limit=limit) as (blue, green):
        await pair(blue, green)
        async with Person(blue.jira_url, "admin") as admin:
            keys = list(await admin.every_issue())
        theirs = await fill(green, GREEN)
        killer = Killer(blue, green, plan)
        async with killing(killer, plan.kills - plan.kills // 2):
            failed = await bring_in_stubbornly(blue, "Blue_to_Green", keys)
            failed += await bring_in_stubbornly(green, "Green_to_Blue", theirs)
        for round_ in range(rounds):
            if round_:
                await until_quiet(blue, green, seconds=seconds)
            async with killing(killer, (plan.kills - killer.done) // (rounds - round_)):
                await edit_stubbornly(blue, green, round_)
        await until_quiet(blue, green, seconds=seconds)
        report = await compare(blue, green, keys, failed)
        faults = await look_around(blue, green)
    for side in (blue, green):
        faults += look_inside(side)
    return Outcome(report, keys, killer.done, killer.story, killer.stop_seconds, faults)


def assert_whole(outcome: Outcome, plan: Plan) -> None:
    """Nothing is lost, nothing is there twice, nothing is left undone, and nobody was alarmed without reason."""
    found = [*outcome.report.differences, *outcome.faults]
    lines = [f"seed {plan.seed}:", *found, "what was done to the nodes:", *outcome.story]
    assert not found, "\n".join(lines)
    assert outcome.kills == plan.kills
    assert outcome.report.issues >= len(outcome.keys) - len(outcome.report.refused)


@asynccontextmanager
async def killing(killer: Killer, kills: int) -> AsyncIterator[None]:
    """Kill beside what is done here; at the end the killer has finished and both nodes are up."""
    task = asyncio.create_task(killer.run(kills))
    try:
        yield
        await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def edit_stubbornly(blue: Side, green: Side, round_: int) -> None:
    """Edit on both sides as the demo does, then several fields of some issues again and again; Jira is never away."""
    links = (await call(blue, "GET", "/api/v1/connections/Blue_to_Green/links"))["links"]
    pairs = [(one["key"], one["twin_key"]) for one in links if one["state"] == ACTIVE and one["twin_key"]]
    while True:
        try:
            await edit_both(blue, green)
        except TrackerError:
            raise
        except AccordError:  # a node is away, and nothing was edited yet
            await asyncio.sleep(0.1)
        else:
            break
    async with Person(blue.jira_url, "alice") as alice, Person(green.jira_url, "alice") as other:
        for number, (key, twin) in enumerate(pairs[:ISSUES]):
            for time_ in range(3):
                await alice.edit(key, {"summary": f"Blue's summary {round_}.{time_} of {key}"})
                await other.edit(twin, {"description": f"Green's description {round_}.{time_} of {twin}"})
            name, data = f"round-{round_}.txt", f"The same in every issue {round_}\n".encode() * 40
            await alice.attach(key, name, data)
            written = await other.comment(twin, f"Green's {round_} on {twin}")
            if number % 2:
                await other.delete_comment(twin, written)


async def look_around(blue: Side, green: Side) -> list[str]:
    """Ask both nodes and both Jiras for what a comparison of linked issues does not show."""
    faults = []
    for side, connection in ((blue, "Blue_to_Green"), (green, "Green_to_Blue")):
        links = (await side.call("GET", f"/api/v1/connections/{connection}/links"))["links"]
        linked = {one["key"] for one in links if one["state"] == ACTIVE}
        async with Person(side.jira_url, "admin") as admin:
            issues = await admin.every_issue()
        made = {key for key, issue in issues.items() if issue["fields"]["reporter"]["name"] == SYNC_USER}
        faults += [f"{side.name}: {key} was made by the sync and is linked to nothing" for key in sorted(made - linked)]
        told = {one["issue_key"] for one in (await side.call("GET", "/api/v1/errors"))["problems"]}
        alone = [one["key"] for one in links if not one["twin_key"] and one["key"] not in told]
        faults += [f"{side.name}: {key} has no twin, and nobody says why" for key in alone]
        verified = await side.call("POST", "/api/v1/ledger/verify", {})
        if not verified["sound"]:
            faults.append(f"{side.name}: the ledger does not verify: {json.dumps(verified)}")
    return faults


def look_inside(side: Side) -> list[str]:
    """Look into the database of a node that has stopped: nothing may be left undone, and no false alarm in it."""
    faults = []
    database = sqlite3.connect(f"file:{side.folder.database}?mode=ro", uri=True)
    try:
        for question, what in _QUESTIONS:
            rows = database.execute(question).fetchall()
            faults += [f"{side.name}: {what}: {row}" for row in rows if row != ("ok",)]
    finally:
        database.close()
    temporary = side.folder.blobs / "tmp"
    if temporary.exists() and any(temporary.iterdir()):
        faults.append(f"{side.name}: files of interrupted downloads are left")
    return faults


_NO_OUTCOME = """
    SELECT id, issue_key FROM link WHERE revision > 0 AND NOT EXISTS
        (SELECT 1 FROM outbox WHERE link_id = link.id AND revision = link.revision AND outcome IS NOT NULL)
"""
_QUESTIONS = (
    ("PRAGMA integrity_check", "the database is damaged"),
    ("SELECT issue, key FROM step", "an open step"),
    ("SELECT id, state, issue FROM change WHERE state <> 'held'", "a notice that was not dealt with"),
    ("SELECT id, state, kind FROM inbox WHERE state NOT IN ('done', 'held')", "a message that was not settled"),
    (
        "SELECT id, state, kind FROM outbox WHERE state NOT IN ('acked', 'superseded')",
        "a message that was not delivered",
    ),
    (_NO_OUTCOME, "an outcome that never came"),
    (
        "SELECT stage, code, message FROM problem WHERE stage IN ('peer', 'sweep')",
        "an alarm about the peer or the Jira",
    ),
    (
        "SELECT stage, code, message FROM problem WHERE state = 'open' AND stage NOT IN ('inbox', 'outcome', 'change')",
        "a problem that is not an issue's",
    ),
    ("SELECT connection_id, direction, sha256 FROM blob WHERE direction = 'rx'", "a file that never came"),
    ("SELECT connection_id FROM outbox GROUP BY 1 HAVING count(DISTINCT epoch) > 1", "a stream that began anew"),
    ("SELECT event, detail FROM history WHERE event = 'conflict'", "a conflict that nobody caused"),
)
