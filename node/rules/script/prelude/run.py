"""Runs a script on one issue or on several, and what ends it early.

The text runs inside the sandbox; see this package.
"""


# ruff: noqa: SLF001, BLE001 - one text in several files; whatever fails in a batch is run alone to see why

from __future__ import annotations

import json
from typing import Any

from node.rules.script.prelude.entries import Attachments, Comments, Links, Worklogs
from node.rules.script.prelude.export import _export, _plain, _plain_field
from node.rules.script.prelude.objects import _LISTS, _MAX_LOG_TEXT, Item, Record, _item, _shape, _State, _state
from node.rules.script.prelude.questions import Jira, Options, Sync, Users, Workflow, _components, _versions
from node.rules.script.prelude.texts import Dates

_MAX_RESULT = 1_000_000
_MAX_LOG_LINES = 200


def log(*parts: Any) -> None:
    """Write a line into the log of this evaluation."""
    _state.lines += 1
    if _state.lines > _MAX_LOG_LINES:
        return
    text = " ".join([_shown(part) for part in parts])[:_MAX_LOG_TEXT]
    print(_state.index, text.replace("\\", "\\\\").replace("\r", " ").replace("\n", "\\n"))  # noqa: T201 - the host reads it


def _shown(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Record) and part._kind == "user":
        return str(part)
    if isinstance(part, Item):
        return str(part._name)
    return json.dumps(_plain(part.custom._data if isinstance(part, Item) else part), ensure_ascii=False)


def skip(reason: Any = "") -> None:
    """End the script: this issue is not for this connection now."""
    _state.skipped = str(reason)[:_MAX_LOG_TEXT]
    raise SystemExit(f"skip:{_state.line}:{_state.skipped}")


def error(message: Any = "") -> None:
    """End the script with an error on this issue."""
    raise SystemExit(f"error:{_state.line}:{str(message)[:_MAX_LOG_TEXT]}")


def _helpers() -> Any:
    """Return the helpers in the order of ``words.HELPERS``; the program replaces it by those that a script names."""
    return (Comments(), Attachments(), Worklogs(), Links(), Workflow(), Jira(), Users(), _versions(), _components(),
            Options(), Sync(), Dates())  # fmt: skip


def _evaluate(rule: Any, index: int, job: Any) -> str:
    """Run a rule on one issue; return JSON. Everything a rule can reach is made afresh."""
    global _state  # noqa: PLW0603 - one evaluation at a time; a script cannot name it
    _state = _State()
    _state.index, _state.line, _state.lines, _state.kept_back, _state.nameless = index, 0, 0, 0, 0
    _state.unlinked = 0
    _state.direction, _state.now = _shape["direction"], job["now"]
    _state.skipped, _state.transition = None, None
    _state.answers, _state.origins = {}, {}
    _state.addressed, _state.emails = False, []
    outgoing, writable = _shape["direction"] == "outgoing", _shape["writable"]
    issue = _item("issue", job["issue"], _shape["issue"], job["known"], () if outgoing else writable)
    replica = _item("replica", job["replica"], _shape["replica"], None, writable if outgoing else ())
    previous = None
    if job["previous"] is not None:
        previous = _item("previous", job["previous"], _shape["previous"], None, ())
    target = replica if outgoing else issue
    target._compared = {
        field: _plain_field(target, field) for field in target._start if field in _LISTS and field in target._writable
    }
    _state.kept_back, _state.nameless, _state.unlinked = 0, 0, 0
    rule(issue, replica, previous, job["first_sync"], *_helpers())
    values = _export(target)
    if _state.kept_back:
        log(f"{_state.kept_back} internal or restricted comments or worklogs were kept back")
    if _state.unlinked:
        log(f"links to issues that are not in sync on this connection and were left out: {_state.unlinked}")
    if _state.nameless:
        log(f"people who were left out, because this Jira does not tell their names: {_state.nameless}")
    if _state.lines > _MAX_LOG_LINES:
        print(index, f"({_state.lines - _MAX_LOG_LINES} more lines were dropped)")  # noqa: T201 - as above
    origins = {**{f"custom.{name}": line for name, line in target.custom._touched.items()}, **target._touched}
    origins.update(_state.origins)
    if target.other is not None:
        origins.update(target.other._touched)
    text = json.dumps(
        {
            "values": values,
            "dropped": [name for name in target._dropped if name not in origins],
            "origins": origins,
            "transition": _state.transition,
            "emails": _state.emails,
        },
        ensure_ascii=False,
    )
    if len(text) > _MAX_RESULT:
        raise ValueError(f"the result is larger than {_MAX_RESULT} characters")
    return text


def _evaluate_all(rule: Any, jobs: Any) -> list[Any]:
    """Run a rule on several issues; None for one that must be run alone to see what is wrong with it."""
    results: list[Any] = []
    for index, job in enumerate(jobs):
        try:
            results.append(_evaluate(rule, index, job))
        except (Exception, SystemExit):
            reason, line = _state.skipped, _state.line
            results.append(None if reason is None else json.dumps({"skipped": reason, "line": line}))
    return results
