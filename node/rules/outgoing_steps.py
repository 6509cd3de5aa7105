"""The steps of outgoing rules, one at a time, on what leaves so far. Asks facts, sends nothing.

What the sync wrote into our issue for the peer is not ours: it never goes back. Internal and restricted comments, and
logged time that is restricted, never leave by a mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from node.errors import RuleError
from node.rules.contexts import OutgoingContext
from node.rules.fields import STANDARD, is_custom, leaving, person, read_shared, utc, without_address
from node.rules.issue_links import LINKS, shared_links
from node.rules.mapping import LeftAlone, Numbered, map_outgoing
from node.rules.model import Origin, Shared, SharedAttachment, SharedComment, SharedWorklog, Skip
from node.rules.people import people_of
from node.rules.plain import (
    Untrusted,
    plain_issue,
    plain_result,
    read_fields,
    read_shared_collections,
    read_text,
)
from node.rules.ruleset import COLLECTIONS, MappingStep
from node.rules.script.engine import HelperCall, ScriptInputs, ScriptResult
from node.rules.script_step import field_origins, refuse
from node.rules.values import PEOPLE
from node.trackers.issue import CUSTOM, Comment, Issue, User, Value, Worklog


@dataclass(slots=True)
class Leaving:
    """What leaves, in the making."""

    issue: Issue
    context: OutgoingContext
    fields: dict[str, Value] = field(default_factory=dict)
    key: str | None = None
    comments: tuple[SharedComment, ...] | None = None
    attachments: tuple[SharedAttachment, ...] | None = None
    worklogs: tuple[SharedWorklog, ...] | None = None
    origins: dict[str, Origin] = field(default_factory=dict)
    emails: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    calls: list[HelperCall] = field(default_factory=list)

    def shared(self) -> Shared:
        """Return what leaves."""
        return Shared(
            fields=self.fields,
            comments=self.comments,
            attachments=self.attachments,
            worklogs=self.worklogs,
            key=self.key,
            origins=self.origins,
            emails=frozenset(self.emails),
            log=tuple(self.log),
            calls=tuple(self.calls),
        )


async def map_step(work: Leaving, numbered: Numbered) -> None:
    """Carry one field or collection. Raises RuleError."""
    step = numbered.step
    origin = Origin(numbered.number, None, frozenset({step.source}))
    if step.source in COLLECTIONS:
        _map_collection(work, step)
        work.origins[step.source] = origin
        return
    if step.source == LINKS:
        work.fields[LINKS] = shared_links(work.issue, await _handles(work), work.context.own_items)
        work.origins[LINKS] = origin
        return
    if step.when == "create" and not work.context.first_sync:
        _repeat(work, step, origin)
        return
    kind, value = await _read(work, numbered)
    mapped = map_outgoing(numbered, value, kind)
    if isinstance(mapped, LeftAlone):
        work.log.append(mapped.reason)
        return
    if step.target == "key":
        work.key = None if mapped.value is None else str(mapped.value)
    else:
        work.fields[step.target] = mapped.value
        work.emails.discard(step.target)
    work.origins[step.target] = replace(origin, defaulted=mapped.defaulted, past_map=mapped.past_map)


async def script_inputs(work: Leaving) -> ScriptInputs:
    """Return what a script step gets: the issue without what the sync wrote, and what leaves so far."""
    given = plain_issue(work.issue, work.context.own_items)
    given["custom"] = await _readable_custom(work)
    handles = await _handles(work)
    for link in given[LINKS]:
        link["handle"] = handles.get(link["other_id"])
    facts = work.context.facts
    return ScriptInputs(
        people=await people_of(facts, work.issue) if facts is not None else {},
        issue=given,
        replica=plain_result(work.shared()),
        previous=work.context.previous,
        first_sync=work.context.first_sync,
    )


def take_result(work: Leaving, number: int, inputs: ScriptInputs, result: ScriptResult) -> Skip | None:
    """Make a script's result what leaves; a Skip ends the evaluation. Raises RuleError."""
    work.log += result.log
    work.calls += result.calls
    if result.skipped is not None:
        return Skip(result.skipped, Origin(number, result.skipped_line), tuple(work.log))
    try:
        collections = read_shared_collections(result.changes, inputs.issue)
        work.fields = {name: leaving(value) for name, value in read_fields(result.changes).items()}
        work.key = read_text(result.changes, "key")
    except Untrusted as error:
        refuse(number, str(error))
    _hide_addresses(collections)
    work.comments, work.attachments, work.worklogs = (collections[name] for name in COLLECTIONS)
    work.emails = (work.emails - result.origins.keys()) | result.emails
    present = {*work.fields, *COLLECTIONS, "key"}
    origins = work.origins | field_origins(number, result.origins)
    work.origins = {name: origin for name, origin in origins.items() if name in present}
    return None


