"""The processes in which scripts are parsed and run, and what is known about their walls.

Starts them closed in (``launcher``) where the platform allows it, and says where it does not. Hands out fresh
sessions; never reads a script, never answers one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pydantic_monty
from pydantic_monty import AsyncMonty, OSPolicy, ResourceLimits

from node.errors import ConfigError, RuleError
from node.rules.script.analysis import Analysis, checked

FEED_SECONDS = 1.0
"""How long a script may compute, without the time that helpers take."""

MEMORY = 32 << 20
RECURSION = 100
CHECK_SECONDS = 10.0
CHECK_MEMORY = 512 << 20
"""What the type checker may take for the longest script; half of the worker's address space."""

HELPER_CALLS = 200
CHECKOUTS_PER_WORKER = 1_000
"""A worker is replaced after so many sessions, so that nothing can build up in it."""

PARSE_SECONDS = 5.0
"""How long the parser may take for one script; it needs a twentieth of a second."""

READY = 4
"""Sessions that wait for an evaluation, at most, each in a process of its own with 1 to 2 MB that it alone holds."""

FROZEN: OSPolicy = {
    "datetime": datetime(2000, 1, 1, tzinfo=UTC),
    "sleep": "zero",
    "process_time": "zero",
    "random_start": {"seed": 0},
}
"""What a session sees of time and chance: the same each time, so that an evaluation can be remembered."""

_REQUEST_SECONDS = 3.0
_CHECKOUT_SECONDS = 30.0
_START_ADVICE = (
    "Run `accord check`; it says which wall fails. Where the temporary folder may not hold programs (mounted noexec), "
    "set TMPDIR to one that may."
)
_PARSE_RESULT = 8 << 20
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class LayerState:
    """One wall around the workers: a word for it, whether it stands, and a sentence for people."""

    name: str
    on: bool
    sentence: str


class Workers:
    """A pool of workers, ``count`` of them at work and the others waiting, and one process per script to parse."""

    def __init__(
        self, *, count: int, checkouts_per_worker: int = CHECKOUTS_PER_WORKER, parse_seconds: float = PARSE_SECONDS
    ) -> None:
        self._count = count
        self._parse_seconds = parse_seconds
        self._checkouts = checkouts_per_worker
        self._pool: AsyncMonty | None = None
        self._entered: AsyncMonty | None = None
        self._folder: Path | None = None
        self._starting = asyncio.Lock()
        self._parsing = asyncio.Semaphore(count)

    async def pool(self) -> AsyncMonty:
        """Return the running pool; the first caller starts it. Raises ConfigError where no worker can start."""
        async with self._starting:
            if self._entered is None:
                self._pool = AsyncMonty(
                    binary_path=self._program(),
                    min_processes=1,
                    max_processes=self._count + READY,
                    checkout_timeout=_CHECKOUT_SECONDS,
                    request_timeout=None,
                    max_checkouts_per_worker=self._checkouts,
                    feed_duration_limit_grace=_REQUEST_SECONDS - FEED_SECONDS,
                )
                try:
                    self._entered = await self._pool.__aenter__()
                except (pydantic_monty.MontyError, OSError) as error:
                    raise ConfigError(
                        f"The worker for scripts does not start: {error}",
                        advice=_START_ADVICE,
                    ) from error
        return self._entered

    def limits(self, issues: int = 1) -> ResourceLimits:
        """Return the limits of one session that evaluates so many issues."""
        return {
            "max_feed_duration_secs": FEED_SECONDS + 0.05 * (issues - 1),
            "max_memory": MEMORY,
            "max_recursion_depth": RECURSION,
            "max_suspensions": HELPER_CALLS * issues + 20,
            "max_total_sleep_secs": 0.0,
        }

    def limits_of_check(self) -> ResourceLimits:
        """Return the limits of a session that checks types: the checker needs more than any script."""
        return {**self.limits(), "max_feed_duration_secs": CHECK_SECONDS, "max_memory": CHECK_MEMORY}

    async def parse(self, source: str, direction: str) -> Analysis:
        """Return what ``subset.analyse`` says, from a process of its own. Raises RuleError where that one dies."""
        async with self._parsing:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", str(_HERE / "parse_worker.py"),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
                env=_environment(), close_fds=True, cwd=os.sep,
            )  # fmt: skip
            try:
                async with asyncio.timeout(self._parse_seconds):
                    text, _ = await process.communicate(json.dumps([source, direction]).encode())
            except TimeoutError:
                text = b""
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
        if process.returncode != 0 or len(text) > _PARSE_RESULT:
            raise RuleError(
                "The script could not be read: its parser was stopped.",
                advice="A script that does this is too long or nested too deeply; make it shorter.",
            )
        return checked(text)

    async def close(self) -> None:
        """Stop all workers."""
        async with self._starting:
            entered, self._entered = self._entered, None
            if entered is not None:
                await entered.__aexit__(None, None, None)
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    def _program(self) -> Path:
        """Return the file that the pool starts: a wrapper around the launcher, or the bare program."""
        binary = engine_program()
        if not _launchable():
            return binary
        self._folder = Path(tempfile.mkdtemp(prefix="accord-scripts-"))
        wrapper = self._folder / "worker"
        command = [sys.executable, "-I", "-S", str(_HERE / "launcher.py"), "exec", str(binary)]
        wrapper.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
        wrapper.chmod(0o500)
        return wrapper


