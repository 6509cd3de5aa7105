"""Rules have tests: recorded from real runs, with people replaced, and run without a Jira."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from node.errors import ConfigError, UsageError
from node.rules.cases import Case, incoming_case, outgoing_case, read_case, record_case, run_case
from node.rules.convert import to_script
from node.rules.facts import CachedFacts
from node.rules.incoming import IncomingContext
from node.rules.outgoing import OutgoingContext
from node.rules.redact import Redactor, redact
from node.rules.ruleset import Direction, MappingStep, RuleSet, Scope, ScriptStep, basic_incoming, basic_outgoing
from node.rules.script.sandbox import MontyEngine
from node.trackers.issue import Comment, User
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
    assert result.lines() == [
        "FAILED  A lamp comes",
        "    The rules ask what this case does not hold: 'allowed_values | SC | Task | priority'.",
        "    Record it again: accord rules record CONNECTION KEY --direction ...",
    ]


@pytest.fixture
async def engine() -> AsyncIterator[MontyEngine]:
    """Run scripts for real."""
    made = MontyEngine(workers=1)
    yield made
    await made.close()


def _script(direction: Direction, *lines: str) -> RuleSet:
    return RuleSet(direction=direction, steps=(ScriptStep(name="S", source="\n".join(lines)),))


_THEIRS = Replica(issue="h", fields={"summary": "x", "type": "Task", "who": "Al", "assignee": "Ada of Blue"})


async def _record_incoming(rules: RuleSet, engine: MontyEngine | None = None, replica: Replica = _THEIRS) -> Case:
    facts = CachedFacts(KnownJira(users=(ALICE, BOB, User("al", "Al Gray", None))), user_map={"ada of blue": "alice"})
    context = IncomingContext(first_sync=True, project="SC", facts=facts)
    case = await record_case(incoming_case("Comes", replica, context), rules, facts, engine=engine)
    return read_case(case.to_text())


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ('users.by_name("bob")', "bob"),
        ('users.by_name("Bob Jones")', "person2"),
        ("users.by_email('bob@green.example')", "person2"),
        ("users.by_map(replica.assignee)", "person1"),
        ('users.by_name(replica.custom["nobody"]) or users.by_name("bob")', "bob"),
    ],
)
async def test_a_case_holds_what_a_script_that_names_a_person_really_gave(
    engine: MontyEngine, call: str, expected: str
) -> None:
    """The person is found in the case by the script's own literal; and the test fails when the rule changes."""
    rules = _script("incoming", "issue.summary = replica.summary", f"issue.assignee = {call}")
    case = await _record_incoming(rules, engine)
    wanted = case.expect["fields"]["assignee"]
    assert wanted == expected if expected == "bob" else wanted.startswith("person")
    text = case.to_text()
    for name in ("Bob Jones", "bob@green.example", "Alice Smith", "Ada of Blue", "alice"):
        assert name not in text or f'"{name}"' in call or f"'{name}'" in call, name
    assert (await run_case(case, rules, engine=engine)).passed
    changed = _script("incoming", "issue.summary = replica.summary", "issue.assignee = None")
    assert not (await run_case(case, changed, engine=engine)).passed


async def test_a_person_whom_the_rules_compare_with_is_recognised_in_the_case(engine: MontyEngine) -> None:
    """The real branch is recorded, by a script and by a value map, and a short id is replaced in the question, too."""
    script = _script("incoming", "issue.summary = 'vip' if replica.assignee == 'Ada of Blue' else 'other'")
    assert (await _record_incoming(script, engine)).expect["fields"]["summary"] == "vip"
    steps = (
        MappingStep(source="assignee", target="summary", values={"ada of blue": "vip"}),
        MappingStep(source="who", target="reporter", otherwise="error"),
    )
    replica = Replica(issue="h", fields={"assignee": "Ada of Blue", "who": "al"})
    case = await _record_incoming(RuleSet(direction="incoming", steps=steps), replica=replica)
    assert case.expect["fields"]["summary"] == "vip"
    assert case.expect["fields"]["reporter"].startswith("person")
    assert "Al Gray" not in case.to_text()


