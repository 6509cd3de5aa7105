"""The structure that `docs/architecture.md` promises: imports run one way, and the pure middle stays pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = (
    "node/rules/mapping.py", "node/rules/guard.py", "node/rules/scope.py", "node/rules/diff.py",
    "node/sync/merge.py", "node/sync/plan.py", "node/sync/content.py", "node/sync/names.py",
    "node/triggers/echo.py", "node/triggers/trigger.py", "node/trackers/issue.py", "node/trackers/fields.py",
    "node/ledger_chain.py", "node/sync/message.py", "node/sync/last_look.py", "node/rules_desk/shown.py",
    "node/sync/recovering.py", "node/sync/markers.py",
)  # fmt: skip
IMPURE = {"asyncio", "aiohttp", "requests", "socket", "time", "random", "os", "subprocess", "threading", "logging"}
USE_CASES = {"operations", "problem_desk", "answers", "connections", "invitations"}
ABOVE = {
    "rules": {"admin", "sync", "transport", "triggers", "app", "serve", "cli", "demo"} | USE_CASES,
    "trackers": {"admin", "sync", "transport", "triggers", "app", "serve", "cli", "demo", "rules", "store"},
    "sync": {"admin", "app", "serve", "cli", "demo", "transport"},
    "transport": {"admin", "app", "serve", "cli", "demo"},
    "triggers": {"admin", "app", "serve", "cli", "demo", "transport"},
    "sandbox": {"admin", "app", "serve", "cli", "demo", "sync", "transport", "triggers", "store", "rules", "trackers"},
}


def _modules(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_protocol_knows_nothing_of_the_node() -> None:
    """`protocol` never imports `node`, nor anything that talks to the world."""
    for path in _modules("protocol"):
        for name in _imports(path):
            assert not name.startswith("node"), f"{path} imports {name}"
            assert name.split(".")[0] not in IMPURE, f"{path} imports {name}"


@pytest.mark.parametrize("room", sorted(ABOVE))
def test_a_room_imports_nothing_from_the_rooms_above(room: str) -> None:
    """Imports inside the node run one way."""
    for path in _modules(f"node/{room}"):
        for name in _imports(path):
            parts = name.split(".")
            if parts[0] == "node" and len(parts) > 1:
                assert parts[1] not in ABOVE[room], f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("name", PURE)
def test_the_pure_middle_has_no_clock_no_io_and_no_async(name: str) -> None:
    """What decides is pure, so that every decision can be tested and replayed."""
    tree = ast.parse((ROOT / name).read_text("utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
    for imported in _imports(ROOT / name):
        assert imported.split(".")[0] not in IMPURE, f"{name} imports {imported}"


def test_only_the_composition_root_names_the_adapter() -> None:
    """The Jira adapter is imported by nobody but the composition root."""
    for path in _modules("node"):
        if "jira" in path.parts or path.name == "app.py":
            continue
        for name in _imports(path):
            assert not name.startswith("node.trackers.jira"), f"{path.relative_to(ROOT)} imports {name}"


def test_every_module_says_what_it_is_for() -> None:
    """Each module begins with a docstring."""
    for path in [*_modules("node"), *_modules("protocol")]:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), f"{path.relative_to(ROOT)} has no docstring"
