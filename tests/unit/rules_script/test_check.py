"""The check at save: syntax, names, fields, types, statuses and options, with a place and a suggestion."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from node.rules.script.engine import CustomField, Direction, Finding, ScriptSchema
from node.rules.script.sandbox import MontyEngine
from tests.support.scripts import SCHEMA

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[MontyEngine]:
    engine = MontyEngine(workers=1)
    yield engine
    await engine.close()


CLEAN: list[tuple[Direction, str]] = [
    ("outgoing", "replica.labels = issue.labels"),
    ("outgoing", "replica.status = {'To Do': 'Offen'}.get(issue.status, 'Anything')\nreplica.custom['Free'] = 1"),
    (
        "outgoing",
        "if 'secret' in issue.labels:\n    skip('secret')\nreplica.comments = comments.public(issue.comments)",
    ),
    ("outgoing", "replica.assignee = issue.assignee.display_name if issue.assignee else None"),
    (
        "outgoing",
        "points = issue.custom['Story Points']\nif points is not None:\n    replica.custom['Points'] = points * 2",
    ),
    ("incoming", "if first_sync: issue.project = 'ABC'"),
    ("incoming", "issue.comments = comments.merge(issue, replica, text=lambda c: c.body, internal=True)"),
    ("incoming", "issue.type = jira.issue_type(replica.type) or 'Task'"),
    ("incoming", "issue.status = 'Done' if replica.status == 'Closed' else 'Doing'"),
    ("incoming", "user = users.by_map(replica.assignee)\nif user:\n    issue.assignee = user"),
    (
        "incoming",
        "issue.custom['Severity'] = 'High'\nissue.custom['Story Points'] = 5\nissue.custom['Teams'] = ['Red']",
    ),
    ("incoming", "issue.custom['Severity'] = replica.custom['Severity']"),
    ("outgoing", "replica.other['state'] = issue.status\nreplica.other['effort'] = 5\nreplica.drop('state')"),
    ("incoming", "issue.status = {'New': 'Doing'}.get(replica.other['state'], 'Done')"),
    ("incoming", "if 'state' in replica.other and previous:\n    log(previous.other.get('state', 'new'))"),
    ("incoming", "issue.custom['Place'] = ['europe', 'Berlin']\nissue.custom['Place'] = 'Asia / Tokyo'"),
    ("incoming", "issue.custom['Story Points'] = '3.5'\nissue.custom['Story Points'] = replica.custom['Points']"),
    (
        "incoming",
        "def clean(text):\n    return re_sub('[0-9]+', '', text)\nissue.summary = clean(replica.summary or '')",
    ),
    ("incoming", "for label in replica.labels:\n    if label not in issue.labels:\n        issue.labels.append(label)"),
    ("incoming", "issue.labels += ['synced']\nworkflow.transition('Done')\nlog('x', issue.key)\nreturn"),
    ("incoming", "if previous and previous.status != replica.status:\n    issue.status = 'Done'"),
    ("incoming", "# nothing but a comment"),
    ("incoming", ""),
]


@pytest.mark.parametrize(("direction", "source"), CLEAN)
async def test_ordinary_scripts_have_no_errors(engine: MontyEngine, direction: Direction, source: str) -> None:
    """What the documentation shows is accepted."""
    found = await engine.check(source, direction, SCHEMA)
    assert [str(finding) for finding in found if finding.severity == "error"] == []


DOCUMENTATION = Path(__file__).parents[3] / "docs" / "rules-scripts.md"
"""The page that people copy from; it may become a chapter of a larger one."""


def _examples() -> list[str]:
    pages = [DOCUMENTATION, DOCUMENTATION.with_name("rules.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages if page.exists())
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


async def test_the_examples_of_the_documentation_are_accepted(engine: MontyEngine) -> None:
    """What people copy from the documentation has no errors."""
    examples = _examples()
    assert len(examples) >= 5
    for example in examples:
        direction: Direction = (
            "outgoing" if re.search(r"^\s*replica\.[\w\[\]\"' ]+ = ", example, re.MULTILINE) else "incoming"
        )
        found = await engine.check(example, direction, SCHEMA)
        assert [str(finding) for finding in found if finding.severity == "error"] == [], example


async def test_the_samples_at_the_top_of_the_page_raise_no_doubt(engine: MontyEngine) -> None:
    """A newcomer begins by copying them, and should not meet a warning first."""
    outgoing, incoming, *_ = _examples()
    assert [str(finding) for finding in await engine.check(outgoing, "outgoing", SCHEMA)] == []
    assert [str(finding) for finding in await engine.check(incoming, "incoming", SCHEMA)] == []


WRONG: list[tuple[Direction, str, str, int, int, str]] = [
    ("incoming", "issue.sumary = 'x'", "no field `sumary`", 1, 1, "Did you mean `summary`?"),
    ("incoming", "x = 1\nissue.summary = replica.sumary", "no field `sumary`", 2, 17, "Did you mean `summary`?"),
    ("incoming", "issue.typeName = 'Bug'", "no field `typeName`", 1, 1, "Did you mean `type`?"),
    ("incoming", "issue.Severity = 'High'", "`Severity` is a custom field", 1, 1, 'issue.custom["Severity"]'),
    ("incoming", "issu.summary = 'x'", "nothing called `issu`", 1, 1, "Did you mean `issue`?"),
    ("incoming", "issue.custom['Sevrity'] = 'High'", "no custom field 'Sevrity'", 1, 14, "Did you mean 'Severity'?"),
    ("incoming", "issue.custom['Severity'] = 'Hihg'", "no option 'Hihg'", 1, 28, "Did you mean 'High'?"),
    ("incoming", "issue.custom['Teams'] = ['Red', 'Bleu']", "no option 'Bleu'", 1, 33, "Did you mean 'Blue'?"),
    ("incoming", "issue.custom['Story Points'] = 'five'", "takes a number", 1, 32, "kind number"),
    ("incoming", "issue.status = 'Doen'", "no status 'Doen'", 1, 16, "Did you mean 'Done'?"),
    (
        "incoming",
        "issue.status = {'a': 'Done', 'b': 'Opne'}.get(replica.status)",
        "no status 'Opne'",
        1,
        35,
        "There is",
    ),
    ("incoming", "issue.status = 'Done' if first_sync else 'todo'", "no status 'todo'", 1, 42, "Did you mean 'To Do'?"),
    ("incoming", "issue.type = replica.type or 'Tsak'", "no issue type 'Tsak'", 1, 30, "Did you mean 'Task'?"),
    ("incoming", "issue.priority = 'highest'", "no priority 'highest'", 1, 18, "'High'"),
    ("incoming", "issue.custom['Place'] = ['Europe', 'Bern']", "no option 'Bern'", 1, 36, "Did you mean 'Berlin'?"),
    ("incoming", "issue.custom['Place'] = 'Europe / Tokyo'", "no option 'Europe / Tokyo'", 1, 25, "There is"),
    ("incoming", "issue.custom['Story Points'] = 'many'", "takes a number, not a text", 1, 32, "kind number"),
    ("outgoing", "replica.other['summary'] = 'x'", "`summary` is a field of its own", 1, 15, "`replica.summary`"),
    ("incoming", "x = replica.other['custom.Impact']", "name of a custom field", 1, 19, "`replica.custom['Impact']`"),
    ("incoming", "replica.other['state'] = 'x'", "replica is only read here", 1, 15, ""),
    ("incoming", "issue.other['state'] = 'x'", "issue has no field `other`", 1, 1, ""),
    ("outgoing", "replica.other = 'x'", "replica.other cannot be replaced", 1, 1, 'replica.other["Name"] = value'),
    ("incoming", "issue.created = 'x'", "cannot be set", 1, 1, ""),
    ("incoming", "replica.summary = 'x'", "only read here", 1, 1, "Incoming rules change `issue`"),
    ("outgoing", "issue.summary = 'x'", "only read here", 1, 1, "Outgoing rules fill `replica`"),
    ("outgoing", "issue.custom['Customer'] = 'x'", "only read here", 1, 14, "replica.custom"),
    ("incoming", "users.by_mail('x')", "`users` has no `by_mail`", 1, 1, "users.by_"),
    ("incoming", "nodeHelper.getIssueType('x')", "`nodeHelper` is not part", 1, 1, "called jira"),
    ("incoming", "print('x')", "`print` is not part", 1, 1, "log("),
    ("incoming", "import re", "cannot import", 1, 1, "re_search"),
    ("incoming", "if first_sync\n    pass", "expected ':'", 1, 14, ""),
    ("incoming", "x = (1", "was never closed", 1, 5, ""),
    ("incoming", "issue.labels = 'x'", "is not assignable", 1, 1, ""),
    ("incoming", "x = issue.summary + 1", "`+` is not supported", 1, 5, ""),
    ("incoming", "x = issue.assignee.emial", "no attribute `emial`", 1, 5, ""),
    ("incoming", "comments.merge(issue)", "no argument provided", 1, 1, ""),
    ("incoming", "dates.add_days('2026-01-01', 'x')", "Expected `int`", 1, 30, ""),
    ("incoming", "x = 'ä'; issue.sumary = x", "no field `sumary`", 1, 10, "Did you mean `summary`?"),
    ("incoming", "issue.custom['Whatever'] = 1", "no custom field 'Whatever'", 1, 14, "accord rules fields CONNECTION"),
    ("incoming", "x = options.get('Sverity', 'High')", "no custom field 'Sverity'", 1, 17, "Did you mean 'Severity'?"),
    (
        "incoming",
        "x = re_search('(', issue.summary)",
        "expression cannot be read: opening parenthesis",
        1,
        15,
        "bracket",
    ),
    ("outgoing", "x = re_sub('[a', '', issue.summary)", "regular expression cannot be read", 1, 12, "bracket"),
    ("incoming", "issue.due = 'tomorrow'", "'tomorrow' is not a day", 1, 13, "2026-11-24"),
    ("incoming", "issue.custom['Go live'] = 'soon'", "'soon' is not a day", 1, 27, "2026-11-24"),
    ("incoming", "issue.custom['Seen'] = 'soon'", "'soon' is not a time", 1, 24, "T10:00:00Z"),
    ("incoming", "issue.project = 'ABCD'", "no project 'ABCD' in this Jira", 1, 17, ""),
    ("outgoing", "replica.labels = 5", "replica.labels takes a list of texts, not a number", 1, 18, ""),
    ("outgoing", "replica.labels = ['a', 5]", "replica.labels takes a list of texts, not a number", 1, 24, ""),
    ("outgoing", "replica.labels = 'a'", "replica.labels takes a list of texts, not a text", 1, 18, ""),
    ("outgoing", "replica.summary = 5", "replica.summary takes a text, not a number", 1, 19, ""),
    ("outgoing", "replica.comments = 'none'", "replica.comments takes a list of comments", 1, 20, ""),
    (
        "incoming",
        "issue.custom['Dup'] = 'x'",
        "several custom fields of this Jira are called 'Dup'",
        1,
        14,
        "Name the one that is meant: 'Dup (customfield_10018)' or 'Dup (customfield_10019)'.",
    ),
    ("incoming", "issue.summary = 'half \\ud800'", "half of a character", 1, 17, "Write the character"),
]

_WIDE = replace(
    SCHEMA,
    custom={
        **SCHEMA.custom,
        "Go live": CustomField(kind="date"),
        "Seen": CustomField(kind="datetime"),
        "Dup (customfield_10018)": CustomField(kind="text"),
        "Dup (customfield_10019)": CustomField(kind="text"),
    },
)


class _Asked:
    """A Jira with one other project, two roles, and what two issues offer."""

    def __init__(self, *, roles: Sequence[str] = ("Administrators", "Developers"), offers: bool = True) -> None:
        self.known = frozenset(roles)
        self.offered = {"To Do": frozenset({"Start work"}), "Done": frozenset({"Reopen", "File"})} if offers else {}
        self.questions: list[str] = []

    async def has_project(self, key: str) -> bool:
        self.questions.append("project")
        return key == "ABC"

    async def roles(self) -> frozenset[str]:
        self.questions.append("roles")
        return self.known

    async def offered_transitions(self) -> Mapping[str, frozenset[str]]:
        self.questions.append("transitions")
        return self.offered


@pytest.mark.parametrize(("direction", "source", "message", "line", "column", "suggestion"), WRONG)
async def test_mistakes_are_errors_with_place_and_suggestion(
    engine: MontyEngine, direction: Direction, source: str, message: str, line: int, column: int, suggestion: str
) -> None:
    """A mistake is one error that names the place, shows the line and says what was meant."""
    checked = await engine.check(source, direction, _WIDE, jira=_Asked())
    found = [finding for finding in checked if finding.severity == "error"]
    assert len(found) == 1, [str(finding) for finding in found]
    only = found[0]
    assert message in only.message
    assert (only.line, only.column) == (line, column)
    assert only.shown == source.split("\n")[line - 1]
    assert suggestion in only.suggestion


@pytest.mark.parametrize(
    ("direction", "source", "message", "column", "suggestion"),
    [
        ("incoming", "if issue.status == 'Don':\n    skip()", "no issue here has the status 'Don'", 20, "'Done'?"),
        ("outgoing", "if 'Bgu' != issue.type:\n    skip()", "no issue here has the issue type 'Bgu'", 4, "'Bug'?"),
        ("outgoing", "if issue.priority in ('Hihg', 'Low'):\n    skip()", "the priority 'Hihg'", 23, "'High'?"),
        ("outgoing", "if issue.custom['Severity'] == 'Hgih':\n    skip()", "the Severity 'Hgih'", 32, "'High'?"),
        ("outgoing", "replica.status = {'Todo': 'Open'}.get(issue.status)", "the status 'Todo'", 19, "'To Do'?"),
        ("incoming", "issue.assignee = 'bob'", "issue.assignee takes a person, not a text", 1, "users.by_name('bob')"),
        ("incoming", "issue.reporter = replica.summary", "issue.reporter takes a person", 1, "users.by_name"),
        ("incoming", "issue.custom['Reviewer'] = 'bob'", "'Reviewer' takes a person", 28, "users.by_name('bob')"),
    ],
)
async def test_what_can_hardly_be_meant_is_a_doubt(
    engine: MontyEngine, direction: Direction, source: str, message: str, column: int, suggestion: str
) -> None:
    """A comparison with a value that no issue here can have, and a person given as a text."""
    [only] = await engine.check(source, direction, SCHEMA)
    assert only.severity == "warning"
    assert message in only.message
    assert (only.line, only.column) == (1, column)
    assert suggestion in only.suggestion


@pytest.mark.parametrize(
    ("direction", "source"),
    [
        ("incoming", "if replica.status == 'In Review':\n    issue.status = 'Doing'"),
        ("outgoing", "if issue.status == 'Done' or issue.summary == 'Don' or issue.status == '':\n    skip()"),
        ("outgoing", "x = re_search('(?i)ref-(\\\\d+)(?= )', issue.description)\nlog(x)"),
        ("incoming", "issue.due = '2026-11-24'\nissue.due = dates.add_days(dates.today(), 2)\nissue.due = None"),
        ("incoming", "issue.project = 'ABC'\nissue.project = replica.custom['There']"),
        ("outgoing", "replica.labels = ['a', 'b']\nreplica.original_estimate = 60\nreplica.summary = None"),
        ("outgoing", "replica.custom['Anything'] = 5\nreplica.assignee = 'Ada'"),
    ],
)
async def test_what_is_meant_raises_no_doubt(engine: MontyEngine, direction: Direction, source: str) -> None:
    """The other side's words, values that are here, expressions that can be read."""
    assert await engine.check(source, direction, SCHEMA, jira=_Asked()) == []


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("issue.summary = issue.assignee.email", 1, "may be empty"),
        ("t = users.by_email('a@b')\nlog(t.id)", 2, "may be empty"),
        ("issue.description = 'x' + replica.description", 1, "None"),
    ],
)
async def test_values_that_may_be_empty_are_doubts(engine: MontyEngine, source: str, line: int, words: str) -> None:
    """What fails only where a field is empty is a warning, not an error: the rule is not refused."""
    found = await engine.check(source, "incoming", SCHEMA)
    assert {finding.severity for finding in found} == {"warning"}
    assert {finding.line for finding in found} == {line}
    assert any(words in finding.message for finding in found)


