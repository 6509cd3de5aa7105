"""The command line as people and scripts meet it: on 80 columns, with --json in either place, and with Ctrl-C."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

from node.clock import SystemClock
from node.store import problems
from node.store.engine import Store
from node.store.problems import Problem
from tests.support.served import REPOSITORY, Home, home, init, pair

INTERRUPTED = """
import importlib.abc, os, signal, sys

MODULE = sys.argv[1]

class Interrupts(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == MODULE:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may have it ignored
sys.meta_path.insert(0, Interrupts())
from node.__main__ import main
sys.argv = ["accord", "--help"]
main()
"""


@pytest.mark.parametrize("module", ["node.cli", "rich.console", "aiohttp", "node.sandbox.app", "importlib.metadata"])
async def test_ctrl_c_while_the_command_line_is_loaded_says_nothing(module: str) -> None:
    """The first second of a command goes into imports; an interrupt there ends it without a trace of ours."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", INTERRUPTED, module, cwd=REPOSITORY,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, out, err.strip()) == (130, b"", b"")


async def test_json_in_either_place_and_tables_on_80_columns(tmp_path: Path) -> None:
    """A flag means the same before and after a command; on a narrow terminal no name is folded and no word broken."""
    async with home(tmp_path, "blue", "UD") as blue, home(tmp_path, "green", "SC") as green:
        await pair(blue, green)
        for command in (("queue",), ("rules", "show", "Blue_to_Green")):
            before, after = await blue.accord("--json", *command), await blue.accord(*command, "--json")
            assert before.data.keys() == after.data.keys()

        for command in (("connections",), ("queue",)):
            shown = await blue.on_a_screen(*command)
            assert "Blue_to_Green" in shown.split(), shown
            assert all(len(line) <= 80 for line in shown.splitlines()), shown
        for command in (("check",), ("connections",)):
            whole = _without_room((await blue.accord(*command)).out).split()
            narrow = _without_room(await blue.on_a_screen(*command, columns=50))
            assert set(narrow.split()) <= {*whole, *(f"{word}:" for word in whole)}, narrow


def _without_room(text: str) -> str:
    """Leave out how much room the disk has: others write to it between two looks."""
    return re.sub(r"[\d.]+(\s+GB free)", r"\1", text)


async def _said_by_the_check(served: Home) -> None:
    """The check warns of an address that leads partners to themselves, also while the node does not run."""
    found = (await served.accord("--json", "check")).data["findings"]
    address = next(one for one in found if one["what"] == "address")
    assert address["state"] == "warning"
    assert "only a node on this machine" in address["text"]
    assert "node.public_url" in address["advice"]


@pytest.mark.timeout(240)  # some fifteen commands, each a process that starts
async def test_a_pairing_that_does_not_go_on_says_why(tmp_path: Path) -> None:
    """Blue is away when Green accepts: accept, connections, check and errors all name the reason."""
    async with home(tmp_path, "blue", "UD") as blue, home(tmp_path, "green", "SC") as green:
        await asyncio.gather(init(blue, "Blue"), init(green, "Green"))
        await asyncio.gather(blue.serve(), green.serve())
        wrong = await blue.accord("invite", "Green", "--project", "UD", "--default-type", "Nope")
        assert (wrong.status, "'Nope'" in wrong.err, "Task" in wrong.err) == (1, True, True)
        invited = await blue.accord("invite", "Green", "--project", "UD")
        assert "only a node on this machine" in invited.out
        await _said_by_the_check(blue)
        code = next(word for word in invited.out.split() if word.startswith("accord1."))
        listed = await blue.accord("connections", "--json")
        assert code not in listed.out
        await blue.terminate()
        await _said_by_the_check(blue)

        wrong = await green.accord("accept", code, "--project", "SC", "--yes", "--default-type", "Nope")
        assert (wrong.status, "'Nope'" in wrong.err, "Task" in wrong.err) == (1, True, True)
        accepted = await green.accord("accept", code, "--project", "SC", "--yes")
        assert (accepted.status, "cannot be reached" in accepted.out) == (0, True)
        for command, status in (("connections", 0), ("check", 3), ("errors", 3)):
            said = await green.accord(command)
            assert (said.status, "cannot be reached" in said.out) == (status, True), said
        assert (await green.accord("close", "Green_to_Blue", "--yes")).status == 0
        hidden = await green.accord("connections")
        assert ("Green_to_Blue" in hidden.out, "--all" in hidden.out) == (False, True)
        assert "Green_to_Blue" in (await green.accord("connections", "--all")).out
        assert (await green.accord("errors")).status == 0


@pytest.mark.timeout(120)
async def test_what_is_only_to_be_known_is_a_note_and_sets_no_exit_status(tmp_path: Path) -> None:
    """A script that watches for errors is not woken for a restored partner; people still read of it."""
    async with home(tmp_path, "blue", "UD") as blue:
        await init(blue, "Blue")
        await blue.serve("-v")
        ended = await blue.terminate()
        assert "alembic" not in ended.err
        note = Problem(
            connection_id=None, stage=problems.PEER, ref=None, issue_key=None, code="Resend", message="It is."
        )
        async with await Store.open(blue.folder / "accord.db") as store:
            await store.write(lambda tx: problems.report(tx, note, now_ms=SystemClock().now_ms()))
        await blue.serve()
        said = await blue.accord("errors")
        assert (said.status, "note" in said.out, "Nothing is wrong" in said.out) == (0, True, True)
