"""What the parser makes of a script: the program around it, what it reads, and the places of everything."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rules.script import language, subset, words
from node.rules.script.program import prelude_for
from node.rules.script.projection import Reads, job_for
from tests.support.scripts import SCHEMA, bare_python, inputs


def analyse(source: str, direction: str = "incoming") -> dict[str, Any]:
    return subset.analyse(source, direction)


def test_the_program_keeps_lines_and_moves_columns_by_one() -> None:
    """Line n of the script is line n + 1 of the program; texts over several lines are not touched."""
    source = "x = '''a\nb\n  c'''\nif x:\n\tissue.summary = x  # why\n\nlog(f'''{x}\nend''')"
    rows = analyse(source)["plain"].split("\n")
    assert rows[0].startswith("def _rule(issue, replica, previous, first_sync")
    assert rows[1:9] == [
        " x = '''a",
        "b",
        "  c'''",
        " if x:",
        " \tissue.summary = x  # why",
        " ",
        " log(f'''{x}",
        "end''')",
    ]
    ast.parse("\n".join(rows))


def test_notes_stand_after_statements_on_the_same_line() -> None:
    """Each statement that sets a field is followed by a note of its line, before a comment, also behind umlauts."""
    rows = analyse("issue.summary = 'ä'; issue.labels.append('x')  # c\nissue.custom['S'] = (1 +\n  2)")["code"].split(
        "\n"
    )
    assert rows[1] == " issue.summary = 'ä';_w(issue,'summary',1); issue.labels.append('x');_w(issue,'labels',1)  # c"
    assert rows[3] == "   2);_w(issue.custom,'S',2)"


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("replica.summary = issue.summary", {"issue": ["summary"], "replica": [], "previous": []}),
        ("replica.summary += 'x'", {"issue": [], "replica": ["summary"], "previous": []}),
        (
            "replica.comments = comments.merge(issue, replica)",
            {"issue": ["comments"], "replica": ["comments"], "previous": []},
        ),
        ("x = issue.custom['A']", {"issue": ["custom.A"], "replica": [], "previous": []}),
        ("n = 'A'\nx = issue.custom[n]", {"issue": ["custom"], "replica": [], "previous": []}),
        (
            "replica.other['state'] = previous.other['state']",
            {"issue": [], "replica": ["other.state"], "previous": ["other.state"]},
        ),
        ("x = [name for name in replica.other]", {"issue": [], "replica": ["other"], "previous": []}),
        ("f = lambda i: i.key\nx = f(issue)", {"issue": None, "replica": [], "previous": []}),
        ("x = previous or replica", {"issue": [], "replica": None, "previous": None}),
        ("x = issue and previous", {"issue": [], "replica": [], "previous": None}),
        ("if not previous or previous is None: pass", {"issue": [], "replica": [], "previous": []}),
        ("if previous and previous.status: pass", {"issue": [], "replica": [], "previous": ["status"]}),
        ("def f(issue):\n    return issue.key", {"issue": None, "replica": [], "previous": []}),
    ],
)
def test_reads_are_known_from_the_text(source: str, reads: dict[str, Any]) -> None:
    """A script gets only what it reads; where that cannot be known, it gets all."""
    assert analyse(source, "outgoing")["reads"] == reads


@pytest.mark.parametrize(
    ("source", "clock"),
    [("dates.today()", True), ("dates.now()", True), ("d = dates\nd.parse('x')", True), ("dates.parse('x')", False)],
)
def test_reading_the_clock_is_known_from_the_text(source: str, clock: bool) -> None:
    """Whether an evaluation depends on the time is seen before it runs."""
    assert analyse(source)["clock"] is clock


def test_only_what_is_read_goes_into_the_box() -> None:
    """A script that reads the summary never holds a comment or another field."""
    reads = Reads(frozenset({"summary", "custom.Severity"}), frozenset(), frozenset(), clock=False)
    job = job_for(inputs("outgoing"), "outgoing", SCHEMA, reads, "2026-11-24T10:00:00+00:00")
    assert job["issue"] == {"summary": "Printer on fire", "custom": {"Severity": "High"}}
    assert job["replica"] == {}
    assert job["now"] == ""


@given(st.text(max_size=200))
def test_any_text_is_judged_and_never_raises(source: str) -> None:
    """Whatever is typed, the parser answers: findings with places inside the text, or a program."""
    found = analyse(source)
    for finding in found["findings"]:
        assert 1 <= finding["line"] <= source.count("\n") + 1
        assert finding["column"] >= 1
    if not found["findings"]:
        ast.parse(found["code"])


_NAMES = st.sampled_from(["a", "b", "c"])
_STATEMENTS = st.one_of(
    st.builds("issue.summary = {!r}".format, st.text(alphabet="äx'\"\\\n ", max_size=5)),
    st.builds("issue.labels.append({!r})".format, st.text(alphabet="xy", max_size=3)),
    st.builds("issue.custom['Customer'] = {!r}".format, st.integers(0, 9).map(str)),
    st.builds("{} = {!r}; issue.description = '''x\ny'''".format, _NAMES, st.integers()),
)


@given(st.lists(_STATEMENTS, min_size=1, max_size=8))
def test_notes_name_the_line_that_set_a_field_last(statements: list[str]) -> None:
    """For any run of statements, each field's origin is the line of the last statement that set it."""
    wanted: dict[str, int] = {}
    line = 1
    for statement in statements:
        for piece, name in (("issue.summary", "summary"), ("issue.labels", "labels"), ("issue.desc", "description")):
            if piece in statement:
                wanted[name] = line
        if "custom" in statement:
            wanted["custom.Customer"] = line
        line += statement.count("\n") + 1
    assert bare_python("\n".join(statements), "incoming")(inputs())["origins"] == wanted


def test_the_prelude_holds_only_what_a_script_names() -> None:
    """A script that asks nobody carries no helper for people, and none of its text."""
    small = prelude_for([], direction="incoming", shape={}, entries=False)
    large = prelude_for(words.GIVEN, direction="outgoing", shape={})
    assert "class Users" not in small
    assert "class Users" in large
    assert len(small) < len(large) / 2
    assert "_ask(" not in small
    ast.parse(large)


def test_every_helper_that_is_named_exists_in_the_prelude() -> None:
    """The list that the check uses and the classes that scripts meet agree."""
    tree = ast.parse(prelude_for(words.GIVEN, direction="outgoing", shape={}))
    methods = {
        node.name: {entry.name for entry in node.body if isinstance(entry, ast.FunctionDef)}
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    for helper, named in words.HELPER_METHODS.items():
        kind = {"versions": "Named", "components": "Named"}.get(helper, helper.capitalize())
        assert methods[kind] == set(named), helper
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert set(words.FUNCTIONS) <= functions


def test_the_language_is_a_list_of_what_is_allowed() -> None:
    """Kinds of syntax that nobody thought of are refused: the list names what may pass."""
    for kind in ("Import", "ClassDef", "AsyncFunctionDef", "Await", "Yield", "Global", "Match", "Delete", "With"):
        assert kind not in language.ALLOWED
        assert kind in language.REFUSED
