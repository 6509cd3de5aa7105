"""What scripts can do: the words of the rule language, run in the real engine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from typing_extensions import override

from node.errors import RuleError, TrackerBusy
from node.rules.comments import format_comment, format_worklog
from node.rules.script.engine import Direction, Script, ScriptFailed, ScriptInputs, ScriptResult
from node.rules.script.sandbox import MontyEngine
from tests.support.scripts import ALICE, BOB, SCHEMA, JiraAtHand, inputs, issue, replica

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[MontyEngine]:
    engine = MontyEngine()
    yield engine
    await engine.close()


async def run(
    engine: MontyEngine, source: str, direction: Direction = "incoming", jira: JiraAtHand | None = None, **more: Any
) -> ScriptResult:
    return await engine.evaluate(
        Script(source, direction, SCHEMA, step=2), inputs(direction, **more), jira or JiraAtHand()
    )


async def fields(engine: MontyEngine, source: str, direction: Direction = "incoming", **more: Any) -> dict[str, Any]:
    result = await run(engine, source, direction, **more)
    found: dict[str, Any] = result.changes["fields"]
    return found


async def test_outgoing_fills_the_replica_from_the_issue(engine: MontyEngine) -> None:
    """Nothing leaves but what the script put into the replica; each field names the line that set it."""
    result = await run(
        engine,
        "replica.summary = issue.summary\n\nreplica.labels = issue.labels\nreplica.custom['Impact'] = 3\n"
        "replica.key = issue.key\nreplica.due = issue.due",
        "outgoing",
    )
    assert result.changes == {
        "key": "ABC-7",
        "fields": {
            "summary": "Printer on fire",
            "labels": ["hot", "partner"],
            "due": "2026-11-27",
            "custom.Impact": 3,
        },
    }
    assert result.origins == {"summary": 1, "labels": 3, "custom.Impact": 4, "key": 5, "due": 6}


async def test_outgoing_starts_from_what_earlier_steps_put_there(engine: MontyEngine) -> None:
    """A script can read, change and take back what mappings before it let out."""
    earlier = {"fields": {"summary": "A", "labels": ["x"], "priority": "High"}, "key": "K"}
    result = await run(
        engine,
        "replica.summary = replica.summary + '!'\nreplica.labels.append('y')\nreplica.drop('priority')",
        "outgoing",
        replica=earlier,
    )
    assert result.changes == {"fields": {"summary": "A!", "labels": ["x", "y"]}, "key": "K"}
    assert result.origins == {"summary": 1, "labels": 2}


async def test_internal_and_restricted_comments_stay_unless_the_rule_says_so(engine: MontyEngine) -> None:
    """`replica.comments = issue.comments` keeps private notes back and says how many; a rule can let them out."""
    result = await run(engine, "replica.comments = issue.comments", "outgoing")
    assert [comment["id"] for comment in result.changes["comments"]] == ["1"]
    assert result.changes["comments"][0]["author"] == "Bob Jones"
    assert result.changes["comments"][0]["author_email"] is None
    assert "2 internal or restricted" in result.log[-1]
    result = await run(engine, "replica.comments = comments.including_private(issue.comments)", "outgoing")
    assert [(c["id"], c["internal"]) for c in result.changes["comments"]] == [("1", False), ("2", True), ("3", False)]
    result = await run(
        engine, "for c in issue.comments:\n    c.internal = False\nreplica.comments = issue.comments", "outgoing"
    )
    assert [comment["id"] for comment in result.changes["comments"]] == ["1"]


async def test_comments_can_be_filtered_and_written_anew(engine: MontyEngine) -> None:
    """A list comprehension chooses, a loop edits; the issue itself is not touched."""
    result = await run(
        engine,
        "chosen = [c for c in comments.public(issue.comments) if 'Looking' in c.body]\n"
        "for c in chosen:\n    c.body = re_sub('it', 'that', c.body)\n    c.author = None\n"
        "replica.comments = chosen\nreplica.attachments = issue.attachments\nreplica.worklogs = issue.worklogs",
        "outgoing",
    )
    assert result.changes["comments"][0]["body"] == "Looking at that."
    assert result.changes["comments"][0]["author"] is None
    assert result.changes["attachments"] == [{"id": "5", "name": "fire.png", "author": "Bob Jones"}]
    assert result.changes["worklogs"][0]["seconds"] == 600


async def test_people_leave_by_name_and_by_address_only_when_asked(engine: MontyEngine) -> None:
    """No user id and no e-mail address leaves, unless the rule says with_email."""
    found = await fields(engine, "replica.assignee = issue.assignee\nreplica.reporter = None", "outgoing")
    assert found == {"assignee": {"display_name": "Bob Jones"}, "reporter": None}
    found = await fields(engine, "replica.assignee = users.with_email(issue.assignee)", "outgoing")
    assert found["assignee"] == {"display_name": "Bob Jones", "email": "bob@example.org"}


async def test_a_person_in_a_custom_field_is_a_person(engine: MontyEngine) -> None:
    """Like the assignee: has a name, an address and an id, leaves by name, and by address only when asked."""
    given: dict[str, Any] = {"issue": issue(custom={"Reviewer": "alice"}), "people": {"alice": ALICE}}
    source = (
        "who = issue.custom['Reviewer']\nreplica.custom['Who'] = who\nreplica.custom['With'] = users.with_email(who)\n"
        "replica.summary = f'{who} {who.display_name} {who.email} {who.id}'"
    )
    assert await fields(engine, source, "outgoing", **given) == {
        "custom.Who": {"display_name": "Alice Smith"},
        "custom.With": {"display_name": "Alice Smith", "email": "alice@example.org"},
        "summary": "Alice Smith Alice Smith alice@example.org alice",
    }


async def test_a_person_nobody_knows_does_not_leave_as_an_id(engine: MontyEngine) -> None:
    """Neither as a value nor as text; the log says that somebody was left out."""
    ours = issue(custom={"Reviewer": "gone-7"})
    source = "replica.custom['Who'] = issue.custom['Reviewer']\nreplica.summary = str(issue.custom['Reviewer'])"
    result = await run(engine, source, "outgoing", issue=ours)
    assert result.changes["fields"] == {"custom.Who": None, "summary": ""}
    assert result.log == ("people who were left out, because this Jira does not tell their names: 1",)


async def test_incoming_scripts_meet_persons_too(engine: MontyEngine) -> None:
    """In our issue and in what earlier steps wanted; what is written again is the id, and untouched fields stay."""
    given: dict[str, Any] = {
        "issue": issue(custom={"Reviewer": "alice"}),
        "draft": {"fields": {"assignee": "bob", "custom.Reviewer": "bob"}},
        "people": {"alice": ALICE, "bob": BOB},
    }
    source = "issue.summary = f'{issue.assignee.display_name} {issue.custom[\"Reviewer\"].email}'"
    assert await fields(engine, source, **given) == {
        "assignee": "bob", "custom.Reviewer": "bob", "summary": "Bob Jones bob@example.org",
    }  # fmt: skip
    source = "issue.custom['Reviewer'] = issue.reporter\nissue.assignee = issue.custom['Reviewer']"
    found = await fields(engine, source, **given)
    assert (found["custom.Reviewer"], found["assignee"]) == ("alice", "alice")
    assert await fields(engine, "issue.custom['Reviewer'] = users.by_name('Alice Smith')") == {
        "custom.Reviewer": "alice"
    }


async def test_incoming_changes_the_issue_from_the_replica(engine: MontyEngine) -> None:
    """The example of the guide: project on first sync, type with a default, merged comments and files."""
    source = (
        "if first_sync: issue.project = 'ABC'\n"
        "issue.type = jira.issue_type(replica.type) or 'Task'\n"
        "issue.summary = '[' + replica.key + '] ' + replica.summary\n"
        "issue.comments = comments.merge(issue, replica)\n"
        "issue.attachments = attachments.merge(issue, replica)\n"
        "issue.worklogs = worklogs.merge(issue, replica)\n"
        "issue.assignee = users.by_map(replica.assignee)\n"
        "issue.parent_key = sync.local_key(replica.parent_key)\n"
        "issue.custom['Severity'] = {'2': 'High'}.get(replica.custom['Impact'], 'Low')\n"
    )
    result = await run(engine, source, first_sync=True, issue={"project": "XYZ"})
    assert result.changes["project"] == "ABC"
    assert result.changes["fields"] == {
        "type": "Bug",
        "summary": "[PEER-9] Printer smokes",
        "assignee": "bob",
        "parent_key": "ABC-1",
        "custom.Severity": "High",
    }
    assert result.changes["comments"] == [
        {"handle": "h1", "body": format_comment("Ann *Bold*", "From afar"), "internal": False,
         "restrict_to_role": None},
        {"handle": "h2", "body": format_comment(None, "Second"), "internal": False, "restrict_to_role": None},
    ]  # fmt: skip
    assert result.changes["attachments"] == [
        {"handle": "f1", "name": "smoke.png", "size": 3, "blob": "0" * 64, "mime": "image/png"}
    ]
    assert result.changes["worklogs"] == [
        {"handle": "w1", "seconds": 60, "started": "2026-11-20T09:00:00Z",
         "comment": format_worklog("Ann", "watched")}
    ]  # fmt: skip
    assert [call.name for call in result.calls] == ["jira.issue_type", "users.by_map", "sync.local_key"]
    assert result.origins["comments"] == 4
    result = await run(engine, source, first_sync=False)
    assert "project" not in result.changes


async def test_merge_takes_a_format_and_leaves_out(engine: MontyEngine) -> None:
    """`text` gives a body, None leaves a comment out, `internal` and `role` say who sees it."""
    result = await run(
        engine,
        "def body(c):\n    if c.author:\n        return 'Peer: ' + c.body\n    return None\n"
        "issue.comments = comments.merge(issue, replica, text=body, internal=True, role='Developers')",
    )
    assert result.changes["comments"] == [
        {"handle": "h1", "body": "Peer: From afar", "internal": True, "restrict_to_role": "Developers"}
    ]


@pytest.mark.parametrize("call", ["comments.merge(issue, replica, as_author=users.by_email)",
                                  "worklogs.merge(issue, replica, author=None)"])  # fmt: skip
async def test_nothing_can_be_written_as_somebody_else(engine: MontyEngine, call: str) -> None:
    """Jira's REST interface has no such thing: the check says so with the place, and a run fails before it begins."""
    source = f"issue.comments = {call}"
    found = [one for one in await engine.check(source, "incoming", SCHEMA) if one.code == "subset"]
    assert [one.severity for one in found] == ["error"]
    assert "written by the user who logs in" in found[0].message
    assert "Leave it out" in found[0].suggestion
    with pytest.raises(ScriptFailed, match="written by the user who logs in"):
        await run(engine, source)


