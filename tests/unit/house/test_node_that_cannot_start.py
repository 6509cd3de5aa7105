"""A node that cannot start says why in words, and leaves nothing behind that holds its folder or its process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from node.app import Node
from node.clock import SystemClock
from node.config import JiraSettings, NodeFolder, NodeSettings, Secret, Settings, TlsSettings
from node.errors import ConfigError
from node.store.engine import Store


def _folder(root: Path, *, port: int = 0) -> NodeFolder:
    folder = NodeFolder(root / "node")
    settings = Settings(
        node=NodeSettings(name="Alice", port=port, admin_port=0), jira=JiraSettings(url="http://127.0.0.1:9")
    )
    folder.create(settings, jira_token=Secret("t"))
    return folder


async def _is_free(folder: NodeFolder) -> None:
    async with await Store.open(folder.database):
        assert not folder.running.exists()


@pytest.mark.parametrize("name", ["jira-token", "webhook-token", "api-token"])
async def test_a_missing_secret_is_named(tmp_path: Path, name: str) -> None:
    """Whichever secret is gone, the error names its file, and the database is not held."""
    folder = _folder(tmp_path)
    (folder.root / "secrets" / name).unlink()
    with pytest.raises(ConfigError, match=name):
        await Node(folder, clock=SystemClock()).start()
    await _is_free(folder)


async def test_a_lost_node_key_is_never_replaced_by_a_new_identity(tmp_path: Path) -> None:
    """A database with connections and no key: the node says what to restore, makes no key, and holds nothing."""
    folder = _folder(tmp_path)
    node = Node(folder, clock=SystemClock())
    await node.start()
    await node._connections.invitations.invite("Bob", project="UD")
    await node.stop()
    (folder.keys / "node.key").unlink()
    with pytest.raises(ConfigError, match="is missing, but its database holds connections") as error:
        await Node(folder, clock=SystemClock()).start()
    assert "Restore the folder keys/" in error.value.advice
    assert not (folder.keys / "node.key").exists()
    await _is_free(folder)


async def test_a_file_of_authorities_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A wrong tls.ca_file stops the start with words; a relative path begins in the node's folder."""
    folder = _folder(tmp_path)
    settings = folder.settings()
    folder.write_settings(settings.model_copy(update={"tls": TlsSettings(ca_file="ca.pem")}))
    with pytest.raises(ConfigError, match=str(folder.root / "ca.pem")):
        await Node(folder, clock=SystemClock()).start()
    await _is_free(folder)


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    """Another program listens there: the error says where and what to change, once."""
    other = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with other:
        port = other.sockets[0].getsockname()[1]
        folder = _folder(tmp_path, port=port)
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: Address already in use") as error:
            await Node(folder, clock=SystemClock()).start()
    assert "accord.toml" in error.value.advice
    await _is_free(folder)
