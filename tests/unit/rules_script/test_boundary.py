"""The walls of the operating system around the workers, looked at from outside while they run."""

# ruff: noqa: ASYNC240, ASYNC110 - /proc answers at once and has no events

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from node.errors import RuleError
from node.rules.script import syscalls
from node.rules.script.engine import Script, ScriptFailed
from node.rules.script.sandbox import MontyEngine
from node.rules.script.workers import Workers, boundary_report, engine_program
from tests.support.scripts import SCHEMA, JiraAtHand, inputs, workers_of_this_process

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not syscalls.supported(), reason="these walls exist on Linux (x86_64, aarch64) only"
)

LAUNCHER = Path(syscalls.__file__).with_name("launcher.py")


@pytest.fixture
async def engine() -> AsyncIterator[MontyEngine]:
    engine = MontyEngine(workers=1)
    yield engine
    await engine.close()


async def _worker(engine: MontyEngine) -> int:
    pool = await engine._workers.pool()
    async with pool.checkout(limits=engine._workers.limits()) as session:
        pid = session.worker_pid
        assert pid is not None
        return pid


def _status(pid: int) -> dict[str, str]:
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (row.partition(":") for row in rows)}


async def test_worker_runs_under_the_filter_and_without_privileges(engine: MontyEngine) -> None:
    """The kernel says of a live worker: seccomp filter on, no new privileges, no capabilities."""
    status = _status(await _worker(engine))
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapBnd"], 16) == 0 or os.geteuid() != 0


async def test_worker_has_limits(engine: MontyEngine) -> None:
    """A live worker may not write files, dump core, or take more than a gigabyte of addresses."""
    text = Path(f"/proc/{await _worker(engine)}/limits").read_text()
    rows = {row[:26].strip(): row[26:].split() for row in text.splitlines()[1:]}
    assert rows["Max file size"][:2] == ["0", "0"]
    assert rows["Max core file size"][:2] == ["0", "0"]
    assert rows["Max address space"][1] == str(1 << 30)
    assert rows["Max open files"][1] == "16"


async def test_worker_has_an_empty_environment(engine: MontyEngine) -> None:
    """Nothing of the node's environment reaches a worker."""
    os.environ["ACCORD_CANARY"] = "canary"
    try:
        assert Path(f"/proc/{await _worker(engine)}/environ").read_bytes() == b""
    finally:
        del os.environ["ACCORD_CANARY"]


async def test_worker_has_its_two_pipes_and_nothing_else(engine: MontyEngine, tmp_path: Path) -> None:
    """An open file of the node, even one marked to be inherited, is not open in a worker."""
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)  # noqa: FBT003 - its only form
        folder = Path(f"/proc/{await _worker(engine)}/fd")
        found = {int(entry.name): str(entry.readlink()) for entry in folder.iterdir()}
    assert sorted(found) == [0, 1, 2]
    assert found[0].startswith("pipe:")
    assert found[1].startswith("pipe:")
    assert found[2] == "/dev/null"


async def test_report_names_the_layers_and_tries_them() -> None:
    """The report for people has a sentence for each wall, and what was tried from inside was refused."""
    report = {layer.name: layer for layer in await boundary_report()}
    for name in ("language", "process", "descriptors", "limits", "no-new-privileges", "seccomp", "open-socket"):
        assert report[name].on, report[name]
    assert report["new-process"].on
    assert report["write-file"].on
    for layer in report.values():
        assert layer.sentence.endswith(".")
    if report["landlock"].on:
        assert report["read-file"].on


@pytest.mark.parametrize(
    ("program", "arguments"),
    [("/bin/cat", ["/etc/passwd"]), ("/bin/ls", ["/"]), ("/bin/sh", ["-c", "echo out > made-by-launcher"])],
)
def test_another_program_in_the_same_box_reaches_nothing(program: str, arguments: list[str], tmp_path: Path) -> None:
    """Even a real program started in a worker's place, not just the interpreter, reads and writes no file."""
    done = subprocess.run(  # noqa: S603 - the launcher under test
        [sys.executable, "-I", "-S", str(LAUNCHER), "exec", program, *arguments],
        capture_output=True, env={}, cwd=tmp_path, timeout=20, check=False,
    )  # fmt: skip
    assert b"root:" not in done.stdout
    assert not list(tmp_path.iterdir())
    if program != "/bin/ls":
        assert done.returncode != 0


