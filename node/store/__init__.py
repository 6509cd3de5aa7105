"""What the node must not forget: one database, one writer, rows that outlive a crash.

Reading order: `schema.py` (the tables), `port.py` (what a statement may be written against), `engine.py` (open, write,
read, close), then the parts of the engine: `writer.py` and `reader.py` over `session.py` and `driver.py`; `migrate.py`,
`backup.py`, `files.py`, `lock.py`, `library.py`. The other modules hold the statements of one noun each.
"""
