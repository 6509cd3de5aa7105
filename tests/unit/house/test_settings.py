"""Settings as an admin meets them: what is wrong is named in words, and a secret is neither kept nor shown there."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from node.config import SETTINGS, JiraSettings, NodeFolder, NodeSettings, Secret, Settings, what_is_wrong
from node.errors import ConfigError


def _settings(url: str = "https://jira.example", name: str = "Blue") -> Settings:
    return Settings(node=NodeSettings(name=name), jira=JiraSettings(url=url))


@pytest.mark.parametrize(
    "url",
    ["https://admin:hunter2@jira.example", "https://hunter2@jira.example/x", "https://jira.example/?token=hunter2"],
)
def test_an_address_holds_no_secret(url: str) -> None:
    """Peers see the addresses of issues, so a password in our Jira's address would reach them; and it is not shown."""
    with pytest.raises(ValidationError) as refused:
        _settings(url)
    said = what_is_wrong(refused.value)
    assert "without user name, password" in said
    assert "hunter2" not in said


def test_a_name_that_cannot_be_one_is_told_in_words() -> None:
    """No pattern is shown to a person."""
    with pytest.raises(ValidationError) as refused:
        _settings(name="B lue")
    assert "letters, digits" in what_is_wrong(refused.value)


@pytest.mark.parametrize(
    "text", ["", "[node", "[node]\nname = 'Blue'\nport = 'x'\n", "\xff", "[node]\nname='Blue'\nsecret='hunter2'\n"]
)
def test_a_broken_file_is_told_and_not_repeated(tmp_path: Path, text: str) -> None:
    """Whatever is in the file, the error names the file and the place, never the value."""
    folder = NodeFolder(tmp_path)
    (tmp_path / SETTINGS).write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as error:
        folder.settings()
    assert SETTINGS in error.value.message
    assert "hunter2" not in error.value.message


@pytest.mark.parametrize(
    ("text", "line", "column", "what", "advice"),
    [
        ("[node]\nname = Blue\n", 2, 8, "this is no value", 'A text stands in quotes: key = "value".'),
        ("[node]\nname = 'Blue\n", 2, 8, "the text that begins here is never closed", "the same quotes"),
        ("[node]\nname = 'a'\nname = 'b'\n", 3, 1, "'name' is there a second time", "Keep one"),
        ("[node]\n[jira]\n[node]\n", 3, 2, "'node' is there a second time", "Keep one"),
        ("[node]\n\n[jira", 3, 1, "the name of a table is not closed", "Write [node], [jira] or [sync]."),
        ("[node]\nport", 2, 1, "the line ends before it is complete", 'Write key = "value"'),
        ("[node]\nname = 'Bl\xfce'\n", 2, 11, "this is not UTF-8", "Save the file as UTF-8."),
    ],
)
def test_a_slip_of_the_pen_is_told_with_its_place(
    tmp_path: Path, text: str, line: int, column: int, what: str, advice: str
) -> None:
    """File, line, column, the line itself with a mark under the place, and what to do, as for rules."""
    (tmp_path / SETTINGS).write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as error:
        NodeFolder(tmp_path).settings()
    first, shown, mark = error.value.message.split("\n")
    assert first == f"{tmp_path / SETTINGS}, line {line}, column {column}: {what}."
    assert shown == "    " + text.split("\n")[line - 1].replace("\xfc", "\N{REPLACEMENT CHARACTER}")
    assert mark == " " * (column + 3) + "^"
    assert advice in error.value.advice


def test_a_password_in_an_address_is_not_shown_with_its_line(tmp_path: Path) -> None:
    """It does not belong there, and an error may end up in a log."""
    (tmp_path / SETTINGS).write_text('[jira]\nurl = "https://admin:hunter2@jira.example\n')
    with pytest.raises(ConfigError) as error:
        NodeFolder(tmp_path).settings()
    assert 'url = "https://*************@jira.example' in error.value.message


def test_a_file_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    """A folder in the file's place is an error for people, not a trace."""
    (tmp_path / SETTINGS).mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        NodeFolder(tmp_path).settings()


def test_a_second_node_in_a_folder_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    """The first node's settings and secrets stay as they are."""
    folder = NodeFolder(tmp_path / "node")
    folder.create(_settings(), jira_token=Secret("first"))
    with pytest.raises(ConfigError, match="already"):
        folder.must_be_free()
    with pytest.raises(ConfigError, match="already"):
        folder.create(_settings(), jira_token=Secret("second"))
    assert folder.secret("jira-token").value == "first"


def test_a_secret_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Secrets are written with mode 0600, refused once others may read them, and do not show themselves."""
    folder = NodeFolder(tmp_path / "node")
    folder.create(_settings(), jira_token=Secret("hunter2"))
    path = folder.root / "secrets" / "jira-token"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hunter2" not in repr(folder.secret("jira-token"))
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others"):
        folder.secret("jira-token")
