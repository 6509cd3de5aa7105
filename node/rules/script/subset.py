"""Rule subset v1: which part of Python a script may use, and what it reads and writes.

Runs in a worker process only, since the parser is fed with what others wrote; ``parse_worker`` is its one caller
there. Decides from the text alone, in one `walk`: it knows no schema and runs nothing. Gives a program in which the
script is the body of one function, line for line and one column to the right, with a note after each statement that
sets a field.
"""

from __future__ import annotations

import ast
import warnings
from typing import Any

from node.rules.script import flow, language, syntax, words
from node.rules.script.walk import Walk
from node.rules.similar import closest


def _names(walk: Walk) -> None:
    known = walk.bound | words.GIVEN | words.BUILTINS
    for node in walk.loads:
        if node.id in known:
            continue
        if node.id in words.REFUSED_NAMES:
            walk.find(node, f"`{node.id}` is not part of the language of scripts", words.REFUSED_NAMES[node.id], "name")
            continue
        close = closest(node.id, sorted(known))
        suggestion = f"Did you mean `{close}`?" if close else "Is it spelled as where it was set?"
        walk.find(node, f"there is nothing called `{syntax.short(node.id)}`", suggestion, "name")


def wrap(walk: Walk, source: str, *, notes: bool) -> str:
    """Return the script as the body of ``_rule``: one line further down, one column to the right."""
    rows = [line.encode() for line in source.split("\n")]
    if notes:
        for line, offset, text in sorted(set(walk.notes), reverse=True):
            row = rows[line - 1]
            rows[line - 1] = row[:offset] + text.encode() + row[offset:]
    body = [row if number in walk.kept_lines else b" " + row for number, row in enumerate(rows, 1)]
    header = f"def _rule({', '.join(words.PARAMETERS)}):"
    return b"\n".join([header.encode(), *body, b" pass"]).decode()


def analyse(source: str, direction: str) -> dict[str, Any]:
    """Return what is wrong with a script and, where nothing is, what to run. JSON values only; never raises."""
    bad = _outside(source)
    if bad is not None:
        return {"findings": [bad]}
    walk = Walk(source, direction)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        walk.walk(tree)
    except SyntaxError as error:
        return {"findings": [_syntax(error)]}
    except (RecursionError, MemoryError, ValueError):
        return {"findings": [_finding("this is nested too deeply or too long to be read", 1)]}
    _names(walk)
    walk.findings.sort(key=lambda finding: (finding["line"], finding["column"]))
    if walk.unspeakable:
        return {"findings": walk.findings}
    return {
        "findings": walk.findings,
        "plain": wrap(walk, source, notes=False),
        "code": wrap(walk, source, notes=True),
        "notes": sorted(set(walk.notes)),
        "uses": walk.uses,
        "reads": {root: None if names is None else sorted(names) for root, names in walk.reads.items()},
        "clock": walk.clock,
        "entries": _meets_entries(walk),
        "names": sorted({node.id for node in walk.loads} & words.GIVEN),
        "loops": sorted(walk.loops),
        # What was refused was not measured either: it may be nested too deeply to be walked through.
        "flow": flow.NOTHING if walk.findings else flow.flow(tree),
    }


def _outside(source: str) -> dict[str, Any] | None:
    if len(source) > language.MAX_SOURCE:
        return _finding(f"a script has at most {language.MAX_SOURCE} characters, this one has {len(source)}", 1)
    for number, line in enumerate(source.split("\n"), 1):
        for column, character in enumerate(line, 1):
            if (character < " " and character != "\t") or character == "\x7f" or "\ud800" <= character <= "\udfff":
                return _finding("a control character is not part of the language of scripts", number, column)
    return None


def _meets_entries(walk: Walk) -> bool:
    """Tell whether a script can meet comments, files, logged time or links; where it hands the whole on, it can."""
    if any(names is None for names in walk.reads.values()):
        return True
    return any(use["what"] == "field" and use["name"] in words.ENTRIES for use in walk.uses)


def _syntax(error: SyntaxError) -> dict[str, Any]:
    message = (error.msg or "this cannot be read").split(" (<unknown>")[0]
    column = max(1, error.offset or 1)
    end = error.end_offset if error.end_lineno == error.lineno and error.end_offset else None
    finding = _finding(message[:1].lower() + message[1:], error.lineno or 1, column)
    finding["end_column"] = end if end and end > column else None
    finding["code"] = "syntax"
    return finding


def _finding(message: str, line: int, column: int = 1) -> dict[str, Any]:
    return {"severity": "error", "message": message, "line": line, "column": column, "end_column": None,
            "suggestion": "", "code": "limit"}  # fmt: skip
