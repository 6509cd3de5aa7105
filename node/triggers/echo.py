"""Recognises our own writes when the tracker reports them, by content and never by user.

After the incoming rules wrote into our issue, the outgoing rules would now let out something else than before. That
difference is the echo: the peer knows it already, because it came from there. It is taken into what the peer is
taken to know, so that the webhook of our own write finds nothing new. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from node.rules.model import Origin
from node.sync.merge import same
from node.trackers.issue import Value


def adopt(
    sent: Mapping[str, Any] | None,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    *,
    written: frozenset[str],
    origins: Mapping[str, Origin],
) -> dict[str, Any]:
    """Return what the peer is taken to know once our issue went from ``before`` to ``after`` by the peer's wish.

    A replica field is adopted when the peer knew its former value and it depends on what was written (a script's
    field may depend on anything). A field with a change that was not sent yet is left, so that the change still
    leaves; so is a field that the peer never saw and that does not come from it.

    Args:
        sent: what the peer is taken to know now; None when nothing was ever sent.
        before: what the rules would have let out before the write; None when the issue did not exist.
        after: what they let out after it.
        written: local fields that hold what the peer asked for.
        origins: which local fields each replica field was made from.
    """
    known: Mapping[str, Value] = (sent or {}).get("fields", {})
    old: Mapping[str, Value] = (before or {}).get("fields", {})
    fields = dict(known)
    for name, value in after["fields"].items():
        sources = origins[name].sources if name in origins else frozenset()
        if sources and not sources & written:
            continue
        unsent_change = before is not None and not same(known.get(name), old.get(name))
        if not unsent_change:
            fields[name] = value
    base = dict(sent) if sent is not None else {**after, "comments": _emptied(after, "comments")}
    if sent is None:
        base["attachments"] = _emptied(after, "attachments")
        base["worklogs"] = _emptied(after, "worklogs")
    return {**base, "fields": fields}


def _emptied(content: Mapping[str, Any], name: str) -> list[object] | None:
    return None if content.get(name) is None else []
