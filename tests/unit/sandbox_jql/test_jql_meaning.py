"""What queries find: fields, operators, functions and order, against issues that are plain values."""

from __future__ import annotations

import time
from datetime import date
from zoneinfo import ZoneInfo

import pytest

from node.sandbox.jql import JqlChange, JqlError, Query, compile_query
from tests.support.jql import Context, Issue, at


def matches(text: str, issue: Issue, context: Context | None = None) -> bool:
    return compile_query(text, context or Context()).matches(issue)


def refusal(text: str) -> list[str]:
    with pytest.raises(JqlError) as caught:
        compile_query(text, Context())
    return caught.value.messages


FULL = Issue(
    "ABC-2",
    project="10000",
    issuetype="1",
    status="1",
    priority="2",
    assignee="JU1",
    reporter="JU2",
    components=["100"],
    fixVersions=["201", "202"],
    labels=["Beta", "slow-down"],
    summary="The printer is burning in /var/log",
    description="h2. Steps\n# turn it on\n# wait for_smoke",
    comment=["first look", "second thoughts"],
    created=at("2026-03-11T10:00:30.250+00:00"),
    updated=at("2026-03-11T14:30:00+00:00"),
    duedate=date(2026, 3, 12),
    votes=2,
    timeoriginalestimate=2 * 3600,
    customfield_10001=5.0,
    customfield_10003="300",
    customfield_10004=1.0,
    parent="ABC-1",
)
BARE = Issue("DEF-1", project="10001", issuetype="2", status="6", summary="Nothing else", votes=0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "project = abc",
        "project = 10000",
        "PROJECT in (DEF, 'abc')",
        "type = Bug and status = open",
        "type = bug && status = open",
        "status != Done",
        "status not in (Done, 'In Progress')",
        "not status = Done",
        "! status in (Done)",
        "project = DEF or project = ABC",
        "project = DEF | project = ABC",
        "project = DEF and votes = 0 or project = ABC",
        "not (project = DEF or status = Done)",
        "priority > Low and priority <= Medium",
        "assignee = currentUser()",
        "assignee in (currentUser(), bob)",
        "assignee = 'Alice Adams'",
        "reporter in membersOf(developers)",
        "resolution = Unresolved",
        "resolution is empty",
        "resolution IS NULL",
        "resolution in (Fixed, EMPTY)",
        "component = Engine",
        "fixVersion = '1.1'",
        "fixVersion in releasedVersions()",
        "fixVersion in releasedVersions(ABC)",
        "fixVersion not in unreleasedVersions()",
        "fixVersion = latestReleasedVersion(ABC)",
        "fixVersion < '2.0'",
        "labels = beta",
        "labels in (x, SLOW-DOWN)",
        "key = ABC-2",
        "key = 10101",
        "issue in (ABC-1, ABC-2)",
        "key > ABC-1",
        "key < ABC-10",
        "issue in linkedIssues(ABC-1)",
        "issue in linkedIssues('ABC-1', blocks)",
        "parent = ABC-1",
        "issuetype in standardIssueTypes()",
        "summary ~ printer",
        "summary ~ 'PRINTER burning'",
        'summary ~ "\\"printer is\\""',
        "summary ~ 'print*'",
        "summary ~ '*inter'",
        "summary ~ 'p?inter'",
        "summary ~ 'printer -cold'",
        "summary ~ 'cold OR burning'",
        "summary ~ '+printer AND NOT cold'",
        "summary ~ '(cold OR printer) burning'",
        "summary ~ '/var/log'",
        "summary !~ cold",
        "description ~ smoke",
        "comment ~ 'second thoughts'",
        "created = '2026-03-11 11:00' or created > '2026-03-11 11:00'",
        "created >= '2026/03/11 11:00' and created < '2026-03-11 11:01'",
        "created >= 2026-03-11",
        "updated >= -5m",
        "updated <= now()",
        "updated > '-1w 2d'",
        "created > startOfDay() and created < endOfDay()",
        "created > startOfWeek() and created < endOfWeek()",
        "created > startOfMonth() and created < endOfMonth()",
        "created > startOfYear() and created < endOfYear()",
        "created > startOfDay(-1d) and created < startOfDay(1)",
        "due = 2026-03-12",
        "due <= 1d and due > now()",
        "due in ('2026/3/12', EMPTY)",
        "votes = 2",
        "votes > 1",
        "originalEstimate = 120",
        "originalEstimate = 2h",
        "originalEstimate < 1d",
        "cf[10001] = 5",
        "'Story Points' >= 4.5",
        "customfield_10001 in (5, 6)",
        "colour = red",
        "twin = 1",
        "attachments is empty",
    ],
)
def test_what_finds_the_full_issue(text: str) -> None:
    """Each of these queries describes the issue."""
    assert matches(text, FULL)
    if text:
        assert not matches(f"NOT ({text})", FULL)