@pytest.mark.parametrize(
    ("call", "doubted"),
    [
        ("comments.merge(issue, replica, internal=True)", True),
        ("comments.merge(issue, replica, internal=lambda c: 'x' in c.body)", True),
        ("comments.merge(issue, replica, None, True)", True),
        ("comments.merge(issue, replica, internal=True, role=None)", True),
        ("comments.merge(issue, replica, internal=True, role='Developers')", False),
        ("comments.merge(issue, replica, internal=False)", False),
        ("comments.merge(issue, replica)", False),
    ],
)
async def test_an_internal_comment_is_doubted_where_it_would_be_open(
    engine: MontyEngine, call: str, doubted: bool
) -> None:
    """On a project that is known to be no service project; the warning names the way that works everywhere."""
    for service, expected in ((False, doubted), (True, False), (None, False)):
        found = await engine.check(f"issue.comments = {call}", "incoming", replace(SCHEMA, service_project=service))
        assert [finding.severity for finding in found] == ["warning"] * expected
        if expected:
            assert "no service project" in found[0].message
            assert 'role="Developers"' in found[0].suggestion


_ROLE = "issue.comments = comments.merge(issue, replica, role={})"


@pytest.mark.parametrize(
    ("source", "message", "column", "suggestion"),
    [
        (_ROLE.format("'Developrs'"), "there is no role 'Developrs' in this project", 54, "Did you mean 'Developers'?"),
        (
            _ROLE.format("'Sales' if first_sync else 'Developers'"),
            "there is no role 'Sales'",
            54,
            "There is 'Administrators', 'Developers'.",
        ),
        ("comments.merge(issue, replica, None, False, 'Sales')", "there is no role 'Sales'", 45, "'Developers'"),
        ("for c in issue.comments:\n    c.restrict_to_role = 'Sales'", "there is no role 'Sales'", 26, "'Developers'"),
    ],
)
async def test_a_role_that_is_not_there_is_an_error(
    engine: MontyEngine, source: str, message: str, column: int, suggestion: str
) -> None:
    """Wherever a comment is written for a role by name: Jira refuses one that it does not have."""
    [only] = await engine.check(source, "incoming", SCHEMA, jira=_Asked())
    assert only.severity == "error"
    assert message in only.message
    assert (only.line, only.column) == (source.count("\n") + 1, column)
    assert suggestion in only.suggestion


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (_ROLE.format("'developers'"), "this Jira writes the role 'Developers'"),
        ("issue.project = 'ABC'\n" + _ROLE.format("'Sales'"), "there is no role 'Sales'"),
        ("workflow.transition('Start wrok')", "no issue that was asked offers a transition 'Start wrok'"),
        ("workflow.transition('Fetch' if first_sync else 'reopen')", "asked were issues in 'Done', 'To Do'"),
    ],
)
async def test_a_name_that_may_be_there_is_only_a_doubt(engine: MontyEngine, source: str, words: str) -> None:
    """Another spelling, another project, and a transition, of which Jira shows only those of single issues."""
    [only] = await engine.check(source, "incoming", SCHEMA, jira=_Asked())
    assert only.severity == "warning"
    assert words in only.message


