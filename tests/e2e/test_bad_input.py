"""Bad input at every door: a clear error in words, nothing lost, and the rest goes on."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from node.app import Node
from node.clock import SystemClock
from node.errors import AccordError
from tests.support.dying import assert_in_step
from tests.support.two_nodes import Party, eventually, quiet, there, two_nodes

Parties = tuple[Party, Party]
ACCEPT = "/api/v1/connections"


@pytest.fixture
async def strangers(tmp_path: Path) -> AsyncIterator[Parties]:
    """Run both sides, not paired."""
    async with two_nodes(tmp_path, paired=False) as sides:
        yield sides


async def _refused(party: Party, code: str, words: str, *, project: str = "SC") -> None:
    with pytest.raises(AccordError, match=words) as caught:
        await party.call("POST", ACCEPT, {"code": code, "project": project})
    assert "Traceback" not in caught.value.message


async def test_codes_that_do_not_work(strangers: Parties) -> None:
    """Damaged, foreign, used and revoked codes, and one's own, are refused in words; a good one works after all."""
    alice, bob = strangers
    asked = {"peer": "Bob", "project": "UD"}
    code = (await alice.call("POST", "/api/v1/invitations", asked))["code"]
    await _refused(bob, "hello", "(?i)code")
    await _refused(bob, code[:-8], "(?i)code")
    middle = len(code) // 2
    damaged = code[:middle] + ("A" if code[middle] != "A" else "B") + code[middle + 1 :]
    await _refused(bob, damaged, "(?i)code|typed")
    await _refused(alice, code, "this very node", project="UD")
    await _refused(bob, code, "(?i)project", project="NOPE")
    await bob.call("POST", ACCEPT, {"code": code, "project": "SC"})

    async def active() -> bool:
        return all([(await side.call("GET", f"{ACCEPT}/{side.connection}"))["state"] == "active" for side in strangers])

    await eventually(active, "the good code works")
    other = (await alice.call("POST", "/api/v1/invitations", {"peer": "Eve", "project": "UD"}))["code"]
    await alice.call("POST", f"{ACCEPT}/Alice_to_Eve/revoke", {})
    with pytest.raises(AccordError, match=r"(?i)code|invitation|refused|known"):
        await bob.call("POST", ACCEPT, {"code": other, "project": "SC", "name": "Bob_to_nowhere"})


async def test_unknown_names(parties: Parties) -> None:
    """Unknown issues, connections and projects are named; the issues that exist are synced all the same."""
    alice, bob = parties
    key = await alice.create()
    results = await alice.sync(key, "UD-999", "no key at all", "XX-1; DROP TABLE link")
    assert [one["result"] for one in results] == ["queued", "failed", "failed", "failed"]
    assert "UD-999" in results[1]["text"]
    await alice.twin(key)
    with pytest.raises(AccordError, match="Nobody"):
        await replace(alice, connection="Nobody").sync(key)
    with pytest.raises(AccordError, match=r"(?i)NOPE"):
        await alice.call("POST", "/api/v1/invitations", {"peer": "X", "project": "NOPE"})
    with pytest.raises(AccordError, match="UD-777"):
        await alice.call("GET", "/api/v1/issues/UD-777")
    assert await bob.problems() == []


async def test_nonsense_at_the_open_port_fills_no_log(strangers: Parties, caplog: pytest.LogCaptureFixture) -> None:
    """What is no HTTP is refused without a trace; no path is ever told, for the webhook's holds a secret."""
    alice, _ = strangers
    caplog.set_level(logging.INFO)
    assert alice.node is not None
    port = int(alice.node.public_url.rpartition(":")[2])
    secret = alice.folder.secret("webhook-token").value
    chunks = b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    packed = b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"
    hook = f"POST /webhook/{secret} HTTP/1.1\r\nHost: a\r\n".encode()
    for nonsense in (
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        f"POST /webhook/{secret}?{'x' * 20_000} HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
        b"POST /accord/v1/pair HTTP/1.1\r\nHost: a\r\n" + packed,
        b"POST /accord/v1/pair HTTP/1.1\r\nHost: a\r\nContent-Type: application/accord1\r\n" + chunks,
        hook + chunks,
        hook + packed,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(nonsense)
        async with asyncio.timeout(20):
            said = await reader.readline()
        assert said.split()[1] in (b"400", b"404"), nonsense
        writer.close()
    told = [record for record in caplog.records if record.name.startswith(("node", "aiohttp", "asyncio"))]
    assert any("no proper HTTP" in record.getMessage() for record in told)
    assert not [record for record in told if record.levelno >= logging.WARNING or record.exc_info]
    assert secret not in caplog.text
    assert "/webhook" not in caplog.text


async def test_what_a_partner_calls_itself_is_only_text(parties: Parties) -> None:
    """A label is up to 64 characters of a stranger's: no markup for our terminal, and no way to hide the ledger."""
    alice, bob = parties
    await alice.sync(await alice.create())
    await quiet(alice, bob)
    label = "[/x] [link=https://elsewhere.example]Alice[/link]"
    await bob.store.write(lambda tx: tx.execute("UPDATE connection SET peer_label = :label", {"label": label}))
    for command in (("ledger", bob.connection), ("connections",), ("queue",)):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "node", "--dir", str(bob.folder.root), *command,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "COLUMNS": "400", "FORCE_COLOR": "1", "TERM": "xterm-256color"},
        )  # fmt: skip
        out, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
        assert b"\x1b]8;" not in out
        assert label.encode() in out or command == ("queue",)