LINKED = [
    {"id": "1", "type": "Blocks", "phrase": "blocks", "outward": True, "other_id": "2", "other_key": "ABC-2",
     "handle": "h2"},
    {"id": "3", "type": "Relates", "phrase": "relates to", "outward": False, "other_id": "9", "other_key": "ABC-9",
     "handle": None},
]  # fmt: skip


async def test_links_leave_only_to_issues_that_are_in_sync(engine: MontyEngine) -> None:
    """Without keys, ids and phrases; one that the peer does not know is left out, also where all are given."""
    shared = [{"type": "Blocks", "outward": True, "issue": "h2"}]
    ours = issue(links=LINKED)
    result = await run(engine, "replica.links = links.of_linked(issue)", "outgoing", issue=ours)
    assert (result.changes["fields"]["links"], result.log) == (shared, ())
    result = await run(engine, "replica.links = issue.links", "outgoing", issue=ours)
    assert result.changes["fields"]["links"] == shared
    assert result.log == ("links to issues that are not in sync on this connection and were left out: 1",)
    source = "replica.links = [one for one in issue.links if one.type != 'Blocks']"
    assert await fields(engine, source, "outgoing", issue=ours) == {"links": []}
    with pytest.raises(ScriptFailed, match="links takes the entries"):
        await run(engine, "replica.links = [{'type': 'Blocks', 'outward': True, 'issue': 'h9'}]", "outgoing")