@pytest.mark.parametrize(
    "text",
    [
        "project = DEF",
        "status = Done",
        "status in (Done, 'In Progress')",
        "priority > Medium",
        "assignee != currentUser()",
        "assignee is empty",
        "resolution is not empty",
        "component != Engine",
        "fixVersion != '1.1'",
        "labels not in (beta)",
        "key > ABC-2",
        "key > DEF-1",
        "summary ~ print",
        "summary ~ 'printer cold'",
        'summary ~ "\\"printer burning\\""',
        "comment ~ 'first thoughts'",
        "created < '2026-03-11 11:00'",
        "created > endOfDay()",
        "updated > now()",
        "due < now()",
        "cf[10001] < 5",
    ],
)
def test_what_does_not_find_the_full_issue(text: str) -> None:
    """Each of these queries describes another issue."""
    assert not matches(text, FULL)


@pytest.mark.parametrize(
    "clause",
    [
        "assignee = bob",
        "assignee in (bob)",
        "component = Engine",
        "labels = x",
        "due > 2020-01-01",
        "cf[10001] = 5",
        "description ~ x",
        "fixVersion < '2.0'",
    ],
)
def test_only_empty_finds_a_missing_value(clause: str) -> None:
    """Neither a clause nor its opposite holds for a field without a value, also under NOT, as in a real Jira."""
    field = clause.split(maxsplit=1)[0]
    assert not matches(clause, BARE)
    assert not matches(f"NOT {clause}", BARE)
    assert not matches(f"{field} is not EMPTY", BARE)
    assert matches(f"{field} is EMPTY", BARE)
    assert matches(f"{clause} OR {field} is EMPTY", BARE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo = 1", "Field 'foo' does not exist or you do not have permission to view it."),
        ("cf[99] = 1", "Field 'cf[99]' does not exist or you do not have permission to view it."),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("project in (ABC, NOPE)", "The value 'NOPE' does not exist for the field 'project'."),
        ("type = Epos", "The value 'Epos' does not exist for the field 'type'."),
        ("type = 77", "A value with ID '77' does not exist for the field 'type'."),
        ("assignee = nobody", "The value 'nobody' does not exist for the field 'assignee'."),
        ("assignee = ''", "The value '' does not exist for the field 'assignee'."),
        ("key = ABC-99", "An issue with key 'ABC-99' does not exist for field 'key'."),
        ("issue = 'K 2'", "The issue key 'K 2' for field 'issue' is invalid."),
        ("key = 66", "A value with ID '66' does not exist for the field 'key'."),
        ("summary = test", "The operator '=' is not supported by the 'summary' field."),
        ("project ~ A", "The operator '~' is not supported by the 'project' field."),
        ("text !~ a", "The operator '!~' is not supported by the 'text' field."),
        ("summary was a", "The operator 'was' is not supported by the 'summary' field."),
        ("status > Open", "The operator '>' is not supported by the 'status' field."),
        ("project in ABC", "Operator 'in' does not support the non-list value '\"ABC\"' for field 'project'."),
        ("project = (ABC)", "Operator '=' does not support the list value '(\"ABC\")' for field 'project'."),
        (
            "reporter = membersOf(developers)",
            "Operator '=' does not support the list value 'membersOf(\"developers\")' for field 'reporter'.",
        ),
        ("comment ~ EMPTY", "The field 'comment' does not support searching for EMPTY values."),
        ("summary ~ ''", "The field 'summary' does not support searching for an empty string."),
        ("summary ~ 'BAD +'", "Unable to parse the text 'BAD +' for field 'summary'."),
        ("summary ~ AND2 and summary ~ 'AND'", "Unable to parse the text 'AND' for field 'summary'."),
        ("summary ~ 'a~'", "Unable to parse the text 'a~' for field 'summary'."),
        ("summary ~ '(a'", "Unable to parse the text '(a' for field 'summary'."),
        ("summary ~ '?a'", "The text query '?a' for field 'summary' is not allowed to start with character '?'."),
        ("votes = -3", "Value '-3' is invalid for the 'votes' field. Votes must be a positive whole number."),
        ("cf[10001] = x", "The value 'x' for field 'cf[10001]' is invalid - please specify a number."),
        (
            "originalEstimate = hh",
            (
                "The value 'hh' for field 'originalEstimate' is invalid. Please specify a positive duration format; "
                "for example: '1h 30m', '2d'."
            ),
        ),
        (
            "created < '14/May/09'",
            (
                "Date value '14/May/09' for field 'created' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
                "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
            ),
        ),
        (
            "due < '2026-02-35'",
            (
                "Date value '2026-02-35' for field 'due' is invalid. "
                "Valid formats include: 'YYYY/MM/DD', 'YYYY-MM-DD', or a period format e.g. '-5d', '4w 2d'."
            ),
        ),
        ("assignee = bogus()", "Unable to find JQL function 'bogus()'."),
        ("created > now(1)", "Function 'now' expected '0' arguments but received '1'."),
        (
            "issue in linkedIssues()",
            "Function 'linkedIssues' expected between '1' and '2' arguments but received '0'.",
        ),
        (
            "created > startOfDay(invalid)",
            "Duration for function 'startOfDay' should have the format (+/-)n(yMwdm), e.g -1M for 1 month earlier.",
        ),
        (
            "created > currentUser()",
            "A date for the field 'created' provided by the function 'currentUser' is not valid.",
        ),
        (
            "project = currentUser()",
            "A value provided by the function 'currentUser' is invalid for the field 'project'.",
        ),
        (
            "assignee in membersOf(nosuchgroup)",
            (
                "Function 'membersOf' can not generate a list of usernames for group 'nosuchgroup'; the group does not "
                "exist."
            ),
        ),
        ("issue in linkedIssues(ZZZ-1)", "Issue 'ZZZ-1' could not be found in function 'linkedIssues'."),
        ("key = ABC-1 order by bogus", "Not able to sort using field 'bogus'."),
        ("order by comment", "Not able to sort using field 'comment'."),
        ('status = "Open" by alice', 'The EQUALS operator does not support the use of the by "alice" predicate.'),
        (
            "fixVersion changed 4 by alice",
            (
                "The CHANGED operator does not support the use of values without predicates. "
                "You must prefix the 4 value with a suitable predicate."
            ),
        ),
        ("status changed from fred", "The value 'fred' does not exist for the field 'status'."),
        (
            "status changed after '20/12/10'",
            (
                "Date value '20/12/10' for predicate 'after' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
                "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
            ),
        ),
        (
            "status changed after currentUser()",
            "A date for the predicate 'after' provided by the function 'currentUser' is not valid.",
        ),
        ("status changed before (11, 12)", "The BEFORE predicate must be supplied with only 1 date value."),
        ("status changed during 11", "The DURING predicate must be supplied with exactly 2 date values."),
        ("assignee changed by bogus()", "Unable to find JQL function 'bogus()'."),
    ],
)
def test_a_query_that_makes_no_sense_here_is_refused_as_jira_refuses_it(text: str, message: str) -> None:
    """Unknown names, operators and functions that do not fit, and values of a wrong form are never ignored."""
    assert refusal(text) == [message]