async def test_a_second_node_and_a_taken_port(parties: Parties, tmp_path: Path) -> None:
    """A second process on the same folder, and a node whose port is taken, end with words; the first goes on."""
    alice, bob = parties
    with pytest.raises(AccordError, match=r"(?i)another|running|use"):
        await Node(alice.folder, clock=SystemClock()).start()
    await bob.stop()
    mine = bob.folder.settings()
    taken = alice.folder.settings().node.port
    bob.folder.write_settings(mine.model_copy(update={"node": mine.node.model_copy(update={"port": taken})}))
    with pytest.raises(AccordError, match=str(taken)):
        await bob.start()
    bob.folder.write_settings(mine)
    await bob.start()
    key = await alice.create()
    await alice.sync(key)
    await alice.twin(key)


async def test_texts_that_are_too_long(parties: Parties) -> None:
    """A text that Bob's Jira refuses holds that issue alone; when Alice shortens it, it arrives by itself."""
    alice, bob = parties
    long, short = await alice.create(summary="long"), await alice.create(summary="short")
    there(alice.sandbox.world.issue(long)).description = "x" * 40_000
    await alice.sync(long, short)
    await alice.twin(short)

    async def held() -> bool:
        return any("UD-1" in problem["message"] or problem["issue_key"] == long for problem in await bob.problems())

    await eventually(held, "Bob's people are told which issue it is")
    assert len(await bob.person.every_issue()) == 1
    await alice.person.edit(long, {"description": "short enough"})
    await alice.twin(long)
    await quiet(alice, bob)
    await assert_in_step(alice, bob, issues=2)


async def test_one_comment_that_is_too_long(parties: Parties) -> None:
    """One comment among good ones is refused: the others arrive, the one is told, and a shorter one clears it."""
    alice, bob = parties
    key = await alice.create()
    await alice.person.comment(key, "before")
    long = await alice.person.comment(key, "long")
    there(alice.sandbox.world.issue(key)).comments[1].body = "x" * 40_000
    await alice.person.comment(key, "after")
    await alice.sync(key)
    twin = await alice.twin(key)

    async def held() -> bool:
        return bool(await bob.problems())

    await eventually(held, "Bob's people are told")
    await quiet(alice, bob)
    assert [text.partition("\n")[2] for text in await bob.comments(twin)] == ["before", "after"]
    await alice.person.edit_comment(key, long, "not so long")
    await quiet(alice, bob)
    assert len(await bob.comments(twin)) == 3
    await assert_in_step(alice, bob)


async def test_a_description_of_10_megabytes(parties: Parties) -> None:
    """A Jira without a limit holds more than a message does: Alice's people are told, and a shorter text cures it."""
    alice, bob = parties
    good = await alice.create(summary="good")
    huge = await alice.create(summary="huge")
    there(alice.sandbox.world.issue(huge)).description = "word " * 2_000_000
    results = await alice.sync(huge, good)
    assert [one["result"] for one in results] == ["failed", "queued"]
    assert huge in results[0]["text"]
    twin = await alice.twin(good)
    await quiet(alice, bob)
    there(alice.sandbox.world.issue(good)).description = "word " * 2_000_000
    await alice.person.edit(good, {"summary": "good, and huge"})

    async def told() -> bool:
        return any(problem["issue_key"] == good for problem in await alice.problems())

    await eventually(told, "Alice's people are told of the issue in sync")
    await alice.person.edit(good, {"description": "word"})
    await alice.person.edit(huge, {"description": "short"})
    await alice.twin(huge)

    async def cured() -> bool:
        return (await bob.issue(twin))["fields"]["description"] == "word" and not await alice.problems()

    await eventually(cured, "the shorter text arrives and the problem is over")


