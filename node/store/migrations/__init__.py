"""The history of the schema, one step a file, read by Alembic. Forward only: a step has no way back.

``alembic -c node/store/migrations/alembic.ini revision --rev-id 0002 -m "What it adds"`` makes an empty step, which is
then written by hand. A test holds that all steps together make what ``schema.py`` describes. A released step is never
changed.
"""