def test_all_that_is_wrong_is_said_at_once() -> None:
    """Each clause that does not fit adds its message, once."""
    assert refusal("project = NOPE and foo = 1 and project = NOPE") == [
        "The value 'NOPE' does not exist for the field 'project'.",
        "Field 'foo' does not exist or you do not have permission to view it.",
    ]


@pytest.mark.parametrize("text", ["project = NOPE", "NOT project = NOPE", "foo = 1", "assignee = currentUser()"])
def test_an_anonymous_caller_finds_nothing_instead_of_an_error(text: str) -> None:
    """Jira answers an anonymous caller's wrong names with no issues and tells nothing about what exists."""
    query = compile_query(text, Context(current_user=None))
    assert not query.matches(FULL)


def test_without_validation_a_wrong_clause_becomes_a_warning_that_matches_nothing() -> None:
    """``validateQuery=false`` keeps the rest of the query alive."""
    query = compile_query("project = NOPE OR project = ABC", Context(), validate=False)
    assert query.matches(FULL)
    assert list(query.warnings) == ["The value 'NOPE' does not exist for the field 'project'."]
    with pytest.raises(JqlError):
        compile_query("project = ", Context(), validate=False)


def test_a_date_is_read_in_the_users_own_zone() -> None:
    """The same literal is another moment in Berlin and in New York."""
    issue = Issue(created=at("2026-03-11T10:00:00+00:00"))
    assert matches("created >= '2026-03-11 11:00'", issue)
    assert not matches("created >= '2026-03-11 11:00'", issue, Context(time_zone=ZoneInfo("America/New_York")))
    assert matches("created >= '2026-03-11 06:00'", issue, Context(time_zone=ZoneInfo("America/New_York")))


