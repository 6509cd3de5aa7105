"""The schema: what the migrations make is what `schema.py` says, and an upgrade is all or nothing."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from node.store.errors import StoreMigrationFailed
from node.store.migrate import MIGRATIONS, known_versions, prepare
from node.store.schema import metadata

NEWEST = known_versions()[-1]
NEXT = f"{int(NEWEST) + 1:04}"
NEXT_STEP = f'''
"""A step of the future."""

import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{NEWEST}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("future", sa.Column("id", sa.Integer(), primary_key=True), sqlite_strict=True)
    with op.batch_alter_table("connection") as table:
        table.add_column(sa.Column("colour", sa.Text(), nullable=False, server_default="blue"))
        table.drop_column("description")
'''


def described(path: Path) -> dict[str, Any]:
    """Return all that SQLite knows of the tables of a database, in a form that can be compared."""
    found: dict[str, Any] = {}
    with closing(sqlite3.connect(path)) as raw:
        for _, name, kind, _, without_rowid, strict in raw.execute("PRAGMA main.table_list").fetchall():
            if kind != "table" or name in ("alembic_version", "sqlite_schema"):
                continue
            columns = [row[1:] for row in raw.execute(f"PRAGMA table_xinfo('{name}')")]
            references = sorted(row[2:] for row in raw.execute(f"PRAGMA foreign_key_list('{name}')"))
            indexes = {}
            for _, index, unique, origin, partial in raw.execute(f"PRAGMA index_list('{name}')").fetchall():
                parts = tuple(row[2:] for row in raw.execute(f"PRAGMA index_xinfo('{index}')"))
                where = raw.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (index,)).fetchone()[0]
                indexes[(index if origin == "c" else origin, parts)] = (unique, partial, where)
            found[name] = (columns, references, indexes, without_rowid, strict)
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", poolclass=sqlalchemy.NullPool)
    inspector = sqlalchemy.inspect(engine)
    for name, parts in found.items():
        checks = sorted(str(check["sqltext"]) for check in inspector.get_check_constraints(name))
        found[name] = (*parts, checks)
    engine.dispose()
    return found


def create_from_metadata(path: Path) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", poolclass=sqlalchemy.NullPool)
    metadata.create_all(engine)
    engine.dispose()


@pytest.fixture
def next_steps(tmp_path: Path) -> Path:
    """The migrations of an accord that is one step ahead."""
    folder = tmp_path / "100%steps" / "migrations"
    shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / f"v{NEXT}_future.py").write_text(NEXT_STEP)
    return folder


def test_a_migrated_database_is_what_the_schema_describes(tmp_path: Path) -> None:
    """Every table, column, default, index, reference and check is the same on both ways."""
    migrated, described_path = tmp_path / "migrated.db", tmp_path / "described.db"
    prepare(migrated, now_ms=1)
    create_from_metadata(described_path)
    assert described(migrated) == described(described_path)


def test_every_table_is_strict_and_every_reference_is_checked_at_once(tmp_path: Path) -> None:
    """STRICT keeps types honest; a deferred reference would fail the commit of its neighbours."""
    path = tmp_path / "accord.db"
    prepare(path, now_ms=1)
    with closing(sqlite3.connect(path)) as raw:
        tables = raw.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall()
        strict = {name for _, name, _, _, _, strict in raw.execute("PRAGMA main.table_list") if strict}
    ours = {name: text for name, text in tables if name != "alembic_version" and not name.startswith("sqlite_")}
    assert strict == set(ours) == set(metadata.tables)
    assert not [name for name, text in ours.items() if "DEFERR" in text.upper()]


def test_a_new_database_says_who_made_it_and_needs_no_backup(tmp_path: Path) -> None:
    """From empty to the newest schema; the second time there is nothing to do."""
    path = tmp_path / "accord.db"
    assert prepare(path, now_ms=1) is None
    assert prepare(path, now_ms=2) is None
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [(known_versions()[-1],)]
        assert raw.execute("SELECT count(*) FROM meta WHERE key = 'accord_version'").fetchone() == (1,)
    assert [each.name for each in tmp_path.iterdir()] == ["accord.db"]


def fill(path: Path) -> None:
    prepare(path, now_ms=1)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute(
            "INSERT INTO connection (id, name, role, state, project, created_ms) "
            "VALUES (1, 'Blue_to_Green', 'inviter', 'active', 'BLUE', 0)"
        )
        raw.execute("INSERT INTO stream (connection_id, direction, state) VALUES (1, 'tx', '{}')")


def test_an_upgrade_keeps_the_rows_and_a_copy_from_before(tmp_path: Path, next_steps: Path) -> None:
    """Rebuilding a table must not delete the rows that refer to it; the copy has the old schema and the data."""
    path = tmp_path / "accord.db"
    fill(path)
    before = described(path)
    saved = prepare(path, now_ms=1700000000000, steps=next_steps)
    assert saved == tmp_path / f"accord-{NEWEST}-before-{NEXT}-1700000000000.db"
    assert described(saved) == before
    assert saved.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT name, colour FROM connection").fetchall() == [("Blue_to_Green", "blue")]
        assert raw.execute("SELECT count(*) FROM stream").fetchone() == (1,)
        assert raw.execute("SELECT count(*) FROM future").fetchone() == (0,)
        assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [(NEXT,)]


@pytest.mark.parametrize(
    "mistake",
    ["op.execute('DELETE FROM nowhere')", "op.execute('DELETE FROM connection')", "raise LookupError('a bug')"],
    ids=["bad SQL", "rows without their owner", "a bug in Python"],
)
def test_a_failed_upgrade_leaves_the_database_as_it_was(tmp_path: Path, next_steps: Path, mistake: str) -> None:
    """Schema changes and data of all steps roll back together; the error names the copy."""
    path = tmp_path / "accord.db"
    fill(path)
    before = described(path)
    with (next_steps / "versions" / f"v{NEXT}_future.py").open("a") as file:
        file.write(f"    {mistake}\n")
    with pytest.raises(StoreMigrationFailed, match=f"from schema {NEWEST} to {NEXT}; it is as it was") as caught:
        prepare(path, now_ms=5, steps=next_steps)
    assert f"accord-{NEWEST}-before-{NEXT}-5.db" in caught.value.advice
    assert described(path) == before
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM connection").fetchone() == (1,)
    assert prepare(path, now_ms=6) is None
