"""Sessions that wait for an evaluation: each is fresh, serves once, and is replaced when it dies."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator

import pytest
from pydantic_monty import AsyncMonty, MontyRuntimeError
from typing_extensions import override

from node.errors import ConfigError, RuleError
from node.rules.script.engine import Script
from node.rules.script.memory import Memory
from node.rules.script.sandbox import MontyEngine
from node.rules.script.stock import Stock
from node.rules.script.workers import FEED_SECONDS, FROZEN, HELPER_CALLS, READY, Workers
from tests.support.scripts import SCHEMA, JiraAtHand, inputs, issue, workers_of_this_process
from tests.support.two_nodes import eventually

SCRIPT = Script("issue.summary = replica.summary", "incoming", SCHEMA)
DIGEST = b"a script"


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    workers = Workers(count=2)
    yield workers
    await workers.close()


@pytest.fixture
async def engine() -> AsyncIterator[MontyEngine]:
    # Without a memory, so that every evaluation is one.
    engine = MontyEngine(memory=Memory(entries=0))
    yield engine
    await engine.close()


async def _dump(workers: Workers, code: str = "given = [1]") -> bytes:
    pool = await workers.pool()
    async with pool.checkout(limits=workers.limits(), os_policy=FROZEN) as session:
        await session.feed_run(code)
        return await session.dump()


async def _ready(engine: MontyEngine, script: Script = SCRIPT) -> None:
    await engine.evaluate(script, inputs(), JiraAtHand())
    await engine._stock.settled()
    assert engine._stock._kept


async def test_a_session_serves_once(workers: Workers) -> None:
    """What the first borrower left behind is not there for the second: its session is another one."""
    dump, stock = await _dump(workers), Stock(workers, rehearsal="1")
    for _ in range(3):
        async with stock.lend(DIGEST, dump) as session:
            with pytest.raises(MontyRuntimeError, match="left"):
                await session.feed_run("left")
            assert await session.feed_run("given") == [1]
            await session.feed_run("left = 1\ngiven.append(2)")
        await stock.settled()
        assert len(stock._kept) == 1
    await stock.close()


async def test_a_session_that_ended_in_an_error_serves_no_more(workers: Workers) -> None:
    """After a failure inside, the next borrower has a fresh session, too."""
    dump, stock = await _dump(workers), Stock(workers, rehearsal="1")
    with pytest.raises(MontyRuntimeError, match="zero"):
        async with stock.lend(DIGEST, dump) as session:
            await session.feed_run("left = 1\n1 / 0")
    async with stock.lend(DIGEST, dump) as session:
        with pytest.raises(MontyRuntimeError, match="left"):
            await session.feed_run("left")
    await stock.close()


async def test_two_borrowers_at_once_have_two_sessions(workers: Workers) -> None:
    """Nobody shares: sessions that are lent at the same time are in different processes."""
    dump, stock = await _dump(workers), Stock(workers, rehearsal="1")
    for _ in range(3):
        async with stock.lend(DIGEST, dump) as first, stock.lend(DIGEST, dump) as second:
            assert first.worker_pid != second.worker_pid
    await stock.close()


async def test_a_session_of_one_script_is_not_lent_for_another(workers: Workers) -> None:
    """Each script finds itself in its session, never the script of somebody else."""
    stock = Stock(workers, rehearsal="1")
    dumps = {text.encode(): await _dump(workers, f"given = {text!r}") for text in ("alice", "bob")}
    for _ in range(2):
        for digest, dump in dumps.items():
            async with stock.lend(digest, dump) as session:
                assert await session.feed_run("given") == digest.decode()
            await stock.settled()
    await stock.close()


async def test_killed_while_it_waits_is_replaced_and_no_error(engine: MontyEngine) -> None:
    """Kill -9 of all waiting processes: the next evaluation goes on in a new one, and nobody hears of it."""
    await _ready(engine)
    for pid in workers_of_this_process():
        os.kill(pid, signal.SIGKILL)

    async def are_dead() -> bool:
        return all(set(states) <= {"Z"} for states in workers_of_this_process().values())

    await eventually(are_dead, "the waiting processes have ended")
    result = await engine.evaluate(SCRIPT, inputs(), JiraAtHand())
    assert result.changes["fields"]["summary"] == "Printer smokes"
    await engine._stock.settled()
    assert len(engine._stock._kept) == 1


async def test_limits_count_from_the_evaluation(engine: MontyEngine) -> None:
    """A session that waited longer than a script may compute has all its time, memory and questions left."""
    script = Script(
        f"for n in range({HELPER_CALLS}):\n    users.by_name('user' + str(n))\n"
        "total = sum([n for n in range(20000)])\nissue.summary = str(total) + ('x' * 1000000)[:1]",
        "incoming",
        SCHEMA,
    )
    await _ready(engine, script)
    await asyncio.sleep(FEED_SECONDS * 1.1)
    result = await engine.evaluate(script, inputs(), JiraAtHand())
    assert result.changes["fields"]["summary"] == "199990000x"
    assert len(result.calls) == HELPER_CALLS


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("while issue.key == 'BAD-1':\n    pass", "longer than 1 s"),
        ("if issue.key == 'BAD-1':\n    x = 'x' * 40000000", "32 MB"),
        ("def deeper(n):\n    return deeper(n + 1)\nif issue.key == 'BAD-1':\n    deeper(0)", "100 deep"),
        (
            "if issue.key == 'BAD-1':\n    for n in range(300):\n        users.by_name('user' + str(n))",
            "more than 200 questions",
        ),
    ],
)
async def test_a_waiting_session_has_the_limits_of_any(engine: MontyEngine, source: str, words: str) -> None:
    """Time, memory, depth and questions end a script in a session that was made ahead, and the next one is well."""
    script = Script(source + "\nissue.summary = 'well'", "incoming", SCHEMA)
    await _ready(engine, script)
    with pytest.raises(RuleError, match=words):
        await engine.evaluate(script, inputs(issue=issue(key="BAD-1")), JiraAtHand())
    result = await engine.evaluate(script, inputs(), JiraAtHand())
    assert result.changes["fields"]["summary"] == "well"


async def test_many_scripts_keep_few_processes(engine: MontyEngine) -> None:
    """However many scripts run, a bounded number of sessions waits, and a bounded number of processes lives."""
    for number in range(READY + 3):
        script = Script(f"issue.summary = '{number}'", "incoming", SCHEMA)
        result = await engine.evaluate(script, inputs(), JiraAtHand())
        assert result.changes["fields"]["summary"] == str(number)
    await engine._stock.settled()
    assert len(engine._stock._kept) == READY
    assert READY <= len(workers_of_this_process()) <= 2 + READY


async def test_one_busy_script_leaves_room_for_others(engine: MontyEngine) -> None:
    """As many sessions wait for one script as can be at work at once, not more."""
    await asyncio.gather(*(engine.evaluate(SCRIPT, inputs(), JiraAtHand()) for _ in range(12)))
    await engine._stock.settled()
    assert 1 <= len(engine._stock._kept) <= 2


async def test_nothing_waits_before_a_script_ran_nor_after_the_end() -> None:
    """A node without scripts starts no worker, and one that closes leaves none."""
    before = set(workers_of_this_process())
    engine = MontyEngine()
    await engine._stock.settled()
    assert set(workers_of_this_process()) <= before
    await _ready(engine)
    assert set(workers_of_this_process()) - before
    await engine.close()

    async def are_gone() -> bool:
        return not set(workers_of_this_process()) - before

    await eventually(are_gone, "no worker of a closed engine is left")


async def test_closing_while_a_session_is_made_leaves_none() -> None:
    """An engine that closes right after an evaluation takes the session along that was just being made."""
    before = set(workers_of_this_process())
    engine = MontyEngine()
    await engine.evaluate(SCRIPT, inputs(), JiraAtHand())
    await engine.close()
    assert not engine._stock._kept

    async def are_gone() -> bool:
        return not set(workers_of_this_process()) - before

    await eventually(are_gone, "no worker of a closed engine is left")


async def test_cancelled_while_it_waits_for_a_session_loses_none(workers: Workers) -> None:
    """Who gives up while a session is being made does not keep its process busy for ever."""
    dump, stock = await _dump(workers), Stock(workers, rehearsal="1")

    async def borrow() -> None:
        async with stock.lend(DIGEST, dump):
            pytest.fail("it was cancelled before")

    for _ in range(2 + READY + 1):
        async with asyncio.timeout(10), stock.lend(DIGEST, dump) as session:
            assert await session.feed_run("given") == [1]
        borrowing = asyncio.create_task(borrow())
        # One turn of the loop: it holds what is being made, and that is not done yet.
        await asyncio.sleep(0)
        borrowing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await borrowing
        await stock.settled()
        assert not stock._kept
    await stock.close()


async def test_what_cannot_be_made_ahead_is_said_and_made_when_needed(caplog: pytest.LogCaptureFixture) -> None:
    """Where no process can be had for a while, a line says so, and the first evaluation after it has its session."""

    class Exhausted(Workers):
        down = False

        @override
        async def pool(self) -> AsyncMonty:
            if self.down:
                raise ConfigError("The worker for scripts does not start: no memory.")
            return await super().pool()

    workers = Exhausted(count=1)
    dump, stock = await _dump(workers), Stock(workers, rehearsal="1")
    with caplog.at_level(logging.WARNING):
        async with stock.lend(DIGEST, dump):
            workers.down = True
        await stock.settled()
    assert "made ready ahead" in caplog.text
    assert "no memory" in caplog.text
    with pytest.raises(ConfigError):
        async with stock.lend(DIGEST, dump):
            pytest.fail("there is none")
    workers.down = False
    async with stock.lend(DIGEST, dump) as session:
        assert await session.feed_run("given") == [1]
    await stock.close()
    await workers.close()
