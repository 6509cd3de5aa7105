"""Text from outside, fit to be shown to people: nothing in it moves a cursor, hides a line or turns a sentence round.

Pure. Peers and people of either Jira write names, keys and values; a terminal and a log must show them as text.
"""

from __future__ import annotations

import re
from typing import Final

_UNSEEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, signs that change the direction of writing, and halves of characters."""
_BREAKS: Final = re.compile("[\x0a\u2028\u2029]")


def plain(text: str) -> str:
    """Return the text with a replacement sign for every character that would act instead of being read."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text)


def one_line(text: str) -> str:
    """Return the text on one line, so that nobody can write a line of his own into a log."""
    return _BREAKS.sub(" \N{DOWNWARDS ARROW WITH CORNER LEFTWARDS} ", plain(text))


def escaped(json_text: str) -> str:
    """Return JSON that means the same, with those characters written as escapes."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json_text)