def engine_program() -> Path:
    """Return the program of the engine that belongs to this environment. Raises ConfigError where it is missing."""
    name = "monty.exe" if sys.platform == "win32" else "monty"
    candidates = [Path(sysconfig.get_path("scripts")) / name, Path(sys.executable).parent / name]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    found = shutil.which("monty")
    if found is None:
        raise ConfigError(
            "The program that runs scripts (`monty`) is missing.",
            advice="Install the package again with its dependencies; pydantic-monty brings it.",
        )
    return Path(found).resolve()


PROBE_SECONDS = 30.0
"""How long the probe of the walls may take on a slow machine."""


async def boundary_report() -> list[LayerState]:
    """Return the walls around the workers as seen from inside one, for `accord check` and the log at start."""
    always = [
        LayerState("language", on=True, sentence="Scripts speak a checked part of Python, run by pydantic-monty."),
        LayerState("process", on=True, sentence="Scripts run in a process of their own with an empty environment."),
        LayerState(
            "limits-inside",
            on=True,
            sentence=f"{FEED_SECONDS:g} s, {MEMORY >> 20} MB, {RECURSION} calls deep, {HELPER_CALLS} helper calls.",
        ),
    ]
    if not _launchable():
        sentence = f"On {sys.platform} the operating system adds no wall: use Linux where rules come from others."
        return [*always, LayerState("system", on=False, sentence=sentence)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(_HERE / "launcher.py"), "probe", str(engine_program()),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=_environment(), close_fds=True, cwd=os.sep,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            output, failure = await process.communicate()
    except TimeoutError:
        sentence = f"Workers do not start: the probe did not end within {PROBE_SECONDS:g} seconds."
        return [*always, LayerState("system", on=False, sentence=sentence)]
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    if process.returncode != 0:
        words = failure.decode(errors="replace").strip()[:500] or f"status {process.returncode}"
        return [*always, LayerState("system", on=False, sentence=f"Workers do not start: {words}")]
    return [*always, *(LayerState(name, on=on, sentence=text) for name, on, text in json.loads(output))]


def _environment() -> dict[str, str]:
    # Windows does not start a process without it; elsewhere the environment is empty.
    return {"SYSTEMROOT": os.environ["SYSTEMROOT"]} if sys.platform == "win32" else {}


def _launchable() -> bool:
    return os.name == "posix" and Path("/bin/sh").exists()
