"""A draft in the making: what incoming rules want so far, and what is seen to after the last of their steps.

Asks facts, writes nothing. Carries no field: `incoming_steps` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from node.rules.contexts import IncomingContext
from node.rules.issue_type import choose_type
from node.rules.model import (
    Creation,
    Draft,
    DraftAttachment,
    DraftComment,
    DraftIssueLink,
    DraftWorklog,
    Origin,
    Refused,
)
from node.rules.private_comments import without_open_secrets
from node.rules.script.engine import HelperCall
from node.trackers.issue import Issue, Value
from protocol.replica import Replica


@dataclass(slots=True)
class Coming:
    """A draft in the making."""

    replica: Replica
    context: IncomingContext
    project: str
    parent: bool
    """Whether the rules can set a parent, so that our issue may be a sub-task."""
    fields: dict[str, Value] = field(default_factory=dict)
    comments: tuple[DraftComment, ...] | None = None
    attachments: tuple[DraftAttachment, ...] | None = None
    worklogs: tuple[DraftWorklog, ...] | None = None
    links: tuple[DraftIssueLink, ...] | None = None
    transition: str | None = None
    refused: tuple[Refused, ...] = ()
    origins: dict[str, Origin] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    calls: list[HelperCall] = field(default_factory=list)
    creates: list[Creation] = field(default_factory=list)
    crosses: bool = False
    """Whether a type was wanted that our issue cannot become, because it is a sub-task, or is none."""

    @property
    def issue_type(self) -> str | None:
        """Name the type that our issue has or will have, as far as it is known."""
        wanted = self.fields.get("type")
        if isinstance(wanted, str):
            return wanted
        return self.context.issue.type if self.context.issue else None

    def draft(self) -> Draft:
        """Return what we want."""
        return Draft(
            project=self.project,
            fields=self.fields,
            comments=self.comments,
            attachments=self.attachments,
            worklogs=self.worklogs,
            links=self.links,
            transition=self.transition,
            refused=self.refused,
            origins=self.origins,
            log=tuple(self.log),
            calls=tuple(self.calls),
            creates=tuple(
                one for one in self.creates if any(one.is_for(name, value) for name, value in self.fields.items())
            ),
        )


async def refuse_open_secrets(work: Coming) -> None:
    """Take out comments that would be internal where they cannot be, whichever step wanted them; say so in the log."""
    if work.comments is None:
        return
    work.comments, work.refused = await without_open_secrets(
        work.comments, work.origins.get("comments"), work.context.facts, work.project
    )
    work.log += [one.message for one in work.refused]


async def ensure_type(work: Coming) -> None:
    """See to it that the type is one that our issue can have, whichever step wanted it.

    An issue that will be created gets one; a sub-task without its parent becomes an ordinary issue; an issue that is
    there neither becomes a sub-task nor stops being one, because Jira cannot do that by an edit.
    """
    name, issue = work.fields.get("type"), work.context.issue
    if issue is not None and name is None:
        work.fields.pop("type", None)
        _without_parent(work, issue)
        return
    types = await work.context.facts.issue_types(work.project)
    subtask = any(kind.name == name and kind.subtask for kind in types)
    if issue is not None:
        if subtask != issue.subtask:
            work.log.append(f"{issue.key} keeps the type {issue.type!r}: an edit cannot make it a {name!r}.")
            del work.fields["type"]
            work.crosses = True
            _without_parent(work, issue)
        return
    if name is not None and not (subtask and not work.fields.get("parent_key")):
        return
    fallbacks = (work.context.default_type,)
    chosen = choose_type(types, numbered=None, wanted=None, fallbacks=fallbacks, issue=None)
    if subtask:
        work.log.append(f"The type is not {name!r}, because that is a sub-task and the rules set no parent.")
    work.log += chosen.log
    work.fields["type"] = chosen.name


def _without_parent(work: Coming, issue: Issue) -> None:
    """Give no parent to an ordinary issue of ours whose twin is a sub-task: Jira would refuse the whole edit."""
    if work.crosses and not issue.subtask and work.fields.pop("parent_key", None) is not None:
        work.log.append(f"{issue.key} gets no parent, because it is no sub-task here.")
