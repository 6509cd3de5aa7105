"""The guard stops what must never leave, whatever the rules say."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import ValidationError

from node.rules.guard import Guarded, GuardPolicy, Pattern, Stopped, email_fields, inspect, refuse_if_stopped
from node.rules.model import Shared, SharedComment, SharedWorklog
from node.rules.regular import why_unusable
from node.rules.ruleset import MappingStep, RuleSet, basic_outgoing
from node.trackers.issue import Comment, Restriction, Worklog
from protocol.replica import Replica, ReplicaAttachment, ReplicaComment, ReplicaWorklog
from tests.support.rule_sets import an_issue

_SECRET = "The customer will sue us next week."
_ISSUE = an_issue(
    comments=(
        Comment(id="1", body="for all"),
        Comment(id="2", body=_SECRET, restriction=Restriction("role", "Staff")),
        Comment(id="3", body="short", internal=True),
    ),
    worklogs=(Worklog(id="9", seconds=60, comment="talked to legal about it", restriction=Restriction("group", "x")),),
)


def _look(replica: Replica, policy: GuardPolicy | None = None, **shared: Any) -> tuple[Stopped, ...]:
    return inspect(replica, shared=Shared(**{"fields": {}, **shared}), issue=_ISSUE, policy=policy or GuardPolicy())


def _replica(fields: dict[str, Any] | None = None, **rest: Any) -> Replica:
    return Replica(issue="h", fields=fields or {}, **rest)


def test_an_ordinary_replica_passes() -> None:
    """People may write addresses into texts; that is theirs to decide."""
    replica = _replica(
        {"summary": "Write to al@x.example", "description": "or bob@x.example", "labels": ["a"], "points": 5},
        key="UD-1",
        comments=(ReplicaComment(id="1", author="Alice", body="for all, al@x.example"),),
    )
    assert _look(replica, comments=(SharedComment(id="1", body="for all"),)) == ()


def test_a_restricted_comment_is_stopped() -> None:
    """Whether it is shared as a comment, or its text stands somewhere else."""
    assert _look(_replica(), comments=(SharedComment(id="2", body="changed"),)) == (
        Stopped("restricted comment", "comments"),
    )
    assert _look(_replica(), worklogs=(SharedWorklog(id="9", seconds=1),)) == (
        Stopped("restricted comment", "worklogs"),
    )
    repeated = _replica({"description": f"Note:\n  {_SECRET.replace(' will', '   will')} Bye"})
    assert _look(repeated) == (Stopped("restricted comment", "description"),)
    assert _look(_replica({"description": "short"})) == ()


@pytest.mark.parametrize(
    "text",
    [
        _SECRET.upper(),
        _SECRET.replace(" ", "\n\t "),
        f"> {_SECRET.replace(' ', chr(0xA0)).title()}",
        f"a{_SECRET.lower()}b".replace(" ", chr(0x2003)),
    ],
)
def test_a_restricted_comment_is_found_in_any_case_and_spacing(text: str) -> None:
    """In fields, in comments, in names of files, in what is logged, and in the name of a field."""
    for replica, where in (
        (_replica({"custom.Note": ["x", text]}), "custom.Note"),
        (_replica(comments=(ReplicaComment(id="1", body=text),)), "comments.body"),
        (_replica(attachments=(ReplicaAttachment(id="1", name=text, size=1, blob="a" * 64),)), "attachments.name"),
        (_replica(worklogs=(ReplicaWorklog(id="1", seconds=1, comment=text),)), "worklogs.comment"),
        (_replica({f"custom.{text}": 1}), "the name of a field"),
    ):
        assert _look(replica) == (Stopped("restricted comment", where),)
    whole = _replica({"d": _SECRET})
    assert _look(whole, GuardPolicy(restricted_comments=True)) == ()


def test_a_restricted_comment_may_leave_where_the_admin_says_so() -> None:
    """Both the rules and the guard have to agree."""
    policy = GuardPolicy(restricted_comments=True)
    assert _look(_replica({"d": _SECRET}), policy, comments=(SharedComment(id="2", body="x"),)) == ()


def test_an_issue_with_a_security_level_is_stopped() -> None:
    """Unless that very level may leave."""
    secret = an_issue(security_level="Board")
    for allowed, stopped in (
        (frozenset({"Board"}), ()),
        (frozenset({"Staff"}), (Stopped("security level", "security_level"),)),
    ):
        policy = GuardPolicy(security_levels=allowed)
        assert inspect(_replica(), shared=Shared(fields={}), issue=secret, policy=policy) == stopped


@pytest.mark.parametrize(
    ("replica", "field"),
    [
        (_replica({"assignee": "al@x.example"}), "assignee"),
        (_replica({"owners": [" al@x.example "]}), "owners"),
        (_replica({"who": {"display_name": "Al", "email": "al@x.example"}}), "who"),
        (_replica(comments=(ReplicaComment(id="1", author="al@x.example", body=""),)), "comments.author"),
        (_replica(comments=(ReplicaComment(id="1", author_email="al@x.example", body=""),)), "comments.author_email"),
        (_replica(worklogs=(ReplicaWorklog(id="1", author_email="odd", seconds=1),)), "worklogs.author_email"),
        (_replica(attachments=(ReplicaAttachment(id="1", name="f", size=1, blob="a" * 64, author="al@x.example"),)),
         "attachments.author"),
    ],
)  # fmt: skip
def test_an_address_is_stopped_where_it_names_a_person(replica: Replica, field: str) -> None:
    """In any field whose value is an address."""
    assert _look(replica) == (Stopped("e-mail address", field),)


def test_an_address_may_leave_where_a_step_says_so() -> None:
    """The rules say in which fields they mean it."""
    rules = RuleSet(
        direction="outgoing",
        steps=(
            MappingStep(source="assignee", target="who", people="email"),
            MappingStep(source="comments", target="comments", people="email"),
        ),
    )
    assert email_fields(rules) == {"who", "comments"}
    assert email_fields(basic_outgoing()) == frozenset()
    replica = _replica({"who": "al@x.example"}, comments=(ReplicaComment(id="1", author_email="a@x.example", body=""),))
    assert _look(replica, GuardPolicy(email_fields=email_fields(rules))) == ()
    assert len(_look(replica)) == 2


def test_addresses_in_texts_can_be_stopped_too() -> None:
    """For an admin who wants it so."""
    replica = _replica({"summary": "ask al@x.example now"}, comments=(ReplicaComment(id="1", body="or bob@x.example"),))
    assert _look(replica, GuardPolicy(emails_in_texts=False)) == (
        Stopped("e-mail address", "summary"),
        Stopped("e-mail address", "comments.body"),
    )


@pytest.mark.parametrize(
    ("replica", "field"),
    [
        (_replica({"custom.Contact": "ask al@x.example now"}), "custom.Contact"),
        (_replica({"contact": "al@x.example, bob@x.example"}), "contact"),
        (_replica({"labels": ["via-al@x.example-now"]}), "labels"),
        (_replica({"who": {"note": "Al <al@x.example>"}}), "who"),
        (_replica(comments=(ReplicaComment(id="1", author="Al (al@x.example)", body=""),)), "comments.author"),
        (_replica(attachments=(ReplicaAttachment(id="1", name="to al@x.example.txt", size=1, blob="a" * 64),)),
         "attachments.name"),
        (_replica(worklogs=(ReplicaWorklog(id="1", seconds=1, comment="for al@x.example"),)), "worklogs.comment"),
    ],
)  # fmt: skip
def test_an_address_within_any_text_is_stopped_unless_the_admin_allows_it(replica: Replica, field: str) -> None:
    """Not only in those fields that every Jira has."""
    assert _look(replica, GuardPolicy(emails_in_texts=False)) == (Stopped("e-mail address", field),)
    assert _look(replica, GuardPolicy(emails_in_texts=True)) == ()


@pytest.mark.parametrize("name", ["custom.a@b.example", "Questions to a@b.example"])
def test_an_address_in_the_name_of_a_field_is_stopped(name: str) -> None:
    """Whatever texts may hold; the finding does not say the name, and the admin may allow this very field."""
    for value in (1, "a@b.example"):
        assert _look(_replica({name: value}), GuardPolicy()) == (Stopped("e-mail address", "the name of a field"),)
        assert _look(_replica({name: value}), GuardPolicy(email_fields=frozenset({name}))) == ()


def test_patterns_count_for_the_names_of_fields() -> None:
    """Of custom ones and of those that rules made up; what Jira itself calls its fields tells nothing."""
    policy = GuardPolicy(patterns=(Pattern(name="customer number", expression=r"^CUST-\d{6}$"),))
    for name in ("custom.CUST-123456", "CUST-123456"):
        for value in (1, "CUST-123456"):
            assert _look(_replica({name: value}), policy) == (Stopped("customer number", "the name of a field"),)
    assert _look(_replica({"summary": "s", "custom.Severity": "High"}), policy) == ()
    words = GuardPolicy(patterns=(Pattern(name="word", expression="^summary$|^labels$|^links$"),))
    assert _look(_replica({"summary": "s", "labels": ["x"], "links": []}), words) == ()


def test_patterns_of_the_admin_are_looked_for_everywhere() -> None:
    """In values and keys, names of files, bodies; each pattern once per field."""
    policy = GuardPolicy(patterns=(Pattern(name="customer number", expression=r"CUST-\d{6}"),))
    replica = _replica(
        {"notes": ["x", {"CUST-123456": 1}], "free": "a\nCUST-123456 CUST-654321"},
        key="CUST-111111",
        comments=(ReplicaComment(id="1", body="x CUST-222222"), ReplicaComment(id="2", body="CUST-222222")),
        attachments=(ReplicaAttachment(id="1", name="CUST-333333.pdf", size=1, blob="a" * 64),),
        worklogs=(ReplicaWorklog(id="1", seconds=1, comment="CUST-444444"),),
    )
    found = _look(replica, policy)
    assert {finding.field for finding in found} == {
        "notes", "free", "key", "comments.body", "attachments.name", "worklogs.comment",
    }  # fmt: skip
    assert len(found) == 6


def test_the_error_never_shows_what_was_found() -> None:
    """It names pattern and field, and says what to do."""
    policy = GuardPolicy(patterns=(Pattern(name="token", expression=r"tok_[a-z0-9]{8}"),))
    with pytest.raises(Guarded) as caught:
        refuse_if_stopped(
            _replica({"description": "tok_abcd1234", "who": "al@x.example"}),
            shared=Shared(fields={}),
            issue=_ISSUE,
            policy=policy,
        )
    assert caught.value.message == "UD-1 did not leave: the guard found e-mail address in who; token in description."
    assert "tok_abcd" not in str(caught.value) + caught.value.advice
    refuse_if_stopped(_replica(), shared=Shared(fields={}), issue=_ISSUE, policy=policy)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("(", "unclosed group"),
        (r"(a)\1", "backreferences are not supported"),
        ("a(?=b)", "look-around"),
        ("((a{0,100}){0,100}){0,100}", "too large"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(expression: str, why: str) -> None:
    """When it is saved, with the reason."""
    with pytest.raises(ValidationError, match=why):
        Pattern(name="x", expression=expression)
    assert why in (why_unusable(expression) or "")


@pytest.mark.parametrize("expression", ["(a+)+$", r"[ab]+[ab0-9]+-\d+z", r"(?i)[\w.]{1,64}@[a-z.]{2,30}"])
def test_no_issue_can_stall_the_guard(expression: str) -> None:
    """A megabyte that would keep a backtracking engine busy for years is searched in seconds."""
    policy = GuardPolicy(patterns=(Pattern(name="x", expression=expression),))
    started = time.monotonic()
    assert _look(_replica({"description": "ab0-" * 60_000 + "a" * 500_000 + "!"}), policy) == ()
    assert time.monotonic() - started < 20