async def test_links_of_the_peer_are_merged_and_ours_are_out_of_reach(engine: MontyEngine) -> None:
    """Types get our names where there is a map; a replica that shares no links says nothing about them."""
    there = replica()
    there["fields"]["links"] = [
        {"type": "Dependency", "outward": False, "issue": "p1"}, {"type": "Odd", "outward": True, "issue": "p2"}, "x",
    ]  # fmt: skip
    given: dict[str, Any] = {"issue": issue(links=LINKED), "replica": there}
    result = await run(engine, "issue.links = links.merge(issue, replica)", **given)
    assert result.changes["links"] == [
        {"type": "Dependency", "outward": False, "issue": "p1"}, {"type": "Odd", "outward": True, "issue": "p2"},
    ]  # fmt: skip
    source = "issue.links = links.merge(issue, replica, types={'Dependency': 'Blocks'})"
    result = await run(engine, source, **given)
    assert result.changes["links"] == [{"type": "Blocks", "outward": False, "issue": "p1"}]
    assert (await run(engine, "issue.links = []", **given)).changes["links"] == []
    result = await run(engine, "issue.links = links.merge(issue, replica)", issue=issue(links=LINKED))
    assert result.changes.get("links") is None


async def test_local_files_and_comments_cannot_be_removed(engine: MontyEngine) -> None:
    """Assigning the replica's lists, or an empty one, names only what came from the peer; ours are out of reach."""
    result = await run(engine, "issue.attachments = replica.attachments\nissue.comments = []")
    assert [file["handle"] for file in result.changes["attachments"]] == ["f1"]
    assert result.changes["comments"] == []
    silent = replica(comments=None, attachments=None)
    result = await run(
        engine,
        "issue.comments = comments.merge(issue, replica)\nissue.attachments = attachments.merge(issue, replica)",
        replica=silent,
    )
    assert result.changes["comments"] is None
    assert result.changes["attachments"] is None


