"""A sandbox with a data file is the same sandbox after a restart."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from node.sandbox.app import RunningSandbox
from node.sandbox.load import LoadReport
from node.sandbox.persistence import DataFileError, Saver, read_world
from node.sandbox.seed import create_project, default_world
from node.sandbox.serve import SandboxOptions, prepare_world, serve_sandbox
from tests.support.data import data_file

ME = {"Authorization": aiohttp.encode_basic_auth("admin", "admin")}
PATIENCE_SECONDS = 10.0


async def _served(options: SandboxOptions, act: object = None) -> tuple[RunningSandbox, LoadReport | None, object]:
    """Serve, let ``act`` do something, stop, and return what was served and what ``act`` returned."""
    started: asyncio.Future[tuple[RunningSandbox, LoadReport | None]] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    task = asyncio.create_task(
        serve_sandbox(options, ready=lambda box, report: started.set_result((box, report)), stop=stop)
    )
    waiting: set[asyncio.Future[Any]] = {task, started}
    done, _ = await asyncio.wait(waiting, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if task in done:
        await task
    box, report = started.result()
    result = await act(box) if callable(act) else None
    stop.set()
    await asyncio.wait_for(task, PATIENCE_SECONDS)
    return box, report, result


async def _use(box: RunningSandbox) -> dict[str, object]:
    api = f"{box.url}/rest/api/2"
    async with aiohttp.ClientSession(headers=ME) as session:
        keys = []
        for summary in ("Kept", "Also kept", "Deleted"):
            fields = {"project": {"key": "SC"}, "issuetype": {"name": "Task"}, "summary": summary}
            async with session.post(f"{api}/issue", json={"fields": fields}) as answer:
                keys.append((await answer.json())["key"])
        await (await session.post(f"{api}/issue/{keys[0]}/comment", json={"body": "Hi"})).read()
        await (await session.put(f"{api}/issue/{keys[0]}/properties/mark", json={"id": 7})).read()
        form = aiohttp.FormData()
        form.add_field("file", b"\x00\xffbytes", filename="a.bin")
        headers = {"X-Atlassian-Token": "no-check"}
        await (await session.post(f"{api}/issue/{keys[0]}/attachments", data=form, headers=headers)).read()
        link = {"type": {"name": "Blocks"}, "inwardIssue": {"key": keys[0]}, "outwardIssue": {"key": keys[1]}}
        await (await session.post(f"{api}/issueLink", json=link)).read()
        await (await session.delete(f"{api}/issue/{keys[2]}")).read()
        async with session.get(f"{api}/issue/{keys[0]}?expand=changelog&properties=*all") as answer:
            shown: dict[str, object] = await answer.json()
            return shown


async def _look(box: RunningSandbox) -> tuple[dict[str, object], bytes, int]:
    api = f"{box.url}/rest/api/2"
    async with aiohttp.ClientSession(headers=ME) as session:
        async with session.get(f"{api}/issue/SC-1?expand=changelog&properties=*all") as answer:
            shown = await answer.json()
        async with session.get(shown["fields"]["attachment"][0]["content"]) as answer:
            content = await answer.read()
        async with session.get(f"{api}/issue/SC-3") as answer:
            return shown, content, answer.status


def _without_address(shown: object, url: str) -> str:
    return str(shown).replace(url, "")


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    """Issues, comments, files with their bytes, links, properties and history come back; deleted ones do not."""
    options = SandboxOptions(data=tmp_path / "jira.db", projects={"SC": "Scrum"}, tokens={"t0ken": "bob"})
    first, _, before = await _served(options, _use)
    assert (tmp_path / "jira.db").stat().st_mode & 0o077 == 0
    second, _, after = await _served(options, _look)
    assert isinstance(after, tuple)
    shown, content, status = after
    assert _without_address(shown, second.url) == _without_address(before, first.url)
    assert content == b"\x00\xffbytes"
    assert status == 404
    assert second.world.check_token("t0ken") is second.world.user_named("bob")
    assert second.world.new_id("issue") == "10003"


async def test_what_happened_is_saved_while_the_server_runs(tmp_path: Path) -> None:
    """A change is in the file soon after it happened, without a clean stop."""
    path = tmp_path / "jira.db"
    options = SandboxOptions(data=path, projects={"SC": "Scrum"})

    async def act(box: RunningSandbox) -> str:
        await _use(box)
        for _ in range(200):
            saved = read_world(path)
            if saved is not None and len(saved.issues) == 2 and saved.issue("SC-1").comments:  # type: ignore[union-attr]
                return "saved"
            await asyncio.sleep(0.05)
        return "not saved"

    _, _, result = await _served(options, act)
    assert result == "saved"


async def test_a_dump_is_loaded_once(tmp_path: Path) -> None:
    """With a data file the dump comes in at the first start, and the file at the next; all 800 issues either way."""
    options = SandboxOptions(data=tmp_path / "jira.db", load=data_file("issues-800.jsonl.gz"))
    first, report, _ = await _served(options)
    assert report is not None
    assert report.issues == len(first.world.issues) == 800
    second, again, _ = await _served(options)
    assert again is None
    assert second.world.issues == first.world.issues
    assert second.world.site == first.world.site


async def test_a_failed_save_loses_nothing(tmp_path: Path) -> None:
    """What could not be written is written with the next save."""
    world = default_world()
    create_project(world, "SC")
    saver = Saver(world, tmp_path / "jira.db")
    other = sqlite3.connect(tmp_path / "jira.db", timeout=0)
    other.execute("BEGIN EXCLUSIVE")
    saver._database.execute("PRAGMA busy_timeout = 0")
    with pytest.raises(DataFileError, match="cannot be written"):
        await saver.save()
    other.rollback()
    other.close()
    await saver.close()
    kept = read_world(tmp_path / "jira.db")
    assert kept is not None
    assert kept.site == world.site


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("PRAGMA application_id = 1", "another program"),
        ("PRAGMA user_version = 99", "format 99"),
        ("UPDATE site SET body = '{\"users\": 1}'", "damaged"),
    ],
)
async def test_a_foreign_or_damaged_file_is_refused(tmp_path: Path, statement: str, complaint: str) -> None:
    """It is said what is wrong, and the file is left alone."""
    path = tmp_path / "jira.db"
    await _served(SandboxOptions(data=path))
    with sqlite3.connect(path) as database:
        database.execute(statement)
    database.close()
    with pytest.raises(DataFileError, match=complaint):
        prepare_world(SandboxOptions(data=path))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Any other file is not overwritten."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear Jira, " * 100)
    with pytest.raises(DataFileError, match="cannot be used"):
        prepare_world(SandboxOptions(data=path))
    assert path.read_text().startswith("Dear Jira")


def test_a_token_for_nobody_is_refused() -> None:
    """A mistyped user name is found at the start."""
    with pytest.raises(ValueError, match="nobody"):
        prepare_world(SandboxOptions(tokens={"t": "nobody"}))
