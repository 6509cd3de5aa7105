"""Basic rules on real issues: what leaves one Jira is what the other gets."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

from node.rules.comments import split_comment
from node.rules.facts import CachedFacts
from node.rules.guard import ADDRESS, GuardPolicy, inspect
from node.rules.incoming import IncomingContext, IncomingRules
from node.rules.model import Draft, Shared
from node.rules.outgoing import OutgoingContext, OutgoingRules
from node.rules.plain import issue_from_plain, plain_issue
from node.rules.ruleset import basic_incoming, basic_outgoing
from node.sync.content import FileDigest, replica_of
from node.trackers.issue import Issue
from node.trackers.jira.payload import Reader
from protocol.replica import Replica
from tests.support.data import data_file
from tests.support.known_jira import KnownJira


def _issues() -> Iterator[Issue]:
    reader = Reader("https://jira.example")
    with gzip.open(data_file("issues-800.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            yield reader.issue(json.loads(line))


def _replica(issue: Issue, shared: Shared) -> Replica:
    files = {file.id: FileDigest("ab" * 32, file.size) for file in issue.attachments}
    return replica_of(issue, shared, handle=lambda kind, local: f"{kind}-{local}", files=files)


async def test_basic_rules_carry_every_real_issue() -> None:
    """All 800 cross over with their texts, comments and files; nobody's address leaves as a name."""
    outgoing, incoming = OutgoingRules(basic_outgoing(), version=1), IncomingRules(basic_incoming(), version=1)
    facts = CachedFacts(KnownJira())
    count = comments = files = 0
    for issue in _issues():
        shared = await outgoing.evaluate(issue, OutgoingContext(first_sync=True))
        assert isinstance(shared, Shared)
        replica = _replica(issue, shared)
        draft = await incoming.evaluate(replica, IncomingContext(first_sync=True, project="SC", facts=facts))
        assert isinstance(draft, Draft)
        assert draft.fields["summary"] == (issue.summary or None)
        assert draft.fields["description"] == (issue.description or None)
        assert draft.fields["type"] == ("Bug" if issue.type == "Bug" else "Task")
        public = [comment for comment in issue.comments if not comment.internal and comment.restriction is None]
        assert draft.comments is not None
        assert draft.attachments is not None
        for theirs, ours in zip(public, draft.comments, strict=True):
            split = split_comment(ours.body)
            assert split is not None
            assert split[1] == (theirs.body if theirs.body.strip() else "")
            assert not ADDRESS.search(split[0])
        assert [file.name for file in draft.attachments] == [file.name[:255] for file in issue.attachments]
        assert not inspect(
            replica,
            shared=shared,
            issue=issue,
            policy=GuardPolicy(security_levels=frozenset({issue.security_level or ""})),
        )
        count, comments, files = count + 1, comments + len(draft.comments), files + len(draft.attachments)
    assert count == 800
    assert comments > 4_000
    assert files == 836


async def test_the_same_issue_leaves_the_same_replica() -> None:
    """Equal content twice: nothing is sent again, and no comment is rewritten."""
    outgoing = OutgoingRules(basic_outgoing(), version=1)
    for issue in _issues():
        first = await outgoing.evaluate(issue, OutgoingContext(first_sync=True))
        again = await outgoing.evaluate(issue, OutgoingContext(first_sync=False))
        assert isinstance(first, Shared)
        assert isinstance(again, Shared)
        assert _replica(issue, first).content_digest() == _replica(issue, again).content_digest()


def test_every_real_issue_can_be_kept_in_a_case_file() -> None:
    """An issue becomes JSON and the same issue again."""
    for issue in _issues():
        assert issue_from_plain(json.loads(json.dumps(plain_issue(issue)))) == issue
