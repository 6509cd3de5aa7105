"""Turns a script's text into a session in which it only has to be called, and remembers the ones that are in use.

Parsing and compiling happen in other processes; this one only keeps what they gave. Never runs a script.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass

from pydantic_monty import MontyError

from node.rules.script import failure, language, projection
from node.rules.script.engine import Script, ScriptFailed
from node.rules.script.findings import from_parser
from node.rules.script.program import asks, prelude_for
from node.rules.script.workers import FROZEN, Workers

_KEPT = 256


@dataclass(frozen=True, slots=True)
class Compiled:
    """A script that was parsed and found good, as a session in which it only has to be called."""

    digest: bytes
    """Of the text, the direction and the language: scripts of the same digest do the same."""
    dump: bytes
    asks: bool
    """Whether it can ask helpers anything."""
    reads: projection.Reads
    notes: tuple[tuple[int, int, str], ...]
    loops: tuple[int, ...]


class Compiler:
    """Compiles each script once, however many ask for it at the same time."""

    def __init__(self, workers: Workers, *, slots: asyncio.Semaphore, batch: int) -> None:
        self._workers = workers
        self._slots = slots
        self._batch = batch
        self._tasks: dict[bytes, asyncio.Task[Compiled]] = {}

    async def close(self) -> None:
        """Stop what is being compiled, and forget the rest."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()

    async def compiled(self, script: Script) -> Compiled:
        """Return the script as a session to restore. Raises RuleError, and ConfigError without workers."""
        digest = hashlib.sha256(
            f"{language.VERSION}\0{script.direction}\0{script.source}".encode(errors="surrogatepass")
        ).digest()
        task = self._tasks.get(digest)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            while len(self._tasks) >= _KEPT:
                self._tasks.pop(next(iter(self._tasks)))
            task = asyncio.create_task(self._build(script, digest))
            # Whoever asked may be cancelled before it knows: then nobody is left to hear of a failure.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._tasks[digest] = task
        try:
            return await asyncio.shield(task)
        except ScriptFailed as error:
            # Another step may have asked first, and the error is called by that one's name.
            raise ScriptFailed(
                script, error.said, line=error.line, column=error.column, shown=error.shown, advice=error.advice
            ) from None

    async def _build(self, script: Script, digest: bytes) -> Compiled:
        analysis = await self._workers.parse(script.source, script.direction)
        errors = [f for f in from_parser(analysis, script.source.split("\n")) if f.severity == "error"]
        if errors:
            first = errors[0]
            raise ScriptFailed(
                script, f"cannot run, line {first.line}: {first.message}.", line=first.line, column=first.column,
                shown=first.shown, advice=first.suggestion,
            )  # fmt: skip
        reads = analysis["reads"]
        notes = tuple((int(line), int(offset), str(text)) for line, offset, text in analysis["notes"])
        loops = tuple(int(line) for line in analysis["loops"])
        known = projection.Reads(
            issue=_names(reads["issue"]), replica=_names(reads["replica"]), previous=_names(reads["previous"]),
            clock=bool(analysis["clock"]),
        )  # fmt: skip
        shape = projection.shape_for(script.direction, known)
        prelude = prelude_for(
            analysis["names"], direction=script.direction, shape=shape, entries=bool(analysis["entries"])
        )
        pool = await self._workers.pool()
        try:
            # A session keeps the limits of its dump where they are narrower: these are the widest that a batch gets.
            limits = self._workers.limits(self._batch)
            async with self._slots, pool.checkout(limits=limits, os_policy=FROZEN) as session:
                await session.feed_run(prelude)
                await session.feed_run(analysis["code"])
                dump = await session.dump()
        except MontyError as error:
            raise failure.failed(error, script, notes, loops) from error
        return Compiled(
            digest=digest,
            dump=dump,
            asks=asks(prelude),
            reads=known,
            notes=notes,
            loops=loops,
        )  # fmt: skip


def _names(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)
