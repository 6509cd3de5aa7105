"""`accord check` while the node does not run: what would keep it from starting, and how it is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node.app import Node, check_offline
from node.clock import SystemClock
from node.config import USUAL_FOLDER, JiraSettings, NodeFolder, NodeSettings, Secret, Settings


def _folder(root: Path) -> NodeFolder:
    folder = NodeFolder(root)
    settings = Settings(
        node=NodeSettings(name="Alice", port=0, admin_port=0), jira=JiraSettings(url="http://127.0.0.1:9")
    )
    folder.create(settings, jira_token=Secret("t"))
    return folder


async def _has_met_bob(folder: NodeFolder) -> None:
    """Run the node once, and let it invite somebody."""
    node = Node(folder, clock=SystemClock())
    await node.start()
    await node._connections.invitations.invite("Bob", project="UD")
    await node.stop()


async def _finding(folder: NodeFolder, what: str) -> dict[str, Any]:
    [found] = [one for one in await check_offline(folder) if one["what"] == what]
    return found


async def test_a_lost_node_key_is_an_error_before_the_node_is_started(tmp_path: Path) -> None:
    """The node would not start: the check says why, what to restore, and makes no new key."""
    folder = _folder(tmp_path / "node")
    await _has_met_bob(folder)
    assert (await _finding(folder, "key"))["state"] == "ok"
    (folder.keys / "node.key").unlink()
    found = await _finding(folder, "key")
    assert (found["state"], str(folder.keys / "node.key") in found["text"]) == ("error", True)
    assert "Restore the folder keys/" in found["advice"]
    assert not (folder.keys / "node.key").exists()


async def test_a_key_that_others_can_read_is_an_error_too(tmp_path: Path) -> None:
    """The node would refuse it at its start."""
    folder = _folder(tmp_path / "node")
    await _has_met_bob(folder)
    (folder.keys / "node.key").chmod(0o644)
    found = await _finding(folder, "key")
    assert (found["state"], "chmod 600" in found["advice"]) == ("error", True)


async def test_a_new_node_has_no_key_yet(tmp_path: Path) -> None:
    """Right after accord init nothing is wrong: the key comes with the first start."""
    found = await _finding(_folder(tmp_path / "node"), "key")
    assert (found["state"], "when it first starts" in found["text"]) == ("ok", True)


async def test_the_advice_names_the_folder_that_was_named(tmp_path: Path) -> None:
    """What people are told to type starts this node, not another one in the usual folder."""
    folder = _folder(tmp_path / "node")
    assert f"accord --dir {folder.root} serve" in (await _finding(folder, "webhook"))["advice"]


async def test_the_advice_is_short_in_the_usual_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who needs no --dir is not told to use one."""
    monkeypatch.chdir(tmp_path)
    advice = (await _finding(_folder(USUAL_FOLDER), "webhook"))["advice"]
    assert advice.endswith("start it with accord serve")
