"""Reading a dump: one issue of Jira's REST per line, as JSON, plain or compressed with gzip. Bounded, line by line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LINE_LIMIT = 64 * 1024 * 1024
"""No line of a dump is longer: more is a damaged file, and would fill the memory."""

Json = Mapping[str, Any]


class LoadError(Exception):
    """The dump cannot be read; the message says where and why."""


def read_dump(path: Path) -> Iterator[Json]:
    """Yield the issues of a dump. Raises LoadError."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            number = 0
            while line := stream.readline(LINE_LIMIT + 1):
                number += 1
                if len(line) > LINE_LIMIT:
                    raise LoadError(f"{path}, line {number}: longer than {LINE_LIMIT} bytes.")
                if line.strip():
                    yield _parse(path, number, line)
    except (OSError, EOFError, zlib.error) as wrong:
        raise LoadError(f"{path} cannot be read: {wrong}") from None


def _parse(path: Path, number: int, line: bytes) -> Json:
    try:
        record = json.loads(line)
        if b"\\ud" in line.lower():
            # Half a surrogate pair could be kept but never be written again.
            json.dumps(record, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as wrong:
        raise LoadError(f"{path}, line {number}: this is not JSON: {wrong}") from None
    if not isinstance(record, dict) or not isinstance(record.get("fields"), dict):
        raise LoadError(f"{path}, line {number}: this is not an issue as Jira's REST shows it.")
    if "-" not in str(record.get("key", "")) or not str(record.get("id", "")).isdecimal():
        raise LoadError(f"{path}, line {number}: the issue has no key or no id.")
    return record
