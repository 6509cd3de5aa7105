"""The demo command: two sandbox Jiras and two nodes on this machine, paired and in sync."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import click

from node.cli.show import Terminal
from node.demo.house import pair, two_sides
from node.demo.jira import Person
from node.demo.play import Summary, bring_in, compare, count_calls, edit_both, fill, fill_both, until_quiet
from node.demo.samples import GREEN
from node.demo.view import watch

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
    with tempfile.TemporaryDirectory(prefix="accord-demo-", ignore_cleanup_errors=True) as temporary:
        root = keep.resolve() if keep else Path(temporary)
        if once or terminal.as_json:
            summary = asyncio.run(_once(terminal, root, issues, limit))
            _print(terminal, summary)
            if summary.report.differences:
                raise SystemExit(1)
        else:
            with suppress(KeyboardInterrupt):
                asyncio.run(_stay(terminal, root, issues, limit))
            terminal.say("\nEverything has stopped.")


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
        terminal.say(f"Blue's Jira:  [bold]{blue.jira_url}[/bold]    Green's Jira: [bold]{green.jira_url}[/bold]")
        terminal.say(f"Ask the nodes: accord --dir {blue.folder.root} status {keys[0]}")
        await watch(terminal.out, blue, green)


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