async def test_added_and_removed_files_of_the_twin(engine: MontyEngine) -> None:
    """Files that the peer added or removed since the sync before are found by their handles."""
    before = replica(attachments=[{"handle": "f0", "name": "old.png", "size": 1, "blob": "1" * 64, "mime": None}])
    result = await run(
        engine,
        "log([f.name for f in attachments.added(replica, previous)])\n"
        "log([f.name for f in attachments.removed(replica, previous)])",
        previous=before,
    )
    assert result.log == ('["smoke.png"]', '["old.png"]')


async def test_status_and_transition_are_wishes(engine: MontyEngine) -> None:
    """A status is a field of the draft; a transition by name is handed to the planner with its line."""
    result = await run(engine, "issue.status = 'Done'\nworkflow.transition('Close issue')")
    assert result.changes["fields"] == {"status": "Done"}
    assert result.changes["transition"] == "Close issue"
    assert result.origins == {"status": 1, "transition": 2}


async def test_incoming_starts_from_the_draft_over_the_issue(engine: MontyEngine) -> None:
    """A script reads what mappings before it want, and our issue's values where they want nothing."""
    draft = {"project": "ABC", "fields": {"summary": "wanted", "custom.Customer": "New"}, "comments": None}
    result = await run(
        engine,
        "log(issue.summary, issue.priority, issue.custom['Customer'], issue.custom['Severity'])\n"
        "issue.summary = issue.summary.upper()",
        draft=draft,
    )
    assert result.log == ("wanted High New High",)
    assert result.changes == {
        "project": "ABC",
        "comments": None,
        "fields": {"summary": "WANTED", "custom.Customer": "New"},
    }


async def test_skip_ends_the_script_with_a_reason_and_line(engine: MontyEngine) -> None:
    """skip() cannot be caught, changes nothing, and says which line decided."""
    result = await run(
        engine,
        "issue.summary = 'x'\ntry:\n    if 'peer' in replica.labels:\n        skip('not for partners')\n"
        "except Exception:\n    log('caught')",
    )
    assert result.skipped == "not for partners"
    assert result.skipped_line == 4
    assert result.changes == {}
    assert result.log == ()


async def test_return_ends_the_script_and_keeps_its_changes(engine: MontyEngine) -> None:
    """A script is one function: return stops it, and what was set before counts."""
    assert await fields(engine, "issue.summary = 'a'\nif replica.labels:\n    return\nissue.summary = 'b'") == {
        "summary": "a"
    }


async def test_error_reports_what_the_rule_wants_to_say(engine: MontyEngine) -> None:
    """error() is an error on that issue, with the rule's own words, its line, and the log so far."""
    with pytest.raises(ScriptFailed, match="No customer given") as caught:
        await run(engine, "log('looking')\nif not replica.custom['Customer']:\n    error('No customer given')")
    assert (caught.value.step, caught.value.line, caught.value.column) == (2, 3, 5)
    assert caught.value.shown == "    error('No customer given')"
    assert caught.value.log == ("looking",)


