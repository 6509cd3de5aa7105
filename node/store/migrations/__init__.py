"""The history of the schema, one step a file, read by Alembic. Forward only."""
