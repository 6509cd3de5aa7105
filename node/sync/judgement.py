"""Brings the facts about a received replica to the three-way merge: what changed here, there, and unseen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

from node.rules.model import Draft, Origin
from node.store.links import Link
from node.sync.job import Job
from node.sync.merge import Merged, merge, same
from node.sync.plan import wishes
from node.sync.recovering import Recovered, recover_fields
from node.trackers.fields import field_values
from node.trackers.issue import Issue, Value


def judged(job: Job, link: Link, ours: Issue, draft: Draft) -> Merged:
    """Judge each wish of a draft by what was changed where, and in which revision."""
    message = job.message
    known = {} if _counts_again(link, job) else link.received_changed
    fresh = {name for name, revision in message.changed.items() if revision > known.get(name, 0)}
    before = (link.received or {}).get("replica", {}).get("fields", {})
    news = fresh | {name for name in before if name not in message.replica.fields}
    wanted = wishes(draft)
    touched = {name for name in wanted if _depends(draft, name, news)}
    # What their people never changed came from us: it is no wish of theirs, even when it is new to our rules.
    given_back = {
        name: value
        for name, value in wanted.items()
        if name not in link.draft and not _depends(draft, name, set(message.changed))
    }
    last_seen = (link.received or {}).get("seen", 0)
    seen = max(message.seen, last_seen)  # what it had seen is in its tracker, even where its node forgot it
    holds = field_values(ours)
    if job.again:  # nobody there changed anything, so what our people changed since stays
        touched |= {name for name in wanted if same(holds.get(name), link.draft.get(name))}
    edited = job.unseen | {
        name
        for name, revision in link.edited.items()
        # What has not been sent and is what they asked for last is no edit of ours that they could overlook.
        if revision > seen and not (revision > link.revision and _is_as_asked(link, name, holds))
    }
    overtaken = {name for name, revision in link.edited.items() if revision > last_seen}
    asked = {**given_back, **link.draft}
    if link.sent is None:
        asked.update(job.ours.pending if job.ours else {})  # what it was created with
    else:
        overtaken |= job.unseen
    found = merge(
        wanted,
        holds,
        asked=asked,
        touched=touched,
        overtaken=overtaken,
        edited=edited,
        ours_wins=job.party.inviter,
    )
    lost = {conflict.field for conflict in found.conflicts if conflict.ours_won}
    again = {name: wanted[name] for name in job.attempted if name in wanted and name not in lost}
    return replace(found, write={**found.write, **again})


def recovered(job: Job, link: Link, draft: Draft) -> Recovered:
    """Decide about the fields of an issue that recovers."""
    message = job.message
    applied = max(message.applied, (link.received or {}).get("revision", 0))
    news = {name for name, revision in message.changed.items() if revision > applied}
    wanted = wishes(draft)
    return recover_fields(
        wanted,
        field_values(job.ours.issue) if job.ours is not None else {},
        before=field_values(job.before) if job.before is not None else None,
        edited={name for name, revision in link.edited.items() if revision > message.seen},
        changed_there={name for name in wanted if _depends(draft, name, news)},
    )


def _counts_again(link: Link, job: Job) -> bool:
    """Tell whether revisions do not rise, in another message: its peer was restored, and all that it says is news."""
    last = link.received
    return last is not None and job.row.id != last.get("row") and job.message.revision <= last["revision"]


def _is_as_asked(link: Link, name: str, holds: Mapping[str, Value]) -> bool:
    return name in link.draft and same(holds.get(name), link.draft[name])


def _depends(draft: Draft, name: str, sources: AbstractSet[str]) -> bool:
    """Tell whether a wanted field was made from any of these; a script's may have been made from all."""
    origin = draft.origins.get(name, Origin(0))
    return bool(sources if not origin.sources else origin.sources & sources)