@pytest.mark.parametrize(
    ("source", "message", "advice", "line", "column"),
    [
        ("x = 1\nissue.summary = issue.parent_key.upper()", "before `.upper` is empty", "Ask first", 2, 17),
        ("x = issue\nissue.summary = x.sumary", "no field `sumary`", "Did you mean `summary`", 2, 17),
        ("n = 'Sevrity'\nlog(issue.custom[n])", "no custom field 'Sevrity'", "Did you mean `Severity`", 2, 5),
        ("x = {'a': 1}\nlog(x['b'])", "no entry 'b'", ".get(", 2, 5),
        ("issue.labels = 'one'", "issue.labels takes a list of texts, not a text", "Correct", 1, 1),
        ("issue.summary = 5", "issue.summary takes a text, not a number", "Correct", 1, 1),
        ("issue.original_estimate = 'x'", "takes seconds", "Correct", 1, 1),
        ("a = 1; issue.summary = 'ä'; b = issue.summary + 1", "can only concatenate str", "", 1, 33),
        ("issue.summary = 'a'; skip", "", "", None, None),
        ("versions.get_or_create('forbidden')", "Versions may not be created here", "Allow it", 1, 1),
        ("def f(x):\n    return x.nope\nf(issue)", "no field `nope`", "custom", 2, 12),
    ],
)
async def test_errors_read_as_people_want_them(
    engine: MontyEngine, source: str, message: str, advice: str, line: int | None, column: int | None
) -> None:
    """A failure says what happened, where, shows the line, and what to do."""
    if line is None:
        assert (await run(engine, source)).skipped is None
        return
    with pytest.raises(ScriptFailed) as caught:
        await run(engine, source)
    error = caught.value
    assert message in error.message
    assert advice in error.advice
    assert (error.line, error.column) == (line, column)
    assert error.shown == source.split("\n")[line - 1]
    assert f"in line {line}" in error.message


async def test_an_error_names_the_step_the_line_and_the_log(engine: MontyEngine) -> None:
    """A rule set may have several scripts; the source line and what was logged until then stand below the message."""
    source = "log('price', issue.key)\nissue.summary = str(1 // 0)"
    for step, name in ((2, "Prices"), (5, "Totals")):
        with pytest.raises(ScriptFailed) as caught:
            await engine.evaluate(Script(source, "incoming", SCHEMA, step, name), inputs(), JiraAtHand())
        assert caught.value.in_full == (
            f"Step {step} (script {name!r}) failed in line 2: ZeroDivisionError: division by zero.\n"
            "    line 2: issue.summary = str(1 // 0)\n"
            "    log: price ABC-7"
        )


async def test_steps_with_the_same_bad_script_are_each_called_by_their_name(engine: MontyEngine) -> None:
    """A script is read once, however many steps have it; the error names the step that failed."""
    for step, name in ((1, "One"), (2, "Two")):
        with pytest.raises(ScriptFailed, match=rf"^Step {step} \(script '{name}'\) cannot run, line 1: "):
            await engine.evaluate(Script("x = (1", "incoming", SCHEMA, step, name), inputs(), JiraAtHand())


async def test_a_helper_that_refuses_leaves_the_log(engine: MontyEngine) -> None:
    """What the script wrote before it asked is kept with the error."""
    source = "log('asking')\nversions.get_or_create('forbidden')"
    with pytest.raises(ScriptFailed) as caught:
        await engine.evaluate(Script(source, "incoming", SCHEMA, 3), inputs(), JiraAtHand())
    assert caught.value.log == ("asking",)
    assert caught.value.message == "Step 3 failed in line 2: Versions may not be created here."


async def test_a_long_log_is_cut_where_an_error_is_kept(engine: MontyEngine) -> None:
    """The last lines are nearest to the cause."""
    source = "for number in range(30):\n    log('x' * 300, number)\nerror('enough')"
    with pytest.raises(ScriptFailed) as caught:
        await engine.evaluate(Script(source, "incoming", SCHEMA, 1), inputs(), JiraAtHand())
    lines = caught.value.in_full.split("\n")
    assert lines[2] == "    log: (10 lines before these)"
    assert len(lines) == 23
    assert max(map(len, lines)) < 220


async def test_a_regular_expression_that_cannot_be_read_is_told_in_words(engine: MontyEngine) -> None:
    """One that is put together while the script runs is not seen by the check."""
    with pytest.raises(ScriptFailed, match="this regular expression cannot be read: opening parenthesis"):
        await run(engine, "x = '('\nissue.summary = str(re_search(x, 'a'))")


