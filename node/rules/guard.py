"""The last look at a replica before it is sealed: what must never leave stops it, whatever the rules say.

Pure. A finding names a pattern and a field and never what was found there, not even in the field's name. The sync core
fails closed: one finding, or an error in here, and nothing leaves. The bytes of attached files are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from typing_extensions import override

from node.errors import RuleError
from node.rules.fields import STANDARD
from node.rules.issue_links import LINKS
from node.rules.model import Shared
from node.rules.regular import occurs, why_unusable
from node.rules.ruleset import MappingStep, RuleSet
from node.trackers.issue import CUSTOM, Issue
from protocol.replica import Replica

ADDRESS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}")
"""An e-mail address as people write it (a working part of RFC 5321, section 4.1.2)."""
FREE_TEXTS = frozenset({"summary", "description", "environment", "comments.body", "worklogs.comment"})
"""Where people write freely, so that an address alone is a text like any other and names nobody."""
FIELD_NAME = "the name of a field"
"""Stands for a field in a finding where its own name is what was found."""
MIN_QUOTE = 20
"""Characters of a restricted comment that must stand elsewhere before it counts as repeated there."""

RESTRICTED = "restricted comment"
SECURITY_LEVEL = "security level"
E_MAIL = "e-mail address"


def _safe(expression: str) -> str:
    why = why_unusable(expression)
    if why is not None:
        raise ValueError(why)
    return expression


class Pattern(BaseModel):
    """A regular expression of the admin's own, without look-around and back-references."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    expression: Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(_safe)]


class GuardPolicy(BaseModel):
    """What the guard lets pass. The defaults are the strict ones, except that people may write addresses into texts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    restricted_comments: bool = False
    """Let internal and restricted comments and worklogs pass, where the rules share them."""
    security_levels: frozenset[str] = frozenset()
    """Issues with one of these security levels may leave; issues with any other one do not."""
    email_fields: frozenset[str] = frozenset()
    """Fields in which an e-mail address may leave; ``comments`` and ``worklogs`` stand for their authors."""
    emails_in_texts: bool = True
    """Let e-mail addresses pass within texts; where one is the whole value of a field it still names a person."""
    patterns: tuple[Pattern, ...] = ()


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why a replica must not leave: the name of a pattern, and the field in which it was found."""

    pattern: str
    field: str

    @override
    def __str__(self) -> str:
        return f"{self.pattern} in {self.field}"


class Guarded(RuleError):
    """The guard stopped a replica. ``findings`` say why, without what was found."""

    def __init__(self, issue_key: str, findings: tuple[Stopped, ...]) -> None:
        where = "; ".join(map(str, findings))
        super().__init__(
            f"{issue_key} did not leave: the guard found {where}.",
            advice="Correct the issue or the outgoing rules; or, if this may leave, allow it in the guard's settings. "
            "Then retry the issue.",
        )
        self.findings = findings


def email_fields(ruleset: RuleSet) -> frozenset[str]:
    """Return the names under which these outgoing rules let e-mail addresses leave on purpose."""
    return frozenset(step.target for step in ruleset.steps if isinstance(step, MappingStep) and step.people == "email")


def inspect(replica: Replica, *, shared: Shared, issue: Issue, policy: GuardPolicy) -> tuple[Stopped, ...]:
    """Return what must not leave, each pattern once per field; nothing when all is well.

    Args:
        replica: exactly what would be sealed.
        shared: the rules' result from which it was made, with our tracker's ids.
        issue: the issue, which knows what is restricted.
        policy: what the admin allows.
    """
    named = tuple(_stopped_names(replica, issue, policy))
    unspeakable = {name for name, _ in named}
    found = [
        *_restricted(replica, shared, issue, policy),
        *_security(issue, policy),
        *_addresses(replica, policy),
        *_patterns(replica, policy),
    ]
    spoken = (Stopped(one.pattern, FIELD_NAME) if one.field in unspeakable else one for one in found)
    return tuple(dict.fromkeys([*spoken, *(Stopped(pattern, FIELD_NAME) for _, pattern in named)]))


def refuse_if_stopped(replica: Replica, *, shared: Shared, issue: Issue, policy: GuardPolicy) -> None:
    """Raise Guarded where ``inspect`` finds something."""
    findings = inspect(replica, shared=shared, issue=issue, policy=policy)
    if findings:
        raise Guarded(issue.key, findings)


