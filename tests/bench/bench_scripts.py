"""Figures of script evaluation: one by one, in a batch, from memory, against the same program in bare Python.

Run with ``pytest -m bench tests/bench/bench_scripts.py -s``. Measures, and holds only what issue 3 promises.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from node.rules.script.engine import Script, ScriptResult
from node.rules.script.memory import Memory
from node.rules.script.sandbox import MontyEngine
from tests.support.scripts import SCHEMA, JiraAtHand, bare_python
from tests.support.ten_rules import TEN_RULES, answer, large_inputs

pytestmark = [pytest.mark.bench, pytest.mark.asyncio(loop_scope="module")]

ROUNDS = 60
"""Evaluations of each rule and kind; a median of these is steady to about a tenth."""

SLOWER = 10.0
"""Issue 3: a median at most ten times that of bare Python, with batching; memory for what did not change."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[MontyEngine]:
    # Without a memory, so that every evaluation is one.
    engine = MontyEngine(workers=1, memory=Memory(entries=0))
    yield engine
    await engine.close()


async def test_scripts(engine: MontyEngine) -> None:
    """Print a row per rule in microseconds per issue: bare Python, alone, in a batch, remembered."""
    remembering = MontyEngine(workers=1)
    rows: list[tuple[str, list[float]]] = []
    ratios: dict[str, list[float]] = {"alone": [], "batch": [], "memory": []}
    for name, (direction, source) in TEN_RULES.items():
        script = Script(source, direction, SCHEMA)
        many = [large_inputs(direction, number) for number in range(ROUNDS)]
        bare = bare_python(source, direction)
        bare.names["_ask"] = answer

        plain = []
        for one in many:
            began = time.perf_counter()
            bare(one)
            plain.append(time.perf_counter() - began)
        await engine.evaluate(script, many[0], JiraAtHand())
        alone = []
        for one in many:
            began = time.perf_counter()
            await engine.evaluate(script, one, JiraAtHand())
            alone.append(time.perf_counter() - began)
        batch = []
        for _ in range(3):
            began = time.perf_counter()
            results = await engine.evaluate_many(script, many, JiraAtHand())
            batch.append((time.perf_counter() - began) / len(many))
            assert all(isinstance(result, ScriptResult) for result in results)
        await remembering.evaluate(script, many[0], JiraAtHand())
        memory = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            assert (await remembering.evaluate(script, many[0], JiraAtHand())).cached
            memory.append(time.perf_counter() - began)
        base = statistics.median(plain)
        figures = {
            "alone": statistics.median(alone), "batch": statistics.median(batch), "memory": statistics.median(memory),
        }  # fmt: skip
        for kind, figure in figures.items():
            ratios[kind].append(figure / base)
        rows.append((name, [base, *figures.values()]))
    await remembering.close()
    print("\nmicroseconds per issue       bare    alone    batch   memory")
    for label, found in rows:
        print(f"{label:24}" + "".join(f"{figure * 1e6:9.0f}" for figure in found))
    medians = {kind: statistics.median(found) for kind, found in ratios.items()}
    print("median ratio to bare Python: " + ", ".join(f"{k} {v:.1f}" for k, v in medians.items()))
    assert medians["batch"] <= SLOWER
    assert medians["memory"] <= SLOWER


async def test_check(engine: MontyEngine) -> None:
    """Print how long the check of a script takes: its parser is a process of its own."""
    times = []
    for direction, source in TEN_RULES.values():
        began = time.perf_counter()
        await engine.check(source, direction, SCHEMA)
        times.append(time.perf_counter() - began)
    print(f"\ncheck: median {statistics.median(times) * 1e3:.0f} ms, slowest {max(times) * 1e3:.0f} ms")
