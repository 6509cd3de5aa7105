"""The pages' HTML: nothing that a stranger wrote becomes markup, and wiki markup reads as people mean it."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from node.sandbox.web.html import tag
from node.sandbox.web.wiki import SHOWN_CHARACTERS, Surroundings, show

AROUND = Surroundings({"jam.png": "/files/1/jam.png"}, {"bob": "Bob Brown"}.get)

ALLOWED = {
    *("div", "p", "br", "hr", "strong", "em", "del", "ins", "code", "pre", "blockquote", "ul", "ol", "li"),
    *("table", "tr", "th", "td", "a", "img", "span", "h3", "h4", "h5", "h6"),
}


class Reader(HTMLParser):
    """Notes the elements, attributes and text of a page, and whether every element was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += attrs
        if tag not in {"br", "hr", "img"}:
            self.open.append(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


def read(markup: str) -> Reader:
    reader = Reader()
    reader.feed(markup)
    reader.close()
    assert reader.open == []
    return reader


@given(st.text(st.sampled_from("ab<>&\"'*_-+{}[]|!^~#h2. \n\\:/jam.pngcodequote=~bobhttps")))
def test_no_text_becomes_markup_of_its_own(text: str) -> None:
    """Whatever is written, only the renderer's own elements appear, closed, with harmless addresses."""
    reader = read(show(text, AROUND))
    assert reader.elements <= ALLOWED
    assert all(not name.startswith("on") and name != "style" for name, _ in reader.attributes)
    addresses = [value or "" for name, value in reader.attributes if name in {"href", "src"}]
    assert all(value.startswith(("/files/", "http://", "https://", "mailto:")) for value in addresses)


@pytest.mark.parametrize(
    ("markup", "html"),
    [
        ("plain", "<p>plain</p>"),
        ("<b>&", "<p>&lt;b&gt;&amp;</p>"),
        ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
        ("h2. Head *bold*", "<h4>Head <strong>bold</strong></h4>"),
        ("*b* _i_ -d- +n+ {{m}}", "<p><strong>b</strong> <em>i</em> <del>d</del> <ins>n</ins> <code>m</code></p>"),
        ("2026-03-04 a_b_c 3*4*5", "<p>2026-03-04 a_b_c 3*4*5</p>"),
        (r"\*not bold\*", "<p>*not bold*</p>"),
        (r"a\\b", "<p>a<br>b</p>"),
        ("* a\n** b\n* c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("# a\n#* b", "<ol><li>a<ul><li>b</li></ul></li></ol>"),
        ("||H||\n|c|", '<div class="scroll"><table><tr><th>H</th></tr><tr><td>c</td></tr></table></div>'),
        ("{code:java}\n*x* < y\n{code}", "<pre><code>*x* &lt; y</code></pre>"),
        ("{quote}said *so*{quote}", "<blockquote><p>said <strong>so</strong></p></blockquote>"),
        ("bq. said", "<blockquote><p>said</p></blockquote>"),
        ("a\n----\nb", "<p>a</p><hr><p>b</p>"),
        ("{color:red}warm{color}", "<p>warm</p>"),
        ("[~bob] [~eve]", '<p><span class="mention">@Bob Brown</span> <span class="mention">@eve</span></p>'),
        ("!jam.png!", '<p><img src="/files/1/jam.png" alt="jam.png" class="inline-image"></p>'),
        ("!other.png!", "<p>!other.png!</p>"),
        ("[^jam.png]", '<p><a href="/files/1/jam.png">jam.png</a></p>'),
        ("[x|javascript:alert(1)]", "<p>[x|javascript:alert(1)]</p>"),
        ("{code}never closed", "<p>{code}never closed</p>"),
    ],
)
def test_markup_reads_as_people_mean_it(markup: str, html: str) -> None:
    """The parts of wiki markup that issues really use."""
    assert show(markup, AROUND) == f'<div class="wiki">{html}</div>'


@pytest.mark.parametrize(
    "piece",
    ["[", "*", "{{", "!", "|", "{quote}", "_a ", "h", "\\", "** a\n* b\n", "|a[", "http://", "{panel:", "{color:"],
)
def test_a_hostile_text_takes_no_longer_than_a_plain_one(piece: str) -> None:
    """No piece makes the renderer go over the text again and again."""
    text = piece * (100_000 // len(piece))
    start = time.process_time()
    show(text, AROUND)
    assert time.process_time() - start < 5


def test_a_huge_text_is_cut_and_says_so() -> None:
    """A description of megabytes does not become a page of megabytes."""
    markup = show("x" * (SHOWN_CHARACTERS + 5), AROUND)
    assert len(markup) < SHOWN_CHARACTERS + 1000
    assert "The first 200,000 of 200,005 characters are shown." in markup


def test_an_element_escapes_what_it_is_given() -> None:
    """Text, attributes and addresses; None and False leave an attribute out."""
    markup = tag("a", "<&>", href="javascript:x", title='"', class_="c", hidden=False, data_key=1, open=True)
    assert markup == '<a href="#" title="&quot;" class="c" data-key="1" open>&lt;&amp;&gt;</a>'