async def test_a_script_that_cannot_be_read_fails_with_its_line(engine: MontyEngine) -> None:
    """A syntax error that came past the check is an error on the issue, not of the node."""
    with pytest.raises(ScriptFailed, match="line 2: '\\(' was never closed") as caught:
        await run(engine, "x = 1\ny = (2")
    assert caught.value.line == 2


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("dates.today()", "2026-11-24"),
        ("dates.now()", "2026-11-24T10:00:00.000Z"),
        ("dates.parse('24.11.2026', '%d.%m.%Y')", "2026-11-24"),
        ("dates.parse('2026-11-24T09:00:00.000+0100')", "2026-11-24T08:00:00.000Z"),
        ("dates.parse('2026-11-24T09:00:00Z')", "2026-11-24T09:00:00.000Z"),
        ("dates.parse('24/11/2026 09:30', '%d/%m/%Y %H:%M')", "2026-11-24T09:30:00.000Z"),
        ("dates.format('2026-11-24', '%d.%m.%Y')", "24.11.2026"),
        ("dates.add_days(issue.due, 3)", "2026-11-30"),
        ("dates.add_business_days('2026-11-27', 1)", "2026-11-30"),
        ("dates.add_business_days('2026-11-30', -1)", "2026-11-27"),
        ("dates.add_business_days('2026-11-27', 0)", "2026-11-27"),
        ("dates.add_hours('2026-11-24T23:00:00Z', 2)", "2026-11-25T01:00:00.000Z"),
        ("dates.add_hours('2026-11-24T23:00:00.250+02:00', 2)", "2026-11-24T23:00:00.250Z"),
        ("dates.parse('2026-11-24T01:00:00.123456+02:00')", "2026-11-23T23:00:00.123Z"),
        ("str(dates.days_between('2026-11-01', '2026-11-24T10:00:00Z'))", "23"),
        ("str(dates.is_business_day('2026-11-28'))", "False"),
        ("str(dates.add_days(issue.parent_key, 3))", "None"),
        ("str(re_search('REF-(\\\\d+)', issue.description))", "['REF-123', '123']"),
        ("str(re_search('nothing', issue.description))", "None"),
        ("str(re_findall('REF-\\\\d+', issue.description))", "['REF-123', 'REF-456']"),
        ("re_sub('(\\\\w+)-(\\\\d+)', '\\\\2/\\\\1', 'REF-1')", "1/REF"),
        ("str(re_split(',\\\\s*', 'a, b,c'))", "['a', 'b', 'c']"),
        ("str(re_search('PRINTER', issue.summary, ignore_case=True))", "['Printer']"),
        ("str(re_search('x', None))", "None"),
        ("str(issue.assignee)", "Bob Jones"),
        ("issue.assignee['email']", "bob@example.org"),
        ("str(issue.custom.get('Story Points', 3))", "3"),
        ("str('Severity' in issue.custom)", "True"),
        ("str(replica.custom['What the peer never sent'])", "None"),
        ("str(previous)", "None"),
        ("str(versions.get('9.9'))", "None"),
        ("str(versions.all(['1.0', '9.9', '1.1']))", "['1.0', '1.1']"),
        ("components.get_or_create('New')", "New"),
        ("options.get('Severity', 'High')", "High"),
        ("users.by_email(issue.reporter).id", "alice"),
        ("str(users.by_email(None))", "None"),
        ("str(jira.priority('Nope')) + str(jira.resolution('Fixed'))", "NoneFixed"),
        ("f'{3.14159:.2f} {len(issue.labels)} {1234567:,}'", "3.14 2 1,234,567"),
        ("', '.join(sorted({l.upper() for l in issue.labels}))", "HOT, PARTNER"),
        ("max([1, 5, 3], key=lambda n: -n) and 'ok'", "ok"),
    ],
)
async def test_helpers_answer(engine: MontyEngine, expression: str, value: str) -> None:
    """Dates, regular expressions, users and names of this Jira, as documented."""
    assert (await fields(engine, f"issue.summary = {expression}"))["summary"] == value


async def test_every_kind_of_custom_field_goes_in_and_out(engine: MontyEngine) -> None:
    """Texts, numbers, days, times, lists, cascading options, people: JSON values by the field's name."""
    values: dict[str, Any] = {
        "text": "a", "number": 1.5, "date": "2026-11-24", "datetime": "2026-11-24T10:00:00+00:00", "select": "High",
        "multi-select": ["Red", "Blue"], "cascading": ["Parent", "Child"], "radio": "x", "checkbox": ["a"],
        "labels": ["l"], "url": "https://example.org", "version": "1.0", "flag": True,
        "object": {"a": {"b": [1, None]}},
    }  # fmt: skip
    source = "\n".join(f"replica.custom[{name!r}] = issue.custom[{name!r}]" for name in values)
    result = await engine.evaluate(Script(source, "outgoing"), ScriptInputs(issue=issue(custom=values)), JiraAtHand())
    assert result.changes["fields"] == {f"custom.{name}": value for name, value in values.items()}


