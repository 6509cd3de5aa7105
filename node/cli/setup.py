"""Commands around the node itself: init, token, serve, check."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import click
from pydantic import ValidationError
from rich.markup import escape
from typing_extensions import override

from node.cli.show import Terminal
from node.config import JiraSettings, NodeSettings, Secret, Settings, SyncSettings, what_is_wrong
from node.errors import ConfigError, UsageError
from node.plain_text import one_line

TOKEN_VARIABLE = "ACCORD_JIRA_TOKEN"  # noqa: S105 - the name of a variable, not a token


class _OneLine(logging.Formatter):
    """Keeps each message on a line of its own, whatever it quotes; only what follows it, a trace of ours, has more."""

    @override
    def formatMessage(self, record: logging.LogRecord) -> str:
        """Format the first line."""
        return one_line(super().formatMessage(record))


def _token(given_by: str) -> Secret:
    token = os.environ.get(given_by, "")
    if not token and sys.stdin.isatty():
        token = click.prompt("Jira token", hide_input=True, err=True)
    if not token.strip():
        raise UsageError(
            "No Jira token was given.",
            advice=f"Set {given_by}, or run the command in a terminal and type it. It is kept in a file only you read.",
        )
    return Secret(token.strip())


@click.command()
@click.option("--name", required=True, help="This node's name, for example your organisation's: Blue.")
@click.option("--jira-url", required=True, help="Address of your Jira, for example https://jira.example.org")
@click.option("--jira-user", help="User name or e-mail where the token needs one (Jira Cloud; Basic). Default: bearer.")
@click.option("--public-url", help="Where the other node reaches this one, for example https://accord.example.org")
@click.option("--webhook-url", help="Where your Jira reaches this node. Default: the public URL, else this machine.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8470, show_default=True)
@click.option("--admin-port", type=click.IntRange(0, 65535), default=8471, show_default=True, help="Loopback only.")
@click.option("--allow-http", is_flag=True, help="Peers may be reached over plain http (tests, private lines).")
@click.option("--allow-private-peers", is_flag=True, help="Peers may have private addresses.")
@click.pass_obj
def init(
    terminal: Terminal,
    name: str,
    jira_url: str,
    jira_user: str | None,
    public_url: str | None,
    webhook_url: str | None,
    host: str,
    port: int,
    admin_port: int,
    allow_http: bool,
    allow_private_peers: bool,
) -> None:
    """Create a node in a folder: settings, keys and secrets. The Jira token is read from ACCORD_JIRA_TOKEN."""
    try:
        settings = Settings(
            node=NodeSettings(name=name, host=host, port=port, public_url=public_url, admin_port=admin_port),
            jira=JiraSettings(url=jira_url.rstrip("/"), user=jira_user, webhook_url=webhook_url),
            sync=SyncSettings(allow_http=allow_http, allow_private_peers=allow_private_peers),
        )
    except ValidationError as error:
        raise UsageError(f"A setting is not right: {what_is_wrong(error)}") from None
    terminal.folder.must_be_free()
    terminal.folder.create(settings, jira_token=_token(TOKEN_VARIABLE))
    if not terminal.data({"folder": str(terminal.folder.root), "name": name}):
        terminal.say(f"Node [bold]{name}[/bold] is ready in {terminal.folder.root}.")
        command = terminal.folder.command
        terminal.say(f"Start it with: {command} serve     Then look with: {command} check")


@click.command()
@click.pass_obj
def token(terminal: Terminal) -> None:
    """Keep a new Jira token (from ACCORD_JIRA_TOKEN or typed); it counts from the next start."""
    terminal.folder.settings()
    terminal.folder.replace_jira_token(_token(TOKEN_VARIABLE))
    if not terminal.data({"folder": str(terminal.folder.root), "kept": True}):
        terminal.say("The token is kept. Restart the node to use it.")


@click.command()
@click.option("-v", "--verbose", is_flag=True, help="Log every sync, not only what needs attention.")
@click.option("--was-restored", is_flag=True, help="Once, after a backup was put back: ask the peers what it lacks.")
@click.pass_obj
def serve(terminal: Terminal, verbose: bool, was_restored: bool) -> None:
    """Run the node until it is told to stop (Ctrl-C, SIGTERM)."""
    log = logging.StreamHandler(sys.stderr)
    log.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[log])
    logging.getLogger("alembic").setLevel(logging.WARNING)  # what it tells is about our schema, not about any sync
    from node.serve import serve as run  # noqa: PLC0415 - the other commands need none of the node's rooms

    asyncio.run(run(terminal.folder, announce=terminal.say, was_restored=was_restored))


@click.command()
@click.pass_obj
def check(terminal: Terminal) -> None:
    """Look at all that a working node needs: Jira, webhooks, clock, key, address, peers, disk. Exit 3 on errors."""
    try:
        data = terminal.node.call("GET", "/api/v1/check")
    except ConfigError:
        from node.app import check_offline  # noqa: PLC0415 - as above

        data = {"findings": asyncio.run(check_offline(terminal.folder))}
    findings = data["findings"]
    if not terminal.data(data):
        for one in findings:
            colour = {"ok": "green", "warning": "yellow", "error": "red"}[one["state"]]
            state = f"[{colour}]{one['state']:8}[/{colour}]"
            terminal.say(f"{state}[bold]{escape(one['what'])}[/bold] {escape(one['text'])}", hang=8)
            terminal.quote(f"        {one['advice']}" if one["advice"] else "")
    if any(one["state"] == "error" for one in findings):
        raise SystemExit(3)
