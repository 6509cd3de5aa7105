"""What a node that was put back to an old database makes of the peer's word: which value of a field stays. Pure.

What both sides agreed on after the backup is forgotten, so nothing says who changed a field. Two facts are left: the
peer tells what its people changed since the last state of which it knows that we applied it, and our issue is still
what people and sync made of it. So a value that differs and that nobody there has touched since then is our people's.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from node.rules.model import Origin
from node.sync.merge import Conflict, Merged, same
from node.sync.plan import TRANSITION
from node.trackers.issue import Value


@dataclass(frozen=True, slots=True)
class Recovered:
    """What to write, the conflicts that were decided, and the fields that our people are taken to have changed."""

    merged: Merged
    ours: frozenset[str]


def recover_fields(
    wanted: Mapping[str, Value],
    ours: Mapping[str, Value],
    *,
    before: Mapping[str, Value] | None,
    edited: AbstractSet[str],
    changed_there: AbstractSet[str],
) -> Recovered:
    """Decide field by field, where nobody remembers what was agreed.

        ours and wanted   their people since we applied   ours and the backup    what happens
        alike             any                             any                    nothing: agreed
        different         did not change it               any                    ours stays, and is sent as ours
        different         changed it                      alike, and not edited  theirs is written
        different         changed it                      different, or edited,  theirs is written, and people find
                                                          or it knew no value    both values in the history

    A transition that a script asks for is made only if their people changed what it depends on.

    Args:
        wanted: what the incoming rules want in our issue now.
        ours: what our issue holds now.
        before: what the backup knew of our issue; None where it knew nothing of it.
        edited: fields that our people changed before the restore without the peer's having seen it.
        changed_there: fields that depend on what the peer's people changed since we applied a state of theirs.
    """
    write: dict[str, Value] = {}
    conflicts: list[Conflict] = []
    stay: set[str] = set()
    for field, theirs in wanted.items():
        if field == TRANSITION:
            if field in changed_there:
                write[field] = theirs
            continue
        mine = ours.get(field)
        if same(mine, theirs):
            continue
        if field not in changed_there:
            stay.add(field)
            continue
        write[field] = theirs
        if before is None or field in edited or not same(before.get(field), mine):
            conflicts.append(Conflict(field, ours=mine, theirs=theirs, ours_won=False))
    return Recovered(Merged(write, tuple(conflicts)), frozenset(stay))


def agreed_content(
    content: Mapping[str, Any],
    origins: Mapping[str, Origin],
    *,
    known: Mapping[str, Value],
    wanted: AbstractSet[str],
    ours: AbstractSet[str],
    born: bool,
) -> dict[str, Any]:
    """Return what the peer is taken to know of us, so that what is sent next marks as changed what our people changed.

    Without comments, files and worklogs: the peer is told all of those again.

    Args:
        content: what our outgoing rules let out now.
        origins: which of our fields each replica field was made from; none: from any.
        known: the replica fields that the backup took the peer to know.
        wanted: our fields that the peer's replica speaks of.
        ours: those of them that our people are taken to have changed.
        born: whether the sync made our issue: what nothing is known of is what our tracker filled in.
    """
    fields: dict[str, Value] = {}
    for name, value in content["fields"].items():
        sources = origins[name].sources if name in origins else frozenset[str]()
        if ours and (not sources or sources & ours):
            continue
        if sources & wanted:
            fields[name] = value
        elif name in known or born:
            fields[name] = known.get(name, value)
    return {"key": content.get("key"), "fields": fields}
