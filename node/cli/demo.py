"""The demo command: two sandbox Jiras and two nodes on this machine, paired and in sync."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import click

from node.cli.show import Terminal
from node.demo.house import Side, let_new_issues_enter, pair, two_sides
from node.demo.jira import Person
from node.demo.play import Summary, bring_in, compare, count_calls, edit_both, fill, fill_both, until_quiet
from node.demo.samples import GREEN
from node.demo.view import watch
from node.errors import ConfigError

PATIENCE_SECONDS = 1800.0
"""How long a run may take until both sides are quiet; all 800 real issues take a few minutes."""


@click.command()
@click.option("--once", is_flag=True, help="Sync, edit on both sides, compare both Jiras, and end.")
@click.option(
    "--issues", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Jira REST issues to load into Blue's Jira, one JSON object a line (.jsonl or .jsonl.gz).",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), help="Load no more than so many issues.")
@click.option(
    "--keep", type=click.Path(path_type=Path, file_okay=False),
    help="Work in this folder and keep it (logs, databases), instead of a temporary one.",
)  # fmt: skip
@click.pass_obj
def demo(terminal: Terminal, once: bool, issues: Path | None, limit: int | None, keep: Path | None) -> None:
    """Run two organisations on this machine and keep their Jiras in step."""
    root = keep.resolve() if keep else None
    alone = once or terminal.as_json
    try:
        status = asyncio.run(_until_told(_in_a_folder(terminal, root, issues, limit, once=alone)))
    except OSError as error:
        if keep is None:
            raise
        raise ConfigError(f"The demo cannot work in {keep}: {error.strerror}.", advice="Name another folder.") from None
    if alone and status:
        raise SystemExit(status)
    if not alone:
        with suppress(OSError):  # the terminal may be what ended
            terminal.say("\nEverything has stopped.")


async def _until_told(work: Coroutine[Any, Any, int]) -> int:
    """Return what the work returns; or 128 and the number of the first signal to end, which cancels it.

    The work is waited for in any case. The handlers also count where whoever started us, a script in the background for
    instance, has SIGINT ignored.
    """
    task = asyncio.create_task(work)
    told: list[int] = []

    def end(number: int) -> None:
        told.append(number)
        if len(told) == 1:  # another one must not keep it from stopping what it started
            task.cancel()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(name, end, name)
    try:
        return await task
    except (asyncio.CancelledError, OSError):
        if not told:
            raise
        return 128 + told[0]


async def _in_a_folder(
    terminal: Terminal, root: Path | None, issues: Path | None, limit: int | None, *, once: bool
) -> int:
    with tempfile.TemporaryDirectory(prefix="accord-demo-", ignore_cleanup_errors=True) as temporary:
        if not once:
            await _stay(terminal, root or Path(temporary), issues, limit)
            return 0
        summary = await _once(terminal, root or Path(temporary), issues, limit)
    _print(terminal, summary)
    return 1 if summary.report.differences else 0


async def _once(terminal: Terminal, root: Path, issues: Path | None, limit: int | None) -> Summary:
    begun = time.monotonic()
    summary = Summary()
    status = terminal.err.status("Starting two Jiras and two nodes")
    with status:

        def tell(text: str) -> None:
            status.update(text)

        async with two_sides(root, load=issues, limit=limit) as (blue, green):
            await pair(blue, green)
            tell("Paired. Filling the Jiras")
            if issues is None:
                keys, theirs = await fill_both(blue, green)
            else:
                keys, theirs = await _loaded(blue.jira_url), await fill(green, GREEN)
            failed = await bring_in(blue, "Blue_to_Green", keys, tell)
            failed += await bring_in(green, "Green_to_Blue", theirs, tell)
            await until_quiet(blue, green, seconds=PATIENCE_SECONDS, tell=tell)
            tell("In step. Editing on both sides")
            before = await count_calls(blue, green)
            summary.changes = await edit_both(blue, green)
            await until_quiet(blue, green, seconds=PATIENCE_SECONDS, tell=tell)
            after = await count_calls(blue, green)
            summary.calls = {route: count - before.get(route, 0) for route, count in after.items()}
            summary.calls = {route: count for route, count in sorted(summary.calls.items()) if count}
            summary.calls_per_change = sum(summary.calls.values()) / max(1, summary.changes)
            tell("Comparing both Jiras")
            summary.report = await compare(blue, green, keys, failed)
    summary.seconds = time.monotonic() - begun
    return summary


async def _loaded(jira_url: str) -> list[str]:
    async with Person(jira_url, "admin") as admin:
        return list(await admin.every_issue())


async def _stay(terminal: Terminal, root: Path, issues: Path | None, limit: int | None) -> None:
    async with AsyncExitStack() as stack:
        with terminal.err.status("Starting two Jiras and two nodes"):
            blue, green = await stack.enter_async_context(two_sides(root, load=issues, limit=limit))
        await pair(blue, green)
        keys, theirs = (
            await fill_both(blue, green) if issues is None else (await _loaded(blue.jira_url), await fill(green, GREEN))
        )
        await bring_in(blue, "Blue_to_Green", keys, lambda _text: None)
        await bring_in(green, "Green_to_Blue", theirs, lambda _text: None)
        await let_new_issues_enter(blue, "Blue_to_Green")
        await let_new_issues_enter(green, "Green_to_Blue")
        _welcome(terminal, blue, green, keys[0])
        await watch(terminal.out, blue, green)


def _welcome(terminal: Terminal, blue: Side, green: Side, key: str) -> None:
    """Say what there is to try; it is printed once, so that the commands can be copied whole."""
    terminal.say(f"Blue's Jira:  [bold]{blue.jira_url}[/bold]    Green's Jira: [bold]{green.jira_url}[/bold]")
    terminal.say("Edit, comment or attach in either. A new issue enters sync by itself and arrives in the other.")
    terminal.say("Ask the nodes, in another terminal:")
    for side, command in ((blue, f"status {key}"), (blue, "connections"), (green, "rules show Green_to_Blue")):
        terminal.copy(f"  {_program()} --dir {shlex.quote(str(side.folder.root))} {command}")


def _program() -> str:
    """Return how this very program is called from anywhere."""
    script = Path(sys.argv[0])
    if script.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m node"
    return shlex.quote(str(script.absolute()))


def _print(terminal: Terminal, summary: Summary) -> None:
    if terminal.as_json:
        click.echo(json.dumps(summary.as_data(), ensure_ascii=False, indent=2))
        return
    report = summary.report
    terminal.say(
        f"In step: {report.issues} issues, {report.comments} comments, {report.attachments} attachments, "
        f"in {summary.seconds:.0f} seconds."
    )
    terminal.say(
        f"{summary.changes} changes on both sides took {sum(summary.calls.values())} REST calls, "
        f"{summary.calls_per_change:.2f} a change:"
    )
    terminal.table(("Call", "Times"), list(summary.calls.items()), empty="none")
    if report.refused:
        terminal.say(f"\n{len(report.refused)} issues hold what Jira itself refuses; each is an error on that issue:")
        for key, text in report.refused.items():
            terminal.quote(f"  {key}: {text}")
    if report.differences:
        terminal.say(f"\n[red]{len(report.differences)} differences:[/red]")
        for line in report.differences:
            terminal.quote(f"  {line}")
    else:
        terminal.say("\n[green]No differences.[/green]")