async def test_a_question_is_asked_once_and_recorded(engine: MontyEngine) -> None:
    """Two equal questions of one evaluation reach Jira once; the call is kept with its answer."""
    jira = JiraAtHand()
    result = await run(
        engine, "a = users.by_email('bob@example.org')\nb = users.by_email('bob@example.org')", jira=jira
    )
    assert jira.asked == [("user_by_email", "bob@example.org")]
    assert [(call.name, call.arguments) for call in result.calls] == [("users.by_email", ("bob@example.org",))]


async def test_a_failing_tracker_is_not_a_failing_rule(engine: MontyEngine) -> None:
    """An error of Jira goes through unchanged, so that it is tried again; the rule cannot catch it."""

    class Busy(JiraAtHand):
        @override
        async def priority(self, name: str) -> str | None:
            await super().priority(name)
            raise TrackerBusy("Jira asks for patience.", retry_after=5)

    source = "try:\n    jira.priority('High')\nexcept Exception:\n    issue.summary = 'caught'"
    with pytest.raises(TrackerBusy):
        await run(engine, source, jira=Busy())
    with pytest.raises(TrackerBusy):
        await engine.evaluate_many(Script(source, "incoming", SCHEMA), [inputs(), inputs(first_sync=True)], Busy())


async def test_an_unchanged_input_is_not_evaluated_again() -> None:
    """What a script reads decides: the same input is answered from memory, a field that it never reads is nothing."""
    engine = MontyEngine(workers=1)
    try:
        source = "replica.summary = issue.summary\nreplica.custom['C'] = issue.custom['Customer']"
        first = await run(engine, source, "outgoing")
        again = await run(engine, source, "outgoing", issue=issue(description="other", updated="2027-01-01T00:00:00Z"))
        assert not first.cached
        assert again.cached
        assert again.changes == first.changes
        changed = await run(engine, source, "outgoing", issue=issue(custom={"Customer": "Other"}))
        assert not changed.cached
        assert changed.changes["fields"]["custom.C"] == "Other"
        earlier = await run(engine, source, "outgoing", replica={"fields": {"priority": "High"}})
        assert earlier.cached
        assert earlier.changes["fields"]["priority"] == "High"
    finally:
        await engine.close()


async def test_memory_asks_helpers_again() -> None:
    """A remembered evaluation counts only while Jira still answers the same."""
    engine = MontyEngine(workers=1)

    class Changing(JiraAtHand):
        answer: str | None = "High"

        @override
        async def priority(self, name: str) -> str | None:
            await super().priority(name)
            return self.answer

    try:
        jira, source = Changing(), "issue.priority = jira.priority(replica.priority)"
        assert not (await run(engine, source, jira=jira)).cached
        assert (await run(engine, source, jira=jira)).cached
        jira.answer = "Low"
        changed = await run(engine, source, jira=jira)
        assert not changed.cached
        assert changed.changes["fields"] == {"priority": "Low"}
    finally:
        await engine.close()


async def test_the_clock_counts_only_where_it_is_read(engine: MontyEngine) -> None:
    """A script that asks for the time is evaluated again when time has passed; others are not."""
    later = "2026-11-25T10:00:00.000Z"
    assert not (await run(engine, "issue.due = dates.today()")).cached
    assert (await run(engine, "issue.due = dates.today()", now=later)).changes["fields"] == {"due": "2026-11-25"}
    await run(engine, "issue.due = dates.add_days('2026-01-01', 1)")
    assert (await run(engine, "issue.due = dates.add_days('2026-01-01', 1)", now=later)).cached


