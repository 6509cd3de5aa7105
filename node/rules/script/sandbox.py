"""The script engine on ``pydantic-monty``: a fresh session per evaluation, in a worker that holds no secret.

Parsing and running happen in other processes; this one only hands over plain values and judges plain answers. What
comes back is hostile until it was bounded and compared with what a script may set. Never retries by itself, except
that an issue which fails in a batch is run alone once, to learn what to say about it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_monty import MontyCrashedError, MontyError

from node.clock import Clock, SystemClock
from node.errors import AccordError, RuleError
from node.rules.fields import utc
from node.rules.script import asked_outside, failure, projection, schema_check, stubs, typecheck
from node.rules.script.asking import ask
from node.rules.script.compiler import Compiled, Compiler
from node.rules.script.engine import (
    Asked,
    Direction,
    Finding,
    Flow,
    HelperCall,
    Helpers,
    Script,
    ScriptFailed,
    ScriptInputs,
    ScriptResult,
    ScriptSchema,
)
from node.rules.script.findings import from_parser, settled
from node.rules.script.memory import Memory, Remembered
from node.rules.script.program import REHEARSAL
from node.rules.script.stock import Stock
from node.rules.script.talk import Talk, drive
from node.rules.script.workers import FROZEN, Workers

BATCH = 20
"""Issues in one session of a bulk run: enough to hide the cost of a session, few enough to share its memory."""

BATCH_BYTES = 1 << 20
"""Input of one batch; larger issues come in smaller batches."""

_WALL_SECONDS = 60.0
_MAX_ANSWER = 4_100_000
"""Bytes of an answer: the box allows a million characters, of up to four bytes."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One issue for one script: what the box gets, and by what the evaluation is remembered."""

    values: dict[str, Any]
    key: tuple[bytes, bytes]
    size: int


