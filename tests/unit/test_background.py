"""Work beside everything else: begun once, called from its rest, stopped wherever it is, and never lost in silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from node.background import Background

LONG = 3_600.0
"""Seconds of a rest that only news or a stop ends within a test."""


class Rounds:
    """Counts its rounds and rests long after each; ``during`` is called in the middle of one."""

    def __init__(self) -> None:
        self.background = Background("rounds", self._work)
        self.done = 0
        self.stopped = False
        self.during: Callable[[int], None] = lambda _round: None
        self._changed = asyncio.Condition()

    async def have_been(self, count: int) -> None:
        """Wait until so many rounds were made."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.done >= count)

    async def _work(self) -> None:
        try:
            while True:
                self.during(self.done)
                self.done += 1
                async with self._changed:
                    self._changed.notify_all()
                await self.background.rest(LONG)
        except asyncio.CancelledError:
            self.stopped = True
            raise


@pytest.fixture
async def rounds() -> AsyncIterator[Rounds]:
    """Rounds that have begun."""
    one = Rounds()
    one.background.start()
    await one.have_been(1)
    yield one
    await one.background.stop()


async def test_news_ends_a_rest(rounds: Rounds) -> None:
    """The next round comes long before its time."""
    rounds.background.soon()
    await rounds.have_been(2)


async def test_news_that_comes_during_a_round_makes_one_more(rounds: Rounds) -> None:
    """What is said while nobody rests is not lost."""

    def during(round_: int) -> None:
        if round_ == 1:
            rounds.background.soon()

    rounds.during = during
    rounds.background.soon()
    await rounds.have_been(3)


async def test_a_rest_ends_by_itself_too() -> None:
    """Without any news the time is enough."""
    resting = Background("resting", lambda: resting.rest(0))
    resting.start()
    await _ended("resting")
    await resting.stop()


async def test_who_is_at_work_is_not_begun_twice(rounds: Rounds) -> None:
    """A second start changes nothing."""
    rounds.background.start()
    assert len(_tasks("rounds")) == 1


async def test_a_stop_ends_the_work_and_it_can_begin_anew(rounds: Rounds) -> None:
    """It is stopped in the middle of its rest, and nothing of it is left."""
    await rounds.background.stop()
    assert (rounds.stopped, rounds.background.started, _tasks("rounds")) == (True, False, [])
    rounds.background.start()
    await rounds.have_been(2)


async def test_work_that_has_ended_can_be_started_again() -> None:
    """Its end needs no stop."""
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1

    background = Background("short", work)
    for _ in range(2):
        background.start()
        await _ended("short")
    assert count == 2
    await background.stop()


async def test_a_fault_is_told_and_a_stop_is_none(caplog: pytest.LogCaptureFixture) -> None:
    """Work that breaks off says so in the log with its name; one that was never started stops without a word."""

    async def work() -> None:
        raise ValueError("no")

    await Background("never", work).stop()
    assert not caplog.records
    background = Background("the broken one", work)
    background.start()
    await _ended("the broken one")
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "the broken one has ended" in caplog.text
    await background.stop()


def _tasks(name: str) -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == name]


async def _ended(name: str) -> None:
    async with asyncio.timeout(10):
        await asyncio.gather(*_tasks(name))