async def test_many_issues_in_order_with_failures_in_place(engine: MontyEngine) -> None:
    """A bulk run gives the same results as one by one; a failing issue is an error in its place."""
    source = (
        "log('seen', issue.key)\n"
        "if issue.key == 'ABC-3': error('three')\n"
        "if issue.key == 'ABC-5': skip('five')\n"
        "if issue.key == 'ABC-7': x = issue.parent_key.upper()\n"
        "issue.summary = issue.key + str(users.by_name(issue.assignee))"
    )
    script = Script(source, "incoming", SCHEMA, step=4)
    many = [inputs(issue=issue(key=f"ABC-{number}")) for number in range(45)]
    results = await engine.evaluate_many(script, many, JiraAtHand())
    for number, result in enumerate(results):
        if number in {3, 7}:
            assert isinstance(result, ScriptFailed)
            assert (result.step, result.line) == (4, 2 if number == 3 else 4)
            assert result.log == (f"seen ABC-{number}",)
        else:
            assert isinstance(result, ScriptResult)
            assert result.log == (f"seen ABC-{number}",)
            if number == 5:
                assert (result.skipped, result.skipped_line) == ("five", 3)
            else:
                assert result.changes["fields"]["summary"] == f"ABC-{number}Bob Jones"
                assert result.origins == {"summary": 5}
                assert len(result.calls) == 1
    again = await engine.evaluate_many(script, many, JiraAtHand())
    assert sum(isinstance(result, ScriptResult) and result.cached for result in again) == 43


async def test_an_endless_issue_does_not_spoil_its_batch(engine: MontyEngine) -> None:
    """One issue of a batch that never ends is an error; the others have their results."""
    source = "while issue.key == 'ABC-1':\n    pass\nissue.summary = issue.key"
    many = [inputs(issue=issue(key=f"ABC-{number}")) for number in range(4)]
    results = await engine.evaluate_many(Script(source, "incoming", SCHEMA), many, JiraAtHand())
    assert [isinstance(result, ScriptResult) for result in results] == [True, False, True, True]
    assert isinstance(results[1], RuleError)
    assert results[1].line == 1


async def test_a_bulk_run_of_a_bad_script_fails_everywhere(engine: MontyEngine) -> None:
    """A script that cannot be read is an error on every issue of a bulk run."""
    results = await engine.evaluate_many(Script("x = (", "incoming", SCHEMA), [inputs()] * 3, JiraAtHand())
    assert len(results) == 3
    assert all(isinstance(result, ScriptFailed) for result in results)


async def test_results_are_plain_json(engine: MontyEngine) -> None:
    """What comes back can be stored as it is: dicts, lists, texts, numbers."""
    result = await run(engine, "issue.comments = comments.merge(issue, replica)\nissue.labels = ('a', 'b')")
    assert json.loads(json.dumps(result.changes)) == result.changes


async def test_log_lines_are_kept_as_they_were_written(engine: MontyEngine) -> None:
    """Line feeds, backslashes and other scripts' characters come back unchanged; values read as JSON."""
    result = await run(engine, "log('a\\\\nb\\nc', 'ü', [1, None], {'a': issue.assignee})")
    assert result.log == ('a\\nb\nc ü [1, null] {"a": "bob"}',)


@pytest.mark.parametrize("value", ["\ud800", {"a": "\udfff"}])
async def test_a_broken_character_is_an_error_on_that_issue(engine: MontyEngine, value: Any) -> None:
    """Half a surrogate pair, which Jira should never give, fails that issue alone, also in a bulk run."""
    script = Script("issue.summary = str(issue.custom['Customer'])", "incoming", SCHEMA)
    broken = inputs(issue=issue(custom={"Customer": value}))
    with pytest.raises(RuleError):
        await engine.evaluate(script, broken, JiraAtHand())
    results = await engine.evaluate_many(script, [inputs(), broken], JiraAtHand())
    assert isinstance(results[0], ScriptResult)
    assert isinstance(results[1], RuleError)


async def test_a_previous_replica_under_another_name_is_whole(engine: MontyEngine) -> None:
    """`previous or replica` reads from either: nothing was left out of the box."""
    source = "older = previous or replica\nissue.summary = older.summary"
    assert (await fields(engine, source))["summary"] == "Printer smokes"
    before = replica(fields={"summary": "Earlier"})
    assert (await fields(engine, source, previous=before))["summary"] == "Earlier"


async def test_a_long_script_is_checked_and_run(engine: MontyEngine) -> None:
    """A script of sixty kilobytes is within the limits."""
    source = "\n".join(f"if issue.key == 'ABC-{n}':\n    issue.summary = replica.key or '{n}'" for n in range(900))
    assert 50_000 < len(source) < 65_536
    assert [str(found) for found in await engine.check(source, "incoming", SCHEMA) if found.severity == "error"] == []
    assert (await fields(engine, source))["summary"] == "PEER-9"
