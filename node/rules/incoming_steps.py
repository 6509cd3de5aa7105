"""The steps of incoming rules, one at a time, on the draft so far (`incoming_draft`). Asks facts, writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from node.errors import RuleError
from node.rules.comments import format_comment, format_worklog
from node.rules.facts import NOBODY, TrackerFacts
from node.rules.fields import COMPONENTS, OPTIONS, STANDARD, VERSIONS, creatable_kind, is_custom
from node.rules.helpers import ConnectionHelpers, Making, Twins
from node.rules.incoming_draft import Coming
from node.rules.issue_links import LINKS, read_links
from node.rules.issue_type import TypeChoice, choose_type
from node.rules.mapping import LeftAlone, Numbered, map_incoming, wanted_texts
from node.rules.model import Creation, DraftAttachment, DraftComment, DraftIssueLink, DraftWorklog, Origin, Skip
from node.rules.people import people_of
from node.rules.plain import (
    Untrusted,
    plain_issue,
    plain_replica,
    plain_result,
    read_draft_collections,
    read_fields,
    read_text,
)
from node.rules.ruleset import COLLECTIONS, Default, MappingStep, RuleSet, ScriptStep
from node.rules.script.engine import RuleEngine, Script, ScriptInputs
from node.rules.script_step import engine_or_refuse, field_origins, refuse, value_refused
from node.rules.script_values import Misfit, as_our_fields_hold
from node.rules.values import PEOPLE, Target, find
from node.trackers.issue import Value
from protocol.replica import Replica


def sets_parent(ruleset: RuleSet) -> bool:
    """Tell whether a mapping can give our issue a parent."""
    return any(isinstance(step, MappingStep) and step.target == "parent_key" for step in ruleset.steps)


async def map_step(work: Coming, numbered: Numbered) -> None:
    """Carry one field or collection. Raises RuleError."""
    source, name = numbered.step.source, numbered.step.target
    origin = Origin(numbered.number, None, frozenset({source}))
    if source in COLLECTIONS:
        if _map_collection(work, source):
            work.origins[source] = origin
        return
    present, value = _read(work.replica, source)
    if not present:
        return
    if source == LINKS:
        work.links = tuple(_link_types(work, numbered, read_links(value)))
        work.origins[LINKS] = origin
        return
    if name == "type":
        chosen = await _type_of(work, numbered, value)
        work.log += chosen.log
        work.crosses = chosen.crosses
        if chosen.name is not None:
            work.fields["type"] = chosen.name
            work.origins["type"] = replace(
                origin, defaulted="all" if chosen.defaulted else "", past_map=chosen.past_map
            )
        return
    target = await _target(work, numbered, value)
    mapped = map_incoming(numbered, value, target, create=_creator(work, numbered, target))
    if isinstance(mapped, LeftAlone):
        work.log.append(mapped.reason)
        return
    known = STANDARD.get(name)
    if mapped.value is None and known is not None and not known.emptiable:
        return
    work.fields[name] = mapped.value
    work.origins[name] = replace(origin, defaulted=mapped.defaulted, past_map=mapped.past_map)


async def run_script(work: Coming, number: int, step: ScriptStep, engine: RuleEngine | None) -> Skip | None:
    """Run a script step on the draft so far; a Skip ends the evaluation. Raises RuleError."""
    context = work.context
    making = Making(connection=context.connection, allowed=context.may_create, wanted=list(work.creates))
    script = Script(step.source, "incoming", await context.facts.script_schema(work.project), number, step.name)
    result = await engine_or_refuse(engine, number).evaluate(
        script,
        ScriptInputs(
            issue=plain_issue(context.issue) if context.issue else {"project": work.project},
            replica=plain_replica(work.replica),
            draft=plain_result(work.draft()),
            previous=plain_replica(context.previous) if context.previous else None,
            first_sync=context.first_sync,
            people=await people_of(context.facts, context.issue, work.fields),
        ),
        ConnectionHelpers(context.facts, work.project, context.twins, making=making),
    )
    work.log += result.log
    work.calls += result.calls
    work.creates = making.wanted
    if result.skipped is not None:
        return Skip(result.skipped, Origin(number, result.skipped_line), tuple(work.log))
    try:
        _take(work, result.changes)
        work.fields = await as_our_fields_hold(
            work.fields, context.facts, project=work.project, issue_type=work.issue_type
        )
    except Untrusted as error:
        refuse(number, str(error))
    except Misfit as misfit:
        raise value_refused(script, result.origins.get(misfit.field), misfit, work.calls) from None
    for one in work.creates:
        if one.project != work.project:
            refuse(
                number,
                f"it wants {one.name!r} made in project {one.project} and the issue in {work.project}; "
                "a script step of its own, before this one, has to set the project",
            )
    work.origins |= field_origins(number, result.origins)
    return None


def _take(work: Coming, changes: Mapping[str, Any]) -> None:
    """Make a script's result the draft. Raises Untrusted."""
    wanted = read_fields(changes)
    for name in wanted:
        known = STANDARD.get(name)
        if not (known.writable if known else is_custom(name)):
            raise Untrusted(f"it set {name!r}, which is not a field that can be written")
    collections = read_draft_collections(changes, work.replica)
    work.fields = wanted
    work.comments, work.attachments, work.worklogs = (collections[name] for name in COLLECTIONS)
    work.links = collections[LINKS]
    work.transition = read_text(changes, "transition")
    project = read_text(changes, "project")
    if project and work.context.issue is None:
        work.project = project


