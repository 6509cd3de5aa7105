"""Indexes of the messages that nobody has looked at yet by their issue, and of those that wait by their connection.

Without the first the look for work read the whole backlog once for each message in it; with the second it takes from
each connection in turn without reading any message.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes."""
    op.create_index(
        "ix_inbox_connection_id_issue_new",
        "inbox",
        ["connection_id", "issue"],
        unique=False,
        sqlite_where=sa.text("state = 'new'"),
    )
    op.create_index(
        "ix_inbox_connection_id_id_open",
        "inbox",
        ["connection_id", "id", "due_ms", "issue"],
        unique=False,
        sqlite_where=sa.text("state IN ('new', 'waiting')"),
    )
