"""What `accord sync` could not do is kept: it waits for Jira by itself, and for a person where rules say no."""

from __future__ import annotations

from pathlib import Path

from tests.support.recipes import mappings, publish
from tests.support.two_nodes import Party, eventually, quiet, two_nodes

Parties = tuple[Party, Party]


async def test_a_request_waits_for_jira_by_itself(parties: Parties) -> None:
    """Alice's Jira does not answer when she asks: nothing is refused, and the issues arrive once it does."""
    alice, bob = parties
    keys = [await alice.create(summary=f"Issue {number}") for number in range(3)]
    alice.sandbox.faults.add("error", "*", count=None, status=503)
    results = await alice.sync(*keys)
    assert [one["result"] for one in results] == ["waits"] * 3
    alice.sandbox.faults.clear()
    for key in keys:
        await alice.twin(key)
    await quiet(alice, bob)
    assert len(await bob.person.every_issue()) == 3
    assert await alice.problems() == await bob.problems() == []


async def test_a_request_outlives_the_node(tmp_path: Path) -> None:
    """The node stops before Jira answers: after its start the issue still arrives."""
    async with two_nodes(tmp_path) as (alice, bob):
        key = await alice.create()
        alice.sandbox.faults.add("error", "*", count=None, status=503)
        assert [one["result"] for one in await alice.sync(key)] == ["waits"]
        await alice.stop()
        alice.sandbox.faults.clear()
        await alice.start()
        await alice.twin(key)
        await quiet(alice, bob)


async def test_what_the_guard_stops_is_a_problem_until_the_issue_is_right(parties: Parties) -> None:
    """A text that must not leave: the error stays in the list, and the corrected issue goes by itself."""
    alice, bob = parties
    key = await alice.create(summary="A word", description="Write to carol@customer.example")
    [result] = await alice.sync(key)
    assert result["result"] == "failed"
    [problem] = await alice.problems()
    assert (problem["issue_key"], problem["connection"]) == (key, alice.connection)
    assert "description" in problem["message"]
    assert await alice.sync(key) == [result]
    assert [one["id"] for one in await alice.problems()] != []
    assert len(await alice.problems()) == 1, "asking again replaces what was asked before"
    await alice.person.edit(key, {"description": "Write to Carol"})
    await alice.twin(key)
    await quiet(alice, bob)
    assert await alice.problems() == []


async def test_a_rule_that_fails_is_a_problem_that_can_be_retried(parties: Parties) -> None:
    """A script raises on one issue: it is held, retry after a correction sends it, and its number stays until then."""
    alice, bob = parties
    script = '\n[[step]]\nname = "strict"\nscript = """error("no owner")"""\n'
    await publish(alice, outgoing=mappings("outgoing", "manual", "key", "summary") + script)
    key = await alice.create()
    [result] = await alice.sync(key)
    assert (result["result"], "no owner" in result["text"]) == ("failed", True)
    [problem] = await alice.problems()
    await alice.call("POST", "/api/v1/errors/retry", {"ids": [problem["id"]]})

    async def counted() -> bool:
        return [(one["id"], one["count"]) for one in await alice.problems()] == [(problem["id"], 2)]

    await eventually(counted, "it failed once more, under the same number")
    await publish(alice, outgoing=mappings("outgoing", "manual", "key", "summary"))
    await alice.call("POST", "/api/v1/errors/retry", {"ids": None})
    await alice.twin(key)
    await quiet(alice, bob)
    assert await alice.problems() == []


async def test_a_request_that_was_skipped_is_given_up(parties: Parties) -> None:
    """Skip ends what was asked for; later edits of the issue do not bring it in."""
    alice, bob = parties
    key = await alice.create(description="carol@customer.example")
    await alice.sync(key)
    [problem] = await alice.problems()
    await alice.call("POST", "/api/v1/errors/skip", {"ids": [problem["id"]]})
    await alice.person.edit(key, {"description": "nothing secret"})
    await quiet(alice, bob)
    assert await alice.problems() == []
    assert await bob.person.every_issue() == {}
