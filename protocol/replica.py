"""What is shared of an issue: only what the sender's outgoing rules put there, in words both sides understand.

Never holds an issue itself, a Jira field id, a file path or the bytes of a file. All values are bounded before anybody
uses them. Names and texts are the sender's and untrusted: the receiver's incoming rules decide what becomes of them.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints
from pydantic import JsonValue as AnyJson

from protocol import strict_json
from protocol.errors import BadContent
from protocol.primitives import Frozen

MAX_FIELDS = 500
MAX_COMMENTS = 10_000
MAX_ATTACHMENTS = 5_000
MAX_WORKLOGS = 10_000
MAX_BLOB_BYTES = 2 << 30
"""A file of 2 GiB is the largest that travels (wire protocol, limits)."""

Handle: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
"""An opaque name that one side gives to one of its objects: visible ASCII, means nothing to the other side."""
Name: TypeAlias = Annotated[str, StringConstraints(max_length=255)]
"""A text for display."""
Text: TypeAlias = Annotated[str, StringConstraints(max_length=strict_json.MAX_STRING_BYTES)]
Time: TypeAlias = Annotated[
    str,
    StringConstraints(
        max_length=32, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|\+00:00)$"
    ),
]
"""ISO 8601 in UTC, such as ``2026-11-24T02:08:00Z``."""
BlobId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 of a file's bytes, in hex."""


def _strict(value: AnyJson) -> AnyJson:
    try:
        strict_json.check(value)  # type: ignore[arg-type]  # floats are what this looks for
    except BadContent as error:
        raise ValueError(error.reason) from None
    return value


JsonValue: TypeAlias = Annotated[AnyJson, AfterValidator(_strict)]
"""Strict JSON: no floats; decimals travel as strings."""


class ReplicaComment(Frozen):
    """A comment. ``id`` is the sender's handle; ``author`` is a display name; ``body`` is wiki markup."""

    id: Handle
    author: Name | None = None
    body: Text
    created: Time | None = None
    updated: Time | None = None
    internal: bool = False
    author_email: Name | None = None
    author_name: Name | None = None


class ReplicaAttachment(Frozen):
    """A file. ``name`` is text for display, never a path; ``size`` in bytes; ``blob`` is its SHA-256 in hex."""

    id: Handle
    name: Name
    mime: Name | None = None
    size: Annotated[int, Field(ge=0, le=MAX_BLOB_BYTES)]
    blob: BlobId
    author: Name | None = None
    created: Time | None = None


class ReplicaWorklog(Frozen):
    """Time spent on the issue: ``seconds`` since ``started``."""

    id: Handle
    author: Name | None = None
    started: Time | None = None
    seconds: Annotated[int, Field(ge=0, le=strict_json.MAX_INTEGER)]
    comment: Text | None = None
    author_email: Name | None = None


# Field(strict=False): JSON has arrays and no tuples; the items stay strict by their own models.
_Comments = Annotated[tuple[ReplicaComment, ...], Field(strict=False, max_length=MAX_COMMENTS)]
_Attachments = Annotated[tuple[ReplicaAttachment, ...], Field(strict=False, max_length=MAX_ATTACHMENTS)]
_Worklogs = Annotated[tuple[ReplicaWorklog, ...], Field(strict=False, max_length=MAX_WORKLOGS)]


class Replica(Frozen):
    """One issue as its sender shares it.

    ``issue`` is the sender's handle of it, ``key`` and ``url`` are for display. ``fields`` has the names that the
    sender's outgoing rules chose. ``None`` for comments, attachments or worklogs means "not shared", an empty tuple
    means "there are none".
    """

    issue: Handle
    key: Name | None = None
    url: Annotated[str, StringConstraints(max_length=2048)] | None = None
    fields: Annotated[
        dict[Annotated[str, StringConstraints(min_length=1, max_length=255)], JsonValue],
        Field(max_length=MAX_FIELDS),
    ]
    comments: _Comments | None = None
    attachments: _Attachments | None = None
    worklogs: _Worklogs | None = None

    def content_digest(self) -> bytes:
        """Return SHA-256 over a canonical dump: equal digests, nothing new to say. For its own maker only."""
        return hashlib.sha256(strict_json.dump_canonical(self.model_dump(mode="python"))).digest()