class MontyEngine:
    """Runs scripts in confined workers. One per node; safe to share between tasks."""

    def __init__(
        self, *, workers: int = 2, clock: Clock | None = None, batch: int = BATCH, memory: Memory | None = None
    ) -> None:
        self._workers = Workers(count=workers)
        self._clock = clock or SystemClock()
        self._batch = batch
        self._memory = memory or Memory()
        self._slots = asyncio.Semaphore(workers)
        self._compiler = Compiler(self._workers, slots=self._slots, batch=batch)
        self._stock = Stock(self._workers, rehearsal=REHEARSAL)

    async def evaluate(self, script: Script, inputs: ScriptInputs, helpers: Helpers) -> ScriptResult:
        """Run one script on one issue. Raises RuleError and what ``helpers`` raise."""
        compiled = await self._compiler.compiled(script)
        job = self._job(script, inputs, compiled)
        known = await self._recall(script, inputs, helpers, job)
        if known is not None:
            return known
        remembered = await self._alone(script, helpers, compiled, job)
        return self._conclude(script, inputs, job, remembered)

    async def evaluate_many(
        self, script: Script, inputs: Sequence[ScriptInputs], helpers: Helpers
    ) -> list[ScriptResult | RuleError]:
        """Run one script on many issues, in order; a failure is in the list. Raises only what ``helpers`` raise."""
        try:
            compiled = await self._compiler.compiled(script)
        except RuleError as error:
            return [error for _ in inputs]
        jobs = [self._job(script, one, compiled) for one in inputs]
        results: list[ScriptResult | RuleError | None] = []
        for one, job in zip(inputs, jobs, strict=True):
            results.append(await self._recall(script, one, helpers, job))
        waiting = [index for index, result in enumerate(results) if result is None]

        async def run(chunk: list[int]) -> None:
            answers = await self._together(helpers, compiled, [jobs[index] for index in chunk])
            for index, answer in zip(chunk, answers, strict=True):
                results[index] = await self._settle(script, inputs[index], helpers, compiled, jobs[index], answer)

        await _all([run(chunk) for chunk in _chunks(waiting, jobs, self._batch)])
        return [result for result in results if result is not None]

    async def check(
        self, source: str, direction: Direction, schema: ScriptSchema, *, jira: Asked | None = None
    ) -> list[Finding]:
        """Parse and type-check without running. Raises RuleError where a worker is stopped by the script."""
        analysis = await self._workers.parse(source, direction)
        rows = source.split("\n")
        uses = analysis.get("uses", [])
        findings = [
            *from_parser(analysis, rows),
            *schema_check.findings(uses, direction, schema, rows),
            *(await asked_outside.of_names(uses, schema, jira, rows) if jira and direction == "incoming" else ()),
        ]
        if not any(
            finding.severity == "error" and finding.code in ("syntax", "limit", "subset") for finding in findings
        ):
            pool = await self._workers.pool()
            text = stubs.stubs_for(direction, schema)
            try:
                async with self._slots, pool.checkout(
                    limits=self._workers.limits_of_check(), os_policy=FROZEN, type_check=True, type_check_stubs=text,
                    type_check_format="json",
                ) as session:  # fmt: skip
                    findings += await typecheck.run(session, analysis["plain"], direction, rows)
                if asked_outside.expressions(uses):
                    limits = self._workers.limits_of_check()
                    async with self._slots, pool.checkout(limits=limits, os_policy=FROZEN) as session:
                        findings += await asked_outside.of_expressions(session, uses, rows)
            except MontyCrashedError as error:
                raise RuleError("The script could not be checked: its worker was stopped.") from error
        return settled(findings)

    async def flow(self, source: str, direction: Direction) -> Flow:
        """Read what a script takes and fills; nothing where it cannot be read. Raises RuleError as ``check``."""
        found = (await self._workers.parse(source, direction)).get("flow")
        if found is None:
            return Flow()
        return Flow(taken=frozenset(found["taken"]), filled=frozenset(found["filled"]), whole=found["whole"])

    async def close(self) -> None:
        """Stop the workers."""
        await self._compiler.close()
        await self._stock.close()
        await self._workers.close()

    def _job(self, script: Script, inputs: ScriptInputs, compiled: Compiled) -> _Job:
        now = inputs.now or utc(datetime.fromtimestamp(self._clock.now_ms() // 1000, UTC))
        values = projection.job_for(inputs, script.direction, script.schema, compiled.reads, now)
        packed = projection.packed(values)
        return _Job(values, (compiled.digest, hashlib.sha256(packed).digest()), len(packed))

    async def _recall(self, script: Script, inputs: ScriptInputs, helpers: Helpers, job: _Job) -> ScriptResult | None:
        """Return the earlier evaluation of the same input, where the helpers still answer the same."""
        remembered = self._memory.get(job.key)
        if remembered is None:
            return None
        for call in remembered.calls:
            if not await _same(helpers, call):
                self._memory.forget(job.key)
                return None
        return self._result(script, inputs, remembered, cached=True)

    async def _settle(
        self, script: Script, inputs: ScriptInputs, helpers: Helpers, compiled: Compiled, job: _Job,
        answer: Remembered | None,
    ) -> ScriptResult | RuleError:  # fmt: skip
        try:
            if answer is None:
                answer = await self._alone(script, helpers, compiled, job)
            return self._conclude(script, inputs, job, answer)
        except RuleError as error:
            return error

    def _conclude(self, script: Script, inputs: ScriptInputs, job: _Job, remembered: Remembered) -> ScriptResult:
        result = self._result(script, inputs, remembered, cached=False)
        self._memory.put(job.key, remembered)
        return result

    def _result(self, script: Script, inputs: ScriptInputs, remembered: Remembered, *, cached: bool) -> ScriptResult:
        answer = _json(remembered.answer)
        if "skipped" in answer:
            line = answer.get("line")
            return ScriptResult(
                changes={}, log=remembered.log, calls=remembered.calls, skipped=str(answer["skipped"]), cached=cached,
                skipped_line=line if isinstance(line, int) and line > 0 else None,
            )  # fmt: skip
        origins = answer.get("origins")
        try:
            changes = projection.changes_from(inputs, script.direction, answer)
        except RuleError as error:
            raise _shown(error, script, remembered) from None
        return ScriptResult(
            changes=changes,
            origins={
                name: line for name, line in (origins if isinstance(origins, dict) else {}).items()
                if isinstance(line, int) and line > 0
            },
            emails=projection.emails_from(answer),
            log=remembered.log,
            calls=remembered.calls,
            cached=cached,
        )  # fmt: skip

    async def _alone(self, script: Script, helpers: Helpers, compiled: Compiled, job: _Job) -> Remembered:
        """Run one issue in a fresh session. Raises ScriptFailed and what ``helpers`` raise."""
        talk = Talk(helpers, 1)
        try:
            async with (
                self._slots,
                asyncio.timeout(_WALL_SECONDS),
                self._stock.lend(compiled.digest, compiled.dump) as session,
            ):
                output = await drive(session, "_evaluate(_rule, 0, _jobs)", job.values, talk, asks=compiled.asks)
        except MontyError as error:
            if talk.failure is not None:
                raise _with_place(talk.failure, error, script, compiled, talk) from error
            skipped = failure.skip_reason(error)
            if skipped is None:
                raise failure.failed(
                    error, script, compiled.notes, compiled.loops, log=talk.log(0), calls=talk.calls[0]
                ) from error
            line = failure.line_of(error, script, compiled.notes)
            return Remembered(json.dumps({"skipped": skipped, "line": line}), talk.log(0), tuple(talk.calls[0]))
        except TimeoutError as error:
            raise ScriptFailed(
                script, f"failed: it waited for longer than {_WALL_SECONDS:g} s for helpers or for a free worker.",
                advice="Try the issue again; ask fewer questions in the script.",
                log=talk.log(0), calls=talk.calls[0],
            ) from error  # fmt: skip
        return Remembered(_text(output), talk.log(0), tuple(talk.calls[0]))

    async def _together(self, helpers: Helpers, compiled: Compiled, jobs: Sequence[_Job]) -> list[Remembered | None]:
        """Run several issues in one session; None for each that must be run alone."""
        if len(jobs) == 1:
            return [None]
        talk = Talk(helpers, len(jobs))
        nothing: list[Remembered | None] = [None] * len(jobs)
        try:
            limits = self._workers.limits(len(jobs))
            pool = await self._workers.pool()
            async with (
                self._slots,
                asyncio.timeout(_WALL_SECONDS),
                pool.checkout(limits=limits, os_policy=FROZEN) as session,
            ):
                await session.load_session(compiled.dump)
                values = [job.values for job in jobs]
                output = await drive(session, "_evaluate_all(_rule, _jobs)", values, talk, asks=compiled.asks)
        except (MontyError, TimeoutError, RuleError):
            if talk.failure is not None and not isinstance(talk.failure, RuleError):
                raise talk.failure from None
            return nothing
        if not isinstance(output, list) or len(output) != len(jobs):
            return nothing
        return [
            Remembered(text, talk.log(index), tuple(talk.calls[index])) if isinstance(text, str) else None
            for index, text in enumerate(output)
        ]


async def _same(helpers: Helpers, call: HelperCall) -> bool:
    """Tell whether a question has the same answer as then."""
    try:
        return (await ask(helpers, call.name, call.arguments)).result == call.result
    except RuleError:
        return False


async def _all(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run side by side; where one fails, stop the others and raise what it raised."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _shown(error: RuleError, script: Script, remembered: Remembered) -> ScriptFailed:
    rows = script.source.split("\n")
    shown = rows[error.line - 1] if error.line is not None and 1 <= error.line <= len(rows) else ""
    where = f" in line {error.line}" if error.line is not None else ""
    return ScriptFailed(
        script, f"failed{where}: {error.message}", line=error.line, column=1 if shown else None, shown=shown[:500],
        advice=error.advice, log=remembered.log, calls=remembered.calls,
    )  # fmt: skip


def _with_place(
    problem: AccordError, error: MontyError, script: Script, compiled: Compiled, talk: Talk
) -> AccordError:  # fmt: skip
    if not isinstance(problem, RuleError):
        return problem
    place = failure.failed(error, script, compiled.notes, compiled.loops)
    where = f" in line {place.line}" if place.line is not None else ""
    return ScriptFailed(
        script, f"failed{where}: {problem.message}", line=place.line, column=place.column, shown=place.shown,
        advice=problem.advice, log=talk.log(0), calls=talk.calls[0],
    )  # fmt: skip


def _chunks(indexes: Sequence[int], jobs: Sequence[_Job], size: int) -> list[list[int]]:
    chunks: list[list[int]] = []
    held = BATCH_BYTES + 1
    for index in indexes:
        if held + jobs[index].size > BATCH_BYTES or len(chunks[-1]) >= size:
            chunks.append([])
            held = 0
        chunks[-1].append(index)
        held += jobs[index].size
    return chunks


def _text(output: object) -> str:
    if not isinstance(output, str) or len(output) > _MAX_ANSWER:
        raise RuleError("The script's worker answered nonsense.", advice="Look at the script; nothing was changed.")
    return output


def _json(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RuleError("The script's worker answered nonsense.") from error
    if not isinstance(answer, dict):
        raise RuleError("The script's worker answered nonsense.")
    return answer
