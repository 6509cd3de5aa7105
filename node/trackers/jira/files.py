"""Attachments on their way to Jira: safe names, one streamed multipart body, and the answer put in order.

The body is never in memory as a whole. Never downloads; `client` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from requests_toolbelt import MultipartEncoder  # type: ignore[import-untyped]

from node.errors import TrackerUncertain
from node.trackers.base import FileToAttach
from node.trackers.issue import Attachment
from node.trackers.jira.client import Upload

LONGEST_NAME = 250
"""Characters; Jira's column for file names holds 255."""
_MIME = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}", re.ASCII)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069/\\:*?<>|"\ud800-\udfff]')


def safe_name(name: str) -> str:
    """Return a name that survives a multipart header and every file system: no control characters, no path, not long.

    Quotes become apostrophes and the rest underscores, because servers differ in how they undo escapes there
    (RFC 7578, 4.2).
    """
    name = _UNSAFE.sub("_", name.replace('"', "'"))
    if not name.strip(" ."):
        return "attachment"
    if len(name) <= LONGEST_NAME:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 20:  # noqa: PLR2004 - longer is no file name extension
        return name[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"


def multipart(files: Sequence[FileToAttach]) -> Upload:
    """Return the body that attaches these files (parts named ``file``). Raises OSError where one cannot be read."""
    size = sum(file.path.stat().st_size for file in files)

    @contextmanager
    def opened() -> Iterator[Any]:
        with ExitStack() as handles:
            parts = []
            for file in files:
                mime = file.mime if file.mime and _MIME.fullmatch(file.mime) else "application/octet-stream"
                parts.append(("file", (safe_name(file.name), handles.enter_context(file.path.open("rb")), mime)))
            yield MultipartEncoder(parts)

    return Upload(opened, size)


def in_order(answer: Sequence[Attachment], files: Sequence[FileToAttach]) -> list[Attachment]:
    """Return Jira's answer in the order of the files. Raises TrackerUncertain where it lists fewer or more."""
    if len(answer) != len(files):
        raise TrackerUncertain(
            f"Jira was asked to attach {len(files)} files, but its answer lists {len(answer)}.",
            advice="Look at the attachments of that issue.",
        )
    left = list(answer)
    found: list[Attachment | None] = []
    for file in files:
        entry = next((entry for entry in left if entry.name == safe_name(file.name)), None)
        if entry is not None:
            left.remove(entry)
        found.append(entry)
    return [entry if entry is not None else left.pop(0) for entry in found]
