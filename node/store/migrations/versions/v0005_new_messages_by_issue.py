"""An index of the messages that nobody has looked at yet, by their issue, so that its oldest is found at once.

Without it the look for work read the whole backlog once for each message in it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "ix_inbox_connection_id_issue_new",
        "inbox",
        ["connection_id", "issue"],
        unique=False,
        sqlite_where=sa.text("state = 'new'"),
    )
