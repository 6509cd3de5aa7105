"""The opaque names by which a peer knows our things: deterministic, so that a restored node gives the same again.

Made with a secret of the connection, so that a name tells the peer nothing about our ids, and two peers of one node
cannot tell that they hear of the same issue. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from protocol.messages import message_id


@dataclass(frozen=True, slots=True)
class Names:
    """Names on one connection. ``key`` is its 32-byte secret."""

    key: bytes = field(repr=False)

    def handle(self, kind: str, local_id: str) -> str:
        """Return the handle of an issue, comment, attachment or worklog of ours."""
        return message_id(self.key, f"handle {kind}", local_id, 0)

    def message(self, kind: str, local_id: str, revision: int) -> str:
        """Return the id of a message: the same thing said again has the same id."""
        return message_id(self.key, kind, local_id, revision)

    def replica(self, local_id: str, revision: int, content: Mapping[str, Any]) -> str:
        """Return the id of a message that carries a state of our issue.

        The content is part of it: a node that was restored counts some revisions again, and what it says then is news.
        """
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return self.message(f"replica {hashlib.sha256(text.encode()).hexdigest()}", local_id, revision)
