"""What tests of scripts share: a small Jira to ask, an issue, a replica, and the same program in bare Python."""

# ruff: noqa: D102 - the port says what its methods do

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from node.errors import RuleError
from node.rules.script import subset
from node.rules.script.engine import CustomField, Direction, ScriptInputs, ScriptSchema
from node.rules.script.program import prelude_for
from node.rules.script.projection import Reads, changes_from, job_for, shape_for

SCHEMA = ScriptSchema(
    custom={
        "Severity": CustomField(kind="select", options=("High", "Low")),
        "Story Points": CustomField(kind="number"),
        "Reviewer": CustomField(kind="user"),
        "Customer": CustomField(kind="text"),
        "Place": CustomField(kind="cascading", options=("Asia", "Asia / Tokyo", "Europe", "Europe / Berlin")),
        "Teams": CustomField(kind="multi-select", options=("Red", "Blue")),
    },
    statuses=("To Do", "Doing", "Done"),
    issue_types=("Task", "Bug", "Story"),
    priorities=("High", "Medium", "Low"),
    resolutions=("Fixed", "Won't Fix"),
)

ALICE = {"id": "alice", "display_name": "Alice Smith", "email": "alice@example.org"}
BOB = {"id": "bob", "display_name": "Bob Jones", "email": "bob@example.org"}