def _restricted(replica: Replica, shared: Shared, issue: Issue, policy: GuardPolicy) -> Iterator[Stopped]:
    if policy.restricted_comments:
        return
    comments = {item.id: item for item in issue.comments if item.internal or item.restriction is not None}
    worklogs = {item.id: item for item in issue.worklogs if item.restriction is not None}
    if any(comment.id in comments or comment.internal for comment in shared.comments or ()):
        yield Stopped(RESTRICTED, "comments")
    if any(worklog.id in worklogs for worklog in shared.worklogs or ()):
        yield Stopped(RESTRICTED, "worklogs")
    quoted = _quoting(issue)
    for name, text in _texts(replica):
        if quoted(text):
            yield Stopped(RESTRICTED, name)


def _quoting(issue: Issue) -> Callable[[str], bool]:
    """Return what tells whether a text repeats a restricted one, in any case and with whatever white space."""
    bodies = [item.body for item in issue.comments if item.internal or item.restriction is not None]
    bodies += [item.comment or "" for item in issue.worklogs if item.restriction is not None]
    quotes = [flat for body in bodies if len(flat := _flat(body)) >= MIN_QUOTE]

    def quoted(text: str) -> bool:
        if not quotes:
            return False
        flat = _flat(text)
        return any(quote in flat for quote in quotes)

    return quoted


def _flat(text: str) -> str:
    return " ".join(text.casefold().split())


def _stopped_names(replica: Replica, issue: Issue, policy: GuardPolicy) -> Iterator[tuple[str, str]]:
    """Return the names of fields that must not leave, each with the pattern found in it.

    The names that Jira's own fields have say nothing. A name with an address passes where ``email_fields`` has it.
    """
    quoted = _quoting(issue)
    for name in replica.fields:
        if name in STANDARD or name == LINKS:
            continue
        text = name.removeprefix(CUSTOM)
        if not policy.restricted_comments and quoted(text):
            yield name, RESTRICTED
        if ADDRESS.search(text) and name not in policy.email_fields:
            yield name, E_MAIL
        for pattern in policy.patterns:
            if occurs(pattern.expression, text):
                yield name, pattern.name


def _security(issue: Issue, policy: GuardPolicy) -> Iterator[Stopped]:
    if issue.security_level is not None and issue.security_level not in policy.security_levels:
        yield Stopped(SECURITY_LEVEL, "security_level")


def _addresses(replica: Replica, policy: GuardPolicy) -> Iterator[Stopped]:
    for name, text in _texts(replica):
        base = name.partition(".")[0]
        if name in policy.email_fields or (name.endswith((".author", ".author_email")) and base in policy.email_fields):
            continue
        whole = name not in FREE_TEXTS and ADDRESS.fullmatch(text.strip()) is not None
        within = not policy.emails_in_texts and "@" in text and ADDRESS.search(text) is not None
        if whole or within or name.endswith(".author_email"):
            yield Stopped(E_MAIL, name)


def _patterns(replica: Replica, policy: GuardPolicy) -> Iterator[Stopped]:
    if not policy.patterns:
        return
    for name, text in _texts(replica):
        for pattern in policy.patterns:
            if occurs(pattern.expression, text):
                yield Stopped(pattern.name, name)


def _texts(replica: Replica) -> Iterator[tuple[str, str]]:
    """Walk over every text that would leave, with the name of its field."""
    yield from _some("key", replica.key)
    yield from _some("url", replica.url)
    for name, value in replica.fields.items():
        for text in _inside(value):
            yield name, text
    for comment in replica.comments or ():
        yield "comments.body", comment.body
        yield from _some("comments.author", comment.author, comment.author_name)
        yield from _some("comments.author_email", comment.author_email)
    for file in replica.attachments or ():
        yield "attachments.name", file.name
        yield from _some("attachments.author", file.author)
    for worklog in replica.worklogs or ():
        yield from _some("worklogs.comment", worklog.comment)
        yield from _some("worklogs.author", worklog.author)
        yield from _some("worklogs.author_email", worklog.author_email)


def _some(name: str, *texts: str | None) -> Iterator[tuple[str, str]]:
    return ((name, text) for text in texts if text)


def _inside(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _inside(item)
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
