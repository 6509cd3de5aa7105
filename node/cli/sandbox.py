"""The sandbox command: a Jira on your desk, for trying things out and for tests."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from node.cli.show import Terminal
from node.errors import UsageError

TOKEN_VARIABLE = "ACCORD_SANDBOX_TOKEN"  # noqa: S105 - the name of a variable, not a token


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8480, show_default=True, help="0 takes a free one.")
@click.option(
    "--project", "projects", multiple=True, metavar="KEY=NAME", help="Create this project if it is not there."
)
@click.option(
    "--load", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Load Jira REST issues, one JSON object a line (.jsonl or .jsonl.gz).",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), help="Load no more than so many issues.")
@click.option("--data", type=click.Path(path_type=Path, dir_okay=False), help="Keep everything in this file.")
@click.option("--faults", is_flag=True, help="Open /sandbox/faults, through which tests make this Jira fail.")
@click.option("--url-file", type=click.Path(path_type=Path, dir_okay=False), help="Write the address there once up.")
@click.pass_obj
def sandbox(
    terminal: Terminal,
    host: str,
    port: int,
    projects: tuple[str, ...],
    load: Path | None,
    limit: int | None,
    data: Path | None,
    faults: bool,
    url_file: Path | None,
) -> None:
    """Run a stand-in for Jira Data Center that speaks its REST interface and has a small web page.

    Users are admin, alice, bob and accord; each password is the name. ACCORD_SANDBOX_TOKEN=USER:TOKEN adds a token.
    """
    from node.sandbox.app import SandboxOptions, serve_sandbox  # noqa: PLC0415 - the other commands need none of it

    pairs = [text.partition("=") for text in projects]
    if any(not key or not name for key, _, name in pairs):
        raise UsageError("A project is given as KEY=NAME.", advice="For example: --project 'UD=User desk'")
    user, _, token = os.environ.get(TOKEN_VARIABLE, "").partition(":")
    options = SandboxOptions(
        host=host,
        port=port,
        projects={key: name for key, _, name in pairs},
        load=load,
        limit=limit,
        data=data,
        control=faults,
        tokens={user: token} if token else {},
        url_file=url_file,
        announce=terminal.say,
    )
    asyncio.run(serve_sandbox(options))
