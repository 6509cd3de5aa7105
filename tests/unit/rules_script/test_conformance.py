"""Ten rules give the same in the box, alone and in a batch, as in bare Python. Another engine must pass this too."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from node.rules.script.engine import RuleEngine, Script, ScriptResult
from node.rules.script.projection import changes_from
from node.rules.script.sandbox import MontyEngine
from tests.support.scripts import SCHEMA, JiraAtHand, bare_python, bare_rules
from tests.support.ten_rules import TEN_RULES, answer, large_inputs

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[RuleEngine]:
    engine = MontyEngine()
    yield engine
    await engine.close()


@pytest.mark.parametrize("name", TEN_RULES)
async def test_gives_what_bare_python_gives(engine: RuleEngine, name: str) -> None:
    """Values, lines and skips are those of the same program in CPython, for one issue and for twenty-five."""
    direction, source = TEN_RULES[name]
    bare = bare_python(source, direction)
    bare.names["_ask"] = answer
    many = [large_inputs(direction, number) for number in range(25)]
    wanted = [bare(one) for one in many]
    script = Script(source, direction, SCHEMA)
    first = await engine.evaluate(script, many[0], JiraAtHand())
    results = await engine.evaluate_many(script, many, JiraAtHand())
    assert isinstance(results[0], ScriptResult)
    assert results[0].cached
    for one, want, result in zip(many, wanted, results, strict=True):
        assert isinstance(result, ScriptResult), result
        assert result.changes == changes_from(one, direction, want)
        assert result.origins == want["origins"]
    assert first.changes == results[0].changes
    floor = bare_rules(source, direction, answer)
    assert [floor(one) for one in many] == [
        changes_from(one, direction, want) for one, want in zip(many, wanted, strict=True)
    ]


@pytest.mark.parametrize("name", TEN_RULES)
async def test_passes_the_check(engine: RuleEngine, name: str) -> None:
    """The ten rules have no errors at save."""
    direction, source = TEN_RULES[name]
    assert [str(f) for f in await engine.check(source, direction, SCHEMA) if f.severity == "error"] == []
