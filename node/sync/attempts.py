"""Which values of our issue may be of our own writing although no result of the call is stored. Pure.

Setting a field may happen twice, so it needs no marker in the tracker. But a node that died after such a call, or did
not get its answer, would take the value for one of our people's and send it back, over whatever the peer's people have
written since. So the intent holds the values: what is found in a field and is among them is no doing of our people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from node.store.steps import FIELDS, Step
from node.sync.merge import same
from node.trackers.fields import field_values, with_fields
from node.trackers.issue import Issue, Value

Attempts: TypeAlias = Mapping[str, list[Value]]
"""Field to the values that were to be written into it."""


def attempts_in(open_steps: Iterable[Step], key: str = FIELDS) -> Attempts:
    """Return what the open intents of this name among these wanted to write."""
    found: dict[str, list[Value]] = {}
    for step in open_steps:
        if step.key == key:
            for name, values in json.loads(step.marker).items():
                found.setdefault(name, []).extend(values)
    return found


def marker_of(fields: Mapping[str, Value], before: Attempts) -> str:
    """Return the marker of an intent to write these fields after earlier attempts."""
    values = {name: list(tried) for name, tried in before.items()}
    for name, value in fields.items():
        values[name] = [*(one for one in values.get(name, []) if one != value), value]
    return json.dumps(values, ensure_ascii=False)


def outdated(issue: Issue, wanted: Mapping[str, Value], tried: Attempts) -> dict[str, Value]:
    """Return what has to be written into an issue that an earlier call made, so that it holds what is wanted now.

    What holds neither that nor what was tried was changed by our people since, and stays.
    """
    shown = field_values(issue)
    return {
        name: wanted.get(name)
        for name, values in tried.items()
        if not same(shown.get(name), wanted.get(name)) and any(same(shown.get(name), value) for value in values)
    }


def but_for_ours(issue: Issue, before: Issue, attempts: Attempts) -> tuple[Issue, frozenset[str]]:
    """Return the issue as it would be had we not written into it, and the fields that our people left alone since.

    Args:
        issue: what the tracker shows.
        before: what was known before the attempts.
        attempts: what was to be written.
    """
    shown, known = field_values(issue), field_values(before)
    ours = frozenset(
        name
        for name, tried in attempts.items()
        if name in known and any(same(shown.get(name), value) for value in [known[name], *tried])
    )
    return with_fields(issue, {name: known[name] for name in ours}), ours