def _hide_addresses(collections: dict[str, Any]) -> None:
    """Let no author leave by an e-mail address that serves as a name."""
    for name in COLLECTIONS:
        if collections[name] is not None:
            collections[name] = tuple(
                replace(item, author=without_address(item.author)) if item.author else item
                for item in collections[name]
            )


def _repeat(work: Leaving, step: MappingStep, origin: Origin) -> None:
    """Say again what was said when the issue entered sync, so that the field neither changes nor vanishes."""
    previous = work.context.previous or {}
    if step.target == "key":
        work.key = previous.get("key")
    elif step.target in previous.get("fields", {}):
        work.fields[step.target] = previous["fields"][step.target]
    else:
        return
    work.origins[step.target] = origin


async def _read(work: Leaving, numbered: Numbered) -> tuple[str, Value]:
    """Return the kind and value of a step's source.

    Stops where a field is gone from Jira: sending "empty" would empty the other side. A custom field of unknown kind
    does not leave either, because a user id in it would look like any other text.
    """
    step = numbered.step
    if step.source in STANDARD:
        return STANDARD[step.source].kind, read_shared(work.issue, step.source, step.people)
    facts = work.context.facts
    kind = await facts.kind(step.source) if facts is not None and is_custom(step.source) else None
    if kind is None:
        raise RuleError(
            f"Step {numbered.number} reads the field {step.source!r}, and this Jira has no such field.",
            step=numbered.number,
            advice="Correct the step's source, or refresh the field list; then retry the issue.",
        )
    value = read_shared(work.issue, step.source, step.people)
    if kind in PEOPLE:
        value = await _people(work, numbered, value)
    return kind, value


async def _readable_custom(work: Leaving) -> dict[str, Value]:
    """Return the custom fields whose kind is known: in another one, a user id would look like any other text."""
    issue, facts = work.issue, work.context.facts
    if facts is None:
        return {}
    return {name: value for name, value in issue.custom.items() if await facts.kind(CUSTOM + name) is not None}


async def _handles(work: Leaving) -> Mapping[str, str]:
    """Return what the peer calls the issues that ours is linked to, as far as they are in sync there."""
    twins, ids = work.context.twins, [link.other_id for link in work.issue.links]
    return await twins.handles(ids) if twins is not None and ids else {}


async def _people(work: Leaving, numbered: Numbered, ids: Value) -> Value:
    """Return people by name, or by e-mail address where the step says so: user ids never leave."""
    issue, facts = work.issue, work.context.facts
    near = {user.id: user for user in (issue.assignee, issue.reporter, issue.creator) if user is not None}
    names: list[Value] = []
    for user_id in ids if isinstance(ids, list) else [ids]:
        if not isinstance(user_id, str) or facts is None:
            continue
        user = near.get(user_id) or await facts.user_by_id(user_id)
        name = person(user, numbered.step.people)
        if name is None:
            work.log.append(f"{numbered}: a person was left out, because no {numbered.step.people} is known.")
        else:
            names.append(name)
    if isinstance(ids, list):
        return names
    return names[0] if names else None


def _map_collection(work: Leaving, step: MappingStep) -> None:
    issue, own = work.issue, work.context.own_items
    if step.source == "comments":
        work.comments = tuple(
            _comment(comment, step)
            for comment in issue.comments
            if ("comment", comment.id) not in own and not is_restricted(comment)
        )
    elif step.source == "attachments":
        work.attachments = tuple(
            SharedAttachment(id=file.id, name=file.name, author=_name(file.author))
            for file in issue.attachments
            if ("attachment", file.id) not in own
        )
    else:
        work.worklogs = tuple(
            _worklog(worklog)
            for worklog in issue.worklogs
            if ("worklog", worklog.id) not in own and worklog.restriction is None
        )


def is_restricted(comment: Comment) -> bool:
    """Tell whether a comment is not for everybody who sees the issue."""
    return comment.internal or comment.restriction is not None


def _comment(comment: Comment, step: MappingStep) -> SharedComment:
    email = comment.author.email if comment.author is not None and step.people == "email" else None
    return SharedComment(id=comment.id, body=comment.body, author=_name(comment.author), author_email=email)


def _worklog(worklog: Worklog) -> SharedWorklog:
    return SharedWorklog(
        id=worklog.id,
        seconds=worklog.seconds,
        started=utc(worklog.started) if worklog.started else None,
        author=_name(worklog.author),
        comment=worklog.comment,
    )


def _name(user: User | None) -> str | None:
    return without_address(user.display_name) if user is not None else None
