"""The recipes of docs/rules.md, so that the tests run what the page shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.two_nodes import Party

_PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")


def recipe(title: str, changes: Mapping[str, str] | None = None) -> list[str]:
    """Return the rules files under a heading, in their order; ``changes`` are texts that fit the test's Jira."""
    part = re.split(r"^### ", _PAGE, flags=re.MULTILINE)
    [body] = [one for one in part if one.startswith(title)]
    files = re.findall(r"```toml\n(.*?)```", body.split("\n## ")[0], flags=re.DOTALL)
    return [_changed(text, changes or {}) for text in files]


def _changed(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        text = text.replace(f'"{old}"', f'"{new}"')
    return text


def mappings(direction: str, method: str, *steps: str, extra: str = "") -> str:
    """Write a rules file of plain mappings: ``source`` or ``source>target``."""
    text = f'direction = "{direction}"\nmethod = "{method}"\n{extra}'
    for step in steps:
        source, _, target = step.partition(">")
        text += f'\n[[step]]\nsource = "{source}"\ntarget = "{target or source}"\n'
    return text


async def publish(party: Party, **files: str) -> dict[str, Any]:
    """Publish rules on a side's connection; warnings come back."""
    body = {"files": files, "author": "ada", "why": "a test"}
    done: dict[str, Any] = await party.call("POST", f"/api/v1/connections/{party.connection}/rules/import", body)
    return done


async def left(party: Party) -> str:
    """Return everything that ever left over a side's connection, as the ledger has it."""
    entries = (await party.call("GET", f"/api/v1/ledger/of/{party.connection}?limit=500"))["entries"]
    return "\n".join(one["payload"] for one in entries)