async def test_no_permission_in_the_target_project(parties: Parties) -> None:
    """Bob's sync user may not write: his people read it, Alice's hear that it did not arrive, and later it does."""
    alice, bob = parties
    key = await alice.create()
    fault = bob.sandbox.faults.add("error", "/issue", method="POST", count=None, status=403)
    await alice.sync(key)

    async def told() -> bool:
        return any("does not let our user" in one["message"] for one in await bob.problems())

    await eventually(told, "Bob's people are told")
    assert fault.happened >= 1
    bob.sandbox.faults.clear()
    await bob.call("POST", "/api/v1/errors/retry", {})
    await alice.twin(key)
    await quiet(alice, bob)
    assert await bob.problems() == []


async def test_webhooks_that_may_not_be_registered(strangers: Parties) -> None:
    """A sync user without admin rights: the node says what to register by hand, and sweeps meanwhile."""
    alice, bob = strangers
    there(alice.sandbox.world.user_named("accord")).groups = ["jira-software-users"]
    invited = await alice.call("POST", "/api/v1/invitations", {"peer": "Bob", "project": "UD"})
    await bob.call("POST", ACCEPT, {"code": invited["code"], "project": "SC"})

    async def advised() -> str:
        webhook = (await alice.call("GET", "/api/v1/node"))["webhook"]
        return str(webhook["advice"]) if "/webhook/" in webhook["advice"] else ""

    assert "admin" in (await eventually(advised, "Alice is told what to do by hand")).lower()
    key = await alice.create()
    await alice.sync(key)
    await alice.twin(key)


async def test_an_attachment_over_the_limit(tmp_path: Path) -> None:
    """A file that is too large stays, with words; the issue and its other files arrive."""
    async with two_nodes(tmp_path, max_file=1) as (alice, bob):
        key = await alice.create()
        await alice.person.attach(key, "big.bin", io.BytesIO(b"x" * 1_200_000))
        await alice.person.attach(key, "small.bin", b"y" * 1000)
        await alice.sync(key)
        twin = await alice.twin(key)
        await quiet(alice, bob)
        assert [name for name, _ in await bob.files(twin)] == ["small.bin"]
        assert any("big.bin" in problem["message"] for problem in await alice.problems())


async def test_hostile_webhooks(parties: Parties) -> None:
    """Garbage, 20 MB, or a wrong token at the webhook's door changes nothing, and real ones still count."""
    alice, bob = parties
    key = await alice.create(summary="S")
    await alice.sync(key)
    twin = await alice.twin(key)
    await quiet(alice, bob)
    base = there(alice.node).public_url
    right = f"{base}/webhook/{alice.folder.secret('webhook-token').value}"
    async with aiohttp.ClientSession() as session:
        for url, body, status in (
            (f"{base}/webhook/wrong", b"{}", 404),
            (right, b"\xff\xfe not json", 204),
            (right, b"[" * 100_000, 204),
            (right, b'{"issue": {"id": 5, "fields": []}}', 204),
            (right, b'{"webhookEvent": "jira:issue_deleted", "issue": null}', 204),
            (right, io.BytesIO(b"x" * 20_000_000), 413),
        ):
            async with session.post(url, data=body) as answer:
                assert answer.status == status, str(body)[:40]
    await quiet(alice, bob)
    await alice.person.edit(key, {"summary": "still heard"})
    await quiet(alice, bob)
    assert (await bob.issue(twin))["fields"]["summary"] == "still heard"
    await assert_in_step(alice, bob)


async def test_a_jira_that_was_set_up_anew(parties: Parties) -> None:
    """Bob's Jira gives a new issue the number of an old one: that is told on the issue, and nothing spins."""
    alice, bob = parties
    first = await alice.create()
    await alice.sync(first)
    twin = await alice.twin(first)
    await quiet(alice, bob)
    world = bob.sandbox.world
    old = there(world.issue(twin))
    world.remove_issue(old)
    world.site.next_ids["issue"] = int(old.id)
    second = await alice.create()
    await alice.sync(second)

    async def told() -> bool:
        return any("set up anew" in one["advice"] for one in await bob.problems())

    await eventually(told, "Bob's people are told")
    await quiet(alice, bob)
    assert len(await bob.person.every_issue()) == 1