def _link_types(work: Coming, numbered: Numbered, links: Iterable[DraftIssueLink]) -> Iterator[DraftIssueLink]:
    """Yield links with the types that the value map gives; without one, types are called alike on both sides."""
    step = numbered.step
    for link in links:
        known = find(link.type, frozenset(step.values)) if step.values else None
        if not step.values:
            yield link
        elif known is not None:
            yield replace(link, type=step.values[known])
        elif isinstance(step.otherwise, Default):
            yield replace(link, type=step.otherwise.default)
        elif step.otherwise == "error":
            raise RuleError(
                f"{numbered}: the link type {link.type!r} is not in the value map.",
                step=numbered.number,
                advice="Add the type to the map, or choose what happens otherwise; then retry the issue.",
            )
        else:
            work.log.append(f"{numbered}: a link was left out, because {link.type!r} is not in the value map.")


def _read(replica: Replica, source: str) -> tuple[bool, Value]:
    """Return whether the replica carries that name, and its value."""
    if source in replica.fields:
        return True, replica.fields[source]
    if source in {"key", "url"}:
        value: str | None = getattr(replica, source)
        return value is not None, value
    return False, None


async def _target(work: Coming, numbered: Numbered, value: Value) -> Target:
    name = numbered.step.target
    facts = work.context.facts
    known = STANDARD.get(name)
    kind = known.kind if known else await facts.kind(name)
    if kind is None:
        raise RuleError(
            f"Step {numbered.number} writes the field {name!r}, and this Jira has no such field.",
            step=numbered.number,
            advice="Correct the step's target, or create the field in Jira and refresh the field list; then retry.",
        )
    if known is not None and not known.writable:
        raise RuleError(
            f"Step {numbered.number} writes {name!r}, which Jira sets by itself.",
            step=numbered.number,
            advice="Choose another target for the step, then retry the issue.",
        )
    creatable = creatable_kind(name, kind) if numbered.step.otherwise == "create" else None
    if creatable in {VERSIONS, COMPONENTS}:
        allowed: frozenset[str] | None = await facts.names(work.project, creatable)
    else:
        allowed = await facts.allowed_values(work.project, work.issue_type, name)
    target = Target(name=name, kind=kind, allowed=allowed)
    if kind in PEOPLE:
        people, nobody = await _people(facts, numbered, value, target)
        return Target(name=name, kind=kind, people=people, nobody=nobody)
    if kind == "issue":
        return Target(name=name, kind=kind, people=await _twins(work.context.twins, numbered, value, target))
    return target


def _creator(work: Coming, numbered: Numbered, target: Target) -> Callable[[str], str] | None:
    """Return what has a name made that the target lacks, where the step says so and such a thing can be made."""
    kind = creatable_kind(target.name, target.kind) if numbered.step.otherwise == "create" else None
    if kind is None:
        return None
    context = work.context
    making = Making(connection=context.connection, allowed=context.may_create, wanted=work.creates)

    def create(name: str) -> str:
        field_name = target.name if kind == OPTIONS else ""
        wish = Creation(kind=kind, name=name.strip(), project=work.project, field=field_name)
        return making.want(wish)

    return create


async def _people(
    facts: TrackerFacts, numbered: Numbered, value: Value, target: Target
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the user ids of names and addresses, and why others stand for nobody."""
    found, nobody = {}, {}
    for text in wanted_texts(numbered, value, target):
        user = await facts.user(text)
        if user is not None:
            found[text] = user.id
        elif (why := await facts.why_nobody(text)) != NOBODY:
            nobody[text] = why.reason
    return found, nobody


async def _twins(twins: Twins | None, numbered: Numbered, value: Value, target: Target) -> dict[str, str]:
    found: dict[str, str] = {}
    if twins is None:
        return found
    for text in wanted_texts(numbered, value, target):
        key = await twins.local_key(text)
        if key is not None:
            found[text] = key
    return found


def _map_collection(work: Coming, name: str) -> bool:
    """Take over comments, files or logged time. Not shared by the peer: left alone."""
    replica = work.replica
    if name == "comments" and replica.comments is not None:
        work.comments = tuple(
            DraftComment(
                handle=comment.id, body=format_comment(comment.author, comment.body), internal=comment.internal
            )
            for comment in replica.comments
        )
    elif name == "attachments" and replica.attachments is not None:
        work.attachments = tuple(
            DraftAttachment(handle=file.id, name=file.name, size=file.size, blob=file.blob, mime=file.mime)
            for file in replica.attachments
        )
    elif name == "worklogs" and replica.worklogs is not None:
        work.worklogs = tuple(
            DraftWorklog(
                handle=worklog.id,
                seconds=worklog.seconds,
                started=worklog.started,
                comment=format_worklog(worklog.author, worklog.comment or ""),
            )
            for worklog in replica.worklogs
        )
    else:
        return False
    return True


async def _type_of(work: Coming, numbered: Numbered, value: Value) -> TypeChoice:
    otherwise = numbered.step.otherwise
    return choose_type(
        await work.context.facts.issue_types(work.project),
        numbered=numbered,
        wanted=value,
        fallbacks=(otherwise.default if isinstance(otherwise, Default) else None, work.context.default_type),
        issue=work.context.issue,
        parent=work.parent,
    )
