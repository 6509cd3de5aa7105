"""A node that starts waits for its peers, for each one alone where only that one counts, and not for ever."""

from __future__ import annotations

import asyncio

from node.sync.first_words import FirstWords


async def test_nobody_is_waited_for_where_nobody_is_expected() -> None:
    """A node without connections goes on at once."""
    words = FirstWords()
    words.expect([])
    await words.of_all()
    await words.of(1)
    assert words.all


async def test_each_peer_that_speaks_is_waited_for_no_longer() -> None:
    """Whoever asks about one peer goes on when that one was heard, and all go on after the last."""
    words = FirstWords()
    words.expect([1, 2])
    everybody = asyncio.create_task(words.of_all())
    first = asyncio.create_task(words.of(1))
    await asyncio.sleep(0)
    words.heard(1)
    await first
    assert not words.all
    words.heard(7)
    words.heard(2)
    await everybody
    assert words.all


async def test_a_peer_that_is_silent_does_not_keep_the_node_for_ever() -> None:
    """After its time nobody waits for it any more, those who asked about it alone included."""
    words = FirstWords(patience=0.01)
    words.expect([1])
    alone = asyncio.create_task(words.of(1))
    await words.of_all()
    await alone
    assert words.all