async def test_a_doubted_transition_is_told_with_what_was_probably_meant(engine: MontyEngine) -> None:
    """A slip, or a status where a transition belongs: the first is corrected, the second is shown the other way."""
    source = "workflow.transition('Star work')\nworkflow.transition('Doing')"
    slip, status = await engine.check(source, "incoming", SCHEMA, jira=_Asked())
    assert (slip.shown, slip.suggestion) == ("workflow.transition('Star work')", "Did you mean 'Start work'?")
    assert status.suggestion == "To reach the status, write issue.status = 'Doing'."


@pytest.mark.parametrize(
    ("source", "questions"),
    [
        (_ROLE.format("'Developers'"), ["roles"]),
        (_ROLE.format("replica.custom['Team']"), []),
        (_ROLE.format("None"), []),
        ("workflow.transition('START WORK')\nworkflow.transition('File')", ["transitions"]),
        ("workflow.transition(replica.status or '')", []),
        ("issue.project = 'ABC'\nworkflow.transition('Whatever')", ["project"]),
        ("issue.summary = replica.summary", []),
    ],
)
async def test_jira_is_asked_only_for_names_that_are_written_out(
    engine: MontyEngine, source: str, questions: list[str]
) -> None:
    """Names that are here raise nothing, and what is computed at run time is judged then."""
    jira = _Asked()
    errors = [one for one in await engine.check(source, "incoming", SCHEMA, jira=jira) if one.code == "asked"]
    assert (errors, jira.questions) == ([], questions)