def test_a_box_that_cannot_be_closed_is_not_entered() -> None:
    """Where a layer fails to close, the launcher ends with an error and starts nothing."""
    done = subprocess.run(  # noqa: S603 - the launcher under test
        [sys.executable, "-I", "-S", str(LAUNCHER), "exec", "/nonexistent/program"],
        capture_output=True, env={}, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 111


def test_filter_is_for_this_processor() -> None:
    """The filter compares the architecture first and kills on another, and is small enough for the kernel."""
    code = syscalls.program(exec_address=None, may_open=False)
    assert len(code) % 8 == 0
    assert len(code) // 8 <= 4096
    assert code[8 + 4 : 8 + 8] == {"x86_64": b"\x3e\x00\x00\xc0", "aarch64": b"\xb7\x00\x00\xc0"}[platform.machine()]


def test_a_processor_without_a_table_loses_one_layer_and_says_so() -> None:
    """On an unknown processor the filter is absent with a sentence, and the other walls stand."""
    other = (
        "import platform, runpy, sys\n"
        "platform.machine = lambda: 'riscv64'\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    done = subprocess.run(  # noqa: S603 - the launcher under test
        [sys.executable, "-I", "-S", "-c", other, str(LAUNCHER), "probe", "/bin/true"],
        capture_output=True, env={}, timeout=20, check=True,
    )  # fmt: skip
    report = {name: (on, sentence) for name, on, sentence in json.loads(done.stdout)}
    assert report["seccomp"][0] is False
    assert "no table of system calls for this processor" in report["seccomp"][1]
    assert report["limits"][0]
    assert report["no-new-privileges"][0]


async def test_the_parser_is_closed_in_before_it_reads(tmp_path: Path) -> None:
    """The process that parses is under the filter, without environment and files, while it waits for the script."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(LAUNCHER.with_name("parse_worker.py")),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env={}, cwd=tmp_path,
    )  # fmt: skip
    await _until(lambda: _status(process.pid)["Seccomp"] == "2")
    assert Path(f"/proc/{process.pid}/environ").read_bytes() == b""
    assert len(list(Path(f"/proc/{process.pid}/fd").iterdir())) == 3
    answer, _ = await process.communicate(json.dumps(["import os", "incoming"]).encode())
    assert process.returncode == 0
    assert json.loads(answer)["findings"][0]["message"] == "scripts cannot import"


async def _until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_killed_worker_while_it_waits_is_an_error_on_that_issue(engine: MontyEngine) -> None:
    """Kill -9 while a helper answers: the issue fails with a sentence, the next evaluation works."""
    jira = JiraAtHand()
    jira.hold = asyncio.Event()
    script = Script('issue.assignee = users.by_email("alice@example.org")', "incoming", SCHEMA, step=3)
    running = asyncio.create_task(engine.evaluate(script, inputs(), jira))
    await _until(jira.reached.is_set)
    for pid in workers_of_this_process():
        os.kill(pid, signal.SIGKILL)
    jira.hold.set()
    with pytest.raises(ScriptFailed, match="worker was stopped") as caught:
        await running
    assert caught.value.step == 3
    result = await engine.evaluate(script, inputs(), JiraAtHand())
    assert result.changes["fields"]["assignee"] == "alice"


async def test_killed_worker_while_it_computes_is_an_error_on_that_issue(engine: MontyEngine) -> None:
    """Kill -9 in the middle of a loop: an error on that issue, and the next evaluation works."""
    slow = Script("n = 0\nwhile True:\n    n = n + 1", "incoming", SCHEMA)
    with pytest.raises(RuleError):
        await engine.evaluate(slow, inputs(), JiraAtHand())
    running = asyncio.create_task(engine.evaluate(slow, inputs(first_sync=True), JiraAtHand()))
    await _until(lambda: any("R" in states for states in workers_of_this_process().values()))
    for pid in workers_of_this_process():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuleError):
        await running
    result = await engine.evaluate(Script("issue.summary = 'x'", "incoming", SCHEMA), inputs(), JiraAtHand())
    assert result.changes["fields"]["summary"] == "x"


async def test_cancelled_evaluation_leaves_the_engine_usable(engine: MontyEngine) -> None:
    """An evaluation that is cancelled while a helper waits frees its worker for the next one."""
    jira = JiraAtHand()
    jira.hold = asyncio.Event()
    running = asyncio.create_task(
        engine.evaluate(Script("users.by_email('bob@example.org')", "incoming", SCHEMA), inputs(), jira)
    )
    await _until(jira.reached.is_set)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(10):
        result = await engine.evaluate(Script("issue.summary = 'x'", "incoming", SCHEMA), inputs(), JiraAtHand())
    assert result.changes["fields"]["summary"] == "x"


async def test_workers_are_replaced_after_some_sessions() -> None:
    """A worker serves only so many sessions; then another process takes its place."""
    workers = Workers(count=1, checkouts_per_worker=3)
    try:
        pool = await workers.pool()
        pids = []
        for _ in range(5):
            async with pool.checkout(limits=workers.limits()) as session:
                await session.feed_run("1")
                pids.append(session.worker_pid)
        assert len(set(pids)) == 2
    finally:
        await workers.close()


async def test_close_leaves_no_process_and_no_file() -> None:
    """After close, no worker runs and the launcher's folder is gone."""
    workers = Workers(count=2)
    await workers.pool()
    folder = workers._folder
    assert folder is not None
    assert folder.stat().st_mode & 0o077 == 0
    await _until(workers_of_this_process)
    before = set(workers_of_this_process())
    await workers.close()
    await _until(lambda: not before & set(workers_of_this_process()))
    assert not folder.exists()


async def test_parser_that_runs_too_long_is_stopped() -> None:
    """A parser process that never answers is killed, and what is reported is an error of the rule."""
    workers = Workers(count=1, parse_seconds=0.0)
    with pytest.raises(RuleError, match="could not be read"):
        await workers.parse("x = 1", "incoming")
    await workers.close()


def test_engine_program_is_the_one_of_this_environment() -> None:
    """The program that runs scripts comes from the environment, as a real path."""
    program = engine_program()
    assert program.is_absolute()
    assert program.name.startswith("monty")
    assert not program.is_symlink()
