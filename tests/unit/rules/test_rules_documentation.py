"""What docs/rules.md and docs/rules-scripts.md show is what the node takes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.rules.checks import check_rules
from node.rules.facts import CachedFacts
from node.rules.fields import STANDARD
from node.rules.files import export_rules, import_rules
from node.rules.findings import has_errors
from node.rules.ruleset import COLLECTIONS, MappingStep, Scope
from node.rules.script.sandbox import MontyEngine
from tests.support.known_jira import KnownJira

_PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
_SCRIPTS = (Path(__file__).parents[3] / "docs" / "rules-scripts.md").read_text(encoding="utf-8")
_FILES = re.findall(r"```toml\n(.*?)```", _PAGE + _SCRIPTS, flags=re.DOTALL)


@pytest.fixture
async def engine() -> AsyncIterator[MontyEngine]:
    """Check scripts for real."""
    made = MontyEngine(workers=1)
    yield made
    await made.close()


@pytest.mark.parametrize("text", _FILES, ids=[str(number) for number in range(len(_FILES))])
async def test_every_rules_file_of_the_pages_can_be_imported(text: str, engine: MontyEngine) -> None:
    """It reads as the page shows it, is laid out as an export would be, and has no errors in a real Jira."""
    ruleset = import_rules(text)
    assert export_rules(ruleset).split("\n", 1)[1] == "\n" + text
    findings = await check_rules(ruleset, CachedFacts(KnownJira()), project="SC", engine=engine)
    assert not has_errors(findings), "\n".join(map(str, findings))


def test_the_page_names_every_field_filter_and_setting() -> None:
    """A name that the node knows and the page does not would be found by nobody."""
    for name in (*STANDARD, *COLLECTIONS, *MappingStep.model_fields, *Scope.model_fields):
        assert f"`{name}`" in _PAGE, name
