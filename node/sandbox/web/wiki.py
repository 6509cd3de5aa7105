"""Shows Jira's wiki markup as HTML, the parts of it that people use: enough to read an issue, not a full renderer.

Headings, lists, tables, quotes, code, links, mentions, images of the issue's own attachments, bold, italic and kin.
What is not known stays as text. The text is a stranger's: it is cut at a length, and every piece is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from node.sandbox.web.html import Child, Html, join, tag

SHOWN_CHARACTERS = 200_000
"""More of a text than this is not shown: a browser chokes long before a Jira does."""

_BLOCK_MACRO = re.compile(r"\{(code|noformat|quote|panel)(?::([^{}\n]*))?\}", re.IGNORECASE)
_HEADING = re.compile(r"\s*h([1-6])\.\s+(.*)")
_QUOTE_LINE = re.compile(r"\s*bq\.\s+(.*)")
_RULE = re.compile(r"\s*-{4,}\s*\Z")
_ITEM = re.compile(r"\s*([*#]+|-)\s+(.*)")
_ROW = re.compile(r"\s*\|(.+)")
_CELL_END = re.compile(r"\|(?![^\[\n]{0,200}\])")
"""A bar that is not within a link's brackets; the bound keeps a hostile row from taking long."""
_COLOR = re.compile(r"\{color(?::[^{}\n]*)?\}", re.IGNORECASE)
"""Options hold no opening brace: so many macros that are never closed cannot make a search read the line for each."""
_INLINE = re.compile(
    r"""
      (?P<newline>\\\\)
    | \\(?P<escaped>[{}\[\]*_^~+\-!|])
    | \{\{(?P<mono>(?:(?!\{\{|\}\})[^\n])+)\}\}
    | \[(?P<link>[^\[\]\n]+)\]
    | !(?P<picture>[^!\n|\s][^!\n|]*(?:\|[^!\n]*)?)!
    | (?P<url>https?://[^\s<>"'\])|]+[^\s<>"'\])|.,;:!?])
    | (?<![\w*])\*(?=\S)(?P<bold>[^*\n]+)(?<=\S)\*(?![\w*])
    | (?<![\w_])_(?=\S)(?P<italic>[^_\n]+)(?<=\S)_(?![\w_])
    | (?<![\w-])-(?=[^\s-])(?P<deleted>[^-\n]+)(?<=\S)-(?![\w-])
    | (?<![\w+])\+(?=\S)(?P<inserted>[^+\n]+)(?<=\S)\+(?![\w+])
    """,
    re.VERBOSE,
)
_ELEMENTS = {"bold": "strong", "italic": "em", "deleted": "del", "inserted": "ins"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a text may point to: addresses of the issue's attachments by file name, people's names by user name."""

    files: Mapping[str, str] = field(default_factory=dict)
    people: Callable[[str], str | None] = lambda _name: None


def show(text: str, around: Surroundings) -> Html:
    """Return the text as HTML."""
    cut = text[:SHOWN_CHARACTERS].replace("\r\n", "\n").replace("\r", "\n")
    parts = list[Child](_blocks(cut, around))
    if len(text) > SHOWN_CHARACTERS:
        parts.append(tag("p", f"The first {SHOWN_CHARACTERS:,} of {len(text):,} characters are shown.", class_="muted"))
    return tag("div", parts, class_="wiki")


def _blocks(text: str, around: Surroundings) -> list[Html]:
    """Split at block macros; what is between them is read line by line."""
    shown, position = list[Html](), 0
    while opening := _BLOCK_MACRO.search(text, position):
        name = opening[1].lower()
        closing = re.compile(r"\{" + name + r"\}", re.IGNORECASE).search(text, opening.end())
        if closing is None:
            break
        shown += _lines(text[position : opening.start()].split("\n"), around)
        shown.append(_macro(name, opening[2], text[opening.end() : closing.start()], around))
        position = closing.end()
    return shown + _lines(text[position:].split("\n"), around)


def _macro(name: str, options: str | None, content: str, around: Surroundings) -> Html:
    if name in {"code", "noformat"}:
        return tag("pre", tag("code", content.strip("\n")))
    inner = _lines(content.split("\n"), around)
    if name == "quote":
        return tag("blockquote", inner)
    title = re.search(r"title=([^|]*)", options or "")
    return tag("div", tag("p", tag("strong", title[1])) if title else None, inner, class_="panel")


def _lines(lines: Sequence[str], around: Surroundings) -> list[Html]:
    shown, paragraph, index = list[Html](), list[str](), 0

    def close() -> None:
        if paragraph:
            shown.append(tag("p", _broken([inline(line, around) for line in paragraph])))
            paragraph.clear()

    while index < len(lines):
        line = lines[index]
        block, used = _block(lines, index, around)
        if block is not None:
            close()
            shown.append(block)
        elif line.strip():
            paragraph.append(line.strip())
        else:
            close()
        index += used
    close()
    return shown


def _block(lines: Sequence[str], index: int, around: Surroundings) -> tuple[Html | None, int]:
    """Return the block that starts on this line and how many lines it takes; None and 1 for plain text."""
    line = lines[index]
    if found := _HEADING.match(line):
        return tag(f"h{min(int(found[1]) + 2, 6)}", inline(found[2], around)), 1
    if found := _QUOTE_LINE.match(line):
        return tag("blockquote", tag("p", inline(found[1], around))), 1
    if _RULE.match(line):
        return tag("hr"), 1
    for pattern, build in ((_ITEM, _list), (_ROW, _table)):
        taken = 0
        while index + taken < len(lines) and pattern.match(lines[index + taken]):
            taken += 1
        if taken:
            return build(lines[index : index + taken], around), taken
    return None, 1


_DEEPEST = 8


def _list(lines: Sequence[str], around: Surroundings) -> Html:
    items = [(found[1], found[2]) for line in lines if (found := _ITEM.match(line))]
    return join(_nested([(min(len(mark), _DEEPEST), mark[-1] == "#", text) for mark, text in items], around))


def _nested(items: Sequence[tuple[int, bool, str]], around: Surroundings) -> list[Html]:
    """Build lists of items of one level; deeper items hang on the one before them."""
    lists, index = list[Html](), 0
    while index < len(items):
        level, numbered, _ = items[index]
        built = list[Html]()
        while index < len(items) and items[index][1] == numbered and items[index][0] == level:
            text, children = items[index][2], index + 1
            while children < len(items) and items[children][0] > level:
                children += 1
            built.append(tag("li", inline(text, around), _nested(items[index + 1 : children], around)))
            index = children
        lists.append(tag("ol" if numbered else "ul", built))
        if index < len(items) and items[index][0] < level:
            lists += _nested(items[index:], around)
            break
    return lists


def _table(lines: Sequence[str], around: Surroundings) -> Html:
    rows = []
    for line in lines:
        heading = line.strip().startswith("||")
        cells = re.split(r"\|\|" if heading else _CELL_END, line.strip().strip("|"))
        rows.append(tag("tr", [tag("th" if heading else "td", inline(cell.strip(), around)) for cell in cells]))
    return tag("div", tag("table", rows), class_="scroll")


def inline(text: str, around: Surroundings) -> Html:
    """Return one line's markup as HTML."""
    text = _COLOR.sub("", text)
    shown, position = list[Child](), 0
    for found in _INLINE.finditer(text):
        shown.append(text[position : found.start()])
        shown.append(_span(found, around))
        position = found.end()
    shown.append(text[position:])
    return join(shown)


def _span(found: re.Match[str], around: Surroundings) -> Child:  # noqa: PLR0911 - one line a kind
    kind = found.lastgroup or ""
    content = found[kind]
    if kind == "newline":
        return tag("br")
    if kind in _ELEMENTS:
        return tag(_ELEMENTS[kind], inline(content, around))
    if kind == "mono":
        return tag("code", content)
    if kind == "link":
        return _link(content, around)
    if kind == "picture":
        name, _, options = content.partition("|")
        address = around.files.get(name)
        look = "inline-image thumbnail" if "thumbnail" in options else "inline-image"
        return tag("img", src=address, alt=name, class_=look) if address else found[0]
    if kind == "url":
        return _outside(content, content)
    return content


def _link(content: str, around: Surroundings) -> Child:
    if content.startswith("~"):
        name = content[1:].removeprefix("accountid:")
        return tag("span", "@" + (around.people(name) or name), class_="mention")
    if content.startswith("^"):
        address = around.files.get(content[1:])
        return tag("a", content[1:], href=address) if address else content[1:]
    text, _, address = content.rpartition("|")
    if re.match(r"(?:https?://|mailto:)", address, re.IGNORECASE):
        return _outside(address, text or address)
    return f"[{content}]"


def _outside(address: str, text: str) -> Html:
    return tag("a", text, href=address, rel="noopener noreferrer nofollow", target="_blank")


def _broken(parts: Sequence[Child]) -> Html:
    """Put a line break between the parts."""
    return join([[tag("br") if position else None, part] for position, part in enumerate(parts)])
