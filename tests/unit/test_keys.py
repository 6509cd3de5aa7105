"""Private keys as files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from node.errors import ConfigError
from node.keys import KeyFolder
from protocol.identity import ConnectionKeys

CONN = bytes(range(16))


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path / "keys", os.urandom)


def test_a_node_keeps_its_identity(folder: KeyFolder) -> None:
    """What was made once is read again, the same."""
    made = folder.create_node_key()
    assert folder.node_key().public == made.public


def test_a_node_never_gets_a_second_identity_by_accident(folder: KeyFolder) -> None:
    """All its peers would be lost."""
    made = folder.create_node_key()
    with pytest.raises(ConfigError, match="exists already"):
        folder.create_node_key()
    assert folder.node_key().public == made.public


def test_only_a_node_that_has_met_nobody_may_be_without_an_identity(folder: KeyFolder) -> None:
    """It gets its first one then; where somebody knows it by the one that is gone, none is made."""
    assert folder.identity(has_met=False) is None
    with pytest.raises(ConfigError, match="is missing, but its database holds connections") as lost:
        folder.identity(has_met=True)
    assert "Restore the folder keys/" in lost.value.advice
    made = folder.create_node_key()
    for has_met in (True, False):
        found = folder.identity(has_met=has_met)
        assert found is not None
        assert found.public == made.public


def test_files_are_for_the_nodes_user_alone(folder: KeyFolder, tmp_path: Path) -> None:
    """Mode 0600 in a folder of mode 0700."""
    folder.create_node_key()
    folder.keep_connection(CONN, ConnectionKeys.generate(os.urandom))
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert len(list((tmp_path / "keys").iterdir())) == 2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_that_others_can_read_is_refused(folder: KeyFolder, tmp_path: Path, mode: int) -> None:
    """It may have been read already, so it is not quietly repaired."""
    folder.create_node_key()
    (tmp_path / "keys" / "node.key").chmod(mode)
    with pytest.raises(ConfigError, match="can be read by other users") as refusal:
        folder.node_key()
    assert "chmod 600" in refusal.value.advice


def test_a_folder_that_others_can_enter_is_refused(folder: KeyFolder, tmp_path: Path) -> None:
    """The names of the files tell who is connected."""
    folder.create_node_key()
    (tmp_path / "keys").chmod(0o755)
    with pytest.raises(ConfigError, match="can be read by other users"):
        folder.node_key()


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"nk":"zz"}', '{"nk":"00"}', '{"nk":5}'])
def test_a_damaged_key_file_is_named(folder: KeyFolder, tmp_path: Path, content: str) -> None:
    """With what to do, and without what is in it."""
    folder.create_node_key()
    (tmp_path / "keys" / "node.key").write_text(content)
    with pytest.raises(ConfigError, match=r"damaged|cannot be read"):
        folder.node_key()


def test_a_missing_key_is_named(folder: KeyFolder) -> None:
    """Keys have a backup of their own."""
    with pytest.raises(ConfigError, match="missing"):
        folder.connection(CONN)


def test_secrets_of_a_connection_are_kept_until_they_are_destroyed(folder: KeyFolder) -> None:
    """Destroying twice is fine."""
    kept = folder.keep_connection(CONN, ConnectionKeys.generate(os.urandom))
    read = folder.connection(CONN)
    assert read.keys.to_bytes() == kept.keys.to_bytes()
    assert read.mid_key == kept.mid_key
    folder.destroy_connection(CONN)
    folder.destroy_connection(CONN)
    assert not folder.has_connection(CONN)


def test_no_secret_is_in_a_repr(folder: KeyFolder) -> None:
    """Logs show reprs."""
    node_key = folder.create_node_key()
    secrets = folder.keep_connection(CONN, ConnectionKeys.generate(os.urandom))
    shown = repr(node_key) + repr(secrets) + str(secrets)
    for secret in (node_key.to_bytes(), secrets.keys.to_bytes()[:32], secrets.keys.to_bytes()[32:], secrets.mid_key):
        assert secret.hex() not in shown
        assert repr(secret)[2:-1] not in shown


def test_what_a_crash_left_half_written_is_not_taken_for_a_key(folder: KeyFolder, tmp_path: Path) -> None:
    """A file gets its name only when it is whole."""
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / "node.new").write_text("half")
    assert not folder.has_node_key()
    made = folder.create_node_key()
    assert folder.node_key().public == made.public
