"""Alembic's entry: runs the migrations on the connection that `node.store.migrate` opened, in its transaction."""

from __future__ import annotations

from alembic import context

from node.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot change most of a table in place: Alembic builds the new one beside it.
    render_as_batch=True,
)
context.run_migrations()