async def test_a_case_that_would_show_something_else_is_not_recorded(engine: MontyEngine) -> None:
    """A script that decides by a name which it puts together does something else with made-up people."""
    rules = _script(
        "incoming",
        "user = users.by_map(replica.assignee)",
        "issue.summary = 'vip' if user and user.display_name[:5] == 'Alice' else 'other'",
    )
    with pytest.raises(UsageError, match="Nothing was recorded: with people's names replaced"):
        await _record_incoming(rules, engine)
    shouted = _script("incoming", "issue.summary = users.by_map(replica.assignee).display_name.split()[0].upper()")
    assert (await _record_incoming(shouted, engine)).expect["fields"]["summary"] == "PERSON"


async def test_a_case_of_an_older_version_that_expects_not_to_run_never_passes() -> None:
    """It would pass whatever the rules do."""
    error = "Step 1 failed in line 1: The recorded case does not know what this Jira answers to 'user | bob'."
    case = (await _record_incoming(_IN)).model_copy(update={"expect": {"error": error}})
    result = await run_case(case, _IN)
    assert not result
    assert "Record it again" in result.lines()[-1]


async def test_a_case_outlives_a_change_of_mode(engine: MontyEngine) -> None:
    """What was recorded with mappings passes with the script that means the same, custom fields included."""
    kinds = {"custom.Owner": "user", "custom.Severity": "select", "custom.Note": "text"}
    out = RuleSet(
        direction="outgoing",
        steps=(
            MappingStep(source="summary", target="summary"),
            MappingStep(source="custom.Severity", target="custom.Impact", values={"High": "1"}),
        ),
    )
    issue = an_issue(custom={"Severity": "High", "Owner": "bob"})
    facts = CachedFacts(KnownJira())
    context = OutgoingContext(first_sync=True, facts=facts)
    case = await record_case(outgoing_case("Leaves", issue, context), out, facts)
    result = await run_case(read_case(case.to_text()), to_script(out, kinds=kinds), engine=engine)
    assert result.passed, result.lines()
    coming = RuleSet(
        direction="incoming",
        steps=(
            MappingStep(source="type", target="type"),
            MappingStep(source="priority", target="priority"),
            MappingStep(source="custom.Impact", target="custom.Severity", values={"1": "High"}),
            MappingStep(source="assignee", target="assignee"),
        ),
    )
    replica = Replica(issue="h", fields={"type": "Bug", "priority": "high", "custom.Impact": "1", "assignee": "bob"})
    there = await _record_incoming(coming, replica=replica)
    assert there.expect["fields"]["priority"] == "High"
    result = await run_case(there, to_script(coming, kinds=kinds), engine=engine)
    assert result.passed, result.lines()


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
        ("{\n  nope", "line 2, column 3: this is not JSON"),
        ('{"name": "x"}', "'direction' is missing"),
        ('{"name": "x", "direction": "outgoing", "isue": {}}', "'isue' is not known here"),
        ("[" * 100_000, "nested too deeply|this is not JSON"),
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


def test_a_person_has_as_many_names_as_others_gave() -> None:
    """Two names of the user map for one user are both replaced, and so is one that finds nobody."""
    ada = {"id": "ada", "display_name": "Ada Gray", "email": None}
    data = {"text": "Ada, Countess Gray, ada and Mallory", "assignee": "Countess Gray"}
    redactor = Redactor(data, asked={"Ada, Lady": ada, "Countess Gray": ada, "Mallory": None})
    assert redactor.replace(["Ada, Lady", "Countess Gray", "ada", "Mallory"]) == [
        "Person 1", "Person 1", "person1", "Person 2",
    ]  # fmt: skip


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
