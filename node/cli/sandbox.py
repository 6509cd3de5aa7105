"""The sandbox command: a Jira on your desk, for trying things out and for tests."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import click
from rich.markup import escape

from node.cli.show import Terminal
from node.errors import ConfigError, UsageError
from node.sandbox.app import RunningSandbox
from node.sandbox.load import LoadError, LoadReport
from node.sandbox.persistence import DataFileError
from node.sandbox.serve import SandboxOptions, serve_sandbox

TOKEN_VARIABLE = "ACCORD_SANDBOX_TOKEN"  # noqa: S105 - the name of a variable, not a token


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8480, show_default=True, help="0 takes a free one.")
@click.option(
    "--project", "projects", multiple=True, metavar="KEY=NAME", help="Create this project if it is not there."
)
@click.option("--title", default="Sandbox", show_default=True, help="The name that its pages show.")
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
    title: str,
    load: Path | None,
    limit: int | None,
    data: Path | None,
    faults: bool,
    url_file: Path | None,
) -> None:
    """Run a stand-in for Jira Data Center that speaks its REST interface and has a small web page.

    Users are admin, alice, bob and accord; each password is the name. ACCORD_SANDBOX_TOKEN=USER:TOKEN adds a token.
    """
    pairs = [text.partition("=") for text in projects]
    if any(not key or not name for key, _, name in pairs):
        raise UsageError("A project is given as KEY=NAME.", advice="For example: --project 'UD=User desk'")
    user, _, token = os.environ.get(TOKEN_VARIABLE, "").partition(":")
    options = SandboxOptions(
        host=host,
        port=port,
        projects={key: name for key, _, name in pairs},
        title=title,
        load=load,
        limit=limit,
        data=data,
        control_open=faults,
        tokens={token: user} if token else {},
    )
    try:
        asyncio.run(_run(terminal, options, url_file))
    except (LoadError, DataFileError, ValueError) as error:
        raise ConfigError(f"The sandbox cannot start: {error}", advice="Name another file, or leave it out.") from None
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        if error.filename is not None:
            raise ConfigError(f"The sandbox cannot use {error.filename}: {why}.") from None
        raise ConfigError(
            f"The sandbox cannot listen on {host}:{port}: {why}.", advice="Choose another --port; 0 takes a free one."
        ) from None


async def _run(terminal: Terminal, options: SandboxOptions, url_file: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)

    def ready(sandbox: RunningSandbox, report: LoadReport | None) -> None:
        if report is not None:
            terminal.say(escape(report.sentence))
        elif options.load is not None:
            terminal.say(
                f"{escape(str(options.load))} was not loaded: {escape(str(options.data))} holds a Jira already. "
                "Name a new file with --data to load it there."
            )
        terminal.say(f"A Jira to play with: [bold]{sandbox.url}[/bold]   (admin, alice, bob: the password is the name)")
        if url_file is not None:
            temporary = url_file.with_suffix(".new")
            temporary.write_text(sandbox.url, "utf-8")
            temporary.replace(url_file)

    await serve_sandbox(options, ready=ready, stop=stop)