def test_a_bare_number_is_milliseconds_whatever_the_zone_and_seconds_are_the_finest_grain() -> None:
    """Jira's index keeps whole seconds, so that a moment within the same second is neither before nor after."""
    moment = at("2026-03-11T10:00:00.700+00:00")
    issue = Issue(updated=moment)
    for zone in ("Europe/Berlin", "America/New_York"):
        context = Context(time_zone=ZoneInfo(zone))
        assert matches(f"updated >= {moment}", issue, context)
        assert matches(f"updated <= {moment - 600}", issue, context)
        assert not matches(f"updated > {moment - 600}", issue, context)
        assert matches(f"updated > {moment - 1000}", issue, context)


def test_a_day_starts_where_the_clocks_change() -> None:
    """On the last Sunday of March a Berlin day has 23 hours; its start is still midnight."""
    context = Context(now=Context().now.replace(month=3, day=29, hour=20))
    start = at("2026-03-29T00:00:00+01:00")
    assert matches("created >= startOfDay()", Issue(created=start), context)
    assert not matches("created >= startOfDay()", Issue(created=start - 1000), context)
    assert matches("created <= endOfDay()", Issue(created=at("2026-03-29T23:59:59+02:00")), context)


HISTORY = Issue(
    "ABC-1",
    status="6",
    created=at("2026-03-01T09:00:00+00:00"),
    creator="JU3",
    fixVersions=["202"],
    history={
        "status": [
            JqlChange(at("2026-03-02T09:00:00+00:00"), "JU1", "1", "3"),
            JqlChange(at("2026-03-05T09:00:00+00:00"), "JU2", "3", "6"),
        ],
        "fixVersions": [
            JqlChange(at("2026-03-02T09:00:00+00:00"), "JU1", None, "201"),
            JqlChange(at("2026-03-03T09:00:00+00:00"), "JU1", "201", None),
            JqlChange(at("2026-03-03T09:00:00+00:00"), "JU1", None, "202"),
        ],
    },
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("status was Open", True),
        ("status was 'In Progress'", True),
        ("status was Done", True),
        ("status was in (Open, Done)", True),
        ("status was not 'In Progress'", False),
        ("not status was Open", False),
        ("status was Open before 2026-03-02", True),
        ("status was Open after 2026-03-03", False),
        ("status was Done before 2026-03-04", False),
        ("status was 'In Progress' by alice", True),
        ("status was 'In Progress' by bob", False),
        ("status was Open by carol", True),
        ("status was 'In Progress' during (2026-03-03, 2026-03-04)", True),
        ("status was 'In Progress' during (2026-03-06, 2026-03-07)", False),
        ("status was 'In Progress' on 2026-03-05", True),
        ("status was 'In Progress' on 2026-03-06", False),
        ("status changed", True),
        ("status changed from Open to 'In Progress'", True),
        ("status changed from Open to Done", False),
        ("status changed to Done by bob", True),
        ("status changed to Done by (alice, carol)", False),
        ("status changed after 2026-03-04 before 2026-03-06", True),
        ("status changed on 2026-03-05", True),
        ("status changed during (2026-03-06, now())", False),
        ("not status changed", False),
        ("assignee changed", False),
        ("fixVersion was '1.0'", True),
        ("fixVersion was '2.0'", False),
        ("fixVersion was EMPTY", True),
        ("fixVersion was EMPTY after 2026-03-04", False),
        ("fixVersion changed from '1.0'", True),
        ("fixVersion was '1.0' on 2026-03-02", True),
        ("fixVersion was '1.0' on 2026-03-04", False),
    ],
)
def test_the_past_of_an_issue(text: str, found: bool) -> None:
    """WAS asks for a period in which a field held a value, CHANGED for a change."""
    assert matches(text, HISTORY) is found