async def test_where_roles_and_transitions_are_not_known_nothing_is_said(engine: MontyEngine) -> None:
    """A Jira that keeps its roles to itself, and a project without an issue to ask."""
    source = _ROLE.format("'Sales'") + "\nworkflow.transition('Whatever')"
    assert await engine.check(source, "incoming", SCHEMA, jira=_Asked(roles=(), offers=False)) == []
    assert await engine.check(source, "incoming", SCHEMA) == []


async def test_a_value_that_was_asked_for_is_no_doubt(engine: MontyEngine) -> None:
    """After `if`, the value is there."""
    source = (
        "if issue.assignee:\n    log(issue.assignee.email)\nu = users.by_email('x')\nif u is not None:\n    log(u.id)"
    )
    assert await engine.check(source, "incoming", SCHEMA) == []


async def test_all_mistakes_are_reported_at_once(engine: MontyEngine) -> None:
    """Several mistakes come in the order of the lines, each once."""
    source = "issue.sumary = 1\nx = issu\nissue.status = 'Doen'\ny = 'a' + 1\n"
    found = await engine.check(source, "incoming", SCHEMA)
    assert [finding.line for finding in found] == [1, 2, 3, 4]


async def test_an_unknown_schema_checks_nothing_of_it(engine: MontyEngine) -> None:
    """Where this Jira is not known yet, names of its statuses and fields are not judged."""
    source = "issue.status = 'Whatever'\nissue.custom['Whatever'] = 1"
    assert await engine.check(source, "incoming", ScriptSchema()) == []


async def test_custom_fields_with_odd_names_are_known(engine: MontyEngine) -> None:
    """Quotes and newlines in the names of fields do not break out of the declarations."""
    odd = {name: next(iter(SCHEMA.custom.values())) for name in ("a'b", 'a"b', "a\\b", "a\nb", "'); import os; ('")}
    schema = ScriptSchema(custom=odd)
    source = "\n".join(f"issue.custom[{name!r}] = 'High'" for name in odd)
    assert await engine.check(source, "incoming", schema) == []


def _finding() -> Finding:
    return Finding(
        severity="error", message="issue has no field `sumary`", line=2, column=17, end_column=29,
        shown="replica.summary = issue.sumary", suggestion="Did you mean `summary`?",
    )  # fmt: skip


async def test_a_finding_reads_as_text() -> None:
    """Printed, a finding shows the line with carets below and the suggestion last."""
    assert str(_finding()).split("\n") == [
        "line 2, column 17: issue has no field `sumary`",
        "    replica.summary = issue.sumary",
        "                    ^^^^^^^^^^^^",
        "Did you mean `summary`?",
    ]
