"""Builds HTML from values: whatever is not markup already is escaped, so that nothing can be forgotten.

Never reads a template: a page is a function, and a type checker sees it.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
_ADDRESSES = frozenset({"href", "src", "action"})
_SAFE_ADDRESSES = ("/", "#", "?", "http://", "https://", "mailto:")


class Html(str):
    """Text that is markup and may be sent as it is."""

    __slots__ = ()


Child: TypeAlias = "Html | str | int | Iterable[Child] | None"
"""What may stand in an element: markup, text (escaped), numbers, nothing, or several of these."""


def join(*children: Child) -> Html:
    """Return the children one after the other as markup."""
    return Html("".join(map(_markup, children)))


def _markup(child: Child) -> str:
    if child is None:
        return ""
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return escape(child)
    if isinstance(child, int):
        return str(child)
    return "".join(map(_markup, child))


def tag(name: str, /, *children: Child, **attributes: str | int | bool | None) -> Html:
    """Return an element. ``class_`` is ``class``, ``data_key`` is ``data-key``; None and False leave one out.

    An address that is neither of this site nor of a well-known scheme becomes ``#``: no ``javascript:`` gets in.
    """
    written = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")


def _attribute(name: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    text = str(value)
    if name in _ADDRESSES and not text.lower().startswith(_SAFE_ADDRESSES):
        text = "#"
    return f' {name}="{escape(text)}"'


def document(title: str, body: Html, *, style: str, script: str) -> str:
    """Return a whole page; ``style`` and ``script`` are addresses on this site."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("link", rel="stylesheet", href=style),
        tag("link", rel="icon", href="data:,"),
        tag("script", src=script, defer=True),
    )
    return "<!doctype html>\n" + tag("html", head, body, lang="en")
