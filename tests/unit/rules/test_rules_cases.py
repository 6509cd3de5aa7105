"""Rules have tests: recorded from real runs, with people replaced, and run without a Jira."""

from __future__ import annotations

import json
from typing import Any

import pytest

from node.errors import ConfigError
from node.rules.cases import incoming_case, outgoing_case, read_case, record_case, run_case
from node.rules.facts import CachedFacts
from node.rules.incoming import IncomingContext
from node.rules.outgoing import OutgoingContext
from node.rules.redact import redact
from node.rules.ruleset import MappingStep, RuleSet, Scope, basic_incoming, basic_outgoing
from node.trackers.issue import Comment
from protocol.replica import Replica, ReplicaComment
from tests.support.known_jira import ALICE, BOB, KnownJira
from tests.support.rule_sets import an_issue

_ISSUE = an_issue(
    assignee=ALICE,
    reporter=BOB,
    description="Alice Smith (alice@blue.example) told [~alice] and Malice Smithson; ask x@y.example.",
    comments=(Comment(id="1", body="Thanks alice!", author=ALICE), Comment(id="2", body="secret", internal=True)),
    custom={"Owner": "bob"},
)
_OUT = RuleSet(
    direction="outgoing",
    steps=(
        *basic_outgoing().steps,
        MappingStep(source="assignee", target="assignee"),
        MappingStep(source="custom.Owner", target="owner"),
    ),
)
_IN = RuleSet(direction="incoming", steps=(*basic_incoming().steps, MappingStep(source="assignee", target="assignee")))


async def _outgoing() -> str:
    context = OutgoingContext(first_sync=True, own_items=frozenset({("comment", "9")}))
    case = outgoing_case("A lamp leaves", _ISSUE, context)
    return (await record_case(case, _OUT, CachedFacts(KnownJira()))).to_text()


async def test_a_recorded_case_passes_without_a_jira() -> None:
    """All that the rules asked for is in the file."""
    case = read_case(await _outgoing())
    result = await run_case(case, _OUT)
    assert result
    assert result.lines() == ["passed  A lamp leaves"]
    assert case.expect["fields"]["owner"] == "Person 2"


async def test_no_person_is_left_in_a_recorded_case() -> None:
    """The same person has the same made-up name everywhere; parts of other words stay."""
    text = await _outgoing()
    for trace in ("Alice", "alice@", "bob", "Bob", "x@y.example", "blue.example"):
        assert trace not in text.replace("Malice Smithson", ""), trace
    assert "Malice Smithson" in text
    description = json.loads(text)["expect"]["fields"]["description"]
    assert description == (
        "Person 1 (person1@example.com) told [~person1] and Malice Smithson; ask address1@example.com."
    )  # fmt: skip


async def test_a_changed_rule_fails_the_case() -> None:
    """The differences go from what was expected to what came out, with the step."""
    case = read_case(await _outgoing())
    steps = (*_OUT.steps[:2], MappingStep(source="environment", target="summary"), *_OUT.steps[3:])
    result = await run_case(case, RuleSet(direction="outgoing", steps=steps))
    assert not result
    assert result.lines() == [
        "FAILED  A lamp leaves",
        "    summary: The lamp does not light became nothing  (step 3)",
    ]


async def test_an_incoming_case_knows_the_jira_it_was_recorded_with() -> None:
    """Types, options and people are part of it."""
    replica = Replica(
        issue="h", fields={"type": "Epic", "summary": "x", "assignee": "Alice Smith"},
        comments=(ReplicaComment(id="c", author="Alice Smith", body="Hi"),),
    )  # fmt: skip
    context = IncomingContext(first_sync=True, project="SC", facts=CachedFacts(KnownJira()))
    case = await record_case(incoming_case("A lamp comes", replica, context), _IN, context.facts)
    assert "Alice" not in case.to_text()
    assert case.expect["fields"] == {"type": "Task", "summary": "x", "assignee": "person1"}
    assert case.expect["comments"][0]["body"] == "*Person 1* commented:\nHi"
    again = read_case(case.to_text())
    assert again == case
    assert await run_case(again, _IN)
    asks_more = RuleSet(direction="incoming", steps=(*_IN.steps, MappingStep(source="summary", target="priority")))
    result = await run_case(again, asks_more)
    assert not result
    assert "does not know what this Jira answers" in result.lines()[-1]


async def test_skips_and_errors_can_be_expected() -> None:
    """What the rules refuse is a behaviour too."""
    rules = RuleSet(direction="outgoing", steps=_OUT.steps, scope=Scope(labels=("partner",)))
    case = outgoing_case("Out of scope", _ISSUE, OutgoingContext(first_sync=True))
    recorded = await record_case(case, rules, CachedFacts(KnownJira()))
    assert recorded.expect == {
        "skip": "UD-1 is not in the scope of the outgoing rules: its labels is none of 'partner'."
    }
    assert await run_case(recorded, rules)
    broken = RuleSet(direction="outgoing", steps=(MappingStep(source="custom.Gone", target="x"),))
    failing = await record_case(case, broken, CachedFacts(KnownJira()))
    assert failing.expect == {"error": "Step 1 reads the field 'custom.Gone', and this Jira has no such field."}
    assert await run_case(failing, broken)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{\n  nope", "line 2, column 3: not JSON"),
        ('{"name": "x"}', "'direction' is missing"),
        ('{"name": "x", "direction": "outgoing", "isue": {}}', "'isue' is not known here"),
        ("[" * 100_000, "nested too deeply|not JSON"),
    ],
)
def test_a_broken_case_file_is_told(text: str, message: str) -> None:
    """With the file's name and the place."""
    with pytest.raises(ConfigError, match=message) as caught:
        read_case(text, name="cases/lamp.json")
    assert caught.value.message.startswith("cases/lamp.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direction": "incoming"}, "is for incoming rules"),
        ({"issue": None}, "has no input: it needs an issue"),
        ({"issue": {"id": 5}}, "its issue has the wrong shape"),
    ],
)
async def test_a_case_that_cannot_run_is_told(changes: dict[str, Any], message: str) -> None:
    """It is neither passed nor failed."""
    case = read_case(await _outgoing()).model_copy(update=changes)
    with pytest.raises(ConfigError, match=message):
        await run_case(case, _OUT)


def test_one_person_under_several_names_is_one() -> None:
    """A name, an id and an address that were seen together belong together."""
    data = [
        {"author": "Al Gray", "author_email": "al@x.example"},
        {"id": "agray", "display_name": "Al Gray", "email": None},
        {"text": "agray and Al Gray and al@x.example", "agray": 1},
    ]
    assert redact(data) == [
        {"author": "Person 1", "author_email": "person1@example.com"},
        {"id": "person1", "display_name": "Person 1", "email": None},
        {"text": "person1 and Person 1 and person1@example.com", "person1": 1},
    ]