class JiraAtHand:
    """Helpers over a Jira of three users and a few names; counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.hold: asyncio.Event | None = None
        self.reached = asyncio.Event()

    async def _note(self, *what: str) -> None:
        self.asked.append(what)
        self.reached.set()
        if self.hold is not None:
            await self.hold.wait()

    async def issue_type(self, name: str, project: str | None) -> str | None:
        await self._note("issue_type", name, project or "")
        return {kind.casefold(): kind for kind in SCHEMA.issue_types}.get(name.casefold())

    async def priority(self, name: str) -> str | None:
        await self._note("priority", name)
        return name if name in SCHEMA.priorities else None

    async def resolution(self, name: str) -> str | None:
        await self._note("resolution", name)
        return name if name in SCHEMA.resolutions else None

    async def user_by_email(self, email: str) -> Mapping[str, Any] | None:
        await self._note("user_by_email", email)
        return {"alice@example.org": ALICE, "bob@example.org": BOB}.get(email)

    async def user_by_name(self, name: str) -> Mapping[str, Any] | None:
        await self._note("user_by_name", name)
        return {"Alice Smith": ALICE, "Bob Jones": BOB}.get(name)

    async def user_by_map(self, who: str) -> Mapping[str, Any] | None:
        await self._note("user_by_map", who)
        return BOB if who == "Robert" else None

    async def version(self, name: str, *, create: bool) -> str | None:
        await self._note("version", name, str(create))
        if create and name == "forbidden":
            raise RuleError("Versions may not be created here.", advice="Allow it.")
        return name if create or name.startswith("1.") else None

    async def component(self, name: str, *, create: bool) -> str | None:
        await self._note("component", name, str(create))
        return name if create or name == "Core" else None

    async def option(self, custom_field: str, value: str, *, create: bool) -> str | None:
        await self._note("option", custom_field, value, str(create))
        return value if create or value in SCHEMA.custom[custom_field].options else None

    async def local_key(self, remote: str) -> str | None:
        await self._note("local_key", remote)
        return {"PEER-1": "ABC-1"}.get(remote)


def issue(**more: Any) -> dict[str, Any]:
    """Return an issue of ours as JSON: Alice reported it, Bob works on it."""
    return {
        "id": "10001", "key": "ABC-7", "project": "ABC", "type": "Bug", "summary": "Printer on fire",
        "description": "It burns.\nSee REF-123 and REF-456.", "environment": None, "status": "To Do",
        "resolution": None, "priority": "High", "security_level": None, "labels": ["hot", "partner"],
        "components": ["Core"], "fix_versions": [], "affects_versions": [], "due": "2026-11-27", "assignee": BOB,
        "reporter": ALICE, "creator": ALICE, "parent_key": None, "subtask": False, "original_estimate": 3600,
        "remaining_estimate": None, "created": "2026-11-20T08:00:00Z", "updated": "2026-11-24T08:00:00Z",
        "comments": [
            {"id": "1", "body": "Looking at it.", "author": BOB, "created": "2026-11-20T09:00:00Z", "updated": None,
             "restriction": None, "internal": False},
            {"id": "2", "body": "The customer is wrong.", "author": BOB, "created": None, "updated": None,
             "restriction": None, "internal": True},
            {"id": "3", "body": "For developers.", "author": ALICE, "created": None, "updated": None,
             "restriction": {"kind": "role", "value": "Developers"}, "internal": False},
        ],
        "attachments": [{"id": "5", "name": "fire.png", "size": 12, "content_url": "http://jira/5", "mime": "image/png",
                         "author": BOB, "created": None}],
        "worklogs": [{"id": "6", "seconds": 600, "started": "2026-11-20T09:00:00Z", "author": BOB,
                      "comment": "Poured water.", "restriction": None}],
        "links": [], "custom": {"Severity": "High", "Customer": "ACME", "Teams": ["Red"]}, "complete": True, **more,
    }  # fmt: skip


def replica(**more: Any) -> dict[str, Any]:
    """Return a replica that the peer sent."""
    return {
        "issue": "h-issue", "key": "PEER-9", "url": None,
        "fields": {"summary": "Printer smokes", "description": "Text", "type": "bug", "status": "In Progress",
                   "priority": "High", "labels": ["peer"], "assignee": "Robert", "parent_key": "PEER-1",
                   "custom.Impact": "2", "due": "2026-12-01"},
        "comments": [
            {"handle": "h1", "body": "From afar", "author": "Ann *Bold*", "created": None, "updated": None,
             "internal": False, "author_email": "alice@example.org"},
            {"handle": "h2", "body": "Second", "author": None, "created": None, "updated": None, "internal": False},
        ],
        "attachments": [{"handle": "f1", "name": "smoke.png", "mime": "image/png", "size": 3, "blob": "0" * 64,
                         "author": "Ann", "created": None}],
        "worklogs": [{"handle": "w1", "author": "Ann", "started": "2026-11-20T09:00:00Z", "seconds": 60,
                      "comment": "watched"}],
        **more,
    }  # fmt: skip


def inputs(direction: Direction = "incoming", **more: Any) -> ScriptInputs:
    """Return what a script sees on an ordinary sync."""
    given: dict[str, Any] = {"issue": issue(), "now": "2026-11-24T10:00:00.000Z"}
    if direction == "incoming":
        given["replica"] = replica()
    return ScriptInputs(**{**given, **more})


def bare_python(source: str, direction: Direction) -> Any:
    """Return a function from inputs to the JSON answer: the same program without any box, for comparison."""
    names, known = _unboxed(source, direction)

    def run(given: ScriptInputs) -> Any:
        job = job_for(given, direction, SCHEMA, known, given.now or "")
        with contextlib.redirect_stdout(io.StringIO()):
            return json.loads(names["_evaluate"](names["_rule"], 0, job))

    run.names = names  # type: ignore[attr-defined]

    return run


def bare_rules(
    source: str, direction: Direction, ask: Callable[..., Any]
) -> Callable[[ScriptInputs], Mapping[str, Any]]:
    """Return a function from inputs to the whole replica or draft: what rules without a box would do, and no more.

    Nothing becomes JSON on the way, since nothing leaves the process.
    """
    names, known = _unboxed(source, direction)
    names["_ask"] = ask
    names["json"] = _NoJson

    def run(given: ScriptInputs) -> Mapping[str, Any]:
        job = job_for(given, direction, SCHEMA, known, given.now or "")
        with contextlib.redirect_stdout(io.StringIO()):
            return changes_from(given, direction, names["_evaluate"](names["_rule"], 0, job))

    return run


class _NoJson:
    """Stands for the module in the prelude: an answer stays what it is."""

    @staticmethod
    def dumps(value: Any, **_how: Any) -> Any:
        return value if isinstance(value, dict) else json.dumps(value)


def _unboxed(source: str, direction: Direction) -> tuple[dict[str, Any], Reads]:
    """Return the names of the prelude and the script in this process, and what the script reads."""
    analysis = subset.analyse(source, direction)
    assert analysis["findings"] == [], analysis["findings"]
    some = {root: None if found is None else frozenset(found) for root, found in analysis["reads"].items()}
    known = Reads(**some, clock=analysis["clock"])
    shape = shape_for(direction, known)
    prelude = prelude_for(analysis["names"], direction=direction, shape=shape, entries=analysis["entries"])
    names: dict[str, Any] = {"_ask": lambda *_: None}
    exec(f"{prelude}\n{analysis['code']}", names)  # noqa: S102 - the test's own scripts
    return names, known


def workers_of_this_process() -> dict[int, str]:
    """Return the engine's processes that this process started, with the states of their threads (R runs, S waits)."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            whole = _status(entry)
            if whole["Name"] == "monty" and int(whole["PPid"]) == os.getpid():
                found[int(entry.name)] = "".join(_status(task)["State"][0] for task in (entry / "task").iterdir())
    return found


def seconds_of_workers() -> float:
    """Return the CPU seconds that the engine's living processes have taken, as the kernel's scheduler counts them."""
    total = 0
    for pid in workers_of_this_process():
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def _status(folder: Path) -> dict[str, str]:
    lines = (folder / "status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)