def keys(text: str, *issues: Issue) -> list[str]:
    return [issue.key for issue in compile_query(text, Context()).sort(issues)]


def test_order() -> None:
    """Several fields, each its own way; without ORDER BY the newest key is first; ties keep their order."""
    one, two, ten = Issue("ABC-1", priority="3"), Issue("ABC-2", priority="1"), Issue("ABC-10", priority="3")
    other = Issue("DEF-1", priority="1")
    assert keys("", one, other, two, ten) == ["DEF-1", "ABC-10", "ABC-2", "ABC-1"]
    assert keys("order by key asc", ten, other, two, one) == ["ABC-1", "ABC-2", "ABC-10", "DEF-1"]
    assert keys("order by priority asc, key desc", one, other, two, ten) == ["DEF-1", "ABC-2", "ABC-10", "ABC-1"]
    assert keys("order by priority", two, one, other, ten) == ["ABC-1", "ABC-10", "ABC-2", "DEF-1"]


def test_an_issue_without_the_value_is_sorted_behind_upwards_and_before_downwards() -> None:
    """Jira counts a missing value as greater than any."""
    early, late, never = (
        Issue("ABC-1", duedate=date(2026, 1, 1)),
        Issue("ABC-2", duedate=date(2026, 2, 1)),
        Issue("ABC-10"),
    )
    assert keys("order by due asc", never, late, early) == ["ABC-1", "ABC-2", "ABC-10"]
    assert keys("order by due desc", early, late, never) == ["ABC-10", "ABC-2", "ABC-1"]


def test_users_are_sorted_by_their_names_and_text_without_regard_to_case() -> None:
    """Keys and capitals are not what people read."""
    alice, bob = Issue("ABC-1", assignee="JU1", summary="beta"), Issue("ABC-2", assignee="JU2", summary="Alpha")
    assert keys("order by assignee asc", bob, alice) == ["ABC-1", "ABC-2"]
    assert keys("order by summary asc", alice, bob) == ["ABC-2", "ABC-1"]


def test_a_thousand_issues_are_filtered_in_well_under_fifty_milliseconds() -> None:
    """Clauses are closures over sets; nothing is parsed again for each issue."""
    text = "Lorem ipsum dolor sit amet consetetur sadipscing elitr sed diam nonumy eirmod tempor invidunt " * 10
    issues = [
        Issue(
            f"ABC-{number}",
            project="10000" if number % 3 else "10001",
            status=str((1, 3, 6)[number % 3]),
            summary=f"Issue {number}",
            description=f"{text} number {number}",
            updated=at("2026-03-01T00:00:00+00:00") + number * 1000,
        )
        for number in range(1000)
    ]
    query = compile_query("project = ABC and updated >= 2026-03-01 and description ~ 'number 1*'", Context())
    fastest = min(_timed(query, issues) for _ in range(5))
    assert fastest < 0.05
    expected = {number for number in range(1000) if number % 3 and str(number).startswith("1")}
    assert {issue.key for issue in issues if query.matches(issue)} == {f"ABC-{number}" for number in expected}


def _timed(query: Query, issues: list[Issue]) -> float:
    start = time.process_time()
    for issue in issues:
        query.matches(issue)
    return time.process_time() - start


def test_characters_that_are_written_in_halves_are_joined_and_a_lone_half_does_no_harm() -> None:
    """Clients escape characters beyond the first plane in two halves; an error's text can always be sent back."""
    issue = Issue(labels=["\N{GRINNING FACE}"])
    assert matches(r"labels = '\ud83d\ude00'", issue)
    assert matches("labels = '\N{GRINNING FACE}'", issue)
    for text in (r"project = '\ud83d'", "project = '\ud83d'"):
        [message] = refusal(text)
        assert (
            message.encode() == "The value '\N{REPLACEMENT CHARACTER}' does not exist for the field 'project'.".encode()
        )
