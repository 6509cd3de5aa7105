"""The sandbox's command: what it says when it loads, does not load, or cannot start."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.support.data import data_file
from tests.support.served import REPOSITORY
from tests.support.two_nodes import eventually


async def _sandbox(*arguments: str) -> asyncio.subprocess.Process:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ACCORD_", "COV_"))}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "node", "sandbox", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**kept, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip


async def _failing(*arguments: str) -> str:
    """Run a sandbox that cannot start and return what it says."""
    process = await _sandbox(*arguments)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    text = err.decode()
    assert not any(word in text for word in ("Traceback", "Errno", "DataFileError")), text
    return text


async def test_loading_is_told_in_words_and_a_second_time_is_said_to_be_left_out(tmp_path: Path) -> None:
    """A dump goes into a new file only; the same command again serves what is there and says so."""
    url = tmp_path / "url"
    said = []
    for _ in range(2):
        url.unlink(missing_ok=True)
        process = await _sandbox(
            "--port", "0", "--data", str(tmp_path / "jira.db"), "--load", str(data_file("issues-800.jsonl.gz")),
            "--limit", "3", "--url-file", str(url),
        )  # fmt: skip

        async def up() -> bool:
            return url.exists()

        await eventually(up, "the sandbox is up")
        process.send_signal(signal.SIGTERM)
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        said.append(out.decode())
    assert "Loaded 3 issues with" in said[0]
    assert "LoadReport" not in said[0]
    assert "was not loaded" in said[1]
    assert "Loaded" not in said[1]


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """What is not a Jira of ours is neither opened nor overwritten."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at " * 50)
    text = await _failing("--port", "0", "--data", str(path))
    assert str(path) in text
    assert path.read_text().startswith("not a database")


async def test_a_port_in_use_is_named_with_what_to_do() -> None:
    """Another program listens there: words, not a number of the operating system."""
    other = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with other:
        port = other.sockets[0].getsockname()[1]
        text = await _failing("--port", str(port))
    assert f"127.0.0.1:{port}: Address already in use" in text
    assert "--port" in text


async def test_a_folder_that_the_demo_cannot_work_in_is_named() -> None:
    """The path that was given is in the error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "node", "demo", "--once", "--keep", "/proc/nothing/here",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )  # fmt: skip
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, b"/proc/nothing/here" in err) == (1, True), err
