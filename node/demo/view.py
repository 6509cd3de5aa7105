"""What you see while the demo runs: where to look around, how both sides stand, and what just happened."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from node.cli.show import PlainConsole
from node.demo.house import Side
from node.errors import AccordError

EVENTS = 14
REFRESH_SECONDS = 0.5
_WORDS = {
    "sent": "sent a new state of",
    "applied": "applied the other side's change to",
    "outcome": "heard what became of",
    "conflict": "decided a conflict on",
    "skipped": "left alone",
    "held": "holds, with an error,",
    "ended": "stopped syncing",
    "linked": "linked",
}


async def watch(console: PlainConsole, blue: Side, green: Side) -> None:
    """Show both sides until cancelled. Where the output is no terminal, print each event on a line of its own."""
    if not console.is_terminal:
        await _print_events(console, blue, green)
        return
    with Live(console=console, refresh_per_second=4, screen=False) as live:
        while True:
            live.update(await _picture(blue, green))
            await asyncio.sleep(REFRESH_SECONDS)


async def _picture(blue: Side, green: Side) -> RenderableType:
    sides = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for column in ("Side", "Jira: look around, edit, comment", "In sync", "To send", "To apply", "Errors"):
        sides.add_column(column)
    events: list[tuple[int, Text]] = []
    for side in (blue, green):
        state = await _state(side)
        sides.add_row(*state[0])
        events += state[1]
    events.sort(key=lambda event: event[0])
    lines = [text for _, text in events[-EVENTS:]] or [Text("nothing yet")]
    hint = Text(
        "Log in as alice, bob or admin (the password is the name). A new issue in either Jira enters sync by itself. "
        "Ctrl-C stops everything.",
        style="dim",
    )
    return Group(sides, Panel(Group(*lines), title="What happens", title_align="left"), hint)


async def _state(side: Side) -> tuple[list[str], list[tuple[int, Text]]]:
    try:
        connections = (await side.call("GET", "/api/v1/connections"))["connections"]
        queue = await side.call("GET", "/api/v1/queue")
        errors = (await side.call("GET", "/api/v1/errors"))["problems"]
        recent = (await side.call("GET", f"/api/v1/events?limit={EVENTS}"))["events"]
    except AccordError as error:
        return [side.name, side.jira_url, "-", "-", "-", escape(error.message)], []
    going = sum(one["outgoing"]["queued"] + one["outgoing"]["sealed"] for one in queue["connections"])
    coming = sum(one["incoming"].get("new", 0) + one["incoming"].get("waiting", 0) for one in queue["connections"])
    issues = sum(one["issues"] for one in connections)
    colour = "red" if errors else "green"
    row = [
        f"[bold]{side.name}[/bold]", f"[link={side.jira_url}]{side.jira_url}[/link]", str(issues), str(going),
        str(coming), f"[{colour}]{len(errors)}[/{colour}]",
    ]  # fmt: skip
    return row, [(event["at_ms"], _line(side, event)) for event in recent]


def _line(side: Side, event: Mapping[str, Any]) -> Text:
    text = Text()
    moment = datetime.fromtimestamp(event["at_ms"] / 1000, tz=UTC).astimezone()
    text.append(f"{moment:%H:%M:%S} ", style="dim")
    text.append(f"{side.name} ", style="bold cyan" if side.name == "Blue" else "bold green")
    text.append(f"{_WORDS.get(event['event'], event['event'])} {event['issue_key'] or ''}")
    fields = [*event["detail"].get("fields", ()), *event["detail"].get("items", ())]
    extra = ", ".join(fields) if event["event"] in {"sent", "applied"} else event["detail"].get("text", "")
    if extra:
        text.append(f"  {extra}", style="dim")
    return text


async def _print_events(console: PlainConsole, blue: Side, green: Side) -> None:
    shown: dict[str, int] = {}
    while True:
        for side in (blue, green):
            path = f"/api/v1/events?limit=200&after={shown.get(side.name, 0)}"
            for event in _oldest_first((await side.call("GET", path))["events"]):
                shown[side.name] = event["id"]
                console.tell(_line(side, event))
        await asyncio.sleep(REFRESH_SECONDS)


def _oldest_first(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(events, key=lambda event: event["id"])
