"""The guard's settings and the walls around scripts, as an admin meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.check import OK, WARNING, boundary_findings
from node.config import SETTINGS, GuardSettings, JiraSettings, NodeFolder, NodeSettings, Secret, Settings
from node.errors import ConfigError
from node.rules.script.workers import LayerState


def folder_with(path: Path, guard: str) -> NodeFolder:
    folder = NodeFolder(path / "node")
    settings = Settings(node=NodeSettings(name="Blue"), jira=JiraSettings(url="https://jira.example"))
    folder.create(settings, jira_token=Secret("t"))
    text = (folder.root / SETTINGS).read_text("utf-8")
    (folder.root / SETTINGS).write_text(text.partition("[guard]")[0] + guard, "utf-8")
    return folder


def test_the_guard_is_strict_until_somebody_says_otherwise(tmp_path: Path) -> None:
    """Without a [guard] table, and with one that says nothing about it, addresses in texts are stopped."""
    assert folder_with(tmp_path, "").settings().guard == GuardSettings()
    guard = folder_with(tmp_path / "two", "[guard]\nrestricted_comments = true\n").settings().guard
    assert guard.restricted_comments
    assert not guard.emails_in_texts


def test_patterns_are_written_with_name_and_expression(tmp_path: Path) -> None:
    """What docs/rules.md shows is read."""
    text = "[guard]\npatterns = [\n    { name = \"customer number\", expression = 'CUST-\\d{6}' },\n]\n"
    [pattern] = folder_with(tmp_path, text).settings().guard.patterns
    assert (pattern.name, pattern.expression) == ("customer number", r"CUST-\d{6}")


def test_a_pattern_that_cannot_be_searched_for_is_refused_at_start(tmp_path: Path) -> None:
    """A pattern with look-around is an error of the settings, with its place, not a guard that looks for nothing."""
    with pytest.raises(ConfigError, match=r"guard\.patterns\.1\.expression"):
        folder_with(tmp_path, "[guard]\npatterns = [{ name = 'x', expression = '(?=a)' }]\n").settings()


def test_settings_survive_being_written(tmp_path: Path) -> None:
    """Patterns and the user map come back as they were."""
    folder = folder_with(tmp_path, "[guard]\nsecurity_levels = ['Public']\n[users]\n\"Ada L\" = 'ada'\n")
    before = folder.settings()
    folder.write_settings(before)
    assert folder.settings() == before
    assert before.users == {"Ada L": "ada"}


def test_walls_that_stand_are_one_sentence_and_each_missing_one_is_a_warning() -> None:
    """An admin reads which layers there are, or what each missing one means and what to do."""
    layers = [LayerState("process", on=True, sentence="p"), LayerState("seccomp", on=True, sentence="s")]
    [finding] = boundary_findings(layers)
    assert (finding.state, finding.text) == (OK, "All walls around scripts stand: process, seccomp.")
    [missing] = boundary_findings([*layers, LayerState("landlock", on=False, sentence="This kernel lacks Landlock.")])
    assert (missing.state, missing.what, missing.text) == (WARNING, "scripts: landlock", "This kernel lacks Landlock.")
    assert missing.advice
