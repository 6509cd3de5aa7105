"""Figures of script evaluation: alone, in a row, in a batch, from memory, against the same program in bare Python.

Run with ``pytest -m bench tests/bench/bench_scripts.py -s``. Measures, and holds only what issue 3 promises.

What each side includes: both begin with the values that the node has of an issue and a replica (``ScriptInputs``), keep
what the program reads, make objects with attributes of it (the same prelude), run the program, keep its log, turn what
it left into plain values, judge them (``changes_from``) and end with the whole replica or draft.

bare          does that with calls in this process, in a loop of its own with all caches warm. No JSON, no compiling, no
              digest, no limits: nothing that somebody who ran rules without a box would leave out. The strictest floor.
bare, between the same in turn with ``alone``, so between other work, as in a node: two to three times as long.
bare, JSON    as the goal of ten was found: the issue comes as JSON text, and the result leaves as JSON text.
alone         one evaluation of an engine that does nothing else, as in a node, where the rest of a change takes longer
              than to make the next session ready. All of it: the digest for the memory (which holds nothing here), a
              session that nobody used before, both ways through the worker's pipes, judging.
alone, JSON   the same with JSON text at both ends.
in a row      evaluation after evaluation without a pause: each waits for a session that is only being made.
batch         ``evaluate_many`` of 60 issues, per issue.
memory        the same input again.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from node.rules.script.engine import Script, ScriptInputs, ScriptResult
from node.rules.script.memory import Memory
from node.rules.script.sandbox import MontyEngine
from tests.support.scripts import SCHEMA, JiraAtHand, bare_rules, seconds_of_workers, workers_of_this_process
from tests.support.ten_rules import TEN_RULES, answer, large_inputs

pytestmark = [pytest.mark.bench, pytest.mark.asyncio(loop_scope="module")]

ROUNDS = 60
"""Evaluations of each rule and kind; a median of these is steady to about a tenth."""

SLOWER = 10.0
"""Issue 3: a median at most ten times that of bare Python."""

KINDS = ("bare", "bare, JSON", "bare, between", "alone", "alone, JSON", "in a row", "batch", "memory")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[MontyEngine]:
    # Without a memory, so that every evaluation is one.
    engine = MontyEngine(memory=Memory(entries=0))
    yield engine
    await engine.close()


async def test_scripts(engine: MontyEngine) -> None:
    """Print a row per rule in microseconds per issue, and the median ratios to bare Python; hold the goal of 10."""
    remembering = MontyEngine()
    rows = {name: await _figures(name, engine, remembering) for name in TEN_RULES}
    await remembering.close()
    print("\nmicroseconds per issue  " + "".join(f"{kind:>14}" for kind in KINDS))
    for name, found in rows.items():
        print(f"{name:24}" + "".join(f"{found[kind] * 1e6:14.0f}" for kind in KINDS))

    def ratio(kind: str, base: str) -> float:
        return statistics.median(found[kind] / found[base] for found in rows.values())

    pairs = [
        *(("bare", kind) for kind in ("alone", "in a row", "batch", "memory")),
        ("bare, between", "alone"),
        ("bare, JSON", "alone, JSON"),
    ]
    for base, kind in pairs:
        print(f"median ratio of {kind!r} to {base!r}: {ratio(kind, base):.1f}")
    print(f"processes: {len(workers_of_this_process())}")
    # Each against the bare Python of its own rhythm: alone between other work, the others in a loop.
    assert ratio("alone", "bare, between") <= SLOWER
    assert ratio("alone, JSON", "bare, JSON") <= SLOWER
    assert ratio("batch", "bare") <= SLOWER
    assert ratio("memory", "bare") <= SLOWER


async def _figures(name: str, engine: MontyEngine, remembering: MontyEngine) -> dict[str, float]:
    direction, source = TEN_RULES[name]
    script, jira = Script(source, direction, SCHEMA), JiraAtHand()
    bare = bare_rules(source, direction, answer)
    many = [large_inputs(direction, number) for number in range(ROUNDS)]
    texts = [_text_of(one) for one in many]
    found = {kind: list[float]() for kind in KINDS}

    def run_bare(kind: str, one: ScriptInputs) -> None:
        began = time.perf_counter()
        bare(one)
        found[kind].append(time.perf_counter() - began)

    async def measure(kind: str, act: Callable[[], Awaitable[object]]) -> object:
        began = time.perf_counter()
        result = await act()
        found[kind].append(time.perf_counter() - began)
        return result

    async def evaluate_text(text: str) -> str:
        return json.dumps((await engine.evaluate(script, _inputs_of(text), jira)).changes)

    await engine.evaluate(script, many[0], jira)
    for one in many:
        run_bare("bare", one)
    for text in texts:
        began = time.perf_counter()
        json.dumps(bare(_inputs_of(text)))
        found["bare, JSON"].append(time.perf_counter() - began)
    for one, text in zip(many, texts, strict=True):
        await engine._stock.settled()
        await measure("alone", lambda one=one: engine.evaluate(script, one, jira))  # type: ignore[misc]
        await engine._stock.settled()
        run_bare("bare, between", one)
        await measure("alone, JSON", lambda text=text: evaluate_text(text))  # type: ignore[misc]
    for one in many:
        await measure("in a row", lambda one=one: engine.evaluate(script, one, jira))  # type: ignore[misc]
    for _ in range(3):
        began = time.perf_counter()
        results = await engine.evaluate_many(script, many, jira)
        found["batch"].append((time.perf_counter() - began) / len(many))
        assert all(isinstance(result, ScriptResult) for result in results)
    await remembering.evaluate(script, many[0], jira)
    for _ in range(ROUNDS):
        result = await measure("memory", lambda: remembering.evaluate(script, many[0], jira))
        assert isinstance(result, ScriptResult)
        assert result.cached
    return {kind: statistics.median(times) for kind, times in found.items()}


@pytest.mark.skipif(sys.platform != "linux", reason="the time of other processes is read in /proc")
async def test_cpu() -> None:
    """Print the CPU of one evaluation alone, ours and the worker's, the making of the next session included."""
    print("\nmicroseconds of CPU per issue      bare       alone")
    ratios = []
    for name, (direction, source) in TEN_RULES.items():
        script, jira = Script(source, direction, SCHEMA), JiraAtHand()
        bare = bare_rules(source, direction, answer)
        many = [large_inputs(direction, number) for number in range(ROUNDS)]
        began = time.process_time()
        for one in many:
            bare(one)
        base = (time.process_time() - began) / len(many)
        engine = MontyEngine(memory=Memory(entries=0))
        await engine.evaluate(script, many[0], jira)
        await engine._stock.settled()
        # Looking into /proc costs more than an evaluation: our own clock begins after it and ends before it.
        workers, began = seconds_of_workers(), time.process_time()
        for one in many:
            await engine.evaluate(script, one, jira)
            await engine._stock.settled()
        spent = time.process_time() - began
        spent = (spent + seconds_of_workers() - workers) / len(many)
        await engine.close()
        ratios.append(spent / base)
        print(f"{name:24}{base * 1e6:15.0f}{spent * 1e6:12.0f}")
    print(f"median ratio to bare: {statistics.median(ratios):.1f}")


def _text_of(one: ScriptInputs) -> str:
    return json.dumps([one.issue, one.replica, one.first_sync, one.now])


def _inputs_of(text: str) -> ScriptInputs:
    issue, replica, first_sync, now = json.loads(text)
    return ScriptInputs(issue=issue, replica=replica, first_sync=first_sync, now=now)


async def test_check(engine: MontyEngine) -> None:
    """Print how long the check of a script takes: its parser is a process of its own."""
    times = []
    for direction, source in TEN_RULES.values():
        began = time.perf_counter()
        await engine.check(source, direction, SCHEMA)
        times.append(time.perf_counter() - began)
    print(f"\ncheck: median {statistics.median(times) * 1e3:.0f} ms, slowest {max(times) * 1e3:.0f} ms")
