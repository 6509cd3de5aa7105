"""How the other side's comments read in our issue."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rules.comments import escape, format_comment, format_worklog, split_comment

_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_author_stands_above_the_untouched_body() -> None:
    """A list at the start of a body stays a list, because it starts a line."""
    assert format_comment("Alice Smith", "* one\n* two") == "*Alice Smith* commented:\n* one\n* two"


@pytest.mark.parametrize("body", ["", "  ", "\n"])
def test_an_empty_body_leaves_the_first_line(body: str) -> None:
    """Jira refuses empty comments; the first line alone is not empty, and no trailing space can be lost."""
    assert format_comment("Alice", body) == "*Alice* commented:"


@pytest.mark.parametrize("author", [None, "", "  "])
def test_nobody_is_called_as_jira_calls_them(author: str | None) -> None:
    """A comment without an author is said to be anonymous, so that nobody takes it for ours."""
    assert format_comment(author, "Hello") == "*Anonymous* commented:\nHello"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Jean-Luc O'Hara_x", "Jean-Luc O'Hara_x"),
        ("*Root*", "\\*Root\\*"),
        ("[~admin]", "\\[\\~admin\\]"),
        ("{color:red}Al{color}", "\\{color:red\\}Al\\{color\\}"),
        ("-struck-", "\\-struck\\-"),
        ("a\\b", "a\\\\b"),
        ("Al\nice\r\n h1. Big", "Al ice h1. Big"),
        ("!http://evil/x.png!", "\\!http://evil/x.png\\!"),
    ],
)
def test_markup_in_a_name_has_no_effect(name: str, written: str) -> None:
    """A name can neither style the text, nor mention somebody, nor break the line."""
    assert escape(name) == written


@given(_TEXT, _TEXT)
def test_the_prefix_can_be_taken_off_again(author: str, body: str) -> None:
    """What was written is found again exactly, unless it was blank."""
    split = split_comment(format_comment(author, body))
    assert split is not None
    assert split[1] == (body if body.strip() else "")
    assert "\n" not in split[0]


@pytest.mark.parametrize("text", ["", "Hello", "** commented:\nx", "*Al* said:\nx"])
def test_other_texts_are_not_taken_for_ours(text: str) -> None:
    """Only the exact form is recognised."""
    assert split_comment(text) is None


def test_logged_time_says_who_logged_it() -> None:
    """A worklog without a comment still says whose time it is."""
    assert format_worklog("Alice", "") == "*Alice* logged this time."
    assert format_worklog("Alice", "Tea") == "*Alice* logged this time.\nTea"
